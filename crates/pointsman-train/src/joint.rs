//! Partial pooling of a log: a direction that all models share, and each model's deviation from it.
//!
//! A log tells little of each model. But prompts that are hard for one model are hard for most, and
//! what the others showed of that need not be learned again. With penalties `λ₀ |w₀|² + λ₁ Σ |d_m|²`
//! on the shared direction and the deviations, and `κ = λ₁ / λ₀`, the dual problem of all outcomes
//! together is `(√Ω (K_own + κ K) √Ω + λ₁ I) a = √Ω y`, where `K = X Xᵀ` and `K_own` is `K` between
//! outcomes of one model and zero between others. More generally each model has a slope on the shared
//! direction ([`crate::covariance`]), and `κ` becomes a product of two of them. For given slopes all
//! strengths share one Krylov space, as in [`crate::solve`]. At `κ = 0` every model is fitted alone;
//! for large `κ` all have one direction. Where every model has an outcome on every row the problem
//! falls apart into the mean over models and the deviations from it, and needs nothing of this.
//!
//! Source: Evgeniou & Pontil, "Regularized Multi-Task Learning", KDD 2004.

use crate::{
    apart::{Apart, Rows},
    columns::{Columns, Effort},
    covariance::slopes,
    kernel::{Kernel, Weights},
    outcomes::narrow,
    solve::{Matrix, Path, ridge_path},
};
use pointsman_core::units::len_as_float;
use rayon::prelude::*;

/// All outcomes of a log, model after model.
#[derive(Debug)]
struct Joint<'a, 'k> {
    models: &'a [Rows<'k>],
    /// `√κ s_m`: how much of the shared direction is in each model.
    slopes: Vec<f32>,
    single_squares: Vec<f32>,
}

/// Solutions of one path: a number per outcome and strength.
struct Solved<'a, 'k> {
    joint: Joint<'a, 'k>,
    path: Path<1>,
    /// Rows of the kernel.
    n_rows: usize,
}

impl Columns {
    /// As [`Columns::predictions`], the first `n_models` columns pooled and zeros in the others;
    /// `None` where a row has outcomes in more than one.
    pub(crate) fn pooled_predictions(
        &self,
        kernel: &Kernel,
        n_models: usize,
        strengths: &[f64],
    ) -> Option<(Vec<Vec<f32>>, Effort)> {
        let apart = Apart::new(kernel, &self.weights, self.n_columns)?;
        let solved = self.pooled(kernel, &apart.columns()[..n_models], strengths);
        let predict = |dual: &Vec<[f32; 1]>| {
            let mut out = vec![0.0; self.target.len()];
            let weights = solved.joint.weights(dual);
            for (block, weights) in weights.chunks(8).enumerate() {
                let rows = kernel.predict(&Weights::<8>::joined(weights, kernel.n_terms()));
                for (out, row) in out.chunks_exact_mut(self.n_columns).zip(&rows) {
                    out[block * 8..][..weights.len()].copy_from_slice(&row[..weights.len()]);
                }
            }
            out
        };
        Some((solved.path.duals.iter().map(predict).collect(), Effort::of(&solved.path)))
    }

    /// As [`Columns::duals`], the first `n_models` columns pooled and zeros in the others; `None`
    /// where a row has outcomes in more than one. Shares are those of the first column.
    pub(crate) fn pooled_duals(
        &self,
        kernel: &Kernel,
        n_models: usize,
        strengths: &[f64],
        shares: &[&[Vec<f64>]],
    ) -> Option<(Vec<Vec<f32>>, Effort)> {
        let apart = Apart::new(kernel, &self.weights, self.n_columns)?;
        let solved = self.pooled(kernel, &apart.columns()[..n_models], strengths);
        let averaged = |shares: &&[Vec<f64>]| {
            let share = |row: &Vec<f64>| narrow(row.first().copied().unwrap_or(0.0));
            let shares: Vec<f32> = shares.iter().map(share).collect();
            solved.dual(&shares, self.n_columns)
        };
        Some((shares.iter().map(averaged).collect(), Effort::of(&solved.path)))
    }

    fn pooled<'a, 'k>(
        &self,
        kernel: &Kernel,
        models: &'a [Rows<'k>],
        strengths: &[f64],
    ) -> Solved<'a, 'k> {
        let (target, weights) =
            (self.gather(&self.target, models), self.gather(&self.weights, models));
        let slopes = slopes(kernel, models, (&target, &weights));
        self.pooled_by(kernel, models, (&slopes, strengths))
    }

    /// With given slopes. A strength is that of shared direction and deviation together.
    fn pooled_by<'a, 'k>(
        &self,
        kernel: &Kernel,
        models: &'a [Rows<'k>],
        (slopes, strengths): (&[f64], &[f64]),
    ) -> Solved<'a, 'k> {
        let (target, weights) =
            (self.gather(&self.target, models), self.gather(&self.weights, models));
        let joint = Joint::new(models, slopes);
        let mean_square = slopes.iter().map(|s| s * s).sum::<f64>() / len_as_float(slopes.len());
        let strengths: Vec<f64> = strengths.iter().map(|one| (1.0 + mean_square) * one).collect();
        let path = ridge_path(&joint, &target, &weights, &strengths);
        Solved { joint, path, n_rows: kernel.n_rows() }
    }

    /// Values of the outcomes, model after model.
    fn gather(&self, values: &[f32], models: &[Rows<'_>]) -> Vec<[f32; 1]> {
        let of_models = models.iter().enumerate();
        of_models.flat_map(|(model, rows)| rows.values(values, (self.n_columns, model))).collect()
    }
}

impl Solved<'_, '_> {
    /// The dual of all columns, averaged over strengths.
    fn dual(&self, shares: &[f32], n_columns: usize) -> Vec<f32> {
        let Joint { models, slopes, .. } = &self.joint;
        let mut dual = vec![0.0; self.n_rows * n_columns];
        let mut outcome = 0;
        for (model, rows) in models.iter().enumerate() {
            for &row in rows.places() {
                let duals = self.path.duals.iter().zip(shares);
                let value = duals.fold(0.0, |sum, (dual, share)| sum + share * dual[outcome][0]);
                let of_row = &mut dual[row as usize * n_columns..][..models.len()];
                for (other, out) in of_row.iter_mut().enumerate() {
                    let own = if other == model { 1.0 } else { 0.0 };
                    *out += value * (own + slopes[model] * slopes[other]);
                }
                outcome += 1;
            }
        }
        dual
    }
}

impl<'a, 'k> Joint<'a, 'k> {
    fn new(models: &'a [Rows<'k>], slopes: &[f64]) -> Self {
        let slopes: Vec<f32> = slopes.iter().map(|slope| narrow(*slope)).collect();
        let mut single_squares = Vec::new();
        for (rows, slope) in models.iter().zip(&slopes) {
            let squares = <Rows<'_> as Matrix<1>>::single_squares(rows);
            single_squares.extend(squares.iter().map(|square| (1.0 + slope * slope) * square));
        }
        Self { models, slopes, single_squares }
    }

    /// Each model's own weights and its slope times the shared direction.
    fn weights(&self, dual: &[[f32; 1]]) -> Vec<Weights<1>> {
        let mut own = transposed(self.models, dual);
        let shared = Weights::sum(&own, &self.slopes);
        own.par_iter_mut()
            .zip(&self.slopes)
            .for_each(|(own, slope)| own.add_scaled(&shared, *slope));
        own
    }
}

impl Matrix<1> for Joint<'_, '_> {
    fn n_rows(&self) -> usize {
        self.single_squares.len()
    }

    fn image(&self, dual: &[[f32; 1]]) -> Vec<[f32; 1]> {
        let weights = self.weights(dual);
        let parts: Vec<Vec<[f32; 1]>> = self
            .models
            .par_iter()
            .zip(&weights)
            .map(|(rows, weights)| rows.predict(weights))
            .collect();
        parts.concat()
    }

    fn single_squares(&self) -> &[f32] {
        &self.single_squares
    }
}

/// `Xᵀ u` of each model's outcomes.
pub(crate) fn transposed(models: &[Rows<'_>], dual: &[[f32; 1]]) -> Vec<Weights<1>> {
    let mut spans = Vec::with_capacity(models.len());
    let mut rest = dual;
    for rows in models {
        let (span, others) = rest.split_at(rows.places().len());
        spans.push(span);
        rest = others;
    }
    models.par_iter().zip(&spans).map(|(rows, span)| rows.transposed(span)).collect()
}

impl Weights<1> {
    /// The sum of some weights times factors, added in their order.
    fn sum(all: &[Self], factors: &[f32]) -> Self {
        let n_terms = all.first().map_or(0, |one| one.terms.len());
        let zero = [0.0];
        let mut sum = Self { terms: vec![zero; n_terms], dense: Default::default(), at_mean: zero };
        sum.terms.par_chunks_mut(4096).enumerate().for_each(|(task, terms)| {
            for (one, factor) in all.iter().zip(factors) {
                for (out, value) in terms.iter_mut().zip(&one.terms[task * 4096..]) {
                    out[0] += factor * value[0];
                }
            }
        });
        for (one, factor) in all.iter().zip(factors) {
            for (out, value) in sum.dense.iter_mut().zip(&one.dense) {
                out[0] += factor * value[0];
            }
            sum.at_mean[0] += factor * one.at_mean[0];
        }
        sum
    }

    fn add_scaled(&mut self, other: &Self, factor: f32) {
        let Self { terms, dense, at_mean } = self;
        let pairs = terms.iter_mut().zip(&other.terms).chain(dense.iter_mut().zip(&other.dense));
        for (out, value) in pairs {
            out[0] += factor * value[0];
        }
        at_mean[0] += factor * other.at_mean[0];
    }
}

#[cfg(test)]
mod tests;
