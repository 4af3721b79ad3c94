//! Rows of CSV as JSON objects, by RFC 4180: quotes around a cell may hold commas, line ends and,
//! doubled, quotes.
//!
//! A cell becomes a text, and an empty one null; what is a number is told by those who need one. Rows of
//! another length than the header keep the cells that they have a name for. The weakness: a quote that is
//! never closed takes all that follows, up to the limit of a row.

use std::io::{self, BufRead};

use crate::rows::{Next, read_line};

/// The columns of a file, and what is used again for every row.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// The names of the columns.
    names: Vec<String>,
    /// Each with its quotes and its colon, as it is written into the object.
    keys: Vec<Vec<u8>>,
    line: Vec<u8>,
    /// A row with its quoted line ends.
    text: Vec<u8>,
    cells: Vec<Vec<u8>>,
}

impl Table {
    /// Reads the names of the columns.
    pub(crate) fn read_header(
        &mut self,
        bytes: &mut Box<dyn BufRead>,
        limit: usize,
    ) -> io::Result<()> {
        self.take(bytes, limit)?;
        self.keys = self.cells.iter().map(|name| key(name)).collect();
        let name = |cell: &Vec<u8>| String::from_utf8_lossy(cell.trim_ascii()).into_owned();
        self.names = self.cells.iter().map(name).collect();
        Ok(())
    }

    /// The names of the columns, as the header has them.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Writes the next row as an object into `row`.
    pub(crate) fn next(
        &mut self,
        bytes: &mut Box<dyn BufRead>,
        limit: usize,
        row: &mut Vec<u8>,
    ) -> io::Result<Next> {
        loop {
            let found = self.take(bytes, limit)?;
            if found != Next::Row {
                return Ok(found);
            }
            if !self.text.trim_ascii().is_empty() {
                break;
            }
        }
        row.push(b'{');
        for (key, cell) in self.keys.iter().zip(&self.cells) {
            if 1 < row.len() {
                row.push(b',');
            }
            row.extend_from_slice(key);
            if cell.is_empty() {
                row.extend_from_slice(b"null");
            } else {
                push_text(cell, row);
            }
        }
        row.push(b'}');
        Ok(Next::Row)
    }

    /// Reads lines until no quote is open, and takes them apart.
    fn take(&mut self, bytes: &mut Box<dyn BufRead>, limit: usize) -> io::Result<Next> {
        self.text.clear();
        let mut is_long = false;
        let mut n_quotes = 0;
        loop {
            self.line.clear();
            match read_line(bytes, limit, &mut self.line)? {
                Next::Row | Next::Open => {}
                Next::End if self.text.is_empty() && !is_long => return Ok(Next::End),
                Next::End | Next::CutOff => return Ok(Next::CutOff),
                Next::TooLong => is_long = true,
            }
            n_quotes += memchr::memchr_iter(b'"', &self.line).count();
            is_long |= limit < self.text.len() + self.line.len();
            if is_long {
                self.text = Vec::new();
            } else {
                self.text.extend_from_slice(&self.line);
            }
            if n_quotes.is_multiple_of(2) {
                break;
            }
            self.text.push(b'\n');
        }
        if is_long {
            return Ok(Next::TooLong);
        }
        if self.text.last() == Some(&b'\r') {
            self.text.pop();
        }
        self.split();
        Ok(Next::Row)
    }

    fn split(&mut self) {
        self.cells.clear();
        let mut cell = Vec::new();
        let mut in_quotes = false;
        let mut bytes = self.text.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match (byte, in_quotes) {
                (b'"', true) if bytes.peek() == Some(&b'"') => {
                    cell.push(b'"');
                    bytes.next();
                }
                (b'"', _) => in_quotes = !in_quotes,
                (b',', false) => self.cells.push(std::mem::take(&mut cell)),
                (other, _) => cell.push(other),
            }
        }
        self.cells.push(cell);
    }
}

/// A name as a key of an object, with its colon.
fn key(name: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len() + 3);
    push_text(name.trim_ascii(), &mut key);
    key.push(b':');
    key
}

/// Writes a text of JSON. Bytes that are not UTF-8 stay as they are: whoever reads the object says so.
fn push_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(*b"\\n"),
            b'\r' => out.extend(*b"\\r"),
            b'\t' => out.extend(*b"\\t"),
            control if control < 0x20 => {
                let hex = |nibble: u8| b"0123456789abcdef".get(usize::from(nibble)).copied();
                out.extend(*b"\\u00");
                out.extend(hex(byte >> 4));
                out.extend(hex(byte & 15));
            }
            other => out.push(other),
        }
    }
    out.push(b'"');
}
