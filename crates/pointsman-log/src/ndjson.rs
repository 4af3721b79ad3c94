//! Reading and writing records, one JSON object a line.
//!
//! Reading is streaming: one line is in memory at a time, and a bad line spoils no other, so the
//! caller decides whether to stop or to count. Its weakness is speed: every line is scanned twice,
//! once for its version and kind and once for its fields, which keeps the order of keys free and
//! the messages exact.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    check::RecordError,
    journal,
    record::{self, DecisionRecord, OutcomeRecord, Record, VERSION},
};

/// The longest line that is read or written, in bytes, without its newline: 16 MiB.
pub const MAX_LINE_BYTES: u64 = 16 << 20;

/// A line that holds no record.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ReadError {
    /// The number of the line in the file, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a line.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The bytes did not arrive; nothing after this line is read.
    #[error("the input cannot be read: {0}")]
    Input(io::Error),
    /// Longer than [`MAX_LINE_BYTES`].
    #[error("the line is longer than {limit} bytes; is this newline-delimited JSON?")]
    TooLong { limit: u64 },
    /// Not text.
    #[error("the bytes from column {column} on are not UTF-8")]
    NotUtf8 { column: usize },
    /// Not one JSON object.
    #[error("this is not a JSON object: {message}")]
    NotJson { message: String },
    /// JSON, but with a field missing or of another type.
    #[error("this is not a traffic record: {message}")]
    Shape { message: String },
    /// A checksum, as lines of a journal have, over other bytes.
    #[error("its checksum does not fit: the line is not as it was written")]
    Checksum,
    /// From another release.
    #[error("this is version {found} of the record, and only version {VERSION} can be read")]
    Version { found: u64 },
    /// A record that cannot be true.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Reads records, skipping blank lines.
///
/// The iterator yields one item for each line that is not blank, in the order of the file, and
/// goes on after a bad line. The last line may lack its newline.
///
/// # Errors
/// Each item is a [`ReadError`] where its line cannot be read, is longer than [`MAX_LINE_BYTES`],
/// is not UTF-8, not JSON, does not fit its checksum if it has one, is not of this version, not of the
/// record's shape, or fails its check.
pub fn read<R: BufRead>(reader: R) -> impl Iterator<Item = Result<Record, ReadError>> {
    Lines { reader, limit: MAX_LINE_BYTES, line: 0, buffer: Vec::new(), ended: false }
}

/// Writes one record as one line, in a single call to `writer`.
///
/// # Errors
/// The error of `writer`, or [`io::ErrorKind::InvalidData`] for a record that [`read`] would
/// refuse; nothing is written then.
pub fn write<W: Write>(writer: &mut W, record: &Record) -> io::Result<()> {
    match record {
        Record::Decision(decision) => write_decision(writer, decision),
        Record::Outcome(outcome) => write_outcome(writer, outcome),
    }
}

/// As [`write()`], of a decision that stays with the caller.
///
/// # Errors
/// As [`write()`].
pub fn write_decision<W: Write>(writer: &mut W, decision: &DecisionRecord) -> io::Result<()> {
    decision.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    write_line(writer, record::decision_json(decision)?)
}

/// As [`write()`], of an outcome that stays with the caller.
///
/// # Errors
/// As [`write()`].
pub fn write_outcome<W: Write>(writer: &mut W, outcome: &OutcomeRecord) -> io::Result<()> {
    outcome.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    write_line(writer, record::outcome_json(outcome)?)
}

fn write_line<W: Write>(writer: &mut W, mut line: Vec<u8>) -> io::Result<()> {
    if MAX_LINE_BYTES < count(line.len()) {
        let problem = Problem::TooLong { limit: MAX_LINE_BYTES };
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    line.push(b'\n');
    writer.write_all(&line)
}

struct Lines<R> {
    reader: R,
    limit: u64,
    /// The number of the line that was read last.
    line: u64,
    /// The line that was read last, without its newline.
    buffer: Vec<u8>,
    ended: bool,
}

/// What reading one line came to.
enum Next {
    Line,
    End,
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let parsed = match self.advance() {
                Ok(Next::End) => {
                    self.ended = true;
                    return None;
                }
                Ok(Next::Line) if self.buffer.trim_ascii().is_empty() => continue,
                Ok(Next::Line) => parse(&self.buffer),
                Err(problem) => Err(problem),
            };
            return Some(parsed.map_err(|problem| ReadError { line: self.line, problem }));
        }
        None
    }
}

impl<R: BufRead> Lines<R> {
    /// Reads the next line into the buffer; one that is too long is skipped to its end.
    fn advance(&mut self) -> Result<Next, Problem> {
        self.line += 1;
        self.buffer.clear();
        let mut limited = (&mut self.reader).take(self.limit + 1);
        let taken = limited.read_until(b'\n', &mut self.buffer).map_err(|error| self.fail(error));
        if taken? == 0 {
            return Ok(Next::End);
        }
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        } else if self.limit < count(self.buffer.len()) {
            self.reader.skip_until(b'\n').map_err(|error| self.fail(error))?;
            return Err(Problem::TooLong { limit: self.limit });
        }
        Ok(Next::Line)
    }

    /// Ends the iteration: a reader that failed once may fail for ever.
    fn fail(&mut self, error: io::Error) -> Problem {
        self.ended = true;
        Problem::Input(error)
    }
}

/// What says how to read the rest of a line.
#[derive(Deserialize)]
struct Head {
    v: u64,
    kind: Option<String>,
}

pub(crate) fn parse(line: &[u8]) -> Result<Record, Problem> {
    let text = std::str::from_utf8(line)
        .map_err(|error| Problem::NotUtf8 { column: error.valid_up_to() + 1 })?;
    let Head { v, kind } = from_json(text)?;
    if journal::is_broken(line) {
        return Err(Problem::Checksum);
    }
    if v != u64::from(VERSION) {
        return Err(Problem::Version { found: v });
    }
    let record = match kind.as_deref() {
        Some("decision") => Record::Decision(from_json(text)?),
        Some("outcome") => Record::Outcome(from_json(text)?),
        Some(_) | None => {
            let found = kind.map_or_else(|| "absent".to_owned(), |kind| format!("`{kind}`"));
            let message = format!("its kind is {found}, neither `decision` nor `outcome`");
            return Err(Problem::Shape { message });
        }
    };
    check(&record)?;
    Ok(record)
}

fn check(record: &Record) -> Result<(), RecordError> {
    match record {
        Record::Decision(decision) => decision.check(),
        Record::Outcome(outcome) => outcome.check(),
    }
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|error| {
        // Within one line, the line number that the JSON reader knows is always 1.
        let message = error.to_string().replace(" at line 1 column ", " at column ");
        if error.is_data() { Problem::Shape { message } } else { Problem::NotJson { message } }
    })
}

/// A length in memory as a count of bytes.
fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
