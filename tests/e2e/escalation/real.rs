//! Reading the first model's answer on real answers, where `../shared` holds them: against the reference,
//! and against routing alone.

use super::cascade;
use crate::workbench::{command, root};
use pointsman_data::{ReadOptions, read_answers, read_outcomes};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

/// How much more of the gap has to be recovered than by the reference that reads the answer too.
const MORE_THAN_REFERENCE: f64 = 0.02;

/// What has to be recovered in any case on answers that show their arithmetic.
const LEAST_ON_ARITHMETIC: f64 = 0.72;

/// Prompts that all models with answers answered, on the table where that is measured; fewer would
/// not be all of it.
const LEAST_PROMPTS: u64 = 12_000;

/// Tables whose pairs of models the reference has.
const TABLES: [&str; 2] = ["routellm_gsm8k", "mmlu_pro"];

#[test]
fn escalating_by_the_answer_recovers_more_than_the_reference() {
    let shared = root().join("../shared");
    let Ok(reference) = fs::read(shared.join("baselines/escalation.json")) else {
        eprintln!("skipped: {} holds no reference for escalation", shared.display());
        return;
    };
    let reference: Value = serde_json::from_slice(&reference).unwrap();
    let mut wrong = Vec::new();
    for name in TABLES {
        let reference = reference[name].as_object().unwrap();
        let models: Vec<&str> = reference.keys().flat_map(|pair| pair.split(" -> ")).collect();
        let found = benchmark(&shared, name, &models);
        for (pair, reference) in reference {
            let found = &found["escalation"][name][pair];
            wrong.extend(compare(found, reference).into_iter().map(|w| format!("{pair}: {w}")));
            let apgr = found["scorers"]["pointsman"]["apgr"].as_f64().unwrap();
            if name == "routellm_gsm8k" && apgr < LEAST_ON_ARITHMETIC {
                wrong.push(format!("{pair}: APGR {apgr:.4} is below {LEAST_ON_ARITHMETIC}"));
            }
            eprintln!("{pair}: APGR {apgr:.4}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the figures of one pair.
fn compare(found: &Value, reference: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    if found["n"] != reference["n"] {
        wrong.push(format!("n is {} instead of {}", found["n"], reference["n"]));
    }
    for figure in ["first", "next"] {
        let of = |all: &Value| all[figure].as_f64().unwrap();
        if 1e-6 < (of(found) - of(reference)).abs() {
            wrong.push(format!("{figure} is {} instead of {}", of(found), of(reference)));
        }
    }
    let apgr = |all: &Value, scorer: &str| all["scorers"][scorer]["apgr"].as_f64().unwrap();
    let (ours, least) =
        (apgr(found, "pointsman"), apgr(reference, "prompt+answer") + MORE_THAN_REFERENCE);
    if ours < least {
        wrong.push(format!("APGR {ours:.4} is below {least:.4}"));
    }
    if ours <= apgr(found, "prompt") {
        wrong.push(format!("APGR {ours:.4} is no better than the prompt's alone"));
    }
    wrong
}

fn benchmark(shared: &Path, name: &str, models: &[&str]) -> Value {
    let file = |suffix: &str| shared.join(format!("data/{name}{suffix}.parquet"));
    // One fixed strength: the routers of the whole table are not what is measured here.
    let output = command(["benchmark", "--quiet", "--json", "-", "--learner", "ridge-10"])
        .arg("--answers")
        .arg(file("_answers"))
        .arg("--escalation")
        .args(models)
        .arg("--")
        .arg(file(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Routing among all models that have answers, with escalation, buys more than routing alone: on
/// all prompts, each decided by what was learned on the half of them that it is not in.
#[test]
fn escalation_lifts_the_frontier_of_routing() {
    let shared = root().join("../shared");
    let file = |name: &str| shared.join(format!("data/{name}.parquet"));
    let (table, answers) = (file("mmlu_pro"), file("mmlu_pro_answers"));
    if !table.is_file() || !answers.is_file() {
        eprintln!("skipped: {} holds no table with answers", shared.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let halves = folder.path().join("halves.ndjson");
    write_in_halves((&table, &answers), &halves);
    let found = cascade(&halves, &answers, &[]);
    let found = &found["tables"]["halves"]["cascade"];
    eprintln!("{found}");
    assert_eq!(found["models"].as_array().map(Vec::len), Some(5), "{found}");
    assert!(LEAST_PROMPTS <= found["n"].as_u64().unwrap(), "{found}");
    for policy in ["escalation", "foreseeing"] {
        let gain = &found["policies"][policy]["over_prompt_routing"];
        assert!(0.0 < gain["lower"].as_f64().unwrap(), "{policy}: {gain}");
    }
}

/// Writes a table's rows of the models that have answers, with two folds in place of five: what is
/// learned on either half of the prompts is measured on the other, in a quarter of the time.
fn write_in_halves((table, answers): (&Path, &Path), to: &Path) {
    let mut models: BTreeSet<String> = BTreeSet::new();
    let read = read_answers(&[answers.to_path_buf()], &mut |row| {
        if !models.contains(row.model) {
            models.insert(row.model.to_owned());
        }
    });
    read.unwrap();
    let mut texts: Vec<String> = Vec::new();
    let options = ReadOptions::default();
    let table = read_outcomes(&[table.to_path_buf()], &options, &mut |_, request| {
        texts.push(request.messages[0].text.to_string());
    });
    let table = table.unwrap();
    let mut lines = String::new();
    for outcome in &table.outcomes {
        let (prompt, model) = (outcome.prompt as usize, usize::from(outcome.model));
        if !models.contains(&table.models[model]) {
            continue;
        }
        let row = serde_json::json!({
            "prompt_id": table.prompts[prompt].id,
            // A prompt's text counts in its first row.
            "prompt": std::mem::take(&mut texts[prompt]),
            "model": table.models[model],
            "quality": outcome.quality,
            "cost_usd": outcome.cost_usd,
            "input_tokens": outcome.input_tokens,
            "output_tokens": outcome.output_tokens,
            "fold": table.prompts[prompt].group % 2,
        });
        lines.push_str(&row.to_string());
        lines.push('\n');
    }
    fs::write(to, lines).unwrap();
}
