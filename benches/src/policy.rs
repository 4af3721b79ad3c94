//! A policy of the usual size, put together the way serving does: through the bytes of an artifact.

use pointsman_core::{
    answer::N_SIGNS,
    artifact::{Artifact, Card, Origin, Provenance, Standing},
    catalog::Catalog,
    escalation::{
        EscalationParts, EscalationScorer, InputScaling, N_INPUTS, N_PRODUCTS, TermParts,
    },
    explorer::{Explorer, Rule},
    features::{FeatureSchema, N_DENSE},
    newcomers::Newcomers,
    objective::{Objective, Weights},
    policy::Policy,
    request::{Message, Request, Role},
    scorer::{
        Clusters, DenseScaling, Factor, LogLine, Scorer, ScorerError, ScorerParts, TokenLength,
    },
    units::Probability,
};
use pointsman_testkit::{Draws, Stream};
use std::{borrow::Cow, collections::BTreeMap, error::Error};

/// Columns that more than 64 models are mixed from, as training makes them.
const RANK: usize = 32;

/// Directions and clusters of a scorer that knows kinds of requests, as training makes them.
const N_DIMS: usize = 16;
const N_CLUSTERS: usize = 64;

/// Where expected costs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prices {
    /// Two endpoints per model, with prices.
    Catalog,
    /// The same, and as many models again that nothing was learned about.
    CatalogWithNewcomers,
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
        Prices::CatalogWithNewcomers => Some(Catalog::from_toml(&catalog_toml(2 * n_models))?),
        Prices::Learned => None,
    };
    let models = &artifact.card().models;
    let explorer = Explorer::new(Rule::InverseGap { gamma: 200.0 }, Probability::new(0.05)?)?;
    let objective = Objective::Tradeoff(Weights::new(5.0, 0.001)?);
    let mut policy = Policy::new(artifact.scorer().clone(), models, catalog.as_ref())?;
    if let (Prices::CatalogWithNewcomers, Some(catalog)) = (prices, &catalog) {
        policy = policy.with_newcomers(catalog, None, Newcomers::All);
    }
    Ok(policy.with_explorer(explorer).with_objective(objective))
}

/// What reads answers, with weights for so many columns.
///
/// # Errors
/// What the scorer refuses; a bug in this file.
pub fn reader(n_columns: usize) -> Result<EscalationScorer, ScorerError> {
    let schema = FeatureSchema::default();
    let n_buckets = schema.n_buckets();
    let terms = || TermParts {
        weights: (0_i8..=126).cycle().take(n_buckets * n_columns).collect(),
        squared_idf: vec![512; n_buckets],
        scales: vec![0.001; n_columns],
    };
    let dense = || DenseScaling { centres: [0.5; N_DENSE], factors: [1.0; N_DENSE] };
    EscalationScorer::new(EscalationParts {
        schema,
        n_columns,
        prompt: terms(),
        answer: terms(),
        intercepts: vec![0.5; n_columns],
        scaling: InputScaling {
            prompt: dense(),
            shape: dense(),
            sign_centres: [0.5; N_SIGNS],
            sign_factors: [1.0; N_SIGNS],
        },
        linear: vec![0.01; N_INPUTS * n_columns],
        products: vec![0.001; N_PRODUCTS * n_columns],
    })
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
        mean_quality: None,
        operating_points: Vec::new(),
        standing: Standing { best_single: models[0].clone(), sentence: "Route.".to_owned() },
        pruning: None,
        models,
        foresight: Vec::new(),
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
    let mut draws = Draws::keyed(7, Stream::Words, &[1, n_models as u64]);
    let line = |intercept: f64| LogLine { intercept, slope: 0.4, least: 1e-6, most: 4000.0 };
    let mut small = |n: usize, scale: f64| -> Vec<f32> {
        (0..n).map(|_| narrow(scale * (draws.uniform() - 0.5))).collect()
    };
    let factor = (64 < n_models).then(|| Factor {
        rank: RANK,
        loadings: small(RANK * n_models, 1.0),
        intercepts: small(n_models, 1.0),
    });
    let clusters = Clusters {
        centres: small(N_DIMS * N_CLUSTERS, 1.0),
        n_clusters: N_CLUSTERS,
        offsets: small(N_CLUSTERS * n_models, 0.1),
    };
    let (n_buckets, n_quality) = (schema.n_buckets(), if 64 < n_models { RANK } else { n_models });
    let n_columns = n_quality + 1 + N_DIMS;
    let intercepts = small(n_columns, 0.2).into_iter().map(|value| 0.6 + value).collect();
    let dense_weights = small(N_DENSE * n_columns, 0.05);
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
        factor,
        clusters: Some(clusters),
        token_length: TokenLength::Shared,
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
