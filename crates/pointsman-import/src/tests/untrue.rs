//! Values that cannot be true: the call stays, goes without them, and they are counted with examples.

use super::*;

/// What is counted of `rows`, each reason with its number and its first example.
fn counted(rows: &str) -> Vec<(String, u64, String)> {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), "log", rows.as_bytes());
    let options = options(&[path], &dir.path().join("out"));
    let survey = run(&options).unwrap_or_else(|error| panic!("{error}\n{rows}")).survey;
    assert!(0 < survey.known.n_decisions, "the call stays: {rows}");
    let log = records(&options.out);
    assert!(pointsman_log::ndjson::read(log.as_bytes()).all(|record| record.is_ok()), "{log}");
    let told = survey.untrue.into_iter().map(|(reason, rows)| {
        let example = rows.examples[0].rsplit_once("log, ").unwrap().1.to_owned();
        (reason, rows.n, example)
    });
    told.collect()
}

#[track_caller]
fn check(rows: &str, expected: &[(&str, u64, &str)]) {
    let found = counted(rows);
    let found: Vec<(&str, u64, &str)> =
        found.iter().map(|(reason, n, example)| (reason.as_str(), *n, example.as_str())).collect();
    assert_eq!(found, expected, "{rows}");
}

const COST: &str = "a cost below zero";
const TIME: &str = "a time taken below zero";
const END: &str = "an end before the beginning";
const FIRST: &str = "a first token before the beginning";

#[test]
fn values_that_cannot_be_are_counted_in_every_format() {
    let litellm = |others: &str| {
        format!(
            "{{\"id\":\"a\",\"call_type\":\"acompletion\",\"startTime\":1767225600,\"model\":\"wren\",{others}}}\n"
        )
    };
    check(&litellm("\"response_cost\":0.5,\"endTime\":1767225601"), &[]);
    check(&litellm("\"response_cost\":-0.5"), &[(COST, 1, "row 1: id `a`, -0.5")]);
    check(&litellm("\"response_cost\":-0.5,\"spend\":0.5"), &[]);
    check(
        &litellm(
            "\"response_cost\":0.5,\"endTime\":1767225599,\"completionStartTime\":1767225598.5,\"response_time\":-1",
        ),
        &[
            (FIRST, 1, "row 1: id `a`, 1500 ms earlier"),
            (TIME, 1, "row 1: id `a`, -1"),
            (END, 1, "row 1: id `a`, 1000 ms earlier"),
        ],
    );
    let openrouter = "{\"id\":\"a\",\"created_at\":\"2026-01-01T00:00:00Z\",\"model\":\"n/wren\",\
                      \"provider_name\":\"N\",\"native_tokens_prompt\":9,\"total_cost\":-1,\"latency\":-2}\n";
    check(openrouter, &[(COST, 1, "row 1: id `a`, -1"), (TIME, 1, "row 1: id `a`, -2")]);
    let langfuse = "{\"id\":\"a\",\"traceId\":\"t\",\"type\":\"GENERATION\",\"model\":\"wren\",\
                    \"startTime\":\"2026-01-01T00:00:01Z\",\"endTime\":\"2026-01-01T00:00:00Z\",\
                    \"costDetails\":{\"input\":-0.25,\"output\":0.5}}\n";
    check(
        langfuse,
        &[(COST, 1, "row 1: id `a`, -0.25"), (END, 1, "row 1: id `a`, 1000 ms earlier")],
    );
    let helicone = "{\"request_id\":\"a\",\"request_created_at\":\"2026-01-01T00:00:00Z\",\
                    \"request_model\":\"wren\",\"response_status\":200,\"delay_ms\":-3,\"costUSD\":-1}\n";
    check(helicone, &[(COST, 1, "row 1: id `a`, -1"), (TIME, 1, "row 1: id `a`, -3")]);
}

/// The parts that can be true would understate the whole.
#[test]
fn a_cost_of_which_a_part_cannot_be_is_not_known() {
    for (details, expected) in [
        ("{\"input\":0.25,\"output\":0.5}", Some("\"value\":0.75")),
        ("{\"input\":-0.25,\"output\":0.5}", None),
        ("{\"input\":-0.25,\"output\":0.5,\"total\":0.5}", Some("\"value\":0.5")),
    ] {
        let row = format!(
            "{{\"id\":\"a\",\"traceId\":\"t\",\"type\":\"GENERATION\",\"model\":\"wren\",\
             \"startTime\":\"2026-01-01T00:00:01Z\",\"costDetails\":{details}}}\n"
        );
        let dir = tempfile::tempdir().unwrap();
        let options =
            options(&[written(dir.path(), "log", row.as_bytes())], &dir.path().join("out"));
        run(&options).unwrap();
        let log = records(&options.out);
        assert_eq!(log.contains("cost_usd"), expected.is_some(), "{log}");
        assert!(expected.is_none_or(|value| log.contains(value)), "{log}");
    }
}

/// What goes with a call stands in two tables there, and either may hold what cannot be.
#[test]
fn values_that_cannot_be_are_counted_in_both_tables_of_tensorzero() {
    let id = "019b7682-8c00-7000-8000-000000000001";
    let rows = |taken: i32, whole: i32| {
        format!(
            "{{\"inference_id\":\"{id}\",\"model_name\":\"wren\",\"model_provider_name\":\"n\",\
             \"response_time_ms\":{taken}}}\n\
             {{\"id\":\"{id}\",\"function_name\":\"f\",\"variant_name\":\"v\",\"episode_id\":\"e\",\
             \"processing_time_ms\":{whole}}}\n"
        )
    };
    let (first, second) = (format!("row 1: id `{id}`, -5"), format!("row 2: id `{id}`, -45"));
    check(&rows(5, 45), &[]);
    check(&rows(-5, -45), &[(TIME, 2, &first)]);
    check(&rows(5, -45), &[(TIME, 1, &second)]);
}

/// A row that is there twice is counted once, and no more examples are kept than of dropped rows.
#[test]
fn values_of_duplicates_are_not_counted_again() {
    let row = |id: usize| {
        format!(
            "{{\"id\":\"c-{id}\",\"call_type\":\"acompletion\",\"startTime\":1767225600,\"model\":\"wren\",\
             \"response_cost\":-1}}\n"
        )
    };
    let rows: String = [0, 1, 2, 3, 4, 0].into_iter().map(row).collect();
    check(&rows, &[(COST, 5, "row 1: id `c-0`, -1")]);
}
