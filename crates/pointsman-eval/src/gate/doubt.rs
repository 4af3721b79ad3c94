//! What bounds cannot know of, as data and as a sentence.

use std::fmt;

use super::{Condition, Finding};
use crate::{
    bounds::Rival,
    diagnostics::{self, FAR_MEAN_WEIGHT_Z},
    moments::Moments,
};

/// Why nothing may ship on these rows; `Display` is a sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Doubt {
    /// Propensities that were not sampled from.
    InexactPropensities {
        /// How many rows.
        n_rows: u64,
    },
    /// A policy puts mass where the logger could not go.
    MissingSupport {
        /// That mass, as a share of the policy's whole mass.
        share: f64,
    },
    /// The weights of a policy do not average one.
    FarMeanWeight {
        /// The mean weight.
        mean: f64,
        /// Its distance from one in standard errors.
        z_score: f64,
    },
    /// The bounds of one difference cross.
    Contradiction,
}

impl Doubt {
    /// Whether the bounds hold all the same, so that what they show to fail does fail.
    pub(super) fn lets_bounds_hold(self) -> bool {
        match self {
            Self::MissingSupport { share: _ } => true,
            Self::InexactPropensities { n_rows: _ }
            | Self::FarMeanWeight { mean: _, z_score: _ }
            | Self::Contradiction => false,
        }
    }
}

/// Everything that speaks against the rows, once each.
pub(super) fn doubts(
    conditions: &[Condition<'_>],
    findings: &[Finding],
    n_inexact: u64,
) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    if 0 < n_inexact {
        doubts.push(Doubt::InexactPropensities { n_rows: n_inexact });
    }
    for evidence in conditions.iter().filter_map(|condition| condition.evidence.as_ref()) {
        if 0.0 < evidence.unsupported_share {
            doubts.push(Doubt::MissingSupport { share: evidence.unsupported_share });
        }
        doubts.extend(far_mean_weight(evidence.weights));
        if let Rival::Policy(weights) = evidence.rival {
            doubts.extend(far_mean_weight(weights));
        }
    }
    let cross = |it: &Finding| {
        it.bounds.as_ref().is_some_and(|(lower, upper)| upper.bound.bound < lower.bound.bound)
    };
    if findings.iter().any(cross) {
        doubts.push(Doubt::Contradiction);
    }
    let mut distinct: Vec<Doubt> = Vec::new();
    for doubt in doubts {
        if !distinct.contains(&doubt) {
            distinct.push(doubt);
        }
    }
    distinct
}

fn far_mean_weight(weights: &[f64]) -> Option<Doubt> {
    let weight = diagnostics::mean_weight(&Moments::of(weights))?;
    let (mean, z_score) = (weight.mean, weight.z_score);
    (FAR_MEAN_WEIGHT_Z < z_score.abs()).then_some(Doubt::FarMeanWeight { mean, z_score })
}

impl fmt::Display for Doubt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::InexactPropensities { n_rows } => write!(
                out,
                "{n_rows} {} a propensity that was not sampled from (estimated, \
                 deterministic or unknown), so no bound can be trusted; log decisions that were \
                 drawn, with the exact propensity",
                if n_rows == 1 { "decision has" } else { "decisions have" }
            ),
            Self::MissingSupport { share } => write!(
                out,
                "{:.1} % of a policy's choices are models that the log could not have drawn; let \
                 the logger draw them now and then",
                100.0 * share
            ),
            Self::FarMeanWeight { mean, z_score } => write!(
                out,
                "the mean weight is {mean:.3} where right propensities give 1 ({z_score:+.1} \
                 standard errors); check how the log was written"
            ),
            Self::Contradiction => write!(
                out,
                "no difference agrees with these rows: the propensities or a stated largest value \
                 cannot be right; check how the log was written"
            ),
        }
    }
}
