//! Intervals for a log that grows, right after every row at once.
//!
//! Whoever looks at an interval each morning and stops at the first that pleases has not the level
//! it says. These may be looked at as often as one likes: with the chance of the level, not one of
//! them ever misses. Rows come in log order; batches and partitions add. Weakness: the rates bet
//! at must serve every length of log, so each single look is wider than [`crate::bounds`].
//!
//! Source: Waudby-Smith & Ramdas, JRSSB 2024; Karampatziakis, Mineiro & Ramdas, "Off-policy
//! confidence sequences", ICML 2021; Ville 1939. The mixture over rates is discrete, where theirs
//! is a density.

use crate::{
    bounds::{
        BoundError, Evidence, Rival, Side, ValueRange,
        wealth::{Rates, Wealth, lower_end},
    },
    interval::{ConfidenceLevel, Interval, IntervalKind, IntervalMethod},
};

/// What all rows so far have won against every value that could be true.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    statements: Statements,
    lower: Vec<Wealth>,
    upper: Vec<Wealth>,
}

/// What must be the same for every batch: it was stated before the first row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Statements {
    range: ValueRange,
    is_difference: bool,
    has_predictions: bool,
    largest_weight: Option<f64>,
}

impl Sequence {
    /// Starts with a first batch of rows, which may be empty.
    ///
    /// # Errors
    /// [`BoundError::NotStated`] for the difference of two policies without full support.
    pub fn start(evidence: &Evidence<'_>) -> Result<Self, BoundError> {
        let rates = Rates::for_ever();
        let wealths = |side| crate::bounds::wealths(evidence, side, &rates);
        let (lower, upper) = (wealths(Side::Lower), wealths(Side::Upper));
        if lower.is_empty() {
            return Err(BoundError::NotStated {
                method: IntervalMethod::ConfidenceSequence.name(),
                statement: "full support with a largest weight",
            });
        }
        Ok(Self { statements: Statements::of(evidence), lower, upper })
    }

    /// Adds the rows of the batch that follows.
    ///
    /// # Errors
    /// As [`Sequence::start`], and [`BoundError::Changed`] if something else is stated than at
    /// the start.
    pub fn extend(&mut self, evidence: &Evidence<'_>) -> Result<(), BoundError> {
        self.merge(&Self::start(evidence)?)
    }

    /// Adds what another partition has seen.
    ///
    /// # Errors
    /// [`BoundError::Changed`] if something else was stated there.
    pub fn merge(&mut self, other: &Self) -> Result<(), BoundError> {
        let Self { statements, lower, upper } = other;
        if self.statements != *statements {
            return Err(BoundError::Changed);
        }
        for (ours, theirs) in [(&mut self.lower, lower), (&mut self.upper, upper)] {
            for (ours, theirs) in ours.iter_mut().zip(theirs) {
                ours.merge(theirs);
            }
        }
        Ok(())
    }

    /// The interval after the rows so far.
    ///
    /// # Errors
    /// [`BoundError::Contradiction`] if the ends cross.
    pub fn interval(&self, level: ConfidenceLevel) -> Result<Interval, BoundError> {
        let Statements { range, is_difference, .. } = self.statements;
        let lowest_share = if is_difference { -1.0 } else { 0.0 };
        let share = |wealths| lower_end(wealths, level.miss() / 2.0, lowest_share, 1.0);
        let (below, above) =
            if is_difference { (0.0, 0.0) } else { (range.lower(), range.upper()) };
        let lower = below + range.width() * share(&self.lower);
        let upper = above - range.width() * share(&self.upper);
        if upper < lower {
            return Err(BoundError::Contradiction { lower, upper });
        }
        let (method, kind) = (IntervalMethod::ConfidenceSequence, IntervalKind::FiniteSample);
        Ok(Interval { lower, upper, level, method, kind })
    }
}

impl Statements {
    fn of(evidence: &Evidence<'_>) -> Self {
        Self {
            range: evidence.range,
            is_difference: evidence.rival != Rival::Nothing,
            has_predictions: evidence.predicted.is_some(),
            largest_weight: evidence.largest_weight,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(n_rows: u32) -> (Vec<f64>, Vec<f64>) {
        let weights = (0..n_rows).map(|row| if row % 2 == 0 { 1.5 } else { 0.5 }).collect();
        (weights, (0..n_rows).map(|row| f64::from(row % 3) / 2.0).collect())
    }

    #[test]
    fn intervals_shrink_as_the_log_grows() {
        let (weights, values) = rows(20_000);
        let mut before = 1.0;
        for n_rows in [100, 1000, 20_000] {
            let range = ValueRange::QUALITY;
            let evidence = Evidence::new(&weights[..n_rows], &values[..n_rows], range).unwrap();
            let found = Sequence::start(&evidence).unwrap().interval(ConfidenceLevel::P95);
            let found = found.unwrap();
            assert!(found.contains(0.5), "{found:?}");
            assert!(found.upper - found.lower < 0.7 * before, "{found:?} after {before}");
            before = found.upper - found.lower;
        }
        assert!(before < 0.04, "{before}");
    }

    #[test]
    fn another_statement_is_refused() {
        let (weights, values) = rows(10);
        let evidence = Evidence::new(&weights, &values, ValueRange::QUALITY).unwrap();
        let mut sequence = Sequence::start(&evidence).unwrap();
        let other = evidence.with_full_support(2.0).unwrap();
        assert_eq!(sequence.extend(&other), Err(BoundError::Changed));
        let pair = evidence.against(Rival::Policy(&weights)).unwrap();
        let refused = Sequence::start(&pair).unwrap_err().to_string();
        assert!(refused.starts_with("confidence sequence needs full support"), "{refused}");
    }

    proptest! {
        /// Where a log is cut makes no difference.
        #[test]
        fn batches_give_the_whole(n_rows in 2..200_u32, cut in 0..200_usize) {
            let (weights, values) = rows(n_rows);
            let cut = cut.min(weights.len());
            let part = |from: usize, to: usize| {
                Evidence::new(&weights[from..to], &values[from..to], ValueRange::QUALITY).unwrap()
            };
            let mut parts = Sequence::start(&part(0, cut)).unwrap();
            parts.extend(&part(cut, weights.len())).unwrap();
            let whole = Sequence::start(&part(0, weights.len())).unwrap();
            let (left, right) = (
                parts.interval(ConfidenceLevel::P95).unwrap(),
                whole.interval(ConfidenceLevel::P95).unwrap(),
            );
            prop_assert!((left.lower - right.lower).abs() < 1e-9);
            prop_assert!((left.upper - right.upper).abs() < 1e-9);
        }
    }
}
