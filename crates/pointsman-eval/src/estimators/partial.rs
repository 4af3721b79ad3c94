//! The sums of one partition of a log, for any estimator; merging them gives the whole.
//!
//! Rows are taken in blocks, and a block's mean and spread are merged into what was seen before,
//! so that no sum of squares loses its digits. Its weakness: where partitions are cut changes the
//! last bits, so that the same log has to be cut in the same places.

use super::{
    Estimate, Estimator,
    likelihood::{PowerSums, Rows},
    ratios::{CorrectedSums, RatioSums},
    scores::{BLOCK, Tempering, blocks, predictions_of, score_block},
};
use crate::{
    error::EstimateError,
    interval::{ConfidenceLevel, Interval, IntervalMethod},
    moments::{Moments, float_of},
    rounds::{LoggedRounds, Predictions},
};
use std::borrow::Cow;

/// The sums of one partition of a log; merging them gives the estimate of the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialEstimate {
    estimator: Estimator,
    n_rows: usize,
    n_overlapping: usize,
    n_clipped: usize,
    sums: Sums,
}

#[derive(Debug, Clone, PartialEq)]
enum Sums {
    Mean(Moments),
    Ratio(RatioSums),
    Corrected(Box<CorrectedSums>),
    Likelihood(Rows),
    Powers(PowerSums),
}

impl PartialEstimate {
    /// No rows yet.
    pub fn new(estimator: Estimator) -> Self {
        let sums = match estimator {
            Estimator::Snips | Estimator::BalancedIps { clip: _ } | Estimator::Replay => {
                Sums::Ratio(RatioSums::default())
            }
            Estimator::Sndr => Sums::Corrected(Box::default()),
            Estimator::Mle => Sums::Likelihood(Rows::default()),
            Estimator::CressieRead => Sums::Powers(PowerSums::default()),
            Estimator::Ips { clip: _ }
            | Estimator::Dm
            | Estimator::Dr { clip: _ }
            | Estimator::SwitchDr { threshold: _ }
            | Estimator::DrOs { threshold: _ }
            | Estimator::SgIps { bend: _ }
            | Estimator::SgDr { bend: _ }
            | Estimator::Mrdr { clip: _ } => Sums::Mean(Moments::default()),
        };
        Self { estimator, n_rows: 0, n_overlapping: 0, n_clipped: 0, sums }
    }

    /// Sums the rows of one partition, which may be empty.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn of(rounds: &LoggedRounds, estimator: Estimator) -> Result<Self, EstimateError> {
        let mut sums = Self::new(estimator);
        sums.push(rounds)?;
        Ok(sums)
    }

    /// Which formula it is for.
    pub fn estimator(&self) -> Estimator {
        self.estimator
    }

    /// Adds rows that follow those already seen.
    ///
    /// # Errors
    /// [`EstimateError::NoPredictions`], [`EstimateError::NoMrdrPredictions`] or
    /// [`EstimateError::NoImitationWeights`] on rounds without what the estimator needs.
    pub fn push(&mut self, rounds: &LoggedRounds) -> Result<(), EstimateError> {
        let predictions = predictions_of(rounds, self.estimator)?;
        let weights = weights_of(rounds, self.estimator)?;
        let count_above = |floor: f64| weights.iter().filter(|&&w| w > floor).count();
        self.n_rows += rounds.n_rows();
        self.n_overlapping += count_above(0.0);
        self.n_clipped += self.estimator.clip().map_or(0, |clip| count_above(clip.get()));
        let weights = clipped(weights, self.estimator);
        match (&mut self.sums, predictions) {
            (Sums::Mean(moments), _) => push_mean(moments, rounds, self.estimator, predictions),
            (Sums::Ratio(sums), _) => sums.push(&weights, rounds.reward()),
            (Sums::Corrected(sums), Some(predictions)) => sums.push(rounds, predictions),
            (Sums::Corrected(_), None) => {
                return Err(EstimateError::NoPredictions { estimator: self.estimator });
            }
            (Sums::Likelihood(rows), _) => rows.push(rounds.weight(), rounds.reward()),
            (Sums::Powers(sums), _) => sums.push(rounds.weight(), rounds.reward()),
        }
        Ok(())
    }

    /// Adds the rows of the partition that follows.
    ///
    /// # Errors
    /// [`EstimateError::DifferentEstimators`] if `other` was made with another estimator or λ.
    pub fn merge(&mut self, other: &Self) -> Result<(), EstimateError> {
        let differ =
            EstimateError::DifferentEstimators { left: self.estimator, right: other.estimator };
        if self.estimator != other.estimator {
            return Err(differ);
        }
        match (&mut self.sums, &other.sums) {
            (Sums::Mean(ours), Sums::Mean(theirs)) => ours.merge(theirs),
            (Sums::Ratio(ours), Sums::Ratio(theirs)) => ours.merge(theirs),
            (Sums::Corrected(ours), Sums::Corrected(theirs)) => ours.merge(theirs),
            (Sums::Likelihood(ours), Sums::Likelihood(theirs)) => ours.merge(theirs),
            (Sums::Powers(ours), Sums::Powers(theirs)) => ours.merge(theirs),
            (
                Sums::Mean(_)
                | Sums::Ratio(_)
                | Sums::Corrected(_)
                | Sums::Likelihood(_)
                | Sums::Powers(_),
                _,
            ) => return Err(differ),
        }
        self.n_rows += other.n_rows;
        self.n_overlapping += other.n_overlapping;
        self.n_clipped += other.n_clipped;
        Ok(())
    }

    /// The value alone, from all rows seen: one row is enough, and a mean of zeros is zero.
    ///
    /// # Errors
    /// [`EstimateError`] for no rows, for a ratio whose denominator is zero, and for numbers that
    /// overflow.
    pub fn value(&self) -> Result<f64, EstimateError> {
        let (estimator, n_rows) = (self.estimator, self.n_rows);
        if n_rows == 0 {
            return Err(EstimateError::NoRows);
        }
        let value = match &self.sums {
            Sums::Ratio(_) | Sums::Corrected(_) if self.n_overlapping == 0 => {
                return Err(self.no_overlap());
            }
            Sums::Mean(moments) => moments.mean(),
            Sums::Ratio(sums) => sums.value(),
            Sums::Corrected(sums) => sums.value(),
            Sums::Likelihood(rows) => rows.value(),
            Sums::Powers(sums) => sums.value(),
        };
        if value.is_finite() { Ok(value) } else { Err(EstimateError::NotFinite { estimator }) }
    }

    /// The estimate from all rows seen.
    ///
    /// # Errors
    /// As [`super::estimate`].
    pub fn finish(&self, level: ConfidenceLevel) -> Result<Estimate, EstimateError> {
        let estimator = self.estimator;
        self.check_overlap()?;
        let value = self.value()?;
        let (std_error, method) = self.std_error()?;
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

    fn std_error(&self) -> Result<(f64, IntervalMethod), EstimateError> {
        let n_rows = self.n_rows;
        let (found, method) = match &self.sums {
            Sums::Mean(moments) => (moments.std_error(), IntervalMethod::NormalMean),
            Sums::Ratio(sums) => (sums.std_error(n_rows), IntervalMethod::NormalRatio),
            Sums::Corrected(sums) => (sums.std_error(n_rows), IntervalMethod::NormalRatio),
            Sums::Likelihood(_) | Sums::Powers(_) => {
                return Err(EstimateError::NoInterval { estimator: self.estimator });
            }
        };
        found.map(|std_error| (std_error, method)).ok_or(EstimateError::OneRow)
    }

    /// The mean and population variance of the values per row; `None` where there are none.
    pub(crate) fn mean_and_variance(&self) -> Option<(f64, f64)> {
        match &self.sums {
            Sums::Mean(moments) if 0 < self.n_rows => {
                let mean = moments.mean();
                Some((mean, moments.squared_distances_from(mean) / float_of(self.n_rows)))
            }
            Sums::Mean(_)
            | Sums::Ratio(_)
            | Sums::Corrected(_)
            | Sums::Likelihood(_)
            | Sums::Powers(_) => None,
        }
    }

    pub(super) fn check_overlap(&self) -> Result<(), EstimateError> {
        let n_rows = self.n_rows;
        if n_rows == 0 {
            return Err(EstimateError::NoRows);
        }
        let needed = match (&self.sums, self.estimator) {
            (_, Estimator::Dm) => 0,
            // With one such row the ratio is its reward, and the delta method calls that exact.
            (Sums::Ratio(_) | Sums::Corrected(_), _) => 2.min(n_rows),
            (Sums::Mean(_) | Sums::Likelihood(_) | Sums::Powers(_), _) => 1,
        };
        match self.n_overlapping {
            enough if needed <= enough => Ok(()),
            0 => Err(self.no_overlap()),
            _ => Err(EstimateError::OneOverlappingRow { n_rows }),
        }
    }

    fn no_overlap(&self) -> EstimateError {
        let n_rows = self.n_rows;
        if self.estimator == Estimator::Replay {
            return EstimateError::NoReplay { n_rows };
        }
        EstimateError::NoOverlap { n_rows }
    }
}

/// One value per row, whose mean is the estimate.
pub(super) fn row_values(
    rounds: &LoggedRounds,
    estimator: Estimator,
) -> Result<Vec<f64>, EstimateError> {
    let predictions = predictions_of(rounds, estimator)?;
    if let (Estimator::Dm, Some(predictions)) = (estimator, predictions) {
        return Ok(predictions.expected.clone());
    }
    if let Some(tempering) = Tempering::of(estimator) {
        let mut scores = vec![0.0; rounds.n_rows()];
        for rows in blocks(rounds.n_rows()) {
            score_block(rounds, rows.clone(), predictions, tempering, &mut scores[rows]);
        }
        return Ok(scores);
    }
    if matches!(estimator, Estimator::Mle | Estimator::CressieRead) {
        return Err(EstimateError::NoInterval { estimator });
    }
    let weights = clipped(weights_of(rounds, estimator)?, estimator);
    let blank = vec![0.0; rounds.n_rows()];
    let (taken, expected) = predictions
        .map_or((&blank[..], &blank[..]), |it| (it.taken.as_slice(), it.expected.as_slice()));
    let residual: Vec<f64> = rounds.reward().iter().zip(taken).map(|(r, q)| r - q).collect();
    let mut sums = RatioSums::default();
    sums.push(&weights, &residual);
    let ratio = sums.value();
    let mean_weight = sums.total_weight() / float_of(rounds.n_rows());
    let corrections = weights.iter().zip(&residual);
    let corrections = corrections.map(|(w, d)| ratio + w * (d - ratio) / mean_weight);
    Ok(corrections.zip(expected).map(|(correction, expected)| expected + correction).collect())
}

/// The weights by which the estimator sees overlap, before any clip.
fn weights_of(
    rounds: &LoggedRounds,
    estimator: Estimator,
) -> Result<Cow<'_, [f64]>, EstimateError> {
    match estimator {
        Estimator::Replay => Ok(Cow::Owned(
            rounds.target().iter().map(|&share| f64::from(u8::from(share == 1.0))).collect(),
        )),
        Estimator::BalancedIps { clip: _ } => {
            rounds.imitation_weight().map(Cow::Borrowed).ok_or(EstimateError::NoImitationWeights)
        }
        Estimator::Ips { clip: _ }
        | Estimator::Snips
        | Estimator::Dm
        | Estimator::Dr { clip: _ }
        | Estimator::Sndr
        | Estimator::SwitchDr { threshold: _ }
        | Estimator::DrOs { threshold: _ }
        | Estimator::SgIps { bend: _ }
        | Estimator::SgDr { bend: _ }
        | Estimator::Mrdr { clip: _ }
        | Estimator::Mle
        | Estimator::CressieRead => Ok(Cow::Borrowed(rounds.weight())),
    }
}

/// The weights of a ratio, cut where balanced IPS cuts them: before they are normalised.
fn clipped(weights: Cow<'_, [f64]>, estimator: Estimator) -> Cow<'_, [f64]> {
    match (estimator, estimator.clip()) {
        (Estimator::BalancedIps { clip: _ }, Some(clip)) => {
            Cow::Owned(weights.iter().map(|weight| weight.min(clip.get())).collect())
        }
        (_, Some(_) | None) => weights,
    }
}

fn push_mean(
    moments: &mut Moments,
    rounds: &LoggedRounds,
    estimator: Estimator,
    predictions: Option<&Predictions>,
) {
    let mut scores = [0.0; BLOCK];
    for rows in blocks(rounds.n_rows()) {
        match (Tempering::of(estimator), predictions) {
            (Some(tempering), _) => {
                let scores = &mut scores[..rows.len()];
                score_block(rounds, rows, predictions, tempering, scores);
                moments.push_block(scores);
            }
            (None, Some(predictions)) => moments.push_block(&predictions.expected[rows]),
            (None, None) => {}
        }
    }
}
