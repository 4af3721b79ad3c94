//! Worked examples, and what holds for every router.

use super::*;
use proptest::prelude::*;

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-12
}

/// Ten prompts of which the weak model gets the first five right and the strong one all, scored
/// so that the strong model is asked first where it helps: every call recovers a fifth of the gap
/// until it is closed. Over shares 0, 0.1 … 1: 0, 0.2, 0.4, 0.6, 0.8, 1 and ones; mean by
/// trapezoids 0.25 + 0.5.
#[test]
fn a_perfect_router_between_two() {
    let preference: Vec<f64> = (0..10).map(f64::from).collect();
    let weak: Vec<f64> = (0..10).map(|row| f64::from(u8::from(row < 5))).collect();
    let found = pair_figures(&preference, &weak, &[1.0; 10]).unwrap();
    assert!(near(found.share_for_half, 0.3), "{found:?}"); // 0.5 lies between two calls and three
    assert!(near(found.share_for_four_fifths, 0.4), "{found:?}");
    assert!(near(found.mean_gap_recovered, 0.75), "{found:?}");
    let (first, last) = (found.points[0], found.points[10]);
    assert!(near(first.strong_share, 0.0) && near(last.strong_share, 1.0));
    assert!(near(first.gap_recovered, 0.0) && near(last.gap_recovered, 1.0));
}

/// Turned round, the first five calls are wasted: nothing until a half, then a fifth each.
#[test]
fn a_router_that_is_always_wrong() {
    let preference: Vec<f64> = (0..10).rev().map(f64::from).collect();
    let weak: Vec<f64> = (0..10).map(|row| f64::from(u8::from(row < 5))).collect();
    let found = pair_figures(&preference, &weak, &[1.0; 10]).unwrap();
    assert!(near(found.share_for_half, 0.8), "{found:?}");
    assert!(near(found.mean_gap_recovered, 0.25), "{found:?}");
}

/// One score for all: never or always, which is a straight line.
#[test]
fn a_router_without_an_opinion() {
    let found = pair_figures(&[0.5; 4], &[0.0, 1.0, 0.0, 1.0], &[1.0; 4]).unwrap();
    assert!(near(found.mean_gap_recovered, 0.5) && near(found.share_for_half, 1.0), "{found:?}");
}

#[test]
fn a_pair_needs_a_gap() {
    let error = pair_figures(&[0.0, 1.0], &[1.0, 0.0], &[0.0, 1.0]).unwrap_err();
    assert!(error.to_string().contains("is not better than the weak one"), "{error}");
    assert!(pair_figures(&[], &[], &[]).is_err());
    assert!(pair_figures(&[1.0], &[0.0, 1.0], &[1.0, 1.0]).is_err());
    assert!(pair_figures(&[f64::NAN], &[0.0], &[1.0]).is_err());
}

/// Points (1, 0.5), (2, 0.9), (3, 0.7): the hull rises to 0.9 and stays; 0.7 + 0.9 over a range of
/// 2 is 0.8.
#[test]
fn aiq_is_the_area_under_the_hull() {
    let point = |cost_usd, quality| CostQuality { cost_usd, quality };
    let points = [point(2.0, 0.9), point(3.0, 0.7), point(1.0, 0.5)];
    assert!(near(aiq(&points).unwrap(), 0.8));
    assert_eq!(aiq(&points[..1]), None);
    assert_eq!(aiq(&[]), None);
}

#[test]
fn gains_and_savings_are_shares_of_the_best_single() {
    assert!(near(performance_gain(0.66, 0.6).unwrap(), 0.1));
    assert_eq!(performance_gain(0.5, 0.0), None);
    assert!(near(cost_saving(Some(0.3)).unwrap(), 0.7));
    assert_eq!(cost_saving(None), None);
}

proptest! {
    /// A router and its opposite share the square between them where no scores are equal and
    /// deciles fall between rows; nothing is ever beyond what shares allow.
    #[test]
    fn shares_are_shares(rows in prop::collection::vec((0.0..1.0_f64, 0.0..0.5_f64, 0.5..1.0_f64), 1..60)) {
        let column = |pick: fn(&(f64, f64, f64)) -> f64| rows.iter().map(pick).collect::<Vec<f64>>();
        let found = pair_figures(&column(|r| r.0), &column(|r| r.1), &column(|r| r.2)).unwrap();
        prop_assert!((0.0..=1.0 + 1e-9).contains(&found.mean_gap_recovered));
        prop_assert!(found.share_for_half <= found.share_for_four_fifths);
        prop_assert!((0.0..=1.0).contains(&found.share_for_half));
        for pair in found.points.windows(2) {
            prop_assert!(pair[0].strong_share <= pair[1].strong_share);
        }
    }
}
