//! The main job, end to end: a log, a policy, what it is worth, a decision.

use crate::{
    tables::{CATALOG, LOG, N_REQUESTS, POLICY, QUICK, TABLE, outcomes},
    workbench::{Finished, Workbench},
};
use serde_json::{Value, json};

fn bench() -> Workbench {
    let later = outcomes(N_REQUESTS..N_REQUESTS + 300);
    Workbench::with(&[
        ("table.ndjson", TABLE.as_bytes()),
        ("later.ndjson", later.as_bytes()),
        ("log.ndjson", LOG.as_bytes()),
        ("catalog.toml", CATALOG.as_bytes()),
        ("policy.safetensors", &POLICY),
    ])
}

#[test]
fn from_table_to_log_to_policy_to_decision() {
    let bench = bench();
    for log in ["log.ndjson", "log.parquet"] {
        let said = bench.done(&format!("simulate --table table.ndjson --seed 3 --out {log}"));
        assert!(said.starts_with("simulated 400 decisions among 6 models"), "{said}");
        let out = format!("{log}.safetensors");
        bench.done(&format!(
            "train --log {log} --catalog catalog.toml --name p --out {out} {QUICK}"
        ));
        let said = bench.done(&format!("inspect {out} --json card.json"));
        assert!(said.contains("400 requests, 400 outcomes (traffic log)"), "{said}");
        assert_eq!(bench.json("card.json")["provenance"]["n_requests"], 400);
        let later = log.replace("log", "later-log");
        bench.done(&format!("simulate --table later.ndjson --seed 4 --out {later}"));
        for source in ["--table later.ndjson".to_owned(), format!("--log {later}")] {
            let report =
                evaluate(&bench, &format!("{source} --policy {out} --catalog catalog.toml"));
            let verdict = report["verdict"]["kind"].as_str().unwrap();
            assert!(["route", "use_one_model", "cannot_tell"].contains(&verdict), "{verdict}");
        }
        let finished =
            bench.run_with(&format!("route --policy {out} --catalog catalog.toml"), b"Hello");
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    }
    let truth = bench.json("log.truth.json");
    assert!(truth.is_object(), "{truth}");
}

/// Runs `evaluate` with every kind of output, and checks that all say the same.
fn evaluate(bench: &Workbench, arguments: &str) -> Value {
    let said = bench.done(&format!("evaluate {arguments} --html r.html --md r.md --json r.json"));
    let report = bench.json("r.json");
    let sentence = report["verdict"]["sentence"].as_str().unwrap();
    assert!(said.starts_with(sentence), "{said}");
    assert!(bench.text("r.md").contains(sentence));
    let html = bench.text("r.html");
    assert!(html.starts_with("<!doctype html>") || html.starts_with("<!DOCTYPE html>"));
    assert!(html.trim_end().ends_with("</html>"));
    assert!(!html.contains("http://") && !html.contains("<script src"), "the page stands alone");
    for value in report["values"].as_array().unwrap() {
        let of = |key: &str| value[key].as_f64().unwrap();
        assert!(of("lower") <= of("value") && of("value") <= of("upper"), "{value}");
    }
    report
}

/// The two forms of a log hold the same decisions, so they teach the same.
#[test]
fn ndjson_and_parquet_logs_teach_the_same() {
    let bench = bench();
    let weights = |log: &str| {
        bench.done(&format!("simulate --table table.ndjson --seed 3 --out {log}"));
        bench.done(&format!("train --log {log} --name p --out p.safetensors {QUICK}"));
        let artifact = pointsman_core::artifact::Artifact::from_bytes(bench.read("p.safetensors"));
        artifact.unwrap().scorer().parts().clone()
    };
    assert_eq!(weights("a.ndjson"), weights("a.parquet"));
}

#[test]
fn training_twice_gives_the_same_bytes() {
    let bench = bench();
    for source in ["--table table.ndjson", "--log log.ndjson --catalog catalog.toml"] {
        for (out, threads) in [("one", "1"), ("two", "2"), ("three", "3")] {
            let arguments =
                format!("train {source} --name p --seed 5 --out {out}.safetensors {QUICK}");
            let mut command = crate::workbench::command(arguments.split(' '));
            let status =
                command.env("RAYON_NUM_THREADS", threads).current_dir(bench.path("")).output();
            assert!(status.unwrap().status.success());
        }
        assert!(bench.read("one.safetensors") == bench.read("two.safetensors"), "{source}");
        assert!(bench.read("one.safetensors") == bench.read("three.safetensors"), "{source}");
    }
}

#[test]
fn simulating_and_benchmarking_twice_gives_the_same() {
    let bench = bench();
    for name in ["one", "two"] {
        bench.done(&format!("simulate --table table.ndjson --seed 3 --out {name}.parquet"));
        bench.done(&format!("benchmark table.ndjson --json {name}.json"));
    }
    assert!(bench.read("one.parquet") == bench.read("two.parquet"));
    assert_eq!(bench.text("one.json"), bench.text("two.json"));
    let routers = &bench.json("one.json")["tables"]["table"]["routers"];
    for name in ["pointsman", "random", "cheapest", "best_single", "mix", "oracle"] {
        let quality = routers[name]["quality"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&quality), "{name}: {quality}");
    }
}

#[test]
fn json_on_standard_output_is_nothing_else() {
    let bench = bench();
    for arguments in [
        "simulate --table table.ndjson --out out.ndjson".to_owned(),
        format!("train --table table.ndjson --out out.safetensors {QUICK}"),
        "benchmark table.ndjson".to_owned(),
        "evaluate --table later.ndjson --policy policy.safetensors --html r.html".to_owned(),
        "evaluate --log log.ndjson --policy policy.safetensors --include-trained".to_owned(),
        "route --policy policy.safetensors --explain".to_owned(),
        "inspect policy.safetensors".to_owned(),
    ] {
        let to_stdout = bench.run_with(&format!("{arguments} --json -"), b"Hello there");
        let Finished { code, stdout, stderr } = to_stdout;
        assert_eq!(code, Some(0), "{stderr}");
        let found: Value = serde_json::from_str(&stdout).unwrap();
        assert!(!stderr.is_empty(), "the text for people of `{arguments}` went away");
        bench.run_with(&format!("{arguments} --json same.json"), b"Hello there");
        let mut written = bench.json("same.json");
        if arguments.starts_with("evaluate") {
            // The command line stands in the report, and differs.
            written["generated_by"] = found["generated_by"].clone();
        }
        assert_eq!(found, written, "{arguments}");
    }
}

#[test]
fn training_rows_are_set_aside_unless_asked_for() {
    let bench = bench();
    bench.write("both.ndjson", (TABLE.clone() + &bench.text("later.ndjson")).as_bytes());
    let report = evaluate(&bench, "--table both.ndjson --policy policy.safetensors");
    let warnings = report["warnings"].to_string();
    // Some of the 300 later prompts repeat one of the 400 that were trained on.
    let subtitle = report["subtitle"].as_str().unwrap();
    let n_used: u32 = subtitle.split(' ').next().unwrap().parse().unwrap();
    assert!((270..300).contains(&n_used), "{subtitle}");
    let set_aside =
        format!("{} requests were set aside: a policy was trained on them", 700 - n_used);
    assert!(warnings.contains(&set_aside), "{warnings}");
    let all = evaluate(&bench, "--table both.ndjson --policy policy.safetensors --include-trained");
    assert!(all["subtitle"].as_str().unwrap().starts_with("700 prompts"), "{all:#}");
}

/// A log of prompts that a policy saw in a table is no fresh evidence either.
#[test]
fn rows_of_a_table_are_set_aside_in_a_log_of_it() {
    let finished = bench().run("evaluate --log log.ndjson --policy policy.safetensors");
    assert_eq!(finished.code, Some(2), "{}", finished.stdout);
    assert!(finished.stderr.contains("pass --include-trained"), "{}", finished.stderr);
}

/// Routes one chat body and returns the decision.
#[track_caller]
fn route(bench: &Workbench, flags: &str, body: &Value) -> Value {
    let arguments =
        format!("route --policy policy.safetensors --catalog catalog.toml {flags} --json -");
    let finished = bench.run_with(&arguments, body.to_string().as_bytes());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    serde_json::from_str(&finished.stdout).unwrap()
}

#[test]
fn a_denied_model_is_never_chosen() {
    let bench = bench();
    let mut body = json!({"prompt": "Prove that the sum of two odd numbers is even."});
    let mut denied: Vec<String> = Vec::new();
    for _ in 0..5 {
        let decision = route(&bench, "--explore epsilon:0.5 --draw 0.99", &body);
        let model = decision["model"].as_str().unwrap().to_owned();
        assert!(!denied.contains(&model), "{model} was denied");
        let candidates = decision["candidates"].as_array().unwrap();
        let of = |candidate: &Value| candidate["probability"].as_f64().unwrap();
        let total: f64 = candidates.iter().map(of).sum();
        assert!((total - 1.0).abs() < 1e-9, "{decision:#}");
        for candidate in candidates {
            let is_denied = denied.iter().any(|name| candidate["model"] == **name);
            assert_eq!(is_denied, candidate["excluded_by"].is_string(), "{candidate}");
            assert_eq!(is_denied, of(candidate) == 0.0, "{candidate}");
        }
        let drawn = candidates.iter().find(|candidate| candidate["model"] == *model).unwrap();
        assert_eq!(drawn["probability"], decision["propensity"]);
        denied.push(model);
        body["deny"] = json!(denied);
    }
}

#[test]
fn a_request_that_no_model_may_answer_says_why() {
    let bench = bench();
    for (body, expected) in [
        (json!({"prompt": "Hi", "max_cost_usd": 0.0}), "tern-mini"),
        (json!({"prompt": "Hi", "models": ["nobody"]}), "wren-lite"),
        (json!({"prompt": "Hi", "provider": {"only": ["nobody"]}}), "heron-large"),
    ] {
        let flags = "route --policy policy.safetensors --catalog catalog.toml";
        let finished = bench.run_with(flags, body.to_string().as_bytes());
        assert_eq!(finished.code, Some(2), "{}", finished.stdout);
        let sentence = finished.stderr;
        assert!(
            sentence.starts_with("pointsman: no model may answer this request: "),
            "{sentence}"
        );
        assert!(sentence.contains(expected), "{sentence}");
    }
}

#[test]
fn objectives_pull_in_their_direction() {
    let bench = bench();
    let body = json!({"prompt": "Write a function that merges two sorted lists, and its tests."});
    let chosen = |flags: &str| {
        let decision = route(&bench, flags, &body);
        let candidates = decision["candidates"].as_array().unwrap();
        let chosen = candidates.iter().find(|c| c["model"] == decision["model"]).unwrap();
        (chosen["quality"].as_f64().unwrap(), chosen["cost_usd"].as_f64().unwrap())
    };
    let (best, dear) = chosen("--lambda 0");
    let (least, cheap) = chosen("--lambda 1000000");
    assert!(least <= best && cheap <= dear);
    let (quality, cost) = chosen("--min-quality 0");
    assert!(cost <= cheap && quality <= best, "the cheapest of all reaches a floor of zero");
    assert!(chosen(&format!("--max-cost-usd {cheap:.9}")).1 <= dear);
}

/// An explanation adds up to what it explains.
#[test]
fn an_explanation_is_that_of_the_decision() {
    let bench = bench();
    let body = json!({"prompt": "Translate into German: the invoice is overdue by ten days."});
    let decision = route(&bench, "--explain", &body);
    let sum = |key: &str| -> f64 {
        let effects = decision["explanation"][key].as_array().unwrap();
        effects.iter().map(|effect| effect["quality"].as_f64().unwrap()).sum()
    };
    let lead = decision["explanation"]["lead"].as_f64().unwrap();
    let standing = decision["explanation"]["standing"].as_f64().unwrap();
    assert!((standing + sum("terms") + sum("dense") - lead).abs() < 1e-5, "{decision:#}");
}

/// What pairs of models add is what the policy adds, on a table where all is known.
#[test]
fn what_moves_adds_up() {
    let bench = bench();
    let table = "evaluate --table later.ndjson --policy policy.safetensors";
    let said = bench.done(&format!("{table} --slices task,language --json r.json --html r.html"));
    let report = bench.json("r.json");
    let moves = &report["moves"][0];
    let best = moves["against"].as_str().unwrap().trim_start_matches("always `").trim_matches('`');
    assert!(said.contains(&format!("what moves from always `{best}` to `policy`")), "{said}");
    let rows = moves["rows"].as_array().unwrap();
    let sum = |pointer: &str| -> f64 {
        rows.iter().map(|row| row.pointer(pointer).and_then(Value::as_f64).unwrap()).sum()
    };
    let value = |name: &str, key: &str| {
        let values = report["values"].as_array().unwrap();
        values.iter().find(|row| row["policy"] == name).unwrap()[key].as_f64().unwrap()
    };
    if moves["n_pairs_not_shown"] == 0 {
        for (key, of) in [("value", "quality"), ("cost_usd", "cost_usd")] {
            let added = value("policy", key) - value(&format!("always {best}"), key);
            let found = sum(&format!("/{of}/value"));
            assert!((found - added).abs() < 1e-9, "{key}: {found} and {added}");
        }
    }
    let moved = moves["moved_share"].as_f64().unwrap() - moves["not_shown_share"].as_f64().unwrap();
    assert!((sum("/share") - moved).abs() < 1e-9, "{moves}");
    let slices = report["slices"].as_array().unwrap();
    assert!(slices.iter().any(|row| row["slice"] == "Latin script"), "{said}");
    assert!(bench.text("r.html").contains("id=\"moves\""));
    let own = bench.done(&format!("{table} --against policy.safetensors"));
    assert!(own.contains("0.0 % of requests change model"), "{own}");
    let no_tags = bench.run(&format!("{table} --slices tenant"));
    assert!(no_tags.stderr.contains("an outcome table has no tenant"), "{}", no_tags.stderr);
}

#[test]
fn slices_hold_together() {
    let bench = bench();
    bench.done("simulate --table later.ndjson --seed 4 --out later-log.ndjson");
    let log = "evaluate --log later-log.ndjson --policy policy.safetensors";
    let said = bench.done(&format!("{log} --slices task,length --json r.json --md r.md"));
    let report = bench.json("r.json");
    let slices = report["slices"].as_array().unwrap();
    assert!(said.contains(&format!("all {} intervals hold together", slices.len())), "{said}");
    for by in ["task", "length"] {
        let of_kind = slices.iter().filter(|row| row["by"] == by);
        let n_rows: u64 = of_kind.map(|row| row["n_rows"].as_u64().unwrap()).sum();
        assert_eq!(n_rows, 299, "{by}");
    }
    for row in slices {
        let of = |key: &str| row[key].as_f64().unwrap();
        assert!(-1.0 <= of("lower") && of("lower") <= of("upper") && of("upper") <= 1.0, "{row}");
        assert!(bench.text("r.md").contains(row["slice"].as_str().unwrap()), "{row}");
    }
    let few = bench.done(&format!("{log} --slices length --json few.json"));
    assert!(few.contains("length: "), "{few}");
    let width = |report: &Value| {
        let rows = report["slices"].as_array().unwrap();
        let row = rows.iter().find(|row| row["by"] == "length").unwrap();
        row["upper"].as_f64().unwrap() - row["lower"].as_f64().unwrap()
    };
    assert!(width(&bench.json("few.json")) < width(&report), "more intervals are wider");
}
