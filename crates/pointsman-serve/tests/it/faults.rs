//! What happens on the wire: protocol faults, slow callers, draining; over loopback.

use crate::workbench::{artifact, loaded};
use pointsman_serve::{
    Service,
    effects::Effects,
    http::Reload,
    server::{Event, Signals, serve},
    settings::Settings,
};
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc as std_mpsc,
    },
    thread::{self, JoinHandle},
};
use tokio::sync::mpsc;

/// A service that listens on ports of its own.
struct Listening {
    callers: SocketAddr,
    operators: SocketAddr,
    stop: mpsc::Sender<()>,
    reload: mpsc::Sender<()>,
    events: std_mpsc::Receiver<Event>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    fn new(limits: &str) -> Self {
        Self::with(limits, Box::new(|| 4))
    }

    fn with(limits: &str, random: Box<dyn Fn() -> u64 + Send + Sync>) -> Self {
        let toml =
            format!("listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n[limits]\n{limits}");
        let settings = Settings::from_toml(&toml).unwrap();
        let effects = Effects { now_ms: Box::new(|| 1), elapsed_ns: Box::new(|| 1), random };
        let service = Arc::new(Service::new(settings, loaded(1), Vec::new(), effects).unwrap());
        let reload: Reload = Arc::new(|service: &Service| {
            service.swap(loaded(2));
            Ok(artifact(2).digest().to_owned())
        });
        let (stop, stopping) = mpsc::channel(2);
        let (reload_sender, reloads) = mpsc::channel(1);
        let (tell, events) = std_mpsc::channel();
        let thread = thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
            let signals = Signals { stop: stopping, reload: reloads };
            let tell = move |event| drop(tell.send(event));
            runtime.block_on(serve(service, reload, signals, tell)).unwrap();
        });
        let Ok(Event::Listening { callers, operators }) = events.recv() else {
            panic!("no address")
        };
        Self { callers, operators, stop, reload: reload_sender, events, thread: Some(thread) }
    }

    /// Sends bytes and reads until the service closes, or until `most` bytes.
    fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.callers).unwrap();
        // The service may close before it has read everything.
        drop(stream.write_all(bytes));
        let mut reply = Vec::new();
        drop(stream.read_to_end(&mut reply));
        String::from_utf8_lossy(&reply).into_owned()
    }

    /// What operators get at a path.
    fn behind(&self, path: &str) -> String {
        let mut operators = TcpStream::connect(self.operators).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        operators.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        operators.read_to_string(&mut reply).unwrap();
        reply
    }

    fn metrics(&self) -> String {
        self.behind("/metrics")
    }

    /// A call that the service waits for the rest of, and that rest.
    fn begin_call(&self, headers: &str) -> (TcpStream, Vec<u8>) {
        let mut stream = TcpStream::connect(self.callers).unwrap();
        let bytes = post(GOOD, headers);
        let (start, rest) = bytes.split_at(bytes.len() - 5);
        stream.write_all(start).unwrap();
        while !self.metrics().contains("pointsman_in_flight 1") {}
        (stream, rest.to_vec())
    }

    fn stop(mut self) -> Vec<Event> {
        self.stop.blocking_send(()).unwrap();
        self.thread.take().unwrap().join().unwrap();
        self.events.try_iter().collect()
    }
}

fn post(body: &str, headers: &str) -> Vec<u8> {
    format!(
        "POST /route HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

const GOOD: &str = r#"{"prompt":"x"}"#;

fn end_call(mut stream: TcpStream, rest: &[u8]) -> String {
    stream.write_all(rest).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn calls_are_answered_over_loopback() {
    let listening = Listening::new("");
    let reply = listening.exchange(&post(GOOD, "connection: close\r\n"));
    assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
    assert!(reply.contains("\"model\":\"large\""), "{reply}");
    assert!(reply.contains("\"logged\":false"), "{reply}");
    let metrics = listening.metrics();
    assert!(metrics.contains("pointsman_decisions_total 1"), "{metrics}");
    listening.reload.blocking_send(()).unwrap();
    let reloaded = listening.events.recv().unwrap();
    assert_eq!(reloaded, Event::Reloaded { digest: artifact(2).digest().to_owned() });
    assert_eq!(listening.stop(), [Event::Draining, Event::Stopped { n_cut: 0 }]);
}

/// What goes past the router is refused as it would be behind it; other methods are the router's.
#[test]
fn answers_are_judged_over_loopback() {
    let listening = Listening::new("");
    let answer = r#"{"prompt":"x","decision_id":"d","answer":"a"}"#;
    for path in ["/escalate", "/v1/escalate"] {
        let check = |method: &str, body: &str, code: &str| {
            let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
            let call = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            assert_eq!(error(&listening.exchange(call.as_bytes()))["code"], code, "{head}");
        };
        check("POST", answer, "no_readers");
        check("POST", "{", "invalid_json");
        check("PUT", "", "wrong_method");
    }
    listening.stop();
}

#[test]
fn a_caller_that_ends_its_side_is_answered() {
    let listening = Listening::new("");
    for _ in 0..20 {
        let mut stream = TcpStream::connect(listening.callers).unwrap();
        stream.write_all(&post(GOOD, "")).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
    }
    listening.stop();
}

/// The object of the error in a whole reply.
#[track_caller]
fn error(reply: &str) -> serde_json::Value {
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{reply:?}"));
    assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    assert!(json["error"]["message"].is_string() && json["error"]["type"].is_string(), "{json}");
    json["error"].clone()
}

#[test]
fn broken_protocol_is_refused_with_an_error_object() {
    let listening = Listening::new("");
    let get = |path: &str, version: &str| {
        format!("GET {path} HTTP/{version}\r\nhost: x\r\n\r\n").into_bytes()
    };
    let chunked = "transfer-encoding: chunked\r\n";
    for (status, code, bytes) in [
        (400, "invalid_http", post(GOOD, "content-length: 3\r\n")),
        (400, "invalid_http", b"POST /route HTTP/1.1\r\ncontent-length: x\r\n\r\n".to_vec()),
        (400, "invalid_http", b"POST /route HTTP/1.1\r\nhost : x\r\n\r\n".to_vec()),
        (400, "invalid_http", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec()),
        (400, "invalid_http", get("/healthz", "3.0")),
        (
            400,
            "invalid_request",
            format!("POST /route HTTP/1.1\r\nhost: x\r\n{chunked}\r\nzz\r\n").into_bytes(),
        ),
        (414, "uri_too_long", get(&format!("/route?{}", "a".repeat(9000)), "1.1")),
        (426, "http_version", get("/healthz", "1.0")),
        (426, "http_version", [&b"POST /route HTTP/1.0\r\n\r\n"[..], GOOD.as_bytes()].concat()),
        (431, "headers_too_large", post(GOOD, &"a: b\r\n".repeat(200))),
        (431, "headers_too_large", post(GOOD, &format!("a: {}\r\n", "b".repeat(66_000)))),
    ] {
        let reply = listening.exchange(&bytes);
        assert_eq!(reply.split(' ').nth(1), Some(&*status.to_string()), "{code}: {reply}");
        assert_eq!(error(&reply)["code"], code);
    }
    let reply = listening.exchange(&get("/healthz", "1.0"));
    assert!(reply.contains("\r\nupgrade: HTTP/1.1\r\n"), "{reply}");
    let metrics = listening.metrics();
    for expected in [
        "pointsman_problems_total{code=\"invalid_http\",status=\"400\"} 5",
        "pointsman_problems_total{code=\"http_version\",status=\"426\"} 3",
        "pointsman_problems_total{code=\"headers_too_large\",status=\"431\"} 2",
    ] {
        assert!(metrics.contains(expected), "{expected}: {metrics}");
    }
    listening.stop();
}

/// Another protocol altogether is not answered in words of this one.
#[test]
fn http_2_is_not_spoken() {
    let listening = Listening::new("");
    assert_eq!(listening.exchange(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "");
    listening.stop();
}

/// Whoever stands in front may have gone by the length; what it took for the next call is never one.
#[test]
fn after_a_body_of_two_framings_nothing_is_read() {
    let listening = Listening::new("");
    let chunk = format!("{:x}\r\n{GOOD}\r\n0\r\n\r\n", GOOD.len());
    let (length, chunked) = ("content-length: 4\r\n", "transfer-encoding: chunked\r\n");
    for headers in [[length, chunked], [chunked, length]] {
        let call = format!("POST /route HTTP/1.1\r\nhost: x\r\n{}\r\n{chunk}", headers.concat());
        let smuggled = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        let reply = listening.exchange(format!("{call}{smuggled}").as_bytes());
        assert_eq!(reply.matches("HTTP/1.1 ").count(), 1, "{reply}");
        assert!(reply.contains("\r\nconnection: close\r\n"), "{reply}");
    }
    listening.stop();
}

#[test]
fn slow_callers_are_cut() {
    let listening = Listening::new("header_ms = 200\nbody_ms = 200");
    let slow_body = b"POST /route HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{";
    let reply = listening.exchange(slow_body);
    assert!(reply.starts_with("HTTP/1.1 408"), "{reply}");
    // A caller that never ends its headers is cut.
    let reply = listening.exchange(b"POST /route HTTP/1.1\r\nhost: x\r\n");
    assert!(!reply.contains("200 OK"), "{reply}");
    assert!(listening.exchange(&post(GOOD, "connection: close\r\n")).contains("200 OK"));
    listening.stop();
}

#[test]
fn many_slow_callers_keep_nobody_waiting() {
    let listening = Listening::new("header_ms = 2000");
    let begin = || {
        let mut stream = TcpStream::connect(listening.callers).unwrap();
        stream.write_all(b"POST /route HTTP/1.1\r\nhost: x\r\n").unwrap();
        stream
    };
    let slow: Vec<TcpStream> = (0..100).map(|_| begin()).collect();
    for _ in 0..20 {
        assert!(listening.exchange(&post(GOOD, "connection: close\r\n")).contains("200 OK"));
    }
    for mut stream in slow {
        let mut reply = Vec::new();
        // Cut, with or without a reset.
        drop(stream.read_to_end(&mut reply));
        assert!(reply.is_empty(), "{}", String::from_utf8_lossy(&reply));
    }
    assert_eq!(listening.stop().last(), Some(&Event::Stopped { n_cut: 0 }));
}

#[test]
fn a_call_in_flight_is_answered_while_draining() {
    let listening = Listening::new("drain_ms = 20000");
    let (stream, rest) = listening.begin_call("");
    let events = thread::spawn(move || listening.stop());
    assert!(end_call(stream, &rest).contains("200 OK"));
    let events = events.join().unwrap();
    assert_eq!(events.last(), Some(&Event::Stopped { n_cut: 0 }));
}

#[test]
fn operators_hear_that_it_stops_and_a_second_signal_waits_for_nobody() {
    let listening = Listening::new("drain_ms = 600000\nbody_ms = 600000");
    assert!(listening.behind("/readyz").starts_with("HTTP/1.1 200"));
    let _unfinished = listening.begin_call("");
    listening.stop.blocking_send(()).unwrap();
    assert_eq!(listening.events.recv().unwrap(), Event::Draining);
    while TcpStream::connect(listening.callers).is_ok() {}
    for _ in 0..20 {
        let reply = listening.behind("/readyz");
        assert!(reply.starts_with("HTTP/1.1 503"), "{reply}");
    }
    assert!(listening.behind("/healthz").starts_with("HTTP/1.1 200"));
    assert!(matches!(listening.stop().last(), Some(Event::Stopped { n_cut: 1.. })));
}

#[test]
fn what_is_too_much_is_turned_away_before_its_body_is_read() {
    let listening = Listening::new("in_flight = 1");
    let (stream, rest) = listening.begin_call("connection: close\r\n");
    let reply = listening.exchange(&post(GOOD, "connection: close\r\n"));
    assert!(reply.starts_with("HTTP/1.1 503"), "{reply}");
    assert!(
        reply.contains("\r\nretry-after: 1\r\n") && reply.contains("\"overloaded\""),
        "{reply}"
    );
    assert!(listening.behind("/healthz").starts_with("HTTP/1.1 200"));
    assert!(end_call(stream, &rest).contains("200 OK"));
    assert!(listening.exchange(&post(GOOD, "connection: close\r\n")).contains("200 OK"));
    listening.stop();
}

/// Many clients send a body after its headers, in a packet of its own.
#[test]
fn an_operators_connection_goes_on_however_a_body_comes() {
    let listening = Listening::new("");
    let mut stream = TcpStream::connect(listening.operators).unwrap();
    for path in ["/admin/reload", "/admin/rollback", "/admin/reload"] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        // Time enough to answer the head alone.
        listening.metrics();
        stream.write_all(b"{}").unwrap();
        let mut reply = Vec::new();
        while !reply.ends_with(b"}") {
            let mut some = [0; 1024];
            let n_read = stream.read(&mut some).unwrap();
            assert_ne!(n_read, 0, "{path}: {}", String::from_utf8_lossy(&reply));
            reply.extend_from_slice(&some[..n_read]);
        }
        assert!(reply.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&reply));
    }
    drop(stream);
    listening.stop();
}

#[test]
fn a_panic_is_its_calls_alone() {
    let is_broken = Arc::new(AtomicBool::new(false));
    let broken = Arc::clone(&is_broken);
    let random = move || {
        assert!(!broken.load(Ordering::Relaxed), "dice of glass");
        4_u64
    };
    let listening = Listening::with("", Box::new(random));
    let call = || listening.exchange(&post(GOOD, "connection: close\r\n"));
    assert!(call().contains("200 OK"));
    is_broken.store(true, Ordering::Relaxed);
    let reply = call();
    assert!(reply.starts_with("HTTP/1.1 500") && reply.contains("\"internal\""), "{reply}");
    assert!(!reply.contains("glass"), "{reply}");
    is_broken.store(false, Ordering::Relaxed);
    assert!(call().contains("200 OK"));
    let metrics = listening.metrics();
    for expected in ["pointsman_panics_total 1", "pointsman_in_flight 0"] {
        assert!(metrics.contains(expected), "{metrics}");
    }
    listening.stop();
}
