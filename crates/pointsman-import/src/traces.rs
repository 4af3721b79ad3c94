//! Which calls belong to which trace, for scores of traces.
//!
//! It is built once every call is known, and only where such scores are there. What comes after it is
//! full belongs to no trace, and is counted.

use std::collections::HashMap;

use crate::known::{IdHash, hash};

/// The most calls that are kept: about 800 MB with ids of 36 characters.
const MAX_CALLS: usize = 5_000_000;

/// The calls of every trace, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    calls: HashMap<IdHash, Vec<String>>,
    n_calls: usize,
    /// Calls that there was no room for.
    pub(crate) n_left_out: u64,
}

impl Traces {
    /// Takes note that the decision belongs to the trace.
    pub(crate) fn link(&mut self, trace: &str, decision_id: &str) {
        if MAX_CALLS <= self.n_calls {
            self.n_left_out += 1;
            return;
        }
        let calls = self.calls.entry(hash(trace)).or_default();
        if calls.last().is_none_or(|last| last != decision_id) {
            calls.push(decision_id.to_owned());
            self.n_calls += 1;
        }
    }

    /// The decisions of a trace.
    pub(crate) fn of(&self, trace: &str) -> &[String] {
        self.calls.get(&hash(trace)).map(Vec::as_slice).unwrap_or_default()
    }
}
