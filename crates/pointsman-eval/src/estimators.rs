//! Off-policy estimators: what the target policy would have earned on the logger's traffic.
//!
//! Each estimator is one function from columns to one value per row, whose mean is the estimate
//! and whose spread is its uncertainty; the interval is shared. All of them trust the logged
//! propensities, and none can see mass the logger could not have taken: read
//! [`crate::diagnostics`] beside every value. DM also trusts its reward model entirely.
//!
//! | symbol | code | meaning |
//! |---|---|---|
//! | w | `weight` | target probability over propensity |
//! | r | `reward` | what the taken model earned |
//! | q(x, a) | `predictions.taken` | predicted reward of the taken model |
//! | E q | `predictions.expected` | predicted reward under the target policy |
//!
//! Source: Horvitz & Thompson 1952 (IPS); Swaminathan & Joachims, NIPS 2015 (SNIPS); Dudík,
//! Erhan, Langford & Li, "Doubly Robust Policy Evaluation and Optimization", 2014 (DM, DR).

use std::fmt;

use crate::{
    error::{EstimateError, SettingError},
    interval::{ConfidenceLevel, Interval, IntervalMethod},
    moments::{Moments, float_of},
    rounds::{LoggedRounds, Predictions},
};

/// The largest weight a row may have; finite and above zero. It trades variance for bias.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct WeightClip(f64);

impl WeightClip {
    /// # Errors
    /// [`SettingError::Clip`] for anything but a finite number above zero.
    pub fn new(largest_weight: f64) -> Result<Self, SettingError> {
        if largest_weight.is_finite() && 0.0 < largest_weight {
            return Ok(Self(largest_weight));
        }
        Err(SettingError::Clip { found: largest_weight })
    }

    /// The largest weight a row may have.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// Which formula makes the value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Estimator {
    /// Inverse propensity scoring: the mean of `min(w, clip) r`. Unbiased without a clip.
    Ips {
        /// The largest weight a row may have, if there is one.
        clip: Option<WeightClip>,
    },
    /// Self-normalised IPS: `Σ w r / Σ w`. Stays within the rewards that were seen.
    Snips,
    /// Doubly robust: the mean of `E q + min(w, clip) (r - q)`. Right if either the
    /// propensities (without a clip) or the predictions are.
    Dr {
        /// The largest weight a row may have, if there is one.
        clip: Option<WeightClip>,
    },
    /// Direct method: the mean of `E q`. No better than its reward model, and its interval
    /// does not know how wrong that model is.
    Dm,
}

impl Estimator {
    fn clip(self) -> Option<WeightClip> {
        match self {
            Self::Ips { clip } | Self::Dr { clip } => clip,
            Self::Snips | Self::Dm => None,
        }
    }
}

impl fmt::Display for Estimator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Ips { clip: _ } => "IPS",
            Self::Snips => "SNIPS",
            Self::Dr { clip: _ } => "DR",
            Self::Dm => "DM",
        })?;
        match self.clip() {
            Some(clip) => write!(out, " clipped at {}", clip.get()),
            None => Ok(()),
        }
    }
}

/// A policy's value with its uncertainty, in the unit of the reward. Every number is finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Which formula made it.
    pub estimator: Estimator,
    /// The number of graded decisions.
    pub n_rows: usize,
    /// The estimated mean reward per decision.
    pub value: f64,
    /// One standard error of `value`.
    pub std_error: f64,
    /// Where the true value should be.
    pub interval: Interval,
    /// The share of rows whose weight was cut; `None` for an estimator without a clip.
    pub share_clipped: Option<f64>,
}

/// Estimates the target policy's mean reward per decision.
///
/// # Errors
/// [`EstimateError`] where the log has no answer: fewer than two rows, no row that the target
/// policy could have produced (IPS, SNIPS, DR; SNIPS needs two), no predictions (DR, DM), or
/// numbers that overflow.
pub fn estimate(
    rounds: &LoggedRounds,
    estimator: Estimator,
    level: ConfidenceLevel,
) -> Result<Estimate, EstimateError> {
    PartialEstimate::of(rounds, estimator)?.finish(level)
}

/// One value per row: their mean is the estimate, their standard deviation over `√n` its
/// standard error.
///
/// Shape `(n_rows,)`. Two policies on one log are compared by the row-wise differences of
/// these. For SNIPS they are `v + w (r - v) / mean(w)`, where `v` is the estimate.
///
/// # Errors
/// As [`estimate`], save that one row and overflow are no errors here.
pub fn influence_values(
    rounds: &LoggedRounds,
    estimator: Estimator,
) -> Result<Vec<f64>, EstimateError> {
    PartialEstimate::of(rounds, estimator)?.check_overlap()?;
    match estimator {
        Estimator::Ips { clip } => Ok(ips_values(rounds, clip)),
        Estimator::Snips => Ok(snips_values(rounds)),
        Estimator::Dr { clip } => Ok(dr_values(rounds, predictions(rounds, estimator)?, clip)),
        Estimator::Dm => Ok(predictions(rounds, estimator)?.expected.clone()),
    }
}

fn ips_values(rounds: &LoggedRounds, clip: Option<WeightClip>) -> Vec<f64> {
    let largest = largest_weight(clip);
    let rows = rounds.weight().iter().zip(rounds.reward());
    rows.map(|(weight, reward)| weight.min(largest) * reward).collect()
}

fn snips_values(rounds: &LoggedRounds) -> Vec<f64> {
    let sums = RatioSums::of(rounds);
    let value = sums.value();
    let mean_weight = sums.by_weight.total_weight() / float_of(rounds.n_rows());
    let rows = rounds.weight().iter().zip(rounds.reward());
    rows.map(|(weight, reward)| value + weight * (reward - value) / mean_weight).collect()
}

fn dr_values(
    rounds: &LoggedRounds,
    predictions: &Predictions,
    clip: Option<WeightClip>,
) -> Vec<f64> {
    let largest = largest_weight(clip);
    let rows = rounds.weight().iter().zip(rounds.reward());
    let predicted = predictions.taken.iter().zip(&predictions.expected);
    rows.zip(predicted)
        .map(|((weight, reward), (taken, expected))| {
            expected + weight.min(largest) * (reward - taken)
        })
        .collect()
}

fn largest_weight(clip: Option<WeightClip>) -> f64 {
    clip.map_or(f64::INFINITY, WeightClip::get)
}

fn predictions(rounds: &LoggedRounds, estimator: Estimator) -> Result<&Predictions, EstimateError> {
    rounds.predictions().ok_or(EstimateError::NoPredictions { estimator })
}

/// The sums of one partition of a log; merging them gives the estimate of the whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartialEstimate {
    estimator: Estimator,
    n_rows: usize,
    n_overlapping: usize,
    n_clipped: usize,
    sums: Sums,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Sums {
    Mean(Moments),
    Ratio(RatioSums),
}

/// Rewards weighted by `w`, for the ratio, and by `w²`, for its delta-method error.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct RatioSums {
    by_weight: Moments,
    by_squared_weight: Moments,
}

impl PartialEstimate {
    /// Sums the rows of one partition, which may be empty.
    ///
    /// # Errors
    /// [`EstimateError::NoPredictions`] for DR and DM on rounds without predictions.
    pub fn of(rounds: &LoggedRounds, estimator: Estimator) -> Result<Self, EstimateError> {
        let count_above = |floor: f64| rounds.weight().iter().filter(|&&w| w > floor).count();
        let sums = match estimator {
            Estimator::Ips { clip } => Sums::Mean(Moments::of(&ips_values(rounds, clip))),
            Estimator::Snips => Sums::Ratio(RatioSums::of(rounds)),
            Estimator::Dr { clip } => {
                let predictions = predictions(rounds, estimator)?;
                Sums::Mean(Moments::of(&dr_values(rounds, predictions, clip)))
            }
            Estimator::Dm => Sums::Mean(Moments::of(&predictions(rounds, estimator)?.expected)),
        };
        Ok(Self {
            estimator,
            n_rows: rounds.n_rows(),
            n_overlapping: count_above(0.0),
            n_clipped: estimator.clip().map_or(0, |clip| count_above(clip.get())),
            sums,
        })
    }

    /// Adds the rows of the partition that follows.
    ///
    /// # Errors
    /// [`EstimateError::DifferentEstimators`] if `other` was made with another estimator or clip.
    pub fn merge(&mut self, other: &Self) -> Result<(), EstimateError> {
        let differ =
            EstimateError::DifferentEstimators { left: self.estimator, right: other.estimator };
        if self.estimator != other.estimator {
            return Err(differ);
        }
        match (&mut self.sums, &other.sums) {
            (Sums::Mean(ours), Sums::Mean(theirs)) => ours.merge(theirs),
            (Sums::Ratio(ours), Sums::Ratio(theirs)) => ours.merge(theirs),
            (Sums::Mean(_), Sums::Ratio(_)) | (Sums::Ratio(_), Sums::Mean(_)) => {
                return Err(differ);
            }
        }
        self.n_rows += other.n_rows;
        self.n_overlapping += other.n_overlapping;
        self.n_clipped += other.n_clipped;
        Ok(())
    }

    /// The estimate from all rows seen.
    ///
    /// # Errors
    /// As [`estimate`].
    pub fn finish(&self, level: ConfidenceLevel) -> Result<Estimate, EstimateError> {
        let estimator = self.estimator;
        self.check_overlap()?;
        let (value, std_error, method) = match &self.sums {
            Sums::Mean(moments) => {
                (moments.mean(), moments.std_error(), IntervalMethod::NormalMean)
            }
            Sums::Ratio(sums) => {
                (sums.value(), sums.std_error(self.n_rows), IntervalMethod::NormalRatio)
            }
        };
        let std_error = std_error.ok_or(EstimateError::OneRow)?;
        let interval = Interval::normal(value, std_error, level, method)
            .ok_or(EstimateError::NotFinite { estimator })?;
        Ok(Estimate {
            estimator,
            n_rows: self.n_rows,
            value,
            std_error,
            interval,
            share_clipped: estimator
                .clip()
                .map(|_| float_of(self.n_clipped) / float_of(self.n_rows)),
        })
    }

    fn check_overlap(&self) -> Result<(), EstimateError> {
        let n_rows = self.n_rows;
        if n_rows == 0 {
            return Err(EstimateError::NoRows);
        }
        let needed = match self.estimator {
            Estimator::Dm => 0,
            Estimator::Ips { clip: _ } | Estimator::Dr { clip: _ } => 1,
            // With one such row the ratio is its reward, and the delta method calls that exact.
            Estimator::Snips => 2.min(n_rows),
        };
        match self.n_overlapping {
            enough if needed <= enough => Ok(()),
            0 => Err(EstimateError::NoOverlap { n_rows }),
            _ => Err(EstimateError::OneOverlappingRow { n_rows }),
        }
    }
}

impl RatioSums {
    fn of(rounds: &LoggedRounds) -> Self {
        let mut sums = Self::default();
        for (&weight, &reward) in rounds.weight().iter().zip(rounds.reward()) {
            sums.by_weight.push(reward, weight);
            sums.by_squared_weight.push(reward, weight * weight);
        }
        sums
    }

    fn merge(&mut self, other: &Self) {
        self.by_weight.merge(&other.by_weight);
        self.by_squared_weight.merge(&other.by_squared_weight);
    }

    fn value(&self) -> f64 {
        self.by_weight.mean()
    }

    /// `√Σ w² (r - value)² / Σ w`, with the same `n / (n - 1)` as the spread of a mean.
    fn std_error(&self, n_rows: usize) -> Option<f64> {
        let n = float_of(n_rows);
        let squares = self.by_squared_weight.squared_distances_from(self.value());
        (2 <= n_rows).then(|| (squares * (n / (n - 1.0))).sqrt() / self.by_weight.total_weight())
    }
}

#[cfg(test)]
mod tests;
