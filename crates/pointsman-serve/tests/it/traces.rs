//! A collector gets a span for each decision, and nothing of the prompt.

use crate::workbench::{Bench, NOW_MS};
use pointsman_serve::settings::Settings;
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
};

/// The head and the body of the next call to a collector, which takes it.
fn taken(listener: &TcpListener) -> (String, Value) {
    let (stream, _from) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let (mut head, mut n_bytes) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(length) = line.strip_prefix("content-length: ") {
            n_bytes = length.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; n_bytes];
    reader.read_exact(&mut body).unwrap();
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

#[test]
fn a_collector_gets_a_span_for_each_decision() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let bench = Bench::new(&format!("[traces]\nendpoint = \"http://{at}/v1/traces\""));
    let reply = bench.route(r#"{"prompt":"a secret word"}"#);
    let (head, body) = taken(&listener);
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(!body.to_string().contains("secret"), "{body}");
    let span = &body["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    let id = reply["decision_id"].as_str().unwrap().replace('-', "");
    assert_eq!((&span["traceId"], &span["spanId"]), (&json!(id), &json!(id[16..])));
    assert_eq!(span["name"], "pointsman.route");
    assert_eq!(span["startTimeUnixNano"], json!((NOW_MS * 1_000_000).to_string()));
    let attribute = |key: &str| {
        let all = span["attributes"].as_array().unwrap();
        all.iter().find(|one| one["key"] == key).unwrap()["value"].clone()
    };
    assert_eq!(attribute("gen_ai.request.model"), json!({"stringValue": reply["model"]}));
    assert_eq!(attribute("gen_ai.provider.name"), json!({"stringValue": reply["provider"]}));
    assert_eq!(attribute("pointsman.propensity"), json!({"doubleValue": reply["propensity"]}));
    assert_eq!(attribute("pointsman.logged"), json!({"boolValue": true}));
}

#[test]
fn a_collector_that_cannot_be_is_refused() {
    let refused = Settings::from_toml("[traces]\nendpoint = \"https://a/b\"").unwrap_err();
    assert!(refused.to_string().contains("traces.endpoint"), "{refused}");
}
