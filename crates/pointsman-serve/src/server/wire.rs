//! A connection on which every refusal has an error object. What is no HTTP/1.1 never gets to the paths:
//! Hyper refuses it, in a reply without a body, and here that reply is given one on its way out.
//!
//! A reply of Hyper's own is known by its first bytes and by its empty body, which no refusal of ours
//! has. Weakness: one that leaves together with the end of an earlier reply stays empty.

use crate::{
    problem::{Code, Problem},
    service::Service,
};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most headers of one call, and the most bytes of them with its first line.
pub(super) const MAX_HEADERS: usize = 100;
pub(super) const MAX_HEADER_BYTES: usize = 64 << 10;

const EMPTY: &str = "\r\ncontent-length: 0\r\n";

/// A stream to a caller.
pub(super) struct Wire<S> {
    stream: S,
    service: Arc<Service>,
    refusal: Option<Refusal>,
}

/// A refusal on its way out.
struct Refusal {
    reply: Vec<u8>,
    /// How much of it has left.
    n_out: usize,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, service: Arc<Service>) -> Self {
        Self { stream, service, refusal: None }
    }
}

/// What Hyper has refused, where these bytes are its reply: the status line and the headers.
fn refused(bytes: &[u8]) -> Option<Problem> {
    // Nearly every reply is told apart by these three bytes.
    let (code, message) = match bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)? {
        b"400" => {
            let message = "the first line or a header is no HTTP/1.1, or the length of the body is not \
                           clear; look at what sends it";
            (Code::InvalidHttp, message.to_owned())
        }
        b"431" => {
            let message = format!(
                "over {MAX_HEADERS} headers, or {MAX_HEADER_BYTES} bytes of them with the path, or a \
                 body of no possible length; send less"
            );
            (Code::HeadersTooLarge, message)
        }
        _ => return None,
    };
    let is_empty = std::str::from_utf8(bytes).is_ok_and(|head| head.contains(EMPTY));
    is_empty.then(|| Problem::new(code, message))
}

impl Refusal {
    /// The reply, with the problem for its body.
    fn new(head: &[u8], problem: &Problem) -> Self {
        let mut body = Vec::new();
        problem.write_json(&mut body);
        let length =
            format!("\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
        let mut reply = String::from_utf8_lossy(head).replacen(EMPTY, &length, 1).into_bytes();
        reply.extend_from_slice(&body);
        Self { reply, n_out: 0 }
    }

    /// Writes as much of it as the stream takes; ready once all of it has left.
    fn poll_out(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.n_out < self.reply.len() {
            let rest = &self.reply[self.n_out..];
            let n_out = ready!(Pin::new(&mut *stream).poll_write(context, rest))?;
            if n_out == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.n_out += n_out;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    /// Whether a refusal goes out in the place of these bytes.
    fn refuses(&mut self, bytes: &[u8]) -> bool {
        if self.refusal.is_none()
            && let Some(problem) = refused(bytes)
        {
            self.service.metrics.problem(&problem);
            self.refusal = Some(Refusal::new(bytes, &problem));
        }
        self.refusal.is_some()
    }

    /// Writes the refusal that goes out in the place of `n_bytes` bytes.
    fn poll_refusal(
        &mut self,
        n_bytes: usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Some(refusal) = &mut self.refusal {
            ready!(refusal.poll_out(&mut self.stream, context))?;
        }
        self.refusal = None;
        Poll::Ready(Ok(n_bytes))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        if wire.refuses(bytes) {
            return wire.poll_refusal(bytes.len(), context);
        }
        Pin::new(&mut wire.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        if slices.first().is_some_and(|first| wire.refuses(first)) {
            let n_bytes = slices.iter().map(|slice| slice.len()).sum();
            return wire.poll_refusal(n_bytes, context);
        }
        Pin::new(&mut wire.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    const HYPERS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\
                            date: Sat, 21 Nov 2026 20:46:02 GMT\r\n\r\n";

    #[test]
    fn only_empty_refusals_are_given_a_body() {
        let code = |bytes: &[u8]| refused(bytes).map(|problem| problem.code());
        assert_eq!(code(HYPERS), Some(Code::InvalidHttp));
        let with = |from: &str, to: &str| {
            code(String::from_utf8(HYPERS.to_vec()).unwrap().replace(from, to).as_bytes())
        };
        assert_eq!(with("400", "431"), Some(Code::HeadersTooLarge));
        for (from, to) in [("400", "200"), ("400", "404"), ("length: 0", "length: 7"), ("H", "h")] {
            assert_eq!(with(from, to), None, "{to}");
        }
        for bytes in [&b""[..], b"HTTP/1.1 40", b"{\"prompt\":\"HTTP/1.1 400\"}"] {
            assert_eq!(code(bytes), None);
        }
    }

    /// Takes a few bytes of every other write.
    #[derive(Default)]
    struct Narrow {
        taken: Vec<u8>,
        is_waiting: bool,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let narrow = self.get_mut();
            narrow.is_waiting = !narrow.is_waiting;
            if narrow.is_waiting {
                return Poll::Pending;
            }
            let some = &bytes[..bytes.len().min(7)];
            narrow.taken.extend_from_slice(some);
            Poll::Ready(Ok(some.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_refusal_goes_out_whole_however_little_is_taken_at_once() {
        let problem = refused(HYPERS).unwrap();
        let mut refusal = Refusal::new(HYPERS, &problem);
        let (mut narrow, mut context) = (Narrow::default(), Context::from_waker(Waker::noop()));
        let mut n_waits = 0;
        while refusal.poll_out(&mut narrow, &mut context).is_pending() {
            n_waits += 1;
        }
        assert!(10 < n_waits, "{n_waits}");
        let reply = String::from_utf8(narrow.taken).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"), "{head}");
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\ndate: ", body.len())), "{head}");
        assert!(body.contains("\"code\":\"invalid_http\""), "{body}");
    }
}
