//! Logs with steps after answers, from a world whose truth is known: what is learned from them escalates
//! the answers that are wrong, and what it is valued at is what it would have earned.

use crate::workbench::{Finished, Workbench};
use serde_json::Value;
use std::ops::Range;

/// Quality points per dollar at which one wrong answer in three is worth asking again, and asking the
/// dear model at once is not.
const LAMBDA: &str = "--lambda 30";

const N_TRAINED: i32 = 3000;
const N_LATER: i32 = 3000;

/// Dollars per answer.
const CHEAP: f64 = 0.001;
const DEAR: f64 = 0.01;

/// Milliseconds per answer.
const FAST: f64 = 100.0;
const SLOW: f64 = 300.0;

fn is_right(row: i32) -> bool {
    row % 3 != 0
}

fn quality_of_large(row: i32) -> i32 {
    i32::from(row % 7 != 0)
}

/// A table of two models; of the cheap one's answers every third has a sum that is wrong.
fn table(rows: Range<i32>) -> String {
    let mut text = "prompt_id,prompt,model,quality,cost_usd,latency_ms\n".to_owned();
    for row in rows {
        let (a, b) = (row % 17 + 2, row % 11 + 3);
        let (small, large) = (i32::from(is_right(row)), quality_of_large(row));
        let asked = format!("p{row},What is {a} and {b}? Case {row}.");
        text.push_str(&format!("{asked},small,{small},{CHEAP},{FAST}\n"));
        text.push_str(&format!("{asked},large,{large},{DEAR},{SLOW}\n"));
    }
    text
}

fn answers(rows: Range<i32>) -> String {
    let mut text = "prompt_id,model,answer\n".to_owned();
    for row in rows {
        let (a, b) = (row % 17 + 2, row % 11 + 3);
        let sum = if is_right(row) { a + b } else { a + b + 1 };
        text.push_str(&format!("p{row},small,{a} + {b} = {sum}\n"));
    }
    text
}

/// A log to learn from and a later one, both with every second answer of the cheap model escalated.
fn bench() -> Workbench {
    let (early, later) = (0..N_TRAINED, N_TRAINED..N_TRAINED + N_LATER);
    let bench = Workbench::with(&[
        ("early.csv", table(early.clone()).as_bytes()),
        ("early-answers.csv", answers(early).as_bytes()),
        ("later.csv", table(later.clone()).as_bytes()),
        ("later-answers.csv", answers(later).as_bytes()),
    ]);
    for (name, form) in [("early", "parquet"), ("later", "ndjson")] {
        bench.done(&format!(
            "simulate --table {name}.csv --logger uniform --seed 3 --answers {name}-answers.csv \
             --escalate-to large --out {name}-log.{form}"
        ));
    }
    bench
}

/// Mean quality, dollars and milliseconds of the cascade that escalates exactly what is wrong.
fn truth() -> (f64, f64, f64) {
    let (mut quality, mut cost, mut latency) = (0.0, 0.0, 0.0);
    for row in N_TRAINED..N_TRAINED + N_LATER {
        let given = if is_right(row) { 1 } else { quality_of_large(row) };
        quality += f64::from(given);
        cost += if is_right(row) { CHEAP } else { CHEAP + DEAR };
        latency += if is_right(row) { FAST } else { FAST + SLOW };
    }
    let n = f64::from(N_LATER);
    (quality / n, cost / n, latency / n)
}

fn value<'v>(report: &'v Value, policy: &str, estimator: &str) -> &'v Value {
    let rows = report["values"].as_array().unwrap();
    rows.iter()
        .find(|row| row["policy"] == policy && row["estimator"] == estimator)
        .unwrap_or_else(|| panic!("{policy} {estimator}: {report}"))
}

/// Within twice the interval: about four standard errors, so that no draw of the world decides.
#[track_caller]
fn check_near(row: &Value, truth: f64) {
    let number = |name: &str| row[name].as_f64().unwrap();
    let width = number("upper") - number("lower");
    assert!(width < 0.2, "{row}");
    assert!((number("value") - truth).abs() <= width, "{truth}: {row}");
}

#[test]
fn what_a_log_teaches_about_answers_is_worth_what_it_is_valued_at() {
    let bench = bench();
    let train = "train --log early-log.parquet --buckets 10 --out";
    let said = bench.run(&format!("{train} cascade.safetensors --json card.json"));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(all.contains("steps after an answer") && all.contains("large called"), "{all}");
    let card = bench.json("card.json");
    assert_eq!(
        card["readers"],
        serde_json::json!([{"model": "small", "next": ["large"]}]),
        "{card}"
    );
    bench.done(&format!("{train} plain.safetensors --no-readers"));

    bench.done(&format!(
        "evaluate --log later-log.ndjson --policy cascade.safetensors plain.safetensors {LAMBDA} \
         --json report.json"
    ));
    let report = bench.json("report.json");
    let (quality, cost, _) = truth();
    for estimator in ["DR", "SNIPS", "DR per step"] {
        check_near(value(&report, "cascade", estimator), quality);
        // Two rows of three are right of those that the cheap model answers.
        check_near(value(&report, "plain", estimator), 2.0 / 3.0);
    }
    let found = value(&report, "cascade", "SNIPS")["cost_usd"].as_f64().unwrap();
    assert!((found - cost).abs() < 0.0008, "{found} for {cost}");
    let beats = value(&report, "cascade", "DR")["lower"].as_f64().unwrap();
    assert!(2.0 / 3.0 < beats, "{beats}");
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("`plain` has no readers of answers"), "{warnings}");
    assert!(report["subtitle"].as_str().unwrap().contains("logged trajectories"));
}

/// At the default point the dear model is better than the cheap one on every request, and the cascade of
/// both is better and cheaper still: the first decision foresees it, and is worth what it is valued at.
#[test]
fn a_cheap_model_is_asked_first_for_what_may_follow() {
    let bench = bench();
    let train = "train --log early-log.parquet --buckets 10 --out";
    bench.done(&format!("{train} cascade.safetensors --json card.json"));
    bench.done(&format!("{train} final.safetensors --no-foresight --json final.json"));
    let foresight = &bench.json("card.json")["foresight"];
    assert_eq!(foresight[0]["model"], "small", "{foresight}");
    assert_eq!(bench.json("final.json")["foresight"], Value::Null);
    let said = bench.done("inspect cascade.safetensors");
    assert!(said.contains("first models are chosen for what may follow"), "{said}");

    for (policy, model) in [("cascade", "small"), ("final", "large")] {
        let routed = bench.run_with(
            &format!("route --policy {policy}.safetensors --json route.json"),
            b"What is 7 and 9? Case 5.",
        );
        assert_eq!(routed.code, Some(0), "{}", routed.stderr);
        let decision = bench.json("route.json");
        assert_eq!(decision["model"], model, "{decision}");
        let is_foreseen = routed.stdout.contains("ask again with its answer");
        assert_eq!(is_foreseen, policy == "cascade", "{}", routed.stdout);
        let candidates = decision["candidates"].as_array().unwrap();
        let small = candidates.iter().find(|one| one["model"] == "small").unwrap();
        let (own, cascade) = (&small["quality"], &small["cascade"]);
        assert!(own.as_f64().unwrap() < 0.8, "{small}");
        if policy == "cascade" {
            assert_eq!(cascade["next"], "large");
            assert!(0.8 < cascade["quality"].as_f64().unwrap(), "{small}");
            assert!(routed.stdout.contains("by what may follow its answer"), "{}", routed.stdout);
        } else {
            assert_eq!(*cascade, Value::Null);
        }
    }

    bench.done(
        "evaluate --log later-log.ndjson --policy cascade.safetensors final.safetensors \
         --json report.json",
    );
    let report = bench.json("report.json");
    let (quality, cost, _) = truth();
    let of_large: i32 = (N_TRAINED..N_TRAINED + N_LATER).map(quality_of_large).sum();
    for estimator in ["DR", "SNIPS"] {
        check_near(value(&report, "cascade", estimator), quality);
        check_near(value(&report, "final", estimator), f64::from(of_large) / f64::from(N_LATER));
    }
    let found = |policy: &str| value(&report, policy, "SNIPS")["cost_usd"].as_f64().unwrap();
    assert!((found("cascade") - cost).abs() < 0.0008, "{} for {cost}", found("cascade"));
    assert!(found("cascade") < 0.5 * found("final"), "{}", found("final"));
}

/// With every model's outcome and the answers a whole cascade is known, and no estimate is needed.
#[test]
fn a_table_with_answers_values_whole_cascades() {
    let bench = bench();
    bench.done("train --log early-log.parquet --buckets 10 --out cascade.safetensors");
    bench.done("train --log early-log.parquet --buckets 10 --no-readers --out plain.safetensors");
    let evaluate = "evaluate --table later.csv --include-trained --json report.json --policy";
    let found = |more: &str| {
        bench.done(&format!("{evaluate} cascade.safetensors {more}"));
        let report = bench.json("report.json");
        let row = value(&report, "cascade", "full information");
        (row["value"].as_f64().unwrap(), row["cost_usd"].as_f64().unwrap())
    };
    let (quality, cost, _) = truth();
    let whole = found("--answers later-answers.csv");
    assert!((whole.0 - quality).abs() < 0.02, "{whole:?}");
    assert!((whole.1 - cost).abs() < 0.0005, "{whole:?}");
    // An answer to nothing and a second one change nothing, and are said.
    let more = format!("nobody,small,1 + 1 = 2\np{N_TRAINED},small,1 + 1 = 3\n");
    let more = answers(N_TRAINED..N_TRAINED + N_LATER) + &more;
    bench.write("more-answers.csv", more.as_bytes());
    assert_eq!(found("--answers more-answers.csv"), whole);
    let said = bench.done(&format!("{evaluate} cascade.safetensors --answers more-answers.csv"));
    let dropped = "answers: dropped rows: 1 (the prompt has an answer of the model already), \
                   1 (the prompt is not in the table)";
    assert!(said.contains(dropped), "{said}");
    // Without them, each answer is final, and the dear model's is the best.
    let of_large: i32 = (N_TRAINED..N_TRAINED + N_LATER).map(quality_of_large).sum();
    let first = found("");
    assert!((first.0 - f64::from(of_large) / f64::from(N_LATER)).abs() < 1e-9, "{first:?}");
    assert!((first.1 - DEAR).abs() < 1e-9, "{first:?}");
    let refused = bench.run(&format!("{evaluate} plain.safetensors --answers later-answers.csv"));
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("no policy reads answers"), "{}", refused.stderr);
}

/// Predictions that the log taught value whole trajectories; so do means of cost and latency, those of
/// all answers together, with their intervals.
#[test]
fn trajectories_have_reward_models_and_intervals_of_cost_and_latency() {
    let bench = bench();
    bench.done("train --log early-log.parquet --buckets 10 --out cascade.safetensors");
    let evaluate = format!(
        "evaluate --log later-log.ndjson --policy cascade.safetensors {LAMBDA} \
         --reward-model cross-fitted --largest-cost-usd 0.033 --json report.json \
         --largest-latency-ms"
    );
    bench.done(&format!("{evaluate} {SLOW}"));
    let report = bench.json("report.json");
    assert_eq!(report["reward_model"]["kind"], "cross_fitted", "{report}");
    let calibration = report["calibration"].as_array().unwrap();
    assert_eq!(calibration.len(), 1, "{report}");
    assert_eq!(calibration[0]["name"], "reward model, cross-fitted");
    let (quality, cost, latency) = truth();
    for estimator in ["DR", "SNIPS", "DR per step"] {
        check_near(value(&report, "cascade", estimator), quality);
    }
    for estimator in ["DR", "SNIPS"] {
        let row = value(&report, "cascade", estimator);
        for (mean, interval, truth) in
            [("cost_usd", "cost_interval", cost), ("latency_ms", "latency_interval", latency)]
        {
            let (mean, interval) = (row[mean].as_f64().unwrap(), &row[interval]);
            let end = |name: &str| interval[name].as_f64().unwrap_or_else(|| panic!("{row}"));
            let width = end("upper") - end("lower");
            assert!((mean - truth).abs() <= width && width < truth, "{truth}: {row}");
        }
    }
    // Three answers at most take 300 ms then, and an escalated one took 400.
    let refused = bench.run(&format!("{evaluate} {FAST}"));
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("took 400 ms, above the stated largest 300"),
        "{}",
        refused.stderr
    );
}

#[test]
fn the_gate_decides_on_whole_cascades() {
    let bench = bench();
    bench.done("train --log early-log.parquet --buckets 10 --out cascade.safetensors");
    bench.done("train --log early-log.parquet --buckets 10 --no-readers --out plain.safetensors");
    let gate = format!(
        "gate --log later-log.ndjson --policy cascade.safetensors --against plain.safetensors \
         {LAMBDA} --min-quality-delta"
    );
    for (margin, code) in [("0.1", 0), ("0.5", 1)] {
        let Finished { code: found, stdout, stderr } = bench.run(&format!("{gate} {margin}"));
        assert_eq!(found, Some(code), "{margin}: {stdout}{stderr}");
        assert!(stdout.contains("trajectories with"), "{stdout}");
    }
    let fitted = bench.run(&format!(
        "{gate} 0.1 --reward-model cross-fitted --max-cost-delta 0.02 --largest-cost-usd 0.033"
    ));
    assert_eq!(fitted.code, Some(0), "{}{}", fitted.stdout, fitted.stderr);
    assert!(fitted.stdout.contains("reward model: cross-fitted"), "{}", fitted.stdout);
    let refused = bench.run(&format!("{gate} 0.1 --smallest-propensity 0.25"));
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("the weight of a trajectory is a product"),
        "{}",
        refused.stderr
    );
}

/// What a cascade is worth does not follow from a log of first decisions.
#[test]
fn without_steps_a_cascade_is_not_identifiable() {
    let bench = bench();
    bench.done("train --log early-log.parquet --buckets 10 --out cascade.safetensors");
    bench.done("simulate --table later.csv --logger uniform --out first.ndjson");
    bench.done("evaluate --log first.ndjson --policy cascade.safetensors --json report.json");
    let warnings = bench.json("report.json")["warnings"].to_string();
    assert!(warnings.contains("what escalating is worth is not identifiable"), "{warnings}");
    let refused = bench.run(
        "gate --log first.ndjson --policy cascade.safetensors --against logged \
         --min-quality-delta 0",
    );
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("the log has no steps after an answer"), "{}", refused.stderr);
}

#[test]
fn models_that_teach_nothing_are_named_with_the_reason() {
    let bench = bench();
    let train = "train --log early-log.parquet --buckets 10 --out policy.safetensors";
    let card = |flags: &str| {
        bench.done(&format!("{train} {flags} --json card.json"));
        bench.json("card.json")
    };
    let alone = card("--escalate-from large");
    assert_eq!(alone["readers"], Value::Null);
    let reason = alone["provenance"]["settings"]["reader.large"].as_str().unwrap();
    assert!(
        reason.contains("no step of the log had a choice after an answer of large"),
        "{reason}"
    );
    for (flags, expected) in [
        ("--escalate-from smal", "never drew a model `smal`; did you mean `small`?"),
        ("--escalate-from small --no-readers", "--no-readers"),
        ("--answers early-answers.csv", "--answers goes with --table"),
    ] {
        let refused = bench.run(&format!("{train} {flags}"));
        assert_eq!(refused.code, Some(2), "{flags}");
        assert!(refused.stderr.contains(expected), "{flags}: {}", refused.stderr);
    }
    bench.done("simulate --table early.csv --logger uniform --out first.ndjson");
    let refused =
        bench.run("train --log first.ndjson --out policy.safetensors --escalate-from small");
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("the log has no steps after an answer"), "{}", refused.stderr);
    let refused =
        bench.run("train --table early.csv --out policy.safetensors --escalate-from small");
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--escalate-from names models of --answers"));
}

#[test]
fn steps_that_cannot_be_simulated_are_refused() {
    let bench = bench();
    let simulate = "simulate --table early.csv --answers early-answers.csv --out log.ndjson";
    for (flags, expected) in [
        ("--escalate-to huge", "the table has no model `huge`; its models are large, small"),
        ("--escalate-to large --escalate-share 1", "is not above 0 and below 1"),
        ("", "--escalate-to"),
    ] {
        let refused = bench.run(&format!("{simulate} {flags}"));
        assert_eq!(refused.code, Some(2), "{flags}");
        assert!(refused.stderr.contains(expected), "{flags}: {}", refused.stderr);
    }
}
