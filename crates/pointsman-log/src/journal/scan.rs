//! The lines of one segment, each held against its checksum; what is damaged is counted and passed
//! over.
//!
//! One line is in memory at a time. At the end of a file that is still being written, the last
//! line may be incomplete: it is left where it is, and read again when there is more.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    ops::Range,
    path::Path,
};

use super::line::{self, Seal};
use crate::ndjson::MAX_LINE_BYTES;

/// What a segment holds next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A record as it was written.
    Sound {
        /// Where it begins in the file.
        offset: u64,
        /// Its bytes, without the newline.
        line: &'a [u8],
    },
    /// A line that is not as it was written; records that are whole inside of it follow.
    Damaged {
        /// Its bytes, without the newline.
        n_bytes: u64,
    },
    /// The file ends here, but for bytes without a newline.
    End {
        /// How many those are.
        n_torn: u64,
    },
}

/// Reads one segment from its beginning.
#[derive(Debug)]
pub(crate) struct Scan {
    reader: BufReader<File>,
    /// Where the line in the buffer begins.
    start: u64,
    /// Where the next line begins.
    next: u64,
    buffer: Vec<u8>,
    /// Whole records in the damaged line in the buffer.
    salvaged: VecDeque<Range<usize>>,
}

/// What one line of a file is.
enum Line {
    /// It ends in a newline, or the caller wanted the last one without.
    Whole,
    /// Longer than any record.
    TooLong,
    /// The end of the file, after so many bytes without newline.
    End(u64),
}

impl Scan {
    /// Begins at the first line.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let reader = BufReader::with_capacity(1 << 17, File::open(path)?);
        Ok(Self { reader, start: 0, next: 0, buffer: Vec::new(), salvaged: VecDeque::new() })
    }

    /// Where the next line begins: every byte before it was read.
    pub(crate) const fn position(&self) -> u64 {
        self.next
    }

    /// The next piece, where the segment may still grow.
    pub(crate) fn next_piece(&mut self) -> io::Result<Piece<'_>> {
        loop {
            if let Some(range) = self.salvaged.pop_front() {
                let offset = self.start + count(range.start);
                return Ok(Piece::Sound { offset, line: &self.buffer[range] });
            }
            match self.read_line()? {
                Line::End(n_torn) => return Ok(Piece::End { n_torn }),
                Line::TooLong => {
                    return Ok(Piece::Damaged { n_bytes: self.next - self.start - 1 });
                }
                Line::Whole if self.buffer.is_empty() => {}
                Line::Whole => {
                    if line::check(&self.buffer) == Seal::Sound {
                        return Ok(Piece::Sound { offset: self.start, line: &self.buffer });
                    }
                    self.salvaged = line::salvage(&self.buffer).into();
                    return Ok(Piece::Damaged { n_bytes: count(self.buffer.len()) });
                }
            }
        }
    }

    /// The bytes after the last newline, once [`Piece::End`] was reached in a segment that nobody
    /// writes any more: a whole record that lacks only its newline, or damage.
    pub(crate) fn last_piece(&mut self) -> io::Result<Piece<'_>> {
        if let Some(range) = self.salvaged.pop_front() {
            let offset = self.start + count(range.start);
            return Ok(Piece::Sound { offset, line: &self.buffer[range] });
        }
        self.start = self.next;
        self.buffer.clear();
        let limit = MAX_LINE_BYTES + 1;
        let n_bytes = count(self.reader.by_ref().take(limit).read_until(b'\n', &mut self.buffer)?);
        let n_skipped = if n_bytes == limit { skip(&mut self.reader)? } else { 0 };
        self.next += n_bytes + n_skipped;
        if self.buffer.is_empty() {
            return Ok(Piece::End { n_torn: 0 });
        }
        if line::check(&self.buffer) == Seal::Sound {
            return Ok(Piece::Sound { offset: self.start, line: &self.buffer });
        }
        self.salvaged = line::salvage(&self.buffer).into();
        Ok(Piece::Damaged { n_bytes: n_bytes + n_skipped })
    }

    fn read_line(&mut self) -> io::Result<Line> {
        self.start = self.next;
        self.buffer.clear();
        let limit = MAX_LINE_BYTES + 1;
        let n_bytes = count(self.reader.by_ref().take(limit).read_until(b'\n', &mut self.buffer)?);
        if self.buffer.pop_if(|&mut last| last == b'\n').is_some() {
            self.next += n_bytes;
            return Ok(Line::Whole);
        }
        if n_bytes == limit {
            let n_skipped = skip(&mut self.reader)?;
            self.buffer.clear();
            self.next += n_bytes + n_skipped;
            return Ok(Line::TooLong);
        }
        // Whoever writes may still cut these bytes off: they are read again from where they begin.
        self.reader.seek(SeekFrom::Start(self.start))?;
        self.buffer.clear();
        Ok(Line::End(n_bytes))
    }
}

/// Passes over what is left of a line; how many bytes that were.
fn skip(reader: &mut BufReader<File>) -> io::Result<u64> {
    reader.skip_until(b'\n').map(count)
}

/// A length in memory as a count of bytes.
pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
