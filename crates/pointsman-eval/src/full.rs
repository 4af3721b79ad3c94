//! Values from full information: every policy's outcome on every prompt is known.
//!
//! No propensities and no support to worry about; what is left is that the prompts are a sample.
//! The weakness is that prompts of one conversation are not independent draws, so give one value
//! per conversation where there are conversations.

use crate::{
    error::ValuesError,
    interval::{ConfidenceLevel, Interval, IntervalMethod},
    moments::Moments,
};

/// A mean over prompts with its uncertainty, in the unit of the values. Every number is finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanValue {
    /// The number of prompts.
    pub n_rows: usize,
    /// The mean, or the mean difference.
    pub value: f64,
    /// One standard error of `value`.
    pub std_error: f64,
    /// Where the value over all prompts like these should be.
    pub interval: Interval,
}

/// The mean of one value per prompt.
///
/// # Errors
/// [`ValuesError`] for fewer than two prompts, a value that is not finite, or overflow.
pub fn mean_value(values: &[f64], level: ConfidenceLevel) -> Result<MeanValue, ValuesError> {
    check_finite(values)?;
    with_interval(&Moments::of(values), values.len(), (level, IntervalMethod::NormalMean))
}

/// The mean of `left - right` over the same prompts in the same order.
///
/// What both policies find hard cancels row by row, so this interval is narrower than the
/// difference of two intervals.
///
/// # Errors
/// [`ValuesError`] for different lengths, and as [`mean_value`].
pub fn paired_difference(
    left: &[f64],
    right: &[f64],
    level: ConfidenceLevel,
) -> Result<MeanValue, ValuesError> {
    if left.len() != right.len() {
        return Err(ValuesError::Length { left: left.len(), right: right.len() });
    }
    check_finite(left)?;
    check_finite(right)?;
    let mut differences = Moments::default();
    for (left, right) in left.iter().zip(right) {
        differences.push(left - right, 1.0);
    }
    with_interval(&differences, left.len(), (level, IntervalMethod::NormalPaired))
}

fn with_interval(
    moments: &Moments,
    n_rows: usize,
    (level, method): (ConfidenceLevel, IntervalMethod),
) -> Result<MeanValue, ValuesError> {
    let std_error = moments.std_error().ok_or(ValuesError::TooFew { n_rows })?;
    let value = moments.mean();
    let interval =
        Interval::normal(value, std_error, level, method).ok_or(ValuesError::Overflow)?;
    Ok(MeanValue { n_rows, value, std_error, interval })
}

fn check_finite(values: &[f64]) -> Result<(), ValuesError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(row) => Err(ValuesError::NotFinite { row, found: values[row] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEVEL: ConfidenceLevel = ConfidenceLevel::P95;

    /// Worked by hand: 0, 1, 1, 0 has mean 1/2 and variance 1/3, over four rows.
    #[test]
    fn a_mean_has_a_normal_interval() {
        let found = mean_value(&[0.0, 1.0, 1.0, 0.0], LEVEL).unwrap();
        let std_error = (1.0_f64 / 12.0).sqrt();
        assert!((found.value - 0.5).abs() < 1e-12);
        assert!((found.std_error - std_error).abs() < 1e-12);
        assert!((found.interval.upper - (0.5 + 1.959_963_984_540_054 * std_error)).abs() < 1e-12);
        assert_eq!((found.n_rows, found.interval.method), (4, IntervalMethod::NormalMean));
    }

    /// Two policies a constant apart differ by that constant, without doubt.
    #[test]
    fn what_both_find_hard_cancels() {
        let found = paired_difference(&[1.5, -2.5, 8.5], &[1.0, -3.0, 8.0], LEVEL).unwrap();
        assert!((found.value - 0.5).abs() < 1e-12);
        assert!(found.std_error.abs() < 1e-12);
        assert_eq!(found.interval.method, IntervalMethod::NormalPaired);
    }

    #[test]
    fn refusals_say_what_was_found() {
        assert_eq!(mean_value(&[], LEVEL), Err(ValuesError::TooFew { n_rows: 0 }));
        assert_eq!(mean_value(&[1.0], LEVEL), Err(ValuesError::TooFew { n_rows: 1 }));
        let length = ValuesError::Length { left: 1, right: 2 };
        assert_eq!(paired_difference(&[1.0], &[1.0, 2.0], LEVEL), Err(length));
        let sentence = mean_value(&[1.0, f64::NAN], LEVEL).unwrap_err().to_string();
        assert!(sentence.starts_with("prompt 1: value NaN is not a finite number;"), "{sentence}");
        assert_eq!(mean_value(&[1e300, -1e300], LEVEL), Err(ValuesError::Overflow));
    }

    proptest! {
        /// A difference turns its sign with the order, and is zero against itself.
        #[test]
        fn a_difference_is_antisymmetric(
            pairs in prop::collection::vec((-1.0..1.0_f64, -1.0..1.0_f64), 2..60),
        ) {
            let (left, right): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let there = paired_difference(&left, &right, LEVEL).unwrap();
            let back = paired_difference(&right, &left, LEVEL).unwrap();
            prop_assert!((there.value + back.value).abs() < 1e-12);
            prop_assert!((there.interval.lower + back.interval.upper).abs() < 1e-12);
            let own = paired_difference(&left, &left, LEVEL).unwrap();
            prop_assert_eq!((own.value, own.std_error), (0.0, 0.0));
        }
    }
}
