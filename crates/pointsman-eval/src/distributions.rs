//! From whole distributions to the columns that estimators read.
//!
//! Other tools log, for every row, the target's probability and a predicted reward of each action.
//! An estimator needs only the taken action's, and the mean prediction under the target. The mean
//! is divided by the distribution's own total, as Open Bandit Pipeline does, so that a total that
//! is off by rounding shifts nothing. Rows in messages count from [`ActionRounds::first_row`].

use crate::{
    error::RoundsError,
    moments::ordered_sum_of_pairs,
    rounds::{LoggedRounds, Predictions, RoundColumns},
};

/// How far a distribution's total may be from one.
const TOTAL_TOLERANCE: f64 = 1e-5;

/// Sums of a row that are kept side by side.
const LANES: usize = 4;

/// What is known of the target policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TargetColumn<'a> {
    /// Its probability of the taken action. Shape `(n_rows,)`.
    OfTaken(&'a [f64]),
    /// Its probability of every action. Shape `(n_rows, n_actions)`, row-major.
    Whole(&'a [f64]),
}

/// Rows of a log with numbers for every action, unchecked; row-major where there are several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActionRounds<'a> {
    /// The row with which messages begin to count.
    pub first_row: usize,
    /// The number of actions; what it is does not matter where nothing has a number for each.
    pub n_actions: usize,
    /// The taken action, from 0.
    pub action: &'a [u32],
    /// How likely the logger was to take it.
    pub propensity: &'a [f64],
    /// What it earned.
    pub reward: &'a [f64],
    /// The target policy.
    pub target: TargetColumn<'a>,
    /// Predicted reward of every action. Shape `(n_rows, n_actions)`.
    pub predictions: Option<&'a [f64]>,
    /// Predicted reward of every action, fitted for MRDR. Shape `(n_rows, n_actions)`.
    pub mrdr_predictions: Option<&'a [f64]>,
    /// Estimated weights for balanced IPS.
    pub imitation_weight: Option<&'a [f64]>,
    /// The logger's probability of every action. Shape `(n_rows, n_actions)`.
    pub logging: Option<&'a [f64]>,
}

impl ActionRounds<'_> {
    /// Checks every value and keeps what estimators read.
    ///
    /// Predictions are left out where the target is not known whole: there is no mean of them.
    ///
    /// # Errors
    /// [`RoundsError`] for the first value that is out of its range.
    pub fn rounds(&self) -> Result<LoggedRounds, RoundsError> {
        self.columns().and_then(LoggedRounds::new).map_err(|error| error.moved_by(self.first_row))
    }

    fn columns(&self) -> Result<RoundColumns, RoundsError> {
        let n_actions = self.n_actions;
        let is_outside = |action: &u32| n_actions <= *action as usize;
        let whole = match self.target {
            TargetColumn::OfTaken(_) => None,
            TargetColumn::Whole(whole) => Some(whole),
        };
        if let Some(row) = self.action.iter().position(is_outside).filter(|_| self.is_wide()) {
            return Err(RoundsError::Action { row, found: self.action[row], n_actions });
        }
        let totals =
            whole.map(|it| totals("the policy's distribution", it, n_actions)).transpose()?;
        let target = match self.target {
            TargetColumn::OfTaken(target) => target.to_vec(),
            TargetColumn::Whole(whole) => self.taken(whole),
        };
        let predicted = |column: Option<&[f64]>| {
            let (whole, totals, column) = (whole?, totals.as_deref()?, column?);
            let expected = means(column, whole, totals, n_actions);
            Some(Predictions { taken: self.taken(column), expected })
        };
        if let Some(logging) = self.logging {
            self::totals("the logger's distribution", logging, n_actions)?;
        }
        let unsupported_mass = self
            .logging
            .zip(whole)
            .zip(totals.as_deref())
            .map(|((logging, whole), totals)| unsupported(logging, whole, totals, n_actions));
        Ok(RoundColumns {
            propensity: self.propensity.to_vec(),
            target,
            reward: self.reward.to_vec(),
            predictions: predicted(self.predictions),
            mrdr_predictions: predicted(self.mrdr_predictions),
            imitation_weight: self.imitation_weight.map(<[f64]>::to_vec),
            unsupported_mass,
            ..RoundColumns::default()
        })
    }

    /// Whether anything has a number for each action.
    fn is_wide(&self) -> bool {
        matches!(self.target, TargetColumn::Whole(_))
            || [self.predictions, self.mrdr_predictions, self.logging].iter().any(Option::is_some)
    }

    /// The taken action's entry of each row.
    fn taken(&self, column: &[f64]) -> Vec<f64> {
        let rows = column.chunks_exact(self.n_actions).zip(self.action);
        rows.map(|(row, &action)| row[action as usize]).collect()
    }
}

/// Each row's total; every entry has to be from 0 to 1 and each total near 1.
fn totals(column: &'static str, values: &[f64], n_actions: usize) -> Result<Vec<f64>, RoundsError> {
    let mut totals = Vec::with_capacity(values.len() / n_actions.max(1));
    for (row, entries) in values.chunks_exact(n_actions.max(1)).enumerate() {
        let (total, least) = total_and_least(entries);
        if least < 0.0 {
            return Err(RoundsError::Share { row, column, found: least });
        }
        if total.is_nan() || TOTAL_TOLERANCE < (total - 1.0).abs() {
            return Err(RoundsError::Total { row, column, found: total });
        }
        totals.push(total);
    }
    Ok(totals)
}

/// The sum of a row, of every fourth entry first, and its least entry.
fn total_and_least(entries: &[f64]) -> (f64, f64) {
    let (blocks, rest) = entries.as_chunks::<LANES>();
    let (mut totals, mut least) = ([0.0; LANES], [f64::INFINITY; LANES]);
    for block in blocks {
        for ((total, least), entry) in totals.iter_mut().zip(&mut least).zip(block) {
            *total += entry;
            *least = if entry < least { *entry } else { *least };
        }
    }
    let total = totals.iter().sum::<f64>() + rest.iter().sum::<f64>();
    (total, least.iter().chain(rest).fold(f64::INFINITY, |least, entry| least.min(*entry)))
}

/// Each row's mean of `values` under the target.
fn means(values: &[f64], target: &[f64], totals: &[f64], n_actions: usize) -> Vec<f64> {
    let rows = values.chunks_exact(n_actions).zip(target.chunks_exact(n_actions)).zip(totals);
    let mean = |((values, shares), total): ((&[f64], &[f64]), &f64)| {
        ordered_sum_of_pairs::<LANES>(values, shares, |value, share| value * share) / total
    };
    rows.map(mean).collect()
}

/// Each row's share of the target on actions that the logger could not take.
fn unsupported(logging: &[f64], target: &[f64], totals: &[f64], n_actions: usize) -> Vec<f64> {
    let rows = logging.chunks_exact(n_actions).zip(target.chunks_exact(n_actions)).zip(totals);
    let share = |((logging, target), total): ((&[f64], &[f64]), &f64)| {
        let lost = logging.iter().zip(target).filter(|(logged, _)| **logged == 0.0);
        // Of many entries the sum may exceed the total by rounding; an empty one is minus zero.
        (lost.fold(0.0, |sum, (_, share)| sum + share) / total).min(1.0)
    };
    rows.map(share).collect()
}

#[cfg(test)]
mod tests;
