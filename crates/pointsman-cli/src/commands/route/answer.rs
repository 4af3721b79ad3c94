//! `route --answer`: the decision after an answer, accept it or call another model.

use super::{TERMS_SHOWN, name_of};
use crate::{files, nearest::did_you_mean, policy_flags::LoadedPolicy, screen::Screen, wording};
use anyhow::{Context, Result, bail};
use pointsman_core::{
    answer::{Answer, FinishReason},
    escalation::{
        EscalationDecision, EscalationOption, EscalationPolicy, EscalationWorkspace,
        GainExplanation, InHand, Settled, Step, decide_escalation, explain_gain,
    },
    explain::Effect,
    policy::Workspace,
    request::Request,
    units::{Probability, Usd},
};
use pointsman_log::body::AnswerBody;
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

/// Flags of `route` about an answer in hand.
#[derive(Debug, clap::Args)]
pub(super) struct AnswerFlags {
    /// An answer to the request: decide whether it will do, or which model to call next.
    #[arg(long, value_name = "FILE", requires = "answered_by")]
    pub(super) answer: Option<PathBuf>,
    /// The model that gave the answer.
    #[arg(long, value_name = "MODEL", requires = "answer")]
    answered_by: Option<String>,
    /// Why the answer ends where it does, such as `stop` or `length`.
    #[arg(long, value_name = "REASON", requires = "answer")]
    finish_reason: Option<String>,
    /// What the answers so far have cost; counts against a cap on cost.
    #[arg(long, value_name = "USD", requires = "answer")]
    spent_usd: Option<f64>,
}

/// The reasons why an answer ends; providers' other names for them are read too.
const FINISH_REASONS: [&str; 4] = ["stop", "length", "tool_calls", "content_filter"];

/// What was asked, of which policy.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a, 'r> {
    pub(crate) loaded: &'a LoadedPolicy,
    pub(crate) request: &'a Request<'r>,
    pub(crate) draw: Probability,
    pub(crate) is_explained: bool,
}

/// An answer, who gave it, and what was spent until then.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a, 't> {
    pub(crate) answer: &'a Answer<'t>,
    pub(crate) answered_by: &'a str,
    pub(crate) spent: Usd,
}

/// A step, with everything that might have been done.
struct Decided<'a> {
    decision: EscalationDecision,
    options: &'a [EscalationOption],
    first: &'a Workspace,
    in_hand: &'a str,
}

impl AnswerFlags {
    /// Decides after the answer in `path`, says so, and gives it as JSON; `body` is that of the
    /// request, where it has one.
    pub(super) fn decide(
        &self,
        (path, body): (&Path, Option<&[u8]>),
        asked: Asked<'_, '_>,
        screen: &Screen,
    ) -> Result<Value> {
        let answered_by = self.answered_by.as_deref().unwrap_or_default();
        asked.check(answered_by)?;
        let finish = self.finish()?;
        let bytes = files::read(path)?;
        let text = String::from_utf8(bytes)
            .with_context(|| format!("--answer {}: it is not UTF-8 text", path.display()))?;
        let wanted = body.map(AnswerBody::of_call).transpose().context("standard input")?;
        let wanted = wanted.unwrap_or_default();
        let answer = Answer { text: Cow::Borrowed(&text), finish, ..wanted.to_answer() };
        let spent = self.spent_usd.map(Usd::from_dollars).transpose().context("--spent-usd")?;
        let spent = spent.unwrap_or(Usd::ZERO);
        asked.after(&Given { answer: &answer, answered_by, spent }, screen)
    }

    /// Why the answer ends, as it was typed.
    fn finish(&self) -> Result<FinishReason> {
        let Some(name) = &self.finish_reason else { return Ok(FinishReason::Unknown) };
        let reason = FinishReason::named(name);
        if reason == FinishReason::Unknown {
            let known = FINISH_REASONS.join(", ");
            let question = did_you_mean(name, FINISH_REASONS);
            bail!("--finish-reason: `{name}` is not known; it is one of {known}{question}");
        }
        Ok(reason)
    }
}

impl Asked<'_, '_> {
    /// The place in the policy of who answered.
    fn check(&self, answered_by: &str) -> Result<usize> {
        let loaded = self.loaded;
        if loaded.artifact.readers().is_empty() {
            bail!(
                "the policy `{}` reads no answers; train it with --table and --answers, or from a \
                 log with steps after answers",
                loaded.name
            );
        }
        let Some(model) = loaded.policy.models().position(|known| known == answered_by) else {
            let question = did_you_mean(answered_by, loaded.policy.models());
            bail!("--answered-by: the policy has no model `{answered_by}`{question}");
        };
        Ok(model)
    }

    /// Decides after an answer, says so, and gives it as JSON.
    pub(crate) fn after(&self, given: &Given<'_, '_>, screen: &Screen) -> Result<Value> {
        let Self { loaded, request, draw, is_explained } = *self;
        let Given { answer, answered_by: name, spent } = *given;
        let model = self.check(name)?;
        let readers = loaded.artifact.readers();
        let circumstances = loaded.policy.circumstances();
        let in_hand =
            InHand { request, circumstances: &circumstances, answer, model, n_answers: 1, spent };
        // One answer is in hand, and one more may be asked for.
        let escalation = EscalationPolicy::new(readers.to_vec(), &loaded.policy, 2)?;
        let mut first = Workspace::new(&loaded.policy);
        let mut second = EscalationWorkspace::new(&escalation);
        let both = (&loaded.policy, &escalation);
        let decision = decide_escalation(both, &in_hand, draw, (&mut first, &mut second));
        let decided = Decided { decision, options: second.options(), first: &first, in_hand: name };
        let explanation = escalation.reader(model).filter(|_| is_explained).and_then(|reader| {
            let next = decided.explained()?;
            let column = 1 + reader.next.iter().position(|&model| model == next)?;
            Some((next, explain_gain(reader, &in_hand, column, &second)))
        });
        decided.describe(loaded, screen)?;
        if let Some((next, explanation)) = &explanation {
            describe_gain(explanation, name_of(loaded, *next), screen)?;
        }
        Ok(decided.json(loaded, explanation.as_ref().map(|(_, explanation)| explanation)))
    }
}

impl Decided<'_> {
    /// The next model whose gain is explained: the one that is called, else the best that might be.
    fn explained(&self) -> Option<usize> {
        if let Step::Escalate(model) = self.decision.step {
            return Some(model);
        }
        let next = self.options.iter().filter_map(|option| match option.step {
            Step::Escalate(model) => Some((model, option.utility)),
            Step::Accept => None,
        });
        next.reduce(|best, one| if best.1 < one.1 { one } else { best }).map(|(model, _)| model)
    }

    fn provider<'l>(&self, loaded: &'l LoadedPolicy, step: Step) -> Option<&'l str> {
        let Step::Escalate(model) = step else { return None };
        loaded.policy.provider(model, self.first.candidates().get(model)?)
    }

    /// Whose answer a step leads to.
    fn model<'s>(&'s self, loaded: &'s LoadedPolicy, step: Step) -> &'s str {
        match step {
            Step::Accept => self.in_hand,
            Step::Escalate(model) => name_of(loaded, model),
        }
    }

    /// Why there was nothing to choose, if so.
    fn settled(&self) -> Option<String> {
        Some(match self.decision.settled? {
            Settled::NoReader => {
                format!("nothing was learned about the answers of {}", self.in_hand)
            }
            Settled::LastStep => "a cascade ends here".to_owned(),
            Settled::NoneEligible => "no other model may answer".to_owned(),
        })
    }

    fn describe(&self, loaded: &LoadedPolicy, screen: &Screen) -> Result<()> {
        let step = self.decision.step;
        let model = self.model(loaded, step);
        let what = match step {
            Step::Accept => format!("accept the answer of {model}"),
            Step::Escalate(_) => {
                let at = self.provider(loaded, step).map(|provider| format!(" at {provider}"));
                format!("escalate to {model}{}", at.unwrap_or_default())
            }
        };
        let propensity = self.decision.propensity.get();
        let objective = &loaded.objective;
        screen.say(&format!("{what} (objective {objective}, propensity {propensity:.4})"))?;
        if let Some(settled) = self.settled() {
            screen.say(&settled)?;
        }
        if self.decision.settled == Some(Settled::NoReader) {
            return Ok(());
        }
        let rows = self.options.iter().map(|option| {
            let model = self.model(loaded, option.step);
            let name = match option.step {
                Step::Accept => format!("accept {model}"),
                Step::Escalate(_) => format!("call {model}"),
            };
            let cost = option.expected.cost.map(|cost| wording::per_thousand(cost.as_dollars()));
            [
                name,
                wording::predicted(option.expected.quality),
                cost.unwrap_or_else(|| "-".to_owned()),
                format!("{:.4}", option.probability),
                option.excluded_by.map_or_else(String::new, |reason| reason.to_string()),
            ]
        });
        let header = ["step", "quality", "more per 1,000 requests", "probability", "excluded"];
        screen.table(header, rows)?;
        if 0 < self.decision.n_bytes_cut {
            screen.say(&wording::counted_length(
                self.decision.n_bytes_cut,
                "byte in the middle of the answer was not read",
                "bytes in the middle of the answer were not read",
            ))?;
        }
        Ok(())
    }

    fn json(&self, loaded: &LoadedPolicy, explanation: Option<&GainExplanation>) -> Value {
        let is_read = self.decision.settled != Some(Settled::NoReader);
        let quality = |option: &EscalationOption| is_read.then_some(option.expected.quality);
        let candidate = |option: &EscalationOption| {
            json!({
                "decision": decision_name(option.step),
                "model": self.model(loaded, option.step),
                "provider": self.provider(loaded, option.step),
                "quality": quality(option),
                "cost_usd": option.expected.cost.map(Usd::as_dollars),
                "probability": option.probability,
                "excluded_by": option.excluded_by.map(|reason| reason.to_string()),
            })
        };
        let step = self.decision.step;
        json!({
            "decision": decision_name(step),
            "model": self.model(loaded, step),
            "provider": self.provider(loaded, step),
            "propensity": self.decision.propensity.get(),
            "quality": self.options.first().and_then(quality),
            "reasons": self.settled().into_iter().collect::<Vec<_>>(),
            "objective": loaded.objective,
            "policy": {"name": loaded.artifact.card().name, "digest": loaded.artifact.digest()},
            "candidates": self.options.iter().map(candidate).collect::<Vec<_>>(),
            "n_bytes_cut": self.decision.n_bytes_cut,
            "explanation": explanation.map(|it| json!({
                "gain": it.gain,
                "standing": it.standing,
                "answer_terms": effects(&it.answer_terms),
                "prompt_terms": effects(&it.prompt_terms),
                "inputs": effects(&it.inputs),
            })),
        })
    }
}

fn decision_name(step: Step) -> &'static str {
    match step {
        Step::Accept => "accept",
        Step::Escalate(_) => "escalate",
    }
}

fn effects(effects: &[Effect]) -> Vec<Value> {
    effects.iter().map(|it| json!({"source": it.source, "quality": it.quality})).collect()
}

/// What moved the predicted gain of one next model.
fn describe_gain(explanation: &GainExplanation, next: &str, screen: &Screen) -> Result<()> {
    let GainExplanation { gain, standing, answer_terms, prompt_terms, inputs } = explanation;
    screen.say(&format!(
        "\n{next} is expected to gain {gain:+.4} on the answer in hand: {standing:+.4} whatever was asked \
         and answered, and the rest by what was read, of which this moves it most:"
    ))?;
    let rows_of = |effects: &[Effect], n: usize, whose: &str| -> Vec<[String; 2]> {
        let row = |effect: &Effect| {
            let source = wording::excerpt(&effect.source, 40);
            let source = if whose.is_empty() { source } else { format!("{whose}: `{source}`") };
            [source, format!("{:+.4}", effect.quality)]
        };
        effects.iter().take(n).map(row).collect()
    };
    let rows = [
        rows_of(inputs, TERMS_SHOWN, ""),
        rows_of(answer_terms, TERMS_SHOWN / 2, "answer"),
        rows_of(prompt_terms, TERMS_SHOWN / 2, "prompt"),
    ];
    screen.table(["signs and words", "effect"], rows.concat())
}
