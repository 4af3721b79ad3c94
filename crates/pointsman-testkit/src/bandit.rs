//! Bandit rounds with known truth: what an estimator sees, and what it ought to say.
//!
//! A logging policy draws one model per request and only that outcome is kept; the true value of
//! any other policy on the same requests is still known here. Weakness: requests are given, not
//! drawn anew, so intervals that also cover the choice of requests look too wide against it.

use crate::draw::{Draws, Stream};
use crate::truth::Outcome;
use crate::world::{SimulatedRequest, World};

/// How far the probabilities of a policy may sum from one.
const TOTAL_TOLERANCE: f64 = 1e-9;

/// One decision of a logging policy and what came of it.
#[derive(Debug, Clone)]
pub struct LoggedRound {
    /// What was asked.
    pub request: SimulatedRequest,
    /// The position of the model that was drawn.
    pub model: usize,
    /// The probability with which it was drawn, in `(0, 1]`.
    pub propensity: f64,
    /// What came of it.
    pub outcome: Outcome,
}

/// Lets `logger` draw a model for each request, and keeps the outcome of that model alone.
///
/// * `logger` gives the probability of each model, shape `(n_models,)`, summing to one.
/// * `seed` drives the draws; the world keeps its own.
///
/// # Panics
/// If `logger` gives another shape, a negative number, or a total other than one: a log with
/// wrong propensities would fail the estimator under test, not the test that is wrong.
pub fn log_rounds(
    world: &World,
    indices: impl IntoIterator<Item = u64>,
    logger: &dyn Fn(&SimulatedRequest) -> Vec<f64>,
    seed: u64,
) -> Vec<LoggedRound> {
    indices
        .into_iter()
        .map(|index| {
            let request = world.request(index);
            let probabilities = checked(logger(&request), world.n_models());
            let model =
                Draws::keyed(seed, Stream::Logging, &[index]).weighted_position(&probabilities);
            let outcome = world.outcome(&request, model);
            LoggedRound { request, model, propensity: probabilities[model], outcome }
        })
        .collect()
}

/// The mean quality that `policy` may expect on these requests; zero without any.
///
/// # Panics
/// If `policy` gives something other than a probability for each model.
pub fn true_value(
    world: &World,
    indices: impl IntoIterator<Item = u64>,
    policy: &dyn Fn(&SimulatedRequest) -> Vec<f64>,
) -> f64 {
    let (mut total, mut n_requests) = (0.0, 0.0);
    for index in indices {
        let request = world.request(index);
        let probabilities = checked(policy(&request), world.n_models());
        total += world
            .truth(&request)
            .iter()
            .zip(&probabilities)
            .map(|(truth, probability)| truth.expected_quality * probability)
            .sum::<f64>();
        n_requests += 1.0;
    }
    if n_requests == 0.0 { 0.0 } else { total / n_requests }
}

fn checked(probabilities: Vec<f64>, n_models: usize) -> Vec<f64> {
    assert_eq!(probabilities.len(), n_models, "a policy gives one probability per model");
    assert!(probabilities.iter().all(|&p| 0.0 <= p), "no probability is negative");
    let total: f64 = probabilities.iter().sum();
    assert!((total - 1.0).abs() < TOTAL_TOLERANCE, "probabilities sum to one, not {total}");
    probabilities
}
