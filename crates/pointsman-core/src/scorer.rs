//! The learned part of a policy: from features to predicted quality and length of each model's
//! answer.
//!
//! A score is linear in the terms of the request, weighted by their inverse document frequency and
//! divided by the length of that vector, and in the standardised dense features, which are kept
//! within three standard deviations so that a freak request cannot run away with a score. Weights of
//! terms are 8-bit integers with one scale per column, so their sum is exact and the same in any order;
//! all that is done in floating point is done in a fixed order without fused operations. That is why
//! the same artifact gives the same bits in training, evaluation and serving, on every machine.
//!
//! Besides a column per model there is one for the *length* of the request's answers, common to
//! all models: `E[output tokens of m] = exp(a_m + b_m · length)`, and the same for cost; output
//! tokens may have a second one. A shared direction is a weakness where one model is terse exactly
//! when the others ramble; it is what can be learned from few outcomes.
//!
//! Source: Weinberger, Dasgupta, Langford, Smola & Attenberg, ICML 2009 (hashed terms); Spärck Jones,
//! *Journal of Documentation*, 1972 (inverse document frequency).
//!
//! Two parts are optional. With a [`Factor`], many models share few columns. With [`Clusters`],
//! the kind of request shifts each model's quality: what a linear score cannot say.

mod clusters;
mod factor;
mod lengths;
mod lines;
mod parts;

pub use clusters::Clusters;
pub use factor::Factor;
pub use lines::LogLine;
pub use parts::{DENSE_LIMIT, DenseScaling, ScorerError, ScorerParts, TokenLength};

pub(crate) use lengths::LengthScorer;
pub(crate) use lines::at_length;

use crate::{
    features::{FeatureSchema, Features},
    simd::{self, Job, RowTable, Rows},
};
use std::sync::Arc;

/// Squared inverse document frequencies are stored in steps of 1/256.
pub const SQUARED_IDF_STEPS: f64 = 256.0;

/// Predicts quality and length for every model. Clones share what was learned.
#[derive(Debug, Clone)]
pub struct Scorer {
    parts: Arc<ScorerParts>,
    table: Arc<RowTable>,
    /// Half the squared lengths of the clusters' centres; empty without clusters.
    half_squares: Vec<f32>,
}

/// What is predicted for one request; reused from one request to the next.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    quality: Vec<f32>,
    length: f32,
    token_length: f32,
    cluster: Option<usize>,
    columns: Vec<f32>,
    closeness: Vec<f32>,
    sums: Vec<i32>,
    term_factor: f32,
}

impl Scores {
    /// Predicted quality, shape `(n_models,)`. A linear prediction may leave `[0, 1]` a little.
    pub fn quality(&self) -> &[f32] {
        &self.quality
    }

    /// The length column.
    pub fn length(&self) -> f32 {
        self.length
    }

    /// The length that output tokens are read from: [`Self::length`], or one of their own.
    pub fn token_length(&self) -> f32 {
        self.token_length
    }

    /// Which of the scorer's clusters the request belongs to, if it has any.
    pub fn cluster(&self) -> Option<usize> {
        self.cluster
    }
}

/// The weights of some columns, as [`ScorerParts`] have them.
#[derive(Clone, Copy)]
struct Columns<'a> {
    intercepts: &'a [f32],
    dense_scaling: &'a DenseScaling,
    dense_weights: &'a [f32],
    scales: &'a [f32],
    table: &'a RowTable,
}

impl Columns<'_> {
    /// Leaves what each column says of a request in `scores.columns`.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn fill(self, features: &Features<'_>, scores: &mut Scores) {
        let Self { intercepts, dense_scaling, dense_weights, scales, table } = self;
        scores.sums.resize(table.stride(), 0);
        scores.columns.clear();
        scores.columns.extend_from_slice(intercepts);
        let dense = dense_scaling.apply(features.dense);
        add_rows(&dense, dense_weights, &mut scores.columns);
        let squared = table.accumulate(features.terms, &mut scores.sums);
        let factor = term_factor(squared);
        scores.term_factor = factor;
        for ((column, &sum), scale) in scores.columns.iter_mut().zip(&scores.sums).zip(scales) {
            *column += as_f32(sum) * (scale * factor);
        }
    }
}

/// Sums that are kept in registers over all rows.
const WIDE: usize = 32;

/// As many of those that are left.
const NARROW: usize = 8;

/// Adds each of the rows of `weights` times its value to `sums`, one row after the other; `weights`
/// has shape `(values.len(), sums.len())`. A lot of sums at a time, so that each is fetched and put
/// back once.
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
fn add_rows(values: &[f32], weights: &[f32], sums: &mut [f32]) {
    let n_columns = sums.len();
    let mut first = 0;
    let (lots, rest) = sums.as_chunks_mut::<WIDE>();
    for lot in lots {
        add_rows_of_lot(values, (weights, n_columns), (first, lot));
        first += WIDE;
    }
    let (lots, rest) = rest.as_chunks_mut::<NARROW>();
    for lot in lots {
        add_rows_of_lot(values, (weights, n_columns), (first, lot));
        first += NARROW;
    }
    for sum in rest {
        add_rows_of_lot(values, (weights, n_columns), (first, std::array::from_mut(sum)));
        first += 1;
    }
}

/// The same for some columns, from the first of them on.
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
fn add_rows_of_lot<const N: usize>(
    values: &[f32],
    (weights, n_columns): (&[f32], usize),
    (first, lot): (usize, &mut [f32; N]),
) {
    let mut sums = *lot;
    for (value, row) in values.iter().zip(weights.chunks_exact(n_columns)) {
        for (sum, weight) in sums.iter_mut().zip(&row[first..first + N]) {
            *sum += value * weight;
        }
    }
    *lot = sums;
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
        let Self { scorer: Scorer { parts, table, half_squares }, features, scores } = self;
        let columns = Columns {
            intercepts: &parts.intercepts,
            dense_scaling: &parts.dense_scaling,
            dense_weights: &parts.dense_weights,
            scales: &parts.scales,
            table,
        };
        columns.fill(features, scores);
        let (of_quality, rest) = scores.columns.split_at(parts.n_quality_columns());
        scores.length = rest[0];
        let (rest, own_length) = rest.split_at(rest.len() - parts.token_length.n_columns());
        scores.token_length = own_length.first().copied().unwrap_or(scores.length);
        if let Some(factor) = &parts.factor {
            factor.mix(of_quality, &mut scores.quality);
        } else {
            scores.quality.clear();
            scores.quality.extend_from_slice(of_quality);
        }
        scores.cluster = parts.clusters.as_ref().map(|clusters| {
            let cluster = clusters.nearest(&rest[1..], half_squares, &mut scores.closeness);
            for (quality, offset) in scores.quality.iter_mut().zip(clusters.offsets_of(cluster)) {
                *quality += offset;
            }
            cluster
        });
    }
}

impl Scorer {
    /// Checks the parts and arranges them for scoring.
    ///
    /// # Errors
    /// [`ScorerError`] where lengths contradict each other or a number is not finite.
    pub fn new(parts: ScorerParts) -> Result<Self, ScorerError> {
        parts::check(&parts)?;
        let n_columns = parts.n_columns();
        let terms = (&parts.term_weights[..], &parts.squared_idf[..]);
        let table = RowTable::filled(parts.schema.log2_buckets(), n_columns, terms);
        let half_squares = parts.clusters.as_ref().map_or_else(Vec::new, Clusters::half_squares);
        Ok(Self { parts: Arc::new(parts), table: Arc::new(table), half_squares })
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

    /// The rows of its terms, to be announced while a request is read, so that they come out of
    /// memory meanwhile.
    pub(crate) fn rows(&self) -> Rows<'_> {
        self.table.rows()
    }

    /// What each of a term's weights adds to the columns of a request whose scores are these;
    /// shape `(n_columns,)`.
    pub(crate) fn term_effects(&self, term: u32, scores: &Scores) -> Vec<f64> {
        let row = self.table.row(term);
        let effect = |(byte, scale): (&u8, &f32)| {
            f64::from(byte.cast_signed()) * f64::from(*scale) * f64::from(scores.term_factor)
        };
        row.iter().zip(&self.parts.scales).map(effect).collect()
    }

    /// What an effect on the columns is for each model's quality, shape `(n_models,)`; `columns`
    /// has at least one entry for each column that quality is read from.
    pub fn of_models(&self, columns: &[f64]) -> Vec<f64> {
        let ScorerParts { n_models, factor, .. } = &*self.parts;
        let Some(Factor { rank, loadings, intercepts: _ }) = factor else {
            return columns[..*n_models].to_vec();
        };
        let of_model = |model: usize| {
            let term = |r: usize| columns[r] * f64::from(loadings[r * n_models + model]);
            (0..*rank).map(term).sum()
        };
        (0..*n_models).map(of_model).collect()
    }

    /// Each model's quality in a request without terms whose dense features are all average, and
    /// whatever its cluster; shape `(n_models,)`.
    pub(crate) fn standing(&self) -> Vec<f64> {
        let intercepts: Vec<f64> = self.parts.intercepts.iter().map(|&x| f64::from(x)).collect();
        let mut standing = self.of_models(&intercepts);
        if let Some(factor) = &self.parts.factor {
            for (standing, intercept) in standing.iter_mut().zip(&factor.intercepts) {
                *standing += f64::from(*intercept);
            }
        }
        standing
    }
}

/// One over the length of the vector of inverse document frequencies.
#[expect(clippy::cast_possible_truncation, reason = "scores are single precision")]
pub(crate) fn term_factor(squared: u64) -> f32 {
    if squared == 0 {
        return 0.0;
    }
    (1.0 / (crate::units::as_float(squared) / SQUARED_IDF_STEPS).sqrt()) as f32
}

/// Exact: sums stay below 2²⁴ for a hundred thousand terms.
#[expect(clippy::cast_precision_loss, reason = "a sum of at most 2^17 weights of 7 bits")]
pub(crate) fn as_f32(sum: i32) -> f32 {
    sum as f32
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        features::{Bigrams, Extractor, N_DENSE},
        request::Request,
    };

    /// A scorer whose weights follow a fixed pattern, over few buckets.
    pub(crate) fn patterned(n_models: usize, log2_buckets: u8) -> ScorerParts {
        with(n_models, log2_buckets, (None, None, TokenLength::Shared))
    }

    /// The same with clusters.
    pub(crate) fn clustered(n_models: usize, log2_buckets: u8) -> ScorerParts {
        with(n_models, log2_buckets, (None, Some(six_clusters(n_models)), TokenLength::Shared))
    }

    /// The same with a second length, with clusters or without.
    pub(crate) fn with_token_length(
        n_models: usize,
        log2_buckets: u8,
        is_clustered: bool,
    ) -> ScorerParts {
        let clusters = is_clustered.then(|| six_clusters(n_models));
        with(n_models, log2_buckets, (None, clusters, TokenLength::Own))
    }

    fn six_clusters(n_models: usize) -> Clusters {
        Clusters {
            centres: (0..5 * 6).map(|i| 3.0 * step(i * 5) - 0.08).collect(),
            n_clusters: 6,
            offsets: (0..6 * n_models).map(|i| step(i * 3) - 0.03).collect(),
        }
    }

    /// The same with few columns for all models.
    pub(crate) fn factored(n_models: usize, rank: usize, log2_buckets: u8) -> ScorerParts {
        let factor = Factor {
            rank,
            loadings: (0..rank * n_models).map(|i| 10.0 * step(i * 3) - 0.3).collect(),
            intercepts: (0..n_models).map(|i| 0.4 + step(i)).collect(),
        };
        with(n_models, log2_buckets, (Some(factor), None, TokenLength::Shared))
    }

    fn step(index: usize) -> f32 {
        f32::from(u8::try_from(index % 7).unwrap()) / 100.0
    }

    fn with(
        n_models: usize,
        log2_buckets: u8,
        (factor, clusters, token_length): (Option<Factor>, Option<Clusters>, TokenLength),
    ) -> ScorerParts {
        let schema = FeatureSchema::new(log2_buckets, Bigrams::With).unwrap();
        let n_buckets = schema.n_buckets();
        let n_quality = factor.as_ref().map_or(n_models, |factor| factor.rank);
        let n_dims = clusters.as_ref().map_or(0, Clusters::n_dims);
        let n_columns = n_quality + 1 + n_dims + token_length.n_columns();
        let weight = |index: usize| i8::try_from(index * 37 % 255).unwrap_or(-1 - 37);
        let line = LogLine { intercept: 5.0, slope: 1.0, least: 1.0, most: 4000.0 };
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
            factor,
            clusters,
            token_length,
            output_tokens: Some(vec![line; n_models]),
            cost_usd: None,
            input_tokens_per_byte: 0.25,
        }
    }

    /// The definition, written down once more in the plainest way: quality and both lengths.
    fn by_definition(parts: &ScorerParts, features: &Features<'_>) -> (Vec<f64>, [f64; 2]) {
        let n_columns = parts.n_columns();
        let squared: f64 =
            features.terms.iter().map(|&t| f64::from(parts.squared_idf[t as usize])).sum();
        let length = (squared / SQUARED_IDF_STEPS).sqrt();
        let scaled = parts.dense_scaling.apply(features.dense);
        let column = |column: usize| {
            let dense = |d: usize| {
                f64::from(scaled[d]) * f64::from(parts.dense_weights[d * n_columns + column])
            };
            let term = |&t: &u32| f64::from(parts.term_weights[t as usize * n_columns + column]);
            let terms: f64 = features.terms.iter().map(term).sum();
            let terms =
                if length == 0.0 { 0.0 } else { terms * f64::from(parts.scales[column]) / length };
            f64::from(parts.intercepts[column]) + (0..N_DENSE).map(dense).sum::<f64>() + terms
        };
        let columns: Vec<f64> = (0..n_columns).map(column).collect();
        let n_quality = parts.n_quality_columns();
        let mut quality = match &parts.factor {
            None => columns[..n_quality].to_vec(),
            Some(Factor { rank, loadings, intercepts }) => (0..parts.n_models)
                .map(|m| {
                    let part = |r: usize| columns[r] * f64::from(loadings[r * parts.n_models + m]);
                    f64::from(intercepts[m]) + (0..*rank).map(part).sum::<f64>()
                })
                .collect(),
        };
        if let Some(clusters) = &parts.clusters {
            let point = &columns[n_quality + 1..][..clusters.n_dims()];
            let norm = point.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-30);
            let distance = |c: usize| -> f64 {
                let gap = |(d, x): (usize, &f64)| {
                    x / norm - f64::from(clusters.centres[d * clusters.n_clusters + c])
                };
                point.iter().enumerate().map(gap).map(|gap| gap * gap).sum()
            };
            let nearest = (0..clusters.n_clusters)
                .min_by(|&a, &b| distance(a).total_cmp(&distance(b)))
                .unwrap();
            for (quality, offset) in quality.iter_mut().zip(clusters.offsets_of(nearest)) {
                *quality += f64::from(*offset);
            }
        }
        let token_length = match parts.token_length {
            TokenLength::Shared => columns[n_quality],
            TokenLength::Own => columns[n_columns - 1],
        };
        (quality, [columns[n_quality], token_length])
    }

    #[track_caller]
    fn check_definition(parts: ScorerParts) {
        let scorer = Scorer::new(parts).unwrap();
        let mut extractor = Extractor::new(scorer.schema());
        let mut scores = Scores::default();
        for text in ["one", "Write a function that adds 2 numbers.", &"word salad ".repeat(900)] {
            let features = extractor.extract(&Request::from_prompt(text));
            scorer.score(&features, &mut scores);
            let (quality, lengths) = by_definition(scorer.parts(), &features);
            let near = |found: f32, expected: f64| {
                (f64::from(found) - expected).abs() < 1e-4 * expected.abs().max(1.0)
            };
            assert!(near(scores.length(), lengths[0]), "{text:.20}");
            assert!(near(scores.token_length(), lengths[1]), "{text:.20}");
            for (found, expected) in scores.quality().iter().zip(quality) {
                assert!(near(*found, expected), "{text:.20}: {found} for {expected}");
            }
        }
    }

    #[test]
    fn scores_are_what_the_definition_says() {
        for n_models in [1, 2, 5, 8, 13, 32, 61, 62, 63, 100, 130] {
            check_definition(patterned(n_models, 9));
            check_definition(clustered(n_models, 9));
            check_definition(with_token_length(n_models, 9, false));
            check_definition(with_token_length(n_models, 9, true));
        }
        for (n_models, rank) in [(2, 1), (70, 8), (400, 31), (400, 32)] {
            check_definition(factored(n_models, rank, 9));
        }
    }

    #[test]
    fn a_request_belongs_to_the_centre_its_direction_is_nearest_to() {
        let clusters = Clusters {
            centres: vec![1.0, 0.0, -0.8, 0.0, 1.0, -0.2],
            n_clusters: 3,
            offsets: vec![0.0; 3],
        };
        let half_squares = clusters.half_squares();
        for (point, expected) in
            [([9.0, 1.0], 0), ([0.01, 0.02], 1), ([-5.0, 0.0], 2), ([0.0, 0.0], 0)]
        {
            assert_eq!(clusters.nearest(&point, &half_squares, &mut Vec::new()), expected);
        }
    }

    fn clusters(parts: &mut ScorerParts) -> &mut Clusters {
        parts.clusters.as_mut().unwrap()
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        type Break = fn(&mut ScorerParts);
        let breaks: [(Break, &str); 13] = [
            (|p| p.term_weights.truncate(5), "`term_weights` has 5 entries"),
            (|p| p.n_models = 0, "`models` has 0 entries"),
            (|p| p.scales[1] = f32::NAN, "`scales` entry 1 is NaN"),
            (|p| p.dense_weights[0] = f32::INFINITY, "`dense_weights` entry 0 is inf"),
            (|p| p.squared_idf[3] = 0, "`squared_idf` entry 3"),
            (|p| p.term_weights[7] = i8::MIN, "`term_weights` entry 7"),
            (|p| p.input_tokens_per_byte = 0.0, "`input_tokens_per_byte`"),
            (|p| p.output_tokens = Some(vec![]), "`output_tokens` has 0 entries where 2"),
            (|p| clusters(p).centres.clear(), "`clusters` has 0 entries"),
            (|p| clusters(p).offsets[3] = f32::NAN, "`clusters.offsets` entry 3 is NaN"),
            (|p| clusters(p).offsets.truncate(4), "`clusters.offsets` has 4 entries where 12"),
            (|p| p.clusters = None, "`term_weights` has 2048 entries where 768"),
            (
                |p| p.factor = Some(Factor { rank: 2, loadings: vec![0.0; 3], intercepts: vec![] }),
                "`factor.loadings` has 3 entries where 4",
            ),
        ];
        for (apply, expected) in breaks {
            let mut parts = clustered(2, 8);
            apply(&mut parts);
            let message = Scorer::new(parts).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
