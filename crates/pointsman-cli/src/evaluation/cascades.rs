//! Policies on a log with steps after answers: what each would have decided first, and what it would
//! have done with the answers that it has readers for.
//!
//! A trajectory counts as one row of a log, with the product of its propensities and of the policy's
//! probabilities of the same steps. Callers are taken to ask after the answers after which they did; a
//! policy without readers accepts each of those. What a policy would have done with an answer of which
//! nothing is kept cannot be known, and counts as what the logger could not have done. Weakness: that
//! share is cut off, row by row, at what the policy's probabilities leave of one.

use super::{Recorder, language::language, shared_schema, target::Target, value_row};
use crate::{
    estimated::Estimating,
    report::ValueRow,
    screen::Screen,
    trajectories::{self, LoadedTrajectories},
    wording,
};
use anyhow::{Result, bail};
use pointsman_core::{
    answer::Answer,
    circumstances::Outlook,
    escalation::{
        EscalationPolicy, EscalationWorkspace, InHand, MOST_ANSWERS, Settled, Step,
        distribute_escalation_read,
    },
    units::Usd,
};
use pointsman_data::{Asked, LogOptions, LoggedStep, TrafficLog};
use pointsman_eval::{
    interval::ConfidenceLevel,
    rounds::Predictions,
    trajectory::{self, StepPredictions, Trajectories, TrajectoryEstimator},
};
use pointsman_train::design::Design;
use std::path::PathBuf;

/// What a policy would have done about one answer of a trajectory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LaterStep {
    /// The probability with which the step that was taken had been drawn.
    pub(super) propensity: f64,
    /// Its probability under the policy.
    pub(super) target: f64,
    /// The policy's probability of steps that the logger could not have taken.
    pub(super) unsupported: f64,
    /// What the policy's reader predicts.
    pub(super) predicted: StepPredictions,
}

/// A log's trajectories as rows, and what is to be said of them.
pub(super) struct ReadTrajectories {
    pub(super) log: TrafficLog,
    /// Of each row.
    pub(super) languages: Vec<&'static str>,
    /// Of the request of each row.
    pub(super) design: Design,
    pub(super) notes: Vec<String>,
}

/// A policy's readers at work.
pub(super) struct Reading {
    pub(super) escalation: EscalationPolicy,
    pub(super) workspace: EscalationWorkspace,
}

impl Reading {
    /// Puts them to work, where the policy has any.
    pub(super) fn of(recorder: &Recorder<'_>) -> Result<Option<Self>> {
        let readers = recorder.artifact.readers();
        if readers.is_empty() {
            return Ok(None);
        }
        let escalation = EscalationPolicy::new(readers.to_vec(), recorder.policy, MOST_ANSWERS)?;
        let workspace = EscalationWorkspace::new(&escalation);
        Ok(Some(Self { escalation, workspace }))
    }
}

/// Where one policy stands in a log of trajectories.
struct Cascade<'a, 'p, 'r> {
    recorder: &'a mut Recorder<'p>,
    reading: Option<Reading>,
    loaded: &'r LoadedTrajectories,
    /// For each model of the log, its place in the policy.
    places: Vec<Option<usize>>,
    /// Answers that the policy would read and of which nothing is known.
    n_unknown: u64,
}

/// Refuses to estimate propensities of steps.
pub(super) fn check_estimating(estimating: Option<&Estimating>) -> Result<()> {
    if estimating.is_some() {
        bail!(
            "--estimate-propensities: the log has steps after answers, whose propensities are not \
             estimated; leave it out"
        );
    }
    Ok(())
}

/// What cannot be told of policies that read answers, from a log without steps.
pub(super) fn unread_answers(recorders: &[Recorder<'_>]) -> Vec<String> {
    let readers = recorders.iter().filter(|recorder| !recorder.artifact.readers().is_empty());
    let sentence = |recorder: &Recorder<'_>| {
        format!(
            "`{}` reads answers, and the log has no steps after an answer: what escalating is worth \
             is not identifiable; its values are those of its first decisions, each answer accepted \
             and chosen as if it were final",
            recorder.name
        )
    };
    readers.map(sentence).collect()
}

/// Answers that one request may ask for, by the policies or in the log.
pub(super) fn most_answers(recorders: &[Recorder<'_>], log: &TrafficLog) -> u32 {
    let reads = |recorder: &Recorder<'_>| !recorder.artifact.readers().is_empty();
    let of_policies = if recorders.iter().any(reads) { MOST_ANSWERS } else { 1 };
    log.rows.iter().map(|row| row.n_answers).fold(of_policies, u32::max)
}

/// Reads a log's trajectories, every recorder deciding all of their steps.
pub(super) fn read(
    paths: &[PathBuf],
    options: &LogOptions,
    recorders: &mut [Recorder<'_>],
    screen: &Screen,
) -> Result<ReadTrajectories> {
    let Some(schema) = shared_schema(recorders) else {
        bail!(
            "the policies read texts by different schemas, so that a log with steps after answers \
             is not read for all of them at once; name one at a time"
        );
    };
    let mut languages = Vec::new();
    let loaded = trajectories::load(paths, (options, schema), screen, &mut |asked| {
        languages.push(asked.text().map_or("(no text)", language));
    })?;
    let mut notes = loaded.sentences();
    notes.push(
        "quality is that of the answer that was given, cost that of all answers; what moves between \
         models is not shown where answers are escalated"
            .to_owned(),
    );
    for recorder in recorders.iter_mut() {
        notes.extend(Cascade::new(recorder, &loaded)?.decide());
    }
    let languages = loaded.found.requests.iter().map(|&row| languages[row]).collect();
    let (log, design) = (loaded.found.log, loaded.prompts);
    Ok(ReadTrajectories { log, languages, design, notes })
}

impl<'a, 'p, 'r> Cascade<'a, 'p, 'r> {
    fn new(recorder: &'a mut Recorder<'p>, loaded: &'r LoadedTrajectories) -> Result<Self> {
        let reading = Reading::of(recorder)?;
        if reading.is_some() {
            recorder.outlook = Outlook::Cascade;
        }
        let places = recorder.places(&loaded.found.log.models);
        Ok(Self { recorder, reading, loaded, places, n_unknown: 0 })
    }

    /// Decides every step of every row; what there is to say of it.
    fn decide(mut self) -> Vec<String> {
        let loaded = self.loaded;
        let mut later = Vec::with_capacity(loaded.found.steps.len());
        for (row, steps) in loaded.found.steps.iter().enumerate() {
            let features = loaded.prompts.features(row);
            self.recorder.push(Asked::Features(&loaded.requests[row], features));
            let decided = steps.iter().enumerate();
            later.push(decided.map(|(number, step)| self.step(row, (number, step))).collect());
        }
        self.recorder.later = Some(later);
        let name = self.recorder.name;
        let mut notes = Vec::new();
        if self.reading.is_none() {
            notes.push(format!(
                "`{name}` has no readers of answers: it is valued as accepting each first answer"
            ));
        }
        if 0 < self.n_unknown {
            notes.push(format!(
                "`{name}` reads answers, and of {} nothing is kept: what it would have done with \
                 those is not known, and counts as what the logger could not have done",
                wording::count(self.n_unknown)
            ));
        }
        notes
    }

    /// The place in the policy of a model whose answers it reads.
    fn read_model(&self, model: u16) -> Option<usize> {
        let place = self.places[usize::from(model)]?;
        let reading = self.reading.as_ref()?;
        reading.escalation.reader(place).map(|_| place)
    }

    /// A step of which nothing can be said.
    fn unknown(&mut self, propensity: f64) -> LaterStep {
        self.n_unknown += 1;
        let predicted = StepPredictions::default();
        LaterStep { propensity, target: 0.0, unsupported: 1.0, predicted }
    }

    fn step(&mut self, row: usize, (number, step): (usize, &LoggedStep)) -> LaterStep {
        let n_answers = u32::try_from(number + 1).unwrap_or(u32::MAX);
        let model = self.read_model(step.in_hand).filter(|_| n_answers < MOST_ANSWERS);
        match (model, &step.answer) {
            (None, _) => self.accepting(row, step),
            (Some(_), Err(_)) => self.unknown(step.propensity),
            (Some(model), Ok(answer)) => {
                let found = self.reading_step(row, step, (model, n_answers, *answer));
                found.unwrap_or_else(|| self.accepting(row, step))
            }
        }
    }

    /// Accepting for sure; the answer is worth what was predicted of its model.
    fn accepting(&self, row: usize, step: &LoggedStep) -> LaterStep {
        let qualities = &self.recorder.quality[self.recorder.span(row)];
        let place = self.places[usize::from(step.in_hand)];
        let quality = place.and_then(|place| qualities.get(place)).copied().unwrap_or(0.0);
        LaterStep {
            propensity: step.propensity,
            target: if step.is_accepted() { 1.0 } else { 0.0 },
            unsupported: if has_chance(step, step.in_hand) { 0.0 } else { 1.0 },
            predicted: StepPredictions { taken: quality, expected: quality },
        }
    }

    /// What the reader of the answer in hand makes of it; `None` where it is accepted unread.
    fn reading_step(
        &mut self,
        row: usize,
        step: &LoggedStep,
        (model, n_answers, answer): (usize, u32, usize),
    ) -> Option<LaterStep> {
        let Self { recorder, reading, loaded, places, .. } = self;
        let Reading { escalation, workspace } = reading.as_mut()?;
        let request = loaded.requests[row].denying(recorder.denied);
        let (circumstances, none) = (recorder.policy.circumstances(), Answer::default());
        let in_hand = InHand {
            request: &request,
            circumstances: &circumstances,
            answer: &none,
            model,
            n_answers,
            spent: Usd::from_dollars(step.spent_usd).unwrap_or(Usd::ZERO),
        };
        let read = (&loaded.prompts.features(row), &loaded.answers.features(answer));
        let both = (recorder.policy, &*escalation);
        let workspaces = (&mut recorder.workspace, &mut *workspace);
        let settled = distribute_escalation_read(both, &in_hand, read, workspaces);
        if matches!(settled, Some(Settled::NoReader | Settled::LastStep)) {
            return None;
        }
        let mut found = LaterStep {
            propensity: step.propensity,
            target: 0.0,
            unsupported: 0.0,
            predicted: StepPredictions::default(),
        };
        for option in workspace.options() {
            // A model that the log does not know could not have been called.
            let logged = match option.step {
                Step::Accept => Some(step.in_hand),
                Step::Escalate(next) => (0_u16..)
                    .zip(places.iter())
                    .find(|(_, place)| **place == Some(next))
                    .map(|(model, _)| model),
            };
            let (quality, probability) = (option.expected.quality, option.probability.min(1.0));
            found.predicted.expected += probability * quality;
            if logged == Some(step.drawn) {
                found.target = probability;
                found.predicted.taken = quality;
            }
            if !logged.is_some_and(|model| has_chance(step, model)) {
                found.unsupported += probability;
            }
        }
        found.unsupported = found.unsupported.min(1.0);
        Some(found)
    }
}

/// Whether the logger might have drawn a model.
fn has_chance(step: &LoggedStep, model: u16) -> bool {
    step.chances.iter().any(|&(other, _)| other == model)
}

/// The probability of all later steps that were taken, and the share that goes, somewhere on the way,
/// to steps that the logger could not have taken.
pub(super) fn of_later(steps: &[LaterStep]) -> (f64, f64) {
    let (mut target, mut reached, mut unsupported) = (1.0, 1.0, 0.0);
    for step in steps {
        target *= step.target;
        unsupported += reached * step.unsupported;
        reached *= step.target / step.propensity;
    }
    (target, unsupported)
}

/// The doubly robust value by the weights and predictions of each step, for a table of values;
/// `None` where rows are single decisions, or a model of the log is not known.
pub(super) fn per_step(
    recorder: &Recorder<'_>,
    (log, rows): (&TrafficLog, &[usize]),
    target: &Target,
    level: ConfidenceLevel,
) -> Result<Option<ValueRow>> {
    let (Some(later), Some(predictions)) = (&recorder.later, &target.predictions) else {
        return Ok(None);
    };
    let Predictions { taken, expected } = predictions;
    let places = recorder.places(&log.models);
    let of_row = |&row: &usize| -> Vec<trajectory::Step> {
        let logged = &log.rows[row];
        let of_steps: f64 = later[row].iter().map(|step| step.propensity).product();
        let place = places[usize::from(logged.taken)];
        let target = place.map_or(0.0, |place| recorder.probability[recorder.span(row)][place]);
        let first = trajectory::Step {
            // Rounding may leave the quotient above one.
            propensity: (logged.propensity / of_steps).min(1.0),
            target,
            reward: 0.0,
            predicted: StepPredictions { taken: taken[row], expected: expected[row] },
        };
        let next = later[row].iter().map(|step| trajectory::Step {
            propensity: step.propensity,
            target: step.target,
            reward: 0.0,
            predicted: step.predicted,
        });
        let mut steps: Vec<trajectory::Step> = std::iter::once(first).chain(next).collect();
        if let Some(last) = steps.last_mut() {
            last.reward = logged.quality;
        }
        steps
    };
    let steps: Vec<Vec<trajectory::Step>> = rows.iter().map(of_row).collect();
    let checked = Trajectories::new(steps.iter().map(Vec::as_slice))?;
    let found = checked.value(TrajectoryEstimator::DoublyRobust, level)?;
    let mut row = value_row(recorder.name, "DR per step", (found.value, &found.interval), None);
    "predictions of each step; its interval stands alone".clone_into(&mut row.note);
    Ok(Some(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(steps: &[(f64, f64, f64)], expected: (f64, f64)) {
        let step = |&(propensity, target, unsupported): &(f64, f64, f64)| LaterStep {
            propensity,
            target,
            unsupported,
            predicted: StepPredictions::default(),
        };
        let (target, unsupported) = of_later(&steps.iter().map(step).collect::<Vec<_>>());
        assert!((target - expected.0).abs() < 1e-12, "{target}");
        assert!((unsupported - expected.1).abs() < 1e-12, "{unsupported}");
    }

    #[test]
    fn what_cannot_be_supported_counts_as_often_as_it_is_reached() {
        check(&[], (1.0, 0.0));
        check(&[(0.5, 0.25, 0.1)], (0.25, 0.1));
        // The second step is reached half as often as in the log.
        check(&[(0.5, 0.25, 0.1), (1.0, 0.5, 0.2)], (0.125, 0.2));
    }
}
