//! Worked examples, refusals, and the laws of finite-sample bounds.

use super::*;
use proptest::prelude::*;

const P95: ConfidenceLevel = ConfidenceLevel::P95;
const ALL: [Method; 4] = [
    Method::BettingMixture,
    Method::BettingInOrder,
    Method::LogSmoothing,
    Method::EmpiricalBernstein,
];

#[track_caller]
fn evidence<'a>(weights: &'a [f64], values: &'a [f64]) -> Evidence<'a> {
    Evidence::new(weights, values, ValueRange::QUALITY).unwrap()
}

#[track_caller]
fn check_refusal<T: std::fmt::Debug>(found: Result<T, BoundError>, start: &str) {
    let sentence = found.unwrap_err().to_string();
    assert!(sentence.starts_with(start), "said: {sentence}");
}

#[test]
fn what_is_stated_is_held_against_the_rows() {
    let (weights, values) = ([1.0, 3.0], [0.0, 1.0]);
    let rows = evidence(&weights, &values);
    check_refusal(ValueRange::new(1.0, 1.0), "the range from 1 to 1 is empty");
    check_refusal(ValueRange::new(0.0, f64::NAN), "the range from 0 to NaN");
    let range = ValueRange::new(0.0, 0.5).unwrap();
    check_refusal(Evidence::new(&weights, &values, range), "row 1: value 1 is outside");
    check_refusal(
        Evidence::new(&weights, &values[..1], range),
        "column values has 1 rows and column weights has 2",
    );
    check_refusal(
        Evidence::new(&[1.0, -1.0], &values, ValueRange::QUALITY),
        "row 1: weight -1 is not",
    );
    check_refusal(
        Evidence::new(&[f64::NAN, 1.0], &values, ValueRange::QUALITY),
        "row 0: weight NaN is not",
    );
    check_refusal(rows.with_full_support(2.0), "row 1: weight 3 is above the stated");
    check_refusal(rows.with_full_support(0.5), "largest weight 0.5 is not");
    check_refusal(rows.with_unsupported_share(1.5), "unsupported share 1.5 is not");
    check_refusal(rows.against(Rival::Policy(&[1.0])), "column rival weights has 1 rows");
    let predicted = Predicted { taken: &[0.5, 2.0], expected: &[0.5, 0.5], expected_by_rival: &[] };
    check_refusal(rows.with_predictions(predicted), "row 1: taken prediction 2 is outside");
}

/// What was learned from the rows moves estimates, and no bound that holds at every number of rows.
#[test]
fn nothing_is_wagered_on_what_the_rows_taught() {
    let weights: Vec<f64> = (0..400).map(|row| f64::from(row % 3) * 0.5 + 0.5).collect();
    let values: Vec<f64> = (0..400).map(|row| f64::from(row / 7 % 2)).collect();
    let taken: Vec<f64> = values.iter().map(|value| 0.8 * value + 0.1).collect();
    let expected = vec![0.5; 400];
    let predicted = Predicted { taken: &taken, expected: &expected, expected_by_rival: &[] };
    let ends = |evidence: Evidence<'_>| {
        let stated = evidence.with_full_support(2.0).unwrap();
        let found = interval(&stated, Method::BettingMixture, P95).unwrap();
        (found.lower, found.upper)
    };
    let rows = evidence(&weights, &values);
    let learned = rows.with_cross_fitted_predictions(predicted).unwrap();
    assert_eq!(ends(learned), ends(rows));
    let fixed = rows.with_predictions(predicted).unwrap();
    assert_ne!(ends(fixed), ends(rows));
    assert_eq!(doubly_robust_values(&learned), doubly_robust_values(&fixed));
}

#[test]
fn what_a_method_needs_is_said() {
    let rows = evidence(&[1.0, 1.0], &[0.0, 1.0]);
    check_refusal(
        interval(&rows, Method::EmpiricalBernstein, P95),
        "empirical Bernstein needs the largest weight",
    );
    let pair = rows.against(Rival::Logged).unwrap();
    check_refusal(interval(&pair, Method::LogSmoothing, P95), "logarithmic smoothing bounds one");
    check_refusal(interval(&evidence(&[], &[]), Method::BettingMixture, P95), "0 rows are too few");
}

/// With one row nobody knows anything, where the peers' intervals have no width at all.
#[test]
fn one_row_leaves_nearly_everything_open() {
    let found = interval(&evidence(&[3.2], &[1.0]), Method::BettingMixture, P95).unwrap();
    assert!(found.lower < 0.2 && found.upper == 1.0, "{found:?}");
    let nothing = interval(&evidence(&[0.0], &[1.0]), Method::BettingMixture, P95).unwrap();
    assert_eq!((nothing.lower, nothing.upper), (0.0, 1.0));
}

/// `mean(ln(1 + λ x)) / λ - L / (λ n)` by hand: 1,000 rows of one, L = ln 40.
#[test]
fn smoothing_is_its_formula() {
    let ones = vec![1.0; 1000];
    let found = interval(&evidence(&ones, &ones), Method::LogSmoothing, P95).unwrap();
    let (log_target, n_rows) = (40.0_f64.ln(), 1000.0);
    let rate = (2.0 * log_target / n_rows).sqrt();
    let expected = rate.ln_1p() / rate - log_target / (rate * n_rows);
    assert!((found.lower - expected).abs() < 1e-12, "{found:?}");
}

/// No spread leaves only the second term: `7 W L / (3 (n - 1))` with W = 2 and L = ln 80.
#[test]
fn bernstein_is_its_formula() {
    let ones = vec![1.0; 1000];
    let rows = evidence(&ones, &ones).with_full_support(2.0).unwrap();
    let found = interval(&rows, Method::EmpiricalBernstein, P95).unwrap();
    let expected = 1.0 - 14.0 * 80.0_f64.ln() / (3.0 * 999.0);
    assert!((found.lower - expected).abs() < 1e-12, "{found:?}");
}

/// A fifth of the mass is missing: no bound may rule out that it is all good, or all bad.
#[test]
fn missing_mass_counts_at_its_worst() {
    let (weights, values) = (vec![0.8; 100_000], vec![0.5; 100_000]);
    for method in [Method::BettingMixture, Method::BettingInOrder, Method::LogSmoothing] {
        let found = interval(&evidence(&weights, &values), method, P95).unwrap();
        assert!(found.lower <= 0.4 && 0.6 <= found.upper, "{method:?}: {found:?}");
        assert!(0.35 < found.lower && found.upper < 0.65, "{method:?}: {found:?}");
    }
}

/// Known support makes the weights' own noise cancel.
#[test]
fn stated_support_narrows() {
    let weights: Vec<f64> = (0..4000).map(|row| if row % 4 == 0 { 3.1 } else { 0.3 }).collect();
    let values: Vec<f64> = (0..4000).map(|row| if row % 11 == 0 { 0.0 } else { 1.0 }).collect();
    let rows = evidence(&weights, &values);
    let plain = interval(&rows, Method::BettingMixture, P95).unwrap();
    let known = rows.with_full_support(5.0).unwrap();
    let narrow = interval(&known, Method::BettingMixture, P95).unwrap();
    let width = |it: Interval| it.upper - it.lower;
    assert!(width(narrow) < 0.7 * width(plain), "{narrow:?} {plain:?}");
    assert!(narrow.contains(10.0 / 11.0));
}

/// Two policies that choose alike differ by nothing, and pairing sees it.
#[test]
fn equal_policies_differ_by_nothing() {
    let weights: Vec<f64> = (0..2000).map(|row| if row % 2 == 0 { 1.8 } else { 0.2 }).collect();
    let values: Vec<f64> = (0..2000).map(|row| f64::from(row % 3) / 2.0).collect();
    let rows = evidence(&weights, &values).against(Rival::Policy(&weights)).unwrap();
    let halves = interval(&rows, Method::BettingMixture, P95).unwrap();
    assert!(halves.contains(0.0), "{halves:?}");
    let paired = rows.with_full_support(2.0).unwrap();
    let paired = interval(&paired, Method::BettingMixture, P95).unwrap();
    assert!(paired.contains(0.0) && paired.upper < 0.02, "{paired:?}");
}

fn any_rows() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    prop::collection::vec((0.0..4.0_f64, 0.0..=1.0_f64), 2..60)
        .prop_map(|rows| rows.into_iter().unzip())
}

proptest! {
    /// Bounds are finite, within the range, and in order.
    #[test]
    fn bounds_stay_within_the_range((weights, values) in any_rows()) {
        let rows = evidence(&weights, &values).with_full_support(4.0).unwrap();
        for method in ALL {
            for side in [Side::Lower, Side::Upper] {
                let found = bound(&rows, side, method, P95).unwrap().bound;
                prop_assert!((0.0..=1.0).contains(&found), "{method:?} {side:?} {found}");
            }
        }
    }

    /// Turning outcomes over turns the interval over.
    #[test]
    fn sides_mirror_each_other((weights, values) in any_rows()) {
        let turned: Vec<f64> = values.iter().map(|value| 1.0 - value).collect();
        let (rows, mirror) = (evidence(&weights, &values), evidence(&weights, &turned));
        for method in [Method::BettingMixture, Method::BettingInOrder, Method::LogSmoothing] {
            let lower = bound(&rows, Side::Lower, method, P95).unwrap().bound;
            let upper = bound(&mirror, Side::Upper, method, P95).unwrap().bound;
            prop_assert!((lower - (1.0 - upper)).abs() < 1e-9);
        }
    }

    /// Shifting and scaling outcomes and their range shifts and scales the bounds.
    #[test]
    fn units_make_no_difference((weights, values) in any_rows(), unit in 1e-6..1e3_f64) {
        let other: Vec<f64> = values.iter().map(|value| unit * value - 3.0 * unit).collect();
        let range = ValueRange::new(-3.0 * unit, -2.0 * unit).unwrap();
        let other = Evidence::new(&weights, &other, range).unwrap();
        let rows = evidence(&weights, &values);
        for method in [Method::BettingMixture, Method::BettingInOrder, Method::LogSmoothing] {
            let plain = bound(&rows, Side::Lower, method, P95).unwrap().bound;
            let scaled = bound(&other, Side::Lower, method, P95).unwrap().bound;
            prop_assert!((scaled / unit + 3.0 - plain).abs() < 1e-6);
        }
    }

    /// The mixture does not care for the order of rows.
    #[test]
    fn the_mixture_is_free_of_order((weights, values) in any_rows()) {
        let turned: (Vec<f64>, Vec<f64>) =
            (weights.iter().rev().copied().collect(), values.iter().rev().copied().collect());
        let method = Method::BettingMixture;
        let ahead = bound(&evidence(&weights, &values), Side::Lower, method, P95).unwrap();
        let back = bound(&evidence(&turned.0, &turned.1), Side::Lower, method, P95).unwrap();
        prop_assert!((ahead.bound - back.bound).abs() < 1e-9);
    }

    /// A higher level is never narrower.
    #[test]
    fn more_confidence_is_wider((weights, values) in any_rows()) {
        let rows = evidence(&weights, &values);
        for method in [Method::BettingMixture, Method::LogSmoothing] {
            let looser = bound(&rows, Side::Lower, method, ConfidenceLevel::new(0.8).unwrap());
            let tighter = bound(&rows, Side::Lower, method, ConfidenceLevel::new(0.99).unwrap());
            prop_assert!(tighter.unwrap().bound <= looser.unwrap().bound + 0.05);
        }
    }
}
