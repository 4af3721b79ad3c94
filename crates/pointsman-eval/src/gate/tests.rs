use super::*;
use crate::bounds::{Rival, ValueRange};

/// Rows of a logger that takes either of two models alike. The target always takes the second,
/// which succeeds in `good` of ten rows; the first in five of ten.
fn rows(n_tens: usize, good: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut weights, mut values) = (Vec::new(), Vec::new());
    for row in 0..n_tens * 20 {
        let place = row / 2 % 10;
        let (weight, n_right) = if row % 2 == 0 { (0.0, 5) } else { (2.0, good) };
        weights.push(weight);
        values.push(if place < n_right { 1.0 } else { 0.0 });
    }
    (weights, values)
}

fn quality((weights, values): &(Vec<f64>, Vec<f64>), margin: f64) -> Condition<'_> {
    let evidence = Evidence::new(weights, values, ValueRange::QUALITY).unwrap();
    let evidence = evidence.against(Rival::Logged).unwrap().with_full_support(2.0).unwrap();
    Condition { wanted: Wanted::AtLeast(margin), evidence: Some(evidence) }
}

#[track_caller]
fn check(conditions: &[Condition<'_>], n_inexact: u64, verdict: Verdict, answers: &[Answer]) {
    let found = decide(conditions, n_inexact, ConfidenceLevel::P95).unwrap();
    assert_eq!(found.verdict, verdict, "{found:?}");
    let found: Vec<Answer> = found.findings.iter().map(|it| it.answer).collect();
    assert_eq!(found, answers);
}

/// A model that succeeds eight times in ten against the log's mix: a difference of +0.15.
#[test]
fn verdicts_follow_the_bounds() {
    let log = rows(200, 8);
    let unmeasured = Condition { wanted: Wanted::AtMost(0.0), evidence: None };
    check(&[quality(&log, -0.01)], 0, Verdict::Ship, &[Answer::Holds]);
    check(&[quality(&log, 0.3)], 0, Verdict::Hold, &[Answer::Fails]);
    check(&[quality(&log, 0.15)], 0, Verdict::CannotTell, &[Answer::Undecided]);
    let both = [Answer::Holds, Answer::Fails];
    check(&[quality(&log, 0.0), quality(&log, 0.3)], 0, Verdict::Hold, &both);
    let both = [Answer::Holds, Answer::Unmeasured];
    check(&[quality(&log, 0.0), unmeasured], 0, Verdict::CannotTell, &both);
    let both = [Answer::Fails, Answer::Unmeasured];
    check(&[quality(&log, 0.3), unmeasured], 0, Verdict::Hold, &both);
    check(&[], 0, Verdict::CannotTell, &[]);
}

#[test]
fn costs_are_bounded_from_above() {
    let log = rows(200, 8);
    let cost = |margin| Condition { wanted: Wanted::AtMost(margin), ..quality(&log, 0.0) };
    check(&[cost(0.3)], 0, Verdict::Ship, &[Answer::Holds]);
    check(&[cost(0.15)], 0, Verdict::CannotTell, &[Answer::Undecided]);
    check(&[cost(0.0)], 0, Verdict::Hold, &[Answer::Fails]);
}

#[test]
fn what_is_in_doubt_never_ships() {
    let log = rows(200, 8);
    check(&[quality(&log, -0.01)], 1, Verdict::CannotTell, &[Answer::Holds]);
    check(&[quality(&log, 0.3)], 1, Verdict::CannotTell, &[Answer::Fails]);
    let with_hole = |margin| {
        let evidence = quality(&log, 0.0).evidence.unwrap().with_unsupported_share(1e-3).unwrap();
        Condition { wanted: Wanted::AtLeast(margin), evidence: Some(evidence) }
    };
    check(&[with_hole(-0.5)], 0, Verdict::CannotTell, &[Answer::Holds]);
    check(&[with_hole(0.9)], 0, Verdict::Hold, &[Answer::Fails]);
    let heavy = (log.0.iter().map(|weight| 1.5 * weight).collect::<Vec<f64>>(), log.1.clone());
    let evidence = Evidence::new(&heavy.0, &heavy.1, ValueRange::QUALITY).unwrap();
    let evidence = Some(evidence.against(Rival::Logged).unwrap());
    for margin in [-0.9, 0.9] {
        let condition = Condition { wanted: Wanted::AtLeast(margin), evidence };
        let found = decide(&[condition], 0, ConfidenceLevel::P95).unwrap();
        assert_eq!(found.verdict, Verdict::CannotTell);
        assert!(
            matches!(found.doubts[..], [Doubt::FarMeanWeight { mean: 1.5, .. }, ..]),
            "{found:?}"
        );
    }
}

#[test]
fn conditions_share_the_misses() {
    let log = rows(200, 8);
    let one = decide(&[quality(&log, 0.0)], 0, ConfidenceLevel::P95).unwrap();
    let two = [quality(&log, 0.0), quality(&log, 0.1)];
    let two = decide(&two, 0, ConfidenceLevel::P95).unwrap();
    assert!((two.each_level.get() - 0.975).abs() < 1e-12);
    let lower = |decision: &Decision| decision.findings[0].bounds.as_ref().unwrap().0.bound.bound;
    assert!(lower(&two) < lower(&one));
}

/// Four times the rows halve the width.
#[test]
fn rows_to_settle_follow_the_width() {
    assert_eq!(more_rows(100, 0.2, 0.1), Some(300.0));
    assert_eq!(more_rows(100, 0.1, 0.1), Some(1.0));
    assert_eq!(more_rows(100, 0.1, 0.0), None);
    let log = rows(200, 8);
    let open = decide(&[quality(&log, 0.14)], 0, ConfidenceLevel::P95).unwrap();
    let more = open.more_rows.unwrap();
    assert!((1000.0..100_000.0).contains(&more), "{more}");
    let unmeasured = Condition { wanted: Wanted::AtMost(0.0), evidence: None };
    let never = decide(&[quality(&log, 0.14), unmeasured], 0, ConfidenceLevel::P95).unwrap();
    assert_eq!(never.more_rows, None);
    let settled = decide(&[quality(&log, 0.0)], 0, ConfidenceLevel::P95).unwrap();
    assert_eq!(settled.more_rows, None);
}
