//! `pointsman ope` on columns of other tools' making: types, values beside theirs, refusals.

use crate::{
    snapshots,
    workbench::{Finished, Workbench, root},
};
use pointsman_testkit::{Draws, Stream};
use polars::prelude::*;
use serde_json::{Value, json};
use std::{fs, io::Cursor, path::Path};

/// Every λ of the reference answers.
const LAMBDAS: &str = "inf,1000,100,10,5,2,1,0.5,0.1,0.01,0.001,0";

/// Columns of a log with three actions, one entry a row.
#[derive(Debug, Clone, Default)]
struct Rows {
    action: Vec<i64>,
    propensity: Vec<f64>,
    reward: Vec<f64>,
    policy: Vec<Vec<f64>>,
    predictions: Vec<Vec<f64>>,
    logging: Vec<Vec<f64>>,
}

impl Rows {
    /// A logger that takes the first action half of the time, and a policy that takes the last.
    fn simulated(n_rows: u64) -> Self {
        let mut rows = Self::default();
        for row in 0..n_rows {
            let mut draws = Draws::keyed(7, Stream::Logging, &[row]);
            let logging = vec![0.5, 0.3, 0.2];
            let action = draws.weighted_position(&logging);
            let success = [0.3, 0.5, 0.7];
            rows.action.push(i64::try_from(action).unwrap());
            rows.propensity.push(logging[action]);
            rows.reward.push(f64::from(u8::from(draws.uniform() < success[action])));
            rows.policy.push(vec![0.125, 0.25, 0.625]);
            rows.predictions.push(vec![0.25, 0.5, 0.75]);
            rows.logging.push(logging);
        }
        rows
    }

    /// The rows as a Parquet file, lists of numbers of this type.
    fn parquet(&self, lists: &DataType) -> Vec<u8> {
        let list = |name: &str, rows: &[Vec<f64>]| {
            let values: Vec<Series> =
                rows.iter().map(|row| Series::new(PlSmallStr::EMPTY, row)).collect();
            Series::new(name.into(), values).cast(lists).unwrap().into_column()
        };
        let scalars: Vec<f64> = self
            .policy
            .iter()
            .zip(&self.action)
            .map(|(row, &a)| row[usize::try_from(a).unwrap_or(0).min(row.len() - 1)])
            .collect();
        let columns = vec![
            Column::new("action".into(), &self.action),
            Column::new("pscore".into(), &self.propensity),
            Column::new("reward".into(), &self.reward),
            list("pi_e", &self.policy),
            Column::new("pi_e_taken".into(), scalars),
            list("q_hat", &self.predictions),
            list("pi_b", &self.logging),
        ];
        let mut frame = DataFrame::new(self.action.len(), columns).unwrap();
        let mut bytes = Cursor::new(Vec::new());
        ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
        bytes.into_inner()
    }
}

fn lists() -> DataType {
    DataType::List(Box::new(DataType::Float64))
}

#[track_caller]
fn estimates(bench: &Workbench, arguments: &str) -> Value {
    serde_json::from_str(&bench.done(&format!("ope {arguments} --json -"))).unwrap()
}

/// The entry of an estimator at a λ, which is a number, `"inf"` or `null`.
#[track_caller]
fn entry<'f>(found: &'f Value, estimator: &str, lambda: &Value) -> &'f Value {
    let is_it = |one: &&Value| one["estimator"] == estimator && one["lambda"] == *lambda;
    let mut all = found["estimates"].as_array().unwrap().iter();
    all.find(is_it).unwrap_or_else(|| panic!("no {estimator} at {lambda}"))
}

fn distance(found: &Value, expected: f64) -> f64 {
    let found = found["value"].as_f64().unwrap_or_else(|| panic!("no number: {found}"));
    (found - expected).abs() / expected.abs().max(f64::MIN_POSITIVE)
}

#[test]
fn what_ope_says() {
    let bench = Workbench::with(&[("r.parquet", &Rows::simulated(400).parquet(&lists()))]);
    snapshots::check(
        "ope",
        &bench.done("ope --rounds r.parquet --policy pi_e --qhat q_hat --logging pi_b"),
    );
    let arguments = "--rounds r.parquet --policy pi_e --qhat q_hat --estimator ipw,dm,rm --lambda 1,inf --json -";
    snapshots::check("ope-json", &bench.done(&format!("ope {arguments}")));
}

/// Lists of any width of float, of fixed length, and single probabilities.
#[test]
fn every_type_of_column_reads_alike() {
    let rows = Rows::simulated(60);
    let narrow = DataType::List(Box::new(DataType::Float32));
    let fixed = DataType::Array(Box::new(DataType::Float64), 3);
    let arguments = "--rounds r.parquet --policy pi_e --qhat q_hat --logging pi_b";
    let of = |lists: &DataType| {
        let bench = Workbench::with(&[("r.parquet", &rows.parquet(lists))]);
        estimates(&bench, arguments)
    };
    let plain = of(&lists());
    // The policy's and the predictions' numbers are exact in either width; the logger's are not.
    assert_eq!(of(&narrow)["estimates"], plain["estimates"]);
    assert_eq!(of(&fixed), plain);
    let bench = Workbench::with(&[("r.parquet", &rows.parquet(&lists()))]);
    let taken =
        estimates(&bench, "--rounds r.parquet --policy pi_e_taken --estimator ipw,snipw,mle");
    for name in ["ipw", "snipw", "mle"] {
        let lambda = if name == "ipw" { json!("inf") } else { Value::Null };
        assert_eq!(entry(&taken, name, &lambda), entry(&plain, name, &lambda));
    }
    let without_mean = estimates(&bench, "--rounds r.parquet --policy pi_e_taken --qhat q_hat");
    let why = entry(&without_mean, "dm", &Value::Null)["why"].as_str().unwrap();
    assert!(why.contains("needs predicted rewards"), "{why}");
}

/// One default interval to each estimate, finite-sample ones where the range of rewards is stated.
#[test]
fn every_estimate_has_one_default_interval() {
    let bench = Workbench::with(&[("r.parquet", &Rows::simulated(400).parquet(&lists()))]);
    let rounds = "--rounds r.parquet --policy pi_e --qhat q_hat --lambda 2,inf --intervals all";
    for (stated, has_exact) in [("", false), (" --reward-range 0..1", true)] {
        let found = estimates(&bench, &format!("{rounds}{stated}"));
        for one in found["estimates"].as_array().unwrap() {
            let intervals = one["intervals"].as_array().unwrap();
            let n_default = intervals.iter().filter(|it| it["default"] == json!(true)).count();
            assert_eq!(n_default, usize::from(!intervals.is_empty()), "{one}");
        }
        for (name, lambda) in [("ipw", json!(2.0)), ("ipw", json!("inf")), ("dr", json!("inf"))] {
            let intervals = entry(&found, name, &lambda)["intervals"].as_array().unwrap();
            let mixture = intervals.iter().find(|it| it["method"] == "betting mixture").unwrap();
            let kind = if has_exact { "finite-sample" } else { "asymptotic" };
            assert_eq!(mixture["kind"], kind, "{name} {lambda}");
            assert_eq!(mixture["reward_range"] == "seen", !has_exact, "{name} {lambda}");
            // The policy's value: 0.125 · 0.3 + 0.25 · 0.5 + 0.625 · 0.7.
            let (lower, upper) = (mixture["lower"].as_f64(), mixture["upper"].as_f64());
            assert!(lower.unwrap() < 0.6 && 0.6 < upper.unwrap(), "{name} {lambda} {mixture}");
        }
    }
    let all = estimates(&bench, &format!("{rounds} --reward-range 0..1 --smallest-propensity 0.2"));
    let methods: Vec<&str> = entry(&all, "snipw", &Value::Null)["intervals"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["method"].as_str())
        .collect();
    assert!(methods.contains(&"empirical Bernstein"), "{methods:?}");
    let normal = estimates(&bench, "--rounds r.parquet --policy pi_e --intervals normal");
    for one in normal["estimates"].as_array().unwrap() {
        assert!(one["intervals"].as_array().unwrap().len() <= 1, "{one}");
    }
}

/// An action that the logger never takes, and one that it cannot: no interval, and it is said.
#[test]
fn missing_support_withholds_every_interval() {
    let mut rows = Rows::simulated(400);
    for (row, action) in rows.action.iter_mut().enumerate() {
        *action %= 2;
        rows.propensity[row] = [0.625, 0.375][usize::try_from(*action).unwrap()];
        rows.logging[row] = vec![0.625, 0.375, 0.0];
    }
    let bench = Workbench::with(&[("r.parquet", &rows.parquet(&lists()))]);
    for logging in ["", " --logging pi_b"] {
        let found =
            estimates(&bench, &format!("--rounds r.parquet --policy pi_e --qhat q_hat{logging}"));
        assert_eq!(found["verdict"]["word"], "missing support");
        for one in found["estimates"].as_array().unwrap() {
            assert_eq!(one["intervals"], json!([]), "{one}");
        }
    }
}

#[test]
fn rounds_that_are_wrong() {
    let wrong = |change: fn(&mut Rows), expected: &str| {
        let mut rows = Rows::simulated(5);
        change(&mut rows);
        check_mistake(&rows, "--policy pi_e --qhat q_hat --logging pi_b", expected);
    };
    wrong(|it| it.propensity[2] = 0.0, "`r.parquet`: row 3: propensity 0 is not in (0, 1]");
    wrong(|it| it.propensity[0] = 1.5, "row 1: propensity 1.5 is not in (0, 1]");
    wrong(|it| it.propensity[4] = -0.5, "row 5: propensity -0.5 is not in (0, 1]");
    wrong(|it| it.propensity[1] = 5e-324, "row 2: the weight");
    wrong(|it| it.reward[3] = f64::NAN, "row 4: reward NaN is not a finite number");
    wrong(|it| it.action[2] = 3, "row 3: action 3 is not one of 3, counted from 0");
    wrong(|it| it.action[2] = -1, "column `action` of `r.parquet` holds -1 in row 3");
    wrong(|it| it.policy[1][0] = 0.25, "row 2: the policy's distribution adds up to 1.125");
    wrong(|it| it.logging[1][0] = 0.25, "row 2: the logger's distribution adds up to 0.75");
    wrong(|it| it.predictions[1][0] = f64::INFINITY, "row 2: predictions.");
    wrong(
        |it| it.predictions[3] = vec![0.5; 2],
        "column `q_hat` of `r.parquet` has 2 numbers in row 4",
    );
    let usual = Rows::simulated(5);
    for (arguments, expected) in [
        ("--policy nobody", "`r.parquet` has no column `nobody`; its columns are action,"),
        ("--policy pi_e --qhat pscore", "column `pscore` of `r.parquet` has type one value a row"),
        ("--policy pi_e --reward pi_b", "column `pi_b` of `r.parquet` has type list"),
        ("--policy pi_e --estimator ips", "`ips` is no estimator; there are ipw, snipw,"),
        ("--policy pi_e --estimator dm,dm", "`dm` is asked for twice"),
        ("--policy pi_e --confidence 95", "confidence level 95 is not strictly between 0 and 1"),
        ("--policy pi_e --json r.parquet", "r.parquet is named twice"),
        ("--policy pi_e --reward-range 2..3", "is outside the stated range from 2 to 3"),
        ("--policy pi_e --smallest-propensity 0", "--smallest-propensity: 0 is not in (0, 1]"),
        ("--policy pi_e --intervals normal --reward-range 0..1", "say nothing to normal intervals"),
    ] {
        check_mistake(&usual, arguments, expected);
    }
    check_mistake(&Rows::default(), "--policy pi_e", "`r.parquet` is empty");
    let heavy = "--policy pi_e --smallest-propensity 0.9";
    check_mistake(&Rows::simulated(60), heavy, "is above the stated largest weight");
}

#[track_caller]
fn check_mistake(rows: &Rows, arguments: &str, expected: &str) {
    let bench = Workbench::with(&[("r.parquet", &rows.parquet(&lists()))]);
    let before = bench.files();
    let Finished { code, stdout, stderr } =
        bench.run(&format!("ope --rounds r.parquet {arguments}"));
    assert_eq!(code, Some(2), "{arguments}\n{stdout}{stderr}");
    assert!(stderr.contains(expected), "{arguments}\nfound    {stderr}expected {expected}");
    assert!(stderr.lines().count() == 1 && stderr.starts_with("pointsman: "), "{stderr}");
    assert!(stdout.is_empty() && before == bench.files(), "{arguments}: {stdout}");
}

/// The reference answers for one file, where they are beside the checkout.
fn reference(stem: &str) -> Option<(String, Value)> {
    let folder = root().join("../shared/ope");
    let rounds = folder.join(format!("{stem}.parquet"));
    let Ok(answers) = fs::read(folder.join(format!("{stem}.oracle.json"))) else {
        eprintln!("skipped: {} holds no reference answers", folder.display());
        return None;
    };
    Some((rounds.to_str().unwrap().to_owned(), serde_json::from_slice(&answers).unwrap()))
}

fn reference_arguments(rounds: &str, policy: &str) -> String {
    let mut arguments =
        format!("--rounds {rounds} --policy pi_e_{policy} --qhat q_hat --logging pi_b");
    if policy != "logging" {
        arguments += &format!(" --qhat-mrdr q_hat_mrdr_{policy} --weights est_iw_{policy}");
    }
    arguments
}

fn check_reference(stem: &str) {
    let Some((rounds, answers)) = reference(stem) else { return };
    let bench = Workbench::new();
    for answer in answers["policies"].as_array().unwrap() {
        let policy = answer["policy"].as_str().unwrap();
        let arguments = reference_arguments(&rounds, policy);
        let found = estimates(&bench, &format!("{arguments} --lambda {LAMBDAS}"));
        assert!(found["verdict"]["word"] != "missing support", "{stem} {policy}");
        for expected in answer["estimators"].as_array().unwrap() {
            let name = expected["estimator"].as_str().unwrap();
            let found = entry(&found, name, &expected["lambda_"]);
            match expected["value"].as_f64() {
                Some(value) => {
                    let distance = distance(found, value);
                    assert!(distance <= 1e-10, "{stem} {policy} {found}: {distance} from {value}");
                }
                None => assert!(found["value"].is_f64(), "{stem} {policy} {found}"),
            }
        }
        for name in ["mle", "cressieread"] {
            let value = answer["vw_estimators"][name].as_f64().unwrap();
            let distance = distance(entry(&found, name, &Value::Null), value);
            assert!(distance <= 1e-8, "{stem} {policy} {name}: {distance} from {value}");
        }
        for (rule, method, is_bounded) in [
            ("slope", "slope", Value::Null),
            ("mse", "mse", json!(true)),
            ("mse-direct", "mse", json!(false)),
        ] {
            let found = estimates(&bench, &format!("{arguments} --lambda {rule}"));
            let is_it =
                |one: &&Value| one["method"] == method && one["use_bias_upper_bound"] == is_bounded;
            for expected in answer["tuned"].as_array().unwrap().iter().filter(is_it) {
                let Some(value) = expected["value"].as_f64() else { continue };
                let name = expected["estimator"].as_str().unwrap();
                let found = entry(&found, name, &expected["best_lambda"]);
                assert!(distance(found, value) <= 1e-10, "{stem} {policy} {rule} {found}");
            }
        }
    }
}

#[test]
fn values_are_those_of_other_tools() {
    ["tiny_binary", "main_binary", "main_continuous"].into_iter().for_each(check_reference);
}

/// Each hand-made case has values or one sentence, and the same numbers where other tools' are
/// numbers and the log is one.
#[test]
fn hand_made_cases_have_a_value_or_a_sentence() {
    let path = root().join("../shared/ope/edge_cases.oracle.json");
    let Ok(cases) = fs::read(&path) else {
        eprintln!("skipped: there is no {}", path.display());
        return;
    };
    let cases: Value = serde_json::from_slice(&cases).unwrap();
    for case in cases.as_array().unwrap() {
        check_case(case, &path);
    }
}

fn check_case(case: &Value, path: &Path) {
    let number = |cell: &Value| cell.as_f64().unwrap_or(f64::NAN);
    let column =
        |name: &str| -> Vec<f64> { case[name].as_array().unwrap().iter().map(number).collect() };
    let matrix = |name: &str| -> Vec<Vec<f64>> {
        let rows = case[name].as_array().unwrap().iter();
        rows.map(|row| row.as_array().unwrap().iter().map(number).collect()).collect()
    };
    let rows = Rows {
        action: case["action"].as_array().unwrap().iter().map(|a| a.as_i64().unwrap()).collect(),
        propensity: column("pscore"),
        reward: column("reward"),
        policy: matrix("action_dist"),
        predictions: matrix("q_hat"),
        logging: matrix("action_dist"),
    };
    let bench = Workbench::with(&[("r.parquet", &rows.parquet(&lists()))]);
    let name = &case["case"];
    let arguments = format!("ope --rounds r.parquet --policy pi_e --qhat q_hat --lambda {LAMBDAS}");
    let Finished { code, stdout, stderr } = bench.run(&format!("{arguments} --json -"));
    assert!(
        !stdout.contains("NaN") && !stderr.to_lowercase().contains("panic"),
        "{name}: {stderr}"
    );
    if code == Some(2) {
        assert_eq!(stderr.lines().count(), 1, "{} {name}: {stderr}", path.display());
        return;
    }
    assert_eq!(code, Some(0), "{name}: {stderr}");
    let found: Value = serde_json::from_str(&stdout).unwrap();
    for expected in case["obp"].as_array().unwrap() {
        let found = entry(&found, expected["estimator"].as_str().unwrap(), &expected["lambda_"]);
        match (found["value"].as_f64(), expected["value"].as_f64()) {
            (Some(value), Some(expected)) => {
                let distance = (value - expected).abs();
                assert!(distance <= 1e-10 * expected.abs().max(1.0), "{name}: {found} {expected}");
            }
            (Some(value), None) => assert!(value.is_finite(), "{name}: {found}"),
            (None, _) => assert!(found["why"].is_string(), "{name}: {found}"),
        }
    }
}
