//! The gate from outside: its exit codes are its verdicts, on logs that were simulated.

use crate::{
    snapshots::check,
    tables::{CATALOG, LOG, N_REQUESTS, POLICY, outcomes},
    workbench::{Finished, Workbench},
};
use serde_json::Value;

/// Later decisions than the policy was trained on, from a logger that draws all models alike.
fn bench() -> Workbench {
    let later = outcomes(N_REQUESTS..N_REQUESTS + 1500);
    let bench = Workbench::with(&[
        ("later.ndjson", later.as_bytes()),
        ("log.ndjson", LOG.as_bytes()),
        ("catalog.toml", CATALOG.as_bytes()),
        ("policy.safetensors", &POLICY),
    ]);
    bench.done("simulate --table later.ndjson --logger uniform --seed 5 --out later-log.ndjson");
    bench
}

const GATE: &str = "gate --log later-log.ndjson --policy policy.safetensors";

/// Runs the gate; its code, text, JSON and Markdown have to say the same.
#[track_caller]
fn verdict(bench: &Workbench, arguments: &str, code: i32, verdict: &str) -> (String, Value) {
    let Finished { code: found, stdout, stderr } =
        bench.run(&format!("{arguments} --json gate.json --md gate.md"));
    assert_eq!(found, Some(code), "{arguments}\n{stdout}{stderr}");
    let json = bench.json("gate.json");
    assert_eq!(json["verdict"], verdict, "{json}");
    assert_eq!(json["exit_code"], code, "{json}");
    let sentence = json["sentence"].as_str().unwrap();
    assert!(stdout.starts_with(sentence), "{stdout}");
    assert!(bench.text("gate.md").contains(&format!("**{sentence}**")));
    (stdout, json)
}

#[test]
fn exit_codes_are_verdicts() {
    let bench = bench();
    let stated = "--smallest-propensity 0.16";
    let (said, json) = verdict(
        &bench,
        &format!(
            "{GATE} --against logged --min-quality-delta -0.01 --max-cost-delta 0.01 \
             --largest-cost-usd 0.2 {stated}"
        ),
        0,
        "ship",
    );
    check("gate", &said);
    check("gate-md", &bench.text("gate.md").replace(&command(&json), "(the command)"));
    check("gate-json", &without_command(json));
    let held = format!("{GATE} --against logged --min-quality-delta 0.5 {stated}");
    let (said, _) = verdict(&bench, &held, 1, "hold");
    check("gate-holds", &said);
    let open = format!("{GATE} --against logged --min-quality-delta 0.11 --max-cost-delta 0");
    let (said, _) = verdict(&bench, &open, 1, "cannot_tell");
    assert!(said.contains("give --largest-cost-usd"), "{said}");
}

fn command(json: &Value) -> String {
    json["generated_by"]["command"].as_str().unwrap().to_owned()
}

fn without_command(mut json: Value) -> String {
    json["generated_by"] = Value::Null;
    serde_json::to_string_pretty(&json).unwrap()
}

#[test]
fn another_policy_is_valued_on_the_same_rows() {
    let bench = bench();
    bench.done(
        "train --log log.ndjson --catalog catalog.toml --name other --out other.safetensors \
         --buckets 12",
    );
    let arguments = format!(
        "{GATE} --against other.safetensors --min-quality-delta -0.9 --smallest-propensity 0.16"
    );
    let (_, json) = verdict(&bench, &arguments, 0, "ship");
    assert_eq!(json["against"]["name"], "other");
    let arguments = format!(
        "{GATE} --against other.safetensors --min-quality-delta 0.9 --smallest-propensity 0.16"
    );
    verdict(&bench, &arguments, 1, "hold");
}

/// The log with every decision changed.
fn changed(change: impl Fn(&mut Value)) -> Workbench {
    let bench = bench();
    let changed: Vec<String> = bench
        .text("later-log.ndjson")
        .lines()
        .map(|line| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            if record["kind"] == "decision" {
                change(&mut record);
            }
            record.to_string()
        })
        .collect();
    bench.write("later-log.ndjson", changed.join("\n").as_bytes());
    bench
}

/// A log is changed, and what would have shipped does not.
#[track_caller]
fn never_ships(change: impl Fn(&mut Value), expected: &str) {
    let bench = changed(change);
    let arguments = format!("{GATE} --against logged --min-quality-delta -0.99");
    let (said, _) = verdict(&bench, &arguments, 1, "cannot_tell");
    assert!(said.contains(expected), "{said}");
}

#[test]
fn estimated_propensities_never_ship() {
    never_ships(
        |record| record["propensity"]["kind"] = "estimated".into(),
        "have a propensity that was not sampled from",
    );
}

/// Whoever accepts them answers for them, and every sentence says so.
#[test]
fn estimated_propensities_ship_where_they_are_accepted() {
    let bench = changed(|record| record["propensity"]["kind"] = "estimated".into());
    let arguments = format!("{GATE} --against logged --min-quality-delta -0.99 --accept-estimated");
    let (said, json) = verdict(&bench, &arguments, 0, "ship");
    assert!(json["sentence"].as_str().unwrap().ends_with("Propensities are estimated."), "{json}");
    assert!(said.contains("--accept-estimated: bounds hold only if"), "{said}");
    assert_eq!(json["rows"]["n_estimated"], json["rows"]["n_used"]);
}

#[test]
fn decisions_that_were_kept_by_lot_are_said() {
    let bench = changed(|record| record["keep_prob"] = 0.5.into());
    let arguments = format!("{GATE} --against logged --min-quality-delta -0.99");
    let (said, _) = verdict(&bench, &arguments, 0, "ship");
    let expected = "1,500 decisions were kept with a probability below 1";
    assert!(said.contains(expected), "{said}");
    let evaluate = "evaluate --log later-log.ndjson --policy policy.safetensors";
    assert!(bench.done(evaluate).contains(expected));
    let train = "train --log later-log.ndjson --out again.safetensors --buckets 12";
    assert!(bench.done(train).contains(expected));
}

/// Those that cannot be used are a reason too.
#[test]
fn unknown_propensities_never_ship() {
    never_ships(
        |record| {
            if (record["ts_ms"].as_u64().unwrap() / 1000).is_multiple_of(2) {
                record["propensity"] = serde_json::json!({"kind": "unknown"});
            }
        },
        "have a propensity that was not sampled from",
    );
}

#[test]
fn deterministic_logs_never_ship() {
    never_ships(
        |record| record["propensity"]["kind"] = "deterministic".into(),
        "models that the log could not have drawn",
    );
}

#[test]
fn decisions_without_a_draw_are_left_out_where_that_is_asked_for() {
    let bench = changed(|record| {
        if record["id"].as_str().is_some_and(|id| id.ends_with('7')) {
            record["propensity"] = serde_json::json!({"value": 1.0, "kind": "deterministic"});
        }
    });
    let arguments = format!("{GATE} --against logged --min-quality-delta -0.99");
    let (said, all) = verdict(&bench, &arguments, 1, "cannot_tell");
    assert!(said.contains("made without a draw; --drawn-only judges by the others"), "{said}");
    let (said, json) = verdict(&bench, &format!("{arguments} --drawn-only"), 0, "ship");
    let n_left_out = json["rows"]["dropped"]["the propensity is deterministic"].as_u64().unwrap();
    assert!(0 < n_left_out);
    let words = format!("--drawn-only: {n_left_out} decisions without a draw are left out");
    assert!(said.contains(&words), "{said}");
    assert!(said.contains("within the margins. Decisions without a draw are left out."), "{said}");
    assert_eq!((&all["is_drawn_only"], &json["is_drawn_only"]), (&false.into(), &true.into()));
    assert!(all["requests_per_month"].is_number());
    assert_eq!(all["requests_per_month"], json["requests_per_month"], "those of all decisions");
    let of_rows = |name: &str| json["rows"][name].as_u64().unwrap();
    let n_told = of_rows("n_used") + of_rows("n_trained_on") + of_rows("n_unanswerable");
    assert_eq!(n_told + n_left_out, of_rows("n_read"), "{json}");
    assert!(said.contains("dollars a month are unknown: --drawn-only"), "{said}");
    // Where nothing was drawn there is nothing else to judge by.
    let bench = changed(|record| record["propensity"]["kind"] = "deterministic".into());
    let (said, json) = verdict(&bench, &format!("{arguments} --drawn-only"), 1, "cannot_tell");
    assert!(said.contains("stay, since too few others are left to judge by"), "{said}");
    assert_eq!(json["is_drawn_only"], false);
}

#[test]
fn a_few_minutes_say_nothing_of_a_month() {
    let bench = changed(|record| {
        let ts_ms = record["ts_ms"].as_u64().unwrap();
        record["ts_ms"] = (ts_ms / 10).into(); // 1,500 seconds become 150
    });
    let arguments = format!("{GATE} --against logged --min-quality-delta -0.99");
    let (said, json) = verdict(&bench, &arguments, 0, "ship");
    assert!(json["requests_per_month"].is_null(), "{json}");
    assert!(said.contains("or they were made within ten minutes"), "{said}");
}

/// What a caller ruled out, the policy that is valued may not choose either.
#[test]
fn policies_obey_the_exclusions_of_the_log() {
    let with_one_left = |record: &mut Value, is_said: bool| {
        if record["id"].as_str().is_some_and(|id| id.ends_with('7')) {
            let drawn = record["drawn"].clone();
            for candidate in record["candidates"].as_array_mut().unwrap() {
                let is_drawn = candidate["model"] == drawn;
                candidate["probability"] = f64::from(u8::from(is_drawn)).into();
                if is_said && !is_drawn {
                    candidate["excluded_by"] = "allow_list".into();
                }
            }
            record["propensity"] = serde_json::json!({"value": 1.0, "kind": "exact"});
        }
    };
    let arguments = format!("{GATE} --against logged --min-quality-delta -0.99");
    let bench = changed(|record| with_one_left(record, false));
    let (said, _) = verdict(&bench, &arguments, 1, "cannot_tell");
    assert!(said.contains("models that the log could not have drawn"), "{said}");
    let bench = changed(|record| with_one_left(record, true));
    let (_, json) = verdict(&bench, &arguments, 0, "ship");
    assert_eq!(json["diagnostics"]["unsupported_share"], 0.0, "{json}");
    assert_eq!(json["rows"]["n_unanswerable"], 0, "{json}");
}

/// Half of the decisions could only have been what they were.
#[test]
fn missing_support_never_ships() {
    never_ships(
        |record| {
            if (record["ts_ms"].as_u64().unwrap() / 1000).is_multiple_of(2) {
                let drawn = record["drawn"].clone();
                for candidate in record["candidates"].as_array_mut().unwrap() {
                    let is_drawn = candidate["model"] == drawn;
                    candidate["probability"] = if is_drawn { 1.0 } else { 0.0 }.into();
                }
                record["propensity"]["value"] = 1.0.into();
            }
        },
        "models that the log could not have drawn",
    );
}

#[test]
fn what_cannot_run_says_why() {
    let bench = bench();
    for (arguments, expected) in [
        (
            "gate --log log.ndjson --policy policy.safetensors --against logged \
             --min-quality-delta 0"
                .to_owned(),
            "use later decisions",
        ),
        (format!("{GATE} --against logged --min-quality-delta -1"), "not between -1 and 1"),
        (
            format!("{GATE} --against logged --min-quality-delta 0 --max-cost-delta nan"),
            "--max-cost-delta: NaN is not a finite number",
        ),
        (
            format!(
                "{GATE} --against logged --min-quality-delta 0 --max-cost-delta 0 \
                 --largest-cost-usd 0.000001"
            ),
            "above the stated largest",
        ),
        (
            format!("{GATE} --against logged --min-quality-delta 0 --largest-cost-usd 0.2"),
            "--largest-cost-usd is for --max-cost-delta, which is not given; add that, or leave",
        ),
        (
            format!("{GATE} --against logged --min-quality-delta 0 --largest-latency-ms 100"),
            "--largest-latency-ms is for --max-latency-delta-ms, which is not given",
        ),
        (
            format!("{GATE} --against logged --min-quality-delta 0 --smallest-propensity 0.5"),
            "below the stated --smallest-propensity 0.5",
        ),
        (
            format!("{GATE} --against loged --min-quality-delta 0"),
            "cannot read loged: there is no such file; --against takes `logged` or a policy file",
        ),
    ] {
        let Finished { code, stdout: _, stderr } = bench.run(&arguments);
        assert_eq!(code, Some(2), "{arguments}\n{stderr}");
        assert!(stderr.contains(expected), "{arguments}\n{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}
