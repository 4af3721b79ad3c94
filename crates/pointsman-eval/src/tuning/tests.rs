//! Worked choices, and what no candidate may do.

use super::*;
use crate::rounds::{Predictions, RoundColumns};
use proptest::prelude::*;

/// Rows of (propensity, target, reward, predicted for the taken model, expected prediction).
type Row = (f64, f64, f64, f64, f64);

fn rounds(rows: &[Row]) -> LoggedRounds {
    let column = |pick: fn(&Row) -> f64| rows.iter().map(pick).collect::<Vec<f64>>();
    let predictions = Predictions { taken: column(|row| row.3), expected: column(|row| row.4) };
    LoggedRounds::new(RoundColumns {
        propensity: column(|row| row.0),
        target: column(|row| row.1),
        reward: column(|row| row.2),
        mrdr_predictions: Some(predictions.clone()),
        predictions: Some(predictions),
        ..RoundColumns::default()
    })
    .unwrap()
}

fn tunable() -> impl Iterator<Item = Estimator> {
    ["ipw", "dr", "mrdr", "switch-dr", "dr-os", "sg-ipw", "sg-dr"]
        .into_iter()
        .map(|name| Estimator::named(name).unwrap())
}

fn tune(rows: &[Row], estimator: Estimator, rule: TuningRule) -> Tuned {
    let mut sums = PartialTuning::new(estimator).unwrap();
    sums.push(&rounds(rows)).unwrap();
    sums.finish(rule).unwrap()
}

#[track_caller]
fn check_choice(rows: &[Row], (estimator, rule): (&str, TuningRule), lambda: f64) {
    let chosen = tune(rows, Estimator::named(estimator).unwrap(), rule).sums.estimator();
    assert_eq!(chosen.lambda(), Some(lambda), "{estimator}, {rule:?}");
}

/// One row in a hundred has weight 60. Where it earned nothing, clipping loses nothing and saves
/// nothing. Where it earned one, clipping at 50 adds a bias of 0.1 and takes a third of the
/// variance (0.353 becomes 0.255); the bound on the bias does not dare (7.5 becomes 8.0).
#[test]
fn a_bias_that_can_be_seen_is_not_taken() {
    let log = |heavy_reward: f64| -> Vec<Row> {
        let light = (0..99).map(|row| (0.5, 0.4, f64::from(row % 2), 0.5, 0.5));
        light.chain([(0.01, 0.6, heavy_reward, 0.5, 0.5)]).collect()
    };
    check_choice(&log(0.0), ("ipw", TuningRule::DirectError), f64::INFINITY);
    check_choice(&log(0.0), ("dr", TuningRule::Slope), 1.0);
    check_choice(&log(1.0), ("ipw", TuningRule::DirectError), 50.0);
    check_choice(&log(1.0), ("ipw", TuningRule::BoundedError), f64::INFINITY);
}

/// 0, 0, 1, 1 with all weights one: nothing can be tempered, and equals go to the first or, by
/// SLOPE, the first of the reversed order.
#[test]
fn equals_have_an_order() {
    let rows = [0.0, 0.0, 1.0, 1.0].map(|reward| (0.5, 0.5, reward, 0.5, 0.5));
    for rule in [TuningRule::Slope, TuningRule::BoundedError, TuningRule::DirectError] {
        check_choice(&rows, ("ipw", rule), f64::INFINITY);
        check_choice(&rows, ("switch-dr", rule), f64::INFINITY);
    }
}

/// A list of candidates holds one at which other tools divide zero by zero.
#[test]
fn rows_without_weight_choose_a_number() {
    let rows = [(0.5, 1.0, 1.0, 0.4, 0.5), (0.5, 0.0, 0.0, 0.4, 0.5), (0.5, 0.0, 1.0, 0.4, 0.5)];
    for estimator in tunable() {
        for rule in [TuningRule::Slope, TuningRule::BoundedError, TuningRule::DirectError] {
            assert!(tune(&rows, estimator, rule).sums.value().unwrap().is_finite());
        }
    }
}

#[test]
fn what_cannot_be_tuned_says_so() {
    for name in ["snipw", "dm", "sndr", "b-ipw", "mle", "cressieread", "rm"] {
        let estimator = Estimator::named(name).unwrap();
        assert_eq!(PartialTuning::new(estimator), Err(EstimateError::NoTuning { estimator }));
    }
    let mut one = PartialTuning::new(Estimator::Ips { clip: None }).unwrap();
    assert_eq!(one.clone().finish(TuningRule::Slope), Err(EstimateError::NoRows));
    one.push(&rounds(&[(0.5, 0.5, 1.0, 0.5, 0.5)])).unwrap();
    assert_eq!(one.finish(TuningRule::Slope), Err(EstimateError::OneRow));
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (0.01..=1.0_f64, 0.0..=1.0_f64, -1.0..1.0_f64, -1.0..1.0_f64, -1.0..1.0_f64);
    prop::collection::vec(row, 2..60)
}

proptest! {
    /// Every policy gets its own choice: another one before it changes nothing.
    #[test]
    fn choices_are_made_afresh(first in any_rows(), second in any_rows()) {
        for estimator in tunable() {
            let alone = tune(&second, estimator, TuningRule::Slope);
            tune(&first, estimator, TuningRule::Slope);
            prop_assert_eq!(tune(&second, estimator, TuningRule::Slope), alone);
        }
    }

    /// Sums over partitions choose as the whole does, or between equals.
    #[test]
    fn partitions_merge(rows in any_rows(), cut in 0..60_usize) {
        let (left, right) = rows.split_at(cut.min(rows.len()));
        for estimator in tunable() {
            let mut merged = PartialTuning::new(estimator).unwrap();
            merged.push(&rounds(left)).unwrap();
            let mut rest = PartialTuning::new(estimator).unwrap();
            rest.push(&rounds(right)).unwrap();
            merged.merge(&rest).unwrap();
            let errors = |tuned: &Tuned| -> Vec<f64> {
                tuned.candidates.iter().filter_map(|candidate| candidate.1).collect()
            };
            let merged = errors(&merged.finish(TuningRule::BoundedError).unwrap());
            let whole = errors(&tune(&rows, estimator, TuningRule::BoundedError));
            for (merged, whole) in merged.iter().zip(whole) {
                prop_assert!((merged - whole).abs() <= 1e-9 * (1.0 + whole));
            }
        }
    }
}
