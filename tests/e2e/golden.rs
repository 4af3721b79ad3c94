//! Files of every released version load for ever, and score to the same bits.
//!
//! `golden/artifact-v1.safetensors` is a policy of three models in 2^8 buckets, `artifact-v2` the same
//! with clusters and a factor, `artifact-v3` the first pruned and with a second length,
//! `artifact-v1-answers` the first with readers of answers, and `artifact-v1-foresight` that with what
//! is foreseen of them; the `.json` beside each but the last is what it says of some requests. Before a
//! version is released, a change of the format or of the features may replace its files: delete them
//! and run `cargo test -p pointsman-tests --test e2e -- --ignored golden`. After that it never may:
//! such a change is then a new version, with files of its own beside these.

use crate::workbench::root;
use pointsman_core::{
    answer::{Answer, AnswerExtractor, N_SIGNS},
    artifact::{Artifact, Card, Origin, Provenance, Pruning, Standing},
    escalation::{
        EscalationParts, EscalationScorer, EscalationScores, Foresight, InputScaling, N_INPUTS,
        N_PRODUCTS, Reader, TermParts,
    },
    features::{Bigrams, Extractor, FeatureSchema, N_DENSE, SchemaVersion},
    objective::{Band, OperatingPoint},
    request::Request,
    scorer::{Clusters, DenseScaling, Factor, LogLine, Scorer, ScorerParts, Scores, TokenLength},
    units::Probability,
};
use pointsman_log::body::ChatBody;
use pointsman_testkit::{Draws, Stream};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::PathBuf};

const VERSIONS: [u32; 3] = [1, 2, 3];

/// What of the terms of version 3 has weights: every fourth.
const KEPT: usize = 4;

/// The policy of version 1 with readers of two models' answers.
const WITH_READERS: &str = "artifact-v1-answers";

#[test]
fn readers_of_answers_load_and_score_to_the_same_bits() {
    let bytes = fs::read(at(&format!("{WITH_READERS}.safetensors"))).unwrap();
    let artifact = Artifact::from_bytes(&bytes).unwrap();
    assert_eq!(artifact.to_bytes().unwrap(), bytes);
    let json = fs::read(at(&format!("{WITH_READERS}.json"))).unwrap();
    let written: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(written["sha256"], artifact.digest());
    assert_eq!(written["answers"], answered(&artifact));
    let expected = readers();
    assert_eq!(artifact.readers().len(), expected.len());
    for (found, expected) in artifact.readers().iter().zip(&expected) {
        assert_eq!((found.model, &found.next), (expected.model, &expected.next));
        assert_eq!(found.scorer.parts(), expected.scorer.parts());
    }
}

/// What is foreseen of answers stands in the card of the file with readers, and is all that is new.
#[test]
fn what_is_foreseen_loads_and_is_written_again_to_the_same_bytes() {
    let bytes = fs::read(at("artifact-v1-foresight.safetensors")).unwrap();
    let artifact = Artifact::from_bytes(&bytes).unwrap();
    let expected = Foresight::new(0, vec![0.0, 0.5, 8.0], vec![0.25, 0.125, 0.0625]).unwrap();
    assert_eq!(artifact.card().foresight, [expected]);
    assert_eq!(artifact.to_bytes().unwrap(), bytes);
    let without = artifact.with_foresight(Vec::new()).unwrap().to_bytes().unwrap();
    assert_eq!(without, fs::read(at(&format!("{WITH_READERS}.safetensors"))).unwrap());
}

#[test]
#[ignore = "writes the golden files that are not there, which are written once"]
fn write_readers() {
    let parts = parts(1);
    let card = card(&parts, 1);
    let artifact = Artifact::new(&card, &Scorer::new(parts).unwrap(), &[1, 5, 9]).unwrap();
    let artifact = artifact.with_readers(&readers()).unwrap();
    let written = json!({"sha256": artifact.digest(), "answers": answered(&artifact)});
    for (extension, bytes) in [
        ("safetensors", artifact.to_bytes().unwrap()),
        ("json", format!("{written:#}\n").into_bytes()),
    ] {
        let path = at(&format!("{WITH_READERS}.{extension}"));
        if !path.exists() {
            fs::write(path, bytes).unwrap();
        }
    }
}

/// What every reader says of every answer to every request, as the hexadecimal bits of each float.
fn answered(artifact: &Artifact) -> Value {
    let answers = [
        "",
        "Paris, since 987.",
        "3 + 4 = 8, so the answer is (B). No: the answer is (C).",
        "I am sorry, I cannot help with that. ```rust\nfn main() {",
        "{\"answer\": [1, 2}",
    ];
    let schema = artifact.scorer().schema();
    let (mut prompts, mut extractor) = (Extractor::new(schema), AnswerExtractor::new(schema));
    let mut scores = EscalationScores::default();
    let mut all = Vec::new();
    for body in bodies() {
        let json = body.to_string();
        let body = ChatBody::from_json(json.as_bytes()).unwrap();
        let request: Request<'_> = body.to_request();
        for text in answers {
            let answer = Answer::from_text(text);
            for reader in artifact.readers() {
                let prompt = prompts.extract(&request);
                let answer = extractor.extract(&request, &answer);
                reader.scorer.score(&prompt, &answer, &mut scores);
                let bits = scores.quality().iter().map(|it| format!("{:08x}", it.to_bits()));
                all.push(bits.collect::<Vec<_>>());
            }
        }
    }
    json!(all)
}

/// Readers drawn at random, the same on every machine.
fn readers() -> Vec<Reader> {
    [(0, vec![1, 2], 3), (2, vec![0, 1], 4)]
        .into_iter()
        .map(|(model, next, key)| {
            let scorer = EscalationScorer::new(reader_parts(key)).unwrap();
            Reader { model, next, scorer }
        })
        .collect()
}

fn reader_parts(key: u64) -> EscalationParts {
    let schema = FeatureSchema::new(8, Bigrams::With).unwrap().with_version(SchemaVersion::First);
    let n_columns = 3;
    let mut draws = Draws::keyed(1, Stream::Words, &[key]);
    let mut fractions = |n: usize, over: f32| -> Vec<f32> {
        (0..n)
            .map(|_| (f32::from(u16::try_from(draws.between(0, 64)).unwrap()) - 32.0) / over)
            .collect()
    };
    let intercepts = fractions(n_columns, 64.0);
    let mut scaling = || DenseScaling {
        centres: fractions(N_DENSE, 64.0).try_into().unwrap(),
        factors: [0.75; N_DENSE],
    };
    let (prompt, shape) = (scaling(), scaling());
    let sign_centres = fractions(N_SIGNS, 64.0).try_into().unwrap();
    let linear = fractions(n_columns * N_INPUTS, 4096.0);
    let products = fractions(n_columns * N_PRODUCTS, 65_536.0);
    let mut draws = Draws::keyed(1, Stream::Words, &[key, 2]);
    let mut terms = || TermParts {
        weights: (0..schema.n_buckets() * n_columns)
            .map(|_| i8::try_from(draws.between(0, 254)).map_or(-100, |weight| weight - 63))
            .collect(),
        squared_idf: (0..schema.n_buckets())
            .map(|_| u16::try_from(draws.between(256, 20_000)).unwrap())
            .collect(),
        scales: vec![0.015_625, 0.031_25, 0.007_812_5],
    };
    let (of_prompt, of_answer) = (terms(), terms());
    EscalationParts {
        schema,
        n_columns,
        prompt: of_prompt,
        answer: of_answer,
        intercepts,
        scaling: InputScaling { prompt, shape, sign_centres, sign_factors: [0.5; N_SIGNS] },
        linear,
        products,
    }
}

#[test]
fn artifact_v1_loads_and_scores_to_the_same_bits() {
    check_scores(1);
}

#[test]
fn artifact_v2_loads_and_scores_to_the_same_bits() {
    check_scores(2);
}

#[test]
fn artifact_v3_loads_and_scores_to_the_same_bits() {
    check_scores(3);
}

#[track_caller]
fn check_scores(version: u32) {
    let artifact = Artifact::from_bytes(file(version)).unwrap();
    let json = fs::read(at(&format!("artifact-v{version}.json"))).unwrap();
    let written: Value = serde_json::from_slice(&json).unwrap();
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
fn artifacts_are_written_again_to_the_same_bytes() {
    for version in VERSIONS {
        let bytes = file(version);
        assert_eq!(Artifact::from_bytes(&bytes).unwrap().to_bytes().unwrap(), bytes);
    }
}

#[test]
fn artifacts_say_what_they_said() {
    for version in VERSIONS {
        let artifact = Artifact::from_bytes(file(version)).unwrap();
        assert_eq!(*artifact.card(), card(&parts(version), version));
        assert_eq!(*artifact.scorer().parts(), parts(version));
        assert_eq!(artifact.n_training_rows(), 3);
        assert!(artifact.was_trained_on(5) && !artifact.was_trained_on(6));
    }
}

#[test]
#[ignore = "writes the golden files that are not there, which are written once"]
fn write_artifacts() {
    for version in VERSIONS {
        let parts = parts(version);
        let card = card(&parts, version);
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
        for (extension, bytes) in [
            ("safetensors", artifact.to_bytes().unwrap()),
            ("json", format!("{written:#}\n").into_bytes()),
        ] {
            let path = at(&format!("artifact-v{version}.{extension}"));
            if !path.exists() {
                fs::write(path, bytes).unwrap();
            }
        }
    }
}

/// The policy of version 1.
pub(crate) fn bytes() -> Vec<u8> {
    file(1)
}

fn file(version: u32) -> Vec<u8> {
    fs::read(at(&format!("artifact-v{version}.safetensors"))).unwrap()
}

fn at(name: &str) -> PathBuf {
    root().join("tests/golden").join(name)
}

/// The scores of a chat body, then its length column, then that of output tokens if they have their
/// own, as the hexadecimal bits of each float.
fn bits(artifact: &Artifact, body: &Value) -> Vec<String> {
    let json = body.to_string();
    let body = ChatBody::from_json(json.as_bytes()).unwrap();
    let request: Request<'_> = body.to_request();
    let mut extractor = Extractor::new(artifact.scorer().schema());
    let mut scores = Scores::default();
    artifact.scorer().score(&extractor.extract(&request), &mut scores);
    let own = match artifact.scorer().parts().token_length {
        TokenLength::Shared => None,
        TokenLength::Own => Some(scores.token_length()),
    };
    let all = scores.quality().iter().copied().chain([scores.length()]).chain(own);
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

fn card(parts: &ScorerParts, version: u32) -> Card {
    let level = Probability::new(0.95).unwrap();
    let band = |value: f64| Band { value, lower: value / 2.0, upper: value * 1.25, level };
    let pruning =
        Pruning { n_terms: 256, n_kept: 256 / KEPT as u64, loss: band(0.125), n_requests: 40 };
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
        pruning: (version == 3).then_some(pruning),
        foresight: Vec::new(),
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
fn parts(version: u32) -> ScorerParts {
    // Files of the first two versions were written by the first rules.
    let rules = if version == 3 { SchemaVersion::Second } else { SchemaVersion::First };
    let schema = FeatureSchema::new(8, Bigrams::With).unwrap().with_version(rules);
    let (n_models, n_columns) = (3, if version == 1 { 4 } else { 5 });
    let mut draws = Draws::keyed(1, Stream::Words, &[1]);
    let mut eighths = |n: usize| -> Vec<f32> {
        (0..n)
            .map(|_| f32::from(u16::try_from(draws.between(0, 64)).unwrap()) / 64.0 - 0.5)
            .collect()
    };
    let (intercepts, dense_weights) = (eighths(n_columns), eighths(N_DENSE * n_columns));
    let centres = eighths(N_DENSE).try_into().unwrap();
    // Two directions for three models, and three clusters in two more.
    let factor = Factor { rank: 2, loadings: eighths(6), intercepts: eighths(3) };
    let clusters = Clusters { centres: eighths(6), n_clusters: 3, offsets: eighths(9) };
    let (factor, clusters) =
        if version == 2 { (Some(factor), Some(clusters)) } else { (None, None) };
    let mut draws = Draws::keyed(1, Stream::Words, &[2]);
    let line = |intercept: f64| LogLine { intercept, slope: 0.5, least: 1.0, most: 4096.0 };
    let mut term_weights: Vec<i8> = (0..schema.n_buckets() * n_columns)
        .map(|_| i8::try_from(draws.between(0, 254)).map_or(-100, |weight| weight - 63))
        .collect();
    let squared_idf = (0..schema.n_buckets())
        .map(|_| u16::try_from(draws.between(256, 20_000)).unwrap())
        .collect();
    if version == 3 {
        for (bucket, row) in term_weights.chunks_exact_mut(n_columns).enumerate() {
            if !bucket.is_multiple_of(KEPT) {
                row.fill(0);
            }
        }
    }
    ScorerParts {
        schema,
        n_models,
        term_weights,
        squared_idf,
        scales: [0.015_625, 0.031_25, 0.007_812_5, 0.062_5, 0.031_25][..n_columns].to_vec(),
        intercepts,
        dense_weights,
        dense_scaling: DenseScaling { centres, factors: [0.75; N_DENSE] },
        factor,
        clusters,
        token_length: if version == 3 { TokenLength::Own } else { TokenLength::Shared },
        output_tokens: Some(vec![line(4.0), line(5.0), line(6.0)]),
        cost_usd: None,
        input_tokens_per_byte: 0.25,
    }
}
