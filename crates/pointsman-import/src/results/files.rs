//! Result files by path, of either kind.

use super::{Origin, ResultCounts, ResultsError, WideColumns, WriteRow, read_bench};
use crate::{
    error::ImportError,
    item::{Dropped, Reason},
    open::open,
    rows::{Next, Rows},
};
use serde_json::{Map, Value};
use std::{io, path::Path};

/// The longest row of a wide table, in bytes.
const MAX_ROW_BYTES: usize = 16 << 20;

/// Reads a result file: one of a benchmark with folders where its name ends in `.json` (packed or not),
/// else a wide table, as CSV with a header or NDJSON.
///
/// # Errors
/// [`ResultsError`] where the file cannot be read, is neither, or a row cannot be written.
pub fn read_results(path: &Path, write: WriteRow<'_>) -> Result<ResultCounts, ResultsError> {
    let is_packed = |end: &str| matches!(end, "gz" | "zst");
    let end = |path: &Path| path.extension().map(|end| end.to_string_lossy().to_lowercase());
    let inner = match end(path) {
        Some(last) if is_packed(&last) => path.file_stem().and_then(|stem| end(Path::new(stem))),
        found => found,
    };
    let input = match open(path) {
        Ok(input) => input,
        // Nothing goes on from where a file of results broke off.
        Err(ImportError::Damaged { reason, .. }) => {
            let source = io::Error::new(io::ErrorKind::InvalidData, reason);
            return Err(ResultsError::Read { source });
        }
        Err(error) => return Err(error.into()),
    };
    if inner.as_deref() == Some("json") {
        return read_bench(input.bytes, &Origin::of_path(path)?, write);
    }
    let unreadable = |source| ResultsError::Read { source };
    let mut rows = Rows::new(input.bytes, MAX_ROW_BYTES).map_err(unreadable)?;
    let mut counts = ResultCounts::default();
    let mut columns = None;
    let mut n = 0;
    loop {
        let next = rows.next().map_err(unreadable)?;
        n += 1;
        match next {
            Next::Row | Next::Open => {}
            Next::TooLong => {
                counts.count(&Dropped::new(Reason("longer than the limit of a row"), ""));
                continue;
            }
            Next::CutOff => {
                counts.count(&Dropped::new(Reason("the file ends within it"), ""));
                break;
            }
            Next::End => break,
        }
        let known = match columns.take() {
            Some(known) => known,
            None => columns_of(&rows.row)?,
        };
        known.read(&rows.row, n, &mut counts, &mut *write)?;
        columns = Some(known);
    }
    if columns.is_none() {
        return Err(ResultsError::NoPrompt { found: "none: it has no row".to_owned() });
    }
    Ok(counts)
}

/// The columns, by the keys of the first row.
fn columns_of(row: &[u8]) -> Result<WideColumns, ResultsError> {
    let row: Map<String, Value> = serde_json::from_slice(row).map_err(|problem| {
        ResultsError::NotResults { message: format!("its first row is no object: {problem}") }
    })?;
    let names: Vec<&str> = row.keys().map(String::as_str).collect();
    WideColumns::of_header(&names)
}
