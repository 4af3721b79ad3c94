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
    escalation::{
        EscalationDecision, EscalationOption, EscalationPolicy, EscalationWorkspace,
        GainExplanation, InHand, Settled, Step, distribute_escalation, explain_gain,
    },
    explorer::Explorer,
    policy::Workspace,
    units::{Probability, Tokens, Usd},
};
use pointsman_log::{
    body::{AnswerBody, Explain, Explore},
    journal::{AppendError, Earlier, Ticket},
};

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

/// A step that was drawn, and how.
struct Drawn {
    decision: EscalationDecision,
    draw: Probability,
    is_explored: bool,
    /// Whether another step might have been drawn.
    is_random: bool,
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

    /// Draws a step; explores only where the caller, the journal and the budget allow it.
    fn choose_step(
        &self,
        (escalation, hand): (&EscalationPolicy, &Hand<'_, '_>),
        explore: Explore,
        (first, second): (&mut Workspace, &mut EscalationWorkspace),
    ) -> Drawn {
        let service = self.service;
        let policies = (&self.force.loaded.policy, escalation);
        let may_explore = self.may_explore(explore);
        let mut distribute = |explorer, second: &mut EscalationWorkspace| {
            self.with_hand(hand, explorer, |in_hand| {
                distribute_escalation(policies, in_hand, (&mut *first, second))
            })
        };
        let explorer = if may_explore { service.explorer } else { Explorer::GREEDY };
        let mut made = distribute(explorer, &mut *second);
        let mut reserved = None;
        if may_explore {
            if made.0.is_none() {
                reserved = service.budget.reserve(most_extra(second.options()), self.now_ms);
            }
            if reserved.is_none() {
                made = distribute(Explorer::GREEDY, &mut *second);
            }
        }
        let draw = service.effects.draw();
        let decision = second.draw(draw, made);
        let best = best_of(second.options());
        let is_random = reserved.is_some();
        let is_explored = best.is_some_and(|best| best.step != decision.step);
        if let Some(reserved) = reserved {
            let drawn = second.options().iter().find(|option| option.step == decision.step);
            let extra = cost(drawn).nanos().saturating_sub(cost(best).nanos());
            service.budget.settle(reserved, is_explored.then_some(Usd::from_nanos(extra)));
        }
        Drawn { decision, draw, is_explored, is_random }
    }

    /// What moved the predicted gain of the drawn model, or of the best one where the answer is
    /// accepted; nothing where the answer was not read.
    fn explain_step(
        &self,
        (escalation, hand): (&EscalationPolicy, &Hand<'_, '_>),
        drawn: &Drawn,
        second: &EscalationWorkspace,
    ) -> Option<GainExplanation> {
        if !drawn.is_read() {
            return None;
        }
        let reader = escalation.reader(hand.model)?;
        let next = match drawn.decision.step {
            Step::Escalate(model) => model,
            Step::Accept => best_next(second.options())?.0,
        };
        let column = 1 + reader.next.iter().position(|&model| model == next)?;
        Some(self.with_hand(hand, Explorer::GREEDY, |in_hand| {
            explain_gain(reader, in_hand, column, second)
        }))
    }
}

impl Drawn {
    /// Whether the answer was read at all.
    fn is_read(&self) -> bool {
        !matches!(self.decision.settled, Some(Settled::LastStep | Settled::NoReader))
    }
}

/// The first of the options with the highest utility.
fn best_of(options: &[EscalationOption]) -> Option<&EscalationOption> {
    options.iter().reduce(|best, option| if best.utility < option.utility { option } else { best })
}

/// The next model of the highest utility among those that may answer.
fn best_next(options: &[EscalationOption]) -> Option<(usize, &EscalationOption)> {
    let next = options.iter().filter(|option| option.excluded_by.is_none()).filter_map(|option| {
        match option.step {
            Step::Escalate(model) => Some((model, option)),
            Step::Accept => None,
        }
    });
    next.reduce(|best, one| if best.1.utility < one.1.utility { one } else { best })
}

fn cost(option: Option<&EscalationOption>) -> Usd {
    option.and_then(|option| option.expected.cost).unwrap_or(Usd::ZERO)
}

/// By how much a step that may be drawn is expected to cost more than the best one.
fn most_extra(options: &[EscalationOption]) -> Usd {
    let best = cost(best_of(options)).nanos();
    let possible = options.iter().filter(|option| 0.0 < option.probability);
    let extra = |option: &EscalationOption| cost(Some(option)).nanos().saturating_sub(best);
    Usd::from_nanos(possible.map(extra).max().unwrap_or(0))
}
