//! After an answer: accept it, or call another model. The step is a decision of its own, with a
//! propensity of its own and a record that names the decision before it.
//!
//! Nothing is kept of an earlier call that would do: the caller sends the request again. What the
//! answers so far have cost is carried from step to step in the records. Weakness: that an answer
//! and a request belong to the decision that is named cannot be seen, and is believed.

use super::{Around, Keep, Told, scoped};
use crate::{
    desk,
    keys::{Caller, Expense},
    loaded::Loaded,
    metrics::up,
    problem::{Code, Problem},
    service::Service,
    sessions::Turn,
};
use pointsman_core::{
    answer::Answer,
    catalog::Endpoint,
    escalation::InHand,
    explorer::Explorer,
    units::{Tokens, Usd},
};
use pointsman_log::{
    body::{AnswerBody, Explain},
    journal::{AppendError, Earlier, Ticket},
};

mod drawing;
mod telling;

use telling::Telling;

/// An answer in hand, and its cascade so far.
struct Hand<'a, 't> {
    answer: &'a Answer<'t>,
    earlier: &'a Earlier,
    /// Who gave it.
    name: &'a str,
    /// Its place in the policy; beyond the last where the policy does not have it.
    model: usize,
    /// Of all answers so far.
    spent: Usd,
    /// Where the cost of this answer is from.
    spent_from: &'static str,
}

/// A step that must not be told before its record is written.
#[derive(Debug)]
pub(crate) struct Taken {
    json: Vec<u8>,
    ticket: Option<Ticket>,
    started_ns: u64,
    /// The model that is to be called, if one is.
    called: Option<Called>,
    is_explored: bool,
    /// Of the conversation of that name.
    turn: Option<(String, Turn)>,
}

/// A model that is to be called after an answer.
#[derive(Debug)]
struct Called {
    model: usize,
    cost: Option<Usd>,
    /// Of the prompt and, as expected, of its answer.
    tokens: Tokens,
}

impl Service {
    /// Decides what to do with an answer and hands that to the journal.
    ///
    /// # Errors
    /// [`Problem`] for a body that is no request with an answer, a policy that reads no answers, a
    /// decision that is not known here, and an objective that is not known.
    pub(crate) fn escalate(&self, bytes: &[u8], caller: Option<&Caller>) -> Result<Taken, Problem> {
        let started_ns = (self.effects.elapsed_ns)();
        self.take_step((bytes, caller), (Keep::Record, started_ns))
    }

    /// Tells a step once its record is written, as [`Self::tell`] tells a first decision.
    ///
    /// # Errors
    /// [`Problem`] where a step that is not logged is to be refused.
    pub(crate) fn tell_step(
        &self,
        taken: Taken,
        (bytes, caller): (&[u8], Option<&Caller>),
    ) -> Result<Told, Problem> {
        let started_ns = taken.started_ns;
        let fate = match (&self.journal, &taken.ticket) {
            (Some(journal), Some(ticket)) => Some(journal.settle(ticket)),
            (Some(_) | None, Some(_) | None) => None,
        };
        let (taken, position) = match fate {
            None => (taken, None),
            Some(Ok(position)) => {
                self.set_degraded(false);
                (taken, Some(position))
            }
            Some(Err(error)) => {
                self.set_degraded(true);
                self.not_logged(&error)?;
                (self.take_step((bytes, caller), (Keep::Nothing, started_ns))?, None)
            }
        };
        if position.is_none() {
            up(&self.metrics.n_unlogged);
        }
        let Taken { json, ticket: _, started_ns: _, called, is_explored, turn } = taken;
        up(&self.metrics.n_steps);
        if is_explored {
            up(&self.metrics.n_explored);
        }
        if let Some(Called { model, cost, tokens }) = called {
            up(&self.metrics.n_escalated);
            if let Some(drawn) = self.force.load().drawn.get(model) {
                up(drawn);
            }
            if let Some(cost) = cost {
                self.tally.escalated(cost);
            }
            if let Some(caller) = caller {
                caller.spend(Expense::of(cost, tokens), self.now_ms());
            }
        }
        if let Some((conversation, turn)) = turn {
            self.sessions.remember(&conversation, turn);
        }
        Ok(Told { json, position })
    }

    /// Decides a step again whose record could not be made durable, as [`Self::route_again`] does.
    ///
    /// # Errors
    /// The `problem` where such a call is to be refused.
    pub(crate) fn escalate_again(
        &self,
        problem: Problem,
        (bytes, caller): (&[u8], Option<&Caller>),
    ) -> Result<Vec<u8>, Problem> {
        self.may_go_unlogged(problem)?;
        let started_ns = (self.effects.elapsed_ns)();
        let taken = self.take_step((bytes, caller), (Keep::Nothing, started_ns))?;
        if let Some((conversation, turn)) = taken.turn {
            self.sessions.remember(&conversation, turn);
        }
        Ok(taken.json)
    }

    fn take_step(
        &self,
        (bytes, caller): (&[u8], Option<&Caller>),
        (keep, started_ns): (Keep, u64),
    ) -> Result<Taken, Problem> {
        let (body, given) = AnswerBody::beside_call(bytes)?;
        if keep == Keep::Record {
            self.note_unknown_keys(&body);
        }
        let force = self.force.load();
        let loaded: &Loaded = &force.loaded;
        let Some(escalation) = &loaded.escalation else {
            let message = "the policy reads no answers; train it with --table and --answers, or from \
                           a log with steps after answers";
            return Err(Problem::new(Code::NoReaders, message));
        };
        let (objective, aim) = loaded.objective(body.asks.aim.as_ref())?;
        let earlier = self.earlier(&given.decision_id, caller)?;
        let (request, answer) = (body.to_request(), given.to_answer());
        let name = given.served_model.as_deref().unwrap_or(earlier.drawn.as_str());
        let known = loaded.models.iter().position(|model| model.name == name);
        let expected = || self.expected_cost(&earlier.id, name);
        let (cost, spent_from) = cost_of(&given, known, loaded, expected);
        let before = earlier.spent_usd.and_then(|dollars| Usd::from_dollars(dollars).ok());
        let hand = Hand {
            answer: &answer,
            earlier: &earlier,
            name,
            model: known.unwrap_or(loaded.models.len()),
            spent: before.unwrap_or(Usd::ZERO) + cost,
            spent_from,
        };
        let now_ms = self.now_ms();
        let around = Around {
            service: self,
            force: &force,
            request: &request,
            aim,
            held: None,
            outlook: body.asks.outlook,
            now_ms,
            keep,
        };
        let id = self.ids.next(now_ms, (self.effects.random)());
        Ok(desk::with(|desk| {
            let mut first = desk.take(loaded);
            let mut second = desk.take_reading(loaded, escalation);
            let of = (escalation, &hand);
            let drawn = around.choose_step(of, body.asks.explore, (&mut first, &mut second));
            let explanation = (body.asks.explain == Explain::Yes)
                .then(|| around.explain_step(of, &drawn, &second))
                .flatten();
            let telling = Telling {
                around: &around,
                hand: &hand,
                drawn: &drawn,
                id,
                objective: &objective,
                started_ns,
                workspaces: (&first, &second),
            };
            let conversation = earlier.session_id.as_deref().map(|id| scoped(caller, id));
            let taken = telling.finish(desk, &body, explanation.as_ref(), conversation);
            desk.put_back(loaded, first);
            desk.put_back_reading(loaded, second);
            taken
        }))
    }

    /// What a model's answer had been expected to cost when it was decided to call it.
    fn expected_cost(&self, id: &str, model: &str) -> Option<Usd> {
        let decision = self.journal.as_ref()?.decision(id)?;
        // Of a step the first is to accept the answer in hand, which calls nobody.
        let mut called = decision.candidates.iter().skip(usize::from(decision.step.is_some()));
        let candidate = called.find(|candidate| candidate.model == model)?;
        Usd::from_dollars(candidate.cost_usd?).ok()
    }

    /// The decision that an answer belongs to.
    fn earlier(&self, id: &str, caller: Option<&Caller>) -> Result<Earlier, Problem> {
        let Some(journal) = &self.journal else {
            let message = "this service keeps no journal, so it knows no decisions";
            return Err(Problem::new(Code::UnknownDecision, message));
        };
        let is_callers = |decision: &Earlier| {
            caller.is_none_or(|caller| decision.tenant.as_deref() == Some(&caller.key.name))
        };
        journal.earlier(id).filter(|decision| is_callers(decision)).ok_or_else(|| {
            let message = AppendError::UnknownDecision { id: id.to_owned() };
            Problem::new(Code::UnknownDecision, message.to_string())
        })
    }
}

impl Taken {
    /// Whether its record waits to be written.
    pub(crate) const fn waits(&self) -> bool {
        self.ticket.is_some()
    }
}

/// What an answer cost, and who says so: the caller, the tokens that were billed at the cheapest of
/// the model's providers, or what had been expected of it.
fn cost_of(
    given: &AnswerBody<'_>,
    model: Option<usize>,
    loaded: &Loaded,
    expected: impl FnOnce() -> Option<Usd>,
) -> (Usd, &'static str) {
    if let Some(cost) = given.cost {
        return (cost, "caller");
    }
    let listed = model.and_then(|model| loaded.policy.listed(model));
    if let (Some(listed), Some(input), Some(output)) =
        (listed, given.input_tokens, given.output_tokens)
    {
        let cost = |endpoint: &Endpoint| {
            endpoint.input.of(Tokens::new(input)) + endpoint.output.of(Tokens::new(output))
        };
        if let Some(cost) = listed.endpoints.iter().map(cost).min() {
            return (cost, "usage");
        }
    }
    match expected() {
        Some(cost) => (cost, "expected"),
        None => (Usd::ZERO, "unknown"),
    }
}

impl Hand<'_, '_> {
    /// Answers so far, with this one: which step is decided now.
    fn n_answers(&self) -> u32 {
        self.earlier.step.unwrap_or(0).saturating_add(1)
    }
}

impl Around<'_, '_> {
    /// Hands over what is known of the answer.
    fn with_hand<T>(
        &self,
        hand: &Hand<'_, '_>,
        explorer: Explorer,
        work: impl FnOnce(&InHand<'_, '_, '_>) -> T,
    ) -> T {
        self.with(explorer, |circumstances| {
            work(&InHand {
                request: self.request,
                circumstances,
                answer: hand.answer,
                model: hand.model,
                n_answers: hand.n_answers(),
                spent: hand.spent,
            })
        })
    }
}
