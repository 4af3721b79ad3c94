//! What of a journal is one subject's: which decisions, what follows them, and where it stands.

use std::{collections::BTreeSet, io, ops::Range, path::Path};

use serde::Deserialize;
use serde_json::Value;

use super::{Forgotten, Subject};
use crate::journal::{
    error::ForgetError,
    index::Key,
    scan::{Piece, Scan, count},
};

/// What says whose a record is and which others it belongs to, of whatever shape it may be.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Names {
    kind: Value,
    id: Value,
    decision_id: Value,
    previous: Value,
    session_id: Value,
    tenant: Value,
    tags: Value,
}

impl Names {
    /// `None` where the line is no object, or has one of these keys twice.
    fn read(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// Whether the record names one of these decisions: as itself, or as the one that it is about
    /// or follows.
    fn names_any(&self, ids: &BTreeSet<Key>) -> bool {
        let named = [&self.id, &self.decision_id, &self.previous];
        named.into_iter().filter_map(Value::as_str).any(|id| ids.contains(&Key::of(id)))
    }
}

/// What one reading of the journal finds of a subject.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// The decisions to forget.
    pub(super) ids: BTreeSet<Key>,
    /// Steps, each behind the decision that it follows.
    steps: Vec<(Key, Key)>,
    /// Of the ids that were asked for, those that are there.
    pub(super) known: BTreeSet<String>,
    pub(super) n_records: u64,
    pub(super) n_unread: u64,
}

impl Search {
    /// A search that knows of the ids what is asked for: where nothing else is, their outcomes go
    /// even without them.
    pub(super) fn of(subject: &Subject) -> Self {
        let mut search = Self::default();
        if !subject.says_more_than_ids() {
            search.ids = subject.decisions.iter().map(|id| Key::of(id)).collect();
        }
        search
    }

    pub(super) fn take(&mut self, line: &[u8], subject: &Subject) {
        self.n_records += 1;
        let Some(names) = Names::read(line) else {
            self.n_unread += 1;
            return;
        };
        let Some(id) = names.id.as_str() else { return };
        let key = Key::of(id);
        if let Some(previous) = names.previous.as_str() {
            self.steps.push((Key::of(previous), key));
        }
        if subject.has(&names) {
            self.ids.insert(key);
            if subject.decisions.contains(id) {
                self.known.insert(id.to_owned());
            }
        }
    }

    /// Adds the steps after what is to be forgotten, and those after them.
    pub(super) fn follow(&mut self) {
        self.steps.sort_unstable();
        let mut waiting: Vec<Key> = self.ids.iter().copied().collect();
        while let Some(key) = waiting.pop() {
            let first = self.steps.partition_point(|(previous, _)| *previous < key);
            let after = self.steps.iter().skip(first).take_while(|(previous, _)| *previous == key);
            for (_, step) in after {
                if self.ids.insert(*step) {
                    waiting.push(*step);
                }
            }
        }
    }
}

/// What is to go from one segment.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    /// Ascending, and no two of them touch.
    pub(super) ranges: Vec<Range<u64>>,
    pub(super) forgotten: Forgotten,
}

impl Cuts {
    pub(super) fn find(path: &Path, ids: &BTreeSet<Key>) -> Result<Self, ForgetError> {
        let mut cuts = Self::default();
        each_line(path, &mut |range, line| {
            if let Some(names) = Names::read(line).filter(|names| names.names_any(ids)) {
                cuts.take(range, &names);
            }
        })?;
        Ok(cuts)
    }

    fn take(&mut self, range: Range<u64>, names: &Names) {
        let counts = &mut self.forgotten;
        let n = match names.kind.as_str() {
            Some("outcome") => &mut counts.n_outcomes,
            Some("decision") if names.previous.is_string() => &mut counts.n_steps,
            Some("decision") => &mut counts.n_decisions,
            Some(_) | None => &mut counts.n_others,
        };
        *n += 1;
        counts.n_bytes += range.end - range.start;
        match self.ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            Some(_) | None => self.ranges.push(range),
        }
    }
}

impl Subject {
    /// Whether a decision is of this subject.
    fn has(&self, names: &Names) -> bool {
        let Self { decisions, tenant, session, tags } = self;
        let is = |found: &Value, asked: Option<&str>| asked.is_none() || found.as_str() == asked;
        let is_named = |id: &str| decisions.contains(id);
        (decisions.is_empty() || names.id.as_str().is_some_and(is_named))
            && is(&names.tenant, tenant.as_deref())
            && is(&names.session_id, session.as_deref())
            && tags.iter().all(|(key, value)| {
                names.tags.get(key).and_then(Value::as_str) == Some(value.as_str())
            })
    }
}

/// Calls `visit` for each whole record of a segment, with the bytes that would have to go with it:
/// its newline too, unless it stands in a damaged line. How many lines are damaged. A segment that
/// was removed with age since it was listed has none.
pub(super) fn each_line(
    path: &Path,
    visit: &mut dyn FnMut(Range<u64>, &[u8]),
) -> Result<u64, ForgetError> {
    let unreadable = |source| ForgetError::Segment { path: path.to_path_buf(), source };
    let mut scan = match Scan::open(path) {
        Ok(scan) => scan,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(unreadable(error)),
    };
    let (mut n_damaged, mut damaged_until) = (0, 0);
    loop {
        match scan.next_piece().map_err(unreadable)? {
            Piece::Sound { offset, line } => {
                let n_bytes = count(line.len()) + u64::from(damaged_until <= offset);
                visit(offset..offset + n_bytes, line);
            }
            Piece::Damaged { n_bytes: _ } => {
                n_damaged += 1;
                damaged_until = scan.position();
            }
            Piece::End { n_torn: _ } => break,
        }
    }
    // What is behind the last newline is no damage: it may be about to be written.
    while let piece @ (Piece::Sound { .. } | Piece::Damaged { .. }) =
        scan.last_piece().map_err(unreadable)?
    {
        if let Piece::Sound { offset, line } = piece {
            visit(offset..offset + count(line.len()), line);
        }
    }
    Ok(n_damaged)
}
