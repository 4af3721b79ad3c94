//! The end of the journal: the segment that is being written, and what becomes of it when a write
//! fails.
//!
//! A record is in the journal once the operating system has all of it. What it took only in part
//! is cut off again before anything else is written; where that cannot be done the segment is
//! given up at its last good byte, so that half a record never stands in front of a whole one.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Position,
    error::{AppendError, is_full},
    index::{Entry, Index, Key, Kind},
    scan::count,
    segments::segment_path,
    storage::{SegmentFile, Storage},
};

/// A record that is ready to be written.
#[derive(Debug)]
pub(crate) struct Sealed {
    /// Its line with checksum and newline.
    pub(crate) line: Vec<u8>,
    /// Whose it is.
    pub(crate) key: Key,
    /// What it is.
    pub(crate) kind: Kind,
    /// Its time.
    pub(crate) ts_ms: u64,
}

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
            unindexed: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// The number under which records of the active segment are found.
    pub(crate) fn active_number(&self) -> u64 {
        self.active.as_ref().map_or(self.next_number, |active| active.number)
    }

    /// Writes a record, all of it or nothing.
    pub(crate) fn append(&mut self, record: &Sealed) -> Result<Position, AppendError> {
        let written = self.write(record);
        match &written {
            Ok(position) => {
                self.last = *position;
                self.counts.n_appended += 1;
                self.counts.is_degraded = false;
            }
            Err(error) => {
                self.counts.n_refused += 1;
                self.note(error);
            }
        }
        written
    }

    /// Remembers a failure for whoever asks how the journal is.
    pub(crate) fn note(&mut self, error: &dyn std::error::Error) {
        self.counts.last_error = Some(error.to_string());
        self.counts.is_degraded = true;
    }

    fn write(&mut self, record: &Sealed) -> Result<Position, AppendError> {
        let Sealed { line, key, kind, ts_ms } = record;
        let has_room = |active: &Active| {
            active.n_bytes == 0 || active.n_bytes + count(line.len()) <= self.segment_bytes
        };
        if self.active.as_ref().is_some_and(|active| !has_room(active)) {
            self.end_segment();
        }
        let path = segment_path(&self.dir, self.active_number());
        let failed = |source: io::Error| failure(&path, source);
        if self.active.is_none() {
            self.begin_segment(&path).map_err(failed)?;
        }
        self.mend().map_err(failed)?;
        let Some(active) = &mut self.active else {
            return Err(failed(io::ErrorKind::NotFound.into()));
        };
        if let Err(source) = write_all(&*active.file, line) {
            active.is_ragged = true;
            let is_mended = active.file.truncate(active.n_bytes).is_ok();
            active.is_ragged = !is_mended;
            // An empty segment is kept and tried again: a disk that takes nothing would else be
            // filled with the names of empty files. One that is only too large is ended.
            let may_go_on = is_full(&source) && source.kind() != io::ErrorKind::FileTooLarge;
            if 0 < active.n_bytes && !(is_mended && may_go_on) {
                self.end_segment();
            }
            return Err(failed(source));
        }
        if active.n_bytes == 0 {
            active.first_ms = *ts_ms;
        }
        self.index.insert(Entry::new(*key, *kind, active.n_bytes));
        active.newest_ms = active.newest_ms.max(*ts_ms);
        active.n_bytes += count(line.len());
        Ok(Position { segment: active.number, end: active.n_bytes })
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

/// Writes all bytes, however few the file takes at a time.
fn write_all(file: &dyn SegmentFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.append(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn failure(path: &Path, source: io::Error) -> AppendError {
    let (path, is_full) = (path.to_path_buf(), is_full(&source));
    let source = Arc::new(source);
    if is_full { AppendError::Full { path, source } } else { AppendError::Io { path, source } }
}
