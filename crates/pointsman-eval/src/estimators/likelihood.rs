//! Estimators that reweight rows so that weights average one, as far as rows can.
//!
//! Weights average one in truth, and rarely in a log. Of all reweightings of the rows under which
//! they do, these take the most plausible one: by empirical likelihood ([`Rows`], found by search)
//! or by the Cressie–Read divergence of order −2 ([`PowerSums`], in closed form). Where the rows
//! average less than one, the missing share gets the plain mean of the rewards.
//!
//! Weakness: empirical likelihood keeps every row, sixteen bytes each.
//!
//! Source: Karampatziakis, Langford & Mineiro, "Empirical Likelihood for Contextual Bandits",
//! `NeurIPS` 2020, without a known largest weight; Vowpal Wabbit's `estimators` compute the same.

use crate::moments::float_of;

/// Steps after which the search has narrowed any bracket to one number.
const MAX_STEPS: u32 = 200;

/// The last step of the search, as a share of the number of rows: the step before it was as small
/// as this one's root, so what is left is rounding.
const NEAR: f64 = 1e-12;

/// The rows of one partition, for empirical likelihood.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Rows {
    weight: Vec<f64>,
    reward: Vec<f64>,
}

impl Rows {
    pub(super) fn push(&mut self, weight: &[f64], reward: &[f64]) {
        self.weight.extend_from_slice(weight);
        self.reward.extend_from_slice(reward);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.push(&other.weight, &other.reward);
    }

    /// `Σ w r / ((w - 1) β + n)` plus the missing share of the plain mean; at least one row.
    pub(super) fn value(&self) -> f64 {
        let n_rows = float_of(self.weight.len());
        let multiplier = self.multiplier(n_rows);
        let (mut found_mass, mut value, mut reward_sum) = (0.0, 0.0, 0.0);
        for (weight, reward) in self.weight.iter().zip(&self.reward) {
            let share = weight / ((weight - 1.0) * multiplier + n_rows);
            found_mass += share;
            value += share * reward;
            reward_sum += reward;
        }
        value + (1.0 - found_mass).max(0.0) * (reward_sum / n_rows)
    }

    /// The β at which `Σ (w - 1) / ((w - 1) β + n)` is zero, or the end of its bracket that is
    /// nearer. The sum falls as β grows, so that Newton's steps, kept in the bracket, find it.
    fn multiplier(&self, n_rows: f64) -> f64 {
        let limit = |weight: f64| (n_rows - 1.0) / (1.0 - weight);
        let below_one = self.weight.iter().filter(|weight| **weight < 1.0);
        let (mut low, mut high) = (0.0, below_one.map(|w| limit(*w)).fold(n_rows, f64::min));
        if self.slope(low, n_rows).0 <= 0.0 {
            return low;
        }
        if 0.0 <= self.slope(high, n_rows).0 {
            return high;
        }
        let mut at = low;
        for _ in 0..MAX_STEPS {
            let (slope, curvature) = self.slope(at, n_rows);
            if 0.0 < slope {
                low = at;
            } else {
                high = at;
            }
            let step = at - slope / curvature;
            let next = if low < step && step < high { step } else { 0.5 * (low + high) };
            if (next - at).abs() <= NEAR * n_rows {
                return next;
            }
            at = next;
        }
        at
    }

    /// The sum whose root is looked for, and its derivative, both at `multiplier`.
    fn slope(&self, multiplier: f64, n_rows: f64) -> (f64, f64) {
        let (mut slope, mut curvature) = (0.0, 0.0);
        for weight in &self.weight {
            let excess = weight - 1.0;
            let term = excess / (excess * multiplier + n_rows);
            slope += term;
            curvature -= term * term;
        }
        (slope, curvature)
    }
}

/// Sums of powers over one partition, for Cressie–Read.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct PowerSums {
    n_rows: usize,
    weight: f64,
    squared_weight: f64,
    weighted_reward: f64,
    squared_weight_reward: f64,
    reward: f64,
}

impl PowerSums {
    pub(super) fn push(&mut self, weight: &[f64], reward: &[f64]) {
        let mut part = Self { n_rows: weight.len(), ..Self::default() };
        for (weight, reward) in weight.iter().zip(reward) {
            part.weight += weight;
            part.squared_weight += weight * weight;
            part.weighted_reward += weight * reward;
            part.squared_weight_reward += weight * weight * reward;
            part.reward += reward;
        }
        self.merge(&part);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let Self { n_rows, weight, squared_weight, weighted_reward, squared_weight_reward, reward } =
            other;
        self.n_rows += n_rows;
        self.weight += weight;
        self.squared_weight += squared_weight;
        self.weighted_reward += weighted_reward;
        self.squared_weight_reward += squared_weight_reward;
        self.reward += reward;
    }

    /// The closed form with one imagined row: of weight zero where weights average one or more,
    /// of unbounded weight where they average less. At least one row.
    pub(super) fn value(&self) -> f64 {
        let n_rows = float_of(self.n_rows);
        let with_imagined = 1.0 + n_rows;
        let (constant, slope) = if self.weight < n_rows {
            (with_imagined / n_rows, 0.0)
        } else {
            let mean = self.weight / with_imagined;
            let mean_square = self.squared_weight / with_imagined;
            let minus_variance = mean * mean - mean_square;
            ((mean - mean_square) / minus_variance, (mean - 1.0) / minus_variance)
        };
        let found_mass = (constant * self.weight + slope * self.squared_weight) / with_imagined;
        let value =
            (constant * self.weighted_reward + slope * self.squared_weight_reward) / with_imagined;
        value + (1.0 - found_mass).max(0.0) * (self.reward / n_rows)
    }
}
