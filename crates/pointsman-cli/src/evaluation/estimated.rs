//! Propensities that nobody wrote down, estimated by a model of the logger.
//!
//! For each model, whether it was drawn is learned from the features of requests, by the trainer's
//! ridge regression on indicators; the predictions of a request's candidates, cut to probabilities
//! and divided by their sum, are the estimate. Each fifth of the groups is predicted by what was
//! learned from the others, so that no row tells of its own draw. Weakness: whatever moved the logger and
//! is not in the request biases every value, and no interval knows of it; that is said wherever
//! such a value stands.

use crate::{
    load::narrow,
    report::{Diagnostic, Report},
    wording,
};
use anyhow::{Context, Result, bail};
use pointsman_core::{
    features::{Bigrams, FeatureSchema},
    scorer::{Scorer, Scores},
    units::len_as_float,
};
use pointsman_data::TrafficLog;
use pointsman_log::record::PropensityKind;
use pointsman_train::{
    design::Design,
    outcomes::Outcomes,
    train::{Regularisation, TrainConfig, TrainingSet, train},
};

/// Groups are divided among so many parts.
const N_PARTS: u64 = 5;

/// The strength of the regularisation, in the middle of those that learning uses.
const STRENGTH: f64 = 30.0;

/// The seed of a fit, which holds nothing out.
const SEED: u64 = 1;

/// What was estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimated {
    /// Decisions whose propensity is an estimate.
    n_rows: usize,
    /// Those among them whose estimate was raised to the smallest that is allowed.
    n_raised: usize,
    smallest: f64,
}

/// The features that the logger is modelled by: words alone, since draws depend on few things.
pub(super) fn schema() -> Result<FeatureSchema> {
    Ok(FeatureSchema::new(14, Bigrams::Without)?)
}

/// Estimates the unknown propensities of a log, none of them below `smallest`; `None` where there
/// are none to estimate.
pub(super) fn estimate(
    log: &mut TrafficLog,
    design: &Design,
    smallest: f64,
) -> Result<Option<Estimated>> {
    let is_unknown = |row: usize| log.rows[row].propensity_kind == PropensityKind::Unknown;
    let unknown: Vec<usize> = (0..log.rows.len()).filter(|&row| is_unknown(row)).collect();
    if unknown.is_empty() {
        return Ok(None);
    }
    let n_models = log.models.len();
    if n_models < 2 {
        bail!("the log has one candidate, `{}`; there is nothing to estimate", log.models[0]);
    }
    let mut drawn = vec![0.0_f32; log.rows.len() * n_models];
    for (row, known) in log.rows.iter().enumerate() {
        drawn[row * n_models + usize::from(known.taken)] = 1.0;
    }
    let outcomes = Outcomes::full(n_models, drawn, None, None)?;
    let groups: Vec<u64> = log.rows.iter().map(|row| row.group).collect();
    let mut n_raised = 0;
    for part in 0..N_PARTS {
        let (tested, learned): (Vec<usize>, Vec<usize>) =
            unknown.iter().partition(|&&row| groups[row] % N_PARTS == part);
        if tested.is_empty() {
            continue;
        }
        let scorer = logger((design, &outcomes, &groups[..]), &learned)?;
        let mut scores = Scores::default();
        for row in tested {
            scorer.score(&design.features(row), &mut scores);
            n_raised += usize::from(put(log, row, scores.quality(), smallest));
        }
    }
    Ok(Some(Estimated { n_rows: unknown.len(), n_raised, smallest }))
}

/// Learns who was drawn.
fn logger(
    (design, outcomes, groups): (&Design, &Outcomes, &[u64]),
    rows: &[usize],
) -> Result<Scorer> {
    let rows: Vec<u32> = rows.iter().map(|&row| u32::try_from(row)).collect::<Result<_, _>>()?;
    let input_tokens = vec![None; groups.len()];
    let set = TrainingSet { design, outcomes, groups, input_tokens: &input_tokens, rows: &rows };
    let config = TrainConfig::new(SEED, Regularisation::Fixed(STRENGTH))?;
    let trained = train(&set, &config, &|_| ()).context("estimating propensities")?;
    Ok(Scorer::new(trained.parts)?)
}

/// Puts one row's estimate in the place of what is there; whether it was raised.
fn put(log: &mut TrafficLog, row: usize, predicted: &[f32], smallest: f64) -> bool {
    let n_models = log.models.len();
    let taken = usize::from(log.rows[row].taken);
    let probabilities = &mut log.probabilities[row * n_models..][..n_models];
    let (shares, is_raised) = shares(probabilities, predicted, (taken, smallest));
    for (probability, share) in probabilities.iter_mut().zip(&shares) {
        *probability = narrow(*share);
    }
    log.rows[row].propensity = shares[taken];
    log.rows[row].propensity_kind = PropensityKind::Estimated;
    is_raised
}

/// The candidates' predictions as probabilities, and whether the drawn one's was too small.
///
/// Each candidate has at least `smallest`, or an even share where there are too many for that, and
/// the rest is divided by what is predicted beyond it, so that all add up to one.
fn shares(
    candidates: &[f32],
    predicted: &[f32],
    (taken, smallest): (usize, f64),
) -> (Vec<f64>, bool) {
    let n_candidates = candidates.iter().filter(|candidate| 0.0 < **candidate).count().max(1);
    let even = 1.0 / len_as_float(n_candidates);
    let least = smallest.min(even);
    let within = |(candidate, predicted): (&f32, &f32)| {
        if 0.0 < *candidate { f64::from(*predicted).clamp(0.0, 1.0) } else { 0.0 }
    };
    let cut: Vec<f64> = candidates.iter().zip(predicted).map(within).collect();
    let total: f64 = cut.iter().sum();
    let plain = |share: f64| if 0.0 < total { share / total } else { even };
    let is_raised = plain(cut[taken]) < smallest;
    let beyond = |share: f64| (plain(share) - least).max(0.0);
    let is_candidate = || candidates.iter().map(|candidate| 0.0 < *candidate);
    let rest: f64 =
        cut.iter().zip(is_candidate()).filter(|(_, is)| *is).map(|(share, _)| beyond(*share)).sum();
    let left = (1.0 - least * len_as_float(n_candidates)).max(0.0);
    let share = |(share, is): (&f64, bool)| match (is, 0.0 < rest) {
        (false, _) => 0.0,
        (true, true) => least + left * beyond(*share) / rest,
        (true, false) => even,
    };
    (cut.iter().zip(is_candidate()).map(share).collect(), is_raised)
}

impl Estimated {
    /// Marks a report that rests on estimates.
    pub(super) fn mark(&self, report: &mut Report) {
        let n = wording::length(self.n_rows);
        report.verdict.sentence.push_str(" Propensities are estimated.");
        report.warnings.insert(
            0,
            format!(
                "the propensities of {n} decisions are estimated by a model of the logger, not \
                 known: what moved the logger and is not in the requests biases every value, and \
                 no interval knows of it"
            ),
        );
        if 0 < self.n_raised {
            report.warnings.insert(
                1,
                format!(
                    "{} of the estimated propensities were below {} and were raised to it \
                     (--smallest-propensity)",
                    wording::length(self.n_raised),
                    self.smallest
                ),
            );
        }
        report.diagnostics.push(Diagnostic {
            name: "propensities estimated".to_owned(),
            value: n,
            meaning: format!("cross-fitted; {} raised", wording::length(self.n_raised)),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(candidates: [f32; 3], predicted: [f32; 3], expected: [f64; 3], raised: bool) {
        let (found, is_raised) = shares(&candidates, &predicted, (0, 0.125));
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{predicted:?}: {found}");
        }
        assert_eq!(is_raised, raised, "{predicted:?}");
    }

    #[test]
    fn estimates_are_probabilities_of_candidates() {
        check([0.3, 0.3, 0.3], [0.5, 0.25, 0.25], [0.5, 0.25, 0.25], false);
        check([0.5, 0.5, 0.0], [0.25, 0.25, 0.5], [0.5, 0.5, 0.0], false);
        check([0.5, 0.5, 0.0], [-0.25, 1.25, 0.0], [0.125, 0.875, 0.0], true);
        check([0.3, 0.3, 0.3], [-1.0, -1.0, -1.0], [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0], false);
        check([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], false);
    }
}
