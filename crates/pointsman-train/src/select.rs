//! How far each strength of regularisation is trusted, by the worth of its policy on held-out rows.
//!
//! Strengths are not compared by squared error, which is mostly about how hard a prompt is; what
//! matters is which model is chosen. For each strength, the utility of its choices less that of
//! the best constant choice is averaged over rows and over a sweep of the weight on cost; one
//! standard error is taken off; and the strengths, with the constant predictor among them at
//! exactly zero, share the final weights by a softmax whose temperature shrinks with the data.
//!
//! From a log, the utility of a choice is its doubly robust estimate with constant predictions.
//! Source: Dudík, Erhan, Langford & Li, "Doubly Robust Policy Evaluation and Optimization",
//! Statistical Science 29 (2014); averaging by exponential weights: Leung & Barron, IEEE Trans.
//! Inf. Theory 52 (2006).

use crate::{
    candidate::Candidate,
    outcomes::{Logged, Outcomes},
};
use pointsman_core::units::len_as_float;
use rayon::prelude::*;

/// The sweep of weights on cost, over the dearest model's mean cost.
const SWEEP_FROM: f64 = -1.5;
const SWEEP_TO: f64 = 1.0;
const SWEEP_POINTS: usize = 8;

/// Softmax temperature times the square root of the number of outcomes per model.
const TEMPERATURE: f64 = 0.25;

/// The most that all candidates together have, over the constant predictor's share, where none has
/// a gain.
const LEARNED_PRIOR: f64 = 6.0;

/// What choices are worth on the training rows.
#[derive(Debug)]
pub(crate) struct Yardstick<'a> {
    /// Quality of all models on the yardstick's rows, or the log's draws.
    pub(crate) outcomes: &'a Outcomes,
    /// The rows of `outcomes` that are used, in order.
    pub(crate) rows: &'a [u32],
    /// Mean quality of each model.
    pub(crate) mean_quality: Vec<f64>,
    /// Mean cost of each model in dollars; zeros where costs are not known.
    pub(crate) mean_cost: Vec<f64>,
    /// In a log, each row's weight in its doubly robust correction.
    correction: Vec<f64>,
}

impl<'a> Yardstick<'a> {
    pub(crate) fn new(
        outcomes: &'a Outcomes,
        rows: &'a [u32],
        (mean_quality, mean_cost): (Vec<f64>, Vec<f64>),
    ) -> Self {
        let correction =
            outcomes.draws().map_or_else(Vec::new, |log| corrections(log, rows, &mean_quality));
        Self { outcomes, rows, mean_quality, mean_cost, correction }
    }

    /// How many models there are.
    pub(crate) fn n_models(&self) -> usize {
        self.mean_quality.len()
    }

    /// Quality and cost that choosing `model` would have had on the `index`-th row; in a log, an
    /// unbiased estimate of them, which may lie outside their ranges.
    pub(crate) fn outcome(&self, index: usize, model: usize) -> (f64, f64) {
        let row = self.rows[index] as usize;
        let known_cost = |at: usize| {
            self.outcomes.cost_usd().map(|costs| costs[at]).filter(|cost| cost.is_finite())
        };
        let at = row * self.n_models() + model;
        let Some(log) = self.outcomes.draws() else {
            let quality = f64::from(self.outcomes.quality(row)[model]);
            return (quality, known_cost(at).unwrap_or(self.mean_cost[model]));
        };
        let (quality, cost) = (self.mean_quality[model], self.mean_cost[model]);
        if usize::from(log.taken[row]) != model {
            return (quality, cost);
        }
        let correction = self.correction[index];
        let seen = f64::from(self.outcomes.quality(row)[model]);
        let cost_seen = known_cost(at).unwrap_or(cost);
        (quality + correction * (seen - quality), cost + correction * (cost_seen - cost))
    }

    /// The quality of `model` on the `index`-th row where it was seen, and how much it counts; in a log
    /// what counts sums to the number of rows for each model.
    pub(crate) fn seen(&self, index: usize, model: usize) -> Option<(f64, f64)> {
        let row = self.rows[index] as usize;
        let quality = || f64::from(self.outcomes.quality(row)[model]);
        match self.outcomes.draws() {
            None => Some((quality(), 1.0)),
            Some(log) if usize::from(log.taken[row]) == model => {
                Some((quality(), self.correction[index]))
            }
            Some(_) => None,
        }
    }

    /// The weights on cost that strengths are compared at.
    pub(crate) fn sweep(&self) -> Vec<f64> {
        let dearest = self.mean_cost.iter().copied().fold(0.0, f64::max);
        let mut sweep = vec![0.0];
        if 0.0 < dearest {
            for point in 0..SWEEP_POINTS {
                let share = len_as_float(point) / len_as_float(SWEEP_POINTS - 1);
                sweep.push(libm::exp10(SWEEP_FROM + share * (SWEEP_TO - SWEEP_FROM)) / dearest);
            }
        }
        sweep
    }
}

/// `(1 / p) · n / Σ_{rows of the model} 1 / p`: sums to `n` over each model's rows.
fn corrections(log: &Logged, rows: &[u32], mean_quality: &[f64]) -> Vec<f64> {
    let mut totals = vec![0.0; mean_quality.len()];
    for &row in rows {
        totals[usize::from(log.taken[row as usize])] += 1.0 / log.propensity[row as usize];
    }
    let n = len_as_float(rows.len());
    let one = |&row: &u32| {
        let row = row as usize;
        n / (log.propensity[row] * totals[usize::from(log.taken[row])])
    };
    rows.iter().map(one).collect()
}

/// The model with the highest `quality − weight · cost`; ties go to the first.
pub(crate) fn best(quality: &[f64], cost: &[f64], weight: f64) -> usize {
    let mut best = 0;
    let mut highest = f64::NEG_INFINITY;
    for (model, (quality, cost)) in quality.iter().zip(cost).enumerate() {
        let utility = quality - weight * cost;
        if highest < utility {
            (best, highest) = (model, utility);
        }
    }
    best
}

/// What held-out rows say of one candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CandidateValue {
    /// How it learned; `None` is the constant predictor.
    pub candidate: Option<Candidate>,
    /// Mean utility over the constant choice, in quality points.
    pub gain: f64,
    /// Its standard error.
    pub std_error: f64,
    /// The share of the final weights.
    pub share: f64,
}

/// One candidate's predictions on rows that its fit did not see.
pub(crate) struct HeldOut<'p> {
    /// Predicted quality, shape `(n_rows, n_models)`.
    pub(crate) quality: &'p (dyn Fn(usize, &mut [f64]) + Sync),
    /// Predicted cost, the same.
    pub(crate) cost: &'p (dyn Fn(usize, &mut [f64]) + Sync),
}

/// Mean gain over the constant choice and its standard error.
pub(crate) fn gain<'m>(
    yardstick: &Yardstick<'_>,
    held_out: &HeldOut<'_>,
    means: &(dyn Fn(usize) -> &'m [f64] + Sync),
) -> (f64, f64) {
    mean_and_error(&gains(yardstick, held_out, means))
}

/// Each row's gain over the constant choice, averaged over the sweep of weights on cost. `means`
/// gives a row's models' mean quality on rows of other folds: a constant choice, too, must not have
/// seen the rows that it is valued on, or it would have the luckiest of several noisy means to its
/// credit.
pub(crate) fn gains<'m>(
    yardstick: &Yardstick<'_>,
    held_out: &HeldOut<'_>,
    means: &(dyn Fn(usize) -> &'m [f64] + Sync),
) -> Vec<f64> {
    let n_models = yardstick.n_models();
    let sweep = yardstick.sweep();
    (0..yardstick.rows.len())
        .into_par_iter()
        .map(|index| {
            let (mut quality, mut cost) = (vec![0.0; n_models], vec![0.0; n_models]);
            (held_out.quality)(index, &mut quality);
            (held_out.cost)(index, &mut cost);
            let mut total = 0.0;
            for &weight in &sweep {
                let chosen = best(&quality, &cost, weight);
                let constant = best(means(index), &cost, weight);
                if chosen != constant {
                    let worth = |model| {
                        let (quality, cost) = yardstick.outcome(index, model);
                        quality - weight * cost
                    };
                    total += worth(chosen) - worth(constant);
                }
            }
            total / len_as_float(sweep.len())
        })
        .collect()
}

/// The mean of some values and its standard error.
pub(crate) fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = len_as_float(values.len().max(1));
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / n / n).sqrt())
}

/// Shares of the candidates from their gains, the constant predictor's being last.
///
/// However many candidates there are beyond six, without gains the constant predictor would have
/// the same share: else it would matter more how many ways of learning there are than what they are
/// worth.
pub(crate) fn shares(
    candidates: &[Candidate],
    gains: &[(f64, f64)],
    n_outcomes: f64,
) -> Vec<CandidateValue> {
    let careful = |(gain, error): &(f64, f64)| gain - error;
    let choosing = candidates.iter().zip(gains).filter(|(candidate, _)| candidate.chooses());
    let highest = choosing.map(|(_, gain)| careful(gain)).fold(0.0, f64::max);
    let temperature = TEMPERATURE / n_outcomes.max(1.0).sqrt();
    let n_choosing = candidates.iter().filter(|candidate| candidate.chooses()).count();
    let prior = |candidate: &Candidate| {
        let prior = (LEARNED_PRIOR / len_as_float(n_choosing)).min(1.0);
        if candidate.chooses() { prior } else { 0.0 }
    };
    let odds = |prior: f64, careful: f64| prior * libm::exp((careful - highest) / temperature);
    let raw: Vec<f64> = candidates
        .iter()
        .zip(gains)
        .map(|(candidate, gain)| odds(prior(candidate), careful(gain)))
        .collect();
    let constant = odds(1.0, 0.0);
    let total = raw.iter().sum::<f64>() + constant;
    let value =
        |((candidate, (gain, std_error)), raw): ((&Candidate, &(f64, f64)), f64)| CandidateValue {
            candidate: Some(*candidate),
            gain: *gain,
            std_error: *std_error,
            share: raw / total,
        };
    let constant =
        CandidateValue { candidate: None, gain: 0.0, std_error: 0.0, share: constant / total };
    candidates.iter().zip(gains).zip(raw).map(value).chain([constant]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate::Learner;

    fn candidates() -> [Candidate; 2] {
        [1.0, 10.0].map(|strength| Candidate { learner: Learner::Ridge, clip: None, strength })
    }

    #[test]
    fn shares_follow_careful_gains() {
        let values = shares(&candidates(), &[(0.02, 0.001), (0.01, 0.02)], 10_000.0);
        assert!((values.iter().map(|value| value.share).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(0.99 < values[0].share, "{values:?}");
        assert!(values[1].share < values[2].share, "a noisy gain is worth less than none");
    }

    #[test]
    fn without_any_gain_the_constant_predictor_takes_over() {
        let values = shares(&candidates(), &[(-0.01, 0.004), (0.001, 0.006)], 4000.0);
        assert_eq!(values[2].candidate, None);
        assert!(0.7 < values[2].share, "{values:?}");
    }

    #[test]
    fn the_first_of_equals_is_chosen() {
        assert_eq!(best(&[0.5, 0.7, 0.7], &[1.0, 1.0, 1.0], 0.0), 1);
        assert_eq!(best(&[0.5, 0.7, 0.7], &[0.0, 9.0, 9.0], 1.0), 0);
    }
}
