//! Doubly robust targets: from a log, an outcome of every model for every row.
//!
//! The outcome of a model is what a pooled fit expects of it; where the log drew the model, what
//! was seen beyond that is added, times one over the propensity. In the mean this is the true
//! outcome, whatever the fit expects, as long as the fit has not seen the row; so expectations come
//! from fits on other folds, and where one fold is held out altogether, from fits on the two that
//! are left. Then every model is fitted to all rows. Its weakness is noise: a model that is drawn
//! once in thirty rows has its surprises multiplied by thirty.
//!
//! Source: Dudík, Erhan, Langford & Li, "Doubly Robust Policy Evaluation and Optimization",
//! Statistical Science 29 (2014).

use crate::{
    candidate::{Family, Learner},
    columns::Columns,
    fold::N_FOLDS,
    outcomes::narrow,
    problem::{HeldOutFits, Problem},
};
use pointsman_core::units::len_as_float;

/// The strength of the fit that says what is expected.
const EXPECTING_STRENGTH: f64 = 30.0;

/// Expected outcomes by fits that lack two folds each.
pub(crate) struct InnerFits {
    n_models: usize,
    /// By the two folds, the lower first; of shape `(rows, n_models)`.
    expected: Vec<Vec<f32>>,
}

impl InnerFits {
    /// What is expected of a row by the fit that lacks these two folds.
    pub(crate) fn of(&self, left: usize, right: usize, row: usize) -> &[f32] {
        &self.expected[pair(left.min(right), left.max(right))][row * self.n_models..]
            [..self.n_models]
    }
}

fn pair(lower: usize, higher: usize) -> usize {
    lower * N_FOLDS + higher
}

impl Problem<'_> {
    /// Fits without two folds, where a family needs them.
    pub(crate) fn inner_fits(&self, folds: &[usize]) -> Option<InnerFits> {
        self.families.iter().find(|family| family.learner == Learner::Robust)?;
        let family = Family::new(Learner::Pooled, vec![EXPECTING_STRENGTH]);
        let mut expected = vec![Vec::new(); pair(N_FOLDS, 0)];
        for lower in 0..N_FOLDS {
            for higher in lower + 1..N_FOLDS {
                let is_used = |row: usize| folds[row] != lower && folds[row] != higher;
                let means = self.means(is_used);
                let columns = self.columns(&means, &family, is_used);
                let (mut predicted, _) = self.predictions(&family, &columns, &means);
                let rows = predicted.pop().unwrap_or_default();
                expected[pair(lower, higher)] = rows
                    .chunks_exact(self.n_models + 1)
                    .flat_map(|row| {
                        row.iter().zip(&means).map(|(value, mean)| value + narrow(*mean))
                    })
                    .collect();
            }
        }
        Some(InnerFits { n_models: self.n_models, expected })
    }

    /// What is expected of a row by the fit that lacks its fold.
    pub(crate) fn expected(&self, fits: &HeldOutFits, row: usize) -> Vec<f32> {
        let is_expecting = |family: &Family| family.learner == Learner::Pooled;
        let mut at = 0;
        for family in &self.families {
            if is_expecting(family) {
                at += family.strengths.iter().position(|s| *s == EXPECTING_STRENGTH).unwrap_or(0);
                break;
            }
            at += family.strengths.len();
        }
        let means = &fits.means[fits.folds[row]];
        let predicted = &fits.predictions[at][row * (self.n_models + 1)..];
        means.iter().zip(predicted).map(|(mean, value)| narrow(*mean) + value).collect()
    }

    /// Doubly robust targets of all models on the used rows.
    pub(crate) fn robust_columns<T: AsRef<[f32]>>(
        &self,
        expected: &dyn Fn(usize) -> T,
        is_used: impl Fn(usize) -> bool,
    ) -> Columns {
        let (n_models, n_columns) = (self.n_models, self.n_models + 1);
        let n_rows = self.set.rows.len();
        let used: Vec<usize> = (0..n_rows).filter(|&row| is_used(row)).collect();
        let weight = |row: usize, model: usize| f64::from(self.weights[0][row * n_models + model]);
        let mut totals = vec![0.0; n_models];
        for &row in &used {
            for (model, total) in totals.iter_mut().enumerate() {
                *total += weight(row, model);
            }
        }
        let mut columns = Columns {
            n_columns,
            target: vec![0.0; n_rows * n_columns],
            weights: vec![0.0; n_rows * n_columns],
        };
        let mut means = vec![0.0; n_models];
        let n_used = len_as_float(used.len().max(1));
        for &row in &used {
            let expected = expected(row);
            for (model, expected) in expected.as_ref().iter().take(n_models).enumerate() {
                let mut value = f64::from(*expected);
                if 0.0 < weight(row, model) {
                    let seen = f64::from(self.quality(row)[model]);
                    value += weight(row, model) * n_used / totals[model] * (seen - value);
                }
                means[model] += value / n_used;
                columns.target[row * n_columns + model] = narrow(value);
                columns.weights[row * n_columns + model] = 1.0;
            }
        }
        for &row in &used {
            for (model, mean) in means.iter().enumerate() {
                columns.target[row * n_columns + model] -= narrow(*mean);
            }
        }
        columns
    }
}
