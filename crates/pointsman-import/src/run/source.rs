//! The rows of one file, from its bytes or from its columns.

use std::{cell::Cell, io, path::Path, rc::Rc};

use super::{Options, files::damaged, row::Reader};
use crate::{
    error::ImportError,
    formats::ColumnMap,
    manifest::InputState,
    open::{is_parquet, open},
    rows::{Next, Rows},
    table::Table,
};

/// Rows one by one.
pub(super) struct Source {
    form: Form,
    /// Rows of the file that were passed over without being read.
    pub(super) n_passed: u64,
}

enum Form {
    Bytes {
        rows: Rows,
        /// How many bytes of the file have been read.
        n_read: Rc<Cell<u64>>,
    },
    Columns {
        table: Table,
        limit: usize,
        row: Vec<u8>,
        /// Rows that were given, and passed over.
        n: u64,
        /// How long the file is.
        n_bytes: u64,
    },
}

impl Source {
    /// Opens a file for `reader`. Of a table of columns, the rows that `state` knows are passed over.
    pub(super) fn open(
        options: &Options,
        path: &Path,
        state: &InputState,
        reader: Reader<'_>,
    ) -> Result<Self, ImportError> {
        let limit = options.max_row_bytes;
        if let Reader::Columns(map) = reader
            && is_parquet(path)?
        {
            let Some(open_table) = options.open_table else {
                return Err(ImportError::Parquet { path: path.to_path_buf() });
            };
            let n_passed = state.n_rows;
            let table = open_table(path, &map.names(), n_passed).map_err(ImportError::Table)?;
            let (row, n, n_bytes) = (Vec::new(), n_passed, state.n_bytes);
            return Ok(Self { form: Form::Columns { table, limit, row, n, n_bytes }, n_passed });
        }
        let input = open(path)?;
        let rows = Rows::new(input.bytes, limit).map_err(|error| damaged(path, 0, &error))?;
        if let (Reader::Columns(map), Some(header)) = (reader, rows.header()) {
            check_header(path, map, header)?;
        }
        Ok(Self { form: Form::Bytes { rows, n_read: input.n_read }, n_passed: 0 })
    }

    /// Whether the file says itself which columns it has.
    pub(super) fn has_header(&self) -> bool {
        match &self.form {
            Form::Bytes { rows, n_read: _ } => rows.header().is_some(),
            Form::Columns { .. } => true,
        }
    }

    /// Reads the next row.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        match &mut self.form {
            Form::Bytes { rows, n_read: _ } => rows.next(),
            Form::Columns { table, limit, row, n, n_bytes: _ } => {
                row.clear();
                let Some(found) = table.rows.next() else { return Ok(Next::End) };
                let found = found?;
                *n += 1;
                if *limit < found.len() {
                    return Ok(Next::TooLong);
                }
                *row = found;
                Ok(Next::Row)
            }
        }
    }

    /// The bytes of the row that was read last.
    pub(super) fn row(&self) -> &[u8] {
        match &self.form {
            Form::Bytes { rows, n_read: _ } => &rows.row,
            Form::Columns { row, .. } => row,
        }
    }

    /// Whether the row is a line without its end, and perhaps not all of it.
    pub(super) fn is_open_end(&self) -> bool {
        match &self.form {
            Form::Bytes { rows, n_read: _ } => rows.is_open_end,
            Form::Columns { .. } => false,
        }
    }

    /// How many bytes of the file have been read; of columns, their share by rows.
    pub(super) fn n_read(&self) -> u64 {
        match &self.form {
            Form::Bytes { rows: _, n_read } => n_read.get(),
            Form::Columns { table, n, n_bytes, .. } => {
                let n_rows = u128::from(table.n_rows.max(1));
                let share = u128::from(*n_bytes) * u128::from(*n) / n_rows;
                u64::try_from(share).unwrap_or(*n_bytes).min(*n_bytes)
            }
        }
    }
}

/// Refuses a header that lacks a column of the map, or has two of its name.
fn check_header(path: &Path, map: &ColumnMap, header: &[String]) -> Result<(), ImportError> {
    for column in map.names() {
        let path = path.to_path_buf();
        match header.iter().filter(|name| **name == column).count() {
            0 => {
                let found = header.join(", ");
                return Err(ImportError::NoColumn { path, column, found });
            }
            1 => {}
            _ => return Err(ImportError::TwoColumns { path, column }),
        }
    }
    Ok(())
}
