//! Files of every released version load for ever, and score to the same bits.
//!
//! `golden/artifact-v1.safetensors` is a policy of three models in 2^8 buckets, and
//! `golden/artifact-v1.json` what it says of some requests. Before version 1 is released, a change
//! of the format or of the features may replace both: delete them and run
//! `cargo test -p pointsman-tests --test e2e -- --ignored golden`. After that it never may: such a
//! change is then version 2, with files of its own beside these.

use crate::workbench::root;
use pointsman_core::{
    artifact::{Artifact, Card, Origin, Provenance, Standing},
    features::{Bigrams, Extractor, FeatureSchema, N_DENSE},
    objective::{Band, OperatingPoint},
    request::Request,
    scorer::{DenseScaling, LogLine, Scorer, ScorerParts, Scores},
    units::Probability,
};
use pointsman_log::body::ChatBody;
use pointsman_testkit::{Draws, Stream};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::PathBuf};

#[test]
fn artifact_v1_loads_and_scores_to_the_same_bits() {
    let artifact = Artifact::from_bytes(&bytes()).unwrap();
    let written: Value =
        serde_json::from_slice(&fs::read(at("artifact-v1.json")).unwrap()).unwrap();
    assert_eq!(written["sha256"], artifact.digest());
    assert_eq!(written["models"], json!(artifact.card().models));
    let cases = written["requests"].as_array().unwrap();
    assert!(cases.len() == bodies().len());
    for case in cases {
        let found = bits(&artifact, &case["body"]);
        assert_eq!(json!(found), case["bits"], "{}", case["body"]);
    }
}

#[test]
fn artifact_v1_is_written_again_to_the_same_bytes() {
    let bytes = bytes();
    assert_eq!(Artifact::from_bytes(&bytes).unwrap().to_bytes().unwrap(), bytes);
}

#[test]
fn artifact_v1_says_what_it_said() {
    let artifact = Artifact::from_bytes(&bytes()).unwrap();
    assert_eq!(*artifact.card(), card(&parts()));
    assert_eq!(artifact.n_training_rows(), 3);
    assert!(artifact.was_trained_on(5) && !artifact.was_trained_on(6));
}

#[test]
#[ignore = "writes the golden files, which are written once"]
fn write_artifact_v1() {
    let parts = parts();
    let card = card(&parts);
    let artifact = Artifact::new(&card, &Scorer::new(parts).unwrap(), &[1, 5, 9]).unwrap();
    let requests: Vec<Value> = bodies()
        .into_iter()
        .map(|body| json!({"bits": bits(&artifact, &body), "body": body}))
        .collect();
    let written = json!({
        "sha256": artifact.digest(),
        "models": artifact.card().models,
        "requests": requests,
    });
    for (name, bytes) in [
        ("artifact-v1.safetensors", artifact.to_bytes().unwrap()),
        ("artifact-v1.json", format!("{written:#}\n").into_bytes()),
    ] {
        assert!(!at(name).exists(), "{name} is there; it must not change (see above)");
        fs::write(at(name), bytes).unwrap();
    }
}

/// The policy of version 1.
pub(crate) fn bytes() -> Vec<u8> {
    fs::read(at("artifact-v1.safetensors")).unwrap()
}

fn at(name: &str) -> PathBuf {
    root().join("tests/golden").join(name)
}

/// The scores of a chat body, then its length column, as the hexadecimal bits of each float.
fn bits(artifact: &Artifact, body: &Value) -> Vec<String> {
    let body = ChatBody::from_json(body.to_string().as_bytes()).unwrap();
    let request: Request<'_> = body.to_request();
    let mut extractor = Extractor::new(artifact.scorer().schema());
    let mut scores = Scores::default();
    artifact.scorer().score(&extractor.extract(&request), &mut scores);
    let all = scores.quality().iter().copied().chain([scores.length()]);
    all.map(|score| format!("{:08x}", score.to_bits())).collect()
}

fn bodies() -> Vec<Value> {
    let user = |text: &str| json!({"messages": [{"role": "user", "content": text}]});
    vec![
        user("Hello"),
        user("What is the capital of France, and since when?"),
        user("fn main() {\n    let x: Vec<u64> = (0..10).map(|n| n * n).collect();\n}\n```rust\n"),
        user("Übersetze „Grüße aus Köln“ ins Japanische: こんにちは、世界。Ещё раз. 👋🏽"),
        user("1 234,50 € + 19 % = ?\t\t  MANY   spaces AND Capitals"),
        user(&"The quick brown fox jumps over the lazy dog. ".repeat(900)),
        json!({
            "messages": [
                {"role": "system", "content": "You answer in one sentence."},
                {"role": "user", "content": "Who wrote Faust?"},
                {"role": "assistant", "content": "Goethe did."},
                {"role": "user", "content": [{"type": "text", "text": "When? See the picture."},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]},
            ],
            "tools": [{"type": "function"}, {"type": "function"}],
            "max_tokens": 200,
        }),
    ]
}

fn card(parts: &ScorerParts) -> Card {
    let level = Probability::new(0.95).unwrap();
    let band = |value: f64| Band { value, lower: value / 2.0, upper: value * 1.25, level };
    Card {
        name: "golden \"v1\"".to_owned(),
        schema: parts.schema,
        models: ["small", "vendor/middle", "groß"].map(str::to_owned).to_vec(),
        mean_quality: None,
        operating_points: vec![
            OperatingPoint {
                name: "balanced".to_owned(),
                per_dollar: 0.1 + 0.2,
                favour: None,
                quality: band(0.7),
                cost_usd: band(0.002),
                cost_share: None,
                strong_share: None,
                guarantee: None,
            },
            OperatingPoint {
                name: "quality".to_owned(),
                per_dollar: 0.0,
                favour: None,
                quality: band(0.75),
                cost_usd: band(0.01),
                cost_share: None,
                strong_share: None,
                guarantee: None,
            },
        ],
        standing: Standing {
            best_single: "groß".to_owned(),
            sentence: "A policy that was made up.".to_owned(),
        },
        provenance: Provenance {
            origin: Origin::TrafficLog,
            data_digest: "0123456789abcdef".repeat(4),
            n_requests: 3,
            n_outcomes: 3,
            seed: 7,
            version: "0.1.0".to_owned(),
            settings: BTreeMap::from([("share.constant".to_owned(), "0.2500".to_owned())]),
        },
    }
}

/// A scorer drawn at random, the same on every machine: every number is a small fraction of two.
fn parts() -> ScorerParts {
    let schema = FeatureSchema::new(8, Bigrams::With).unwrap();
    let (n_models, n_columns) = (3, 4);
    let mut draws = Draws::keyed(1, Stream::Words, &[1]);
    let mut eighths = |n: usize| -> Vec<f32> {
        (0..n)
            .map(|_| f32::from(u16::try_from(draws.between(0, 64)).unwrap()) / 64.0 - 0.5)
            .collect()
    };
    let (intercepts, dense_weights) = (eighths(n_columns), eighths(N_DENSE * n_columns));
    let centres = eighths(N_DENSE).try_into().unwrap();
    let mut draws = Draws::keyed(1, Stream::Words, &[2]);
    let line = |intercept: f64| LogLine { intercept, slope: 0.5, least: 1.0, most: 4096.0 };
    ScorerParts {
        schema,
        n_models,
        term_weights: (0..schema.n_buckets() * n_columns)
            .map(|_| i8::try_from(draws.between(0, 254)).map_or(-100, |weight| weight - 63))
            .collect(),
        squared_idf: (0..schema.n_buckets())
            .map(|_| u16::try_from(draws.between(256, 20_000)).unwrap())
            .collect(),
        scales: vec![0.015_625, 0.031_25, 0.007_812_5, 0.062_5],
        intercepts,
        dense_weights,
        dense_scaling: DenseScaling { centres, factors: [0.75; N_DENSE] },
        factor: None,
        clusters: None,
        output_tokens: Some(vec![line(4.0), line(5.0), line(6.0)]),
        cost_usd: None,
        input_tokens_per_byte: 0.25,
    }
}
