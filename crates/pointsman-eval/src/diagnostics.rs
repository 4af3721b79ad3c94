//! How far a log can be trusted to speak about a target policy.
//!
//! An interval assumes that the logger could have done whatever the target would do, and that
//! its propensities are right. Neither can be seen in a value, so these numbers are printed
//! beside every one. Their weakness: a mean weight of one does not prove overlap, it only fails
//! to disprove it.
//!
//! Source: Kish, *Survey Sampling*, 1965 (effective sample size).

use std::{collections::BTreeMap, fmt};

use crate::{
    estimators::WeightClip,
    moments::{Moments, float_of},
    normal,
    rounds::LoggedRounds,
};

/// Below this many effective rows the normal approximation is not to be relied on.
pub const FEW_EFFECTIVE_ROWS: f64 = 100.0;

/// A mean weight further from one than this many standard errors is not chance.
pub const FAR_MEAN_WEIGHT_Z: f64 = 3.0;

/// A mean weight this near to one differs by rounding alone.
const ROUNDING: f64 = 1e-9;

/// What an evaluation says beside its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostics {
    /// The number of graded decisions.
    pub n_rows: usize,
    /// Kish's `(Σ w)² / Σ w²`, in rows: how many equally weighted rows would tell as much.
    pub effective_n: f64,
    /// The largest importance weight; zero without rows.
    pub largest_weight: f64,
    /// The mean weight against one, its expectation; `None` for fewer than two rows.
    pub mean_weight: Option<MeanWeight>,
    /// The share of the target's mass on models the logger could not have taken; `None` where
    /// the log does not say.
    pub unsupported_mass_share: Option<f64>,
    /// The share of weights above the clip; `None` without a clip.
    pub share_clipped: Option<f64>,
    /// Rows that were left out, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// What a reader has to know before believing the value, gravest first.
    pub warnings: Vec<Warning>,
}

/// The mean weight with its test against one, which it equals on average if the propensities
/// are right and the logger could do all that the target would.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanWeight {
    /// The mean weight.
    pub mean: f64,
    /// Its standard error.
    pub std_error: f64,
    /// Its distance from one in standard errors; infinite if all weights are alike and not one.
    pub z_score: f64,
    /// How often chance alone would put it this far out, on either side.
    pub p_value: f64,
}

/// A reason for doubt; `Display` is a sentence for the report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Warning {
    /// The target puts mass where the logger could not go.
    UnsupportedMass {
        /// That mass, as a share of the target's whole mass.
        share: f64,
    },
    /// The weights do not average one.
    FarMeanWeight {
        /// The mean weight.
        mean: f64,
        /// Its distance from one in standard errors.
        z_score: f64,
    },
    /// The interval rests on few rows.
    FewEffectiveRows {
        /// Kish's effective sample size, in rows.
        effective_n: f64,
        /// The number of graded decisions.
        n_rows: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnsupportedMass { share } => write!(
                out,
                "{:.1} % of the target policy's choices are models the logger could not have \
                 taken; the log cannot say what they would have earned",
                100.0 * share
            ),
            Self::FarMeanWeight { mean, z_score } => write!(
                out,
                "the mean weight is {mean:.3} and should be 1 ({z_score:+.1} standard errors); \
                 the propensities are wrong or the logger could not take what the target would"
            ),
            Self::FewEffectiveRows { effective_n, n_rows } => write!(
                out,
                "{n_rows} rows tell as much about this policy as {effective_n:.0} of its own \
                 would; below {FEW_EFFECTIVE_ROWS:.0} the interval may be too narrow"
            ),
        }
    }
}

/// Measures how well a log covers its target policy; `clip` is the one the estimator uses.
pub fn diagnose(rounds: &LoggedRounds, clip: Option<WeightClip>) -> Diagnostics {
    PartialDiagnostics::of(rounds, clip).finish()
}

/// The sums of one partition of a log; merging them gives the diagnostics of the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialDiagnostics {
    n_rows: usize,
    weights: Moments,
    largest_weight: f64,
    /// `None` once a partition did not know.
    unsupported_mass: Option<f64>,
    /// `None` once a partition had no clip.
    n_clipped: Option<usize>,
    dropped: BTreeMap<String, u64>,
}

impl PartialDiagnostics {
    /// Sums the rows of one partition, which may be empty.
    pub fn of(rounds: &LoggedRounds, clip: Option<WeightClip>) -> Self {
        let weights = rounds.weight();
        Self {
            n_rows: rounds.n_rows(),
            weights: Moments::of(weights),
            largest_weight: weights.iter().copied().fold(0.0, f64::max),
            unsupported_mass: rounds
                .unsupported_mass()
                .map(|mass| mass.iter().fold(0.0, |sum, share| sum + share)),
            n_clipped: clip.map(|clip| weights.iter().filter(|&&w| w > clip.get()).count()),
            dropped: rounds.dropped().clone(),
        }
    }

    /// Adds the rows of the partition that follows. Both must have had the same clip.
    pub fn merge(&mut self, other: &Self) {
        self.n_rows += other.n_rows;
        self.weights.merge(&other.weights);
        self.largest_weight = self.largest_weight.max(other.largest_weight);
        self.unsupported_mass =
            self.unsupported_mass.zip(other.unsupported_mass).map(|(ours, theirs)| ours + theirs);
        self.n_clipped = self.n_clipped.zip(other.n_clipped).map(|(ours, theirs)| ours + theirs);
        for (reason, n_rows) in &other.dropped {
            *self.dropped.entry(reason.clone()).or_default() += n_rows;
        }
    }

    /// The diagnostics of all rows seen.
    pub fn finish(self) -> Diagnostics {
        let share_of_rows = |count: f64| count / float_of(self.n_rows.max(1));
        let unsupported_mass_share = self.unsupported_mass.map(share_of_rows);
        let effective_n = effective_n(&self.weights);
        let mean_weight = mean_weight(&self.weights);
        Diagnostics {
            n_rows: self.n_rows,
            effective_n,
            largest_weight: self.largest_weight,
            mean_weight,
            unsupported_mass_share,
            share_clipped: self.n_clipped.map(|count| share_of_rows(float_of(count))),
            dropped: self.dropped,
            warnings: [
                unsupported_mass_share
                    .filter(|&share| 0.0 < share)
                    .map(|share| Warning::UnsupportedMass { share }),
                mean_weight
                    .filter(|it| FAR_MEAN_WEIGHT_Z < it.z_score.abs())
                    .map(|it| Warning::FarMeanWeight { mean: it.mean, z_score: it.z_score }),
                (effective_n < FEW_EFFECTIVE_ROWS)
                    .then_some(Warning::FewEffectiveRows { effective_n, n_rows: self.n_rows }),
            ]
            .into_iter()
            .flatten()
            .collect(),
        }
    }
}

/// `(Σ w)² / Σ w²`, written as `n / (1 + variance / mean²)`, which does not overflow.
pub(crate) fn effective_n(weights: &Moments) -> f64 {
    let n_rows = weights.total_weight();
    let mean = weights.mean();
    if mean <= 0.0 {
        return 0.0;
    }
    let variance = weights.squared_distances_from(mean) / n_rows;
    n_rows / (1.0 + variance / mean / mean)
}

pub(crate) fn mean_weight(weights: &Moments) -> Option<MeanWeight> {
    let std_error = weights.std_error()?;
    let mean = weights.mean();
    let gap = mean - 1.0;
    let z_score = if gap.abs() <= ROUNDING { 0.0 } else { gap / std_error };
    Some(MeanWeight { mean, std_error, z_score, p_value: normal::two_sided_p(z_score) })
}

#[cfg(test)]
mod tests;
