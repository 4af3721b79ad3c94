//! The journal: decisions and outcomes on disk before anybody is told that they are logged.
//!
//! A folder of append-only segments, one record a line, each with a checksum. A record survives
//! `kill -9` once [`Journal::append_decision`] or [`Journal::settle`] has returned, and a power cut
//! once [`Journal::sync`] has. Records that wait are written in one call. Whatever a crash leaves
//! behind, opening trims and counts it and never refuses; reading passes over what is damaged,
//! counts it, and goes on at the next line.
//!
//! Its weakness is the one writer: a folder belongs to one process, and its index of ids is in
//! that process's memory. It reads no clock and draws no number: times and random bits are
//! arguments. The format stands in `docs/journal-v1.md`.

mod commit;
mod earlier;
mod error;
mod forget;
mod gather;
mod index;
mod line;
mod lock;
mod reader;
mod recover;
mod scan;
mod segments;
mod settings;
mod storage;
mod tail;
mod upkeep;
mod write;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

#[cfg(test)]
pub(crate) use self::index::uuid;
use self::{commit::Commit, earlier::LookedInto, gather::Batch, lock::Lock, tail::Tail};
pub use self::{
    earlier::Earlier,
    error::{AppendError, ForgetError, NotAJournal, OpenError, SyncError},
    forget::{Forgotten, Subject, survey},
    gather::Ticket,
    reader::{Damage, ReadError, Reader, read},
    recover::Recovery,
    segments::{check_journal, is_journal, numbers as segment_numbers},
    settings::Settings,
    storage::{Disk, SegmentFile, Storage},
    upkeep::Upkeep,
    write::Appended,
};

/// A journal that is open for writing, shared by any number of threads.
#[derive(Debug)]
// On cache lines of its own: every call writes to it, and what stands beside it is only read.
#[repr(align(128))]
pub struct Journal {
    dir: PathBuf,
    settings: Settings,
    storage: Arc<dyn Storage>,
    /// What was handed over and is not yet written. Locked after `tail` where both are.
    gathered: Mutex<Batch>,
    tail: Mutex<Tail>,
    commit: Commit,
    looked_into: LookedInto,
    _lock: Lock,
}

/// Where a record ends; later records have larger positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    segment: u64,
    end: u64,
}

/// How a journal is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its segments, the one that is being written among them.
    pub n_segments: u64,
    /// The bytes of all of them.
    pub n_bytes: u64,
    /// The records of all of them.
    pub n_records: u64,
    /// Records that were appended since it was opened.
    pub n_appended: u64,
    /// Records that could not be appended since it was opened.
    pub n_refused: u64,
    /// Segments that were removed since it was opened, to keep within the limits.
    pub n_removed_segments: u64,
    /// The bytes of those.
    pub n_removed_bytes: u64,
    /// The records of those.
    pub n_removed_records: u64,
    /// What failed last, if anything did since it was opened.
    pub last_error: Option<String>,
    /// Whether the last attempt to append or to make durable failed. A service that finds its
    /// journal degraded must not explore, and should try to append again.
    pub is_degraded: bool,
}

/// A lock whose owner may have panicked: what it guards is consistent between any two statements
/// that can fail.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a line of NDJSON has a checksum that does not fit it.
pub(crate) fn is_broken(line: &[u8]) -> bool {
    line::check(line) == line::Seal::Broken
}

#[cfg(test)]
mod tests;
