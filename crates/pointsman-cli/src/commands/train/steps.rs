//! `train --log` on a log with steps after answers: what is learned from them, and how much of it is
//! kept.
//!
//! Of each answer a step led to one known quality: that of the answer itself where it was accepted, or
//! where every one was graded, else that of the model that was called. Each counts for as many rows
//! as the probability of its step says. A reader is kept by the same test as one from a table, on
//! doubly robust estimates of what each step would have led to. Weakness: next models' answers cost
//! their mean, whatever was asked; and all readers of a policy have equally many next models, so
//! that the best known ones alone are taken.

use super::{
    Args,
    escalation::{AnswerFlags, train_both},
    verdict::{Known, Learned, Verdict, finish},
};
use crate::{
    load,
    nearest::did_you_mean,
    screen::Screen,
    trajectories::{self, LoadedTrajectories},
    wording,
};
use anyhow::{Result, bail};
use pointsman_core::{artifact::Artifact, units::len_as_float};
use pointsman_data::{DataError, LogOptions, LoggedStep, TrafficLog, Undrawn};
use pointsman_train::escalation::{EscalationSet, LEAST_ROWS, TrainedEscalation};

/// One model's answers that a step was decided about.
struct Answered<'l> {
    /// Its place in the policy.
    model: usize,
    /// Rows of the trajectories, the number of the answer, and the step.
    rows: Vec<(usize, u32, &'l LoggedStep)>,
    /// Next models, by their places in the policy, with how often what they answered is known; the
    /// best known ones first.
    next: Vec<(usize, usize)>,
    /// Whether each answer in hand has a grade of its own.
    all_graded: bool,
    n_unknown: usize,
}

/// Columns as the learner takes them.
struct Columns {
    quality: Vec<f32>,
    weights: Vec<f32>,
}

/// The policy's models, as the log numbers them.
struct Places {
    /// For each model of the log, its place in the policy.
    of_log: Vec<Option<usize>>,
    /// For each model of the policy, the mean dollars of its answers, where any are known.
    expected_usd: Vec<Option<f64>>,
}

/// The trajectories of a log with steps after answers, where something is to be learned from them.
pub(super) fn of_log(
    args: &Args,
    log: &TrafficLog,
    options: &LogOptions,
    screen: &Screen,
) -> Result<Option<LoadedTrajectories>> {
    if !trajectories::are_in(log) {
        if !args.answers.escalate_from.is_empty() {
            bail!("--escalate-from: the log has no steps after an answer");
        }
        return Ok(None);
    }
    if args.answers.no_readers {
        return Ok(None);
    }
    if args.learning.max_mb.is_some() {
        screen.say("--max-mb leaves no room for readers: nothing is learned about answers")?;
        return Ok(None);
    }
    // Where the first decision had no choice, the step after its answer may have had one.
    let options = LogOptions { undrawn: Undrawn::Keep, ..options.clone() };
    let schema = args.learning.schema()?;
    match trajectories::load(&args.log, (&options, schema), screen, &mut |_| {}) {
        Ok(steps) => Ok(Some(steps)),
        Err(error) => match error.downcast::<DataError>() {
            Ok(reason @ DataError::NothingUsable { .. }) => {
                screen.say(&format!("nothing is learned about answers: {reason}"))?;
                Ok(None)
            }
            Ok(other) => Err(other.into()),
            Err(other) => Err(other),
        },
    }
}

impl AnswerFlags {
    /// The artifact with the readers that are kept of what the trajectories teach.
    pub(super) fn add_logged_readers(
        &self,
        artifact: &Artifact,
        trajectories: &LoadedTrajectories,
        seed: u64,
        screen: &Screen,
    ) -> Result<Artifact> {
        for sentence in trajectories.sentences() {
            screen.say(&sentence)?;
        }
        let models = &artifact.card().models;
        for name in &self.escalate_from {
            if !models.contains(name) {
                let question = did_you_mean(name, models.iter().map(String::as_str));
                bail!("--escalate-from: the log never drew a model `{name}`{question}");
            }
        }
        let places = Places::of(trajectories, models);
        let is_wanted =
            |name: &String| self.escalate_from.is_empty() || self.escalate_from.contains(name);
        let mut verdicts = Vec::new();
        let mut known = Vec::new();
        for model in (0..models.len()).filter(|&model| is_wanted(&models[model])) {
            let answered = Answered::of(model, trajectories, &places);
            match answered.problem(models) {
                Some(reason) => verdicts.push(answered.left_out(models, reason)),
                None => known.push(answered),
            }
        }
        let n_next = known.iter().map(|it| it.next.len()).min().unwrap_or(0);
        let points = artifact.card().operating_points.iter().map(|point| point.per_dollar);
        let per_dollar: Vec<f64> = points.collect();
        let mut remembered = Vec::new();
        let bar = screen.progress("learning to read answers", known.len() as u64);
        for answered in &known {
            let verdict = answered.learn(
                n_next,
                trajectories,
                (&places, &models[..]),
                (&per_dollar[..], seed),
            )?;
            if verdict.is_kept() {
                for &(row, ..) in &answered.rows {
                    let of_row = &trajectories.found.log.rows[row];
                    let card = artifact.card();
                    remembered.push(card.row_id(&of_row.id));
                    remembered.push(card.row_id(&load::group_id(of_row.group)));
                }
            }
            verdicts.push(verdict);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let digest = trajectories.found.log.digest.clone();
        let artifact = artifact.with_settings([("reader_data".to_owned(), digest)].into())?;
        self.with_foresight_as_asked(finish(&artifact.with_rows(&remembered)?, verdicts, screen)?)
    }
}

impl Places {
    fn of(trajectories: &LoadedTrajectories, models: &[String]) -> Self {
        let found = &trajectories.found;
        let of_log: Vec<Option<usize>> = found
            .log
            .models
            .iter()
            .map(|name| models.iter().position(|known| known == name))
            .collect();
        let mut costs = vec![Vec::new(); models.len()];
        let mut add = |model: u16, cost: Option<f64>| {
            if let (Some(place), Some(cost)) = (of_log[usize::from(model)], cost) {
                costs[place].push(cost);
            }
        };
        for (row, steps) in found.log.rows.iter().zip(&found.steps) {
            if row.n_answers == 1 {
                add(row.taken, row.cost_usd);
            }
            for step in steps.iter().filter(|step| !step.is_accepted()) {
                add(step.drawn, step.cost_usd);
            }
        }
        let expected_usd = costs.iter().map(|of_model| mean(of_model)).collect();
        Self { of_log, expected_usd }
    }

    fn of_drawn(&self, step: &LoggedStep) -> Option<usize> {
        self.of_log[usize::from(step.drawn)]
    }
}

impl<'l> Answered<'l> {
    fn of(model: usize, trajectories: &'l LoadedTrajectories, places: &Places) -> Self {
        let (mut rows, mut n_unknown) = (Vec::new(), 0);
        for (row, steps) in trajectories.found.steps.iter().enumerate() {
            for step in steps {
                // Where nothing else could be done, nothing tells what that would have led to.
                let had_choice = 1 < step.chances.len();
                if !had_choice || places.of_log[usize::from(step.in_hand)] != Some(model) {
                    continue;
                }
                match step.answer.as_ref().map(|&answer| u32::try_from(answer)) {
                    Ok(Ok(answer)) => rows.push((row, answer, step)),
                    Ok(Err(_)) | Err(_) => n_unknown += 1,
                }
            }
        }
        let all_graded = rows.iter().all(|(_, _, step)| step.quality_in_hand.is_some());
        let mut n_known = vec![0_usize; places.expected_usd.len()];
        for (_, _, step) in &rows {
            let place = places.of_drawn(step).filter(|_| !step.is_accepted());
            if let (Some(place), Some(_)) = (place, step.quality) {
                n_known[place] += 1;
            }
        }
        let mut next: Vec<(usize, usize)> =
            n_known.into_iter().enumerate().filter(|(_, n)| LEAST_ROWS <= *n).collect();
        next.sort_by_key(|&(place, n)| (std::cmp::Reverse(n), place));
        Self { model, rows, next, all_graded, n_unknown }
    }

    /// Accepted answers whose quality is known, or all answers, where all of them have grades.
    fn n_known_in_hand(&self) -> usize {
        let is_known =
            |step: &LoggedStep| self.all_graded || step.is_accepted() && step.quality.is_some();
        self.rows.iter().filter(|(_, _, step)| is_known(step)).count()
    }

    /// Why nothing can be learned, if so.
    fn problem(&self, models: &[String]) -> Option<String> {
        let name = &models[self.model];
        if self.rows.is_empty() {
            let unknown = wording::length(self.n_unknown);
            return Some(if self.n_unknown == 0 {
                format!("no step of the log had a choice after an answer of {name}")
            } else {
                format!("of none of its {unknown} answers is anything kept")
            });
        }
        let n = self.n_known_in_hand();
        if n < LEAST_ROWS {
            return Some(format!(
                "{n} of its answers have a grade; learning when to escalate takes at least {LEAST_ROWS}"
            ));
        }
        self.next.is_empty().then(|| {
            format!(
                "after its answers no other model was called {LEAST_ROWS} times with a grade; log \
                 more steps that explore"
            )
        })
    }

    fn left_out(&self, models: &[String], reason: String) -> Verdict {
        Verdict {
            name: models[self.model].clone(),
            n_answers: self.rows.len(),
            rests_on: String::new(),
            learned: Err(reason),
        }
    }

    /// What the reader rests on, in words.
    fn rests_on(&self, next: &[usize], models: &[String]) -> String {
        let mut parts = vec![format!("{} with a grade", wording::length(self.n_known_in_hand()))];
        for &(place, n) in self.next.iter().filter(|(place, _)| next.contains(place)) {
            parts.push(format!("{} called {} times", models[place], wording::length(n)));
        }
        if 0 < self.n_unknown {
            parts.push(format!("{} not kept", wording::length(self.n_unknown)));
        }
        format!(" ({})", parts.join(", "))
    }

    /// What is known of each row's answer and next models, and how much it stands for.
    fn columns(&self, next: &[usize], places: &Places) -> Columns {
        let n_columns = 1 + next.len();
        let mut columns = Columns { quality: Vec::new(), weights: Vec::new() };
        for (_, _, step) in &self.rows {
            let start = columns.quality.len();
            columns.quality.resize(start + n_columns, 0.0);
            columns.weights.resize(start + n_columns, 0.0);
            let mut put = |column: usize, quality: f64, weight: f64| {
                columns.quality[start + column] = load::narrow(quality);
                columns.weights[start + column] = load::narrow(weight);
            };
            if let Some(quality) = step.quality_in_hand.filter(|_| self.all_graded) {
                put(0, quality, 1.0);
            }
            let Some(quality) = step.quality else { continue };
            let weight = 1.0 / step.quality_propensity;
            if step.is_accepted() {
                if !self.all_graded {
                    put(0, quality, weight);
                }
            } else if let Some(at) =
                places.of_drawn(step).and_then(|place| next.iter().position(|&it| it == place))
            {
                put(1 + at, quality, weight);
            }
        }
        columns
    }

    fn learn(
        &self,
        n_next: usize,
        trajectories: &LoadedTrajectories,
        (places, models): (&Places, &[String]),
        (per_dollar, seed): (&[f64], u64),
    ) -> Result<Verdict> {
        let mut next: Vec<usize> = self.next.iter().take(n_next).map(|&(place, _)| place).collect();
        next.sort_unstable();
        let rests_on = self.rests_on(&next, models);
        let verdict = |learned| Verdict {
            name: models[self.model].clone(),
            n_answers: self.rows.len(),
            rests_on,
            learned,
        };
        let columns = self.columns(&next, places);
        let asked: Vec<u32> =
            self.rows.iter().map(|&(row, ..)| u32::try_from(row)).collect::<Result<_, _>>()?;
        let prompts = trajectories.prompts.select(&asked);
        let numbers: Vec<u32> = self.rows.iter().map(|&(_, answer, _)| answer).collect();
        let answers = trajectories.answers.select(&numbers);
        let of_row =
            |&(row, ..): &(usize, u32, &LoggedStep)| trajectories.found.log.rows[row].group;
        let groups: Vec<u64> = self.rows.iter().map(of_row).collect();
        let rows: Vec<u32> = (0..u32::try_from(groups.len())?).collect();
        let set = EscalationSet {
            prompts: &prompts,
            answers: Some(&answers),
            quality: &columns.quality,
            weights: Some(&columns.weights),
            n_next: next.len(),
            groups: &groups,
            rows: &rows,
        };
        let both = match train_both(&set, seed)? {
            Ok(both) => both,
            Err(reason) => return Ok(verdict(Err(reason))),
        };
        let costs: Option<Vec<f64>> =
            next.iter().map(|&place| places.expected_usd[place]).collect();
        let weights =
            if costs.is_none() || per_dollar.is_empty() { &[0.0][..] } else { per_dollar };
        let expected_usd = costs.unwrap_or_else(|| vec![0.0; next.len()]);
        let of_row = std::iter::once(0.0).chain(expected_usd.iter().copied());
        let cost_usd: Vec<f64> = rows.iter().flat_map(|_| of_row.clone()).collect();
        let estimates = columns.estimates(&both.0);
        let known = Known {
            quality: &estimates,
            cost_usd: &cost_usd,
            expected_usd: &expected_usd,
            groups: &groups,
        };
        Ok(verdict(Ok(Learned::new((self.model, next), both, known, weights)?)))
    }
}

impl Columns {
    /// Doubly robust estimates of all qualities: what was predicted out of fold, corrected where the
    /// quality is known. Their mean over any choice that does not know the draws is right.
    fn estimates(&self, trained: &TrainedEscalation) -> Vec<f64> {
        let cells = trained.held_out.iter().zip(self.quality.iter().zip(&self.weights));
        cells
            .map(|(&predicted, (&quality, &weight))| {
                let predicted = f64::from(predicted);
                predicted + f64::from(weight) * (f64::from(quality) - predicted)
            })
            .collect()
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / len_as_float(values.len()))
}
