//! Traces: a span for each decision, as OTLP in JSON over plain HTTP, to a collector nearby.
//!
//! Off unless the settings name a collector. No decision waits for it: spans go through a queue of
//! fixed length to a thread of their own. What does not fit into the queue, and what the collector
//! does not take, is dropped and counted; what is in the queue when the process ends is lost.
//! Weakness: there is no TLS, and the trace of a caller is not continued. A decision is its own
//! trace, and the trace's id is the decision's.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/> and, for the names of attributes,
//! <https://opentelemetry.io/docs/specs/semconv/gen-ai/>.

use crate::{effects::NANOS_PER_MS, json};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
    time::Duration,
};

/// Spans that may wait.
const MOST_WAITING: usize = 4096;

/// Spans of one call to the collector.
const MOST_TOGETHER: usize = 512;

/// Spans gather until none has come for so long.
const PAUSE: Duration = Duration::from_millis(200);

/// How long the collector may take for each step.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where traces go.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Traces {
    /// An OTLP collector, such as `http://127.0.0.1:4318/v1/traces`; there are no traces where
    /// `None`.
    pub endpoint: Option<String>,
}

/// A collector's address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Collector {
    /// Host and port.
    authority: String,
    path: String,
}

/// One decision, for its trace.
#[derive(Debug)]
pub(crate) struct Span {
    /// The decision's id.
    pub(crate) id: u128,
    pub(crate) started_ms: u64,
    pub(crate) took_ns: u64,
    pub(crate) model: String,
    pub(crate) provider: Option<String>,
    pub(crate) policy: String,
    pub(crate) propensity: f64,
    pub(crate) is_explored: bool,
    pub(crate) is_logged: bool,
}

/// Sends spans to a collector.
#[derive(Debug)]
pub(crate) struct Exporter {
    queue: SyncSender<Span>,
    n_dropped: Arc<AtomicU64>,
}

impl Collector {
    /// Reads `http://HOST:PORT/PATH`.
    pub(crate) fn parse(endpoint: &str) -> Result<Self, String> {
        let wrong = || format!("is `{endpoint}`; it has to be `http://HOST:PORT/PATH`");
        let rest = endpoint.strip_prefix("http://").ok_or_else(wrong)?;
        let (authority, path) = rest.split_once('/').ok_or_else(wrong)?;
        let port = authority.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        if !matches!(port, Some(Ok(_))) || !endpoint.chars().all(|c| c.is_ascii_graphic()) {
            return Err(wrong());
        }
        Ok(Self { authority: authority.to_owned(), path: format!("/{path}") })
    }

    fn send(&self, body: &[u8]) -> io::Result<()> {
        let address = self.authority.to_socket_addrs()?.next();
        let address = address.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            self.path,
            self.authority,
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut status = [0; b"HTTP/1.1 200".len()];
        stream.read_exact(&mut status)?;
        match status {
            [.., b'2', _, _] => Ok(()),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl Exporter {
    /// Begins to send, on a thread of its own that ends with this.
    pub(crate) fn start(collector: Collector) -> io::Result<Self> {
        let (queue, waiting) = mpsc::sync_channel(MOST_WAITING);
        let n_dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&n_dropped);
        thread::Builder::new()
            .name("traces".to_owned())
            .spawn(move || export(&collector, &waiting, &counter))?;
        Ok(Self { queue, n_dropped })
    }

    /// Takes a span, or drops it where too many wait.
    pub(crate) fn take(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.n_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Spans that were dropped.
    pub(crate) fn n_dropped(&self) -> u64 {
        self.n_dropped.load(Ordering::Relaxed)
    }
}

fn export(collector: &Collector, waiting: &Receiver<Span>, n_dropped: &AtomicU64) {
    while let Ok(first) = waiting.recv() {
        let mut spans = vec![first];
        while spans.len() < MOST_TOGETHER {
            let Ok(span) = waiting.recv_timeout(PAUSE) else { break };
            spans.push(span);
        }
        if collector.send(&to_json(&spans)).is_err() {
            let n = u64::try_from(spans.len()).unwrap_or(u64::MAX);
            n_dropped.fetch_add(n, Ordering::Relaxed);
        }
    }
}

/// Spans as the body of one call to a collector.
fn to_json(spans: &[Span]) -> Vec<u8> {
    let mut out = b"{\"resourceSpans\":[{\"resource\":{\"attributes\":[".to_vec();
    attribute(&mut out, "service.name", "stringValue", "pointsman");
    out.extend_from_slice(b"]},\"scopeSpans\":[{\"scope\":{\"name\":\"pointsman\"},\"spans\":[");
    for (index, span) in spans.iter().enumerate() {
        if 0 < index {
            out.push(b',');
        }
        span.write_json(&mut out);
    }
    out.extend_from_slice(b"]}]}]}");
    out
}

impl Span {
    fn write_json(&self, out: &mut Vec<u8>) {
        let start_ns = self.started_ms.saturating_mul(NANOS_PER_MS);
        let end_ns = start_ns.saturating_add(self.took_ns);
        out.extend_from_slice(b"{\"traceId\":");
        json::value(out, &format!("{:032x}", self.id));
        json::field(out, "spanId", &format!("{:016x}", self.id & u128::from(u64::MAX)));
        json::field(out, "name", "pointsman.route");
        // A server's.
        json::field(out, "kind", &2);
        json::field(out, "startTimeUnixNano", &start_ns.to_string());
        json::field(out, "endTimeUnixNano", &end_ns.to_string());
        json::raw_key(out, "attributes");
        out.push(b'[');
        attribute(out, "gen_ai.operation.name", "stringValue", "chat");
        out.push(b',');
        attribute(out, "gen_ai.request.model", "stringValue", &self.model);
        if let Some(provider) = &self.provider {
            out.push(b',');
            attribute(out, "gen_ai.provider.name", "stringValue", provider);
        }
        out.push(b',');
        attribute(out, "pointsman.policy", "stringValue", &self.policy);
        out.push(b',');
        attribute(out, "pointsman.propensity", "doubleValue", &self.propensity);
        out.push(b',');
        attribute(out, "pointsman.explored", "boolValue", &self.is_explored);
        out.push(b',');
        attribute(out, "pointsman.logged", "boolValue", &self.is_logged);
        out.extend_from_slice(b"]}");
    }
}

fn attribute<T: Serialize + ?Sized>(out: &mut Vec<u8>, key: &str, kind: &str, value: &T) {
    out.extend_from_slice(b"{\"key\":");
    json::value(out, key);
    out.extend_from_slice(b",\"value\":{");
    json::value(out, kind);
    out.push(b':');
    json::value(out, value);
    out.extend_from_slice(b"}}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(endpoint: &str) {
        let refused = Collector::parse(endpoint).unwrap_err();
        assert!(refused.contains("http://HOST:PORT/PATH"), "{refused}");
    }

    #[test]
    fn a_collector_has_a_host_a_port_and_a_path() {
        let collector = Collector::parse("http://localhost:4318/v1/traces").unwrap();
        assert_eq!(collector.authority, "localhost:4318");
        assert_eq!(collector.path, "/v1/traces");
        for endpoint in [
            "",
            "localhost:4318/v1/traces",
            "https://localhost:4318/v1/traces",
            "http://localhost/v1/traces",
            "http://localhost:4318",
            "http://localhost:70000/v1/traces",
            "http://localhost:4318/v1/traces\r\nx: y",
        ] {
            check_refused(endpoint);
        }
    }

    #[test]
    fn a_collector_that_is_not_there_takes_nothing() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        drop(listener);
        assert!(Collector::parse(&format!("http://{at}/v1/traces")).unwrap().send(b"{}").is_err());
    }
}
