//! The draw of a step: whether it explores is settled before, as for a first decision, by what the
//! dearest step that may be drawn is expected to cost above the best one. Its weakness: a step whose cost
//! nobody knows is taken for free.

use super::{Around, Hand};
use pointsman_core::{
    escalation::{
        EscalationDecision, EscalationOption, EscalationPolicy, EscalationWorkspace,
        GainExplanation, Settled, Step, distribute_escalation, explain_gain,
    },
    explorer::Explorer,
    policy::Workspace,
    units::{Probability, Usd},
};
use pointsman_log::body::Explore;

/// A step that was drawn, and how.
pub(super) struct Drawn {
    pub(super) decision: EscalationDecision,
    pub(super) draw: Probability,
    pub(super) is_explored: bool,
    /// Whether another step might have been drawn.
    pub(super) is_random: bool,
}

impl Around<'_, '_> {
    /// Draws a step; explores only where the caller, the journal and the budget allow it.
    pub(super) fn choose_step(
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
    pub(super) fn explain_step(
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
    pub(super) fn is_read(&self) -> bool {
        !matches!(self.decision.settled, Some(Settled::LastStep | Settled::NoReader))
    }
}

/// The first of the options with the highest utility.
fn best_of(options: &[EscalationOption]) -> Option<&EscalationOption> {
    options.iter().reduce(|best, option| if best.utility < option.utility { option } else { best })
}

/// The next model of the highest utility among those that may answer.
pub(super) fn best_next(options: &[EscalationOption]) -> Option<(usize, &EscalationOption)> {
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
