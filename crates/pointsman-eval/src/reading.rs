//! What reading an answer is worth once it is there: the decision that sees it against the decision
//! that sees the request alone, both free to accept it or to call another model.
//!
//! What the answer in hand cost is spent either way and is in neither. Whether a first answer should
//! be asked for at all is another question: see [`crate::cascade`].

use crate::{
    error::ValuesError,
    foresight::{Gaps, foresight},
    full::{MeanValue, paired_difference},
    interval::ConfidenceLevel,
};
use pointsman_core::escalation::{Foresight, ForesightError};
use std::collections::BTreeMap;

/// Answers of one model, with what is known and predicted of them and of the next models' answers.
/// Slices of qualities have the shape `(rows, 1 + next models)`, row after row, the answer in hand
/// first.
#[derive(Debug, Clone, Copy)]
pub struct ReadingRows<'a> {
    /// Next models.
    pub n_next: usize,
    /// True qualities.
    pub quality: &'a [f64],
    /// What each next model's answer cost, in dollars, of the same shape; accepting costs nothing,
    /// whatever stands in the first column.
    pub cost_usd: &'a [f64],
    /// What each next model's answer is expected to cost, shape `(next models,)`; decisions know no
    /// other cost.
    pub expected_usd: &'a [f64],
    /// Qualities predicted from the request alone, by fits that had not seen the row.
    pub from_prompt: &'a [f64],
    /// Qualities predicted from request and answer, by fits that had not seen the row.
    pub from_answer: &'a [f64],
    /// Equal for rows that are no evidence apart: equal prompts. Each group counts once, by its mean.
    pub groups: &'a [u64],
}

/// The utility (quality less weighted cost) that reading adds, the mean over the given weights on
/// cost in quality points per dollar.
///
/// # Errors
/// [`ValuesError`] for columns of different lengths, fewer than two groups, or a number that is not
/// finite.
pub fn worth_of_reading(
    rows: &ReadingRows<'_>,
    weights: &[f64],
    level: ConfidenceLevel,
) -> Result<MeanValue, ValuesError> {
    let n_columns = 1 + rows.n_next;
    let n_cells = rows.groups.len() * n_columns;
    for column in [rows.quality, rows.cost_usd, rows.from_prompt, rows.from_answer] {
        if column.len() != n_cells {
            return Err(ValuesError::Length { left: n_cells, right: column.len() });
        }
    }
    if rows.expected_usd.len() != rows.n_next {
        return Err(ValuesError::Length { left: rows.n_next, right: rows.expected_usd.len() });
    }
    // Per group: utilities with and without reading, and rows.
    let mut groups: BTreeMap<u64, (f64, f64, f64)> = BTreeMap::new();
    for (row, group) in rows.groups.iter().enumerate() {
        let (read, unread, n) = groups.entry(*group).or_default();
        for &per_dollar in weights {
            *read += rows.utility(row, rows.from_answer, per_dollar);
            *unread += rows.utility(row, rows.from_prompt, per_dollar);
            *n += 1.0;
        }
    }
    let (read, unread): (Vec<f64>, Vec<f64>) =
        groups.into_values().map(|(read, unread, n)| (read / n, unread / n)).unzip();
    paired_difference(&read, &unread, level)
}

impl ReadingRows<'_> {
    /// What is foreseen of the answers of the model that a policy has at this place, by these rows'
    /// predictions; for columns that [`worth_of_reading`] has not refused.
    ///
    /// # Errors
    /// [`ForesightError`] where a number is not finite.
    pub fn foresight(&self, model: usize) -> Result<Foresight, ForesightError> {
        let dearest = self.expected_usd.iter().copied().fold(0.0, f64::max);
        foresight(model, (self.groups.len(), dearest), |row, per_dollar| Gaps {
            before: self.gap(row, self.from_prompt, per_dollar),
            after: self.gap(row, self.from_answer, per_dollar),
        })
    }

    /// By how much the best next model is ahead of accepting.
    fn gap(&self, row: usize, predicted: &[f64], per_dollar: f64) -> f64 {
        let of_row = &predicted[row * (1 + self.n_next)..][..=self.n_next];
        let next = of_row[1..].iter().zip(self.expected_usd);
        let utilities = next.map(|(quality, expected)| quality - per_dollar * expected);
        utilities.fold(f64::NEG_INFINITY, f64::max) - of_row[0]
    }

    /// What comes of the step that is best by `predicted`; of equals, accepting.
    fn utility(&self, row: usize, predicted: &[f64], per_dollar: f64) -> f64 {
        let n_columns = 1 + self.n_next;
        let of_row = |all: &[f64], column: usize| all[row * n_columns + column];
        let mut best = (0, of_row(predicted, 0));
        for (column, expected) in (1..).zip(self.expected_usd) {
            let utility = of_row(predicted, column) - per_dollar * expected;
            if best.1 < utility {
                best = (column, utility);
            }
        }
        let quality = of_row(self.quality, best.0);
        if best.0 == 0 { quality } else { quality - per_dollar * of_row(self.cost_usd, best.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_core::escalation::step_ahead;

    const LEVEL: ConfidenceLevel = ConfidenceLevel::P95;

    /// Four answers, two of them right; the next model is right on all, for half a dollar.
    const QUALITY: [f64; 8] = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0];
    const DOLLARS: [f64; 8] = [9.0, 0.5, 9.0, 0.5, 9.0, 0.5, 9.0, 0.5];

    /// What can be predicted of them without reading.
    const UNREAD: [f64; 8] = [0.5, 1.0, 0.5, 1.0, 0.5, 1.0, 0.5, 1.0];

    fn rows<'a>(from_answer: &'a [f64], groups: &'a [u64]) -> ReadingRows<'a> {
        ReadingRows {
            n_next: 1,
            quality: &QUALITY,
            cost_usd: &DOLLARS,
            expected_usd: &[0.5],
            from_prompt: &UNREAD,
            from_answer,
            groups,
        }
    }

    #[track_caller]
    fn check(from_answer: &[f64], weights: &[f64], groups: &[u64], expected: (f64, usize)) {
        let found = worth_of_reading(&rows(from_answer, groups), weights, LEVEL).unwrap();
        assert!((found.value - expected.0).abs() < 1e-12, "{found:?}");
        assert_eq!(found.n_rows, expected.1);
    }

    #[test]
    fn answers_that_tell_all_save_what_the_next_model_costs() {
        // Without reading all four are escalated at 0.4 points each; with it, two of them.
        check(&QUALITY, &[0.8], &[1, 2, 3, 4], (0.2, 4));
        // Where money does not count, there is nothing to save.
        check(&QUALITY, &[0.0], &[1, 2, 3, 4], (0.0, 4));
        check(&QUALITY, &[0.0, 0.8], &[1, 2, 3, 4], (0.1, 4));
    }

    #[test]
    fn equal_prompts_count_once() {
        check(&QUALITY, &[0.8], &[1, 2, 1, 1], (0.8 / 3.0 / 2.0, 2));
    }

    #[test]
    fn what_is_foreseen_is_what_reading_is_predicted_to_add() {
        let found = rows(&QUALITY, &[1, 2, 3, 4]).foresight(3).unwrap();
        assert_eq!(found.model(), 3);
        // Where money does not count all are escalated, read or not.
        assert_eq!(found.spreads()[0], 0.0);
        for (&per_dollar, &spread) in found.per_dollar().iter().zip(found.spreads()) {
            let paid = 0.5 * per_dollar;
            let (gap, read) = (0.5 - paid, 0.5 * (1.0 - paid).max(0.0));
            let added = step_ahead(gap, spread).value;
            assert!((added - read).abs() < 1e-6, "{per_dollar}: {added} for {read}");
        }
    }

    #[test]
    fn answers_that_tell_nothing_are_worth_nothing() {
        check(&UNREAD, &[0.0, 0.8], &[1, 2, 3, 4], (0.0, 4));
    }

    #[test]
    fn columns_must_fit() {
        let rows = ReadingRows { from_prompt: &UNREAD[..4], ..rows(&QUALITY, &[1, 2, 3, 4]) };
        let length = ValuesError::Length { left: 8, right: 4 };
        assert_eq!(worth_of_reading(&rows, &[0.0], LEVEL), Err(length));
    }
}
