//! Calls that come in one body: written together, acknowledged one by one.

use crate::{disk::bench, workbench::Bench};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

#[track_caller]
fn batch(bench: &Bench, calls: &[Value]) -> Vec<Value> {
    let answer = bench.post("/route/batch", json!({ "requests": calls }).to_string());
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["results"].as_array().unwrap().clone()
}

fn calls(n: usize) -> Vec<Value> {
    vec![json!({"prompt": "Hello"}); n]
}

#[test]
fn a_batch_is_one_write() {
    let (bench, room) = bench("");
    let results = batch(&bench, &calls(50));
    assert!(results.iter().all(|result| result["logged"] == true), "{results:?}");
    assert_eq!(room.n_writes.load(Ordering::Relaxed), 1);
    let ids = |of: &[Value], key: &str| of.iter().map(|one| one[key].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&bench.lines(), "id"), ids(&results, "decision_id"));
}

/// A batch of five on a disk that has room for two of their records and a half.
fn batch_on_a_narrow_disk(journal: &str) -> (Bench, Vec<Value>) {
    let (bench, room) = bench(journal);
    batch(&bench, &calls(4));
    let before = usize::MAX - room.n_bytes_left.load(Ordering::Relaxed);
    room.n_bytes_left.store(before / 4 * 5 / 2, Ordering::Relaxed);
    let results = batch(&bench, &calls(5));
    (bench, results)
}

#[test]
fn of_a_batch_exactly_those_are_called_logged_that_are() {
    let (bench, results) = batch_on_a_narrow_disk("");
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["logged"], index < 2, "{index}: {result}");
        if 2 <= index {
            let plain = (&result["model"], &result["explored"], &result["propensity"]);
            assert_eq!(plain, (&"large".into(), &false.into(), &1.0.into()));
        }
    }
    let lines = bench.lines();
    assert_eq!(lines.len(), 4 + 2);
    for (line, result) in lines[4..].iter().zip(&results) {
        assert_eq!(line["id"], result["decision_id"]);
    }
}

#[test]
fn of_a_batch_those_that_are_not_logged_are_refused_where_that_is_wanted() {
    let (bench, results) = batch_on_a_narrow_disk("when_full = \"refuse\"");
    for (index, result) in results.iter().enumerate() {
        let code = if index < 2 { Value::Null } else { "journal_unavailable".into() };
        assert_eq!(result["error"]["code"], code, "{index}: {result}");
    }
    assert_eq!(bench.lines().len(), 4 + 2);
}

/// As it does alone: the text of a call is not read twice, by two rules.
#[test]
fn a_call_of_a_batch_is_read_as_it_is_alone() {
    let (bench, _) = bench("");
    for call in [
        r#"{"prompt":"x","prompt":"y"}"#,
        r#"{"prompt":"x","max_tokens":1e999}"#,
        r#"{"prompt":"x","max_tokens":18446744073709551616}"#,
        r#"{"prompt":"\ud83e"}"#,
        "null",
    ] {
        let alone = bench.post("/route", call);
        let answer = bench.post("/route/batch", format!(r#"{{"requests":[{call},{call}]}}"#));
        assert_eq!(answer.status, 200, "{call}: {}", answer.text);
        assert!((400..500).contains(&alone.status), "{call}: {}", alone.text);
        let results = answer.json()["results"].clone();
        assert_eq!(results, json!([alone.json(), alone.json()]), "{call}");
    }
}

#[test]
fn a_turn_of_a_batch_knows_the_one_before() {
    let (bench, room) = bench("");
    let turn = json!({"prompt": "Hello", "session_id": "s", "candidates": ["small"]});
    let results = batch(&bench, &[calls(2), vec![turn.clone(), turn]].concat());
    assert_eq!(results[2]["session"], Value::Null);
    assert_eq!(results[3]["session"]["model_before"], "small");
    assert_eq!(room.n_writes.load(Ordering::Relaxed), 2);
    assert_eq!(bench.lines().len(), 4);
}

#[test]
fn what_is_no_batch_is_refused_in_words() {
    let bench = Bench::new("");
    let is_list = "the body is no batch of requests: it is a list; send {\"requests\": […]}";
    for (body, expected) in [
        ("[]", is_list),
        (r#" [{"prompt":"Hello"}]"#, is_list),
        ("[[]]", is_list),
        ("7", "the body is no batch of requests: invalid type: integer `7`, expected an object"),
    ] {
        let answer = bench.post("/route/batch", body);
        assert_eq!(answer.problem(), (400, "invalid_request".to_owned()), "{body}");
        let message = answer.json()["error"]["message"].clone();
        assert!(message.as_str().unwrap().starts_with(expected), "{body}: {message}");
    }
}
