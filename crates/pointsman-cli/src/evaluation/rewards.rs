//! Who predicts quality for doubly robust values: the policy itself, or a model that is learned from
//! the log.
//!
//! The policy's predictions cost nothing, and it was not trained on the rows; but it must know every
//! model of the log, and it may have been trained on little, or long ago. A cross-fitted reward model
//! learns from the log itself, by the trainer's ridge regression, each part of the groups predicted by
//! the others. All rows of a model weigh alike: the weights of a doubly robust value make up for whom
//! the logger asked, and in the fit they would be noise. Weakness: the features of every request are
//! kept until the fit.

use super::{Recorder, reward_flags::RewardModel};
use crate::{
    cross_fit::{self, Parts},
    load::narrow,
    report::{Diagnostic, RewardModelKind, RewardModelUsed},
    screen::Screen,
    wording,
};
use anyhow::{Context, Result, bail};
use pointsman_core::{
    scorer::{Scorer, Scores},
    units::{Propensity, len_as_float},
};
use pointsman_data::{Asked, LoggedRow, TrafficLog};
use pointsman_eval::bounds::Predicted;
use pointsman_train::{
    design::{Design, DesignBuilder},
    outcomes::{LoggedOutcome, Outcomes},
};

/// Reads the features that a reward model is learned from, where one is asked for.
#[derive(Debug)]
pub(super) struct FeatureReader {
    builder: Option<DesignBuilder>,
}

impl FeatureReader {
    /// By the schema of the first policy, so that features may stand in for texts where they do for
    /// all policies.
    pub(super) fn new(reward_model: RewardModel, recorders: &[Recorder<'_>]) -> Self {
        let first = match reward_model {
            RewardModel::Policy => None,
            RewardModel::CrossFitted { n_folds: _, seed: _ } => recorders.first(),
        };
        Self { builder: first.map(|it| DesignBuilder::new(it.policy.scorer().schema())) }
    }

    /// Reads the next request.
    pub(super) fn push(&mut self, asked: Asked<'_, '_>) {
        let Some(builder) = &mut self.builder else { return };
        match asked {
            Asked::Text(request) => builder.push(request),
            Asked::Features(_, features) => builder.push_read(&features),
        }
    }

    /// What was read; `None` where nothing was asked for.
    pub(super) fn finish(self) -> Option<Design> {
        self.builder.map(DesignBuilder::finish)
    }
}

/// Predictions of a reward model for every row of a log, made by fits that had not seen its group.
#[derive(Debug)]
pub(super) struct CrossFitted {
    models: Vec<String>,
    n_folds: u64,
    seed: u64,
    parts: Parts,
    /// In `[0, 1]`; shape `(n_rows, n_models)`.
    quality: Vec<f32>,
    /// The mean quality that each part's fit has seen; predicted of a model that it knows nothing of.
    mean_quality: Vec<f64>,
    /// Models of the log that no fit knows, since fewer than two parts drew them.
    n_unlearned: usize,
}

/// Learns the reward model that is asked for; `None` for the policy's own predictions.
pub(super) fn learn(
    reward_model: RewardModel,
    design: Option<&Design>,
    log: &TrafficLog,
    screen: &Screen,
) -> Result<Option<CrossFitted>> {
    match (reward_model, design) {
        (RewardModel::CrossFitted { n_folds, seed }, Some(design)) => {
            let fitted = CrossFitted::learn(design, log, (n_folds, seed), screen);
            fitted.context("learning the cross-fitted reward model").map(Some)
        }
        (RewardModel::CrossFitted { n_folds: _, seed: _ } | RewardModel::Policy, _) => Ok(None),
    }
}

impl CrossFitted {
    fn learn(
        design: &Design,
        log: &TrafficLog,
        (n_folds, seed): (u64, u64),
        screen: &Screen,
    ) -> Result<Self> {
        let (n_rows, n_models) = (log.rows.len(), log.models.len());
        let groups: Vec<u64> = log.rows.iter().map(|row| row.group).collect();
        let parts = Parts::drawn(&groups, n_folds, seed);
        let columns = columns(log, &parts)?;
        let outcomes = outcomes(log, &columns)?;
        let is_learned = |row: &usize| columns[usize::from(log.rows[*row].taken)].is_some();
        let all: Vec<usize> = (0..n_rows).collect();
        let learnable: Vec<usize> = all.iter().copied().filter(is_learned).collect();
        let mut quality = vec![0.0; n_rows * n_models];
        let mut mean_quality = Vec::new();
        let bar = screen.progress("learning the reward model", n_folds);
        for part in 0..n_folds {
            bar.set_position(part);
            let (tested, learned) = (parts.within(part, &all), parts.outside(part, &learnable));
            let seen: f64 = learned.iter().map(|&row| log.rows[row].quality).sum();
            let mean = seen / len_as_float(learned.len().max(1));
            mean_quality.push(mean);
            if tested.is_empty() {
                continue;
            }
            let scorer = cross_fit::fit((design, &outcomes, &groups[..]), &learned)?;
            predict((&scorer, design), (&tested[..], &columns[..], mean), &mut quality);
        }
        bar.finish_and_clear();
        let n_unlearned = columns.iter().filter(|column| column.is_none()).count();
        let models = log.models.clone();
        Ok(Self { models, n_folds, seed, parts, quality, mean_quality, n_unlearned })
    }

    /// What is predicted of one of the log's models, or of one that the log does not have.
    fn quality(&self, row: usize, model: Option<usize>) -> f64 {
        match model {
            Some(model) => f64::from(self.quality[row * self.models.len() + model]),
            None => self.part_of(row, &self.mean_quality),
        }
    }

    /// The entry of one row's part.
    fn part_of(&self, row: usize, all: &[f64]) -> f64 {
        let part = usize::try_from(self.parts.of(row)).ok();
        part.and_then(|part| all.get(part)).copied().unwrap_or(0.0)
    }

    /// What is predicted of the model that was drawn.
    pub(super) fn of_drawn(&self, row: usize, known: &LoggedRow) -> f64 {
        self.quality(row, Some(usize::from(known.taken)))
    }

    /// Each model's level in another outcome, of which some rows are known; none above `largest`.
    pub(super) fn levels(
        &self,
        log: &TrafficLog,
        (rows, values): (&[usize], &[f64]),
        largest: f64,
    ) -> Levels<'_> {
        let n_models = self.models.len();
        let mut all = Vec::new();
        for part in 0..self.n_folds {
            let mut sums = vec![(0.0_f64, 0_usize); n_models + 1];
            for (&row, value) in rows.iter().zip(values) {
                if self.parts.of(row) != part {
                    for at in [usize::from(log.rows[row].taken), n_models] {
                        sums[at].0 += value;
                        sums[at].1 += 1;
                    }
                }
            }
            let mean = |(sum, n): (f64, usize)| (0 < n).then(|| sum / len_as_float(n));
            let otherwise = mean(sums[n_models]).unwrap_or(0.0);
            let level = |it: &(f64, usize)| mean(*it).unwrap_or(otherwise).clamp(0.0, largest);
            all.push(sums.iter().map(level).collect());
        }
        Levels { fitted: self, all }
    }

    /// What is predicted where a share of each of some rows goes from one model to another; a place
    /// beyond the log's models is of one that it does not have.
    pub(super) fn of_move(
        &self,
        log: &TrafficLog,
        rows: &[usize],
        (from, to): (usize, usize),
        shares: &[f64],
    ) -> PredictedMove {
        let n_models = self.models.len();
        let moved = |model: usize| -> Vec<f64> {
            let model = (model < n_models).then_some(model);
            rows.iter().zip(shares).map(|(&row, share)| share * self.quality(row, model)).collect()
        };
        PredictedMove {
            taken: rows.iter().map(|&row| self.of_drawn(row, &log.rows[row])).collect(),
            to: moved(to),
            from: moved(from),
        }
    }

    /// What was learned, in words.
    fn described(&self) -> String {
        let mut text = format!(
            "learned from this log, each of {} parts of its groups predicted by the others (seed {})",
            self.n_folds, self.seed
        );
        if 0 < self.n_unlearned {
            text.push_str(&format!(
                "; {} predicted by the mean of all",
                wording::counted_length(
                    self.n_unlearned,
                    "model that fewer than two parts drew is",
                    "models that fewer than two parts drew are"
                )
            ));
        }
        text
    }
}

/// That none is learned of a log that was not drawn, where one is asked for.
pub(super) fn unlearned(reward_model: RewardModel) -> Option<String> {
    let words = "no reward model was learned: where no decision was drawn, no value rests on one";
    match reward_model {
        RewardModel::CrossFitted { n_folds: _, seed: _ } => Some(words.to_owned()),
        RewardModel::Policy => None,
    }
}

/// Which reward model it was, as data.
pub(super) fn used(fitted: Option<&CrossFitted>) -> RewardModelUsed {
    match fitted {
        None => RewardModelUsed { kind: RewardModelKind::Policy, n_folds: None, seed: None },
        Some(fitted) => RewardModelUsed {
            kind: RewardModelKind::CrossFitted,
            n_folds: Some(fitted.n_folds),
            seed: Some(fitted.seed),
        },
    }
}

/// Which reward model it was, among the diagnostics.
pub(super) fn diagnostic(fitted: Option<&CrossFitted>) -> Diagnostic {
    let (value, meaning) = match fitted {
        None => (
            "the policy's own",
            "doubly robust values rest on what each policy predicts".to_owned(),
        ),
        Some(fitted) => ("cross-fitted", fitted.described()),
    };
    Diagnostic { name: "reward model".to_owned(), value: value.to_owned(), meaning }
}

/// Which reward model a gate's difference rests on, if on any, in one sentence.
pub(super) fn sentence(fitted: Option<&CrossFitted>, used: Option<RewardModelUsed>) -> String {
    match (fitted, used) {
        (Some(fitted), _) => format!("reward model: cross-fitted, {}", fitted.described()),
        (None, Some(_)) => "reward model: the policy's own predictions".to_owned(),
        (None, None) => {
            "reward model: none, since the policy does not know every model of the log; \
                 --reward-model cross-fitted learns one from the log"
                .to_owned()
        }
    }
}

/// The column of each model that is learned about: of those that two parts at least have drawn, so
/// that each part can be predicted by the others.
fn columns(log: &TrafficLog, parts: &Parts) -> Result<Vec<Option<u16>>> {
    let mut seen: Vec<Option<u64>> = vec![None; log.models.len()];
    let mut is_learned = vec![false; log.models.len()];
    for (row, known) in log.rows.iter().enumerate() {
        let (taken, part) = (usize::from(known.taken), parts.of(row));
        match seen[taken] {
            None => seen[taken] = Some(part),
            Some(first) => is_learned[taken] |= first != part,
        }
    }
    let mut n_columns = 0_u16;
    let mut columns = Vec::with_capacity(is_learned.len());
    for is_learned in is_learned {
        columns.push(is_learned.then_some(n_columns));
        n_columns += u16::from(is_learned);
    }
    if n_columns < 2 {
        bail!(
            "the log drew fewer than two models in two parts of its groups; take the policy's own \
             predictions with --reward-model policy"
        );
    }
    Ok(columns)
}

/// The outcomes of the columns' models, every row of a model with the same weight. A row of another
/// model holds its place, and is in no fit.
fn outcomes(log: &TrafficLog, columns: &[Option<u16>]) -> Result<Outcomes> {
    let evenly = Propensity::new(1.0)?;
    let outcome = |row: &LoggedRow| LoggedOutcome {
        taken: columns[usize::from(row.taken)].unwrap_or(0),
        propensity: evenly,
        quality: narrow(row.quality),
        cost_usd: None,
        output_tokens: None,
    };
    let rows: Vec<LoggedOutcome> = log.rows.iter().map(outcome).collect();
    let n_columns = columns.iter().flatten().count();
    Ok(Outcomes::logged(n_columns, &rows)?)
}

/// Puts the predictions of some rows into their places.
fn predict(
    (scorer, design): (&Scorer, &Design),
    (rows, columns, mean): (&[usize], &[Option<u16>], f64),
    quality: &mut [f32],
) {
    let mut scores = Scores::default();
    for &row in rows {
        scorer.score(&design.features(row), &mut scores);
        let predicted = scores.quality();
        let places = &mut quality[row * columns.len()..][..columns.len()];
        for (place, column) in places.iter_mut().zip(columns) {
            let known = column.and_then(|column| predicted.get(usize::from(column)));
            *place = known.copied().unwrap_or(narrow(mean)).clamp(0.0, 1.0);
        }
    }
}

/// What is predicted where shares of rows go from one model to another.
#[derive(Debug)]
pub(super) struct PredictedMove {
    taken: Vec<f64>,
    /// Of the share that moves; what stays as logged is the same before and after, and is left out.
    to: Vec<f64>,
    from: Vec<f64>,
}

impl PredictedMove {
    pub(super) fn columns(&self) -> Predicted<'_> {
        let Self { taken, to, from } = self;
        Predicted { taken, expected: to, expected_by_rival: from }
    }
}

/// Each model's level in another outcome than quality, as the other parts tell it.
#[derive(Debug)]
pub(super) struct Levels<'a> {
    fitted: &'a CrossFitted,
    /// For each part, of each model and, last, of all together.
    all: Vec<Vec<f64>>,
}

impl Levels<'_> {
    fn of(&self, row: usize, model: Option<usize>) -> f64 {
        let n_models = self.fitted.models.len();
        let part = usize::try_from(self.fitted.parts.of(row)).ok();
        let levels = part.and_then(|part| self.all.get(part));
        levels.map_or(0.0, |levels| levels[model.unwrap_or(n_models)])
    }
}

/// Who predicts an outcome of any model on any row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Predictor<'a> {
    /// A policy predicts quality.
    Policy(&'a Recorder<'a>),
    /// A model that was learned from the log predicts quality.
    CrossFitted(&'a CrossFitted),
    /// Levels of another outcome.
    Levels(&'a Levels<'a>),
}

impl<'a> Predictor<'a> {
    /// Of quality: what was learned where there is such a thing, else a policy.
    pub(super) fn of_quality(fitted: Option<&'a CrossFitted>, policy: &'a Recorder<'a>) -> Self {
        fitted.map_or(Self::Policy(policy), Self::CrossFitted)
    }

    /// Where the predictor has each model.
    pub(super) fn places(&self, models: &[String]) -> Vec<Option<usize>> {
        let known = match self {
            Self::Policy(recorder) => return recorder.places(models),
            Self::CrossFitted(fitted) => &fitted.models,
            Self::Levels(levels) => &levels.fitted.models,
        };
        models.iter().map(|name| known.iter().position(|it| it == name)).collect()
    }

    /// The prediction for the model of one place on one row. Quality beyond its scale is cut here,
    /// model by model: what is predicted of the drawn model and of a policy's choice must be one
    /// function, or a doubly robust value is off by what is cut.
    pub(super) fn at(&self, row: usize, place: Option<usize>) -> f64 {
        match self {
            Self::Policy(recorder) => {
                let quality = &recorder.quality[recorder.span(row)];
                place.map_or(0.0, |place| quality[place].clamp(0.0, 1.0))
            }
            Self::CrossFitted(fitted) => fitted.quality(row, place),
            Self::Levels(levels) => levels.of(row, place),
        }
    }
}

#[cfg(test)]
mod tests;
