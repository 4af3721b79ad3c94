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
}

/// What was drawn is evaluated, what was not is counted.
#[test]
fn a_mixed_log_is_evaluated_by_what_was_drawn() {
    let bench = bench(2);
    let said = bench.done(&format!("{EVALUATE} --json r.json"));
    assert!(said.contains("(the propensity is deterministic)"), "{said}");
    assert_ne!(bench.json("r.json")["verdict"]["kind"], "not_identifiable");
}
