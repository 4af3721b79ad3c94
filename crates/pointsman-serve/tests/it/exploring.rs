//! Draws come out as often as they are logged to, within what may be gambled.

use crate::workbench::Bench;
use serde_json::Value;
use std::collections::BTreeMap;

/// How far a count is from its expectation, in standard deviations, summed over decisions whose
/// probabilities differ: the draws' martingale. Beyond 4.5 is one chance in 150,000.
#[track_caller]
fn check_frequencies(how: &str, n: usize) {
    let bench = Bench::new(&format!(
        "[explore]\nhow = \"{how}\"\nshare = 1.0\n[journal]\nsegment_bytes = 100000000"
    ));
    let bodies = [
        r#"{"prompt":"Hello"}"#,
        r#"{"prompt":"Sort a list, please.","candidates":["small","middle","tiny"]}"#,
        r#"{"prompt":"What is 2 + 2?","provider":{"only":["harbour"]}}"#,
        r#"{"prompt":"Explain","objective":"economy"}"#,
    ];
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for index in 0..n {
        let reply = bench.route(bodies[index % bodies.len()]);
        let drawn = reply["model"].as_str().unwrap();
        let mut total = 0.0;
        for candidate in reply["candidates"].as_array().unwrap() {
            let (model, p) =
                (candidate["model"].as_str().unwrap(), candidate["probability"].as_f64().unwrap());
            total += p;
            let (excess, variance) = sums.entry(model.to_owned()).or_default();
            *excess += f64::from(u8::from(model == drawn)) - p;
            *variance += p * (1.0 - p);
            if model == drawn {
                assert!(0.0 < p && (p - reply["propensity"].as_f64().unwrap()).abs() < 1e-12);
            }
        }
        assert!((total - 1.0).abs() < 1e-6);
    }
    for (model, (excess, variance)) in sums {
        assert!(
            excess.abs() < 4.5 * variance.sqrt() + 1e-9,
            "{how}: {model} {excess} of {variance}"
        );
    }
}

#[test]
fn propensities_are_frequencies() {
    for how in ["epsilon:0.3", "softmax:0.2", "igw:20"] {
        check_frequencies(how, 4_000);
    }
}

#[test]
fn a_caller_may_refuse_to_be_explored() {
    let bench = Bench::new("[explore]\nhow = \"epsilon:1\"\nshare = 1.0");
    for _ in 0..50 {
        let reply = bench.route(r#"{"prompt":"Hello","explore":false}"#);
        assert_eq!(
            (reply["model"].as_str(), reply["propensity"].as_f64()),
            (Some("large"), Some(1.0))
        );
    }
    let is_deterministic = |line: &Value| line["propensity"]["kind"] == "deterministic";
    assert!(bench.lines().iter().all(is_deterministic));
}

#[test]
fn the_share_is_hard() {
    let bench = Bench::new("[explore]\nhow = \"epsilon:1\"\nshare = 0.05");
    let n_explored =
        (0..1000).filter(|_| bench.route(r#"{"prompt":"Hello"}"#)["explored"] == true).count();
    assert!((20..=51).contains(&n_explored), "{n_explored}");
    let kinds: Vec<Value> =
        bench.lines().iter().map(|line| line["propensity"]["kind"].clone()).collect();
    assert!(kinds.contains(&Value::from("exact")) && kinds.contains(&Value::from("deterministic")));
}

#[test]
fn the_money_is_hard() {
    let bench = Bench::new("[explore]\nhow = \"epsilon:1\"\nshare = 1.0\nusd_per_day = 0.01");
    let mut extra = 0.0;
    for _ in 0..300 {
        let reply = bench.route(r#"{"prompt":"Hello","objective":"economy"}"#);
        let cost = |model: &Value| {
            let candidates = reply["candidates"].as_array().unwrap();
            candidates.iter().find(|one| one["model"] == *model).unwrap()["cost_usd"]
                .as_f64()
                .unwrap()
        };
        extra += cost(&reply["model"]) - cost(&Value::from("tiny"));
    }
    assert!((0.005..=0.01).contains(&extra), "{extra}");
    bench.passes(24 * 60 * 60 * 1000);
    let explored = (0..50)
        .any(|_| bench.route(r#"{"prompt":"Hello","objective":"economy"}"#)["explored"] == true);
    assert!(explored, "the next day has money of its own");
}
