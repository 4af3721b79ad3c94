//! Off-policy estimators: what the target policy would have earned on the logger's traffic.
//!
//! Most are one function from columns to one value per row, whose mean is the estimate and whose
//! spread is its uncertainty; the interval is shared. All of them trust the logged propensities,
//! and none can see mass the logger could not have taken: read [`crate::diagnostics`] beside
//! every value. DM also trusts its reward model entirely.
//!
//! | symbol | code | meaning |
//! |---|---|---|
//! | w | `weight` | target probability over propensity |
//! | r | `reward` | what the taken model earned |
//! | q(x, a) | `predictions.taken` | predicted reward of the taken model |
//! | E q | `predictions.expected` | predicted reward under the target policy |
//! | v | `imitation_weight` | odds of the target against the logger, by a classifier |
//!
//! Source: Horvitz & Thompson 1952 (IPS); Swaminathan & Joachims, NIPS 2015 (SNIPS); Dudík,
//! Erhan, Langford & Li, "Doubly Robust Policy Evaluation and Optimization", 2014 (DM, DR); Li,
//! Chu, Langford & Wang, WSDM 2011 (replay); Kallus & Uehara, `NeurIPS` 2019 (SNDR); Sondhi,
//! Arbour & Dimmery, AISTATS 2020 (balanced IPS); the modules below for theirs.

mod likelihood;
mod partial;
mod ratios;
mod scores;
mod settings;

pub use partial::PartialEstimate;
pub(crate) use scores::{Tempering, predictions_of, removed_by_tempering};
pub use settings::{Bend, Threshold, WeightClip};

use std::fmt;

use crate::{
    error::EstimateError,
    interval::{ConfidenceLevel, Interval},
    rounds::LoggedRounds,
};

/// Which formula makes the value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Estimator {
    /// Inverse propensity scoring: the mean of `min(w, clip) r`. Unbiased without a clip.
    Ips {
        /// The largest weight a row may have, if there is one.
        clip: Option<WeightClip>,
    },
    /// Self-normalised IPS: `Σ w r / Σ w`. Stays within the rewards that were seen.
    Snips,
    /// Doubly robust: the mean of `E q + min(w, clip) (r - q)`. Right if either the
    /// propensities (without a clip) or the predictions are.
    Dr {
        /// The largest weight a row may have, if there is one.
        clip: Option<WeightClip>,
    },
    /// Direct method: the mean of `E q`. No better than its reward model, and its interval
    /// does not know how wrong that model is.
    Dm,
    /// Self-normalised DR: the mean of `E q` plus `Σ w (r - q) / Σ w`.
    Sndr,
    /// DR where weights are at most the threshold, and DM where they are larger.
    SwitchDr {
        /// The largest weight with which a row corrects its prediction.
        threshold: Threshold,
    },
    /// DR with optimistic shrinkage: weights become `λ w / (w² + λ)`.
    DrOs {
        /// λ: at zero DM, without end DR.
        threshold: Threshold,
    },
    /// IPS with weights `w / (1 - λ + λ w)`, which have sub-Gaussian tails.
    SgIps {
        /// λ: at zero IPS.
        bend: Bend,
    },
    /// DR with weights `w / (1 - λ + λ w)`.
    SgDr {
        /// λ: at zero DR.
        bend: Bend,
    },
    /// Balanced IPS: `Σ v r / Σ v`, where v, clipped first, are a classifier's odds that a pair of
    /// prompt and model comes from the target and not from the log. Needs no propensity, and is
    /// as wrong as its classifier.
    BalancedIps {
        /// The largest odds a row may have, if there are any.
        clip: Option<WeightClip>,
    },
    /// More robust DR: DR with predictions that were fitted to make its variance small.
    Mrdr {
        /// The largest weight a row may have, if there is one.
        clip: Option<WeightClip>,
    },
    /// Empirical likelihood. Stays within the rewards that were seen; has no interval here.
    Mle,
    /// The Cressie–Read relative of [`Self::Mle`] in closed form; may leave the rewards seen.
    CressieRead,
    /// The mean reward of the rows that a deterministic target would have logged alike. Right only
    /// where the logger drew uniformly.
    Replay,
}

impl fmt::Display for Estimator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Ips { clip: _ } => "IPS",
            Self::Snips => "SNIPS",
            Self::Dr { clip: _ } => "DR",
            Self::Dm => "DM",
            Self::Sndr => "SNDR",
            Self::SwitchDr { threshold: _ } => "Switch-DR",
            Self::DrOs { threshold: _ } => "DRos",
            Self::SgIps { bend: _ } => "sub-Gaussian IPS",
            Self::SgDr { bend: _ } => "sub-Gaussian DR",
            Self::BalancedIps { clip: _ } => "balanced IPS",
            Self::Mrdr { clip: _ } => "MRDR",
            Self::Mle => "empirical likelihood",
            Self::CressieRead => "Cressie-Read",
            Self::Replay => "replay",
        })?;
        match (self.clip(), self.lambda()) {
            (Some(clip), _) => write!(out, " clipped at {}", clip.get()),
            (None, Some(lambda)) if *self != self.untempered() => write!(out, " at {lambda}"),
            (None, Some(_) | None) => Ok(()),
        }
    }
}

/// A policy's value with its uncertainty, in the unit of the reward. Every number is finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Which formula made it.
    pub estimator: Estimator,
    /// The number of graded decisions.
    pub n_rows: usize,
    /// The estimated mean reward per decision.
    pub value: f64,
    /// One standard error of `value`.
    pub std_error: f64,
    /// Where the true value should be.
    pub interval: Interval,
    /// The share of rows whose weight was cut; `None` for an estimator without a clip.
    pub share_clipped: Option<f64>,
}

/// Estimates the target policy's mean reward per decision.
///
/// # Errors
/// [`EstimateError`] where the log has no answer: fewer than two rows, no row that the target
/// policy could have produced (IPS, SNIPS, DR; SNIPS needs two), no predictions (DR, DM), or
/// numbers that overflow.
pub fn estimate(
    rounds: &LoggedRounds,
    estimator: Estimator,
    level: ConfidenceLevel,
) -> Result<Estimate, EstimateError> {
    PartialEstimate::of(rounds, estimator)?.finish(level)
}

/// One value per row: their mean is the estimate, their standard deviation over `√n` its
/// standard error.
///
/// Shape `(n_rows,)`. Two policies on one log are compared by the row-wise differences of
/// these. For SNIPS they are `v + w (r - v) / mean(w)`, where `v` is the estimate.
///
/// # Errors
/// As [`estimate`], save that one row and overflow are no errors here.
pub fn influence_values(
    rounds: &LoggedRounds,
    estimator: Estimator,
) -> Result<Vec<f64>, EstimateError> {
    PartialEstimate::of(rounds, estimator)?.check_overlap()?;
    partial::row_values(rounds, estimator)
}

#[cfg(test)]
mod tests;
