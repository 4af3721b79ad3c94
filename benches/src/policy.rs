//! A policy of the usual size, put together the way serving does: through the bytes of an artifact.

use pointsman_core::{
    artifact::{Artifact, Card, Origin, Provenance, Standing},
    catalog::Catalog,
    explorer::{Explorer, Rule},
    features::{FeatureSchema, N_DENSE},
    objective::{Objective, Weights},
    policy::Policy,
    request::{Message, Request, Role},
    scorer::{DenseScaling, LogLine, Scorer, ScorerParts},
    units::Probability,
};
use pointsman_testkit::{Draws, Stream};
use std::{borrow::Cow, collections::BTreeMap, error::Error};

/// Where expected costs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prices {
    /// Two endpoints per model, with prices.
    Catalog,
    /// Learned costs.
    Learned,
}

/// A policy of so many models that explores and weighs cost against quality.
///
/// # Errors
/// What the artifact, the catalog or the policy refuses; a bug in this file.
pub fn policy(n_models: usize, prices: Prices) -> Result<Policy, Box<dyn Error>> {
    let bytes = artifact(n_models)?.to_bytes()?;
    let artifact = Artifact::from_bytes(&bytes)?;
    let catalog = match prices {
        Prices::Catalog => Some(Catalog::from_toml(&catalog_toml(n_models))?),
        Prices::Learned => None,
    };
    let models = &artifact.card().models;
    let explorer = Explorer::new(Rule::InverseGap { gamma: 200.0 }, Probability::new(0.05)?)?;
    let objective = Objective::Tradeoff(Weights::new(5.0, 0.001)?);
    let policy = Policy::new(artifact.scorer().clone(), models, catalog.as_ref())?;
    Ok(policy.with_explorer(explorer).with_objective(objective))
}

/// The only message of a request, borrowed from its bytes.
///
/// # Errors
/// Where the bytes are not UTF-8.
pub fn message(bytes: &[u8]) -> Result<[Message<'_>; 1], std::str::Utf8Error> {
    let text = Cow::Borrowed(std::str::from_utf8(bytes)?);
    Ok([Message { role: Role::User, text }])
}

/// A request that owns nothing.
pub fn request<'a>(messages: &'a [Message<'a>]) -> Request<'a> {
    Request { messages: Cow::Borrowed(messages), ..Request::default() }
}

/// A policy file of so many models.
///
/// # Errors
/// What the artifact refuses; a bug in this file.
pub fn artifact(n_models: usize) -> Result<Artifact, Box<dyn Error>> {
    let parts = parts(n_models);
    let models: Vec<String> = (0..n_models).map(|index| format!("vendor/model-{index}")).collect();
    let card = Card {
        name: "bench".to_owned(),
        schema: parts.schema,
        operating_points: Vec::new(),
        standing: Standing { best_single: models[0].clone(), sentence: "Route.".to_owned() },
        models,
        provenance: Provenance {
            origin: Origin::OutcomeTable,
            data_digest: "0".repeat(64),
            n_requests: 1,
            n_outcomes: 1,
            seed: 7,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: BTreeMap::new(),
        },
    };
    Ok(Artifact::new(&card, &Scorer::new(parts)?, &[1])?)
}

fn parts(n_models: usize) -> ScorerParts {
    let schema = FeatureSchema::default();
    let (n_buckets, n_columns) = (schema.n_buckets(), n_models + 1);
    let mut draws = Draws::keyed(7, Stream::Words, &[1, n_models as u64]);
    let line = |intercept: f64| LogLine { intercept, slope: 0.4, least: 1e-6, most: 4000.0 };
    let mut small = |scale: f64| narrow(scale * (draws.uniform() - 0.5));
    let intercepts = (0..n_columns).map(|_| 0.6 + small(0.2)).collect();
    let dense_weights = (0..N_DENSE * n_columns).map(|_| small(0.05)).collect();
    let mut draws = Draws::keyed(7, Stream::Words, &[2, n_models as u64]);
    ScorerParts {
        schema,
        n_models,
        term_weights: (0..n_buckets * n_columns).map(|_| weight(&mut draws)).collect(),
        squared_idf: (0..n_buckets)
            .map(|_| u16::try_from(draws.between(256, 20_000)).unwrap_or(256))
            .collect(),
        scales: vec![0.004; n_columns],
        intercepts,
        dense_weights,
        dense_scaling: DenseScaling { centres: [0.5; N_DENSE], factors: [0.7; N_DENSE] },
        output_tokens: Some(
            (0_u32..).take(n_models).map(|m| line(5.0 + f64::from(m) / 50.0)).collect(),
        ),
        cost_usd: Some((0_u32..).take(n_models).map(|m| line(f64::from(m) / 9.0 - 8.0)).collect()),
        input_tokens_per_byte: 0.25,
    }
}

fn weight(draws: &mut Draws) -> i8 {
    i8::try_from(draws.bits() % 255).unwrap_or(-100)
}

/// A catalog of so many models, each with two endpoints.
pub fn catalog_toml(n_models: usize) -> String {
    let endpoint = |model: usize, provider: usize| {
        format!(
            "[[models.endpoints]]\nprovider = \"provider-{provider}\"\n\
             input_usd_per_million = {model}.{provider}5\noutput_usd_per_million = {model}.9{provider}\n\
             ttft_ms = 300.0\ntokens_per_second = 60.0\n"
        )
    };
    let model = |model: usize| {
        format!(
            "[[models]]\nid = \"vendor/model-{model}\"\ncontext_window = 128000\n\
             max_output_tokens = 8192\ncapabilities = [\"tools\"]\n{}{}",
            endpoint(model, 1),
            endpoint(model, 2),
        )
    };
    (0..n_models).map(model).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "weights are single precision")]
fn narrow(value: f64) -> f32 {
    value as f32
}
