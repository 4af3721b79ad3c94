//! What a policy of several steps would have been worth, from logged trajectories.
//!
//! A trajectory is one request's way through a cascade: a model answers, the answer is accepted or
//! another model is called, and so on; each step has the propensity it was drawn with and the
//! target's probability of the same step. Weights are products over the steps taken so far, so a
//! step's reward (minus what it cost, or the quality at the end) is weighed by the steps that led
//! to it and by no later one. The doubly robust value takes a prediction of what is still to come
//! at each step as a baseline, and corrects it where something else came.
//!
//! Weakness: the weight of the last step is a product, so its range grows with every step; two
//! steps are well within reach of a log that explores, five are not.
//!
//! Source: Precup, Sutton & Singh, ICML 2000 (per-decision weights); Jiang & Li, "Doubly Robust
//! Off-policy Value Evaluation for Reinforcement Learning", ICML 2016.

use crate::{
    error::ValuesError,
    full::{MeanValue, mean_value},
    interval::ConfidenceLevel,
};

/// One step of a trajectory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The probability with which the step had been drawn, in `(0, 1]`.
    pub propensity: f64,
    /// The probability of the same step under the target, in `[0, 1]`.
    pub target: f64,
    /// What the step itself brought: a cost is negative, the quality comes with the step that
    /// ends.
    pub reward: f64,
    /// Predictions of what is still to come, for the doubly robust value.
    pub predicted: StepPredictions,
}

/// What a model that has not seen the row predicts of a step, its own reward counted. Any function
/// of the request, the answers so far and the step will do, as long as both numbers are of the
/// same one: a mean of other predictions would shift the value.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepPredictions {
    /// Of the step that was taken.
    pub taken: f64,
    /// The mean over the target's steps.
    pub expected: f64,
}

/// Trajectories that have been checked; each has at least one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectories {
    steps: Vec<Step>,
    /// Where each begins; the last entry is where the last one ends.
    starts: Vec<usize>,
}

/// How a trajectory's value is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrajectoryEstimator {
    /// Rewards by the weight of all steps.
    Whole,
    /// Rewards by the weights of the steps up to their own.
    PerStep,
    /// The same, against predictions.
    DoublyRobust,
}

/// Why there is no value.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrajectoryError {
    /// A request that nothing was done about.
    #[error("trajectory {trajectory} has no step; leave it out")]
    NoStep { trajectory: usize },
    /// A number that cannot be.
    #[error("trajectory {trajectory}, step {step}: {what} {found} is not {range}")]
    Value { trajectory: usize, step: usize, what: &'static str, found: f64, range: &'static str },
    /// Too few, or too large.
    #[error(transparent)]
    Values(#[from] ValuesError),
}

impl Trajectories {
    /// Checks every number.
    ///
    /// # Errors
    /// [`TrajectoryError`] for a trajectory without steps and for the first number out of range.
    pub fn new<'s>(
        trajectories: impl IntoIterator<Item = &'s [Step]>,
    ) -> Result<Self, TrajectoryError> {
        let (mut steps, mut starts) = (Vec::new(), vec![0]);
        for (trajectory, of_one) in trajectories.into_iter().enumerate() {
            if of_one.is_empty() {
                return Err(TrajectoryError::NoStep { trajectory });
            }
            for (step, one) in of_one.iter().enumerate() {
                check(one).map_err(|(what, found, range)| TrajectoryError::Value {
                    trajectory,
                    step: step + 1,
                    what,
                    found,
                    range,
                })?;
            }
            steps.extend_from_slice(of_one);
            starts.push(steps.len());
        }
        Ok(Self { steps, starts })
    }

    /// How many there are.
    pub fn n_trajectories(&self) -> usize {
        self.starts.len() - 1
    }

    /// The largest weight of a whole trajectory: how far a single row can move the value.
    pub fn largest_weight(&self) -> f64 {
        self.each().map(|steps| steps.iter().map(weight).product::<f64>()).fold(0.0, f64::max)
    }

    /// The target's mean value per trajectory, with its interval.
    ///
    /// # Errors
    /// [`TrajectoryError::Values`] for fewer than two trajectories, or overflow.
    pub fn value(
        &self,
        estimator: TrajectoryEstimator,
        level: ConfidenceLevel,
    ) -> Result<MeanValue, TrajectoryError> {
        let score = |steps: &[Step]| match estimator {
            TrajectoryEstimator::Whole => {
                let total: f64 = steps.iter().map(|step| step.reward).sum();
                steps.iter().map(weight).product::<f64>() * total
            }
            TrajectoryEstimator::PerStep => per_step(steps),
            TrajectoryEstimator::DoublyRobust => doubly_robust(steps),
        };
        let values: Vec<f64> = self.each().map(score).collect();
        Ok(mean_value(&values, level)?)
    }

    fn each(&self) -> impl Iterator<Item = &[Step]> {
        self.starts.windows(2).map(|span| &self.steps[span[0]..span[1]])
    }
}

fn weight(step: &Step) -> f64 {
    step.target / step.propensity
}

/// `Σ_t (Π_{s ≤ t} w_s) r_t`, from the last step back.
fn per_step(steps: &[Step]) -> f64 {
    steps.iter().rev().fold(0.0, |rest, step| weight(step) * (step.reward + rest))
}

/// `v_t + w_t (r_t + V_{t+1} − q_t)`, from the last step back.
fn doubly_robust(steps: &[Step]) -> f64 {
    steps.iter().rev().fold(0.0, |rest, step| {
        let StepPredictions { taken, expected } = step.predicted;
        expected + weight(step) * (step.reward + rest - taken)
    })
}

/// What is wrong with a step, its number, and the range that it is not in.
fn check(step: &Step) -> Result<(), (&'static str, f64, &'static str)> {
    let Step { propensity, target, reward, predicted: StepPredictions { taken, expected } } = *step;
    if !(0.0 < propensity && propensity <= 1.0) {
        return Err(("propensity", propensity, "in (0, 1]"));
    }
    if !(0.0..=1.0).contains(&target) {
        return Err(("target probability", target, "in [0, 1]"));
    }
    for (what, value) in [("reward", reward), ("prediction", taken), ("prediction", expected)] {
        if !value.is_finite() {
            return Err((what, value, "a finite number"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
