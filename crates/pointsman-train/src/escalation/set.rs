//! What an escalation scorer is learned from, checked.
//!
//! From a table every quality is known. From a log the one that the drawn step led to is, and each
//! stands for as many rows as its probability says.

use super::AnswerDesign;
use crate::{design::Design, outcomes::narrow};
use pointsman_core::units::len_as_float;

/// The least number of answers that anything is learned from, and of known qualities of each model.
pub const LEAST_ROWS: usize = 20;

/// What to learn from: requests that one model answered. All slices are indexed by row.
#[derive(Debug, Clone, Copy)]
pub struct EscalationSet<'a> {
    /// The requests' features.
    pub prompts: &'a Design,
    /// The answers' features; without them, what the request alone tells is learned.
    pub answers: Option<&'a AnswerDesign>,
    /// Shape `(rows, 1 + next models)`, row after row: the quality of the answer in hand, then that
    /// of each next model's.
    pub quality: &'a [f32],
    /// Of the same shape: one over the probability with which each quality came to be known, zero
    /// where it is not known and stands for nothing; `None` where all are.
    pub weights: Option<&'a [f32]>,
    /// Models that it may be escalated to.
    pub n_next: usize,
    /// Equal for rows that must not be divided: equal prompts.
    pub groups: &'a [u64],
    /// The rows to use, ascending.
    pub rows: &'a [u32],
}

/// A set that nothing can be learned from.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum EscalationError {
    /// Nothing to escalate to.
    #[error("there is no model to escalate to; name at least one")]
    NoNextModel,
    /// Columns that are not of one length.
    #[error("`{column}` has {found} entries where {expected} are needed")]
    Length { column: &'static str, found: usize, expected: usize },
    /// Too little to hold anything out.
    #[error("{found} answers; learning when to escalate takes at least {least}")]
    TooFewRows { found: usize, least: usize },
    /// A quality that is none.
    #[error("row {row}: a quality of {value} is not in [0, 1]")]
    Quality { row: usize, value: f32 },
    /// A quality that counts for no number of others.
    #[error("row {row}: a weight of {value} is not a finite number from 0 up")]
    Weight { row: usize, value: f32 },
    /// Too little is known of one model.
    #[error("{found} known qualities in column {column}; learning takes at least {least}")]
    TooFewKnown { column: usize, found: usize, least: usize },
    /// All rows fall into one fold.
    #[error("all answers are to one prompt, or nearly so; nothing can be held out")]
    OneFold,
}

impl EscalationSet<'_> {
    pub(super) fn n_columns(&self) -> usize {
        1 + self.n_next
    }

    pub(super) fn quality(&self, index: usize) -> &[f32] {
        &self.quality[self.rows[index] as usize * self.n_columns()..][..self.n_columns()]
    }

    /// How many rows like it one quality stands for.
    pub(super) fn weight(&self, index: usize, column: usize) -> f32 {
        let at = self.rows[index] as usize * self.n_columns() + column;
        self.weights.map_or(1.0, |weights| weights[at])
    }

    /// The mean of each column over some of the used rows, zero where nothing is known.
    pub(super) fn means(&self, is_used: impl Fn(usize) -> bool) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); self.n_columns()];
        for index in (0..self.rows.len()).filter(|&index| is_used(index)) {
            for (column, (sum, total)) in sums.iter_mut().enumerate() {
                let weight = f64::from(self.weight(index, column));
                *sum += weight * f64::from(self.quality(index)[column]);
                *total += weight;
            }
        }
        sums.into_iter().map(|(sum, total)| if 0.0 < total { sum / total } else { 0.0 }).collect()
    }

    /// For each column, what makes the weights of its known qualities one in the mean, so that a
    /// strength means the same whatever share of them is known.
    pub(super) fn scales(&self) -> Vec<f32> {
        let of_column = |column: usize| {
            let (mut n, mut total) = (0_usize, 0.0);
            for weight in (0..self.rows.len()).map(|index| f64::from(self.weight(index, column))) {
                n += usize::from(0.0 < weight);
                total += weight;
            }
            if 0.0 < total { narrow(len_as_float(n) / total) } else { 1.0 }
        };
        (0..self.n_columns()).map(of_column).collect()
    }

    /// A quality where it is known of all; else what it is right to take for it in a mean, whether it
    /// came to be known or not.
    pub(super) fn estimate(&self, index: usize, column: usize, mean: f64) -> f64 {
        let quality = f64::from(self.quality(index)[column]);
        let weight = f64::from(self.weight(index, column));
        if weight == 1.0 { quality } else { mean + weight * (quality - mean) }
    }
}

/// Refuses a set whose columns do not fit together, or that is too small.
pub(super) fn check(set: &EscalationSet<'_>) -> Result<(), EscalationError> {
    let EscalationSet { prompts, answers, quality, weights, n_next, groups, rows } = *set;
    if n_next == 0 {
        return Err(EscalationError::NoNextModel);
    }
    let n_rows = prompts.n_rows();
    let n_answers = answers.map_or(n_rows, AnswerDesign::n_rows);
    for (column, found, expected) in [
        ("answers", n_answers, n_rows),
        ("quality", quality.len(), n_rows * (1 + n_next)),
        ("weights", weights.map_or(n_rows * (1 + n_next), <[f32]>::len), n_rows * (1 + n_next)),
        ("groups", groups.len(), n_rows),
    ] {
        if found != expected {
            return Err(EscalationError::Length { column, found, expected });
        }
    }
    if rows.len() < LEAST_ROWS {
        return Err(EscalationError::TooFewRows { found: rows.len(), least: LEAST_ROWS });
    }
    if let Some(at) = quality.iter().position(|value| !(0.0..=1.0).contains(value)) {
        return Err(EscalationError::Quality { row: at / (1 + n_next), value: quality[at] });
    }
    let is_wrong = |weight: &f32| !(weight.is_finite() && 0.0 <= *weight);
    let weights = weights.unwrap_or_default();
    if let Some(at) = weights.iter().position(is_wrong) {
        return Err(EscalationError::Weight { row: at / (1 + n_next), value: weights[at] });
    }
    for column in 0..=n_next {
        let found = (0..rows.len()).filter(|&index| 0.0 < set.weight(index, column)).count();
        if found < LEAST_ROWS {
            return Err(EscalationError::TooFewKnown { column, found, least: LEAST_ROWS });
        }
    }
    Ok(())
}
