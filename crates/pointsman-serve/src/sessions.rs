//! Conversations: which model answered last, so that the next turn knows what a switch would cost.
//!
//! So many are remembered, and the oldest make room. Its weakness: they are remembered by one
//! process; behind a balancer a conversation should come back to the same one.

use pointsman_core::{
    circumstances::{Held, Switch},
    units::Tokens,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::loaded::Loaded;

/// The conversations that are remembered.
#[derive(Debug)]
pub(crate) struct Sessions {
    most: usize,
    cache_ms: u64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    turns: BTreeMap<Arc<str>, Turn>,
    /// Oldest first.
    order: VecDeque<Arc<str>>,
}

/// The last turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) model: String,
    pub(crate) provider: Option<String>,
    pub(crate) input_tokens: Tokens,
    /// When it was decided, by a clock that never steps.
    pub(crate) at_ms: u64,
    pub(crate) decision_id: String,
}

impl Sessions {
    pub(crate) fn new(most: usize, cache_ms: u64) -> Self {
        Self { most, cache_ms, known: Mutex::new(Known::default()) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last turn of a conversation.
    pub(crate) fn last(&self, id: &str) -> Option<Turn> {
        self.known().turns.get(id).cloned()
    }

    /// Remembers a turn.
    pub(crate) fn remember(&self, id: &str, turn: Turn) {
        let mut known = self.known();
        if let Some(last) = known.turns.get_mut(id) {
            *last = turn;
            return;
        }
        while self.most <= known.turns.len() {
            let Some(oldest) = known.order.pop_front() else { return };
            known.turns.remove(&oldest);
        }
        let id: Arc<str> = Arc::from(id);
        known.turns.insert(Arc::clone(&id), turn);
        known.order.push_back(id);
    }

    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.known().turns.len()
    }

    /// A last turn as the decision takes it; `None` where its model or endpoint is gone.
    pub(crate) fn held(
        &self,
        turn: &Turn,
        loaded: &Loaded,
        (switch, elapsed_ms): (Switch, u64),
    ) -> Option<Held> {
        let model = loaded.policy.models().position(|name| name == turn.model)?;
        let endpoints = &loaded.policy.listed(model)?.endpoints;
        let endpoint =
            endpoints.iter().position(|one| Some(&one.provider) == turn.provider.as_ref());
        let is_cached = elapsed_ms.saturating_sub(turn.at_ms) <= self.cache_ms;
        let cached = if is_cached { turn.input_tokens } else { Tokens::default() };
        Some(Held { model, endpoint: endpoint?, cached, switch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(model: &str) -> Turn {
        Turn {
            model: model.to_owned(),
            provider: None,
            input_tokens: Tokens::new(1),
            at_ms: 0,
            decision_id: String::new(),
        }
    }

    #[test]
    fn the_oldest_makes_room() {
        let sessions = Sessions::new(2, 0);
        for id in ["a", "b", "a", "c"] {
            sessions.remember(id, turn(id));
        }
        let known = ["a", "b", "c"].map(|id| sessions.last(id).map(|turn| turn.model));
        assert_eq!(known, [None, Some("b".to_owned()), Some("c".to_owned())]);
        assert_eq!(sessions.len(), 2);
        let none = Sessions::new(0, 0);
        none.remember("a", turn("a"));
        assert_eq!(none.len(), 0);
    }
}
