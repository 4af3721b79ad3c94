//! What a team looks at before it trusts a policy: calibration, costs, robustness, size, terms.

use crate::{
    tables::{POLICY, QUICK, TABLE},
    workbench::Workbench,
};
use serde_json::Value;

fn bench() -> Workbench {
    Workbench::with(&[("table.ndjson", TABLE.as_bytes()), ("policy.safetensors", &POLICY)])
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_benchmark_shows_calibration_costs_and_predictions() {
    let bench = bench();
    bench.done(
        "benchmark table.ndjson --json b.json --html b.html --predictions p.ndjson --learner \
         pointsman ridge-10",
    );
    let table = &bench.json("b.json")["tables"]["table"];
    let calibration = &table["routers"]["pointsman"]["calibration"];
    let (raw, noise) = (number(&calibration["ece_raw"]), number(&calibration["ece_noise"]));
    assert!((number(&calibration["ece"]) - (raw - noise).max(0.0)).abs() < 1e-12);
    let of_models = calibration["by_model"].as_object().unwrap();
    assert_eq!(of_models.len(), usize::try_from(table["n_models"].as_u64().unwrap()).unwrap());
    assert!(of_models.values().all(|error| (0.0..0.5).contains(&number(error))), "{of_models:?}");
    assert!(table["routers"]["oracle"]["calibration"].is_null());
    let cost = &table["costs"]["cost"];
    assert!(number(&cost["log_error"]) < number(&cost["log_error_of_constants"]), "{cost}");
    assert!(bench.text("b.html").contains("ridge-10 on table"));

    let text = bench.text("p.ndjson");
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let n_pairs = calibration["bins"].as_array().unwrap().iter().map(|bin| number(&bin["n_pairs"]));
    let n_rows = rows.iter().filter(|row| row["router"] == "pointsman").count();
    assert!((n_pairs.sum::<f64>() - pointsman_core::units::len_as_float(n_rows)).abs() < 0.5);
    assert!(rows.iter().all(|row| row["quality"].is_number() && row["cost_usd"].is_number()));
    bench.done("benchmark table.ndjson --predictions p.parquet");
    assert!(bench.read("p.parquet").starts_with(b"PAR1"));
}

#[test]
fn edits_and_smaller_policies_are_measured() {
    let bench = bench();
    bench.done("benchmark table.ndjson --robustness --compact --json b.json");
    let table = &bench.json("b.json")["tables"]["table"];
    let edits = table["robustness"]["edits"].as_object().unwrap();
    assert_eq!(edits.len(), 8);
    for (name, edit) in edits {
        let rate = &edit["flip_rate"];
        assert!(number(&rate["lower"]) <= number(&rate["value"]), "{name}: {edit}");
        assert!(edit["n_flips"].as_u64() <= edit["n_prompts"].as_u64(), "{name}: {edit}");
    }
    let sizes = table["compact"].as_array().unwrap();
    let usual = number(&table["routers"]["pointsman"]["frontier_area"]);
    assert!((number(&sizes[1]["frontier_area"]) - usual).abs() < 1e-12);
    assert!(sizes.iter().all(|size| 0 < size["term_bytes"].as_u64().unwrap()));
}

#[test]
fn a_policy_keeps_to_its_room() {
    let bench = bench();
    bench.done("train --table table.ndjson --max-mb 0.2 --out small.safetensors");
    let n_bytes = bench.read("small.safetensors").len();
    assert!((50_000..=200_000).contains(&n_bytes), "{n_bytes}");
    let refused = bench.run("train --table table.ndjson --max-mb 0.01 --out none.safetensors");
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("do not fit; the least is"), "{}", refused.stderr);
}

#[test]
fn a_pruned_policy_is_a_smaller_file_that_says_what_it_loses() {
    let bench = bench();
    for (name, flags) in [("whole", ""), ("less", "--prune 0.9"), ("within", "--prune-loss 0.05")] {
        bench.done(&format!(
            "train --table table.ndjson {flags} --out {name}.safetensors --json {name}.json"
        ));
    }
    let size = |name: &str| bench.read(&format!("{name}.safetensors")).len();
    assert!(2 * size("less") < size("whole"), "{} of {}", size("less"), size("whole"));
    let pruning = &bench.json("less.json")["pruning"];
    let count = |name: &str| number(&pruning[name]);
    assert!((count("n_kept") / count("n_terms") - 0.1).abs() < 0.01, "{pruning}");
    let loss = &pruning["loss"];
    assert!(number(&loss["lower"]) <= number(&loss["value"]), "{loss}");
    assert!(number(&bench.json("within.json")["pruning"]["loss"]["upper"]) <= 0.05);
    assert!(bench.json("whole.json")["pruning"].is_null());
    assert!(bench.done("inspect less.safetensors").contains("terms (10."));
    bench.done("benchmark table.ndjson --prune 0.9 --json b.json");
    let sizes = &bench.json("b.json")["tables"]["table"]["compact"];
    assert_eq!(sizes.as_array().map(Vec::len), Some(3));
    assert!(sizes[2]["term_bytes"].as_u64() < sizes[1]["term_bytes"].as_u64());
    assert!(
        number(&sizes[2]["quality_loss"]["lower"]) <= number(&sizes[2]["quality_loss"]["upper"])
    );
}

#[test]
fn terms_have_names_only_from_a_dictionary() {
    let bench = bench();
    bench.done(&format!(
        "train --table table.ndjson --out named.safetensors --dictionary words.json {QUICK}"
    ));
    let plain = bench.done("inspect named.safetensors --terms 3");
    assert!(plain.contains("bucket ") && plain.contains("numbers and no names"), "{plain}");
    bench.done("inspect named.safetensors --terms 3 --dictionary words.json --json card.json");
    let card = bench.json("card.json");
    let of_models = card["terms"].as_object().unwrap();
    assert_eq!(of_models.len(), card["models"].as_array().unwrap().len());
    let named = of_models.values().flat_map(|one| one["terms"].as_array().unwrap());
    assert!(named.clone().any(|term| term["name"].as_str().unwrap().starts_with('`')));
    for (arguments, sentence) in [
        ("inspect policy.safetensors --terms --dictionary table.ndjson", "is no dictionary"),
        ("inspect policy.safetensors --dictionary words.json", "--terms"),
        (
            "train --table table.ndjson --out n.safetensors --dictionary w.json --dictionary-least 1",
            "gives it away",
        ),
    ] {
        let refused = bench.run(arguments);
        assert_eq!(refused.code, Some(2), "{arguments}");
        assert!(refused.stderr.contains(sentence), "{}", refused.stderr);
    }
}

#[test]
fn an_evaluation_on_a_table_draws_its_calibration() {
    let bench = bench();
    let arguments = "evaluate --table table.ndjson --policy policy.safetensors --include-trained";
    bench.done(&format!("{arguments} --html r.html --json r.json"));
    let calibration = &bench.json("r.json")["calibration"][0];
    assert!(number(&calibration["ece"]) <= number(&calibration["raw"]));
    assert!(bench.text("r.html").contains("id=\"calibration\""));
}
