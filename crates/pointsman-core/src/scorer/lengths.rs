//! The length columns of a scorer by themselves, for whoever has predictions of quality of its own. With
//! tens of models a row is an eighth of the scorer's, so that more of them are near when they are read.

use super::{Columns, DenseScaling, Scorer, Scores, TokenLength};
use crate::{
    features::Features,
    simd::{self, Job, RowTable, Rows},
};
use std::sync::Arc;

/// Predicts of lengths what its [`Scorer`] does, to the bit, and nothing of quality. Clones share what
/// was learned.
#[derive(Debug, Clone)]
pub(crate) struct LengthScorer {
    intercepts: Vec<f32>,
    dense_scaling: DenseScaling,
    dense_weights: Vec<f32>,
    scales: Vec<f32>,
    table: Arc<RowTable>,
}

/// The lengths of one request's answers, about to be predicted.
struct Predicting<'a, 'f> {
    lengths: &'a LengthScorer,
    features: &'a Features<'f>,
    scores: &'a mut Scores,
}

impl Job for Predicting<'_, '_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        let Self { lengths, features, scores } = self;
        let LengthScorer { intercepts, dense_scaling, dense_weights, scales, table } = lengths;
        Columns { intercepts, dense_scaling, dense_weights, scales, table }.fill(features, scores);
        scores.quality.clear();
        scores.cluster = None;
        scores.length = scores.columns[0];
        // Where there is one column it is both.
        scores.token_length = scores.columns[scores.columns.len() - 1];
    }
}

impl LengthScorer {
    /// The length columns of a scorer.
    pub(crate) fn new(scorer: &Scorer) -> Self {
        let parts = scorer.parts();
        let n_columns = parts.n_columns();
        let columns = match parts.token_length {
            TokenLength::Shared => vec![parts.n_quality_columns()],
            TokenLength::Own => vec![parts.n_quality_columns(), n_columns - 1],
        };
        let weights = taken(&parts.term_weights, n_columns, &columns);
        let terms = (&weights[..], &parts.squared_idf[..]);
        Self {
            intercepts: taken(&parts.intercepts, n_columns, &columns),
            dense_scaling: parts.dense_scaling.clone(),
            dense_weights: taken(&parts.dense_weights, n_columns, &columns),
            scales: taken(&parts.scales, n_columns, &columns),
            table: Arc::new(RowTable::filled(parts.schema.log2_buckets(), columns.len(), terms)),
        }
    }

    /// Overwrites the lengths in `scores`, and leaves no quality there.
    pub(crate) fn score(&self, features: &Features<'_>, scores: &mut Scores) {
        simd::at_best(Predicting { lengths: self, features, scores });
    }

    /// The rows of the weight table, to be announced while terms are read.
    pub(crate) fn rows(&self) -> Rows<'_> {
        self.table.rows()
    }
}

/// These columns of a matrix of `n_columns`, row after row.
fn taken<T: Copy>(matrix: &[T], n_columns: usize, columns: &[usize]) -> Vec<T> {
    let mut out = Vec::with_capacity(matrix.len() / n_columns * columns.len());
    for row in matrix.chunks_exact(n_columns) {
        out.extend(columns.iter().map(|&column| row[column]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        features::Extractor,
        request::Request,
        scorer::tests::{clustered, factored, patterned, with_token_length},
    };
    use proptest::prelude::*;

    proptest! {
        /// Lengths are the scorer's, to the bit, whatever columns it has besides.
        #[test]
        fn lengths_are_those_of_the_scorer(text in "\\PC{0,120}") {
            for parts in [
                patterned(3, 8),
                patterned(70, 8),
                clustered(5, 8),
                factored(9, 4, 8),
                with_token_length(4, 8, false),
                with_token_length(4, 8, true),
            ] {
                let scorer = Scorer::new(parts).unwrap();
                let mut extractor = Extractor::new(scorer.schema());
                let features = extractor.extract(&Request::from_prompt(&text));
                let (mut all, mut own) = (Scores::default(), Scores::default());
                scorer.score(&features, &mut all);
                LengthScorer::new(&scorer).score(&features, &mut own);
                let bits = |it: &Scores| [it.length().to_bits(), it.token_length().to_bits()];
                prop_assert_eq!(bits(&own), bits(&all));
                prop_assert!(own.quality().is_empty());
            }
        }
    }
}
