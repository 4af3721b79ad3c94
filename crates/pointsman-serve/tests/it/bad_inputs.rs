//! Bodies that are no calls: every one is a refusal with an error object, none is a failure of the
//! service.

use crate::workbench::Bench;
use axum::{body::Body, http::Request};
use proptest::prelude::*;

#[test]
fn no_body_brings_the_service_down() {
    let bench = Bench::new("");
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep = format!(r#"{{"prompt":"x","metadata":{nested}}}"#);
    let bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "null",
        "[]",
        "{}",
        "1e999",
        "\"text\"",
        r#"{"prompt":"#,
        r#"{"prompt":null}"#,
        r#"{"prompt":1e999}"#,
        r#"{"prompt":"x","max_tokens":-1}"#,
        r#"{"prompt":"x","max_tokens":1e999}"#,
        r#"{"prompt":"x","max_tokens":18446744073709551616}"#,
        r#"{"prompt":"x","max_tokens":9223372036854775808}"#,
        r#"{"prompt":"x","input_tokens":9223372036854775808}"#,
        r#"{"prompt":"x","max_cost_usd":NaN}"#,
        r#"{"prompt":"x","prompt":"y"}"#,
        r#"{"messages":[{"role":"alien","content":"x"}]}"#,
        r#"{"messages":{"role":"user"}}"#,
        r#"{"prompt":"\ud83e"}"#,
        &nested,
        &deep,
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([b"{\"prompt\":\"\xff\xfe\"}".to_vec(), vec![0; 1000]])
    .collect();
    for path in ["/route", "/v1/route", "/route/batch", "/escalate", "/outcome", "/feedback"] {
        for body in &bodies {
            let answer = bench.post(path, body.clone());
            let (status, _) = answer.problem();
            let start = String::from_utf8_lossy(&body[..body.len().min(60)]);
            assert!((400..500).contains(&status), "{path} {start}: {}", answer.text);
        }
    }
}

#[test]
fn odd_calls_are_answered() {
    let bench = Bench::new("");
    for body in [
        r#"{"prompt":""}"#.to_owned(),
        r#"{"prompt":"x","max_tokens":null,"provider":null,"metadata":null,"objective":null}"#
            .to_owned(),
        r#"{"prompt":"\ud83e\udd80"}"#.to_owned(),
        r#"{"prompt":"x","n":[[[]]],"stream":true,"unknown":{"a":1}}"#.to_owned(),
        format!(r#"{{"prompt":"{}","deny":["tiny"]}}"#, "long ".repeat(50_000)),
    ] {
        let reply = bench.route(&body);
        assert!(reply["model"].is_string());
    }
    for n_words in [50_000, 2_000_000] {
        let long = "long ".repeat(n_words);
        let reply = bench.route(&format!(r#"{{"prompt":"{long}","input_tokens":5}}"#));
        // A prefix is read, whatever the length.
        let n_read = long.len() as u64 - reply["n_bytes_cut"].as_u64().unwrap();
        assert!((1 << 10..1 << 17).contains(&n_read), "{n_read} of {}", long.len());
    }
    let too_long = format!(r#"{{"prompt":"{}"}}"#, "long ".repeat(2_200_000));
    assert_eq!(bench.post("/route", too_long).problem(), (413, "body_too_large".to_owned()));
}

#[test]
fn a_long_body_is_refused_before_it_is_read() {
    let bench = Bench::new("[limits]\nbody_bytes = 1000");
    let declared = Request::post("/route").header("content-length", "1001").body(Body::empty());
    let answer = bench.send(declared.unwrap());
    assert_eq!(answer.problem(), (413, "body_too_large".to_owned()));
    assert_eq!(answer.headers["connection"], "close");
    let undeclared = format!(r#"{{"prompt":"{}"}}"#, "x".repeat(1000));
    assert_eq!(bench.post("/route", undeclared).problem().0, 413);
    assert_eq!(bench.post("/route", r#"{"prompt":"x"}"#).status, 200);
}

#[test]
fn paths_and_methods_are_known_or_refused() {
    let bench = Bench::new("");
    assert_eq!(bench.get("/nowhere").problem(), (404, "unknown_path".to_owned()));
    assert_eq!(bench.get("/route").problem(), (405, "wrong_method".to_owned()));
    assert_eq!(bench.get("/metrics").problem().0, 404, "only operators have it");
    assert_eq!(bench.post("/admin/reload", "").problem().0, 404);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever arrives, the service refuses it or answers it.
    #[test]
    fn any_bytes_are_answered_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        path in prop::sample::select(vec!["/route", "/route/batch", "/escalate", "/outcome"]),
    ) {
        let answer = Bench::new("").post(path, bytes);
        prop_assert!(answer.status < 500, "{}", answer.text);
    }
}
