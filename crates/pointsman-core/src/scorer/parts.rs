//! What a scorer is made of, and what makes parts fit each other.

use super::{Clusters, Factor, LogLine};
use crate::features::{FeatureSchema, N_DENSE};

/// Everything a scorer is made of, as training produces it and as artifacts store it.
///
/// Columns are, in this order: quality, one per model or per direction of the [`Factor`]; the
/// length; the coordinates that [`Clusters`] are found in, if there are clusters; and a second
/// length, if output tokens have one of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct ScorerParts {
    /// How text becomes terms.
    pub schema: FeatureSchema,
    /// How many models are scored.
    pub n_models: usize,
    /// Shape `(n_buckets, n_columns)`, row after row; in units of the column's scale.
    pub term_weights: Vec<i8>,
    /// Shape `(n_buckets,)`: squared inverse document frequencies in steps of
    /// 1/[`super::SQUARED_IDF_STEPS`], never zero.
    pub squared_idf: Vec<u16>,
    /// Shape `(n_columns,)`: what one unit of a column's term weights is worth.
    pub scales: Vec<f32>,
    /// Shape `(n_columns,)`.
    pub intercepts: Vec<f32>,
    /// Shape `(N_DENSE, n_columns)`, row after row; per standard deviation.
    pub dense_weights: Vec<f32>,
    /// How dense features are standardised.
    pub dense_scaling: DenseScaling,
    /// How many models' quality comes out of few columns; without it each model has its own.
    pub factor: Option<Factor>,
    /// What is added to quality by the kind of request.
    pub clusters: Option<Clusters>,
    /// Which length output tokens are read from.
    pub token_length: TokenLength,
    /// Output tokens per model, where they could be learned.
    pub output_tokens: Option<Vec<LogLine>>,
    /// Dollars per answer and model, where they could be learned.
    pub cost_usd: Option<Vec<LogLine>>,
    /// Input tokens per byte of text, as seen in the training data.
    pub input_tokens_per_byte: f64,
}

/// Which length output tokens are read from; costs are read from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenLength {
    /// The first, which is all there is.
    #[default]
    Shared,
    /// A second one, in the last column.
    Own,
}

/// How dense features are standardised: `(value − centre) · factor`, kept within
/// [`DENSE_LIMIT`]. A factor of zero leaves a feature out.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseScaling {
    /// Shape `(N_DENSE,)`: the mean in the training data.
    pub centres: [f32; N_DENSE],
    /// Shape `(N_DENSE,)`: one over the standard deviation in the training data.
    pub factors: [f32; N_DENSE],
}

/// Standardised dense features are kept within this many standard deviations.
pub const DENSE_LIMIT: f32 = 3.0;

impl ScorerParts {
    /// How many columns quality is read from.
    pub fn n_quality_columns(&self) -> usize {
        self.factor.as_ref().map_or(self.n_models, |factor| factor.rank)
    }

    /// How many columns there are in all.
    pub fn n_columns(&self) -> usize {
        let n_dims = self.clusters.as_ref().map_or(0, Clusters::n_dims);
        self.n_quality_columns() + 1 + n_dims + self.token_length.n_columns()
    }
}

impl TokenLength {
    /// How many columns it adds.
    pub(crate) fn n_columns(self) -> usize {
        match self {
            Self::Shared => 0,
            Self::Own => 1,
        }
    }
}

impl DenseScaling {
    /// The standardised features.
    pub fn apply(&self, dense: &[f32; N_DENSE]) -> [f32; N_DENSE] {
        let mut scaled = [0.0; N_DENSE];
        for (index, scaled) in scaled.iter_mut().enumerate() {
            let value = (dense[index] - self.centres[index]) * self.factors[index];
            *scaled = value.clamp(-DENSE_LIMIT, DENSE_LIMIT);
        }
        scaled
    }
}

/// Parts that do not make a scorer.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScorerError {
    /// Lengths that contradict each other.
    #[error("`{part}` has {found} entries where {expected} are needed")]
    Length { part: &'static str, found: usize, expected: usize },
    /// A weight that is not a number.
    #[error("`{part}` entry {index} is {value}, which is not a finite number in its range")]
    Value { part: &'static str, index: usize, value: f64 },
}

pub(super) fn check(parts: &ScorerParts) -> Result<(), ScorerError> {
    let ScorerParts {
        schema,
        n_models,
        term_weights,
        squared_idf,
        scales,
        intercepts,
        dense_weights,
        dense_scaling: DenseScaling { centres, factors },
        factor,
        clusters,
        token_length: _,
        output_tokens,
        cost_usd,
        input_tokens_per_byte,
    } = parts;
    if *n_models == 0 {
        return Err(ScorerError::Length { part: "models", found: 0, expected: 1 });
    }
    if let Some(factor) = factor {
        factor.check(*n_models)?;
    }
    if let Some(clusters) = clusters {
        clusters.check(*n_models)?;
    }
    let (n_columns, n_buckets) = (parts.n_columns(), schema.n_buckets());
    let mut lengths = vec![
        ("term_weights", term_weights.len(), n_buckets * n_columns),
        ("squared_idf", squared_idf.len(), n_buckets),
        ("scales", scales.len(), n_columns),
        ("intercepts", intercepts.len(), n_columns),
        ("dense_weights", dense_weights.len(), N_DENSE * n_columns),
    ];
    for (part, lines) in [("output_tokens", output_tokens), ("cost_usd", cost_usd)] {
        lengths.extend(lines.as_ref().map(|lines| (part, lines.len(), *n_models)));
    }
    for (part, found, expected) in lengths {
        if found != expected {
            return Err(ScorerError::Length { part, found, expected });
        }
    }
    finite("scales", scales)?;
    finite("intercepts", intercepts)?;
    finite("dense_weights", dense_weights)?;
    finite("dense_scaling", centres)?;
    finite("dense_scaling", factors)?;
    if let Some(index) = place_of(&0, squared_idf) {
        return Err(ScorerError::Value { part: "squared_idf", index, value: 0.0 });
    }
    if let Some(index) = place_of(&i8::MIN, term_weights) {
        let value = f64::from(i8::MIN);
        return Err(ScorerError::Value { part: "term_weights", index, value });
    }
    for (part, lines) in [("output_tokens", output_tokens), ("cost_usd", cost_usd)] {
        for (index, line) in lines.iter().flatten().enumerate() {
            check_line(part, index, line)?;
        }
    }
    if !(input_tokens_per_byte.is_finite() && 0.0 < *input_tokens_per_byte) {
        let value = *input_tokens_per_byte;
        return Err(ScorerError::Value { part: "input_tokens_per_byte", index: 0, value });
    }
    Ok(())
}

/// Where a value stands first; that it stands nowhere is seen soonest by looking at many at once.
fn place_of<T: PartialEq>(value: &T, values: &[T]) -> Option<usize> {
    let is_there = values.contains(value);
    is_there.then(|| values.iter().position(|other| other == value)).flatten()
}

fn check_line(part: &'static str, index: usize, line: &LogLine) -> Result<(), ScorerError> {
    let LogLine { intercept, slope, least, most } = *line;
    for value in [intercept, slope, least, most] {
        if !value.is_finite() {
            return Err(ScorerError::Value { part, index, value });
        }
    }
    if least < 0.0 || most < least {
        return Err(ScorerError::Value { part, index, value: least });
    }
    Ok(())
}

/// # Errors
/// [`ScorerError::Value`] for the first number that is not finite.
pub(super) fn finite(part: &'static str, values: &[f32]) -> Result<(), ScorerError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(ScorerError::Value { part, index, value: f64::from(values[index]) }),
        None => Ok(()),
    }
}
