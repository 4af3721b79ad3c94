//! Propensities that nobody wrote down, estimated by a model of the logger.
//!
//! For each model, whether it was drawn is learned from the features of requests, by the trainer's
//! ridge regression on indicators; the predictions of a request's candidates, cut to probabilities
//! and divided by their sum, are the estimate. Each fifth of the groups is predicted by what was
//! learned from the others, so that no row tells of its own draw. Weakness: whatever moved the logger
//! and is not in the request biases every value, and no interval knows of it; that is said wherever
//! such a value stands.

use crate::{
    cross_fit::{self, Parts},
    load::{check_metric, narrow},
    report::{Diagnostic, Report},
    wording,
};
use anyhow::{Context, Result, anyhow, bail};
use pointsman_core::{
    features::{Bigrams, FeatureSchema},
    scorer::Scores,
    units::len_as_float,
};
use pointsman_data::{Asked, DataError, LogOptions, ModelsInUse, TrafficLog, Unknown, read_log};
use pointsman_log::record::PropensityKind;
use pointsman_train::{
    design::{Design, DesignBuilder},
    outcomes::Outcomes,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// Groups are divided among so many parts.
const N_PARTS: u64 = 5;

/// The least that an estimated propensity may be where none is given.
const SMALLEST: f64 = 0.01;

/// Decisions among the same candidates are learned from by themselves where there are so many of
/// them, in so many groups; else from all, with whatever the others were drawn from.
const ENOUGH_ROWS: usize = 200;
const ENOUGH_GROUPS: usize = 60;

/// Flags that ask for estimates.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct EstimateFlags {
    /// Estimate propensities that a log does not know, by a model of the logger; always marked.
    #[arg(long, conflicts_with = "table")]
    estimate_propensities: bool,
    /// The least that an estimated propensity may be; smaller ones are raised to it and counted.
    #[arg(
        long,
        value_name = "PROBABILITY",
        requires = "estimate_propensities",
        conflicts_with = "table"
    )]
    smallest_propensity: Option<f64>,
    /// Where decisions name the drawn model alone: the tag whose values have candidates of their
    /// own, or `tenant` or `none`; `model_group` where not given.
    #[arg(long, value_name = "TAG", requires = "estimate_propensities", conflicts_with = "table")]
    candidates_by: Option<String>,
}

impl EstimateFlags {
    /// What is asked for, if anything is.
    pub(crate) fn checked(&self) -> Result<Option<Estimating>> {
        let Self { estimate_propensities, smallest_propensity, candidates_by } = self;
        let estimating = Estimating::new(*smallest_propensity, candidates_by.as_deref())?;
        Ok(estimate_propensities.then_some(estimating))
    }
}

/// How propensities are estimated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Estimating {
    smallest: f64,
    /// The tag whose values have candidates of their own.
    candidates_by: Option<String>,
}

impl Estimating {
    /// By the values of the flags.
    pub(crate) fn new(smallest: Option<f64>, candidates_by: Option<&str>) -> Result<Self> {
        let smallest = smallest.unwrap_or(SMALLEST);
        if !(0.0 < smallest && smallest <= 1.0) {
            bail!("--smallest-propensity: {smallest} is not in (0, 1]; it is a probability");
        }
        let tag = candidates_by.unwrap_or(LogOptions::CANDIDATES_BY);
        Ok(Self { smallest, candidates_by: (tag != "none").then(|| tag.to_owned()) })
    }

    /// How a log is read that is estimated on: by texts alone, since the logger is modelled by
    /// features of a schema that no record has.
    pub(crate) fn options(&self, options: &LogOptions) -> LogOptions {
        let candidates_by = self.candidates_by.clone();
        LogOptions { unknown: Unknown::Keep, candidates_by, features: None, ..options.clone() }
    }
}

/// What was estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimated {
    /// Decisions whose propensity is an estimate.
    n_rows: usize,
    /// Those among them whose estimate was raised to the smallest that is allowed.
    n_raised: usize,
    smallest: f64,
}

/// Reads a log, and estimates the propensities that it does not know where that is asked for; what
/// was estimated is `None` where nothing was.
pub(crate) fn read(
    paths: &[PathBuf],
    options: &LogOptions,
    estimating: Option<&Estimating>,
    on_request: &mut dyn FnMut(Asked<'_, '_>),
) -> Result<(TrafficLog, Option<Estimated>)> {
    let options = estimating.map_or_else(|| options.clone(), |it| it.options(options));
    // Words alone, since draws depend on few things.
    let mut design = DesignBuilder::new(FeatureSchema::new(14, Bigrams::Without)?);
    let read = read_log(paths, &options, &mut |_, asked| {
        if let (Some(_), Some(request)) = (estimating, asked.text()) {
            design.push(request);
        }
        on_request(asked);
    });
    let mut log = read.map_err(hinted)?;
    check_metric(&log, &options)?;
    let estimated = match estimating {
        Some(Estimating { smallest, .. }) => estimate(&mut log, &design.finish(), *smallest)?,
        None => None,
    };
    Ok((log, estimated))
}

/// A log of nothing but unknown propensities can be used all the same, at a price.
fn hinted(error: DataError) -> anyhow::Error {
    let is_unknown = matches!(&error, DataError::NothingUsable { reasons, .. }
        if reasons.contains("the propensity is unknown"));
    if is_unknown {
        return anyhow!(
            "{error}; --estimate-propensities estimates those that are unknown, and assumes that \
             nothing moved the choice but the request as it was logged"
        );
    }
    error.into()
}

/// Estimates the unknown propensities of a log, none of them below `smallest`; `None` where there
/// are none to estimate.
fn estimate(log: &mut TrafficLog, design: &Design, smallest: f64) -> Result<Option<Estimated>> {
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
    let parts = Parts::by_remainder(&groups, N_PARTS);
    let mut n_raised = 0;
    for (rows, others) in by_candidates(log, &unknown) {
        for part in 0..N_PARTS {
            let tested = parts.within(part, &rows);
            if tested.is_empty() {
                continue;
            }
            let learned = parts.outside(part, &others);
            let scorer = cross_fit::fit((design, &outcomes, &groups[..]), &learned)
                .context("estimating propensities")?;
            let mut scores = Scores::default();
            for row in tested {
                scorer.score(&design.features(row), &mut scores);
                n_raised += usize::from(put(log, row, scores.quality(), smallest));
            }
        }
    }
    Ok(Some(Estimated { n_rows: unknown.len(), n_raised, smallest }))
}

/// Rows to estimate, and those to learn them from: a model that is seldom a candidate would else
/// look as if it were seldom drawn.
fn by_candidates(log: &TrafficLog, unknown: &[usize]) -> Vec<(Vec<usize>, Vec<usize>)> {
    let n_models = log.models.len();
    let mut sets: BTreeMap<Vec<bool>, Vec<usize>> = BTreeMap::new();
    for &row in unknown {
        let chances = &log.probabilities[row * n_models..][..n_models];
        sets.entry(chances.iter().map(|chance| 0.0 < *chance).collect()).or_default().push(row);
    }
    let is_enough = |rows: &Vec<usize>| {
        let groups: BTreeSet<u64> = rows.iter().map(|&row| log.rows[row].group).collect();
        ENOUGH_ROWS <= rows.len() && ENOUGH_GROUPS <= groups.len()
    };
    let (large, small): (Vec<Vec<usize>>, Vec<Vec<usize>>) =
        sets.into_values().partition(is_enough);
    let mut parts: Vec<(Vec<usize>, Vec<usize>)> =
        large.into_iter().map(|rows| (rows.clone(), rows)).collect();
    let mut rest = small.concat();
    rest.sort_unstable();
    if !rest.is_empty() {
        parts.push((rest, unknown.to_vec()));
    }
    parts
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
    /// What stands behind every verdict that rests on estimates.
    pub(crate) const MARK: &'static str = " Propensities are estimated.";

    /// What to know of the estimates, a sentence each.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let n = wording::length(self.n_rows);
        let mut sentences = vec![format!(
            "the propensities of {n} decisions are estimated by a model of the logger, not \
             known: what moved the logger and is not in the requests biases every value, and \
             no interval knows of it"
        )];
        if 0 < self.n_raised {
            sentences.push(format!(
                "{} of the estimated propensities were below {} and were raised to it \
                 (--smallest-propensity)",
                wording::length(self.n_raised),
                self.smallest
            ));
        }
        sentences
    }

    /// What a policy's card says of the propensities that it was learned with.
    pub(crate) fn setting(&self) -> String {
        format!(
            "estimated for {} decisions by a cross-fitted model of the logger; {} raised to {}",
            wording::length(self.n_rows),
            wording::length(self.n_raised),
            self.smallest
        )
    }

    /// Marks a report that rests on estimates.
    pub(crate) fn mark(&self, report: &mut Report) {
        report.verdict.sentence.push_str(Self::MARK);
        report.warnings.splice(0..0, self.sentences());
        report.diagnostics.push(Diagnostic {
            name: "propensities estimated".to_owned(),
            value: wording::length(self.n_rows),
            meaning: format!("cross-fitted; {} raised", wording::length(self.n_raised)),
        });
    }
}

/// Where candidates come from that no decision names; `None` where every one names them.
pub(crate) fn in_use(found: &ModelsInUse) -> Option<String> {
    let ModelsInUse { n_rows, n_alone, n_pools } = *found;
    if n_rows == 0 {
        return None;
    }
    let mut text = format!(
        "{} decisions name only the model that was drawn: their candidates are the models that the \
         log shows in use then, each from about its first decision to its last",
        wording::count(n_rows)
    );
    if 1 < n_pools {
        let n = wording::length(n_pools);
        text.push_str(&format!(", for {n} values of the tag of --candidates-by apart"));
    }
    if 0 < n_alone {
        text.push_str(&format!(
            "; for {} of them that was one model, so that they had no choice and tell of no other",
            wording::count(n_alone)
        ));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::fixtures;
    use pointsman_core::request::Request;
    use pointsman_data::LoggedRow;

    /// Row `at` of a log that draws its candidates alike: models 0 and 1 for one half of the rows, 0 and
    /// 2 for the other, each fifth of the groups with the same of everything.
    fn row(at: usize) -> LoggedRow {
        let other = if is_first_half(at) { 1 } else { 2 };
        let taken = if (at / 10).is_multiple_of(2) { 0 } else { other };
        LoggedRow {
            propensity_kind: PropensityKind::Unknown,
            ..fixtures::row(at, taken, (0.5, 1.0))
        }
    }

    fn is_first_half(at: usize) -> bool {
        (at / 5).is_multiple_of(2)
    }

    /// Learned from all rows, model 0 would seem to be drawn twice as often as the others.
    #[test]
    fn decisions_are_learned_with_those_of_the_same_candidates() {
        const N: usize = 1000;
        let of_row = |at: usize| if is_first_half(at) { [0.5, 0.5, 0.0] } else { [0.5, 0.0, 0.5] };
        let probabilities: Vec<f32> = (0..N).flat_map(of_row).collect();
        let rows = (0..N).map(row).collect();
        let mut log = fixtures::log_of(&["a", "b", "c"], rows, probabilities);
        let mut design = DesignBuilder::new(FeatureSchema::new(14, Bigrams::Without).unwrap());
        for _ in 0..N {
            design.push(&Request::from_prompt("The same question each time."));
        }
        let found = estimate(&mut log, &design.finish(), 0.01).unwrap().unwrap();
        assert_eq!((found.n_rows, found.n_raised), (N, 0));
        for row in &log.rows {
            assert_eq!(row.propensity_kind, PropensityKind::Estimated);
            assert!((row.propensity - 0.5).abs() < 0.02, "{}: {}", row.id, row.propensity);
        }
    }

    #[test]
    fn what_is_taken_for_candidates_is_said() {
        let said = |n_rows, n_alone, n_pools| in_use(&ModelsInUse { n_rows, n_alone, n_pools });
        assert_eq!(said(0, 0, 0), None);
        let plain = said(1200, 0, 1).unwrap();
        assert!(plain.starts_with("1,200 decisions name only the model"), "{plain}");
        assert!(plain.ends_with("its last"), "{plain}");
        let apart = said(1200, 3, 2).unwrap();
        assert!(apart.contains("for 2 values of the tag"), "{apart}");
        assert!(apart.contains("for 3 of them that was one model"), "{apart}");
    }

    #[test]
    fn flags_are_a_probability_and_a_tag() {
        let of = |smallest, tag| Estimating::new(smallest, tag);
        let usual = of(None, None).unwrap();
        assert_eq!((usual.smallest, usual.candidates_by.as_deref()), (0.01, Some("model_group")));
        assert_eq!(of(None, Some("none")).unwrap().candidates_by, None);
        assert_eq!(of(None, Some("app")).unwrap().candidates_by.as_deref(), Some("app"));
        for wrong in [0.0, -1.0, 1.5, f64::NAN] {
            let refused = of(Some(wrong), None).unwrap_err().to_string();
            assert!(refused.contains("is not in (0, 1]"), "{refused}");
        }
    }

    /// Features stand in for texts until propensities are to be estimated.
    #[test]
    fn estimates_are_made_from_texts_alone() {
        let features = Some(FeatureSchema::default());
        let options = LogOptions { features, ..LogOptions::default() };
        let estimating = Estimating::new(None, None).unwrap().options(&options);
        assert_eq!((estimating.features, estimating.unknown), (None, Unknown::Keep));
        assert_eq!((options.features, options.unknown), (features, Unknown::Drop));
    }

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
