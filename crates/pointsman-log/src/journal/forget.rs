//! Forgetting: all that a journal holds of one subject is taken out of its segments.
//!
//! A decision is of a subject by what its record says: id, tenant, session, metadata. With it go
//! its outcomes and the steps after it, and theirs, wherever they stand; every other byte stays as
//! it is. A segment that loses something is written anew beside itself and then takes its own name,
//! so that a crash leaves the old one or the new one. The newest segments come first: what follows a
//! decision stands behind it, and is found as long as the decision is there, so that a run that was
//! cut off is simply run again. A segment that has lost everything stays as an empty file: its
//! number is not given again, and no reader takes it for lost.
//!
//! Its weakness is what nobody can read: a damaged line is kept and counted, whosever it was.

mod search;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    ops::Range,
    path::Path,
};

use self::search::{Cuts, Search, each_line};
use super::{
    Journal,
    error::ForgetError,
    index::SegmentIndex,
    recover::Found,
    scan::count,
    segments::{index_path, leftovers, numbers, partial_path, segment_path},
    storage::{SegmentFile, give_to_owner_of},
};

/// Bytes that are copied at a time.
const CHUNK_BYTES: usize = 1 << 18;

/// Whose records are to go: a decision is of the subject where all holds that is said here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// It has one of these ids, where there are any.
    pub decisions: BTreeSet<String>,
    /// It was made on behalf of this tenant.
    pub tenant: Option<String>,
    /// It belongs to this conversation.
    pub session: Option<String>,
    /// It has all of these tags, which callers send as metadata.
    pub tags: BTreeMap<String, String>,
}

/// What was taken out of a journal, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Segments that were looked at.
    pub n_segments: u64,
    /// Whole records in them.
    pub n_records: u64,
    /// First decisions that went.
    pub n_decisions: u64,
    /// Steps after an answer that went.
    pub n_steps: u64,
    /// Outcomes that went.
    pub n_outcomes: u64,
    /// Records of other kinds that went, since they name what was forgotten.
    pub n_others: u64,
    /// The bytes of all these.
    pub n_bytes: u64,
    /// Segments that lost something, ascending.
    pub segments: Vec<u64>,
    /// Those of them that have nothing left, ascending.
    pub emptied: Vec<u64>,
    /// Of [`Subject::decisions`], those that the journal does not hold.
    pub unknown: Vec<String>,
    /// Damaged lines, which stay: nobody can say whose they are.
    pub n_damaged_lines: u64,
    /// Whole lines of which nothing could be read, which stay.
    pub n_unread: u64,
}

/// Says what [`Journal::forget`] would take out of the journal in `dir`, and changes nothing.
/// `on_record` is called for each record.
///
/// The journal may be written meanwhile.
///
/// # Errors
/// [`ForgetError`] for a subject of which nothing is said, and where a segment cannot be read.
pub fn survey(
    dir: &Path,
    subject: &Subject,
    on_record: &mut dyn FnMut(),
) -> Result<Forgotten, ForgetError> {
    look(dir, subject, on_record, &mut |_, _| Ok(()))
}

impl Journal {
    /// Takes everything that is of the subject out of the journal, durably, and ends it. `on_record`
    /// is called for each record that was there.
    ///
    /// The rest stays in its order, byte for byte. A crash at any moment leaves a journal that opens,
    /// and to forget again then finishes.
    ///
    /// # Errors
    /// [`ForgetError`] for a subject of which nothing is said, and where a segment cannot be read or
    /// written; some of the subject may be gone then.
    pub fn forget(
        self,
        subject: &Subject,
        on_record: &mut dyn FnMut(),
    ) -> Result<Forgotten, ForgetError> {
        subject.check()?;
        self.finish()?;
        self.clear_leftovers()?;
        let forgotten =
            look(&self.dir, subject, on_record, &mut |number, cuts| self.rewrite(number, cuts))?;
        self.storage.sync_dir(&self.dir).map_err(unwritten(&self.dir))?;
        Ok(forgotten)
    }

    /// Removes what an earlier crash left: it may name whom nobody looks for there.
    fn clear_leftovers(&self) -> Result<(), ForgetError> {
        let unlisted = |source| ForgetError::Folder { dir: self.dir.clone(), source };
        let numbers = numbers(&self.dir).map_err(unlisted)?;
        for path in leftovers(&self.dir, &numbers).map_err(unlisted)? {
            self.storage.remove(&path).map_err(unwritten(&path))?;
        }
        Ok(())
    }

    /// Writes a segment anew without some of its bytes, and then its index.
    fn rewrite(&self, number: u64, cuts: &[Range<u64>]) -> Result<(), ForgetError> {
        let path = segment_path(&self.dir, number);
        let beside = partial_path(&path);
        let written = self
            .write_beside(&path, &beside, cuts)
            .and_then(|()| self.storage.rename(&beside, &path));
        if written.is_err() {
            // The reason is reported; what is left over goes the next time.
            drop(self.storage.remove(&beside));
        }
        // Before an older segment loses a decision, what followed it is gone for good.
        let durable = written.and_then(|()| self.storage.sync_dir(&self.dir));
        durable.map_err(unwritten(&path))?;
        let mut found = Found::default();
        each_line(&path, &mut |range, line| found.take(range.start, line))?;
        let n_bytes = length(&path)?;
        let index = SegmentIndex::new(n_bytes, found.newest_ms, found.entries);
        let index_path = index_path(&self.dir, number);
        let written = self.storage.replace(&index_path, &index.to_bytes());
        written.and_then(|()| give_to_owner_of(&path, &index_path)).map_err(unwritten(&index_path))
    }

    /// Copies a file without some of its bytes.
    fn write_beside(&self, path: &Path, beside: &Path, cuts: &[Range<u64>]) -> io::Result<()> {
        let mut source = BufReader::with_capacity(CHUNK_BYTES, File::open(path)?);
        let file = self.storage.create(beside)?;
        give_to_owner_of(path, beside)?;
        let mut kept = BufWriter::with_capacity(CHUNK_BYTES, Appending(&*file));
        let mut at = 0;
        for cut in cuts {
            copy(&mut source, cut.start - at, &mut kept)?;
            copy(&mut source, cut.end - cut.start, &mut io::sink())?;
            at = cut.end;
        }
        io::copy(&mut source, &mut kept)?;
        kept.flush()?;
        file.sync()
    }
}

impl Subject {
    /// Refuses the subject that everybody is.
    fn check(&self) -> Result<(), ForgetError> {
        let says_something = !self.decisions.is_empty() || self.says_more_than_ids();
        if says_something { Ok(()) } else { Err(ForgetError::Everybody) }
    }

    fn says_more_than_ids(&self) -> bool {
        let Self { decisions: _, tenant, session, tags } = self;
        tenant.is_some() || session.is_some() || !tags.is_empty()
    }
}

/// Takes the number of a segment, and what of it is to go.
type OnCuts<'a> = dyn FnMut(u64, &[Range<u64>]) -> Result<(), ForgetError> + 'a;

/// Finds what is of the subject, and calls `on_cuts` for each segment that holds some of it, the
/// newest first.
fn look(
    dir: &Path,
    subject: &Subject,
    on_record: &mut dyn FnMut(),
    on_cuts: &mut OnCuts<'_>,
) -> Result<Forgotten, ForgetError> {
    subject.check()?;
    let unlisted = |source| ForgetError::Folder { dir: dir.to_path_buf(), source };
    let numbers = numbers(dir).map_err(unlisted)?;
    let mut forgotten = Forgotten { n_segments: count(numbers.len()), ..Forgotten::default() };
    let mut search = Search::of(subject);
    for &number in &numbers {
        forgotten.n_damaged_lines += each_line(&segment_path(dir, number), &mut |_, line| {
            on_record();
            search.take(line, subject);
        })?;
    }
    search.follow();
    forgotten.unknown = subject.decisions.difference(&search.known).cloned().collect();
    (forgotten.n_records, forgotten.n_unread) = (search.n_records, search.n_unread);
    if search.ids.is_empty() {
        return Ok(forgotten);
    }
    for &number in numbers.iter().rev() {
        let path = segment_path(dir, number);
        let cuts = Cuts::find(&path, &search.ids)?;
        if cuts.ranges.is_empty() {
            continue;
        }
        let is_all = length(&path)? <= cuts.forgotten.n_bytes;
        on_cuts(number, &cuts.ranges)?;
        forgotten.add(&cuts.forgotten);
        forgotten.segments.insert(0, number);
        if is_all {
            forgotten.emptied.insert(0, number);
        }
    }
    Ok(forgotten)
}

impl Forgotten {
    fn add(&mut self, other: &Self) {
        self.n_decisions += other.n_decisions;
        self.n_steps += other.n_steps;
        self.n_outcomes += other.n_outcomes;
        self.n_others += other.n_others;
        self.n_bytes += other.n_bytes;
    }

    /// All records that went.
    pub const fn n_forgotten(&self) -> u64 {
        self.n_decisions + self.n_steps + self.n_outcomes + self.n_others
    }
}

fn length(path: &Path) -> Result<u64, ForgetError> {
    let unreadable = |source| ForgetError::Segment { path: path.to_path_buf(), source };
    Ok(fs::metadata(path).map_err(unreadable)?.len())
}

fn unwritten(path: &Path) -> impl FnOnce(io::Error) -> ForgetError {
    move |source| ForgetError::Unwritten { path: path.to_path_buf(), source }
}

/// Copies so many bytes, all of them or not in peace.
fn copy(source: &mut impl Read, n_bytes: u64, to: &mut impl Write) -> io::Result<()> {
    let n_copied = io::copy(&mut source.by_ref().take(n_bytes), to)?;
    if n_copied == n_bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// A segment's file as something to write to.
struct Appending<'a>(&'a dyn SegmentFile);

impl Write for Appending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
