//! How far predicted quality may be taken at its word, and whether it is noise that says so.
//!
//! Pairs of prompt and model are pooled, sorted by prediction and cut into bins of equal mass. In
//! each, the mean outcome should be the mean prediction; the expected calibration error (ECE) is
//! the mean distance of the two. It is above zero even where every prediction is right, because a
//! bin's mean is noisy, so what perfectly calibrated outcomes would show is simulated and taken
//! off.
//!
//! A perfectly calibrated outcome has its prediction as its mean. Where all outcomes are 0 or 1,
//! that leaves one distribution. A fraction could have any spread about its mean, so there the
//! spread is the table's own: the bin's distances from its mean distance, drawn with replacement.
//! Weakness: outcomes are simulated pair by pair, but the models' outcomes on one prompt hang
//! together, so less noise is taken off than there is; the figure errs towards too much.
//!
//! Source: Naeini, Cooper & Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
//! Binning", AAAI 2015; the bias: Roelofs et al., "Mitigating Bias in Calibration Error
//! Estimation", AISTATS 2022.

use crate::{calibration::check_pairs, error::CalibrationError, moments::float_of};
use std::ops::Range;

/// How many bins there are.
pub const N_BINS: usize = 15;

/// How often perfectly calibrated outcomes are simulated.
pub const N_SIMULATIONS: u64 = 200;

/// How close observed quality is to predicted quality.
#[derive(Debug, Clone, PartialEq)]
pub struct Reliability {
    /// The expected calibration error less `noise`, at least zero, in quality points.
    pub ece: f64,
    /// The expected calibration error as it was found.
    pub raw: f64,
    /// What perfectly calibrated outcomes of the same predictions show on average.
    pub noise: f64,
    /// From the lowest predictions to the highest, of about as many pairs each.
    pub bins: Vec<Bin>,
}

/// Pairs whose predictions are neighbours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// How many pairs there are; at least one.
    pub n_pairs: usize,
    /// The mean prediction, as it was made; it may lie outside `[0, 1]`.
    pub predicted: f64,
    /// The mean outcome.
    pub observed: f64,
    /// One standard error of `observed - predicted`, as if pairs were independent.
    pub std_error: f64,
}

/// Measures calibration in [`N_BINS`] bins. Equal predictions share a bin, since an order among
/// them would say something about the rows and nothing about the predictions; bins are larger and
/// fewer where there are many. The same pairs and seed give the same bits.
///
/// # Errors
/// As [`crate::calibration::log_loss`].
pub fn reliability(
    predicted: &[f64],
    outcome: &[f64],
    seed: u64,
) -> Result<Reliability, CalibrationError> {
    check_pairs(predicted, outcome)?;
    let mut order: Vec<usize> = (0..predicted.len()).collect();
    order.sort_by(|&a, &b| predicted[a].total_cmp(&predicted[b]));
    let sorted = |values: &[f64]| -> Vec<f64> { order.iter().map(|&pair| values[pair]).collect() };
    let (predicted, outcome) = (sorted(predicted), sorted(outcome));
    let bins = bins_of(&predicted);
    let distances: Vec<f64> = outcome.iter().zip(&predicted).map(|(y, p)| y - p).collect();
    let raw = mean_gap(&distances, &bins);
    let is_binary = outcome.iter().all(|&quality| quality == 0.0 || quality == 1.0);
    let mut simulated = vec![0.0; predicted.len()];
    let mut draws = Draws { state: seed };
    let mut total = 0.0;
    for _ in 0..N_SIMULATIONS {
        if is_binary {
            draws.coins(&predicted, &mut simulated);
        } else {
            draws.centred(&distances, &bins, &mut simulated);
        }
        total += mean_gap(&simulated, &bins);
    }
    let noise = total / pointsman_core::units::as_float(N_SIMULATIONS);
    let bins = bins.into_iter().map(|bin| bin_of(&predicted[bin.clone()], &outcome[bin])).collect();
    Ok(Reliability { ece: (raw - noise).max(0.0), raw, noise, bins })
}

/// The sorted pairs in bins: each is cut at its share of the pairs, or after it where equal
/// predictions would be divided.
fn bins_of(sorted: &[f64]) -> Vec<Range<usize>> {
    let mut bins = Vec::with_capacity(N_BINS);
    let mut start = 0;
    for bin in 1..=N_BINS {
        let mut end = (sorted.len() * bin / N_BINS).max(start);
        while start < end && end < sorted.len() && sorted[end - 1] == sorted[end] {
            end += 1;
        }
        if start < end {
            bins.push(start..end);
            start = end;
        }
    }
    bins
}

/// The mean over bins, by their mass, of the distance of outcomes from predictions.
fn mean_gap(distances: &[f64], bins: &[Range<usize>]) -> f64 {
    let gaps = bins.iter().map(|bin| distances[bin.clone()].iter().sum::<f64>().abs());
    gaps.sum::<f64>() / float_of(distances.len())
}

fn bin_of(predicted: &[f64], outcome: &[f64]) -> Bin {
    let n = float_of(predicted.len());
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (mean_predicted, observed) = (mean(predicted), mean(outcome));
    let gap = observed - mean_predicted;
    let squares: f64 = outcome.iter().zip(predicted).map(|(y, p)| (y - p - gap).powi(2)).sum();
    Bin {
        n_pairs: predicted.len(),
        predicted: mean_predicted,
        observed,
        std_error: (squares / n / n).sqrt(),
    }
}

/// Random numbers from a seed.
///
/// Source: `SplitMix64`, Steele, Lea & Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014.
struct Draws {
    state: u64,
}

impl Draws {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    /// Uniform in `[0, 1)`.
    fn share(&mut self) -> f64 {
        const STEPS: f64 = pointsman_core::units::as_float(1 << 53);
        pointsman_core::units::as_float(self.next() >> 11) / STEPS
    }

    /// Outcomes of 0 or 1 that have their prediction as their mean, less that mean. A prediction
    /// outside `[0, 1]` is no mean of any outcome; there its nearer end is.
    fn coins(&mut self, predicted: &[f64], distances: &mut [f64]) {
        for (distance, prediction) in distances.iter_mut().zip(predicted) {
            let mean = prediction.clamp(0.0, 1.0);
            let outcome = if self.share() < mean { 1.0 } else { 0.0 };
            *distance = outcome - mean;
        }
    }

    /// Distances drawn from their own bin, less its mean.
    fn centred(&mut self, found: &[f64], bins: &[Range<usize>], distances: &mut [f64]) {
        for bin in bins {
            let found = &found[bin.clone()];
            let mean = found.iter().sum::<f64>() / float_of(found.len());
            for distance in &mut distances[bin.clone()] {
                *distance = found[self.index(found.len())] - mean;
            }
        }
    }

    /// Uniform below `n`.
    #[expect(clippy::cast_possible_truncation, reason = "the product's top half is below n")]
    fn index(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * (n as u128)) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As many predictions as asked for, evenly spread, and outcomes drawn from them after
    /// `truth` has had its say.
    fn coins(n: usize, truth: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<f64>) {
        let predicted: Vec<f64> = (0..n).map(|i| (float_of(i) + 0.5) / float_of(n)).collect();
        let means: Vec<f64> = predicted.iter().map(|&p| truth(p)).collect();
        let mut outcome = vec![0.0; n];
        Draws { state: 99 }.coins(&means, &mut outcome);
        for (outcome, mean) in outcome.iter_mut().zip(&means) {
            *outcome = (*outcome + mean).round();
        }
        (predicted, outcome)
    }

    #[track_caller]
    fn check_ece((predicted, outcome): (Vec<f64>, Vec<f64>), expected: f64, tolerance: f64) {
        let found = reliability(&predicted, &outcome, 1).unwrap();
        assert!((found.ece - expected).abs() < tolerance, "{found:?}");
    }

    #[test]
    fn what_is_calibrated_shows_no_error_and_what_is_not_shows_it() {
        check_ece(coins(15_000, |p| p), 0.0, 0.004);
        check_ece(coins(15_000, |p| 0.8 * p), 0.1, 0.01);
        check_ece(coins(15_000, |p| 0.25 + 0.5 * p), 0.125, 0.01);
        check_ece((vec![0.3; 10], vec![1.0; 10]), 0.7, 0.2);
    }

    /// Worked by hand: two bins in effect, each 0.1 too high; fractions all at one distance have
    /// no noise.
    #[test]
    fn fractions_keep_their_own_spread() {
        let found = reliability(&[0.2, 0.2, 0.9, 0.9], &[0.1, 0.1, 0.8, 0.8], 1).unwrap();
        assert!((found.raw - 0.1).abs() < 1e-12 && found.noise.abs() < 1e-12, "{found:?}");
        assert_eq!(found.bins.len(), 2);
        let (predicted, outcome): (Vec<f64>, Vec<f64>) = (0..3000)
            .map(|i| (0.5 + float_of(i) / 1e4, 0.5 + float_of(i) / 1e4 + [-0.1, 0.1][i % 2]))
            .unzip();
        let found = reliability(&predicted, &outcome, 1).unwrap();
        assert!(found.ece.abs() < 1e-12, "{found:?}");
        assert!(0.003 < found.noise && found.noise < 0.01, "{found:?}");
    }

    #[test]
    fn equal_predictions_share_a_bin() {
        let mut predicted = vec![0.5; 40];
        predicted.extend((0..20).map(|i| 0.6 + float_of(i) / 100.0));
        let sizes: Vec<usize> = bins_of(&predicted).iter().map(Range::len).collect();
        assert_eq!(sizes[0], 40);
        assert_eq!(sizes.iter().sum::<usize>(), 60);
        let all: Vec<f64> = (0..31).map(float_of).collect();
        let sizes: Vec<usize> = bins_of(&all).iter().map(Range::len).collect();
        assert_eq!((sizes.len(), sizes.iter().min(), sizes.iter().max()), (15, Some(&2), Some(&3)));
    }

    #[test]
    fn refusals_are_those_of_every_score() {
        assert_eq!(reliability(&[], &[], 0), Err(CalibrationError::NoPairs));
        assert!(reliability(&[0.5], &[2.0], 0).is_err());
    }

    proptest! {
        /// Neither the order of the pairs nor a second run changes anything that is measured, and
        /// bins hold all pairs.
        #[test]
        fn order_does_not_matter(
            pairs in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 1..80),
        ) {
            let (predicted, outcome): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
            let there = reliability(&predicted, &outcome, 7).unwrap();
            let (predicted, outcome): (Vec<f64>, Vec<f64>) = pairs.iter().rev().copied().unzip();
            let back = reliability(&predicted, &outcome, 7).unwrap();
            prop_assert!((there.raw - back.raw).abs() < 1e-12);
            prop_assert_eq!(there.bins.iter().map(|bin| bin.n_pairs).sum::<usize>(), pairs.len());
            prop_assert!(0.0 <= there.ece && there.ece <= there.raw);
            prop_assert!(there.noise.is_finite() && there.bins.len() <= N_BINS);
        }
    }
}
