//! An answer is given once its record is written, and is counted then.

use super::{Answer, Keep};
use crate::{
    keys::{Caller, Expense},
    metrics::up,
    problem::{Code, Problem},
    service::Service,
    sessions::Turn,
    settings::WhenFull,
    traces::Span,
};
use pointsman_core::units::{Tokens, Usd};
use pointsman_log::journal::{AppendError, Position};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What an answer changes in the service once it is given.
#[derive(Debug)]
pub(super) struct Counted {
    /// The counter of the drawn model.
    pub(super) drawn: Arc<AtomicU64>,
    pub(super) is_explored: bool,
    pub(super) cost: Option<Usd>,
    /// Of the prompt and, as expected, of the answer.
    pub(super) tokens: Tokens,
    /// What the best single model was expected to cost.
    pub(super) cost_of_best_single: Option<Usd>,
    pub(super) started_ns: u64,
    pub(super) now_ms: u64,
    /// Of the conversation of that name.
    pub(super) turn: Option<(String, Turn)>,
    /// For its trace, where there are traces.
    pub(super) span: Option<Box<Span>>,
}

impl Counted {
    /// What its caller's budgets count.
    pub(super) fn expense(&self) -> Expense {
        Expense::of(self.cost, self.tokens)
    }
}

/// An answer that may be given, and where its record is.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) json: Vec<u8>,
    pub(crate) position: Option<Position>,
}

impl Service {
    /// Gives an answer once its record is written, with one call to the operating system for all
    /// records that wait. Where the journal does not take it, the call is decided again, without
    /// exploring, and its answer says that it is not logged.
    ///
    /// # Errors
    /// [`Problem`] where an answer that is not logged is to be refused.
    pub(crate) fn tell(
        &self,
        answer: Answer,
        (bytes, caller): (&[u8], Option<&Caller>),
    ) -> Result<Told, Problem> {
        let fate = match (&self.journal, &answer.ticket) {
            (Some(journal), Some(ticket)) => Some(journal.settle(ticket)),
            (Some(_) | None, Some(_) | None) => None,
        };
        let (Answer { json, ticket: _, counted }, position) = match fate {
            None => (answer, None),
            Some(Ok(position)) => {
                self.set_degraded(false);
                (answer, Some(position))
            }
            Some(Err(error)) => {
                self.set_degraded(true);
                self.not_logged(&error)?;
                (self.answer(bytes, caller, Keep::Nothing)?, None)
            }
        };
        if position.is_none() {
            up(&self.metrics.n_unlogged);
        }
        self.count(counted, caller, position.is_some());
        Ok(Told { json, position })
    }

    /// Decides a call again whose record could not be made durable, without exploring, and says
    /// that it is not logged. It was counted when its record was written, and is not counted twice.
    ///
    /// # Errors
    /// The `problem` where such a call is to be refused.
    pub(crate) fn route_again(
        &self,
        problem: Problem,
        (bytes, caller): (&[u8], Option<&Caller>),
    ) -> Result<Vec<u8>, Problem> {
        self.may_go_unlogged(problem)?;
        let Answer { json, ticket: _, counted } = self.answer(bytes, caller, Keep::Nothing)?;
        if let Some((conversation, turn)) = counted.turn {
            self.sessions.remember(&conversation, turn);
        }
        Ok(json)
    }

    /// What becomes of a call whose record was written and could not be made durable.
    pub(super) fn may_go_unlogged(&self, problem: Problem) -> Result<(), Problem> {
        match (problem.code, self.settings.journal.when_full) {
            (Code::JournalUnavailable, WhenFull::Serve) => {
                up(&self.metrics.n_unlogged);
                Ok(())
            }
            (_, WhenFull::Serve | WhenFull::Refuse) => Err(problem),
        }
    }

    fn count(&self, counted: Counted, caller: Option<&Caller>, is_logged: bool) {
        let expense = counted.expense();
        let Counted {
            drawn,
            is_explored,
            cost,
            tokens: _,
            cost_of_best_single,
            started_ns,
            now_ms,
            turn,
            span,
        } = counted;
        up(&drawn);
        if is_explored {
            up(&self.metrics.n_explored);
        }
        if let Some(caller) = caller {
            caller.spend(expense, now_ms);
        }
        self.tally.paid(cost, cost_of_best_single);
        if let Some((conversation, turn)) = turn {
            self.sessions.remember(&conversation, turn);
        }
        let took_ns = (self.effects.elapsed_ns)().saturating_sub(started_ns);
        self.metrics.decision(took_ns);
        if let (Some(traces), Some(mut span)) = (&self.traces, span) {
            (span.took_ns, span.is_logged) = (took_ns, is_logged);
            traces.take(*span);
        }
    }

    /// What becomes of a call whose record the journal did not take.
    pub(super) fn not_logged(&self, error: &AppendError) -> Result<(), Problem> {
        match self.settings.journal.when_full {
            WhenFull::Serve => Ok(()),
            WhenFull::Refuse => Err(Problem::new(Code::JournalUnavailable, error.to_string())),
        }
    }

    /// Every call comes by here; what every thread reads is written only where it changes.
    pub(super) fn set_degraded(&self, is_degraded: bool) {
        if self.is_degraded.load(Ordering::Relaxed) != is_degraded {
            self.is_degraded.store(is_degraded, Ordering::Relaxed);
        }
    }
}
