//! Logs that contradict themselves, or teach nothing.

use super::check;
use crate::{
    tables::{LOG, POLICY, QUICK},
    workbench::Workbench,
};
use serde_json::{Value, json};

/// The simulated log with one decision (counted from zero) changed.
fn log_with(decision: usize, change: impl Fn(&mut Value)) -> String {
    let mut lines: Vec<String> = LOG.lines().map(str::to_owned).collect();
    let is_decision = |line: &String| line.contains("\"kind\":\"decision\"");
    let line = lines.iter_mut().filter(|line| is_decision(line)).nth(decision).unwrap();
    let mut record: Value = serde_json::from_str(line).unwrap();
    change(&mut record);
    *line = record.to_string();
    lines.join("\n") + "\n"
}

#[test]
fn logs_that_contradict_themselves() {
    let with = |pointer: &str, value: Value| {
        log_with(4, |record| *record.pointer_mut(pointer).unwrap() = value.clone())
    };
    for (log, expected) in [
        (
            with("/propensity/value", json!(0)),
            "decision `r0000004` has 0 as `propensity.value`, which is not in (0, 1]",
        ),
        (
            with("/propensity/value", json!(1.5)),
            "decision `r0000004` has 1.5 as `propensity.value`",
        ),
        (with("/propensity/value", json!(0.5)), "decision `r0000004`"),
        (with("/propensity/value", json!("NaN")), "line 9"),
        (with("/drawn", json!("nobody")), "decision `r0000004`"),
        (with("/candidates/0/probability", json!(0.9)), "decision `r0000004`"),
        (with("/candidates/0/probability", json!(-0.1)), "decision `r0000004`"),
        (with("/v", json!(2)), "line 9"),
        (with("/kind", json!("dream")), "line 9"),
    ] {
        let files: [(&str, &[u8]); 2] = [("l.ndjson", log.as_bytes()), ("a.safetensors", &POLICY)];
        check("train --log l.ndjson --out p.safetensors", &files, expected);
        check("evaluate --log l.ndjson --policy a.safetensors --json e.json", &files, expected);
    }
}

#[test]
fn a_decision_told_twice_counts_once() {
    let log = log_with(4, |record| record["id"] = json!("r0000003"));
    let bench = Workbench::with(&[("l.ndjson", log.as_bytes())]);
    let said = bench.done(&format!("train --log l.ndjson --out p.safetensors {QUICK}"));
    assert!(said.contains("399 usable") && said.contains("dropped rows: 1 ("), "{said}");
}

#[test]
fn logs_from_which_nothing_can_be_learned() {
    let decisions_only: String = LOG
        .lines()
        .filter(|line| line.contains("\"kind\":\"decision\""))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut one_model = String::new();
    for line in LOG.lines() {
        let mut record: Value = serde_json::from_str(line).unwrap();
        if record["kind"] == "decision" {
            record["candidates"] = json!([{"model": "tern-mini", "probability": 1.0}]);
            record["drawn"] = json!("tern-mini");
            record["propensity"]["value"] = json!(1.0);
        } else {
            record["served_model"] = json!("tern-mini");
        }
        one_model += &format!("{record}\n");
    }
    let cut: String = LOG.chars().take(LOG.len() - 40).collect();
    let files: [(&str, &[u8]); 3] = [
        ("bare.ndjson", decisions_only.as_bytes()),
        ("one.ndjson", one_model.as_bytes()),
        ("cut.ndjson", cut.as_bytes()),
    ];
    check(
        "train --log bare.ndjson --out p.safetensors",
        &files,
        "none of the 400 rows in `bare.ndjson` can be used",
    );
    check(
        "train --log one.ndjson --out p.safetensors",
        &files,
        "`tern-mini`; routing needs at least two",
    );
    check(
        "train --log cut.ndjson --out p.safetensors",
        &files,
        "`cut.ndjson` holds a record that cannot be read",
    );
    check("train --log one.ndjson --quality-metric stars --out p.safetensors", &files, "stars");
}
