//! Worked examples, refusals, and the identities that hold between estimators.

use super::*;
use crate::{
    interval::IntervalMethod,
    moments::Moments,
    rounds::{Predictions, RoundColumns},
};
use proptest::prelude::*;

const IPS: Estimator = Estimator::Ips { clip: None };
const DR: Estimator = Estimator::Dr { clip: None };
const ALL: [Estimator; 4] = [IPS, Estimator::Snips, DR, Estimator::Dm];

fn clipped_ips(largest_weight: f64) -> Estimator {
    Estimator::Ips { clip: WeightClip::new(largest_weight).ok() }
}

fn clipped_dr(largest_weight: f64) -> Estimator {
    Estimator::Dr { clip: WeightClip::new(largest_weight).ok() }
}

/// Rows of (propensity, target, reward, predicted for the taken model, expected prediction).
type Row = (f64, f64, f64, f64, f64);

fn rounds(rows: &[Row]) -> LoggedRounds {
    let column = |pick: fn(&Row) -> f64| rows.iter().map(pick).collect::<Vec<f64>>();
    LoggedRounds::new(RoundColumns {
        propensity: column(|row| row.0),
        target: column(|row| row.1),
        reward: column(|row| row.2),
        predictions: Some(Predictions {
            taken: column(|row| row.3),
            expected: column(|row| row.4),
        }),
        mrdr_predictions: Some(Predictions {
            taken: column(|row| row.3),
            expected: column(|row| row.4),
        }),
        imitation_weight: Some(column(|row| row.1 / row.0)),
        ..RoundColumns::default()
    })
    .unwrap()
}

fn named(name: &str, lambda: f64) -> Estimator {
    Estimator::named(name).unwrap().at(lambda).unwrap()
}

fn value(rows: &[Row], estimator: Estimator) -> Result<f64, EstimateError> {
    PartialEstimate::of(&rounds(rows), estimator)?.value()
}

fn measure(rows: &[Row], estimator: Estimator) -> Estimate {
    estimate(&rounds(rows), estimator, ConfidenceLevel::P95).unwrap()
}

fn refuse(rows: &[Row], estimator: Estimator) -> EstimateError {
    estimate(&rounds(rows), estimator, ConfidenceLevel::P95).unwrap_err()
}

/// Weights 2, 0.5 and 0. The fixed point of all worked examples below.
const EXAMPLE: [Row; 3] =
    [(0.5, 1.0, 1.0, 0.5, 0.5), (0.5, 0.25, 0.4, 0.2, 0.3), (0.25, 0.0, 0.8, 0.6, 0.1)];

#[track_caller]
fn check_example(estimator: Estimator, value: f64, std_error: f64) {
    let found = measure(&EXAMPLE, estimator);
    assert!((found.value - value).abs() < 1e-12, "{estimator}: value {}", found.value);
    assert!((found.std_error - std_error).abs() < 1e-12, "{estimator}: error {}", found.std_error);
    assert!(found.interval.contains(value), "{estimator}: {:?}", found.interval);
}

#[test]
fn estimators_match_the_worked_example() {
    // Per row 2, 0.2, 0: mean 2.2/3; squares 4.04 - 4.84/3; over 2, over 3.
    check_example(IPS, 2.2 / 3.0, ((4.04 - 4.84 / 3.0) / 6.0_f64).sqrt());
    // Clipped at 1: 1, 0.2, 0.
    check_example(clipped_ips(1.0), 0.4, ((1.04 - 0.48) / 6.0_f64).sqrt());
    // 2.2 / 2.5 = 0.88; (2 * 0.12)^2 + (0.5 * 0.48)^2 = 0.1152, times 3/2.
    check_example(Estimator::Snips, 0.88, 0.1728_f64.sqrt() / 2.5);
    // 0.5 + 2 * 0.5, 0.3 + 0.5 * 0.2, 0.1: 1.5, 0.4, 0.1.
    check_example(DR, 2.0 / 3.0, ((2.42 - 4.0 / 3.0) / 6.0_f64).sqrt());
    // Clipped at 1: 1.0, 0.4, 0.1.
    check_example(clipped_dr(1.0), 0.5, ((1.17 - 0.75) / 6.0_f64).sqrt());
    // 0.5, 0.3, 0.1.
    check_example(Estimator::Dm, 0.3, (0.08 / 6.0_f64).sqrt());
}

/// On the same rows: weights 2, 0.5, 0; residuals 0.5, 0.2, 0.2; predictions 0.5, 0.3, 0.1.
#[test]
fn tempered_estimators_match_the_worked_example() {
    #[track_caller]
    fn check(estimator: Estimator, sum: f64) {
        let found = value(&EXAMPLE, estimator).unwrap();
        assert!((found - sum / 3.0).abs() < 1e-12, "{estimator}: {}", 3.0 * found);
    }
    check(named("switch-dr", 1.0), 0.9 + 0.1); // the row of weight 2 keeps its prediction
    check(named("switch-dr", 2.0), 0.9 + 1.0 + 0.1);
    check(named("dr-os", 1.0), 0.9 + 0.4 * 0.5 + 0.4 * 0.2); // 2/5, 0.5/1.25
    check(named("dr-os", 0.0), 0.9);
    check(named("dr-os", f64::INFINITY), 2.0);
    check(named("sg-ipw", 0.5), 2.0 / 1.5 + 0.4 * 0.5 / 0.75);
    check(named("sg-ipw", 1.0), 1.4); // weights 1, 1 and, in the limit, 0
    check(named("sg-dr", 1.0), 0.9 + 0.5 + 0.2);
    check(named("mrdr", f64::INFINITY), 2.0);
    check(named("mrdr", 1.0), 1.5);
    check(named("b-ipw", 1.0), 3.0 * (1.0 + 0.5 * 0.4) / 1.5); // 1, 0.5, 0 after the clip
    check(Estimator::Sndr, 0.9 + 3.0 * (1.0 + 0.1) / 2.5);
    check(Estimator::Replay, 3.0); // the first row alone is certain
}

/// By hand. Weights 1/2 and 1/2 average less than one: each row counts a quarter, and the other
/// half goes to the mean of 1 and 0.
#[test]
fn likelihoods_match_the_worked_examples() {
    let rows = |rows: [(f64, f64); 2]| rows.map(|(target, reward)| (0.5, target, reward, 0.0, 0.0));
    let short = rows([(0.25, 1.0), (0.25, 0.0)]);
    for estimator in [Estimator::Mle, Estimator::CressieRead] {
        assert!((value(&short, estimator).unwrap() - 0.5).abs() < 1e-12);
    }
    let even = rows([(0.5, 1.0), (0.5, 0.0)]);
    for estimator in [Estimator::Mle, Estimator::CressieRead] {
        assert!((value(&even, estimator).unwrap() - 0.5).abs() < 1e-12);
    }
    // Weights 2 and 1: the root lies beyond the bracket, whose end is β = n.
    let long = rows([(1.0, 1.0), (0.5, 0.0)]);
    assert!((value(&long, Estimator::Mle).unwrap() - 0.5).abs() < 1e-12);
}

#[test]
fn one_row_has_a_value_and_no_interval() {
    let row = [(0.25, 0.8, 1.0, 0.5, 0.43)];
    assert!((value(&row, IPS).unwrap() - 3.2).abs() < 1e-12);
    for estimator in [Estimator::Snips, Estimator::Mle, Estimator::CressieRead] {
        assert!((value(&row, estimator).unwrap() - 1.0).abs() < 1e-12, "{estimator}");
    }
    assert_eq!(
        refuse(&row, Estimator::Mle),
        EstimateError::NoInterval { estimator: Estimator::Mle }
    );
}

/// Other tools divide zero by zero here.
#[test]
fn without_weight_a_ratio_has_no_value() {
    let rows = [(0.5, 0.0, 1.0, 0.5, 0.5), (0.5, 0.0, 0.0, 0.5, 0.5)];
    for name in ["snipw", "sndr", "b-ipw"] {
        let estimator = Estimator::named(name).unwrap();
        assert_eq!(value(&rows, estimator), Err(EstimateError::NoOverlap { n_rows: 2 }));
    }
    assert_eq!(value(&rows, Estimator::Replay), Err(EstimateError::NoReplay { n_rows: 2 }));
    for (name, lambda, expected) in
        [("sg-ipw", 1.0, 0.0), ("sg-dr", 1.0, 0.5), ("dr-os", 0.0, 0.5), ("mle", 0.0, 0.5)]
    {
        assert_eq!(value(&rows, named(name, lambda)), Ok(expected), "{name}");
    }
}

#[test]
fn names_and_settings_are_checked() {
    for name in Estimator::NAMES {
        assert_eq!(Estimator::named(name).unwrap().name(), name);
    }
    assert!(Estimator::named("ips").unwrap_err().to_string().starts_with("`ips` is no estimator;"));
    for (name, bad) in [("ipw", 0.0), ("switch-dr", -1.0), ("sg-ipw", 1.5), ("dr-os", f64::NAN)] {
        assert!(Estimator::named(name).unwrap().at(bad).is_err(), "{name} took {bad}");
    }
    assert_eq!(named("dr-os", 5.0).to_string(), "DRos at 5");
    assert_eq!(named("dr-os", f64::INFINITY).to_string(), "DRos");
    assert_eq!(named("sg-ipw", 0.0).to_string(), "sub-Gaussian IPS");
}

#[test]
fn an_estimate_says_what_it_is() {
    let clipped = measure(&EXAMPLE, clipped_ips(1.0));
    assert!((clipped.share_clipped.unwrap() - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(clipped.n_rows, 3);
    assert_eq!(clipped.estimator.to_string(), "IPS clipped at 1");
    assert_eq!(clipped.interval.method, IntervalMethod::NormalMean);
    let ratio = measure(&EXAMPLE, Estimator::Snips);
    assert_eq!(ratio.share_clipped, None);
    assert_eq!(ratio.interval.method, IntervalMethod::NormalRatio);
}

#[test]
fn a_clip_is_a_finite_number_above_zero() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(WeightClip::new(bad).is_err(), "accepted {bad}");
    }
}

/// One row of weight 3.2 would read as a value of 3.2 for a reward in [0, 1], with no spread.
#[test]
fn one_row_is_not_an_answer() {
    for estimator in ALL {
        assert_eq!(refuse(&[], estimator), EstimateError::NoRows);
        assert_eq!(refuse(&[(0.25, 0.8, 1.0, 0.5, 0.4)], estimator), EstimateError::OneRow);
    }
}

#[test]
fn without_overlap_only_the_model_answers() {
    let unseen = [(0.5, 0.0, 1.0, 0.5, 0.6), (0.5, 0.0, 0.0, 0.5, 0.4)];
    for estimator in [IPS, Estimator::Snips, DR] {
        assert_eq!(refuse(&unseen, estimator), EstimateError::NoOverlap { n_rows: 2 });
    }
    assert!((measure(&unseen, Estimator::Dm).value - 0.5).abs() < 1e-12);
}

/// The delta method would call this value exact.
#[test]
fn one_overlapping_row_has_no_ratio_interval() {
    let rows = [(0.5, 0.5, 1.0, 0.5, 0.6), (0.5, 0.0, 0.0, 0.5, 0.4)];
    let expected = EstimateError::OneOverlappingRow { n_rows: 2 };
    assert_eq!(refuse(&rows, Estimator::Snips), expected);
    assert!((measure(&rows, IPS).value - 0.5).abs() < 1e-12);
}

#[test]
fn doubly_robust_and_direct_need_predictions() {
    let bare = LoggedRounds::new(RoundColumns {
        propensity: vec![0.5; 2],
        target: vec![0.5; 2],
        reward: vec![1.0, 0.0],
        ..RoundColumns::default()
    })
    .unwrap();
    for estimator in [DR, Estimator::Dm] {
        let error = estimate(&bare, estimator, ConfidenceLevel::P95).unwrap_err();
        assert_eq!(error, EstimateError::NoPredictions { estimator });
    }
    assert!(estimate(&bare, Estimator::Snips, ConfidenceLevel::P95).is_ok());
}

#[test]
fn overflow_is_an_error_not_a_number() {
    let rows = [(1e-300, 0.5, 1e100, 0.0, 0.0), (0.5, 0.5, 1.0, 0.0, 0.0)];
    for estimator in [IPS, Estimator::Snips, DR] {
        assert_eq!(refuse(&rows, estimator), EstimateError::NotFinite { estimator });
    }
    assert!((measure(&rows, clipped_ips(1.0)).value / 5e99 - 1.0).abs() < 1e-9);
}

#[test]
fn different_questions_do_not_merge() {
    let mut left = PartialEstimate::of(&rounds(&EXAMPLE), IPS).unwrap();
    for other in [Estimator::Snips, clipped_ips(2.0)] {
        let right = PartialEstimate::of(&rounds(&EXAMPLE), other).unwrap();
        let error = EstimateError::DifferentEstimators { left: IPS, right: other };
        assert_eq!(left.merge(&right), Err(error));
    }
    assert_eq!(left, PartialEstimate::of(&rounds(&EXAMPLE), IPS).unwrap());
}

fn any_row() -> impl Strategy<Value = Row> {
    (0.05..=1.0_f64, 0.01..=1.0_f64, -1.0..1.0_f64, -1.0..1.0_f64, -1.0..1.0_f64)
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(any_row(), 2..80)
}

proptest! {
    /// Evaluating the logger on its own log gives back the plain mean and its plain error.
    #[test]
    fn on_policy_is_the_mean(rows in any_rows()) {
        let rows: Vec<Row> = rows.iter().map(|row| (row.0, row.0, row.2, row.3, row.3)).collect();
        let plain = Moments::of(&rows.iter().map(|row| row.2).collect::<Vec<f64>>());
        for estimator in [IPS, Estimator::Snips, DR] {
            let found = measure(&rows, estimator);
            prop_assert!((found.value - plain.mean()).abs() < 1e-9);
            prop_assert!((found.std_error - plain.std_error().unwrap()).abs() < 1e-9);
        }
    }

    /// Paying every row more raises the value by as much and changes nothing else.
    #[test]
    fn shifting_rewards_shifts_the_value(rows in any_rows(), shift in -100.0..100.0_f64) {
        let shifted: Vec<Row> = rows
            .iter()
            .map(|row| (row.0, row.1, row.2 + shift, row.3 + shift, row.4 + shift))
            .collect();
        for estimator in [Estimator::Snips, DR, Estimator::Dm] {
            let (before, after) = (measure(&rows, estimator), measure(&shifted, estimator));
            prop_assert!((after.value - before.value - shift).abs() < 1e-8);
            prop_assert!((after.std_error - before.std_error).abs() < 1e-8);
        }
    }

    /// The self-normalised value cannot leave the rewards it has seen.
    #[test]
    fn snips_stays_within_the_rewards(rows in any_rows()) {
        let rewards = rows.iter().map(|row| row.2);
        let low = rewards.clone().fold(1.0, f64::min);
        let high = rewards.fold(-1.0, f64::max);
        let value = measure(&rows, Estimator::Snips).value;
        prop_assert!(low - 1e-9 <= value && value <= high + 1e-9);
    }

    /// With perfect predictions there is nothing to correct.
    #[test]
    fn perfect_predictions_make_dr_the_direct_method(rows in any_rows()) {
        let perfect: Vec<Row> =
            rows.iter().map(|row| (row.0, row.1, row.2, row.2, row.4)).collect();
        let (dr, dm) = (measure(&perfect, DR), measure(&perfect, Estimator::Dm));
        prop_assert!((dr.value - dm.value).abs() < 1e-12);
        prop_assert!((dr.std_error - dm.std_error).abs() < 1e-12);
    }

    /// A reward model that predicts nothing leaves IPS.
    #[test]
    fn zero_predictions_make_dr_ips(rows in any_rows()) {
        let blank: Vec<Row> = rows.iter().map(|row| (row.0, row.1, row.2, 0.0, 0.0)).collect();
        prop_assert!((measure(&blank, DR).value - measure(&blank, IPS).value).abs() < 1e-12);
    }

    /// A clip above every weight is no clip.
    #[test]
    fn a_high_clip_changes_nothing(rows in any_rows()) {
        for (plain, clipped) in [
            (IPS, clipped_ips(1e6)),
            (DR, clipped_dr(1e6)),
        ] {
            let clipped = measure(&rows, clipped);
            prop_assert!((measure(&rows, plain).value - clipped.value).abs() < 1e-12);
            prop_assert_eq!(clipped.share_clipped, Some(0.0));
        }
    }

    /// The values per row have the estimate as their mean and its error as their error.
    #[test]
    fn influence_values_carry_the_estimate(rows in any_rows()) {
        let tempered = [("switch-dr", 1.0), ("dr-os", 2.0), ("sg-ipw", 0.3), ("sg-dr", 0.3), ("b-ipw", 1.5)];
        let tempered = tempered.map(|(name, lambda)| named(name, lambda));
        for estimator in ALL.into_iter().chain(tempered).chain([Estimator::Sndr]) {
            let influence = Moments::of(&influence_values(&rounds(&rows), estimator).unwrap());
            let found = measure(&rows, estimator);
            prop_assert!((influence.mean() - found.value).abs() < 1e-9);
            prop_assert!((influence.std_error().unwrap() - found.std_error).abs() < 1e-9);
        }
    }

    /// Sums over partitions give the estimate of the whole.
    #[test]
    fn partitions_merge(rows in any_rows(), cut in 0..80_usize) {
        let (left, right) = rows.split_at(cut.min(rows.len()));
        let tempered = [("switch-dr", 1.0), ("dr-os", 2.0), ("sg-ipw", 0.3), ("b-ipw", 1.5)];
        let tempered = tempered.map(|(name, lambda)| named(name, lambda));
        let plain = [IPS, Estimator::Snips, DR, Estimator::Dm, clipped_dr(2.0), Estimator::Sndr];
        for estimator in [Estimator::Mle, Estimator::CressieRead] {
            let mut merged = PartialEstimate::of(&rounds(left), estimator).unwrap();
            merged.merge(&PartialEstimate::of(&rounds(right), estimator).unwrap()).unwrap();
            let whole = value(&rows, estimator).unwrap();
            prop_assert!((merged.value().unwrap() - whole).abs() < 1e-7 * (1.0 + whole.abs()));
        }
        for estimator in plain.into_iter().chain(tempered) {
            let mut merged = PartialEstimate::of(&rounds(left), estimator).unwrap();
            merged.merge(&PartialEstimate::of(&rounds(right), estimator).unwrap()).unwrap();
            let (merged, whole) =
                (merged.finish(ConfidenceLevel::P95).unwrap(), measure(&rows, estimator));
            prop_assert!((merged.value - whole.value).abs() < 1e-9);
            prop_assert!((merged.std_error - whole.std_error).abs() < 1e-9);
            prop_assert_eq!(merged.n_rows, whole.n_rows);
            prop_assert_eq!(merged.share_clipped, whole.share_clipped);
        }
    }
}
