//! Logistic regression of many columns, by damped Newton steps on the same products as the ridge.
//!
//! Quality may be any fraction: the loss is `Σ ω (log(1 + e^f) − y f) + λ/2 |w|²` with
//! `f = b + x · w`. With `w = Xᵀ α`, a step solves `(V K + λ I) Δα = ω (y − p) − λ α` for
//! `V = ω p (1 − p)`: a weighted ridge problem, whose right-hand side vanishes at the solution, so
//! that every step, and every strength after the last, starts where the one before ended.
//!
//! A scorer predicts qualities, not logits, and is linear. So each column is mapped back by the
//! least-squares line of its probabilities on its logits: a choice between models then knows that
//! a logit is worth less where a model is nearly always right. Strengths are a path from the
//! strongest to the weakest. Weakness: several ridge fits' work, for gains in choices that were not
//! found (docs/decisions/0005-learners.md).
//!
//! Source: Komarek & Moore, "Making Logistic Regression a Core Data Mining Tool", ICDM 2005, for
//! Newton steps by conjugate gradients.

use crate::{
    columns::{Columns, Effort, block, put},
    kernel::Kernel,
    outcomes::narrow,
    solve::{Matrix, ridge_path},
};
use pointsman_core::units::len_as_float;

/// Where the gradient, relative to that at the start, is small enough.
const TOLERANCE: f64 = 1e-3;

/// Where a column is given up.
const MAX_STEPS: usize = 30;

/// Halvings of a step that raises the loss, before a column stands still.
const MAX_HALVINGS: usize = 12;

/// The least curvature of a row, as a share of its weight.
const LEAST_CURVATURE: f64 = 1e-3;

/// One column: dual, logits before the intercept, and the intercept.
#[derive(Debug, Clone)]
struct Column {
    target: Vec<f64>,
    weights: Vec<f64>,
    dual: Vec<f64>,
    logits: Vec<f64>,
    intercept: f64,
}

/// Columns that are solved together.
const WIDTH: usize = 8;

impl Columns {
    /// Duals of shape `(n_rows, n_columns)`, one per strength, whose predictions are qualities: the
    /// first `n_models` columns fitted by logistic regression, the target being quality less
    /// `means`; the last, which is the length, is left out. `strengths` ascend; they are solved from
    /// the strongest on, each from where the one before ended.
    fn logistic_duals(
        &self,
        kernel: &Kernel,
        means: &[f64],
        strengths: &[f64],
    ) -> (Vec<Vec<f32>>, Effort) {
        let mut duals = vec![vec![0.0; self.target.len()]; strengths.len()];
        let mut effort = Effort::default();
        for from in (0..means.len()).step_by(WIDTH) {
            let target = block::<WIDTH>(&self.target, self.n_columns, from);
            let weights = block::<WIDTH>(&self.weights, self.n_columns, from);
            let mut columns: Vec<Column> = (0..WIDTH.min(means.len() - from))
                .map(|c| Column::new((&target, &weights), means[from + c], c))
                .collect();
            let goals = goals(&columns);
            for (dual, &strength) in duals.iter_mut().zip(strengths).rev() {
                effort.add(solve::<WIDTH>(kernel, &mut columns, &goals, strength));
                let mut found = vec![[0.0; WIDTH]; target.len()];
                for (c, column) in columns.iter().enumerate() {
                    let slope = column.slope();
                    for (out, value) in found.iter_mut().zip(&column.dual) {
                        out[c] = narrow(slope * value);
                    }
                }
                put(dual, self.n_columns, from, &found);
            }
        }
        (duals, effort)
    }

    /// Predictions of every row at every strength, each of shape `(n_rows, n_columns)`, without
    /// the effect of terms that occur in one row alone; the length by ridge regression.
    pub(crate) fn logistic_predictions(
        &self,
        kernel: &Kernel,
        means: &[f64],
        strengths: &[f64],
    ) -> (Vec<Vec<f32>>, Effort) {
        let (duals, mut effort) = self.logistic_duals(kernel, means, strengths);
        let (lengths, took) = self.last().predictions(kernel, strengths);
        effort.add(took);
        let predicted = |(dual, length): (&Vec<f32>, Vec<f32>)| {
            let mut out = vec![0.0; dual.len()];
            for from in (0..means.len()).step_by(WIDTH) {
                let weights = kernel.transposed(&block::<WIDTH>(dual, self.n_columns, from));
                put(&mut out, self.n_columns, from, &kernel.predict(&weights));
            }
            self.put_last(&mut out, &length);
            out
        };
        (duals.iter().zip(lengths).map(predicted).collect(), effort)
    }

    /// Duals of shape `(n_rows, n_columns)`, one for each set of `shares`: the mean of the
    /// strengths' duals by shares of shape `(strengths, n_columns)`; the length by ridge regression.
    pub(crate) fn logistic_means(
        &self,
        (kernel, means): (&Kernel, &[f64]),
        strengths: &[f64],
        shares: &[&[Vec<f64>]],
    ) -> (Vec<Vec<f32>>, Effort) {
        let (duals, mut effort) = self.logistic_duals(kernel, means, strengths);
        let of_length: Vec<Vec<Vec<f64>>> = shares
            .iter()
            .map(|set| set.iter().map(|row| row[means.len()..].to_vec()).collect())
            .collect();
        let of_length: Vec<&[Vec<f64>]> = of_length.iter().map(Vec::as_slice).collect();
        let (lengths, took) = self.last().duals(kernel, strengths, &of_length);
        effort.add(took);
        let mean = |(set, length): (&&[Vec<f64>], Vec<f32>)| {
            let mut mean = vec![0.0; self.target.len()];
            for (dual, shares) in duals.iter().zip(*set) {
                let rows =
                    mean.chunks_exact_mut(self.n_columns).zip(dual.chunks_exact(self.n_columns));
                for (mean, row) in rows {
                    for ((mean, value), share) in mean.iter_mut().zip(row).zip(shares) {
                        *mean += narrow(*share) * value;
                    }
                }
            }
            self.put_last(&mut mean, &length);
            mean
        };
        (shares.iter().zip(lengths).map(mean).collect(), effort)
    }

    /// The last column alone.
    fn last(&self) -> Self {
        let last = |values: &[f32]| -> Vec<f32> {
            let rows = values.chunks_exact(self.n_columns);
            rows.filter_map(|row| row.last().copied()).collect()
        };
        Self { n_columns: 1, target: last(&self.target), weights: last(&self.weights) }
    }

    /// Puts values of shape `(n_rows,)` into the last column.
    fn put_last(&self, values: &mut [f32], last: &[f32]) {
        for (row, value) in values.chunks_exact_mut(self.n_columns).zip(last) {
            row[self.n_columns - 1] = *value;
        }
    }
}

/// How short each column's gradient has to become, by its length at the start of a path.
fn goals(columns: &[Column]) -> Vec<f64> {
    columns.iter().map(|one| TOLERANCE * one.gradient(0.0).1).collect()
}

/// Takes steps from where the columns stand until every gradient vanishes.
fn solve<const B: usize>(
    matrix: &impl Matrix<B>,
    columns: &mut [Column],
    goals: &[f64],
    strength: f64,
) -> Effort {
    let mut effort = Effort::default();
    let mut is_open = vec![true; columns.len()];
    for _ in 0..MAX_STEPS {
        let n_rows = matrix.n_rows();
        let (mut target, mut weights) = (vec![[0.0; B]; n_rows], vec![[0.0; B]; n_rows]);
        for (c, column) in columns.iter_mut().enumerate() {
            column.settle();
            let (gradient, size) = column.gradient(strength);
            is_open[c] = is_open[c] && goals[c] < size;
            for (row, gradient) in gradient.iter().enumerate().filter(|_| is_open[c]) {
                let curvature = column.curvature(row);
                if 0.0 < curvature {
                    target[row][c] = narrow(gradient / curvature);
                    weights[row][c] = narrow(curvature);
                }
            }
        }
        if !is_open.contains(&true) {
            break;
        }
        let path = ridge_path(matrix, &target, &weights, &[strength]);
        effort.n_iterations += path.n_iterations;
        let Some(step) = path.duals.first() else { break };
        let mut image = matrix.image(step);
        for ((out, step), single) in image.iter_mut().zip(step).zip(matrix.single_squares()) {
            for (out, step) in out.iter_mut().zip(step) {
                *out += single * step;
            }
        }
        for (c, column) in columns.iter_mut().enumerate() {
            if !is_open[c] {
                continue;
            }
            let of_column = |rows: &[[f32; B]]| -> Vec<f64> {
                rows.iter().map(|row| f64::from(row[c])).collect()
            };
            is_open[c] = column.step((&of_column(step), &of_column(&image)), strength);
        }
    }
    // A column that stood still short of its goal has not converged either.
    for (column, goal) in columns.iter_mut().zip(goals) {
        column.settle();
        effort.n_unconverged += usize::from(*goal < column.gradient(strength).1);
    }
    effort
}

impl Column {
    fn new<const B: usize>(
        (target, weights): (&[[f32; B]], &[[f32; B]]),
        mean: f64,
        c: usize,
    ) -> Self {
        let mean_in_bounds = mean.clamp(1e-3, 1.0 - 1e-3);
        let quality = |row: &[f32; B]| (f64::from(row[c]) + mean).clamp(0.0, 1.0);
        Self {
            target: target.iter().map(quality).collect(),
            weights: weights.iter().map(|row| f64::from(row[c])).collect(),
            dual: vec![0.0; target.len()],
            logits: vec![0.0; target.len()],
            intercept: libm::log(mean_in_bounds / (1.0 - mean_in_bounds)),
        }
    }

    fn probability(&self, row: usize) -> f64 {
        1.0 / (1.0 + libm::exp(-(self.logits[row] + self.intercept)))
    }

    fn curvature(&self, row: usize) -> f64 {
        let p = self.probability(row);
        self.weights[row] * (p * (1.0 - p)).max(LEAST_CURVATURE)
    }

    /// `ω (y − p) − λ α`, and its length.
    fn gradient(&self, strength: f64) -> (Vec<f64>, f64) {
        let one = |row: usize| {
            self.weights[row] * (self.target[row] - self.probability(row))
                - strength * self.dual[row]
        };
        let gradient: Vec<f64> = (0..self.target.len()).map(one).collect();
        let size = gradient.iter().map(|value| value * value).sum::<f64>().sqrt();
        (gradient, size)
    }

    /// Moves the intercept to where the probabilities have the mean of the qualities.
    fn settle(&mut self) {
        for _ in 0..MAX_STEPS {
            let (mut slope, mut curvature) = (0.0, 0.0);
            for row in (0..self.target.len()).filter(|&row| 0.0 < self.weights[row]) {
                slope += self.weights[row] * (self.target[row] - self.probability(row));
                curvature += self.curvature(row);
            }
            if curvature <= 0.0 || slope.abs() <= 1e-9 * curvature {
                return;
            }
            self.intercept += (slope / curvature).clamp(-1.0, 1.0);
        }
    }

    fn loss(&self, strength: f64) -> f64 {
        let one = |row: usize| {
            let logit = self.logits[row] + self.intercept;
            let of_row =
                logit.max(0.0) + libm::log1p(libm::exp(-logit.abs())) - self.target[row] * logit;
            self.weights[row] * of_row + 0.5 * strength * self.dual[row] * self.logits[row]
        };
        (0..self.target.len()).map(one).sum()
    }

    /// Goes as far along a step as the loss falls; whether it moved at all.
    fn step(&mut self, (step, image): (&[f64], &[f64]), strength: f64) -> bool {
        let before = self.clone();
        let least = before.loss(strength);
        let mut length = 1.0;
        for _ in 0..MAX_HALVINGS {
            for row in 0..self.dual.len() {
                self.dual[row] = before.dual[row] + length * step[row];
                self.logits[row] = before.logits[row] + length * image[row];
            }
            if self.loss(strength) <= least {
                return true;
            }
            length /= 2.0;
        }
        *self = before;
        false
    }

    /// The slope of the least-squares line of probabilities on logits.
    fn slope(&self) -> f64 {
        let used = || (0..self.target.len()).filter(|&row| 0.0 < self.weights[row]);
        let n = len_as_float(used().count().max(1));
        let mean_logit = used().map(|row| self.logits[row]).sum::<f64>() / n;
        let (mut covariance, mut variance) = (0.0, 0.0);
        for row in used() {
            let logit = self.logits[row] - mean_logit;
            covariance += logit * self.probability(row);
            variance += logit * logit;
        }
        if variance <= 0.0 { 0.0 } else { covariance / variance }
    }
}

#[cfg(test)]
mod tests;
