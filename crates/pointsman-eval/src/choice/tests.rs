//! Which interval is chosen, and why.

use super::*;
use crate::bounds::{Predicted, ValueRange};

const P95: ConfidenceLevel = ConfidenceLevel::P95;

/// Alternating weights of mean one and grades in thirds.
fn columns_of(n_rows: u32) -> (Vec<f64>, Vec<f64>) {
    let weights = (0..n_rows).map(|row| if row % 2 == 0 { 1.5 } else { 0.5 }).collect();
    (weights, (0..n_rows).map(|row| f64::from(row % 3) / 2.0).collect())
}

#[track_caller]
fn choose(weights: &[f64], values: &[f64]) -> Chosen {
    let evidence = Evidence::new(weights, values, ValueRange::QUALITY).unwrap();
    default_interval(&evidence, P95, 1).unwrap()
}

#[test]
fn many_even_rows_get_the_narrow_interval() {
    let (weights, values) = columns_of(3000);
    let found = choose(&weights, &values);
    assert_eq!(found.reasons, []);
    assert_eq!(found.interval.kind, IntervalKind::Asymptotic);
    assert!(found.interval.contains(0.5) && found.interval.contains(found.value.unwrap()));
}

#[track_caller]
fn check_switch(weights: &[f64], values: &[f64], start: &str) {
    let found = choose(weights, values);
    assert_eq!(found.interval.kind, IntervalKind::FiniteSample, "{found:?}");
    assert!(found.reasons[0].to_string().starts_with(start), "said: {}", found.reasons[0]);
}

#[test]
fn each_reason_switches_to_the_finite_sample_bound() {
    let (weights, values) = columns_of(100);
    check_switch(&weights, &values, "the log tells as much as 80 of");
    let (mut weights, values) = columns_of(3000);
    check_switch(&weights, &vec![0.5; 3000], "all rows say the same");
    let rare: Vec<f64> = (0..3000).map(|row| if row % 300 == 0 { 1.0 } else { 0.0 }).collect();
    check_switch(&weights, &rare, "about 10 rows carry the value");
    for weight in &mut weights {
        *weight *= 0.8;
    }
    check_switch(&weights, &values, "the mean weight is 0.800 and should be 1");
    check_switch(&vec![0.0; 3000], &values, "the mean weight is 0.000");
    check_switch(&[3.2], &[1.0], "the log tells as much as 1 of");
}

#[test]
fn stated_missing_support_is_never_narrow() {
    let (weights, values) = columns_of(3000);
    let evidence = Evidence::new(&weights, &values, ValueRange::QUALITY).unwrap();
    let evidence = evidence.with_full_support(2.0).unwrap().with_unsupported_share(0.2).unwrap();
    let found = default_interval(&evidence, P95, 1).unwrap();
    assert_eq!(found.reasons, [Reason::MissingSupport { share: 0.2 }]);
    assert_eq!(found.interval.kind, IntervalKind::FiniteSample);
}

/// A fifth of the mass is missing against the statement: the bounds must leave room for it.
#[test]
fn a_refuted_statement_of_support_is_not_used() {
    let (weights, values) = columns_of(6000);
    let light: Vec<f64> = weights.iter().map(|weight| 0.8 * weight).collect();
    let evidence = Evidence::new(&light, &values, ValueRange::QUALITY).unwrap();
    let evidence = evidence.with_full_support(2.0).unwrap();
    let found = default_interval(&evidence, P95, 1).unwrap().interval;
    assert!(found.lower < 0.4 && 0.6 < found.upper, "{found:?}");
    let lower = default_bound(&evidence, Side::Lower, P95, 1).unwrap().bound;
    assert!(lower.bound < 0.4, "{lower:?}");
}

/// Weights far above one on average fit no value at all.
#[test]
fn a_contradiction_leaves_the_whole_range() {
    let found = choose(&vec![3.0; 3000], &columns_of(3000).1);
    assert_eq!(found.interval.method, IntervalMethod::WholeRange);
    assert_eq!((found.interval.lower, found.interval.upper), (0.0, 1.0));
    assert_eq!(found.reasons.last(), Some(&Reason::Contradiction));
}

/// Four candidates share the misses, so each interval is wider, and the level said is the whole.
#[test]
fn candidates_share_the_level() {
    let (weights, values) = columns_of(3000);
    let evidence = Evidence::new(&weights, &values, ValueRange::QUALITY).unwrap();
    let alone = default_interval(&evidence, P95, 1).unwrap().interval;
    let four = default_interval(&evidence, P95, 4).unwrap();
    assert_eq!((four.n_candidates, four.interval.level), (4, P95));
    let ratio = (four.interval.upper - four.interval.lower) / (alone.upper - alone.lower);
    // 2.497 705 over 1.959 964.
    assert!((ratio - 1.274).abs() < 0.002, "{ratio}");
}

#[test]
fn differences_and_predictions_have_the_same_bounds_at_hand() {
    let (weights, values) = columns_of(6000);
    let mirrored: Vec<f64> = weights.iter().map(|weight| 2.0 - weight).collect();
    let evidence = Evidence::new(&weights, &values, ValueRange::QUALITY).unwrap();
    let pair = evidence.against(Rival::Policy(&mirrored)).unwrap();
    let found = default_interval(&pair, P95, 1).unwrap();
    assert!(found.interval.contains(0.0) && found.reasons.is_empty(), "{found:?}");
    let half = vec![0.5; 6000];
    let predicted = Predicted { taken: &half, expected: &half, expected_by_rival: &half };
    let robust = pair.with_predictions(predicted).unwrap();
    let bound = default_bound(&robust, Side::Upper, P95, 1).unwrap();
    assert!((0.0..0.05).contains(&bound.bound.bound), "{bound:?}");
    let logged = evidence.against(Rival::Logged).unwrap();
    let lower = default_bound(&logged, Side::Lower, P95, 1).unwrap();
    assert!((-0.05..=0.0).contains(&lower.bound.bound), "{lower:?}");
}
