//! What the candidates make together: one dual, from which one table of weights follows.
//!
//! Which model is chosen depends on the differences between models alone, and candidates share
//! those by what their choices are worth. The mean over models, how hard a request is for all of
//! them, changes no choice; it is taken whole from the candidate whose predictions are nearest to
//! the held-out outcomes. So predictions are as good as the best candidate's, and one candidate
//! may choose while another predicts.

use crate::{
    candidate::{Family, Learner},
    columns::{Columns, Effort},
    fitted::Fitted,
    outcomes::narrow,
    problem::{Choice, HeldOutFits, Problem},
};
use pointsman_core::units::len_as_float;
use rayon::prelude::*;

impl Problem<'_> {
    /// What every candidate of a family predicts; `means` are those that the columns' targets lack.
    pub(crate) fn predictions(
        &self,
        family: &Family,
        columns: &Columns,
        means: &[f64],
    ) -> (Vec<Vec<f32>>, Effort) {
        let Family { learner, strengths, .. } = family;
        match learner {
            Learner::Ridge | Learner::Robust => columns.predictions(&self.kernel, strengths),
            Learner::Logistic => columns.logistic_predictions(&self.kernel, means, strengths),
            Learner::Pooled => columns
                .pooled_predictions(&self.kernel, self.n_models, strengths)
                .unwrap_or_else(|| columns.predictions(&self.kernel, strengths)),
        }
    }

    /// The weights that the candidates make together.
    pub(crate) fn fit(&self, choice: &Choice, fits: Option<&HeldOutFits>) -> (Fitted, Effort) {
        let n_columns = self.n_models + 1;
        let n_entries = self.set.rows.len() * n_columns;
        let mut dual = vec![0.0_f32; n_entries];
        let mut direction = choice.direction.map(|_| vec![0.0_f32; n_entries]);
        let mut effort = Effort::default();
        let mut from = 0;
        for family in &self.families {
            let span = from..from + family.strengths.len();
            from = span.end;
            let of_direction: Vec<Vec<f64>> = span
                .clone()
                .map(|at| vec![f64::from(u8::from(choice.direction == Some(at))); n_columns])
                .collect();
            let mut shares: Vec<&[Vec<f64>]> = vec![&choice.shares[span]];
            if direction.is_some() {
                shares.push(&of_direction);
            }
            let columns = match (family.learner, fits) {
                (Learner::Robust, Some(fits)) => {
                    self.robust_columns(&|row| self.expected(fits, row), |_| true)
                }
                _ => self.columns(&self.mean_quality, family, |_| true),
            };
            let (duals, took) = self.duals(family, &columns, &shares);
            effort.add(took);
            let sums = std::iter::once(&mut dual).chain(&mut direction);
            for (all, of_family) in sums.zip(&duals) {
                for (all, value) in all.iter_mut().zip(of_family) {
                    *all += value;
                }
            }
        }
        if let Some(direction) = &direction {
            for (row, direction) in
                dual.chunks_exact_mut(n_columns).zip(direction.chunks_exact(n_columns))
            {
                give_direction(&mut row[..self.n_models], &direction[..self.n_models]);
            }
        }
        (Fitted::new(&self.kernel, &dual, n_columns), effort)
    }

    fn duals(
        &self,
        family: &Family,
        columns: &Columns,
        shares: &[&[Vec<f64>]],
    ) -> (Vec<Vec<f32>>, Effort) {
        let Family { learner, strengths, .. } = family;
        match learner {
            Learner::Ridge | Learner::Robust => columns.duals(&self.kernel, strengths, shares),
            Learner::Logistic => {
                columns.logistic_means((&self.kernel, &self.mean_quality), strengths, shares)
            }
            Learner::Pooled => columns
                .pooled_duals(&self.kernel, self.n_models, strengths, shares)
                .unwrap_or_else(|| columns.duals(&self.kernel, strengths, shares)),
        }
    }

    /// Held-out predictions of the candidates together, shape `(rows, n_models)`, less the means;
    /// and the candidate that gives the direction.
    pub(crate) fn mixed(
        &self,
        fits: &HeldOutFits,
        shares: &[Vec<f64>],
    ) -> (Vec<f32>, Option<usize>) {
        let (n_models, n_columns) = (self.n_models, self.n_models + 1);
        let mut mix = vec![0.0_f32; self.set.rows.len() * n_models];
        for (predicted, shares) in fits.predictions.iter().zip(shares) {
            let rows = mix.chunks_exact_mut(n_models).zip(predicted.chunks_exact(n_columns));
            for (out, row) in rows {
                for ((out, value), share) in out.iter_mut().zip(row).zip(shares) {
                    *out += narrow(*share) * value;
                }
            }
        }
        let direction = self.direction(fits, &mix);
        let none = vec![0.0; n_models];
        for (index, row) in mix.chunks_exact_mut(n_models).enumerate() {
            let predicted = direction.map(|at| &fits.predictions[at][index * n_columns..]);
            give_direction(row, predicted.map_or(&none, |row| &row[..n_models]));
        }
        (mix, direction)
    }

    /// The candidate whose mean over models, with the deviations of the mixed policy, is nearest
    /// to the held-out outcomes; `None` where none is nearer than no direction at all.
    fn direction(&self, fits: &HeldOutFits, mixed: &[f32]) -> Option<usize> {
        let (n_models, n_columns) = (self.n_models, self.n_models + 1);
        let error = |candidate: Option<&Vec<f32>>| -> f64 {
            let mut total = 0.0;
            let mut row = vec![0.0; n_models];
            let none = vec![0.0; n_models];
            for (index, fold) in fits.folds.iter().enumerate() {
                row.copy_from_slice(&mixed[index * n_models..][..n_models]);
                let all = candidate.map(|all| &all[index * n_columns..][..n_models]);
                give_direction(&mut row, all.unwrap_or(&none));
                let means = &fits.means[*fold];
                let weights = &self.weights[0][index * n_models..];
                for (model, quality) in self.quality(index).iter().enumerate() {
                    let weight = f64::from(weights[model]);
                    if 0.0 < weight {
                        let predicted = means[model] + f64::from(row[model]);
                        total += weight * (f64::from(*quality) - predicted).powi(2);
                    }
                }
            }
            total
        };
        let errors: Vec<f64> = fits.predictions.par_iter().map(|all| error(Some(all))).collect();
        let best = (0..errors.len()).min_by(|&a, &b| errors[a].total_cmp(&errors[b]))?;
        (errors[best] < error(None)).then_some(best)
    }
}

/// Gives a row the mean over models of another, and leaves its deviations from its mean.
fn give_direction(row: &mut [f32], direction: &[f32]) {
    let sum = |values: &[f32]| values.iter().map(|value| f64::from(*value)).sum::<f64>();
    let change = narrow((sum(direction) - sum(row)) / len_as_float(row.len().max(1)));
    for value in row {
        *value += change;
    }
}
