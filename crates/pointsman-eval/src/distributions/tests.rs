//! Worked columns and every refusal.

use super::*;

const LOG: ActionRounds<'_> = ActionRounds {
    first_row: 1,
    n_actions: 2,
    action: &[1, 0],
    propensity: &[0.5, 1.0],
    reward: &[1.0, 2.0],
    target: TargetColumn::Whole(&[0.25, 0.75, 0.5, 0.5]),
    predictions: Some(&[1.0, 3.0, 0.0, 4.0]),
    mrdr_predictions: None,
    imitation_weight: None,
    logging: Some(&[0.5, 0.5, 1.0, 0.0]),
};

/// By hand: 0.25 · 1 + 0.75 · 3 = 2.5, and half of 0 and 4 is 2.
#[test]
fn distributions_become_columns() {
    let rounds = LOG.rounds().unwrap();
    assert_eq!(rounds.target(), [0.75, 0.5]);
    assert_eq!(rounds.weight(), [1.5, 0.5]);
    let predictions = rounds.predictions().unwrap();
    assert_eq!(predictions.taken, [3.0, 0.0]);
    assert_eq!(predictions.expected, [2.5, 2.0]);
    assert_eq!(rounds.unsupported_mass(), Some([0.0, 0.5].as_slice()));
}

/// A total that is off by rounding shifts no mean.
#[test]
fn means_are_normalised() {
    let target = TargetColumn::Whole(&[0.500_004, 0.500_004, 0.5, 0.5]);
    let rounds = ActionRounds { target, ..LOG }.rounds().unwrap();
    assert!((rounds.predictions().unwrap().expected[0] - 2.0).abs() < 1e-12);
}

#[test]
fn single_probabilities_have_no_mean_prediction() {
    let rounds = ActionRounds { target: TargetColumn::OfTaken(&[1.0, 0.0]), ..LOG }.rounds();
    let rounds = rounds.unwrap();
    assert_eq!(rounds.weight(), [2.0, 0.0]);
    assert!(rounds.predictions().is_none() && rounds.unsupported_mass().is_none());
}

#[track_caller]
fn check_refusal(log: ActionRounds<'_>, sentence: &str) {
    let error = log.rounds().unwrap_err().to_string();
    assert!(error.starts_with(sentence), "said: {error}");
}

#[test]
fn every_refusal_names_the_row() {
    check_refusal(
        ActionRounds { action: &[1, 2], ..LOG },
        "row 2: action 2 is not one of 2, counted from 0",
    );
    check_refusal(
        ActionRounds { target: TargetColumn::Whole(&[0.25, 0.5, 0.5, 0.5]), ..LOG },
        "row 1: the policy's distribution adds up to 0.75 and",
    );
    check_refusal(
        ActionRounds { target: TargetColumn::Whole(&[0.25, 0.75, -0.5, 1.5]), ..LOG },
        "row 2: the policy's distribution -0.5 is not in [0, 1]",
    );
    check_refusal(
        ActionRounds { target: TargetColumn::Whole(&[0.25, 0.75, f64::NAN, 0.5]), ..LOG },
        "row 2: the policy's distribution adds up to NaN",
    );
    check_refusal(
        ActionRounds { logging: Some(&[0.5, 0.5, 0.9, 0.0]), ..LOG },
        "row 2: the logger's distribution adds up to 0.9",
    );
    check_refusal(
        ActionRounds { propensity: &[0.5, 1.5], ..LOG },
        "row 2: propensity 1.5 is not in (0, 1]",
    );
    check_refusal(
        ActionRounds { predictions: Some(&[1.0, f64::INFINITY, 0.0, 0.0]), ..LOG },
        "row 1: predictions.taken inf is not a finite number",
    );
}
