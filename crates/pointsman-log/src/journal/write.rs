//! What is written to a journal: records, checked and sealed before anybody waits for the disk.

use serde::Deserialize;
use std::borrow::Cow;

use super::{
    Journal, Position, State,
    commit::Round,
    error::{AppendError, SyncError},
    gather::{Mark, Ticket},
    index::{Key, Kind, Place},
    line, locked,
    scan::count,
    tail::{Active, failure},
};
use crate::{
    ids::DecisionId,
    ndjson::{self, MAX_LINE_BYTES},
    record::{self, DecisionRecord, OutcomeRecord, Record},
};

/// What became of an outcome. [`Journal::sync`] at either position makes it durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is in the journal now.
    New(Position),
    /// It had been in the journal; nothing was written.
    Already(Position),
}

/// What says whose a record is.
#[derive(Debug, Deserialize)]
pub(crate) struct Head<'a> {
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    decision_id: Option<Cow<'a, str>>,
    ts_ms: u64,
}

impl Head<'_> {
    /// What the index keeps of a record, and its time.
    pub(crate) fn read(line: &[u8]) -> Option<(Key, Kind, u64)> {
        let head: Head<'_> = serde_json::from_slice(line).ok()?;
        match (&*head.kind, &head.id, &head.decision_id) {
            ("decision", Some(id), _) => Some((Key::of(id), Kind::Decision, head.ts_ms)),
            ("outcome", _, Some(id)) => Some((Key::of(id), Kind::Outcome, head.ts_ms)),
            (_, _, _) => None,
        }
    }
}

impl Journal {
    /// Appends a decision. When this returns, the operating system has it: it survives the end of
    /// this process, however that comes.
    ///
    /// # Errors
    /// [`AppendError`] for a decision that fails its check or is longer than any reader reads, and
    /// where the operating system does not take it. Nothing of it is in the journal then, and the
    /// next attempt starts afresh.
    pub fn append_decision(&self, decision: &DecisionRecord) -> Result<Position, AppendError> {
        self.settle(&self.gather_decision(decision)?)
    }

    /// Hands over a decision, to be written together with others.
    pub(super) fn gather_decision(&self, decision: &DecisionRecord) -> Result<Ticket, AppendError> {
        decision.check()?;
        let json = record::decision_json(decision).map_err(|error| not_a_record(&error))?;
        let (key, ts_ms) = (Key::of(&decision.id), decision.ts_ms);
        Ok(self.gather(&json, Mark { key, kind: Kind::Decision, ts_ms }))
    }

    /// Appends a decision that is JSON already: an object with `"v"`, `"kind":"decision"`, `"id"`
    /// and `"ts_ms"` and without a newline. Only these are looked at.
    ///
    /// # Errors
    /// As [`Self::append_decision`], and [`AppendError::NotARecord`] for other bytes.
    pub fn append_json(&self, json: &[u8]) -> Result<Position, AppendError> {
        let not = |reason: &str| AppendError::NotARecord { reason: reason.to_owned() };
        if json.contains(&b'\n') || json.last() != Some(&b'}') || !json.starts_with(b"{\"v\":") {
            return Err(not("it has to be one line, from {\"v\": to }"));
        }
        let Some((key, Kind::Decision, ts_ms)) = Head::read(json) else {
            return Err(not("it has to be a decision with id and ts_ms"));
        };
        self.settle(&self.gather(json, Mark { key, kind: Kind::Decision, ts_ms }))
    }

    /// Hands over a decision that its maker has just written as JSON: one line, from `{"v":` to
    /// `}`, with this id and time. Nothing of it is looked at, which is what makes this the fast
    /// way in.
    ///
    /// It is written by whoever calls [`Self::settle`] next, together with everything else that
    /// waits, and is not in the journal before [`Self::settle`] says so.
    pub fn gather_made(&self, json: &[u8], id: DecisionId, ts_ms: u64) -> Ticket {
        debug_assert!(json.starts_with(b"{\"v\":") && json.ends_with(b"}"));
        let key = Key::of_number(id.number());
        self.gather(json, Mark { key, kind: Kind::Decision, ts_ms })
    }

    /// Sees to it that a record that was handed over is written: writes all that wait in one call,
    /// unless somebody else has just done so. When this returns, the operating system has the
    /// record, as with [`Self::append_decision`].
    ///
    /// # Errors
    /// As [`Self::append_decision`]. Of records that were written together, those that the
    /// operating system took whole are in the journal, and only the others are refused.
    pub fn settle(&self, ticket: &Ticket) -> Result<Position, AppendError> {
        if let Some(fate) = ticket.known() {
            return fate;
        }
        let mut tail = locked(&self.tail);
        if ticket.known().is_none() {
            tail.flush(&self.gathered);
        }
        drop(tail);
        // A ticket of another journal is never settled here.
        let never = || Err(failure(&self.dir, std::io::ErrorKind::NotFound.into()));
        ticket.known().unwrap_or_else(never)
    }

    /// Appends an outcome, unless it is there already.
    ///
    /// A decision may have several outcomes that complete each other, such as tokens first and a
    /// grade later. One that says what was said before is [`Appended::Already`]; its own time
    /// does not count.
    ///
    /// # Errors
    /// As [`Self::append_decision`]; [`AppendError::UnknownDecision`] where its decision is not in
    /// the journal, and [`AppendError::Conflict`] where an earlier outcome says otherwise.
    pub fn append_outcome(&self, outcome: &OutcomeRecord) -> Result<Appended, AppendError> {
        outcome.check()?;
        let json = record::outcome_json(outcome).map_err(|error| not_a_record(&error))?;
        let key = Key::of(&outcome.decision_id);
        let mark = Mark { key, kind: Kind::Outcome, ts_ms: outcome.ts_ms };
        check_length(&json)?;
        let mut line = Vec::new();
        line::write(&mut line, &json, line::checksum(&json));
        let mut tail = locked(&self.tail);
        let places = tail.index.find(key, tail.active_number());
        if !places.iter().any(|place| place.kind == Kind::Decision) {
            return Err(AppendError::UnknownDecision { id: outcome.decision_id.clone() });
        }
        for earlier in self.outcomes_at(&places) {
            if earlier.says_as(outcome) {
                return Ok(Appended::Already(tail.last));
            }
            if let Some(field) = earlier.contradicts(outcome) {
                return Err(AppendError::Conflict { id: outcome.decision_id.clone(), field });
            }
        }
        tail.append(&line, mark).map(Appended::New)
    }

    /// The decision of that id, where the journal holds it whole.
    pub fn decision(&self, id: &str) -> Option<Box<DecisionRecord>> {
        let tail = locked(&self.tail);
        let places = tail.index.find(Key::of(id), tail.active_number());
        drop(tail);
        places.into_iter().find_map(|place| match self.record_at(place) {
            Some(Record::Decision(decision)) if decision.id == id => Some(decision),
            Some(_) | None => None,
        })
    }

    /// Whether the journal holds a decision of that id.
    pub fn has_decision(&self, id: &str) -> bool {
        let tail = locked(&self.tail);
        let places = tail.index.find(Key::of(id), tail.active_number());
        places.iter().any(|place| place.kind == Kind::Decision)
    }

    /// Waits until everything up to `position` is durable, together with whoever else waits.
    ///
    /// # Errors
    /// [`SyncError`] where the disk failed: the record may survive a power cut or may not.
    pub fn sync(&self, position: Position) -> Result<(), SyncError> {
        self.commit.wait(position, &|| self.sync_round())
    }

    /// How the journal is doing.
    pub fn state(&self) -> State {
        let tail = locked(&self.tail);
        let sealed = tail.index.sealed();
        let active = tail.active.as_ref().map_or(0, |active| active.n_bytes);
        let (n_segments, n_bytes) = sealed
            .fold((u64::from(tail.active.is_some()), active), |(n, bytes), (_, segment)| {
                (n + 1, bytes + segment.n_bytes)
            });
        let counts = tail.counts.clone();
        State {
            n_segments,
            n_bytes,
            n_records: tail.index.n_records(),
            n_appended: counts.n_appended,
            n_refused: counts.n_refused,
            n_removed_segments: counts.n_removed_segments,
            n_removed_bytes: counts.n_removed_bytes,
            n_removed_records: counts.n_removed_records,
            last_error: counts.last_error,
            is_degraded: counts.is_degraded,
        }
    }

    /// Hands over a JSON object; its checksum is made before anybody has to wait for it.
    fn gather(&self, json: &[u8], mark: Mark) -> Ticket {
        if let Err(error) = check_length(json) {
            return Ticket::refused(error);
        }
        let crc = line::checksum(json);
        locked(&self.gathered).push(json, crc, mark)
    }

    /// One call to the disk for everything that was written.
    pub(super) fn sync_round(&self) -> Round {
        let (ended, active, is_dir_new, last) = {
            let mut tail = locked(&self.tail);
            let active = tail.active.as_ref().map(|Active { file, .. }| file.clone());
            let is_dir_new = std::mem::take(&mut tail.is_dir_new);
            (std::mem::take(&mut tail.ended), active, is_dir_new, tail.last)
        };
        let synced = ended
            .iter()
            .chain(&active)
            .try_for_each(|file| file.sync())
            .and_then(|()| if is_dir_new { self.storage.sync_dir(&self.dir) } else { Ok(()) });
        match synced {
            Ok(()) => Round::Durable(last),
            Err(error) => {
                let mut tail = locked(&self.tail);
                tail.is_dir_new = true;
                tail.note(&error);
                tail.give_up();
                Round::Lost(tail.last, error)
            }
        }
    }

    /// The outcomes at some places; what is damaged says nothing.
    fn outcomes_at(&self, places: &[Place]) -> Vec<OutcomeRecord> {
        let is_outcome = |place: &&Place| place.kind == Kind::Outcome;
        let read = |place: &Place| match self.record_at(*place) {
            Some(Record::Outcome(outcome)) => Some(*outcome),
            Some(_) | None => None,
        };
        places.iter().filter(is_outcome).filter_map(read).collect()
    }

    fn record_at(&self, place: Place) -> Option<Record> {
        ndjson::parse(&self.line_of(place)?).ok()
    }
}

fn check_length(json: &[u8]) -> Result<(), AppendError> {
    let n_bytes = count(line::length(json));
    if MAX_LINE_BYTES < n_bytes {
        return Err(AppendError::TooLong { n_bytes, limit: MAX_LINE_BYTES });
    }
    Ok(())
}

fn not_a_record(error: &serde_json::Error) -> AppendError {
    AppendError::NotARecord { reason: error.to_string() }
}
