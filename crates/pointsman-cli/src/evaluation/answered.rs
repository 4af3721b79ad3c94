//! Policies on an outcome table beside which their models' answers are known: what each would have
//! done after every answer that it has a reader for, until one is given.
//!
//! Every model's outcome is known, so a cascade's quality is that of the answer that is given and its
//! cost that of all answers, each as likely as it is. Weakness: what was spent so far is what the
//! policy expected; all answers of the models that are read stand in memory; a model that is called
//! twice gives its one known answer again.

use super::{Recorder, Settings, cascades::Reading};
use crate::{screen::Screen, wording};
use anyhow::{Result, bail};
use pointsman_core::{
    answer::{Answer, FinishReason},
    circumstances::Outlook,
    escalation::{InHand, MOST_ANSWERS, Step, distribute_escalation},
    request::Request,
    units::Usd,
};
use pointsman_data::{OutcomeTable, ReadOptions, read_answers, read_outcomes};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// What comes of one policy's cascades; both of the shape `(requests, models of the policy)`.
pub(super) struct Whole {
    /// How likely each model's answer is the one that is given.
    pub(super) given: Vec<f64>,
    /// How often each model is called.
    pub(super) calls: Vec<f64>,
}

/// One model's answer to one prompt.
struct Text {
    model: String,
    answer: String,
    finish: FinishReason,
}

/// The answers to each prompt, by its id.
type Texts = BTreeMap<String, Vec<Text>>;

/// One policy on its way through the table.
struct Following<'a, 'p> {
    recorder: &'a mut Recorder<'p>,
    reading: Reading,
    whole: Whole,
    /// Answers that would have been read and are not there.
    n_unread: u64,
    /// The models of those to the request at hand: several ways may lead to the same answer.
    unread: Vec<usize>,
}

/// An answer that was asked for.
#[derive(Clone, Copy)]
struct Asked {
    /// Who gives it, by its place in the policy.
    model: usize,
    /// How likely it is asked for.
    probability: f64,
    /// Answers so far, with this one.
    n_answers: u32,
    /// What those before it cost.
    spent: Usd,
}

/// Makes first decisions count on what may follow, where there are answers and something reads them.
pub(super) fn foresee(answers: &[PathBuf], recorders: &mut [Recorder<'_>]) -> Result<()> {
    if answers.is_empty() {
        return Ok(());
    }
    let mut n_readers = 0;
    for recorder in recorders {
        if !recorder.artifact.readers().is_empty() {
            recorder.outlook = Outlook::Cascade;
            n_readers += 1;
        }
    }
    if n_readers == 0 {
        bail!(
            "--answers: no policy reads answers; leave it out, or train one with `train --answers`"
        );
    }
    Ok(())
}

/// What a table without answers does not tell of policies that read them.
fn unread(settings: &Settings) -> Vec<String> {
    let readers = settings.all_policies().filter(|loaded| !loaded.artifact.readers().is_empty());
    let unread = readers.map(|loaded| {
        format!(
            "`{}` reads answers, and a table has none: its values are those of its first decisions, \
             each answer accepted and chosen as if it were final; pass its models' answers with \
             --answers",
            loaded.name
        )
    });
    unread.collect()
}

/// Where a table and its models' answers are, and what was read of the table.
pub(super) type Source<'a> = ((&'a [PathBuf], &'a [PathBuf]), (&'a OutcomeTable, &'a ReadOptions));

/// Follows every policy that reads answers from its first decisions, which were made, to the answers
/// that are given; `None` for a policy without readers, and where there are no answers. Also what is
/// to be said of it.
pub(super) fn follow(
    ((paths, answers), (table, options)): Source<'_>,
    recorders: &mut [Recorder<'_>],
    (settings, screen): (&Settings, &Screen),
) -> Result<(Vec<Option<Whole>>, Vec<String>)> {
    if answers.is_empty() {
        return Ok((recorders.iter().map(|_| None).collect(), unread(settings)));
    }
    let texts = read(answers, recorders, (table, screen))?;
    let mut all = Vec::with_capacity(recorders.len());
    for recorder in recorders.iter_mut() {
        let reading = Reading::of(recorder)?;
        all.push(reading.map(move |reading| Following::new(recorder, reading)));
    }
    read_outcomes(paths, options, &mut |prompt, request| {
        let known = table.prompts.get(prompt).and_then(|known| texts.get(&known.id));
        let known = known.map(Vec::as_slice).unwrap_or_default();
        for following in all.iter_mut().flatten() {
            following.push(request, known);
        }
    })?;
    let mut notes = vec![
        "quality is that of the answer that is given, cost that of all answers; what moves between \
         models is not shown, and a frontier is that of first answers"
            .to_owned(),
    ];
    for following in all.iter().flatten().filter(|following| 0 < following.n_unread) {
        notes.push(format!(
            "`{}` reads answers of which {} are not in the files of --answers; those are accepted, \
             also where a model was chosen first for what may follow its answer, so that the \
             values may be too low",
            following.recorder.name,
            wording::count(following.n_unread)
        ));
    }
    Ok((all.into_iter().map(|following| following.map(|it| it.whole)).collect(), notes))
}

/// The answers of all models that any policy reads to prompts of the table; of several to one prompt the
/// first.
fn read(
    answers: &[PathBuf],
    recorders: &[Recorder<'_>],
    (table, screen): (&OutcomeTable, &Screen),
) -> Result<Texts> {
    let is_read = |name: &str| {
        recorders.iter().any(|recorder| {
            let models = &recorder.artifact.card().models;
            let mut readers = recorder.artifact.readers().iter();
            readers.any(|reader| models.get(reader.model).is_some_and(|model| model == name))
        })
    };
    let prompts: BTreeSet<&str> = table.prompts.iter().map(|prompt| prompt.id.as_str()).collect();
    let mut texts = Texts::new();
    let (mut n_strange, mut n_repeated) = (0, 0);
    let mut counts = read_answers(answers, &mut |row| {
        if !is_read(row.model) {
            return;
        }
        if !prompts.contains(row.prompt_id) {
            n_strange += 1;
            return;
        }
        let of_prompt = texts.entry(row.prompt_id.to_owned()).or_default();
        if of_prompt.iter().any(|text| text.model == row.model) {
            n_repeated += 1;
            return;
        }
        of_prompt.push(Text {
            model: row.model.to_owned(),
            answer: row.answer.to_owned(),
            finish: row.finish_reason.map_or(FinishReason::Unknown, FinishReason::named),
        });
    })?;
    counts.dropped.insert("the prompt is not in the table".to_owned(), n_strange);
    counts.dropped.insert("the prompt has an answer of the model already".to_owned(), n_repeated);
    if let Some(line) = wording::dropped(&counts.dropped) {
        screen.say(&format!("answers: {line}"))?;
    }
    if texts.is_empty() {
        bail!(
            "--answers: there is no answer to a prompt of the table of any model whose answers a policy \
             reads; `inspect` names those models"
        );
    }
    Ok(texts)
}

impl<'a, 'p> Following<'a, 'p> {
    fn new(recorder: &'a mut Recorder<'p>, reading: Reading) -> Self {
        let whole = Whole { given: Vec::new(), calls: Vec::new() };
        Self { recorder, reading, whole, n_unread: 0, unread: Vec::new() }
    }

    /// Follows the next request of the table.
    fn push(&mut self, request: &Request<'_>, texts: &[Text]) {
        let n_models = self.recorder.n_models;
        let row = self.whole.given.len();
        self.whole.given.resize(row + n_models, 0.0);
        self.whole.calls.resize(row + n_models, 0.0);
        let request = request.denying(self.recorder.denied);
        self.unread.clear();
        for model in 0..n_models {
            let probability = self.recorder.probability[row + model];
            if 0.0 < probability {
                let asked = Asked { model, probability, n_answers: 1, spent: Usd::ZERO };
                self.answered((&request, texts), row, asked);
            }
        }
    }

    /// What comes of one answer to the request whose numbers begin at `row`.
    fn answered(&mut self, of: (&Request<'_>, &[Text]), row: usize, asked: Asked) {
        let Asked { model, probability, n_answers, spent } = asked;
        self.whole.calls[row + model] += probability;
        let cost = Usd::from_dollars(self.recorder.cost_usd[row + model]);
        let spent = spent.saturating_add(cost.unwrap_or(Usd::ZERO));
        for (step, share) in self.steps(of, Asked { spent, ..asked }) {
            let probability = probability * share;
            match step {
                Step::Accept => self.whole.given[row + model] += probability,
                Step::Escalate(model) => {
                    let next = Asked { model, probability, n_answers: n_answers + 1, spent };
                    self.answered(of, row, next);
                }
            }
        }
    }

    /// What the policy does with an answer, each step with its probability; all so far is spent.
    fn steps(
        &mut self,
        (request, texts): (&Request<'_>, &[Text]),
        Asked { model, probability: _, n_answers, spent }: Asked,
    ) -> Vec<(Step, f64)> {
        let accepted = vec![(Step::Accept, 1.0)];
        if MOST_ANSWERS <= n_answers || self.reading.escalation.reader(model).is_none() {
            return accepted;
        }
        let name = self.recorder.policy.models().nth(model).unwrap_or_default();
        let Some(text) = texts.iter().find(|text| text.model == name) else {
            if !self.unread.contains(&model) {
                self.unread.push(model);
                self.n_unread += 1;
            }
            return accepted;
        };
        let answer = Answer {
            text: Cow::Borrowed(text.answer.as_str()),
            finish: text.finish,
            ..Answer::default()
        };
        let circumstances = self.recorder.policy.circumstances();
        let in_hand = InHand {
            request,
            circumstances: &circumstances,
            answer: &answer,
            model,
            n_answers,
            spent,
        };
        let both = (self.recorder.policy, &self.reading.escalation);
        let workspaces = (&mut self.recorder.workspace, &mut self.reading.workspace);
        distribute_escalation(both, &in_hand, workspaces);
        let options = self.reading.workspace.options().iter();
        let possible = options.filter(|option| 0.0 < option.probability);
        possible.map(|option| (option.step, option.probability)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy_flags::PolicyFlags;
    use pointsman_core::artifact::Artifact;

    /// It is reached by itself, and after the answer of another model.
    #[test]
    fn an_answer_that_is_not_there_counts_once() {
        let file = include_bytes!("../../../../tests/golden/artifact-v1-answers.safetensors");
        let explore = "epsilon:0.5".parse().unwrap();
        let flags = PolicyFlags { explore, ..PolicyFlags::default() };
        let artifact = Artifact::from_bytes(file).unwrap();
        let loaded = flags.apply(artifact, "policy".to_owned(), None).unwrap();
        let mut recorder = Recorder::new(&loaded);
        let request = Request::from_prompt("How much is 2 + 2?");
        recorder.push(pointsman_data::Asked::Text(&request));
        let reading = Reading::of(&recorder).unwrap().unwrap();
        let mut following = Following::new(&mut recorder, reading);
        let (model, answer) = ("small".to_owned(), "It is 4.".to_owned());
        following.push(&request, &[Text { model, answer, finish: FinishReason::Unknown }]);
        assert_eq!(following.n_unread, 1, "that of the other model with a reader");
        let sum = |all: &[f64]| all.iter().sum::<f64>();
        assert!((sum(&following.whole.given) - 1.0).abs() < 1e-9, "{:?}", following.whole.given);
        assert!(1.0 < sum(&following.whole.calls), "{:?}", following.whole.calls);
    }
}
