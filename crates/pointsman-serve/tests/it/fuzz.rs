//! Bodies that were good once.

use crate::workbench::Bench;
use axum::{body::Body, http::Request};

const PATHS: [&str; 4] = ["/route", "/route/batch", "/outcome", "/feedback"];

/// Whatever a body holds, it is answered or refused with an error object, and nothing breaks.
#[test]
fn fuzzed_bodies_are_answered_or_refused() {
    let bench =
        Bench::new("[journal]\nsegment_bytes = 100000\nkeep_bytes = 1000000\noutcomes = \"os\"");
    let reply = bench.route(r#"{"prompt":"Hello","session_id":"s"}"#);
    let id = reply["decision_id"].as_str().unwrap();
    let corpus = [
        r#"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}],
            "max_tokens":100,"explain":true,"candidates":["small","large"]}"#
            .to_owned(),
        r#"{"prompt":"Hi","provider":{"only":["harbour"],"sort":"price","max_price":{"prompt":1}},
            "objective":{"max_cost_usd":0.01},"session_id":"s","metadata":{"task":"chat"}}"#
            .to_owned(),
        r#"{"requests":[{"prompt":"Hi"},{"input":"Ho","explore":false}]}"#.to_owned(),
        format!(
            r#"{{"decision_id":"{id}","status":"ok","quality":0.5,"usage":{{"input":1,"output":2}},
                "cost_usd":0.1,"latency_ms":5,"metrics":{{"liked":true}}}}"#
        ),
        r#"{"outcomes":[{"session_id":"s","metric_name":"m","value":1}]}"#.to_owned(),
    ];
    let corpus = corpus.map(String::into_bytes);
    let mut n = 0_usize;
    let n_cases = pointsman_testkit::fuzz(&corpus, 500, |input| {
        let path = PATHS[n % PATHS.len()];
        n += 1;
        let answer = bench.send(Request::post(path).body(Body::from(input.to_vec())).unwrap());
        if answer.status != 200 {
            assert!((400..500).contains(&answer.problem().0), "{path}: {}", answer.text);
        }
        if n.is_multiple_of(1000) {
            // Keys that were changed a little are passed over, and said.
            let is_trouble = |said: &String| !said.starts_with("calls have keys");
            let troubles: Vec<String> =
                bench.service.upkeep().into_iter().filter(is_trouble).collect();
            assert_eq!(troubles, [""; 0]);
        }
    });
    assert!(0 < n_cases);
    let metrics = bench.operate(Request::get("/metrics").body(Body::empty()).unwrap()).text;
    assert!(metrics.contains("pointsman_panics_total 0"), "{metrics}");
    bench.route(r#"{"prompt":"Hello"}"#);
}
