//! How a simulated logger draws: a distribution over models from their mean quality.

use std::fmt;

use pointsman_core::units::len_as_float;

use crate::error::DataError;

/// How a simulated logger draws models.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LoggerKind {
    /// Better models more often.
    Softmax {
        /// Quality points over which the odds fall by a factor of e; above zero.
        temperature: f64,
        /// The share that is drawn uniformly, in `[0, 1]`.
        uniform_share: f64,
    },
    /// The best model, but for a uniform share.
    EpsilonGreedy {
        /// The share that is drawn uniformly, in `[0, 1]`.
        epsilon: f64,
    },
    /// Every model alike.
    Uniform,
}

impl LoggerKind {
    /// Refuses settings that give no distribution.
    pub(super) fn check(self) -> Result<(), DataError> {
        let (share, temperature) = match self {
            Self::Softmax { temperature, uniform_share } => (uniform_share, temperature),
            Self::EpsilonGreedy { epsilon } => (epsilon, 1.0),
            Self::Uniform => (1.0, 1.0),
        };
        if !(temperature.is_finite() && 0.0 < temperature) {
            let text =
                format!("the temperature is {temperature}; it has to be above 0 (0.1 is usual)");
            return Err(DataError::Simulation(text));
        }
        if !(0.0..=1.0).contains(&share) {
            let text =
                format!("the uniform share is {share}; it has to be from 0 to 1 (0.1 is usual)");
            return Err(DataError::Simulation(text));
        }
        Ok(())
    }
}

impl fmt::Display for LoggerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Softmax { temperature, uniform_share } => {
                write!(f, "softmax(temperature={temperature}, uniform_share={uniform_share})")
            }
            Self::EpsilonGreedy { epsilon } => write!(f, "epsilon-greedy({epsilon})"),
            Self::Uniform => write!(f, "uniform"),
        }
    }
}

/// The probability of each model; ties for the best go to the first.
///
/// `model_means`: mean quality by model, shape `(n_models,)`. The result has the same shape and
/// sums to one.
pub fn logging_distribution(kind: LoggerKind, model_means: &[f64]) -> Vec<f64> {
    let best = model_means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let floor = 1.0 / len_as_float(model_means.len());
    let (share, peaked): (f64, Vec<f64>) = match kind {
        LoggerKind::Softmax { temperature, uniform_share } => {
            let odds: Vec<f64> =
                model_means.iter().map(|mean| ((mean - best) / temperature).exp()).collect();
            let total: f64 = odds.iter().sum();
            (uniform_share, odds.into_iter().map(|odd| odd / total).collect())
        }
        LoggerKind::EpsilonGreedy { epsilon } => {
            let first = model_means.iter().position(|mean| best <= *mean);
            let is_first = |index| if Some(index) == first { 1.0 } else { 0.0 };
            (epsilon, (0..model_means.len()).map(is_first).collect())
        }
        LoggerKind::Uniform => (1.0, vec![0.0; model_means.len()]),
    };
    peaked.into_iter().map(|probability| share * floor + (1.0 - share) * probability).collect()
}

/// The model at quantile `draw` of the distribution; never one without probability.
pub(super) fn model_at(distribution: &[f64], draw: f64) -> usize {
    let (mut cumulative, mut last_possible) = (0.0, 0);
    for (model, &probability) in distribution.iter().enumerate() {
        cumulative += probability;
        if 0.0 < probability {
            last_possible = model;
            if draw < cumulative {
                return model;
            }
        }
    }
    last_possible // rounding left the total a hair below `draw`
}
