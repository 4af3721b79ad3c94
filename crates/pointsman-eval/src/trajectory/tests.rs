use super::*;
use proptest::prelude::*;

const LEVEL: ConfidenceLevel = ConfidenceLevel::P95;

fn step(propensity: f64, target: f64, reward: f64, predicted: (f64, f64)) -> Step {
    let predicted = StepPredictions { taken: predicted.0, expected: predicted.1 };
    Step { propensity, target, reward, predicted }
}

fn value(trajectories: &[Vec<Step>], estimator: TrajectoryEstimator) -> f64 {
    let checked = Trajectories::new(trajectories.iter().map(Vec::as_slice)).unwrap();
    checked.value(estimator, LEVEL).unwrap().value
}

/// Two trajectories by hand: one accepted at once, one escalated at a cost of 0.1.
#[test]
fn values_are_what_they_are_by_hand() {
    let trajectories = [
        vec![step(0.5, 0.25, 0.6, (0.5, 0.7))],
        vec![step(0.5, 0.75, -0.1, (0.8, 0.7)), step(0.25, 0.5, 1.0, (0.9, 0.85))],
    ];
    let check = |estimator, first: f64, second: f64| {
        let found = value(&trajectories, estimator);
        assert!((found - f64::midpoint(first, second)).abs() < 1e-12, "{estimator:?}: {found}");
    };
    check(TrajectoryEstimator::Whole, 0.5 * 0.6, 1.5 * 2.0 * 0.9);
    check(TrajectoryEstimator::PerStep, 0.5 * 0.6, 1.5 * (-0.1 + 2.0 * 1.0));
    let later = 0.85 + 2.0 * (1.0 - 0.9);
    let robust = (0.7 + 0.5 * (0.6 - 0.5), 0.7 + 1.5 * (-0.1 + later - 0.8));
    check(TrajectoryEstimator::DoublyRobust, robust.0, robust.1);
    let checked = Trajectories::new(trajectories.iter().map(Vec::as_slice)).unwrap();
    assert!((checked.largest_weight() - 3.0).abs() < 1e-12);
    assert_eq!(checked.n_trajectories(), 2);
}

#[test]
fn what_cannot_be_is_named_by_its_step() {
    let refusal = |steps: &[Step]| {
        let good = [step(0.5, 0.5, 0.0, (0.0, 0.0))];
        Trajectories::new([&good[..], steps]).unwrap_err().to_string()
    };
    assert_eq!(refusal(&[]), "trajectory 1 has no step; leave it out");
    for (bad, expected) in [
        (step(0.0, 0.5, 0.0, (0.0, 0.0)), "propensity 0 is not in (0, 1]"),
        (step(1.5, 0.5, 0.0, (0.0, 0.0)), "propensity 1.5 is not in (0, 1]"),
        (step(0.5, -0.5, 0.0, (0.0, 0.0)), "target probability -0.5 is not in [0, 1]"),
        (step(0.5, 0.5, f64::NAN, (0.0, 0.0)), "reward NaN is not a finite number"),
        (step(0.5, 0.5, 0.0, (0.0, f64::INFINITY)), "prediction inf is not a finite number"),
    ] {
        let good = step(0.5, 0.5, 0.0, (0.0, 0.0));
        assert_eq!(refusal(&[good, bad]), format!("trajectory 1, step 2: {expected}"));
    }
    let one = [step(0.5, 0.5, 0.0, (0.0, 0.0))];
    let too_few = Trajectories::new([&one[..]]).unwrap().value(TrajectoryEstimator::Whole, LEVEL);
    assert!(matches!(too_few, Err(TrajectoryError::Values(_))));
}

proptest! {
    /// A target that is the logger has the logged value, whatever is predicted of each step, as
    /// long as what is expected is what is predicted of the step taken.
    #[test]
    fn the_logger_has_its_own_value(
        rows in prop::collection::vec((0.1..1.0_f64, 0.1..1.0_f64, -1.0..1.0_f64), 2..40),
    ) {
        let trajectories: Vec<Vec<Step>> = rows
            .iter()
            .map(|&(first, second, reward)| {
                let one = |propensity, reward| step(propensity, propensity, reward, (0.3, 0.3));
                vec![one(first, -0.1), one(second, reward)]
            })
            .collect();
        let n = f64::from(u16::try_from(rows.len()).unwrap());
        let logged = rows.iter().map(|(_, _, reward)| reward - 0.1).sum::<f64>() / n;
        for estimator in [
            TrajectoryEstimator::Whole,
            TrajectoryEstimator::PerStep,
            TrajectoryEstimator::DoublyRobust,
        ] {
            prop_assert!((value(&trajectories, estimator) - logged).abs() < 1e-9);
        }
    }
}
