//! An exported policy gives the same scores wherever it is used: as training made it, as
//! evaluation loads it, and as the command line decides with it.

use crate::{
    tables::{POLICY, TABLE},
    workbench::Workbench,
};
use pointsman_core::{
    artifact::Artifact,
    features::{Bigrams, Extractor, FeatureSchema},
    policy::{Policy, Workspace},
    request::Request,
    scorer::{Scorer, Scores},
};
use pointsman_data::{ReadOptions, read_outcomes};
use pointsman_train::{
    design::DesignBuilder,
    outcomes::Outcomes,
    train::{Regularisation, TrainConfig, TrainingSet, train},
};
use proptest::{prelude::*, test_runner::Config};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The scorer of [`POLICY`], learned here without the command line.
static TRAINED: LazyLock<Scorer> = LazyLock::new(|| {
    let bench = Workbench::with(&[("table.ndjson", TABLE.as_bytes())]);
    let mut builder = DesignBuilder::new(FeatureSchema::new(12, Bigrams::With).unwrap());
    let paths = [bench.path("table.ndjson")];
    let read = read_outcomes(&paths, &ReadOptions::default(), &mut |_, request| {
        builder.push(request);
    });
    let (table, design) = (read.unwrap(), builder.finish());
    let matrix = table.matrix().unwrap();
    let n_models = matrix.models.len();
    let quality = matrix.quality.iter().map(|&quality| narrow(quality)).collect();
    let tokens = matrix.output_tokens.iter().map(|tokens| narrow(f64::from(tokens.unwrap())));
    let outcomes =
        Outcomes::full(n_models, quality, matrix.cost_usd.clone(), Some(tokens.collect()));
    let groups: Vec<u64> = table.prompts.iter().map(|prompt| prompt.group).collect();
    let input_tokens: Vec<Option<u32>> =
        matrix.input_tokens.chunks(n_models).map(|row| row[0]).collect();
    let rows: Vec<u32> = (0..u32::try_from(design.n_rows()).unwrap()).collect();
    let set = TrainingSet {
        design: &design,
        outcomes: &outcomes.unwrap(),
        groups: &groups,
        input_tokens: &input_tokens,
        rows: &rows,
    };
    let config = TrainConfig::new(0, Regularisation::HeldOut).unwrap();
    Scorer::new(train(&set, &config, &|_| {}).unwrap().parts).unwrap()
});

static LOADED: LazyLock<Policy> = LazyLock::new(|| {
    let artifact = Artifact::from_bytes(POLICY.as_slice()).unwrap();
    Policy::new(artifact.scorer().clone(), &artifact.card().models, None).unwrap()
});

static BENCH: LazyLock<Workbench> =
    LazyLock::new(|| Workbench::with(&[("policy.safetensors", &POLICY)]));

#[test]
fn training_and_the_file_hold_the_same_weights() {
    assert_eq!(TRAINED.parts(), LOADED.scorer().parts());
}

/// Text as people write it, and text as nobody does.
fn prompts() -> impl Strategy<Value = String> {
    let words =
        "(Write|Translate|Fix|Explain|the|a|function|invoice|über|合計|42|3.14|`x`|\n){1,12}";
    prop_oneof!["\\PC{1,300}", words, "[a-z ,.]{1,80}\\PC{0,20}"]
}

proptest! {
    #![proptest_config(Config { cases: 256, ..Config::default() })]

    #[test]
    fn training_and_evaluation_score_alike(prompt in prompts()) {
        let request = Request::from_prompt(&prompt);
        prop_assert_eq!(as_trained(&request), as_evaluated(&request));
    }
}

proptest! {
    #![proptest_config(Config { cases: 32, max_shrink_iters: 16, ..Config::default() })]

    #[test]
    fn evaluation_and_the_command_line_score_alike(prompt in prompts()) {
        let body = json!({"messages": [{"role": "user", "content": prompt}]});
        let routed = BENCH.run_with(
            "route --policy policy.safetensors --json -",
            body.to_string().as_bytes(),
        );
        prop_assert_eq!(routed.code, Some(0), "{}", routed.stderr);
        let decision: Value = serde_json::from_str(&routed.stdout).unwrap();
        let candidates = decision["candidates"].as_array().unwrap();
        let of = |candidate: &Value| candidate["quality"].as_f64().unwrap().to_bits();
        let as_routed: Vec<u64> = candidates.iter().map(of).collect();
        prop_assert_eq!(as_routed, as_evaluated(&Request::from_prompt(&prompt)));
    }
}

fn as_trained(request: &Request<'_>) -> Vec<u64> {
    let mut extractor = Extractor::new(TRAINED.schema());
    let mut scores = Scores::default();
    TRAINED.score(&extractor.extract(request), &mut scores);
    scores.quality().iter().map(|&quality| f64::from(quality).to_bits()).collect()
}

fn as_evaluated(request: &Request<'_>) -> Vec<u64> {
    let mut workspace = Workspace::new(&LOADED);
    LOADED.distribute(request, &mut workspace).unwrap();
    let candidates = workspace.candidates();
    candidates.iter().map(|candidate| candidate.expected.quality.to_bits()).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "as the command line does")]
fn narrow(value: f64) -> f32 {
    value as f32
}
