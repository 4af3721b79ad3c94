//! Draws come out as often as they are logged to, within what may be gambled.

use crate::workbench::Bench;
use pointsman_core::units::len_as_float;
use pointsman_log::{journal::read, record::Record};
use serde_json::Value;
use std::{collections::BTreeMap, env};

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

/// By model: the probability of being drawn, and how often it was.
type Cells = BTreeMap<String, (f64, f64)>;

/// Calls that differ in prompts, candidates, constraints and objectives.
fn calls() -> Vec<String> {
    let limits = [
        "",
        r#","candidates":["small","middle","tiny"]"#,
        r#","provider":{"only":["harbour"]}"#,
        r#","provider":{"ignore":["harbour"]}"#,
        r#","objective":"economy""#,
        r#","objective":{"lambda":2000},"deny":["tiny"]"#,
        r#","provider":{"max_price":{"completion":3}}"#,
    ];
    let mut calls = Vec::new();
    for prompt in ["Hello", "Sort a list, please.", "What is 2 + 2?"] {
        for limit in limits {
            calls.push(format!(r#"{{"prompt":"{prompt}"{limit}}}"#));
        }
    }
    calls
}

/// Pearson's sum for one call and its degrees of freedom. Models that are expected less than five
/// times count with the most probable one.
fn pearson(cells: &Cells) -> (f64, f64) {
    assert!(cells.values().all(|&(p, n_drawn)| 0.0 < p || n_drawn == 0.0), "{cells:?}");
    let n: f64 = cells.values().map(|(_, n_drawn)| n_drawn).sum();
    let possible = cells.values().copied().filter(|(p, _)| 0.0 < *p);
    let (rare, mut common): (Vec<_>, Vec<_>) = possible.partition(|(p, _)| n * p < 5.0);
    common.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (p, n_drawn) in rare {
        common[0].0 += p;
        common[0].1 += n_drawn;
    }
    let sum = common.iter().map(|(p, n_drawn)| (n_drawn - n * p).powi(2) / (n * p)).sum();
    (sum, len_as_float(common.len() - 1))
}

/// Counts against probabilities over every call together. The sum of all squares is held against
/// the 99.9th percentile of its distribution, by the cube root of Wilson and Hilferty (1931).
#[track_caller]
fn check_counts(how: &str, n: usize) {
    let bench = Bench::new(&format!("[explore]\nhow = \"{how}\"\nshare = 1.0"));
    let calls = calls();
    let mut cells = vec![Cells::new(); calls.len()];
    let mut told = Vec::new();
    for index in 0..n {
        let at = index % calls.len();
        let reply = bench.route(&calls[at]);
        for candidate in reply["candidates"].as_array().unwrap() {
            let p = candidate["probability"].as_f64().unwrap();
            let model = candidate["model"].as_str().unwrap().to_owned();
            let (known, n_drawn) = cells[at].entry(model).or_insert((p, 0.0));
            assert_eq!(*known, p, "the same call has the same chances");
            *n_drawn += f64::from(u8::from(candidate["model"] == reply["model"]));
        }
        told.push(reply["propensity"].as_f64());
    }
    let logged: Vec<Option<f64>> = read(&bench.journal())
        .unwrap()
        .map(|record| match record.unwrap() {
            Record::Decision(decision) => decision.propensity.value,
            Record::Outcome(outcome) => panic!("an outcome of {}", outcome.decision_id),
        })
        .collect();
    assert!(logged == told, "{how}: what is logged is what was told");
    let (sum, freedom) = cells
        .iter()
        .map(pearson)
        .fold((0.0, 0.0), |(sum, freedom), (more, free)| (sum + more, freedom + free));
    assert!(20.0 < freedom, "{how}: {freedom}");
    let spread = 2.0 / (9.0 * freedom);
    let z = ((sum / freedom).cbrt() - (1.0 - spread)) / spread.sqrt();
    assert!(z < 3.09, "{how}: chi squared {sum} at {freedom} degrees of freedom");
}

/// `POINTSMAN_DRAWS` asks for more decisions of each explorer than usual, such as a million.
#[test]
fn counts_are_what_the_logged_propensities_say() {
    let n = env::var("POINTSMAN_DRAWS").map_or(6_300, |n| n.parse().unwrap());
    for how in ["epsilon:0.3", "softmax:0.2", "igw:20"] {
        check_counts(how, n);
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
