//! From a stream of bytes to rows: lines, elements of arrays, rows of CSV.
//!
//! How a file is laid out is told by its first bytes. Elements are found by counting brackets outside of
//! texts, without reading what they hold, so that an array of any size takes one element of memory. A
//! row beyond the limit is passed over and said. The weakness: a bracket too few in one element of an
//! array takes the rest of the array with it; lines are independent of each other.

mod scan;

use std::io::{self, BufRead, Read as _};

use crate::{csv, vw::text};
use scan::Scan;

/// How much of the beginning is looked at to tell the layout.
const HEAD: u64 = 1 << 16;

/// Keys of objects that wrap an array of rows.
const ENVELOPES: [&str; 6] =
    ["data", "records", "rows", "results", "resourceSpans", "resourceLogs"];

/// How the rows of a file are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One JSON value a line.
    Lines,
    /// JSON values one after the other, over any number of lines, perhaps in arrays.
    Values,
    /// Objects with an array of rows under a key.
    Envelopes,
    /// Comma-separated values with a header.
    Csv,
    /// Blocks of lines, apart by empty lines.
    Blocks,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A row is in the buffer.
    Row,
    /// The last line, which lacks its end, is in the buffer; only lines are told so.
    Open,
    /// A row was longer than the limit; its bytes are gone.
    TooLong,
    /// The bytes ended within a row.
    CutOff,
    /// There is none.
    End,
}

/// Rows one by one, each in the same buffer.
pub(crate) struct Rows {
    bytes: Box<dyn BufRead>,
    layout: Layout,
    limit: usize,
    /// Depth of brackets around rows: of the array, and of the object around it.
    outer: usize,
    /// Whether the object around the rows has an array of rows, so far.
    has_array: bool,
    csv: csv::Table,
    /// Whether the row is a line without its end: the file's last, and perhaps not all of it.
    pub(crate) is_open_end: bool,
    /// The row that was read last.
    pub(crate) row: Vec<u8>,
}

impl Rows {
    /// Rows of `bytes`, none of them longer than `limit` bytes.
    ///
    /// # Errors
    /// The error of the stream.
    pub(crate) fn new(mut bytes: Box<dyn BufRead>, limit: usize) -> io::Result<Self> {
        let mut head = Vec::new();
        bytes.by_ref().take(HEAD).read_to_end(&mut head)?;
        if head.starts_with(b"\xef\xbb\xbf") {
            head.drain(..3);
        }
        let layout = layout(&head);
        let bytes: Box<dyn BufRead> = Box::new(io::Cursor::new(head).chain(bytes));
        let mut rows = Self {
            bytes,
            layout,
            limit,
            outer: 0,
            has_array: false,
            csv: csv::Table::default(),
            is_open_end: false,
            row: Vec::new(),
        };
        if layout == Layout::Csv {
            rows.csv.read_header(&mut rows.bytes, limit)?;
        }
        Ok(rows)
    }

    /// The names of the columns, where there is a header.
    pub(crate) fn header(&self) -> Option<&[String]> {
        (self.layout == Layout::Csv).then(|| self.csv.names())
    }

    /// Reads the next row into [`Self::row`].
    ///
    /// # Errors
    /// The error of the stream.
    pub(crate) fn next(&mut self) -> io::Result<Next> {
        self.row.clear();
        match self.layout {
            Layout::Lines => self.next_line(),
            Layout::Values => self.next_value(),
            Layout::Envelopes => self.next_in_envelope(),
            Layout::Csv => self.csv.next(&mut self.bytes, self.limit, &mut self.row),
            Layout::Blocks => self.next_block(),
        }
    }

    fn next_line(&mut self) -> io::Result<Next> {
        loop {
            self.row.clear();
            let found = read_line(&mut self.bytes, self.limit, &mut self.row)?;
            if found == Next::Open {
                self.is_open_end = true;
                let is_blank = self.row.trim_ascii().is_empty();
                return Ok(if is_blank { Next::End } else { Next::Row });
            }
            if found != Next::Row || !self.row.trim_ascii().is_empty() {
                return Ok(found);
            }
        }
    }

    fn next_block(&mut self) -> io::Result<Next> {
        if !text::next_block(&mut self.bytes, self.limit, &mut self.row)? {
            return Ok(Next::End);
        }
        self.is_open_end = peek(&mut self.bytes)?.is_none();
        Ok(if self.limit < self.row.len() { Next::TooLong } else { Next::Row })
    }

    fn next_value(&mut self) -> io::Result<Next> {
        loop {
            match peek(&mut self.bytes)? {
                None if self.outer == 0 => return Ok(Next::End),
                None => {
                    self.outer = 0;
                    return Ok(Next::CutOff);
                }
                Some(b'[') => self.outer += 1,
                Some(b']') => self.outer = self.outer.saturating_sub(1),
                Some(b',' | b' ' | b'\n' | b'\r' | b'\t') => {}
                Some(_) => return self.take_value(),
            }
            self.bytes.consume(1);
        }
    }

    /// Between rows, `outer` is 2 within the array and 1 within the object around it. An object without
    /// an array of rows is a row without keys, so that it is told.
    fn next_in_envelope(&mut self) -> io::Result<Next> {
        loop {
            let Some(byte) = peek(&mut self.bytes)? else {
                let was_open = self.outer != 0;
                self.outer = 0;
                return Ok(if was_open { Next::CutOff } else { Next::End });
            };
            match (self.outer, byte) {
                (0, b'{') => (self.outer, self.has_array) = (1, false),
                (2, b']') => self.outer = 1,
                (1, b'}') => {
                    self.outer = 0;
                    if !self.has_array {
                        self.bytes.consume(1);
                        self.row.extend_from_slice(b"{}");
                        return Ok(Next::Row);
                    }
                }
                (1, b'"') => {
                    self.enter_or_pass()?;
                    continue;
                }
                (2, b'{' | b'"' | b'[') => return self.take_value(),
                (_, _) => {}
            }
            self.bytes.consume(1);
        }
    }

    /// A key of the outer object: goes into the array under it, or passes its value over.
    fn enter_or_pass(&mut self) -> io::Result<()> {
        self.row.clear();
        take_value(&mut self.bytes, self.limit, &mut self.row)?;
        let key = self.row.strip_prefix(b"\"").and_then(|key| key.strip_suffix(b"\""));
        let is_envelope = key.is_some_and(|key| ENVELOPES.iter().any(|one| one.as_bytes() == key));
        loop {
            match peek(&mut self.bytes)? {
                Some(b':' | b' ' | b'\n' | b'\r' | b'\t') => self.bytes.consume(1),
                Some(b'[') if is_envelope => {
                    self.bytes.consume(1);
                    (self.outer, self.has_array) = (2, true);
                    break;
                }
                Some(b'}' | b',') | None => break,
                Some(_) => {
                    // What the value holds is of no use; a row of no room keeps none of it.
                    self.row.clear();
                    take_value(&mut self.bytes, 0, &mut self.row)?;
                    break;
                }
            }
        }
        self.row.clear();
        Ok(())
    }

    fn take_value(&mut self) -> io::Result<Next> {
        let found = take_value(&mut self.bytes, self.limit, &mut self.row)?;
        if found == Next::CutOff {
            self.outer = 0; // what is cut off is told once
        }
        Ok(found)
    }
}

/// The next byte, which stays in the stream.
fn peek(bytes: &mut Box<dyn BufRead>) -> io::Result<Option<u8>> {
    Ok(bytes.fill_buf()?.first().copied())
}

/// Reads a line without its end; one that is too long is passed over.
pub(crate) fn read_line(
    bytes: &mut Box<dyn BufRead>,
    limit: usize,
    row: &mut Vec<u8>,
) -> io::Result<Next> {
    let mut is_long = false;
    let mut is_empty = true;
    loop {
        let chunk = bytes.fill_buf()?;
        if chunk.is_empty() {
            return Ok(match (is_empty, is_long) {
                (true, _) => Next::End,
                (false, true) => Next::TooLong,
                (false, false) => Next::Open,
            });
        }
        is_empty = false;
        let end = find(chunk, b'\n');
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        is_long |= limit < row.len() + part.len();
        if is_long {
            *row = Vec::new();
        } else {
            row.extend_from_slice(part);
        }
        let n_used = part.len() + usize::from(end.is_some());
        bytes.consume(n_used);
        if end.is_some() {
            return Ok(if is_long { Next::TooLong } else { Next::Row });
        }
    }
}

/// Where `byte` is first; the standard library's search, which looks at many bytes at once, is behind
/// `read_until` alone.
fn find(chunk: &[u8], byte: u8) -> Option<usize> {
    let (words, _) = chunk.as_chunks::<16>();
    // Sixteen at a time, in a form that becomes vector instructions.
    let n_clear = words.iter().take_while(|word| !word.contains(&byte)).count();
    let start = n_clear * 16;
    let rest = chunk.get(start..).unwrap_or_default();
    rest.iter().position(|one| *one == byte).map(|at| start + at)
}

/// Takes one JSON value: a bracketed one to its last bracket, a text to its quote, anything else to
/// what ends it. One that is too long is passed over.
fn take_value(bytes: &mut Box<dyn BufRead>, limit: usize, row: &mut Vec<u8>) -> io::Result<Next> {
    let mut scan = Scan::default();
    let mut is_long = false;
    loop {
        let chunk = bytes.fill_buf()?;
        if chunk.is_empty() {
            let is_whole = scan.depth == 0 && !scan.in_text;
            return Ok(match (is_whole, is_long) {
                (true, false) => Next::Row,
                (true, true) => Next::TooLong,
                (false, _) => Next::CutOff,
            });
        }
        let end = scan.end_in(chunk);
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        is_long |= limit < row.len() + part.len();
        if is_long {
            *row = Vec::new();
        } else {
            row.extend_from_slice(part);
        }
        let n_used = part.len();
        bytes.consume(n_used);
        if end.is_some() {
            return Ok(if is_long { Next::TooLong } else { Next::Row });
        }
    }
}

/// The layout, by the first bytes.
fn layout(head: &[u8]) -> Layout {
    let start = head.trim_ascii_start();
    match start.first() {
        Some(b'[') => Layout::Values,
        Some(b'{') => layout_of_object(start),
        Some(_) if text::begins_block(start) => Layout::Blocks,
        Some(_) if is_header(start) => Layout::Csv,
        Some(_) | None => Layout::Lines,
    }
}

fn layout_of_object(head: &[u8]) -> Layout {
    if has_envelope(head) {
        return Layout::Envelopes;
    }
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut scan = Scan::default();
    // A first line that is all of a value, or that does not end here, begins a file of lines.
    match scan.end_in(line) {
        Some(_) => Layout::Lines,
        None if line.len() == head.len() => Layout::Lines,
        None => Layout::Values,
    }
}

/// Whether the object that begins `head` has a key of an envelope with an array under it.
fn has_envelope(head: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = head.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return false;
                }
            }
            b'"' => {
                let mut scan = Scan::default();
                let rest = head.get(at..).unwrap_or_default();
                let Some(length) = scan.end_in(rest) else { return false };
                let text = rest.get(1..length.saturating_sub(1)).unwrap_or_default();
                let after = rest.get(length..).unwrap_or_default().trim_ascii_start();
                let value = after.strip_prefix(b":").map(<[u8]>::trim_ascii_start);
                let is_array = value.is_some_and(|value| value.starts_with(b"["));
                let is_known = ENVELOPES.iter().any(|one| one.as_bytes() == text);
                if depth == 1 && is_array && is_known {
                    return true;
                }
                at += length;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    false
}

/// Whether the first line is plain words with commas between them.
fn is_header(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    line.contains(&b',')
        && std::str::from_utf8(line).is_ok_and(|line| !line.starts_with(['<', '%']))
}

#[cfg(test)]
mod tests;
