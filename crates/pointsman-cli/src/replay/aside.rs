//! The features of all requests of a stream, set aside in a file until a fit or a window needs them.
//!
//! Every request is read into features once. They go to an unnamed temporary file, and what is in
//! memory is where each row begins in it; whoever needs a row reads it again. So memory is about
//! the rows that a fit takes and not about the log. Weakness: a row that many fits take is read as
//! many times.

use anyhow::{Context, Result};
use pointsman_core::features::{FeatureSchema, Features, N_DENSE};
use pointsman_train::design::{Design, DesignBuilder};
use std::{
    env,
    fs::File,
    io::{self, BufReader, BufWriter, IntoInnerError, Read as _, Seek as _, SeekFrom, Write as _},
    mem,
};

/// Rows that are written together: few enough that little is held, enough that writing costs nothing.
const ROWS: usize = 256;

/// How much of the file is read at a time.
const BUFFER_BYTES: usize = 1 << 16;

/// Bytes of a row before its terms: of the text's length, and of the dense features.
const HEAD_BYTES: usize = 4 + 4 * N_DENSE;

/// Rows of features that were set aside.
pub(super) struct Aside {
    schema: FeatureSchema,
    file: BufReader<File>,
    /// Where the reader stands in the file.
    at: u64,
    /// Where each row begins, and where the last one ends.
    starts: Vec<u64>,
    row: AsideRow,
    most_held: usize,
    n_requests_cut: u64,
}

/// Takes rows one after the other.
pub(super) struct AsideBuilder {
    schema: FeatureSchema,
    /// Rows that are not yet written.
    builder: DesignBuilder,
    n_pending: usize,
    bytes: Vec<u8>,
    file: File,
    starts: Vec<u64>,
    n_requests_cut: u64,
    /// Why a row could not be written; none is after it.
    failed: Option<io::Error>,
}

/// The features of one row, in memory.
struct AsideRow {
    bytes: Vec<u8>,
    terms: Vec<u32>,
    dense: [f32; N_DENSE],
    n_bytes: u32,
}

impl AsideBuilder {
    /// One without rows.
    ///
    /// # Errors
    /// Where there can be no temporary file.
    pub(super) fn new(schema: FeatureSchema) -> Result<Self> {
        let file = tempfile::tempfile().with_context(cannot_be_set_aside)?;
        Ok(Self {
            schema,
            builder: DesignBuilder::new(schema),
            n_pending: 0,
            bytes: Vec::new(),
            file,
            starts: vec![0],
            n_requests_cut: 0,
            failed: None,
        })
    }

    /// Adds the next row by what `push` does to a builder, which is to add one row.
    pub(super) fn push(&mut self, push: impl FnOnce(&mut DesignBuilder)) {
        push(&mut self.builder);
        self.n_pending += 1;
        if self.n_pending == ROWS {
            self.write();
        }
    }

    /// Writes the rows that wait for it.
    fn write(&mut self) {
        let design = mem::replace(&mut self.builder, DesignBuilder::new(self.schema)).finish();
        self.n_pending = 0;
        self.n_requests_cut += design.n_requests_cut();
        self.bytes.clear();
        let before = self.starts.last().copied().unwrap_or(0);
        for row in 0..design.n_rows() {
            push_bytes(&design.features(row), &mut self.bytes);
            self.starts.push(before + self.bytes.len() as u64);
        }
        if self.failed.is_none() {
            self.failed = self.file.write_all(&self.bytes).err();
        }
    }

    /// All rows.
    ///
    /// # Errors
    /// Where they could not be written.
    pub(super) fn finish(mut self) -> Result<Aside> {
        self.write();
        let Self { schema, mut file, starts, n_requests_cut, failed, .. } = self;
        let begun = failed.map_or_else(|| file.rewind(), Err);
        begun.with_context(cannot_be_set_aside)?;
        Ok(Aside { n_requests_cut, ..Aside::from_file(schema, file, starts) })
    }
}

fn cannot_be_set_aside() -> String {
    format!(
        "features cannot be set aside in {}; name a folder with room in TMPDIR",
        env::temp_dir().display()
    )
}

fn cannot_be_read() -> String {
    format!(
        "features that were set aside in {} cannot be read; name a folder on another disk in TMPDIR",
        env::temp_dir().display()
    )
}

impl Aside {
    /// The rows of a file that is read from its beginning.
    fn from_file(schema: FeatureSchema, file: File, starts: Vec<u64>) -> Self {
        let file = BufReader::with_capacity(BUFFER_BYTES, file);
        let row = AsideRow::empty();
        Self { schema, file, at: 0, starts, row, most_held: ROWS, n_requests_cut: 0 }
    }

    /// How many rows there are.
    pub(super) fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many requests were too long to be read whole.
    pub(super) fn n_requests_cut(&self) -> u64 {
        self.n_requests_cut
    }

    /// The most rows of which features were in memory at a time.
    pub(super) fn most_held(&self) -> usize {
        self.most_held
    }

    /// The given rows in their order, in a file of their own, so that one is read after the other from
    /// then on; nothing is written where these are all rows as they stand.
    ///
    /// # Errors
    /// Where a row cannot be read, or not be written.
    pub(super) fn sorted(self, order: &[u32]) -> Result<Self> {
        if order.iter().map(|&row| row as usize).eq(0..self.n_rows()) {
            return Ok(self);
        }
        let Self { schema, file, starts, n_requests_cut, .. } = self;
        let mut from = file.into_inner();
        let file = tempfile::tempfile().with_context(cannot_be_set_aside)?;
        let mut into = BufWriter::with_capacity(BUFFER_BYTES, file);
        let mut sorted = Vec::with_capacity(starts.len());
        sorted.push(0);
        let (mut end, mut bytes) = (0, Vec::new());
        for &row in order {
            let (start, stop) = (starts[row as usize], starts[row as usize + 1]);
            bytes.resize(usize::try_from(stop - start)?, 0);
            from.seek(SeekFrom::Start(start)).with_context(cannot_be_read)?;
            from.read_exact(&mut bytes).with_context(cannot_be_read)?;
            into.write_all(&bytes).with_context(cannot_be_set_aside)?;
            end += stop - start;
            sorted.push(end);
        }
        let file = into.into_inner().map_err(IntoInnerError::into_error);
        let mut file = file.with_context(cannot_be_set_aside)?;
        file.rewind().with_context(cannot_be_set_aside)?;
        Ok(Self { n_requests_cut, ..Self::from_file(schema, file, sorted) })
    }

    /// The features of one row.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(super) fn features(&mut self, row: usize) -> Result<Features<'_>> {
        let (start, end) = (self.starts[row], self.starts[row + 1]);
        self.read(start, end).with_context(cannot_be_read)?;
        Ok(self.row.as_features())
    }

    fn read(&mut self, start: u64, end: u64) -> io::Result<()> {
        let distance = i64::try_from(i128::from(start) - i128::from(self.at));
        self.file.seek_relative(distance.map_err(io::Error::other)?)?;
        self.at = start;
        let n_bytes = usize::try_from(end - start).map_err(io::Error::other)?;
        self.row.bytes.resize(n_bytes, 0);
        self.file.read_exact(&mut self.row.bytes)?;
        self.at = end;
        self.row.unpack();
        Ok(())
    }

    /// The given rows, in their order.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub(super) fn select(&mut self, rows: &[u32]) -> Result<Design> {
        let mut builder = DesignBuilder::new(self.schema);
        for &row in rows {
            builder.push_read(&self.features(row as usize)?);
        }
        self.most_held = self.most_held.max(rows.len());
        Ok(builder.finish())
    }
}

/// Appends a row as [`AsideRow::unpack`] reads it.
fn push_bytes(features: &Features<'_>, into: &mut Vec<u8>) {
    let n_bytes = u32::try_from(features.n_bytes).unwrap_or(u32::MAX);
    into.extend_from_slice(&n_bytes.to_le_bytes());
    into.extend(features.dense.iter().flat_map(|number| number.to_le_bytes()));
    into.extend(features.terms.iter().flat_map(|term| term.to_le_bytes()));
}

impl AsideRow {
    fn empty() -> Self {
        Self { bytes: Vec::new(), terms: Vec::new(), dense: [0.0; N_DENSE], n_bytes: 0 }
    }

    /// Reads its bytes.
    fn unpack(&mut self) {
        let Self { bytes, terms, dense, n_bytes } = self;
        let (words, _) = bytes.as_chunks::<4>();
        let (head, rest) = words.split_at(words.len().min(HEAD_BYTES / 4));
        *n_bytes = head.first().map_or(0, |word| u32::from_le_bytes(*word));
        for (number, word) in dense.iter_mut().zip(head.iter().skip(1)) {
            *number = f32::from_le_bytes(*word);
        }
        terms.clear();
        terms.extend(rest.iter().map(|word| u32::from_le_bytes(*word)));
    }

    fn as_features(&self) -> Features<'_> {
        let Self { bytes: _, terms, dense, n_bytes } = self;
        Features { terms, dense, n_bytes: *n_bytes as usize, n_bytes_cut: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_core::{features::Bigrams, request::Request};

    /// A design of so many rows, and the same set aside.
    fn both(n_rows: usize) -> (Design, Aside) {
        let schema = FeatureSchema::new(10, Bigrams::With).unwrap();
        let mut whole = DesignBuilder::new(schema);
        let mut builder = AsideBuilder::new(schema).unwrap();
        for row in 0..n_rows {
            let text = format!("row of number {}{}", ["one", "two", "three"][row % 3], row % 7);
            let request = Request::from_prompt(if row == 2 { "" } else { &text });
            whole.push(&request);
            builder.push(|into| into.push(&request));
        }
        (whole.finish(), builder.finish().unwrap())
    }

    #[test]
    fn what_was_set_aside_is_what_was_read() {
        let n_rows = 2 * ROWS + 3;
        let (whole, mut aside) = both(n_rows);
        assert_eq!((aside.n_rows(), aside.n_requests_cut()), (n_rows, 0));
        for row in (0..n_rows).chain([0, ROWS, 5, n_rows - 1, 2]) {
            let found = aside.features(row).unwrap();
            assert_eq!(found.terms, whole.terms(row), "row {row}");
            assert_eq!(found.dense, whole.dense(row), "row {row}");
            assert_eq!(found.n_bytes, whole.n_bytes(row), "row {row}");
        }
        let rows = [u32::try_from(n_rows).unwrap() - 1, 7];
        let selected = aside.select(&rows).unwrap();
        assert_eq!(selected.n_rows(), 2);
        assert_eq!(selected.terms(0), whole.terms(n_rows - 1));
        assert_eq!(selected.terms(1), whole.terms(7));
    }

    #[test]
    fn requests_that_were_cut_are_counted_in_any_order() {
        let mut builder = AsideBuilder::new(FeatureSchema::default()).unwrap();
        let long = "long ".repeat(1 << 15);
        for text in ["short", long.as_str()] {
            builder.push(|into| into.push(&Request::from_prompt(text)));
        }
        let aside = builder.finish().unwrap();
        assert_eq!(aside.n_requests_cut(), 1);
        assert_eq!(aside.sorted(&[1, 0]).unwrap().n_requests_cut(), 1);
    }

    #[test]
    fn rows_come_in_the_order_that_is_asked_for() {
        let (whole, aside) = both(2 * ROWS);
        let last = u32::try_from(2 * ROWS).unwrap() - 1;
        let as_they_stand: Vec<u32> = (0..=last).collect();
        let turned: Vec<u32> = (0..=last).rev().collect();
        let every_third: Vec<u32> = (0..=last).rev().step_by(3).collect();
        let mut aside = aside.sorted(&as_they_stand).unwrap();
        for rows in [turned, every_third] {
            let mut sorted = both(2 * ROWS).1.sorted(&rows).unwrap();
            assert_eq!(sorted.n_rows(), rows.len());
            for (place, &row) in rows.iter().enumerate() {
                assert_eq!(sorted.features(place).unwrap().terms, whole.terms(row as usize));
            }
        }
        for row in [0, ROWS, 2 * ROWS - 1] {
            assert_eq!(aside.features(row).unwrap().terms, whole.terms(row));
        }
    }

    #[test]
    fn no_more_rows_are_held_than_a_fit_takes() {
        let (_, mut aside) = both(9 * ROWS);
        assert_eq!(aside.most_held(), ROWS);
        let rows: Vec<u32> = (0..700).collect();
        drop(aside.select(&rows).unwrap());
        drop(aside.select(&rows[..9]).unwrap());
        for row in 0..aside.n_rows() {
            aside.features(row).unwrap();
        }
        assert_eq!(aside.most_held(), 700);
    }
}
