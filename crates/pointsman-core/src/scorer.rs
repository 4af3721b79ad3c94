//! The learned part of a policy: from features to predicted quality and length of each model's
//! answer.
//!
//! A score is linear in the terms of the request, weighted by their inverse document frequency and
//! divided by the length of that vector, and in the standardised dense features, which are kept
//! within three standard deviations so that a freak request cannot run away with a score. Weights of terms are 8-bit
//! integers with one scale per column, so their sum is exact and the same in any order; all that
//! is done in floating point is done in a fixed order without fused operations. That is why the
//! same artifact gives the same bits in training, evaluation and serving, on every machine.
//!
//! Besides a column per model there is one for the *length* of the request's answers, common to
//! all models: `E[output tokens of m] = exp(a_m + b_m · length)`, and the same for cost where
//! only costs are known. A shared direction is a weakness where one model is terse exactly when
//! the others ramble; it is what can be learned from few outcomes.

use crate::{
    features::{FeatureSchema, Features, N_DENSE},
    simd::{self, Job, RowTable},
};

/// Squared inverse document frequencies are stored in steps of 1/256.
pub const SQUARED_IDF_STEPS: f64 = 256.0;

/// Everything a scorer is made of, as training produces it and as artifacts store it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScorerParts {
    /// How text becomes terms.
    pub schema: FeatureSchema,
    /// How many models are scored; there is one column more, the length.
    pub n_models: usize,
    /// Shape `(n_buckets, n_models + 1)`, row after row; in units of the column's scale.
    pub term_weights: Vec<i8>,
    /// Shape `(n_buckets,)`: squared inverse document frequencies in steps of
    /// 1/[`SQUARED_IDF_STEPS`], never zero.
    pub squared_idf: Vec<u16>,
    /// Shape `(n_models + 1,)`: what one unit of a column's term weights is worth.
    pub scales: Vec<f32>,
    /// Shape `(n_models + 1,)`.
    pub intercepts: Vec<f32>,
    /// Shape `(N_DENSE, n_models + 1)`, row after row; per standard deviation.
    pub dense_weights: Vec<f32>,
    /// How dense features are standardised.
    pub dense_scaling: DenseScaling,
    /// Output tokens per model, where they could be learned.
    pub output_tokens: Option<Vec<LogLine>>,
    /// Dollars per answer and model, where they could be learned.
    pub cost_usd: Option<Vec<LogLine>>,
    /// Input tokens per byte of text, as seen in the training data.
    pub input_tokens_per_byte: f64,
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

/// A quantity that grows exponentially with the length column: `exp(intercept + slope · length)`,
/// kept within the range that was seen in training, because an exponential is no guide beyond it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogLine {
    /// The logarithm at length zero.
    pub intercept: f64,
    /// By how much the logarithm grows per unit of length.
    pub slope: f64,
    /// The smallest value that is predicted.
    pub least: f64,
    /// The largest value that is predicted.
    pub most: f64,
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

/// Predicts quality and length for every model.
#[derive(Debug, Clone)]
pub struct Scorer {
    parts: ScorerParts,
    table: RowTable,
}

/// What is predicted for one request; reused from one request to the next.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    columns: Vec<f32>,
    sums: Vec<i32>,
    term_factor: f32,
}

impl LogLine {
    /// The expected quantity at one value of the length column.
    pub fn at(&self, length: f32) -> f64 {
        libm::exp(self.intercept + self.slope * f64::from(length)).clamp(self.least, self.most)
    }
}

/// Overwrites `values` with every line's expected quantity at one value of the length column; the
/// same bits as [`LogLine::at`].
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
pub(crate) fn at_length(lines: &[LogLine], length: f32, values: &mut Vec<f64>) {
    let length = f64::from(length);
    values.clear();
    values.extend(lines.iter().map(|line| line.intercept + line.slope * length));
    // All at once, since a vector of numbers takes as long as one; then the few for which the
    // short way is not the way again.
    for value in &mut *values {
        *value = exp_of_medium(*value);
    }
    for (value, line) in values.iter_mut().zip(lines) {
        let exponent = line.intercept + line.slope * length;
        if !is_medium(exponent) {
            *value = libm::exp(exponent);
        }
        *value = value.clamp(line.least, line.most);
    }
}

/// Whether [`exp_of_medium`] is the exponential.
fn is_medium(exponent: f64) -> bool {
    (1.05..700.0).contains(&exponent.abs())
}

/// What `libm::exp` computes where its argument is neither near zero nor near the ends, step by
/// step and to the bit, but without branches.
///
/// Source: FreeBSD's `e_exp.c`, Sun Microsystems 2004.
#[inline(always)]
fn exp_of_medium(exponent: f64) -> f64 {
    const INVERSE_LN_2: f64 = std::f64::consts::LOG2_E;
    const LN_2: [f64; 2] =
        [f64::from_bits(0x3fe6_2e42_fee0_0000), f64::from_bits(0x3dea_39ef_3579_3c76)];
    const FACTORS: [f64; 5] = [
        f64::from_bits(0x3fc5_5555_5555_553e),
        f64::from_bits(0xbf66_c16c_16be_bd93),
        f64::from_bits(0x3f11_566a_af25_de2c),
        f64::from_bits(0xbebb_bd41_c5d2_6bf1),
        f64::from_bits(0x3e66_3769_72be_a4d0),
    ];
    let power = (INVERSE_LN_2 * exponent + 0.5_f64.copysign(exponent)).trunc();
    let (high, low) = (exponent - power * LN_2[0], power * LN_2[1]);
    let x = high - low;
    let xx = x * x;
    let tail = FACTORS[3] + xx * FACTORS[4];
    let c = x - xx * (FACTORS[0] + xx * (FACTORS[1] + xx * (FACTORS[2] + xx * tail)));
    let y = 1.0 + (x * c / (2.0 - c) - low + high);
    // A whole number added to 2⁵² stands in the last bits; with the bias it is a power of two's.
    let biased = (power + (4_503_599_627_370_496.0 + 1023.0)).to_bits();
    y * f64::from_bits(biased << 52)
}

impl Scores {
    /// Predicted quality, shape `(n_models,)`. A linear prediction may leave `[0, 1]` a little.
    pub fn quality(&self) -> &[f32] {
        &self.columns[..self.columns.len() - 1]
    }

    /// The length column.
    pub fn length(&self) -> f32 {
        self.columns[self.columns.len() - 1]
    }

    /// What a term's weight, in units of its column's scale, is multiplied by in this request.
    pub(crate) fn term_factor(&self) -> f32 {
        self.term_factor
    }
}

/// One request, about to be scored.
struct Scoring<'a, 'f> {
    scorer: &'a Scorer,
    features: &'a Features<'f>,
    scores: &'a mut Scores,
}

impl Job for Scoring<'_, '_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        let Self { scorer: Scorer { parts, table }, features, scores } = self;
        let n_columns = parts.n_models + 1;
        scores.sums.resize(table.stride(), 0);
        scores.columns.clear();
        scores.columns.extend_from_slice(&parts.intercepts);
        let dense = parts.dense_scaling.apply(features.dense);
        for (value, weights) in dense.iter().zip(parts.dense_weights.chunks_exact(n_columns)) {
            for (column, weight) in scores.columns.iter_mut().zip(weights) {
                *column += value * weight;
            }
        }
        let squared = table.accumulate(features.terms, &mut scores.sums);
        scores.term_factor = term_factor(squared);
        for ((column, &sum), scale) in
            scores.columns.iter_mut().zip(&scores.sums).zip(&parts.scales)
        {
            *column += as_f32(sum) * (scale * scores.term_factor);
        }
    }
}

impl Scorer {
    /// Checks the parts and arranges them for scoring.
    ///
    /// # Errors
    /// [`ScorerError`] where lengths contradict each other or a number is not finite.
    pub fn new(parts: ScorerParts) -> Result<Self, ScorerError> {
        check(&parts)?;
        let n_columns = parts.n_models + 1;
        let mut table = RowTable::zeros(parts.schema.log2_buckets(), n_columns);
        let stride = table.stride();
        let rows = parts.term_weights.chunks_exact(n_columns).zip(&parts.squared_idf);
        for (bucket, (weights, idf)) in (0_u32..).zip(rows) {
            let row = table.row_mut(bucket);
            for (byte, weight) in row.iter_mut().zip(weights) {
                *byte = weight.cast_unsigned();
            }
            row[stride - 2..].copy_from_slice(&idf.to_le_bytes());
        }
        Ok(Self { parts, table })
    }

    /// What it was made of.
    pub fn parts(&self) -> &ScorerParts {
        &self.parts
    }

    /// The schema that features must be read by.
    pub fn schema(&self) -> FeatureSchema {
        self.parts.schema
    }

    /// How many models are scored.
    pub fn n_models(&self) -> usize {
        self.parts.n_models
    }

    /// Predicts for one request; `scores` is overwritten and, after its first use, not grown.
    ///
    /// `features` must come from an [`crate::features::Extractor`] with [`Self::schema`]; a
    /// [`crate::policy::Policy`] sees to that.
    pub fn score(&self, features: &Features<'_>, scores: &mut Scores) {
        simd::at_best(Scoring { scorer: self, features, scores });
    }

    /// What each unit of one term's weights says about each column, before scales; shape
    /// `(n_models + 1,)`.
    pub(crate) fn weights_of(&self, term: u32) -> impl Iterator<Item = i8> {
        let row = self.table.row(term);
        row[..=self.parts.n_models].iter().map(|byte| byte.cast_signed())
    }
}

/// One over the length of the vector of inverse document frequencies.
#[expect(clippy::cast_possible_truncation, reason = "scores are single precision")]
fn term_factor(squared: u64) -> f32 {
    if squared == 0 {
        return 0.0;
    }
    (1.0 / (crate::units::as_float(squared) / SQUARED_IDF_STEPS).sqrt()) as f32
}

/// Exact: sums stay below 2²⁴ for a hundred thousand terms.
#[expect(clippy::cast_precision_loss, reason = "a sum of at most 2^17 weights of 7 bits")]
fn as_f32(sum: i32) -> f32 {
    sum as f32
}

fn check(parts: &ScorerParts) -> Result<(), ScorerError> {
    let ScorerParts {
        schema,
        n_models,
        term_weights,
        squared_idf,
        scales,
        intercepts,
        dense_weights,
        dense_scaling: DenseScaling { centres, factors },
        output_tokens,
        cost_usd,
        input_tokens_per_byte,
    } = parts;
    let (n_columns, n_buckets) = (n_models + 1, schema.n_buckets());
    let mut lengths = vec![
        ("models", usize::from(0 < *n_models), 1),
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
    let finite = |part, values: &[f32]| match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(ScorerError::Value { part, index, value: f64::from(values[index]) }),
        None => Ok(()),
    };
    finite("scales", scales)?;
    finite("intercepts", intercepts)?;
    finite("dense_weights", dense_weights)?;
    finite("dense_scaling", centres)?;
    finite("dense_scaling", factors)?;
    if let Some(index) = squared_idf.iter().position(|&idf| idf == 0) {
        return Err(ScorerError::Value { part: "squared_idf", index, value: 0.0 });
    }
    if let Some(index) = term_weights.iter().position(|&weight| weight == i8::MIN) {
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        features::{Bigrams, Extractor},
        request::Request,
    };

    /// A scorer whose weights follow a fixed pattern, over few buckets.
    pub(crate) fn patterned(n_models: usize, log2_buckets: u8) -> ScorerParts {
        let schema = FeatureSchema::new(log2_buckets, Bigrams::With).unwrap();
        let (n_buckets, n_columns) = (schema.n_buckets(), n_models + 1);
        let weight = |index: usize| i8::try_from(index * 37 % 255).unwrap_or(-1 - 37);
        let step = |index: usize| f32::from(u8::try_from(index % 7).unwrap()) / 100.0;
        ScorerParts {
            schema,
            n_models,
            term_weights: (0..n_buckets * n_columns).map(weight).collect(),
            squared_idf: (0..n_buckets).map(|i| u16::try_from(300 + i % 1000).unwrap()).collect(),
            scales: (0..n_columns).map(|i| 0.001 + step(i) / 10.0).collect(),
            intercepts: (0..n_columns).map(|i| 0.5 + step(i)).collect(),
            dense_weights: (0..N_DENSE * n_columns).map(|i| step(i) - 0.03).collect(),
            dense_scaling: DenseScaling {
                centres: std::array::from_fn(step),
                factors: std::array::from_fn(|i| 0.5 + step(i)),
            },
            output_tokens: Some(vec![
                LogLine {
                    intercept: 5.0,
                    slope: 1.0,
                    least: 1.0,
                    most: 4000.0
                };
                n_models
            ]),
            cost_usd: None,
            input_tokens_per_byte: 0.25,
        }
    }

    /// The definition, written down once more in the plainest way.
    fn by_definition(parts: &ScorerParts, features: &Features<'_>) -> Vec<f64> {
        let n_columns = parts.n_models + 1;
        let squared: f64 =
            features.terms.iter().map(|&t| f64::from(parts.squared_idf[t as usize])).sum();
        let length = (squared / SQUARED_IDF_STEPS).sqrt();
        let scaled = parts.dense_scaling.apply(features.dense);
        (0..n_columns)
            .map(|column| {
                let dense: f64 = (0..N_DENSE)
                    .map(|d| {
                        f64::from(scaled[d])
                            * f64::from(parts.dense_weights[d * n_columns + column])
                    })
                    .sum();
                let terms: i64 = features
                    .terms
                    .iter()
                    .map(|&t| i64::from(parts.term_weights[t as usize * n_columns + column]))
                    .sum();
                let terms = f64::from(i32::try_from(terms).unwrap());
                let terms = if length == 0.0 {
                    0.0
                } else {
                    terms * f64::from(parts.scales[column]) / length
                };
                f64::from(parts.intercepts[column]) + dense + terms
            })
            .collect()
    }

    proptest::proptest! {
        /// All lines at once are the lines one by one, to the bit.
        #[test]
        fn lines_agree(
            lines in proptest::collection::vec((-800.0..800.0, -2.0..2.0), 0..40),
            near_zero in -2.0..2.0,
            length in -3.0_f32..3.0,
        ) {
            let line = |(intercept, slope)| LogLine { intercept, slope, least: 0.0, most: f64::MAX };
            let mut lines: Vec<LogLine> = lines.into_iter().map(line).collect();
            lines.extend((1..5).map(|n| line((near_zero * f64::from(n), 0.0))));
            lines.push(LogLine { intercept: 3.0, slope: 1.0, least: 5.0, most: 6.0 });
            let mut values = Vec::new();
            at_length(&lines, length, &mut values);
            for (value, line) in values.iter().zip(&lines) {
                proptest::prop_assert_eq!(value.to_bits(), line.at(length).to_bits());
            }
        }
    }

    #[test]
    fn scores_are_what_the_definition_says() {
        for n_models in [1, 2, 5, 8, 13, 32, 61, 62, 63, 100, 130] {
            let scorer = Scorer::new(patterned(n_models, 9)).unwrap();
            let mut extractor = Extractor::new(scorer.schema());
            let mut scores = Scores::default();
            for text in
                ["", "one", "Write a function that adds 2 numbers.", &"word salad ".repeat(900)]
            {
                let features = extractor.extract(&Request::from_prompt(text));
                scorer.score(&features, &mut scores);
                let expected = by_definition(scorer.parts(), &features);
                for (found, expected) in scores.columns.iter().zip(expected) {
                    let tolerance = 1e-4 * expected.abs().max(1.0);
                    assert!(
                        (f64::from(*found) - expected).abs() < tolerance,
                        "{n_models} {text:.20}"
                    );
                }
            }
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        type Break = fn(&mut ScorerParts);
        let breaks: [(Break, &str); 8] = [
            (|p| p.term_weights.truncate(5), "`term_weights` has 5 entries"),
            (|p| p.n_models = 0, "`models` has 0 entries"),
            (|p| p.scales[1] = f32::NAN, "`scales` entry 1 is NaN"),
            (|p| p.dense_weights[0] = f32::INFINITY, "`dense_weights` entry 0 is inf"),
            (|p| p.squared_idf[3] = 0, "`squared_idf` entry 3"),
            (|p| p.term_weights[7] = i8::MIN, "`term_weights` entry 7"),
            (|p| p.input_tokens_per_byte = 0.0, "`input_tokens_per_byte`"),
            (|p| p.output_tokens = Some(vec![]), "`output_tokens` has 0 entries where 2"),
        ];
        for (apply, expected) in breaks {
            let mut parts = patterned(2, 8);
            apply(&mut parts);
            let message = Scorer::new(parts).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_log_line_stays_in_the_range_it_has_seen() {
        let line = LogLine { intercept: 0.0, slope: 1.0, least: 0.5, most: 10.0 };
        for (length, expected) in [(0.0, 1.0), (-9.0, 0.5), (9.0, 10.0)] {
            assert!((line.at(length) - expected).abs() < 1e-12);
        }
    }
}
