//! Fewer terms: the weights of those that can change a choice least become zero, which a file
//! does not have to hold.
//!
//! A term counts for a choice by the spread of its weights over models times how many training
//! rows hold it; all of a term's weights go or stay together. What that loses is measured on a
//! quarter of the groups, which a policy of its own, learned from the others in the same way, has
//! not seen. Weakness: which terms matter together is not looked at, and the loss is that of a
//! policy that was learned from three quarters of the rows.

use crate::{
    design::Design,
    fold::fold_of,
    guarantee::Exported,
    select::{Yardstick, best, mean_and_error},
    train::{TrainConfig, TrainError, Trained, TrainingSet, train},
};
use pointsman_core::{
    scorer::{Scorer, ScorerParts},
    units::len_as_float,
};
use rayon::prelude::*;

/// Two-sided 95 % in standard errors of a normal distribution.
pub const NORMAL_95: f64 = 1.959_963_984_540_054;

/// Shares that are tried one after the other where a loss is given.
const LADDER: [f64; 7] = [0.25, 0.5, 0.75, 0.9, 0.95, 0.97, 0.99];

/// How much is left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pruning {
    /// This share of the terms that have weights, from 0 to 1.
    Share(f64),
    /// The largest of some shares whose loss, with 95 % confidence, is at most this, and that of
    /// every smaller one too: tests in a fixed order need no correction for their number.
    MostLoss(f64),
}

/// What was left out, and what that loses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pruned {
    /// Terms that had weights.
    pub n_terms: usize,
    /// Terms that have them still.
    pub n_kept: usize,
    /// The mean loss in quality points, averaged over a sweep of weights on cost.
    pub loss: f64,
    /// Its standard error.
    pub std_error: f64,
    /// The rows that it was measured on.
    pub n_rows: usize,
}

/// The terms that have weights, the least able to change a choice first.
pub fn by_influence(parts: &ScorerParts, design: &Design, rows: &[u32]) -> Vec<u32> {
    let mut n_rows = vec![0_u32; parts.schema.n_buckets()];
    for &row in rows {
        for &term in design.terms(row as usize) {
            n_rows[term as usize] += 1;
        }
    }
    let weights = parts.term_weights.chunks_exact(parts.n_columns());
    let influence = |(weights, &n): (&[i8], &u32)| {
        let values = weights.iter().zip(&parts.scales).take(parts.n_quality_columns());
        let values: Vec<f64> = values.map(|(w, s)| f64::from(*w) * f64::from(*s)).collect();
        let mean = values.iter().sum::<f64>() / len_as_float(values.len());
        let spread: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let is_used = weights.iter().any(|&weight| weight != 0);
        is_used.then(|| spread * f64::from(n))
    };
    let known = (0_u32..).zip(weights.zip(&n_rows).map(influence));
    let mut order: Vec<(f64, u32)> =
        known.filter_map(|(bucket, influence)| Some((influence?, bucket))).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    order.into_iter().map(|(_, bucket)| bucket).collect()
}

/// The parts without the first share of the terms in an order, and how many terms are left.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
pub fn without(parts: &ScorerParts, order: &[u32], share: f64) -> (ScorerParts, usize) {
    let n_pruned = (share * len_as_float(order.len())).floor() as usize;
    let (mut parts, n_columns) = (parts.clone(), parts.n_columns());
    for &bucket in order.iter().take(n_pruned) {
        parts.term_weights[bucket as usize * n_columns..][..n_columns].fill(0);
    }
    (parts, order.len().saturating_sub(n_pruned))
}

/// Prunes what was learned from a set, and says what that loses; `config` is how it was learned,
/// without demands.
pub(crate) fn prune(
    set: &TrainingSet<'_>,
    pruning: Pruning,
    config: &TrainConfig,
    trained: &mut Trained,
) -> Result<(), TrainError> {
    let is_held_out = |&&row: &&u32| fold_of(set.groups[row as usize], config.seed()) == 0;
    let (held_out, fitted): (Vec<u32>, Vec<u32>) = set.rows.iter().partition(is_held_out);
    let not_measured = TrainError::PruningNotMeasured { found: set.rows.len() };
    if held_out.len() < 2 {
        return Err(not_measured);
    }
    let of_fitted = TrainingSet { rows: &fitted, ..*set };
    let whole = train(&of_fitted, config, &|_| ()).map_err(|_| not_measured)?;
    let trial = Trial::new((set, &held_out, &fitted), &whole)?;
    let (share, (loss, std_error)) = match pruning {
        Pruning::Share(share) => (share, trial.loss(share)?),
        Pruning::MostLoss(most) => trial.most_within(most)?,
    };
    let order = by_influence(&trained.parts, set.design, set.rows);
    let (parts, n_kept) = without(&trained.parts, &order, share);
    trained.parts = parts;
    let (n_terms, n_rows) = (order.len(), held_out.len());
    trained.pruned = Some(Pruned { n_terms, n_kept, loss, std_error, n_rows });
    Ok(())
}

/// A policy that has not seen some rows, and what it is worth on them.
struct Trial<'a> {
    set: &'a TrainingSet<'a>,
    held_out: &'a [u32],
    whole: &'a Trained,
    order: Vec<u32>,
    yardstick: Yardstick<'a>,
    /// By held-out row.
    values: Vec<f64>,
}

impl<'a> Trial<'a> {
    fn new(
        (set, held_out, fitted): (&'a TrainingSet<'a>, &'a [u32], &[u32]),
        whole: &'a Trained,
    ) -> Result<Self, TrainError> {
        let means = (whole.mean_quality.clone(), whole.mean_cost.clone());
        let order = by_influence(&whole.parts, set.design, fitted);
        let yardstick = Yardstick::new(set.outcomes, held_out, means);
        let mut trial = Self { set, held_out, whole, order, yardstick, values: Vec::new() };
        trial.values = trial.values_of(&whole.parts)?;
        Ok(trial)
    }

    /// The mean loss of leaving out a share of the terms, and its standard error.
    fn loss(&self, share: f64) -> Result<(f64, f64), TrainError> {
        let (parts, _) = without(&self.whole.parts, &self.order, share);
        let pruned = self.values_of(&parts)?;
        let losses: Vec<f64> =
            self.values.iter().zip(&pruned).map(|(whole, pruned)| whole - pruned).collect();
        Ok(mean_and_error(&losses))
    }

    /// The last share of the ladder up to which every loss is within the bound, and its loss.
    fn most_within(&self, most: f64) -> Result<(f64, (f64, f64)), TrainError> {
        let mut last = (0.0, (0.0, 0.0));
        for share in LADDER {
            let (loss, std_error) = self.loss(share)?;
            if most < loss + NORMAL_95 * std_error {
                break;
            }
            last = (share, (loss, std_error));
        }
        Ok(last)
    }

    /// What the choices by these parts are worth, by held-out row.
    fn values_of(&self, parts: &ScorerParts) -> Result<Vec<f64>, TrainError> {
        let scorer = Scorer::new(parts.clone()).map_err(|_| TrainError::Scorer)?;
        let exported = Exported::new(&scorer, self.set, self.held_out);
        let sweep = self.yardstick.sweep();
        let value = |index: usize| {
            let (quality, cost) = exported.row(index);
            let worth = |&weight: &f64| {
                let choice = best(quality, cost, weight);
                let (quality, cost) = self.yardstick.outcome(index, choice);
                quality - weight * cost
            };
            sweep.iter().map(worth).sum::<f64>() / len_as_float(sweep.len())
        };
        Ok((0..self.held_out.len()).into_par_iter().map(value).collect())
    }
}
