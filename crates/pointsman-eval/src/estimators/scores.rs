//! One value per row for each estimator that is a plain mean of such values.
//!
//! They are written block by block into a buffer that stays in the processor's nearest cache: a
//! loop without branches over a few hundred rows is what the compiler turns into vector
//! instructions, and one pass over the columns then serves any number of estimators.
//!
//! Source: Wang, Agarwal & Dudík, ICML 2017 (Switch-DR); Su, Dimakopoulou, Krishnamurthy & Dudík,
//! ICML 2020 (`DRos`); Metelli, Russo & Restelli, `NeurIPS` 2021 (sub-Gaussian weights); Farajtabar,
//! Chow & Ghavamzadeh, ICML 2018 (MRDR).

use super::Estimator;
use crate::{
    error::EstimateError,
    rounds::{LoggedRounds, Predictions},
};
use std::ops::Range;

/// Rows that are scored at once.
pub(super) const BLOCK: usize = 512;

/// What becomes of a weight.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tempering {
    /// `min(w, λ)`.
    Clip(f64),
    /// `w` up to λ, 0 above it.
    Switch(f64),
    /// `λ w / (w² + λ)`; `w` for an infinite λ, and 0, the limit, for λ = 0.
    Shrink(f64),
    /// `w / (1 - λ + λ w)`; 0, the limit, for w = 0 at λ = 1.
    Bend(f64),
}

impl Tempering {
    /// What the estimator does to weights; `None` where it is no mean of tempered weights.
    pub(crate) fn of(estimator: Estimator) -> Option<Self> {
        match estimator {
            Estimator::Ips { clip: _ }
            | Estimator::Dr { clip: _ }
            | Estimator::Mrdr { clip: _ } => {
                Some(Self::Clip(estimator.lambda().unwrap_or(f64::INFINITY)))
            }
            Estimator::SwitchDr { threshold } => Some(Self::Switch(threshold.get())),
            Estimator::DrOs { threshold } => Some(Self::Shrink(threshold.get())),
            Estimator::SgIps { bend } | Estimator::SgDr { bend } => Some(Self::Bend(bend.get())),
            Estimator::Snips
            | Estimator::Dm
            | Estimator::Sndr
            | Estimator::BalancedIps { clip: _ }
            | Estimator::Mle
            | Estimator::CressieRead
            | Estimator::Replay => None,
        }
    }

    /// The tempered weights of some rows.
    fn apply(self, weight: &[f64], tempered: &mut [f64]) {
        match self {
            Self::Clip(largest) => map(weight, tempered, |w| w.min(largest)),
            Self::Switch(largest) => map(weight, tempered, |w| if w <= largest { w } else { 0.0 }),
            Self::Shrink(f64::INFINITY) | Self::Bend(0.0) => tempered.copy_from_slice(weight),
            Self::Shrink(0.0) => tempered.fill(0.0),
            Self::Shrink(threshold) => {
                map(weight, tempered, |w| (threshold * w) / (w * w + threshold));
            }
            Self::Bend(bend) => map(weight, tempered, |w| {
                let divisor = 1.0 - bend + bend * w;
                if divisor == 0.0 { 0.0 } else { w / divisor }
            }),
        }
    }
}

fn map(from: &[f64], to: &mut [f64], change: impl Fn(f64) -> f64) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = change(from);
    }
}

/// The predictions that the estimator takes its rewards against; `None` for one that takes none.
///
/// # Errors
/// [`EstimateError::NoPredictions`], [`EstimateError::NoMrdrPredictions`] where they are missing.
pub(crate) fn predictions_of(
    rounds: &LoggedRounds,
    estimator: Estimator,
) -> Result<Option<&Predictions>, EstimateError> {
    match estimator {
        Estimator::Dm
        | Estimator::Dr { clip: _ }
        | Estimator::Sndr
        | Estimator::SwitchDr { threshold: _ }
        | Estimator::DrOs { threshold: _ }
        | Estimator::SgDr { bend: _ } => {
            rounds.predictions().map(Some).ok_or(EstimateError::NoPredictions { estimator })
        }
        Estimator::Mrdr { clip: _ } => {
            rounds.mrdr_predictions().map(Some).ok_or(EstimateError::NoMrdrPredictions)
        }
        Estimator::Ips { clip: _ }
        | Estimator::Snips
        | Estimator::SgIps { bend: _ }
        | Estimator::BalancedIps { clip: _ }
        | Estimator::Mle
        | Estimator::CressieRead
        | Estimator::Replay => Ok(None),
    }
}

/// The rows of a partition in blocks of at most [`BLOCK`].
pub(super) fn blocks(n_rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n_rows).step_by(BLOCK).map(move |start| start..n_rows.min(start + BLOCK))
}

/// One block's scores: the tempered weight times the reward, or the prediction corrected by it.
pub(super) fn score_block(
    rounds: &LoggedRounds,
    rows: Range<usize>,
    predictions: Option<&Predictions>,
    tempering: Tempering,
    scores: &mut [f64],
) {
    tempering.apply(&rounds.weight()[rows.clone()], scores);
    let reward = &rounds.reward()[rows.clone()];
    match predictions {
        None => {
            for (score, reward) in scores.iter_mut().zip(reward) {
                *score *= reward;
            }
        }
        Some(Predictions { taken, expected }) => {
            let predicted = taken[rows.clone()].iter().zip(&expected[rows]);
            for ((score, reward), (taken, expected)) in scores.iter_mut().zip(reward).zip(predicted)
            {
                *score = expected + *score * (reward - taken);
            }
        }
    }
}

/// One block's sum of what tempering takes away: `(w - ŵ) (r - q)`.
pub(crate) fn removed_by_tempering(
    rounds: &LoggedRounds,
    predictions: Option<&Predictions>,
    tempering: Tempering,
) -> f64 {
    let mut tempered = [0.0; BLOCK];
    let mut total = 0.0;
    for rows in blocks(rounds.n_rows()) {
        let tempered = &mut tempered[..rows.len()];
        let weight = &rounds.weight()[rows.clone()];
        tempering.apply(weight, tempered);
        let reward = &rounds.reward()[rows.clone()];
        let changes = weight.iter().zip(&*tempered).zip(reward);
        total += match predictions {
            None => changes.map(|((w, t), r)| (w - t) * r).sum::<f64>(),
            Some(Predictions { taken, expected: _ }) => {
                changes.zip(&taken[rows]).map(|(((w, t), r), q)| (w - t) * (r - q)).sum::<f64>()
            }
        };
    }
    total
}
