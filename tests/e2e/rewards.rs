//! Who predicts quality for doubly robust values, and what stands beside quality, from outside: on
//! logs that were simulated from a table, so that the truth is the table's.

use crate::{
    tables::{N_REQUESTS, POLICY, TABLE, outcomes},
    workbench::{Finished, Workbench},
};
use serde_json::{Value, json};

const EVALUATE: &str = "evaluate --log later-log.ndjson --policy policy.safetensors --json r.json";
const FITTED: &str = "--reward-model cross-fitted";

/// The outcomes of later requests, with latencies that go by the length of an answer.
fn later() -> String {
    let table = outcomes(N_REQUESTS..N_REQUESTS + 1500);
    let with_latency = |line: &str| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        row["latency_ms"] = json!(100.0 + row["output_tokens"].as_f64().unwrap());
        format!("{row}\n")
    };
    table.lines().map(with_latency).collect()
}

fn bench() -> Workbench {
    let bench =
        Workbench::with(&[("later.ndjson", later().as_bytes()), ("policy.safetensors", &POLICY)]);
    draw(&bench, 5);
    bench
}

fn draw(bench: &Workbench, seed: u64) {
    bench.done(&format!(
        "simulate --table later.ndjson --logger uniform --seed {seed} --out later-log.ndjson"
    ));
}

/// The value of the policy by one estimator.
fn value(report: &Value, estimator: &str) -> Value {
    let values = report["values"].as_array().unwrap();
    let of = |row: &&Value| row["policy"] == "policy" && row["estimator"] == estimator;
    values.iter().find(of).unwrap().clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn every_form_of_the_report_says_who_predicted() {
    let bench = bench();
    let text = bench.done(&format!("{EVALUATE} {FITTED} --html r.html --md r.md"));
    let report = bench.json("r.json");
    assert_eq!(report["reward_model"], json!({"kind": "cross_fitted", "n_folds": 5, "seed": 0}));
    let said =
        "learned from this log, each of 5 parts of its groups predicted by the others (seed 0)";
    for text in [&text, &bench.text("r.md"), &bench.text("r.html")] {
        assert!(text.contains(said), "{text}");
    }
    let calibration = report["calibration"].as_array().unwrap();
    assert_eq!(calibration.last().unwrap()["name"], "reward model, cross-fitted");
    let fitted = value(&report, "DR");

    bench.done(&format!("{EVALUATE} {FITTED}"));
    assert_eq!(value(&bench.json("r.json"), "DR"), fitted);
    bench.done(&format!("{EVALUATE} {FITTED} --reward-folds 3 --reward-seed 9"));
    let other = bench.json("r.json");
    assert_eq!(other["reward_model"], json!({"kind": "cross_fitted", "n_folds": 3, "seed": 9}));
    assert_ne!(value(&other, "DR")["value"], fitted["value"]);
    // Weights alone know nothing of predictions.
    assert_eq!(value(&other, "SNIPS"), value(&report, "SNIPS"));

    let text = bench.done(EVALUATE);
    let plain = bench.json("r.json");
    assert_eq!(plain["reward_model"], json!({"kind": "policy", "n_folds": null, "seed": null}));
    assert!(text.contains("reward model: the policy's own"), "{text}");
}

/// A policy that has not heard of a model predicts nothing of it; the log does.
#[test]
fn a_log_predicts_models_that_the_policy_does_not_know() {
    let bench = bench();
    let known: Vec<&str> = TABLE.lines().filter(|line| !line.contains("tern-mini")).collect();
    bench.write("known.ndjson", known.join("\n").as_bytes());
    bench.done("train --table known.ndjson --buckets 12 --out policy.safetensors");
    bench.done(EVALUATE);
    assert_eq!(value(&bench.json("r.json"), "DR")["value"], Value::Null);
    bench.done(&format!("{EVALUATE} {FITTED}"));
    let report = bench.json("r.json");
    let (robust, plain) = (value(&report, "DR"), value(&report, "SNIPS"));
    assert!((number(&robust["value"]) - number(&plain["value"])).abs() < 0.1, "{robust} {plain}");
}

/// A column of the table, of one model or of all.
fn column(table: &str, name: &str, model: Option<&str>) -> Vec<f64> {
    let rows = table.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_model = |row: &Value| model.is_none_or(|model| row["model"] == model);
    rows.filter(of_model).map(|row| number(&row[name])).collect()
}

/// Of the policy's quality and cost, and of one model's latency, over a dozen logs of one table.
#[test]
fn intervals_hold_the_truth_of_the_table() {
    let bench = bench();
    bench.done("evaluate --table later.ndjson --policy policy.safetensors --json truth.json");
    let truth = bench.json("truth.json");
    let truth = &truth["values"][0];
    let (quality, cost) = (number(&truth["value"]), number(&truth["cost_usd"]));
    let table = bench.text("later.ndjson");
    let latencies = column(&table, "latency_ms", Some("heron-large"));
    let latency = latencies.iter().sum::<f64>() / 1500.0;
    let largest = |name| column(&table, name, None).into_iter().fold(0.0, f64::max);
    let stated = format!(
        "--largest-cost-usd {} --largest-latency-ms {}",
        largest("cost_usd"),
        largest("latency_ms")
    );
    let mut n_held = [0; 3];
    for seed in 0..12 {
        draw(&bench, seed);
        bench.done(&format!("{EVALUATE} {FITTED} {stated}"));
        let report = bench.json("r.json");
        let row = value(&report, "DR");
        let is_single = |row: &&Value| row["policy"] == "always heron-large";
        let single = report["values"].as_array().unwrap().iter().find(is_single).unwrap();
        let holds = |interval: &Value, truth: f64| {
            (number(&interval["lower"])..=number(&interval["upper"])).contains(&truth)
        };
        let all = [
            holds(&row, quality),
            holds(&row["cost_interval"], cost),
            holds(&single["latency_interval"], latency),
        ];
        for (n, held) in n_held.iter_mut().zip(all) {
            *n += usize::from(held);
        }
    }
    assert!(n_held.iter().all(|n| 10 <= *n), "{n_held:?} of 12");
}

#[test]
fn costs_and_latencies_stand_with_their_intervals() {
    let bench = bench();
    let text = bench.done(&format!("{EVALUATE} --html r.html --md r.md"));
    assert!(
        text.contains("latency in ms") && text.contains("`policy`: interval of cost"),
        "{text}"
    );
    let report = bench.json("r.json");
    for row in report["values"].as_array().unwrap() {
        for (value, interval) in [("cost_usd", "cost_interval"), ("latency_ms", "latency_interval")]
        {
            let (value, interval) = (number(&row[value]), &row[interval]);
            if interval["interval_kind"] == "absent" {
                assert!(interval["note"].as_str().unwrap().contains("an interval needs the most"));
                assert!(row["note"].as_str().unwrap().contains("no interval of"), "{row}");
            } else {
                let (lower, upper) = (number(&interval["lower"]), number(&interval["upper"]));
                assert!(0.0 <= lower && lower <= value && value <= upper, "{row}");
            }
        }
    }
    bench.done(&format!("{EVALUATE} --largest-cost-usd 1 --largest-latency-ms 60000"));
    for row in bench.json("r.json")["values"].as_array().unwrap() {
        assert_ne!(row["cost_interval"]["interval_kind"], "absent", "{row}");
        assert_ne!(row["latency_interval"]["interval_kind"], "absent", "{row}");
    }
}

/// A log of which some answers tell no cost has no mean cost, and says of how many.
#[test]
fn missing_costs_are_counted() {
    let bench = bench();
    let mut n_changed = 0;
    let changed: Vec<String> = bench
        .text("later-log.ndjson")
        .lines()
        .map(|line| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            if record["kind"] == "outcome" && n_changed < 600 {
                n_changed += 1;
                record.as_object_mut().unwrap().remove("cost_usd");
            }
            record.to_string()
        })
        .collect();
    bench.write("later-log.ndjson", changed.join("\n").as_bytes());
    let text = bench.done(EVALUATE);
    assert!(text.contains("without cost: "), "{text}");
    let report = bench.json("r.json");
    for row in report["values"].as_array().unwrap() {
        assert_eq!((&row["cost_usd"], &row["cost_interval"]), (&Value::Null, &Value::Null));
        assert!(row["latency_ms"].is_number(), "{row}");
    }
}

/// Two policies on the same rows are valued with the same predictions, and the gate says whose.
#[test]
fn the_gate_says_who_predicted() {
    let bench = bench();
    bench.write("table.ndjson", TABLE.as_bytes());
    bench.done("train --table table.ndjson --buckets 12 --seed 3 --out other.safetensors");
    for against in ["logged", "other.safetensors"] {
        let gate = format!(
            "gate --log later-log.ndjson --policy policy.safetensors --against {against} \
             --min-quality-delta -0.9 --max-cost-delta 0.2 --largest-cost-usd 1 \
             --smallest-propensity 0.16 --json g.json --md g.md"
        );
        let Finished { code, stdout, stderr } = bench.run(&format!("{gate} {FITTED}"));
        assert_eq!(code, Some(0), "{stdout}{stderr}");
        let said = "reward model: cross-fitted, learned from this log";
        assert!(stdout.contains(said) && bench.text("g.md").contains(said), "{stdout}");
        let json = bench.json("g.json");
        assert_eq!(json["reward_model"]["kind"], "cross_fitted");
        assert!(json["conditions"].as_array().unwrap().iter().all(|it| it["answer"] == "holds"));
        assert!(bench.done(&gate).contains("reward model: the policy's own predictions"));
        assert_eq!(bench.json("g.json")["reward_model"]["kind"], "policy");
    }
}
