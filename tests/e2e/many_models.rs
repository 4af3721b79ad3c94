//! Hundreds of models, more than have a column each: from a table to decisions.
//!
//! Prompts are of eight kinds, and every model is good at one of them; which one is known.

use crate::workbench::Workbench;
use pointsman_testkit::{Draws, Stream};
use serde_json::Value;
use std::{fmt::Write as _, ops::Range};

const N_MODELS: u64 = 400;
const N_KINDS: u64 = 8;

const SYLLABLES: [&str; 16] = [
    "ba", "ce", "di", "fo", "gu", "ha", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "wu", "za",
];

/// One of the words of a kind, or of those that all have.
fn word(kind: u64, place: u64) -> String {
    let mut draws = Draws::keyed(5, Stream::Words, &[kind, place]);
    (0..3).map(|_| draws.choice(&SYLLABLES)).collect()
}

/// A prompt, and its kind.
fn prompt(index: u64) -> (u64, String) {
    let kind = index % N_KINDS;
    let mut draws = Draws::keyed(6, Stream::Setting, &[index]);
    let mut words: Vec<String> = (0..3).map(|_| word(kind, draws.between(0, 9))).collect();
    words.extend((0..5).map(|_| word(N_KINDS, draws.between(0, 29))));
    (kind, words.join(" "))
}

/// Every model's outcome on some prompts; a prompt's first row has its text.
fn table(prompts: Range<u64>) -> String {
    let mut table = String::new();
    for index in prompts {
        let (kind, text) = prompt(index);
        for model in 0..N_MODELS {
            let truth = if model % N_KINDS == kind { 0.75 } else { 0.35 };
            let mut draws = Draws::keyed(7, Stream::Outcome, &[index, model]);
            let quality = u8::from(draws.chance(truth));
            write!(
                table,
                r#"{{"prompt_id":"p{index}","model":"model-{model:03}","quality":{quality}"#
            )
            .unwrap();
            if model == 0 {
                write!(table, r#","prompt":"{text}""#).unwrap();
            }
            table.push_str("}\n");
        }
    }
    table
}

#[test]
fn four_hundred_models_are_learned_kept_and_decided_among() {
    let (many, later) = (table(0..300), table(300..360));
    let bench =
        Workbench::with(&[("many.ndjson", many.as_bytes()), ("later.ndjson", later.as_bytes())]);
    bench.done("train --table many.ndjson --out many.safetensors --buckets 10 --json learned.json");
    let learned = bench.json("learned.json");
    assert_eq!(learned["models"].as_array().unwrap().len(), 400);
    let sentence = learned["standing"]["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("Route: "), "{sentence}");
    let n_bytes = bench.read("many.safetensors").len();
    assert!(n_bytes < 1024 * 200, "{n_bytes}: the models share columns");
    let is_right = |kind: &u64| {
        let (kind, text) = prompt(8 * 100 + kind);
        let routed = bench.run_with(
            "route --policy many.safetensors --objective quality --json -",
            text.as_bytes(),
        );
        assert_eq!(routed.code, Some(0), "{}", routed.stderr);
        let decision: Value = serde_json::from_str(&routed.stdout).unwrap();
        assert_eq!(decision["candidates"].as_array().unwrap().len(), 400);
        let model = decision["model"].as_str().unwrap();
        let number: u64 = model.trim_start_matches("model-").parse().unwrap();
        number % N_KINDS == kind
    };
    let n_right = (0..N_KINDS).filter(is_right).count();
    assert!(6 <= n_right, "{n_right} of {N_KINDS}");
    bench.done(
        "evaluate --table later.ndjson --policy many.safetensors --objective quality --json found.json",
    );
    let found = &bench.json("found.json")["values"];
    let of_policy = found.as_array().unwrap().iter().find(|value| value["policy"] == "many");
    let value = of_policy.unwrap()["value"].as_f64().unwrap();
    assert!(0.55 < value, "{value} where no single model is worth more than 0.4 in truth");
}
