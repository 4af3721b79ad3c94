//! Opening a journal after whatever happened to it.
//!
//! A segment that was sealed in peace has an index file of its own length beside it and is not
//! read. Any other, which is at most a few, is read line by line: what is torn at its end is cut
//! off, what is damaged is counted, and its index is made. No damage keeps a journal from opening.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use super::{
    Disk, Journal, OpenError, Settings, Storage,
    commit::Commit,
    earlier::LookedInto,
    gather::Batch,
    index::{Index, SegmentIndex},
    lock::Lock,
    scan::{Piece, Scan, count},
    segments::{index_path, numbers, segment_path},
    storage::create_private_dir,
    tail::Tail,
    write::Head,
};

/// What was found when a journal was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Segments that were there.
    pub n_segments: u64,
    /// Whole records in them.
    pub n_records: u64,
    /// Segments that had to be read, since they had no index file that fits.
    pub n_read_segments: u64,
    /// Segments whose end was torn, as by a crash in the middle of a write, and was cut off.
    pub n_torn_segments: u64,
    /// The bytes that were cut off.
    pub n_torn_bytes: u64,
    /// Damaged lines in the segments that were read; readers pass over them.
    pub n_damaged_lines: u64,
    /// The newest decision's id, where ids are UUIDs of version 7, for
    /// [`Ids::after`](crate::ids::Ids::after).
    pub newest_id: Option<u128>,
    /// What could not be mended, each in a sentence; the journal works nevertheless.
    pub problems: Vec<String>,
}

impl Recovery {
    /// One sentence for the log of a service; `None` where everything was as it should be.
    pub fn warning(&self) -> Option<String> {
        let mut found = Vec::new();
        if 0 < self.n_torn_segments {
            found.push(format!(
                "cut {} bytes of an unfinished record off {} of its segments",
                self.n_torn_bytes, self.n_torn_segments
            ));
        }
        if 0 < self.n_damaged_lines {
            found.push(format!(
                "found {} damaged lines, which are passed over",
                self.n_damaged_lines
            ));
        }
        found.extend(self.problems.iter().cloned());
        (!found.is_empty()).then(|| format!("opening the journal {}", found.join("; ")))
    }
}

/// A segment that had to be read.
struct Mended {
    index: SegmentIndex,
    n_damaged_lines: u64,
    n_torn_bytes: u64,
}

impl Journal {
    /// Opens a journal for writing; makes its folder where there is none.
    ///
    /// # Errors
    /// [`OpenError`] for settings that contradict themselves, where another process writes the
    /// journal, and where the folder or a segment cannot be read. Damage is in the [`Recovery`].
    pub fn open(dir: &Path, settings: Settings) -> Result<(Self, Recovery), OpenError> {
        Self::open_on(Arc::new(Disk), dir, settings)
    }

    /// As [`Self::open`], on a file system of the caller's.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_on(
        storage: Arc<dyn Storage>,
        dir: &Path,
        settings: Settings,
    ) -> Result<(Self, Recovery), OpenError> {
        settings.check()?;
        let failed = |source| OpenError::Folder { dir: dir.to_path_buf(), source };
        create_private_dir(dir).map_err(failed)?;
        let lock = Lock::take(dir)?;
        let numbers = numbers(dir).map_err(failed)?;
        let mut recovery = Recovery { n_segments: count(numbers.len()), ..Recovery::default() };
        let mut index = Index::default();
        let mut unindexed = Vec::new();
        for &number in &numbers {
            let path = segment_path(dir, number);
            let unreadable = |source| OpenError::Segment { path: path.clone(), source };
            let n_bytes = fs::metadata(&path).map_err(unreadable)?.len();
            let known = fs::read(index_path(dir, number)).ok();
            let known = known.and_then(|bytes| SegmentIndex::from_bytes(&bytes));
            if let Some(known) = known.filter(|known| known.n_bytes == n_bytes) {
                index.add(number, known);
                continue;
            }
            let mended = mend(&*storage, &path, &mut recovery.problems).map_err(unreadable)?;
            recovery.n_read_segments += 1;
            recovery.n_damaged_lines += mended.n_damaged_lines;
            recovery.n_torn_segments += u64::from(0 < mended.n_torn_bytes);
            recovery.n_torn_bytes += mended.n_torn_bytes;
            index.add(number, mended.index);
            unindexed.push(number);
        }
        if !unindexed.is_empty()
            && let Err(error) = storage.sync_dir(dir)
        {
            recovery
                .problems
                .push(format!("`{}` could not be made durable: {error}", dir.display()));
        }
        recovery.n_records = index.n_records();
        recovery.newest_id = index.newest_id();
        let next_number = numbers.last().map_or(1, |last| last + 1);
        let tail =
            Tail::new(dir, Arc::clone(&storage), settings.segment_bytes, (next_number, index));
        let dir = PathBuf::from(dir);
        let (gathered, tail, commit) =
            (Mutex::new(Batch::default()), Mutex::new(tail), Commit::default());
        let looked_into = LookedInto::default();
        let journal =
            Self { dir, settings, storage, gathered, tail, commit, looked_into, _lock: lock };
        recovery.problems.extend(journal.write_indexes(unindexed));
        Ok((journal, recovery))
    }
}

/// Reads a segment, cuts off a torn end, and makes what is left durable.
fn mend(storage: &dyn Storage, path: &Path, problems: &mut Vec<String>) -> io::Result<Mended> {
    let mut scan = Scan::open(path)?;
    let mut found = Found::default();
    let n_torn = loop {
        match scan.next_piece()? {
            Piece::Sound { offset, line } => found.take(offset, line),
            Piece::Damaged { n_bytes: _ } => found.n_damaged_lines += 1,
            Piece::End { n_torn } => break n_torn,
        }
    };
    let start = scan.position();
    found.end = start;
    let mut needs_newline = false;
    while let piece @ (Piece::Sound { .. } | Piece::Damaged { .. }) = scan.last_piece()? {
        if let Piece::Sound { offset, line } = piece {
            found.take(offset, line);
            needs_newline = true;
        }
    }
    let n_torn_bytes = start + n_torn - found.end;
    let mended = storage.open(path).and_then(|file| {
        if 0 < n_torn_bytes {
            file.truncate(found.end)?;
        }
        if needs_newline {
            file.append(b"\n")?;
        }
        // What a crash left in memory only is durable before anybody is told that it is there.
        file.sync()
    });
    if let Err(error) = mended {
        problems.push(format!("`{}` could not be mended: {error}", path.display()));
    }
    let n_bytes = found.end + u64::from(needs_newline);
    let index = SegmentIndex::new(n_bytes, found.newest_ms, found.entries);
    Ok(Mended { index, n_damaged_lines: found.n_damaged_lines, n_torn_bytes })
}

/// What one reading of a segment gathers.
#[derive(Default)]
pub(super) struct Found {
    pub(super) entries: Vec<super::index::Entry>,
    pub(super) newest_ms: u64,
    n_damaged_lines: u64,
    /// Where the last whole record ends.
    end: u64,
}

impl Found {
    pub(super) fn take(&mut self, offset: u64, line: &[u8]) {
        self.end = offset + count(line.len());
        // A record of a kind that is not known here is kept for a reader that knows it.
        let Some((key, kind, ts_ms)) = Head::read(line) else { return };
        self.entries.push(super::index::Entry::new(key, kind, offset));
        self.newest_ms = self.newest_ms.max(ts_ms);
    }
}
