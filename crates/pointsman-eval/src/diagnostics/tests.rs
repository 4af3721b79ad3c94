//! Worked examples, the sentences, and merging.

use super::*;
use crate::rounds::RoundColumns;
use proptest::prelude::*;

/// Rounds with these weights, logged at one in a hundred.
fn weighing(weights: &[f64]) -> RoundColumns {
    RoundColumns {
        propensity: vec![0.01; weights.len()],
        target: weights.iter().map(|weight| weight / 100.0).collect(),
        reward: vec![0.0; weights.len()],
        ..RoundColumns::default()
    }
}

fn diagnosed(columns: RoundColumns) -> Diagnostics {
    diagnose(&LoggedRounds::new(columns).unwrap(), None)
}

fn sentences(columns: RoundColumns) -> Vec<String> {
    diagnosed(columns).warnings.iter().map(ToString::to_string).collect()
}

/// Weights 2, 1, 0: (3)² / 5 effective rows; variance 1, so a standard error of √(1/3).
#[test]
fn the_worked_example() {
    let rounds = LoggedRounds::new(weighing(&[2.0, 1.0, 0.0])).unwrap();
    let found = diagnose(&rounds, Some(WeightClip::new(1.5).unwrap()));
    assert_eq!(found.n_rows, 3);
    assert!((found.effective_n - 1.8).abs() < 1e-12);
    assert!((found.largest_weight - 2.0).abs() < 1e-12);
    let mean_weight = found.mean_weight.unwrap();
    assert!((mean_weight.mean - 1.0).abs() < 1e-12);
    assert!((mean_weight.std_error - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    assert_eq!((mean_weight.z_score, mean_weight.p_value), (0.0, 1.0));
    assert!((found.share_clipped.unwrap() - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(found.unsupported_mass_share, None);
}

/// Mean 2, and with n = 4 and values 1, 1, 3, 3 the standard error is √(4/3/4).
#[test]
fn the_mean_weight_is_tested_against_one() {
    let mean_weight = diagnosed(weighing(&[1.0, 1.0, 3.0, 3.0])).mean_weight.unwrap();
    assert!((mean_weight.z_score - 3.0_f64.sqrt()).abs() < 1e-12);
    assert!((mean_weight.p_value - 0.083_264_516_663_551).abs() < 1e-9);
}

#[test]
fn an_empty_log_has_diagnostics() {
    let found = diagnosed(RoundColumns::default());
    assert_eq!((found.n_rows, found.mean_weight), (0, None));
    assert_eq!((found.effective_n, found.largest_weight), (0.0, 0.0));
    assert_eq!(found.warnings.len(), 1);
}

#[test]
fn a_log_of_the_policy_itself_gives_no_warning() {
    assert_eq!(diagnosed(weighing(&[1.0; 100])).warnings, []);
}

#[test]
fn warnings_are_sentences() {
    let mut columns = weighing(&[0.5; 400]);
    columns.unsupported_mass = Some(vec![0.208; 400]);
    assert_eq!(
        sentences(columns),
        [
            "20.8 % of the target policy's choices are models the logger could not have taken; \
             the log cannot say what they would have earned",
            "the mean weight is 0.500 and should be 1 (-inf standard errors); the propensities \
             are wrong or the logger could not take what the target would",
        ]
    );
    assert_eq!(
        sentences(weighing(&[1.0; 7])),
        ["7 rows tell as much about this policy as 7 of its own would; below 100 the interval \
          may be too narrow"]
    );
}

#[test]
fn no_overlap_is_as_far_from_one_as_can_be() {
    let found = diagnosed(weighing(&[0.0; 3]));
    let mean_weight = found.mean_weight.unwrap();
    let found = (found.effective_n, mean_weight.z_score, mean_weight.p_value);
    assert_eq!(found, (0.0, f64::NEG_INFINITY, 0.0));
}

/// A share that one partition does not know is not known of the whole.
#[test]
fn what_a_partition_does_not_know_stays_unknown() {
    let mut known = weighing(&[1.0]);
    known.unsupported_mass = Some(vec![0.5]);
    known.dropped = BTreeMap::from([("no grade".to_owned(), 2)]);
    let part = PartialDiagnostics::of(&LoggedRounds::new(known).unwrap(), None);
    let unknown = LoggedRounds::new(weighing(&[1.0])).unwrap();
    let mut both = part.clone();
    both.merge(&part);
    assert_eq!(both.clone().finish().unsupported_mass_share, Some(0.5));
    assert_eq!(both.clone().finish().dropped["no grade"], 4);
    both.merge(&PartialDiagnostics::of(&unknown, None));
    assert_eq!(both.finish().unsupported_mass_share, None);
}

proptest! {
    /// The effective size is between one row and all of them, and scale does not matter.
    #[test]
    fn effective_n_is_within_the_rows(
        weights in prop::collection::vec(0.01..10.0_f64, 1..80), scale in 0.1..10.0_f64,
    ) {
        let scaled: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
        let (found, scaled) = (diagnosed(weighing(&weights)), diagnosed(weighing(&scaled)));
        prop_assert!(1.0 - 1e-9 <= found.effective_n);
        prop_assert!(found.effective_n <= float_of(weights.len()) + 1e-9);
        prop_assert!((found.effective_n / scaled.effective_n - 1.0).abs() < 1e-9);
    }

    /// Sums over partitions give the diagnostics of the whole.
    #[test]
    fn partitions_merge(
        weights in prop::collection::vec(0.0..10.0_f64, 2..80), cut in 0..80_usize,
    ) {
        let part = |weights: &[f64]| {
            let rounds = LoggedRounds::new(weighing(weights)).unwrap();
            PartialDiagnostics::of(&rounds, Some(WeightClip::new(2.0).unwrap()))
        };
        let (left, right) = weights.split_at(cut.min(weights.len()));
        let mut merged = part(left);
        merged.merge(&part(right));
        let (merged, whole) = (merged.finish(), part(&weights).finish());
        prop_assert!((merged.effective_n - whole.effective_n).abs() < 1e-9);
        prop_assert_eq!(
            (merged.n_rows, merged.largest_weight, merged.share_clipped),
            (whole.n_rows, whole.largest_weight, whole.share_clipped)
        );
    }
}
