//! Records that wait to be written together, so that one call to the operating system takes many.
//!
//! Whoever appends copies its line to the end of the batch, under a lock that is held no longer
//! than that copy takes. Whoever then is first at the journal's end writes the whole batch in one
//! call; the others find their record written. Nobody waits for company: a record that is alone
//! is written alone. Nothing is acknowledged before the call that wrote it has returned.

use std::sync::{Arc, OnceLock};

use super::{
    Position,
    error::AppendError,
    index::{Key, Kind},
    line,
};

/// The largest buffer that is kept for the next batch.
const MAX_SPARE_BYTES: usize = 1 << 20;

/// A record that was handed over, and what became of it once it was written. One that is dropped
/// is written nevertheless.
#[derive(Debug, Clone, Default)]
pub struct Ticket(Arc<OnceLock<Result<Position, AppendError>>>);

impl Ticket {
    /// Of a record that is not even tried.
    pub(crate) fn refused(error: AppendError) -> Self {
        let ticket = Self::default();
        ticket.settle(Err(error));
        ticket
    }

    /// What became of the record; `None` while it waits.
    pub(crate) fn known(&self) -> Option<Result<Position, AppendError>> {
        self.0.get().cloned()
    }

    /// Says what became of the record. What was said first stays.
    pub(crate) fn settle(&self, fate: Result<Position, AppendError>) {
        let _is_first = self.0.set(fate);
    }
}

/// What the journal has to know of a record besides its line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    /// Whose it is.
    pub(crate) key: Key,
    /// What it is.
    pub(crate) kind: Kind,
    /// Its time.
    pub(crate) ts_ms: u64,
}

/// A record that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// The bytes of its line, checksum and newline included.
    pub(crate) n_bytes: usize,
    pub(crate) mark: Mark,
    pub(crate) ticket: Ticket,
}

/// Lines one after the other, and what they are.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) lines: Vec<u8>,
    pub(crate) waiting: Vec<Waiting>,
}

impl Batch {
    /// Adds a JSON object, neither empty nor sealed, whose checksum is `crc`.
    pub(crate) fn push(&mut self, json: &[u8], crc: u32, mark: Mark) -> Ticket {
        let before = self.lines.len();
        line::write(&mut self.lines, json, crc);
        let n_bytes = self.lines.len() - before;
        let ticket = Ticket::default();
        self.waiting.push(Waiting { n_bytes, mark, ticket: ticket.clone() });
        ticket
    }

    /// Lets go of what was written; keeps its room, unless that is much.
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
        self.waiting.clear();
        if MAX_SPARE_BYTES < self.lines.capacity() {
            self.lines = Vec::new();
        }
    }
}
