//! The end of the journal: the segment that is being written, and what becomes of it when a write
//! fails.
//!
//! A record is in the journal once the operating system has all of it. What it took only in part
//! is cut off again before anything else is written; where that cannot be done the segment is
//! given up at its last good byte, so that half a record never stands in front of a whole one.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use super::{
    Position,
    error::{AppendError, is_full},
    gather::{Batch, Mark, Ticket, Waiting},
    index::{Entry, Index},
    locked,
    scan::count,
    segments::segment_path,
    storage::{SegmentFile, Storage},
};

/// The segment that is being written.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) number: u64,
    pub(crate) file: Arc<dyn SegmentFile>,
    /// Its good bytes.
    pub(crate) n_bytes: u64,
    /// The time of its first record.
    pub(crate) first_ms: u64,
    newest_ms: u64,
    /// Whether there may be bytes after the good ones.
    is_ragged: bool,
}

/// What the journal knows of its end.
#[derive(Debug)]
pub(crate) struct Tail {
    dir: PathBuf,
    storage: Arc<dyn Storage>,
    segment_bytes: u64,
    next_number: u64,
    pub(crate) active: Option<Active>,
    /// The end of the last record that was written.
    pub(crate) last: Position,
    /// Segments that are written to the end and not yet made durable.
    pub(crate) ended: Vec<Arc<dyn SegmentFile>>,
    /// Whether there are files whose names are not yet durable.
    pub(crate) is_dir_new: bool,
    /// Whether the disk failed to make something durable, and has yet to prove itself.
    is_suspect: bool,
    pub(crate) index: Index,
    /// Room for the next batch.
    spare: Batch,
    /// Sealed segments without an index file.
    pub(crate) unindexed: Vec<u64>,
    pub(crate) counts: Counts,
}

/// What happened since the journal was opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub(crate) n_appended: u64,
    pub(crate) n_refused: u64,
    pub(crate) n_removed_segments: u64,
    pub(crate) n_removed_bytes: u64,
    pub(crate) n_removed_records: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) is_degraded: bool,
}

impl Tail {
    pub(crate) fn new(
        dir: &Path,
        storage: Arc<dyn Storage>,
        segment_bytes: u64,
        (next_number, index): (u64, Index),
    ) -> Self {
        Self {
            dir: dir.to_path_buf(),
            storage,
            segment_bytes,
            next_number,
            active: None,
            last: Position { segment: 0, end: 0 },
            ended: Vec::new(),
            is_dir_new: true,
            is_suspect: false,
            index,
            spare: Batch::default(),
            unindexed: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// The number under which records of the active segment are found.
    pub(crate) fn active_number(&self) -> u64 {
        self.active.as_ref().map_or(self.next_number, |active| active.number)
    }

    /// Writes everything that was gathered, as few calls as the segments allow, and says of each
    /// record what became of it.
    pub(crate) fn flush(&mut self, gathered: &Mutex<Batch>) {
        let mut batch = std::mem::take(&mut self.spare);
        std::mem::swap(&mut *locked(gathered), &mut batch);
        let (mut lines, mut waiting) = (&batch.lines[..], &batch.waiting[..]);
        while !waiting.is_empty() {
            let (n_settled, n_bytes) = self.write(lines, waiting);
            if n_settled == 0 {
                break;
            }
            lines = lines.get(n_bytes..).unwrap_or_default();
            waiting = waiting.get(n_settled..).unwrap_or_default();
        }
        batch.clear();
        self.spare = batch;
    }

    /// Writes a line, all of it or nothing.
    pub(crate) fn append(&mut self, line: &[u8], mark: Mark) -> Result<Position, AppendError> {
        let ticket = Ticket::default();
        self.write(line, &[Waiting { n_bytes: line.len(), mark, ticket: ticket.clone() }]);
        let never = || Err(failure(&self.dir, io::ErrorKind::NotFound.into()));
        ticket.known().unwrap_or_else(never)
    }

    /// Says that a record is not in the segment of that number, and why.
    fn refuse(&mut self, segment: u64, record: &Waiting, source: io::Error) {
        let error = failure(&segment_path(&self.dir, segment), source);
        self.counts.n_refused += 1;
        self.note(&error);
        record.ticket.settle(Err(error));
    }

    /// Remembers a failure for whoever asks how the journal is.
    pub(crate) fn note(&mut self, error: &dyn std::error::Error) {
        self.counts.last_error = Some(error.to_string());
        self.counts.is_degraded = true;
    }

    /// Writes the first of some lines, in one call as many as the segment has room for. How many
    /// records it settled, at least one, and the bytes of their lines.
    ///
    /// Records that the operating system took whole are in the journal, also where it then failed;
    /// the first that it did not take whole is refused.
    fn write(&mut self, lines: &[u8], waiting: &[Waiting]) -> (usize, usize) {
        let Some(first) = waiting.first() else { return (0, 0) };
        if let Err(source) = self.make_room(first) {
            self.refuse(self.active_number(), first, source);
            return (1, first.n_bytes);
        }
        let Some(active) = &self.active else { return (0, 0) };
        let n_fitting = fitting(waiting, self.segment_bytes.saturating_sub(active.n_bytes));
        let file = Arc::clone(&active.file);
        let (n_taken, failed) = write_all(&*file, lines.get(..n_fitting).unwrap_or_default());
        let (mut n_settled, mut n_bytes) = (0, 0);
        for record in waiting {
            if n_taken < n_bytes + record.n_bytes {
                break;
            }
            self.keep(record);
            n_settled += 1;
            n_bytes += record.n_bytes;
        }
        if let (Some(source), Some(record)) = (failed, waiting.get(n_settled)) {
            let segment = self.active_number();
            self.cut(&source);
            self.refuse(segment, record, source);
            n_settled += 1;
            n_bytes += record.n_bytes;
        }
        (n_settled, n_bytes)
    }

    /// Sees to it that there is a segment with room for a record, and nothing ragged at its end.
    fn make_room(&mut self, record: &Waiting) -> io::Result<()> {
        let has_room = |active: &Active| {
            active.n_bytes == 0 || active.n_bytes + count(record.n_bytes) <= self.segment_bytes
        };
        if self.active.as_ref().is_some_and(|active| !has_room(active)) {
            self.end_segment();
        }
        if self.active.is_none() {
            self.begin_segment(&segment_path(&self.dir, self.next_number))?;
        }
        self.mend()
    }

    /// Takes a record that was written for one of the segment's.
    fn keep(&mut self, record: &Waiting) {
        let Some(active) = &mut self.active else { return };
        let Waiting { n_bytes, mark: Mark { key, kind, ts_ms }, ticket } = record;
        if active.n_bytes == 0 {
            active.first_ms = *ts_ms;
        }
        self.index.insert(Entry::new(*key, *kind, active.n_bytes));
        active.newest_ms = active.newest_ms.max(*ts_ms);
        active.n_bytes += count(*n_bytes);
        self.last = Position { segment: active.number, end: active.n_bytes };
        self.counts.n_appended += 1;
        self.counts.is_degraded = false;
        ticket.settle(Ok(self.last));
    }

    /// Cuts off what a failed write left; ends the segment where that is not enough.
    fn cut(&mut self, source: &io::Error) {
        let Some(active) = &mut self.active else { return };
        active.is_ragged = true;
        let is_mended = active.file.truncate(active.n_bytes).is_ok();
        active.is_ragged = !is_mended;
        // An empty segment is kept and tried again: a disk that takes nothing would else be filled
        // with the names of empty files. One that is only too large is ended.
        let may_go_on = is_full(source) && source.kind() != io::ErrorKind::FileTooLarge;
        if 0 < active.n_bytes && !(is_mended && may_go_on) {
            self.end_segment();
        }
    }

    fn begin_segment(&mut self, path: &Path) -> io::Result<()> {
        let file: Arc<dyn SegmentFile> = self.storage.create(path)?.into();
        self.is_dir_new = true;
        let number = self.next_number;
        self.next_number += 1;
        self.active =
            Some(Active { number, file, n_bytes: 0, first_ms: 0, newest_ms: 0, is_ragged: false });
        Ok(())
    }

    /// Cuts off what a failed write left, and lets a disk that failed prove itself.
    fn mend(&mut self) -> io::Result<()> {
        let Some(active) = &mut self.active else { return Ok(()) };
        if active.is_ragged {
            active.file.truncate(active.n_bytes)?;
            active.is_ragged = false;
        }
        if self.is_suspect {
            active.file.sync()?;
            self.storage.sync_dir(&self.dir)?;
            self.is_suspect = false;
        }
        Ok(())
    }

    /// Ends the segment that is being written; the next record begins another one.
    pub(crate) fn end_segment(&mut self) {
        if let Some(active) = self.active.take() {
            self.index.seal(active.number, active.n_bytes, active.newest_ms);
            self.unindexed.push(active.number);
            self.ended.push(active.file);
        }
    }

    /// Gives up what was written since the last success of [`SegmentFile::sync`]: none of its
    /// files is asked again, and the next record begins another one.
    pub(crate) fn give_up(&mut self) {
        if self.active.as_ref().is_some_and(|active| 0 < active.n_bytes) {
            self.end_segment();
        }
        self.ended.clear();
        self.is_suspect = true;
    }
}

/// The bytes of the first of some records, as many as go into `room`, and at least one.
fn fitting(waiting: &[Waiting], room: u64) -> usize {
    let mut n_bytes = 0;
    for record in waiting {
        if 0 < n_bytes && room < count(n_bytes + record.n_bytes) {
            break;
        }
        n_bytes += record.n_bytes;
    }
    n_bytes
}

/// Writes all bytes, however few the file takes at a time; how many it took, and why not all.
fn write_all(file: &dyn SegmentFile, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut n_taken = 0;
    while let Some(rest) = bytes.get(n_taken..).filter(|rest| !rest.is_empty()) {
        match file.append(rest) {
            Ok(0) => return (n_taken, Some(io::ErrorKind::WriteZero.into())),
            Ok(n) => n_taken += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (n_taken, Some(error)),
        }
    }
    (n_taken, None)
}

pub(crate) fn failure(path: &Path, source: io::Error) -> AppendError {
    let (path, is_full) = (path.to_path_buf(), is_full(&source));
    let source = Arc::new(source);
    if is_full { AppendError::Full { path, source } } else { AppendError::Io { path, source } }
}
