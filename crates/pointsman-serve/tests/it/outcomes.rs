//! What came of decisions: known or unknown, again, otherwise, late and impossible.

use crate::workbench::{Bench, NOW_MS};
use axum::{body::Body, http::Request};
use pointsman_log::{
    journal::read,
    record::{OutcomeRecord, Record},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, env};

fn decided(bench: &Bench) -> String {
    bench.route(r#"{"prompt":"Hello","session_id":"s"}"#)["decision_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn outcome(bench: &Bench, body: &Value) -> (u16, Value) {
    let answer = bench.post("/outcome", body.to_string());
    (answer.status, answer.json())
}

#[test]
fn an_outcome_is_taken_once() {
    let bench = Bench::new("");
    let id = decided(&bench);
    let good = json!({"decision_id": id, "quality": 0.9, "status": "ok", "usage": {"input": 3, "output": 9},
        "cost_usd": 0.001, "latency_ms": 900, "model": "large", "provider": "quarry"});
    let (status, reply) = outcome(&bench, &good);
    assert_eq!((status, &reply["result"]), (200, &json!("new")), "{reply}");
    let (status, reply) = outcome(&bench, &good);
    assert_eq!((status, &reply["result"]), (200, &json!("already")));
    let mut other = good.clone();
    other["quality"] = json!(0.1);
    let (status, reply) = outcome(&bench, &other);
    assert_eq!((status, &reply["error"]["code"]), (409, &json!("outcome_conflict")), "{reply}");
    let lines = bench.lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["metrics"][0]["value"], 0.9);
    assert_eq!(lines[1]["served_model"], "large");
    assert_eq!(lines[1]["cost_usd"], json!({"value": 0.001, "source": "caller"}));
}

/// As some gateways send them, one of the names at zero.
#[test]
fn of_tokens_under_two_names_the_larger_number_counts() {
    let bench = Bench::new("");
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 9, "input_tokens": 0, "output": 8});
    let (status, reply) = outcome(&bench, &json!({"decision_id": decided(&bench), "usage": usage}));
    assert_eq!((status, &reply["result"]), (200, &json!("new")), "{reply}");
    assert_eq!(bench.lines()[1]["usage"], json!({"input": 3, "output": 9}));
}

#[track_caller]
fn check_refused(change: &Value, expected: (u16, &str)) {
    let bench = Bench::new("");
    let mut body = json!({"decision_id": decided(&bench)});
    for (key, value) in change.as_object().unwrap() {
        body[key] = value.clone();
    }
    let (status, reply) = outcome(&bench, &body);
    assert_eq!((status, reply["error"]["code"].as_str().unwrap()), expected, "{change}: {reply}");
    assert_eq!(bench.lines().len(), 1);
}

#[test]
fn what_cannot_be_is_refused() {
    let unknown = (404, "unknown_decision");
    let invalid = (422, "invalid_outcome");
    check_refused(
        &json!({"decision_id": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "quality": 1}),
        unknown,
    );
    check_refused(&json!({"decision_id": "nonsense", "quality": 1}), unknown);
    check_refused(&json!({"decision_id": null, "session_id": "other", "quality": 1}), unknown);
    for change in [
        json!({}),
        json!({"decision_id": null, "quality": 1}),
        json!({"quality": 1.5}),
        json!({"quality": -0.1}),
        json!({"quality": "NaN"}),
        json!({"metrics": {"quality": 2}}),
        json!({"metrics": {"speed": "fast"}}),
        json!({"metrics": 7}),
        json!({"cost_usd": -1}),
        json!({"latency_ms": -1}),
        json!({"status": "maybe"}),
        json!({"usage": {"input": -1}}),
        json!({"usage": {"input": 9_223_372_036_854_775_808_u64}}),
        json!({"metric_name": "quality"}),
        json!({"metric_name": "comment", "value": 1}),
        json!({"qualty": 1, "cost_usd": 0.001}),
        json!({"latencyMs": 5, "quality": 1}),
    ] {
        check_refused(&change, invalid);
    }
}

#[test]
fn keys_that_nobody_reads_are_refused_where_they_are_near_and_else_counted() {
    let bench = Bench::new("");
    let id = decided(&bench);
    let (_, reply) = outcome(&bench, &json!({"decision_id": id, "qualty": 1, "cost_usd": 0.001}));
    assert_eq!(
        reply["error"]["message"], "`qualty` is not known; did you mean `quality`?",
        "{reply}"
    );
    let (status, _) = outcome(&bench, &json!({"decision_id": id, "quality": 1, "score": 3}));
    assert_eq!(status, 200);
    let metrics = bench.operate(Request::get("/metrics").body(Body::empty()).unwrap()).text;
    assert!(metrics.contains("\npointsman_unknown_fields_total 1\n"), "{metrics}");
    let told = || bench.service.upkeep().into_iter().find(|problem| problem.contains("nobody"));
    assert!(told().is_some_and(|told| told.contains("`score`")));
    // Of a refused outcome a key may be anything, a text too.
    let (status, _) = outcome(&bench, &json!({"decision_id": "x", "What is my name?": 1}));
    assert_ne!(status, 200);
    assert_eq!(told(), None);
}

#[test]
fn feedback_in_another_shape_is_taken() {
    let bench = Bench::new("");
    let id = decided(&bench);
    let body = json!({"inference_id": id, "metric_name": "solved", "value": true, "tags": {}});
    let dry = json!({"inference_id": id, "metric_name": "solved", "value": true, "dryrun": true});
    let answer = bench.post("/feedback", dry.to_string());
    assert_eq!(answer.json()["result"], "dryrun");
    let answer = bench.post("/feedback", body.to_string());
    assert_eq!((answer.status, answer.json()["feedback_id"].as_str()), (200, Some(&*id)));
    let episode = json!({"episode_id": "s", "metric_name": "rating", "value": 4});
    assert_eq!(bench.post("/feedback", episode.to_string()).status, 200);
    let lines = bench.lines();
    assert_eq!(lines[1]["metrics"][0], json!({"name": "solved", "value": 1.0, "scope": "request"}));
    assert_eq!(lines[2]["metrics"][0], json!({"name": "rating", "value": 4.0, "scope": "episode"}));
}

#[test]
fn times_are_believed_within_reason() {
    let bench = Bench::new("[journal]\nlate_after_s = 60");
    let id = decided(&bench);
    let future = json!({"decision_id": id, "quality": 1, "ts_ms": NOW_MS + 300_001});
    let (_, reply) = outcome(&bench, &future);
    assert_eq!(reply["ts_replaced"], true);
    assert_eq!(bench.lines()[1]["ts_ms"], NOW_MS);
    bench.passes(60_001);
    let (status, reply) = outcome(&bench, &json!({"decision_id": id, "latency_ms": 5}));
    assert_eq!((status, &reply["late"]), (200, &json!(true)));
}

#[test]
fn a_list_is_answered_entry_by_entry() {
    let bench = Bench::new("");
    let id = decided(&bench);
    let list = json!({"outcomes": [
        {"decision_id": id, "quality": 1},
        {"decision_id": "x", "quality": 1},
        {"decision_id": id, "quality": 7},
        7,
    ]});
    let (status, reply) = outcome(&bench, &list);
    assert_eq!(status, 200);
    let codes: Vec<&str> = reply["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["result"].as_str().or(one["error"]["code"].as_str()).unwrap())
        .collect();
    assert_eq!(codes, ["new", "unknown_decision", "invalid_outcome", "invalid_outcome"]);
    assert_eq!(
        outcome(&bench, &json!([{"decision_id": id, "quality": 1}])).1["results"][0]["result"],
        "already"
    );
}

/// What an outcome says: the quality and the latency, where it says them.
type Said = [Option<u32>; 2];

/// Whether nothing that both say differs.
fn agree(one: &Said, other: &Said) -> bool {
    one.iter().zip(other).all(|(one, other)| one.is_none() || other.is_none() || one == other)
}

/// What has to become of an outcome of a decision of which this was taken before.
fn expected(before: Option<&mut Vec<Said>>, said: Said) -> &'static str {
    match before {
        _ if said == [None; 2] || said[0] == Some(7) => "invalid_outcome",
        None => "unknown_decision",
        Some(taken) if taken.contains(&said) => "already",
        Some(taken) if !taken.iter().all(|one| agree(one, &said)) => "outcome_conflict",
        Some(taken) => {
            taken.push(said);
            "new"
        }
    }
}

/// All that was taken of each decision in one, as it is read from the journal.
fn joined(bench: &Bench) -> BTreeMap<String, OutcomeRecord> {
    let mut joined: BTreeMap<String, OutcomeRecord> = BTreeMap::new();
    for record in read(&bench.journal()).unwrap() {
        let Record::Outcome(outcome) = record.unwrap() else { continue };
        let id = outcome.decision_id.clone();
        let all = match joined.remove(&id) {
            Some(before) => before.completed_by(*outcome),
            None => *outcome,
        };
        joined.insert(id, all);
    }
    joined
}

/// Grades and latencies in any order, again, otherwise, late, of nobody and out of range.
/// `POINTSMAN_OUTCOMES` asks for more of them than usual, such as a hundred thousand.
#[test]
fn a_crowd_of_outcomes_is_taken_as_an_oracle_takes_it() {
    let n = env::var("POINTSMAN_OUTCOMES").map_or(3_000, |n| n.parse().unwrap());
    let bench = Bench::new("[journal]\noutcomes = \"os\"\nlate_after_s = 60");
    let ids: Vec<String> = (0..n / 10).map(|_| decided(&bench)).collect();
    let mut taken = vec![Vec::new(); ids.len()];
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut draw, mut passed_ms) = (7_u64, 0);
    for _ in 0..n {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pick = |shift: u32, of: usize| usize::try_from(draw >> shift).unwrap() % of;
        let said = [
            [None, Some(0), Some(1), Some(1), Some(7)][pick(20, 5)],
            [None, Some(100), Some(100), Some(200)][pick(30, 4)],
        ];
        // One in twenty is of a decision that was never made.
        let of = pick(33, ids.len() + ids.len() / 20);
        let id = ids.get(of).map_or("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", String::as_str);
        let expected = expected(taken.get_mut(of), said);
        let (quality, latency_ms) = (said[0], said[1]);
        let body = json!({"decision_id": id, "quality": quality, "latency_ms": latency_ms});
        let (_, reply) = outcome(&bench, &body);
        let found = reply["result"].as_str().or(reply["error"]["code"].as_str());
        assert_eq!(found, Some(expected), "{body}: {reply}");
        if reply["result"].is_string() {
            assert_eq!(reply["late"], 60_000 < passed_ms, "{reply}");
        }
        *counts.entry(expected).or_default() += 1;
        let ms = 10 * pick(40, 10) as u64;
        passed_ms += ms;
        bench.passes(ms);
    }
    assert_eq!(counts.len(), 5, "{counts:?}");
    let metrics = bench.operate(Request::get("/metrics").body(Body::empty()).unwrap()).text;
    for (name, result) in [("outcomes_total", "new"), ("outcomes_again_total", "already")] {
        let line = format!("pointsman_{name} {}", counts[result]);
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    let joined = joined(&bench);
    for (id, taken) in ids.iter().zip(taken) {
        let of = |at: usize| taken.iter().find_map(|said| said[at]).map(f64::from);
        let kept = joined.get(id);
        let quality = kept.and_then(|all| all.metrics.first()).map(|metric| metric.value);
        assert_eq!((quality, kept.and_then(|all| all.latency_ms)), (of(0), of(1)), "{id}");
    }
}

#[test]
fn an_endpoint_that_fails_is_passed_by_for_a_while() {
    let bench = Bench::new("");
    let failed = |provider: &str| {
        for _ in 0..5 {
            let id = decided(&bench);
            let body = json!({"decision_id": id, "status": "failed", "model": "large", "provider": provider});
            assert_eq!(outcome(&bench, &body).0, 200);
        }
    };
    failed("quarry");
    let reply = bench.route(r#"{"prompt":"Hello"}"#);
    assert_eq!((&reply["model"], &reply["provider"]), (&json!("large"), &json!("harbour")));
    failed("harbour");
    let reply = bench.route(r#"{"prompt":"Hello"}"#);
    assert_eq!(reply["model"], "middle");
    assert_eq!(reply["candidates"][0]["excluded_by"], "every accepted provider is failing");
    bench.passes(30_001);
    bench.service.upkeep();
    assert_eq!(bench.route(r#"{"prompt":"Hello"}"#)["model"], "large");
}

/// Ids go on ascending, nothing took less than no time, and what ends after a while ends.
#[test]
fn a_clock_that_steps_back_holds_nothing_up() {
    let bench = Bench::new("");
    let first = decided(&bench);
    for _ in 0..5 {
        let body = json!({"decision_id": decided(&bench), "status": "failed", "model": "large",
            "provider": "quarry"});
        assert_eq!(outcome(&bench, &body).0, 200);
    }
    let provider = || bench.route(r#"{"prompt":"Hello"}"#)["provider"].clone();
    assert_eq!(provider(), "harbour");
    bench.steps_back(3_600_000);
    let (status, reply) = outcome(&bench, &json!({"decision_id": first, "quality": 1}));
    assert_eq!((status, &reply["late"], &reply["ts_replaced"]), (200, &json!(false), &Value::Null));
    let second = bench.route(r#"{"prompt":"Hello"}"#);
    assert!(*first < *second["decision_id"].as_str().unwrap());
    assert_eq!(second["decision_us"], 0);
    assert_eq!(provider(), "harbour");
    bench.passes(30_001);
    bench.service.upkeep();
    assert_eq!(provider(), "quarry");
}

#[test]
fn operators_see_how_endpoints_do() {
    let bench = Bench::new("");
    let empty = bench.operate(Request::get("/endpoints").body(Body::empty()).unwrap());
    assert_eq!(empty.text, r#"{"endpoints":[]}"#);
    for n in 1..=10 {
        let id = bench.route(r#"{"prompt":"Hello"}"#)["decision_id"].clone();
        let outcome = json!({"decision_id": id, "provider": "quarry", "ttft_ms": 100 * n,
            "latency_ms": 100 * n + 1000, "usage": {"output": 50}});
        assert_eq!(bench.post("/outcome", outcome.to_string()).status, 200);
    }
    let seen = bench.operate(Request::get("/endpoints").body(Body::empty()).unwrap()).json();
    let one = &seen["endpoints"][0];
    assert_eq!((&one["model"], &one["provider"]), (&json!("large"), &json!("quarry")));
    assert_eq!(one["health"], "up");
    let figures = |key: &str| ["p50", "p90", "n"].map(|of| one[key][of].as_f64().unwrap());
    assert_eq!(figures("ttft_ms"), [500.0, 900.0, 10.0]);
    assert_eq!(figures("latency_ms"), [1500.0, 1900.0, 10.0]);
    assert_eq!(figures("tokens_per_second"), [50.0, 50.0, 10.0]);
    assert!(one["ttft_ms"]["mean"].as_f64().unwrap() < 900.0, "{one}");
}
