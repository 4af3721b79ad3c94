//! Proper scores of predicted quality: how honest a scorer's numbers are.
//!
//! Quality may be a fraction: a model that is right three times in five should be predicted
//! 0.6. All pairs of prompt and model are pooled, so models with many answers weigh more. Scores
//! compare scorers on the same pairs only; their floor is the noise of the outcomes, not zero.
//!
//! Source: Gneiting & Raftery, "Strictly Proper Scoring Rules", JASA 2007.

use crate::{error::CalibrationError, moments::float_of};

/// Predictions are kept this far from 0 and 1 before their logarithm is taken.
pub const LOG_LOSS_MARGIN: f64 = 1e-6;

/// A log loss, and how many predictions had to be moved to have one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogLoss {
    /// The mean of `-(y ln p + (1 - y) ln (1 - p))`, in nats; lower is better.
    pub value: f64,
    /// The number of pairs.
    pub n_pairs: usize,
    /// Predictions outside `[1e-6, 1 - 1e-6]`, moved to its nearer end.
    pub n_clipped: usize,
}

/// The mean log loss of `predicted` against `outcome`, pair by pair.
///
/// # Errors
/// [`CalibrationError`] for no pairs, different lengths, a prediction that is not finite, or an
/// outcome outside `[0, 1]`.
pub fn log_loss(predicted: &[f64], outcome: &[f64]) -> Result<LogLoss, CalibrationError> {
    check_pairs(predicted, outcome)?;
    let (mut sum, mut n_clipped) = (0.0, 0);
    for (&prediction, quality) in predicted.iter().zip(outcome) {
        let p = prediction.clamp(LOG_LOSS_MARGIN, 1.0 - LOG_LOSS_MARGIN);
        n_clipped += usize::from(prediction < p || p < prediction);
        sum -= quality * libm::log(p) + (1.0 - quality) * libm::log(1.0 - p);
    }
    let n_pairs = outcome.len();
    Ok(LogLoss { value: sum / float_of(n_pairs), n_pairs, n_clipped })
}

/// The mean squared distance of `predicted` from `outcome`, pair by pair; lower is better.
///
/// Predictions are taken as they are, outside `[0, 1]` too.
///
/// # Errors
/// As [`log_loss`].
pub fn brier(predicted: &[f64], outcome: &[f64]) -> Result<f64, CalibrationError> {
    check_pairs(predicted, outcome)?;
    let pairs = predicted.iter().zip(outcome);
    let sum: f64 = pairs.map(|(predicted, outcome)| (predicted - outcome).powi(2)).sum();
    Ok(sum / float_of(outcome.len()))
}

pub(crate) fn check_pairs(predicted: &[f64], outcome: &[f64]) -> Result<(), CalibrationError> {
    let (n_predictions, n_outcomes) = (predicted.len(), outcome.len());
    if n_predictions != n_outcomes {
        return Err(CalibrationError::Length { n_predictions, n_outcomes });
    }
    if n_outcomes == 0 {
        return Err(CalibrationError::NoPairs);
    }
    for (pair, (&prediction, &quality)) in predicted.iter().zip(outcome).enumerate() {
        if !prediction.is_finite() {
            return Err(CalibrationError::Prediction { pair, found: prediction });
        }
        if !(0.0..=1.0).contains(&quality) {
            return Err(CalibrationError::Outcome { pair, found: quality });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check_scores(predicted: &[f64], outcome: &[f64], loss: f64, squares: f64) {
        let found = log_loss(predicted, outcome).unwrap();
        assert!((found.value - loss).abs() < 1e-9, "log loss {}", found.value);
        let found = brier(predicted, outcome).unwrap();
        assert!((found - squares).abs() < 1e-12, "Brier score {found}");
    }

    #[test]
    fn scores_are_those_worked_by_hand() {
        //           predicted    outcome      log loss               Brier
        check_scores(&[0.5], &[1.0], 2.0_f64.ln(), 0.25);
        check_scores(&[0.5, 0.5], &[0.3, 0.0], 2.0_f64.ln(), 0.145);
        check_scores(&[0.8, 0.1], &[1.0, 0.0], -(0.8_f64.ln() + 0.9_f64.ln()) / 2.0, 0.025);
        check_scores(&[0.0], &[1.0], 6.0 * 10.0_f64.ln(), 1.0);
        check_scores(&[1.5], &[1.0], -(1.0 - 1e-6_f64).ln(), 0.25);
    }

    #[test]
    fn moved_predictions_are_counted() {
        let found = log_loss(&[0.0, 1.0, 1e-6, 0.5, -3.0], &[0.0, 1.0, 0.0, 0.5, 0.0]).unwrap();
        assert_eq!((found.n_pairs, found.n_clipped), (5, 3));
    }

    #[test]
    fn refusals_name_the_pair() {
        assert_eq!(brier(&[], &[]), Err(CalibrationError::NoPairs));
        let length = CalibrationError::Length { n_predictions: 1, n_outcomes: 2 };
        assert_eq!(log_loss(&[0.5], &[0.5, 0.5]), Err(length));
        let outcome = CalibrationError::Outcome { pair: 1, found: 1.5 };
        assert_eq!(brier(&[0.5, 0.5], &[0.5, 1.5]), Err(outcome));
        let error = log_loss(&[f64::NAN], &[0.5]).unwrap_err();
        assert_eq!(error.to_string(), "pair 0: prediction NaN is not a finite number");
        assert!(brier(&[0.5], &[f64::NAN]).is_err());
    }

    proptest! {
        /// Nothing scores better than predicting the outcome itself.
        #[test]
        fn scores_are_proper(quality in 0.01..0.99_f64, other in 0.0..1.0_f64) {
            let honest = log_loss(&[quality], &[quality]).unwrap().value;
            prop_assert!(honest <= log_loss(&[other], &[quality]).unwrap().value + 1e-12);
            let honest = brier(&[quality], &[quality]).unwrap();
            prop_assert!(honest <= brier(&[other], &[quality]).unwrap());
        }
    }
}
