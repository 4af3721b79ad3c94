//! What a router predicts for the rows that it is tested on, and the choices that follow from it.

use crate::load::LoadedTable;
use pointsman_core::scorer::{Scorer, ScorerParts, Scores};
use pointsman_data::TrainTest;
use pointsman_train::design::Design;

/// Predictions for the test rows, pooled over parts; row-major.
#[derive(Debug, Clone, Default)]
pub(crate) struct Predictions {
    pub(crate) quality: Vec<f64>,
    /// Empty where costs are not known.
    pub(crate) cost: Vec<f64>,
    /// The choice at the policy's default point; empty for what is no policy.
    pub(crate) picks: Vec<usize>,
    /// Empty where output tokens are not known.
    pub(crate) output_tokens: Vec<f64>,
}

impl Predictions {
    /// Adds what a scorer that would be exported predicts for some rows of a design.
    pub(crate) fn extend(&mut self, scorer: &Scorer, design: &Design, rows: &[u32]) {
        let ScorerParts { cost_usd, output_tokens, .. } = scorer.parts();
        let mut scores = Scores::default();
        for &row in rows {
            scorer.score(&design.features(row as usize), &mut scores);
            self.quality.extend(scores.quality().iter().map(|quality| f64::from(*quality)));
            for (lines, values, length) in [
                (cost_usd, &mut self.cost, scores.length()),
                (output_tokens, &mut self.output_tokens, scores.token_length()),
            ] {
                values.extend(lines.iter().flatten().map(|line| line.at(length)));
            }
        }
    }

    /// Adds the choices at one weight on cost for the rows that have none yet.
    pub(super) fn pick(&mut self, n_models: usize, weight: f64) {
        let first = self.picks.len() * n_models;
        for (row, quality) in self.quality[first..].chunks_exact(n_models).enumerate() {
            let cost = |model: usize| self.cost.get(first + row * n_models + model);
            let utility = |(model, quality): (usize, &f64)| {
                quality - weight * cost(model).copied().unwrap_or(0.0)
            };
            self.picks.push(first_best(quality.iter().enumerate().map(utility)));
        }
    }
}

/// The place of the largest; ties go to the first.
pub(crate) fn first_best(values: impl Iterator<Item = f64>) -> usize {
    let (mut best, mut highest) = (0, f64::NEG_INFINITY);
    for (place, value) in values.enumerate() {
        if highest < value {
            (best, highest) = (place, value);
        }
    }
    best
}

/// Predicts every test row by the models' means over the training part.
pub(crate) fn training_means(
    loaded: &LoadedTable,
    part: &TrainTest,
    predictions: &mut Predictions,
) {
    let n_models = loaded.matrix.models.len();
    let means = |known: &dyn Fn(usize) -> Option<f64>| -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); n_models];
        for &row in &part.train {
            for (model, (sum, n)) in sums.iter_mut().enumerate() {
                if let Some(value) = known(row as usize * n_models + model) {
                    *sum += value;
                    *n += 1.0;
                }
            }
        }
        sums.iter().map(|(sum, n)| sum / f64::max(*n, 1.0)).collect()
    };
    let matrix = &loaded.matrix;
    let quality = means(&|at| Some(matrix.quality[at]));
    let cost = matrix.cost_usd.as_ref().map(|cost| means(&|at| Some(cost[at])));
    let has_tokens = matrix.output_tokens.iter().any(Option::is_some);
    let tokens = has_tokens.then(|| means(&|at| matrix.output_tokens[at].map(f64::from)));
    for _ in &part.test {
        predictions.quality.extend(&quality);
        predictions.cost.extend(cost.iter().flatten());
        predictions.output_tokens.extend(tokens.iter().flatten());
    }
}
