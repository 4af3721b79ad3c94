//! The λ of an estimator, chosen from the log that it is used on.
//!
//! Two rules, both over a fixed list of candidates. *SLOPE* walks from the candidate with the
//! widest deviation bound to the one with the narrowest, and stops before the first that leaves
//! the bounds of those already passed: variance is known, bias is only seen by disagreement. The
//! *mean squared error* rule takes the least sum of variance and squared bias, where the bias is
//! what tempering took away from the weights, alone or with a bound on what that estimate misses.
//!
//! A state belongs to one policy on one log: nothing is remembered from one to the next. Weakness:
//! the interval of a chosen λ does not know that it was chosen; and the terms of the bias bound
//! hardly depend on λ, so that it nearly always takes the least tempering.
//!
//! Source: Su, Srinath & Krishnamurthy, ICML 2020 (SLOPE); Su, Dimakopoulou, Krishnamurthy & Dudík,
//! ICML 2020, section 5 (mean squared error).

use crate::{
    error::EstimateError,
    estimators::{Estimator, PartialEstimate, Tempering, predictions_of, removed_by_tempering},
    moments::float_of,
    rounds::LoggedRounds,
    student,
};

/// How often one of the bounds may fail.
const FAILURE_SHARE: f64 = 0.1;

/// Weight clips and switching thresholds, from the least tempering on.
const CLIPS: [f64; 8] = [f64::INFINITY, 1000.0, 500.0, 100.0, 50.0, 10.0, 5.0, 1.0];

/// Shrinkage, from the most on.
const SHRINKAGES: [f64; 9] = [1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0, f64::INFINITY];

/// Bends, from the least on.
const BENDS: [f64; 8] = [0.0, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0];

/// By what λ is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TuningRule {
    /// By where candidates with narrower bounds begin to disagree with those before.
    Slope,
    /// By variance and the square of a bound on the bias that fails in one case of ten.
    BoundedError,
    /// By variance and the square of the bias as estimated.
    DirectError,
}

/// The sums of one partition of a log for every candidate; merging them gives the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialTuning {
    candidates: Vec<Candidate>,
    n_rows: usize,
    squared_weights: f64,
    largest_weight: f64,
}

#[derive(Debug, Clone, PartialEq)]
struct Candidate {
    sums: PartialEstimate,
    /// Sum of `(w - ŵ) (r - q)`.
    removed: f64,
}

/// The estimator that was chosen, with its sums.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuned {
    /// The sums of the chosen candidate.
    pub sums: PartialEstimate,
    /// Every candidate's λ, with its estimated mean squared error where the rule has one.
    pub candidates: Vec<(f64, Option<f64>)>,
}

impl PartialTuning {
    /// No rows yet; the candidates are those of Open Bandit Pipeline's usual lists.
    ///
    /// # Errors
    /// [`EstimateError::NoTuning`] for an estimator without λ, and for balanced IPS, whose weights
    /// have no bias that could be estimated.
    pub fn new(estimator: Estimator) -> Result<Self, EstimateError> {
        let lambdas: &[f64] = match estimator {
            Estimator::Ips { clip: _ }
            | Estimator::Dr { clip: _ }
            | Estimator::Mrdr { clip: _ }
            | Estimator::SwitchDr { threshold: _ } => &CLIPS,
            Estimator::DrOs { threshold: _ } => &SHRINKAGES,
            Estimator::SgIps { bend: _ } | Estimator::SgDr { bend: _ } => &BENDS,
            Estimator::Snips
            | Estimator::Dm
            | Estimator::Sndr
            | Estimator::BalancedIps { clip: _ }
            | Estimator::Mle
            | Estimator::CressieRead
            | Estimator::Replay => return Err(EstimateError::NoTuning { estimator }),
        };
        let candidate = |&lambda: &f64| {
            let at = estimator.at(lambda).map_err(|_| EstimateError::NoTuning { estimator })?;
            Ok(Candidate { sums: PartialEstimate::new(at), removed: 0.0 })
        };
        let candidates = lambdas.iter().map(candidate).collect::<Result<_, EstimateError>>()?;
        Ok(Self { candidates, n_rows: 0, squared_weights: 0.0, largest_weight: 0.0 })
    }

    /// Adds rows that follow those already seen.
    ///
    /// # Errors
    /// As [`PartialEstimate::push`].
    pub fn push(&mut self, rounds: &LoggedRounds) -> Result<(), EstimateError> {
        for Candidate { sums, removed } in &mut self.candidates {
            sums.push(rounds)?;
            if let Some(tempering) = Tempering::of(sums.estimator()) {
                let predictions = predictions_of(rounds, sums.estimator())?;
                *removed += removed_by_tempering(rounds, predictions, tempering);
            }
        }
        self.n_rows += rounds.n_rows();
        self.squared_weights += rounds.weight().iter().map(|weight| weight * weight).sum::<f64>();
        self.largest_weight = rounds.weight().iter().copied().fold(self.largest_weight, f64::max);
        Ok(())
    }

    /// Adds the rows of the partition that follows.
    ///
    /// # Errors
    /// [`EstimateError::DifferentEstimators`] if `other` is about another estimator.
    pub fn merge(&mut self, other: &Self) -> Result<(), EstimateError> {
        for (ours, theirs) in self.candidates.iter_mut().zip(&other.candidates) {
            ours.sums.merge(&theirs.sums)?;
            ours.removed += theirs.removed;
        }
        self.n_rows += other.n_rows;
        self.squared_weights += other.squared_weights;
        self.largest_weight = self.largest_weight.max(other.largest_weight);
        Ok(())
    }

    /// Chooses among the candidates by all rows seen.
    ///
    /// # Errors
    /// [`EstimateError::OneRow`] where one row has no spread; [`EstimateError::NotFinite`] where a
    /// candidate overflows.
    pub fn finish(self, rule: TuningRule) -> Result<Tuned, EstimateError> {
        if self.n_rows == 0 {
            return Err(EstimateError::NoRows);
        }
        if self.n_rows == 1 {
            return Err(EstimateError::OneRow);
        }
        let mut known = Vec::with_capacity(self.candidates.len());
        for Candidate { sums, .. } in &self.candidates {
            let estimator = sums.estimator();
            let found = sums.mean_and_variance().ok_or(EstimateError::NoTuning { estimator })?;
            if !(found.0.is_finite() && found.1.is_finite()) {
                return Err(EstimateError::NotFinite { estimator });
            }
            known.push(found);
        }
        let errors = match rule {
            TuningRule::Slope => None,
            TuningRule::BoundedError => Some(self.squared_errors(&known, self.missed_bias())),
            TuningRule::DirectError => Some(self.squared_errors(&known, 0.0)),
        };
        let chosen = match &errors {
            None => slope_choice(&known, self.n_rows),
            Some(errors) => first_least(errors),
        };
        let lambdas = self.candidates.iter().map(|it| it.sums.estimator().lambda().unwrap_or(0.0));
        let error_of = |index: usize| errors.as_ref().map(|errors| errors[index]);
        let candidates =
            lambdas.enumerate().map(|(index, lambda)| (lambda, error_of(index))).collect();
        Ok(Tuned { sums: self.candidates[chosen].sums.clone(), candidates })
    }

    /// Variance of the mean plus the square of the bias that can be seen and of what is missed.
    fn squared_errors(&self, known: &[(f64, f64)], missed_bias: f64) -> Vec<f64> {
        let n_rows = float_of(self.n_rows);
        let error = |(candidate, (_, variance)): (&Candidate, &(f64, f64))| {
            let bias = (candidate.removed / n_rows).abs() + missed_bias;
            variance / n_rows + bias * bias
        };
        self.candidates.iter().zip(known).map(error).collect()
    }

    /// Bernstein's bound on how far the estimated bias can be off.
    fn missed_bias(&self) -> f64 {
        let n_rows = float_of(self.n_rows);
        let log_share = libm::log(2.0 / FAILURE_SHARE);
        (2.0 * (self.squared_weights / n_rows) * log_share / n_rows).sqrt()
            + 2.0 * self.largest_weight * log_share / (3.0 * n_rows)
    }
}

/// The last candidate before one leaves the bounds of those passed, widest bound first; equals in
/// reverse order.
fn slope_choice(known: &[(f64, f64)], n_rows: usize) -> usize {
    let degrees = float_of(n_rows - 1);
    let quantile = student::upper_quantile(FAILURE_SHARE, degrees);
    let width = |index: usize| quantile * (known[index].1 / degrees).sqrt();
    let mut order: Vec<usize> = (0..known.len()).collect();
    order.sort_by(|&a, &b| width(a).total_cmp(&width(b)));
    order.reverse();
    let slack = 6.0_f64.sqrt() - 1.0;
    for (place, &index) in order.iter().enumerate().skip(1) {
        let agrees = |&earlier: &usize| {
            (known[earlier].0 - known[index].0).abs() <= width(index) + slack * width(earlier)
        };
        if !order[..place].iter().all(agrees) {
            return order[place - 1];
        }
    }
    order.last().copied().unwrap_or_default()
}

fn first_least(errors: &[f64]) -> usize {
    let mut least = 0;
    for (index, error) in errors.iter().enumerate() {
        if *error < errors[least] {
            least = index;
        }
    }
    least
}

#[cfg(test)]
mod tests;
