//! Parquet on its way from the crate that reads it to the one that imports it.

use pointsman_data::{DataError, json_rows};
use pointsman_import::Table;
use std::{
    error::Error,
    io::{self, ErrorKind},
    path::Path,
};

/// Opens a Parquet file for an import.
pub(super) fn open(
    path: &Path,
    columns: &[String],
    n_passed: u64,
) -> Result<Table, Box<dyn Error + Send + Sync>> {
    let rows = json_rows(path, columns, n_passed)?;
    let n_rows = rows.n_rows();
    Ok(Table { n_rows, rows: Box::new(rows.map(|row| row.map_err(as_read))) })
}

/// The error of a row as that of a stream, which names the file itself.
fn as_read(error: DataError) -> io::Error {
    if let DataError::Damaged { reason, .. } = error {
        return io::Error::new(ErrorKind::InvalidData, reason);
    }
    if let DataError::Unreadable { source, .. } = error {
        return source;
    }
    io::Error::other(error)
}
