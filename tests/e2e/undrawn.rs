//! Logs whose decisions were not drawn: what can be said is said, and no more.

use crate::{
    snapshots::check,
    tables::{CATALOG, N_REQUESTS, POLICY, outcomes},
    workbench::Workbench,
};
use serde_json::Value;

/// A log of which every `nth` decision was drawn.
fn bench(nth: u64) -> Workbench {
    let later = outcomes(N_REQUESTS..N_REQUESTS + 600);
    let bench = Workbench::with(&[
        ("later.ndjson", later.as_bytes()),
        ("catalog.toml", CATALOG.as_bytes()),
        ("policy.safetensors", &POLICY),
    ]);
    bench.done("simulate --table later.ndjson --seed 5 --out log.ndjson");
    let changed: Vec<String> = bench
        .text("log.ndjson")
        .lines()
        .map(|line| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            let is_kept = (record["ts_ms"].as_u64().unwrap() / 1000).is_multiple_of(nth);
            if record["kind"] == "decision" && !(nth < u64::MAX && is_kept) {
                record["propensity"] = serde_json::json!({"kind": "deterministic"});
            }
            record.to_string()
        })
        .collect();
    bench.write("log.ndjson", changed.join("\n").as_bytes());
    bench
}

const EVALUATE: &str =
    "evaluate --log log.ndjson --policy policy.safetensors --catalog catalog.toml";

#[test]
fn a_deterministic_log_identifies_little() {
    let bench = bench(u64::MAX);
    let said = bench.done(&format!("{EVALUATE} --json r.json --html r.html --md r.md"));
    check("evaluate-on-a-deterministic-log", &said);
    let report = bench.json("r.json");
    assert_eq!(report["verdict"]["kind"], "not_identifiable");
    let row = &report["values"][0];
    assert!(row["value"].is_null() && row["interval_kind"] == "finite_sample", "{row}");
    let of = |key: &str| row[key].as_f64().unwrap();
    assert!(0.0 <= of("lower") && of("lower") < of("upper") && of("upper") <= 1.0, "{row}");
    assert!(bench.text("r.html").contains("Not identifiable"));
    let wider = bench.done(&format!("{EVALUATE} --width 0.5"));
    assert!(wider.contains("would tell it to a width of 0.5"), "{wider}");
    let fitted = bench.done(&format!("{EVALUATE} --reward-model cross-fitted"));
    assert!(fitted.contains("no reward model was learned"), "{fitted}");
}

/// What was drawn is evaluated, what was not is counted.
#[test]
fn a_mixed_log_is_evaluated_by_what_was_drawn() {
    let bench = bench(2);
    let said = bench.done(&format!("{EVALUATE} --json r.json"));
    assert!(said.contains("(the propensity is deterministic)"), "{said}");
    assert_ne!(bench.json("r.json")["verdict"]["kind"], "not_identifiable");
}

/// The log, every propensity of which is of another kind and has no value.
fn without_propensities(kind: &str) -> Workbench {
    let bench = bench(1);
    let change = |line: &str| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        if record["kind"] == "decision" {
            record["propensity"] = serde_json::json!({"kind": kind});
        }
        record.to_string()
    };
    let changed: Vec<String> = bench.text("log.ndjson").lines().map(change).collect();
    bench.write("log.ndjson", changed.join("\n").as_bytes());
    bench
}

#[test]
fn unknown_propensities_are_estimated_where_that_is_asked_for() {
    let bench = without_propensities("unknown");
    let refused = bench.run(EVALUATE);
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(refused.stderr.contains("--estimate-propensities"), "{}", refused.stderr);
    let estimating = format!("{EVALUATE} --estimate-propensities");
    let said = bench.done(&format!("{estimating} --json r.json --html r.html"));
    let report = bench.json("r.json");
    let sentence = report["verdict"]["sentence"].as_str().unwrap();
    assert!(sentence.ends_with("Propensities are estimated."), "{sentence}");
    assert!(said.contains("are estimated by a model of the logger, not known"), "{said}");
    assert!(bench.text("r.html").contains("are estimated by a model of the logger"));
    assert!(report["values"][0]["value"].is_f64(), "{said}");
    let floored = bench.done(&format!("{estimating} --smallest-propensity 0.15"));
    assert!(floored.contains("were below 0.15 and were raised to it"), "{floored}");
    let bad = bench.run(&format!("{estimating} --smallest-propensity 2"));
    assert!(bad.stderr.contains("2 is not in (0, 1]"), "{}", bad.stderr);
    let again = bench.done(&format!("{estimating} --json again.json"));
    assert!(again.starts_with(sentence), "the same log gives the same estimates: {again}");
}

/// A logger without a choice has nothing to estimate.
#[test]
fn deterministic_logs_stay_not_identifiable() {
    let bench = without_propensities("deterministic");
    bench.done(&format!("{EVALUATE} --estimate-propensities --json r.json"));
    let report = bench.json("r.json");
    assert_eq!(report["verdict"]["kind"], "not_identifiable");
    assert!(!report["verdict"]["sentence"].as_str().unwrap().contains("estimated"), "{report}");
}
