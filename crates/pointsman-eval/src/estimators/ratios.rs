//! Ratios of sums, and how far off they are when both sums are random.
//!
//! A self-normalised value is `Σ w r / Σ w`; its spread is by the delta method. Weakness: with few
//! rows of weight it is too small, and with one it is zero.

use super::scores::{BLOCK, blocks};
use crate::{
    moments::{CoMoments, Moments, float_of},
    rounds::{LoggedRounds, Predictions},
};
use std::ops::Range;

/// Rewards weighted by `w`, for the ratio, and by `w²`, for its delta-method error.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct RatioSums {
    by_weight: Moments,
    by_squared_weight: Moments,
}

/// A mean prediction and the ratio that corrects it, with how they vary together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct CorrectedSums {
    predicted: Moments,
    correction: RatioSums,
    with_weight: CoMoments,
    with_weighted_residual: CoMoments,
}

impl RatioSums {
    pub(super) fn push(&mut self, weights: &[f64], values: &[f64]) {
        let mut squares = [0.0; BLOCK];
        for rows in blocks(weights.len()) {
            let (weights, values) = (&weights[rows.clone()], &values[rows]);
            let squares = &mut squares[..weights.len()];
            for (square, weight) in squares.iter_mut().zip(weights) {
                *square = weight * weight;
            }
            self.by_weight.push_weighted_block(values, weights);
            self.by_squared_weight.push_weighted_block(values, squares);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.by_weight.merge(&other.by_weight);
        self.by_squared_weight.merge(&other.by_squared_weight);
    }

    pub(super) fn value(&self) -> f64 {
        self.by_weight.mean()
    }

    pub(super) fn total_weight(&self) -> f64 {
        self.by_weight.total_weight()
    }

    /// `√Σ w² (r - value)² / Σ w`, with the same `n / (n - 1)` as the spread of a mean.
    pub(super) fn std_error(&self, n_rows: usize) -> Option<f64> {
        let n = float_of(n_rows);
        let squares = self.by_squared_weight.squared_distances_from(self.value());
        (2 <= n_rows).then(|| (squares * (n / (n - 1.0))).sqrt() / self.by_weight.total_weight())
    }
}

impl CorrectedSums {
    pub(super) fn push(&mut self, rounds: &LoggedRounds, predictions: &Predictions) {
        let (mut residual, mut weighted) = ([0.0; BLOCK], [0.0; BLOCK]);
        for rows in blocks(rounds.n_rows()) {
            let part = residuals(rounds, predictions, rows.clone(), &mut residual);
            let weight = &rounds.weight()[rows.clone()];
            let weighted = &mut weighted[..rows.len()];
            for ((product, weight), residual) in weighted.iter_mut().zip(weight).zip(part) {
                *product = weight * residual;
            }
            let expected = &predictions.expected[rows];
            self.predicted.push_block(expected);
            self.correction.push(weight, part);
            self.with_weight.push_block(expected, weight);
            self.with_weighted_residual.push_block(expected, weighted);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let Self { predicted, correction, with_weight, with_weighted_residual } = other;
        self.predicted.merge(predicted);
        self.correction.merge(correction);
        self.with_weight.merge(with_weight);
        self.with_weighted_residual.merge(with_weighted_residual);
    }

    pub(super) fn value(&self) -> f64 {
        self.predicted.mean() + self.correction.value()
    }

    /// The spread of `E q + w (d - ρ) / mean(w)`, with ρ the ratio.
    pub(super) fn std_error(&self, n_rows: usize) -> Option<f64> {
        let n = float_of(n_rows);
        let ratio = self.correction.value();
        let mean_weight = self.correction.by_weight.total_weight() / n;
        let alone = self.predicted.squared_distances_from(self.predicted.mean());
        let corrections = self.correction.by_squared_weight.squared_distances_from(ratio);
        let together = self.with_weighted_residual.products() - ratio * self.with_weight.products();
        let squares =
            alone + corrections / mean_weight / mean_weight + 2.0 * together / mean_weight;
        // Rounding can leave a sum that is zero a hair below it.
        (2 <= n_rows).then(|| (squares.max(0.0) / (n - 1.0) / n).sqrt())
    }
}

/// One block's rewards less what was predicted.
fn residuals<'b>(
    rounds: &LoggedRounds,
    predictions: &Predictions,
    rows: Range<usize>,
    buffer: &'b mut [f64; BLOCK],
) -> &'b [f64] {
    let part = &mut buffer[..rows.len()];
    let pairs = rounds.reward()[rows.clone()].iter().zip(&predictions.taken[rows]);
    for (residual, (reward, taken)) in part.iter_mut().zip(pairs) {
        *residual = reward - taken;
    }
    part
}
