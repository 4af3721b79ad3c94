//! Intervals of two-step trajectories hold the truth as often as they say, in a small world whose
//! truth is known.
//!
//! Three kinds of prompt. A cheap model answers, rightly or not; what is seen of the answer is a
//! sign that is wrong one time in five. The logger and the target accept or escalate by the sign,
//! each with other probabilities; a dear model answers what is escalated. The predictions of what
//! is still to come are wrong on purpose.

use crate::coverage::Draws;
use pointsman_eval::{
    interval::ConfidenceLevel,
    trajectory::{Step, StepPredictions, Trajectories, TrajectoryEstimator},
};

/// By kind, how often the cheap and the dear model are right.
const CHEAP: [f64; 3] = [0.9, 0.6, 0.3];
const DEAR: [f64; 3] = [0.95, 0.85, 0.7];

/// What escalating costs, in quality points.
const COST: f64 = 0.1;

/// How often the first model is the cheap one; else the dear one answers at once, at its cost.
const LOGGER_CHEAP: f64 = 0.7;
const TARGET_CHEAP: f64 = 0.9;

/// How often an answer is escalated, without and with the sign.
const LOGGER: [f64; 2] = [0.3, 0.6];
const TARGET: [f64; 2] = [0.1, 0.8];

/// How often the sign is wrong.
const MISLED: f64 = 0.2;

const N_LOGS: u32 = 1000;
const N_ROWS: usize = 400;

/// How often the sign is seen on answers of one kind that are right, or wrong.
fn sign_rate(is_right: bool) -> f64 {
    if is_right { MISLED } else { 1.0 - MISLED }
}

/// The target's value when kinds of prompt are equally likely.
fn truth() -> f64 {
    let of_kind = |kind: usize| {
        let of_answer = |is_right: bool| {
            let sign = sign_rate(is_right);
            let escalated = sign * TARGET[1] + (1.0 - sign) * TARGET[0];
            let accepted = if is_right { 1.0 } else { 0.0 };
            escalated * (DEAR[kind] - COST) + (1.0 - escalated) * accepted
        };
        let cheap = CHEAP[kind] * of_answer(true) + (1.0 - CHEAP[kind]) * of_answer(false);
        TARGET_CHEAP * cheap + (1.0 - TARGET_CHEAP) * (DEAR[kind] - COST)
    };
    (0..3).map(of_kind).sum::<f64>() / 3.0
}

fn one_trajectory(draws: &mut Draws) -> Vec<Step> {
    let draw = draws.next();
    let kind = if draw < 1.0 / 3.0 {
        0
    } else if draw < 2.0 / 3.0 {
        1
    } else {
        2
    };
    let is_true = |draws: &mut Draws, rate: f64| draws.next() < rate;
    let quality = |is_right: bool| if is_right { 1.0 } else { 0.0 };
    let pair = |is_first: bool, share: f64| if is_first { share } else { 1.0 - share };
    let starts_cheap = is_true(draws, LOGGER_CHEAP);
    let predicted = StepPredictions {
        taken: if starts_cheap { 0.65 } else { 0.6 },
        expected: 0.65 * TARGET_CHEAP + 0.6 * (1.0 - TARGET_CHEAP),
    };
    let mut first = Step {
        propensity: pair(starts_cheap, LOGGER_CHEAP),
        target: pair(starts_cheap, TARGET_CHEAP),
        reward: 0.0,
        predicted,
    };
    if !starts_cheap {
        first.reward = quality(is_true(draws, DEAR[kind])) - COST;
        return vec![first];
    }
    let is_right = is_true(draws, CHEAP[kind]);
    let sign = usize::from(is_true(draws, sign_rate(is_right)));
    let escalates = is_true(draws, LOGGER[sign]);
    let reward =
        if escalates { quality(is_true(draws, DEAR[kind])) - COST } else { quality(is_right) };
    let second = Step {
        propensity: pair(escalates, LOGGER[sign]),
        target: pair(escalates, TARGET[sign]),
        reward,
        predicted: StepPredictions {
            taken: if escalates { 0.7 } else { 0.4 },
            expected: 0.7 * TARGET[sign] + 0.4 * (1.0 - TARGET[sign]),
        },
    };
    vec![first, second]
}

#[test]
fn two_step_intervals_hold_the_truth() {
    let truth = truth();
    let estimators = [
        TrajectoryEstimator::Whole,
        TrajectoryEstimator::PerStep,
        TrajectoryEstimator::DoublyRobust,
    ];
    let (mut n_held, mut means, mut widths) = ([0_u32; 3], [0.0; 3], [0.0; 3]);
    for log in 0..N_LOGS {
        let mut draws = Draws::new(u64::from(log) * 1_000_003 + 17);
        let all: Vec<Vec<Step>> = (0..N_ROWS).map(|_| one_trajectory(&mut draws)).collect();
        let checked = Trajectories::new(all.iter().map(Vec::as_slice)).unwrap();
        for (at, estimator) in estimators.into_iter().enumerate() {
            let found = checked.value(estimator, ConfidenceLevel::P95).unwrap();
            let holds = found.interval.lower <= truth && truth <= found.interval.upper;
            n_held[at] += u32::from(holds);
            means[at] += found.value / f64::from(N_LOGS);
            widths[at] += (found.interval.upper - found.interval.lower) / f64::from(N_LOGS);
        }
    }
    for (at, estimator) in estimators.into_iter().enumerate() {
        let coverage = f64::from(n_held[at]) / f64::from(N_LOGS);
        assert!((0.93..=0.97).contains(&coverage), "{estimator:?}: {coverage}");
        assert!((means[at] - truth).abs() < 0.005, "{estimator:?}: {} for {truth}", means[at]);
    }
    assert!(widths[2] < widths[0], "predictions narrow the interval: {widths:?}");
}
