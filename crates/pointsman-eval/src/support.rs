//! Whether a log can speak of a target policy at all, in one word and one sentence.
//!
//! An interval says how far chance can carry a value, not how far a hole in the log can. Where the
//! logger could not take, or never took, what the target would, or where weights do not average
//! one, every interval is too sure of itself; then it is withheld. Weakness: a hole can hide where
//! the logger's whole distribution is not known.

use std::fmt;

use crate::{
    diagnostics::{Diagnostics, FAR_MEAN_WEIGHT_Z, FEW_EFFECTIVE_ROWS},
    moments::float_of,
};

/// A share of the target that is not worth a word: rounding, and the tails of a softmax.
pub const NEGLIGIBLE_SHARE: f64 = 1e-3;

/// How often each action was taken, and how much of the target is on it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ActionCounts {
    n_rows: usize,
    n_taken: Vec<u64>,
    mass: Vec<f64>,
}

impl ActionCounts {
    /// Adds rows; `target` has the target's probability of every action, row-major.
    pub fn push(&mut self, action: &[u32], target: &[f64]) {
        let n_actions = target.len() / action.len().max(1);
        self.make_room(n_actions);
        self.n_rows += action.len();
        for (row, &action) in target.chunks_exact(n_actions.max(1)).zip(action) {
            if let Some(count) = self.n_taken.get_mut(action as usize) {
                *count += 1;
            }
            for (sum, share) in self.mass.iter_mut().zip(row) {
                *sum += share;
            }
        }
    }

    /// Adds the rows of the partition that follows.
    pub fn merge(&mut self, other: &Self) {
        self.make_room(other.mass.len());
        self.n_rows += other.n_rows;
        self.n_taken.iter_mut().zip(&other.n_taken).for_each(|(ours, theirs)| *ours += theirs);
        self.mass.iter_mut().zip(&other.mass).for_each(|(ours, theirs)| *ours += theirs);
    }

    /// The share of the target on actions that were never taken; `None` without rows.
    pub fn never_taken_share(&self) -> Option<f64> {
        let never = self.n_taken.iter().zip(&self.mass).filter(|(count, _)| **count == 0);
        // An empty sum of floats is minus zero.
        let mass = never.fold(0.0, |total, (_, mass)| total + mass);
        (0 < self.n_rows).then(|| mass / float_of(self.n_rows))
    }

    fn make_room(&mut self, n_actions: usize) {
        let n_actions = n_actions.max(self.mass.len());
        self.n_taken.resize(n_actions, 0);
        self.mass.resize(n_actions, 0.0);
    }
}

/// What a log is good for, gravest first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Support {
    /// The target puts mass where the logger could not go, or never went.
    Missing {
        /// That mass, as a share of the target's whole mass.
        share: f64,
        /// Whether the logger's own distribution says so; else its choices do.
        is_known: bool,
    },
    /// Weights average less than one by more than chance.
    LowMeanWeight {
        /// The mean weight.
        mean: f64,
    },
    /// Weights average more than one by more than chance.
    HighMeanWeight {
        /// The mean weight.
        mean: f64,
    },
    /// Few rows tell of the target.
    Weak {
        /// Kish's effective sample size, in rows.
        effective_n: f64,
    },
    /// Nothing speaks against the log.
    Good,
}

impl Support {
    /// The gravest thing that is known.
    pub fn of(diagnostics: &Diagnostics, never_taken_share: Option<f64>) -> Self {
        let known = diagnostics.unsupported_mass_share.filter(|share| 1e-9 < *share);
        let seen = never_taken_share.filter(|share| NEGLIGIBLE_SHARE < *share);
        if let Some(share) = known.or(seen) {
            return Self::Missing { share, is_known: known.is_some() };
        }
        if let Some(weight) = &diagnostics.mean_weight {
            if weight.z_score < -FAR_MEAN_WEIGHT_Z {
                return Self::LowMeanWeight { mean: weight.mean };
            }
            if FAR_MEAN_WEIGHT_Z < weight.z_score {
                return Self::HighMeanWeight { mean: weight.mean };
            }
        }
        let effective_n = diagnostics.effective_n;
        if effective_n < FEW_EFFECTIVE_ROWS { Self::Weak { effective_n } } else { Self::Good }
    }

    /// Whether an interval may be shown.
    pub fn allows_intervals(self) -> bool {
        match self {
            Self::Good | Self::Weak { effective_n: _ } => true,
            Self::Missing { share: _, is_known: _ }
            | Self::LowMeanWeight { mean: _ }
            | Self::HighMeanWeight { mean: _ } => false,
        }
    }

    /// The word for it, which does not change between versions.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing { share: _, is_known: _ } | Self::LowMeanWeight { mean: _ } => {
                "missing support"
            }
            Self::HighMeanWeight { mean: _ } => "wrong propensities",
            Self::Weak { effective_n: _ } => "weak overlap",
            Self::Good => "usable",
        }
    }
}

impl fmt::Display for Support {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Missing { share, is_known } => write!(
                out,
                "{:.1} % of the policy's choices are actions that the logger {}; the log cannot \
                 say what they would have earned, so intervals are withheld",
                100.0 * share,
                if is_known { "could not take" } else { "never took" }
            ),
            Self::LowMeanWeight { mean } => write!(
                out,
                "the mean weight is {mean:.3} and should be 1: the logger could not take, or never \
                 took, part of what the policy would, so intervals are withheld"
            ),
            Self::HighMeanWeight { mean } => write!(
                out,
                "the mean weight is {mean:.3} and should be 1: the propensities are too small, so \
                 intervals are withheld"
            ),
            Self::Weak { effective_n } => write!(
                out,
                "the log tells as much about this policy as {effective_n:.0} rows of its own would; \
                 below {FEW_EFFECTIVE_ROWS:.0} intervals may be too narrow"
            ),
            Self::Good => out.write_str("overlap and mean weight speak for the log"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnostics::diagnose,
        rounds::{LoggedRounds, RoundColumns},
    };

    /// A log of equal weights but for the first row, and of an unsupported share in every row.
    fn support(weights: &[f64], unsupported: f64, never_taken: Option<f64>) -> Support {
        let columns = RoundColumns {
            propensity: vec![0.1; weights.len()],
            target: weights.iter().map(|weight| 0.1 * weight).collect(),
            reward: vec![1.0; weights.len()],
            unsupported_mass: Some(vec![unsupported; weights.len()]),
            ..RoundColumns::default()
        };
        Support::of(&diagnose(&LoggedRounds::new(columns).unwrap(), None), never_taken)
    }

    #[track_caller]
    fn check(found: Support, word: &str, allows_intervals: bool) {
        assert_eq!(found.word(), word, "{found:?}");
        assert_eq!(found.allows_intervals(), allows_intervals, "{found:?}");
        assert!(!found.to_string().contains("NaN"), "{found}");
    }

    #[test]
    fn the_gravest_reason_has_the_word() {
        let even = [1.0; 200];
        let off = |weight: f64| -> Vec<f64> {
            (0..200).map(|row| weight + 0.1 * f64::from(row % 2)).collect()
        };
        check(support(&even, 0.0, Some(0.0)), "usable", true);
        check(support(&even[..50], 0.0, None), "weak overlap", true);
        check(support(&off(0.6), 0.0, None), "missing support", false);
        check(support(&off(1.4), 0.0, None), "wrong propensities", false);
        check(support(&even, 0.2, None), "missing support", false);
        check(support(&even, 0.0, Some(0.2)), "missing support", false);
        check(support(&even, 0.0, Some(1e-6)), "usable", true);
        check(support(&[0.0; 4], 0.0, None), "missing support", false);
    }

    /// Two rows of three actions, of which the last is never taken: a quarter of the mass.
    #[test]
    fn actions_never_taken_are_counted() {
        let mut counts = ActionCounts::default();
        assert_eq!(counts.never_taken_share(), None);
        counts.push(&[0], &[0.5, 0.25, 0.25]);
        let mut rest = ActionCounts::default();
        rest.push(&[1], &[0.25, 0.5, 0.25]);
        counts.merge(&rest);
        assert_eq!(counts.never_taken_share(), Some(0.25));
    }
}
