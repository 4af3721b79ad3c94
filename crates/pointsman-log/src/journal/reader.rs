//! Reading a journal: its records in their order, what is damaged counted and passed over.
//!
//! No lock is needed, and a journal may be read while it is written: what is complete is given,
//! and an iterator that has ended gives more once there is more.

use std::{
    io,
    ops::AddAssign,
    path::{Path, PathBuf},
};

use super::{
    scan::{Piece, Scan},
    segments::{numbers, segment_path},
};
use crate::{
    ndjson::{self, Problem},
    record::Record,
};

/// What a reader passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Damage {
    /// Lines that were not as they had been written.
    pub n_lines: u64,
    /// The bytes of those.
    pub n_bytes: u64,
    /// Segments that are missing between two that are there.
    pub n_missing_segments: u64,
}

impl AddAssign for Damage {
    fn add_assign(&mut self, other: Self) {
        let Self { n_lines, n_bytes, n_missing_segments } = other;
        self.n_lines += n_lines;
        self.n_bytes += n_bytes;
        self.n_missing_segments += n_missing_segments;
    }
}

/// A whole line that cannot be read as a record, as of another release, or a file that does not
/// give its bytes.
#[derive(Debug, thiserror::Error)]
#[error("`{}`, byte {offset}: {problem}", path.display())]
pub struct ReadError {
    /// The segment.
    pub path: PathBuf,
    /// Where the line begins.
    pub offset: u64,
    /// What is wrong with it.
    pub problem: Problem,
}

/// The records of a journal, segment by segment.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    /// The number of the segment that is being read, or was read last; zero before the first.
    number: u64,
    scan: Option<Scan>,
    /// Whether there is a later segment, so that nothing comes after the end of this one.
    is_ended: bool,
    n_torn: u64,
    damage: Damage,
}

/// Reads a journal from its oldest segment on.
///
/// # Errors
/// The operating system's, where `dir` is no folder that can be listed.
pub fn read(dir: &Path) -> io::Result<Reader> {
    numbers(dir)?;
    Ok(Reader {
        dir: dir.to_path_buf(),
        number: 0,
        scan: None,
        is_ended: false,
        n_torn: 0,
        damage: Damage::default(),
    })
}

impl Reader {
    /// What was passed over so far.
    pub const fn damage(&self) -> Damage {
        self.damage
    }

    /// The bytes at the end of the last segment that are no whole line: one that is being written
    /// just now, or what a crash left of one.
    pub const fn n_torn_bytes(&self) -> u64 {
        self.n_torn
    }

    /// The number of the segment of the record that was given last; zero before the first.
    pub const fn segment(&self) -> u64 {
        self.number
    }

    /// The next segment, if there is one; `None` at the end of the journal as it is.
    fn later(&self) -> io::Result<Option<u64>> {
        Ok(numbers(&self.dir)?.into_iter().find(|&number| self.number < number))
    }

    fn failed(&self, offset: u64, problem: Problem) -> ReadError {
        ReadError { path: segment_path(&self.dir, self.number), offset, problem }
    }

    /// Goes on in the next segment.
    fn advance(&mut self, later: u64) -> io::Result<()> {
        if 0 < self.number {
            self.damage.n_missing_segments += later - self.number - 1;
        }
        self.number = later;
        (self.is_ended, self.n_torn) = (false, 0);
        match Scan::open(&segment_path(&self.dir, later)) {
            Ok(scan) => self.scan = Some(scan),
            // Removed with age since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.scan = None,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The next record, where there is one.
    fn step(&mut self) -> io::Result<Step> {
        let Some(scan) = &mut self.scan else {
            return match self.later()? {
                Some(later) => self.advance(later).map(|()| Step::Again),
                None => Ok(Step::End),
            };
        };
        let piece = match scan.next_piece()? {
            Piece::End { n_torn } if self.is_ended && 0 < n_torn => scan.last_piece()?,
            piece @ (Piece::Sound { .. } | Piece::Damaged { .. } | Piece::End { .. }) => piece,
        };
        match piece {
            Piece::Sound { offset, line } => {
                let parsed = ndjson::parse(line);
                Ok(Step::Parsed(parsed.map_err(|problem| self.failed(offset, problem))))
            }
            Piece::Damaged { n_bytes } => {
                self.damage.n_lines += 1;
                self.damage.n_bytes += n_bytes;
                Ok(Step::Again)
            }
            Piece::End { n_torn: _ } if self.is_ended => {
                self.scan = None;
                Ok(Step::Again)
            }
            Piece::End { n_torn } => {
                // What was written between the end and the look for a later segment is read by
                // coming here once more.
                self.is_ended = self.later()?.is_some();
                self.n_torn = n_torn;
                Ok(if self.is_ended { Step::Again } else { Step::End })
            }
        }
    }
}

enum Step {
    Parsed(Result<Record, ReadError>),
    Again,
    End,
}

impl Iterator for Reader {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step() {
                Ok(Step::Parsed(record)) => return Some(record),
                Ok(Step::Again) => {}
                Ok(Step::End) => return None,
                Err(error) => return Some(Err(self.failed(0, Problem::Input(error)))),
            }
        }
    }
}
