//! Parquet and CSV files as a sequence of frames that fit into memory together with the rest.
//!
//! Writers put anything from a hundred to a million rows into a row group, and texts repeat or do
//! not. Batches are therefore cut by what their columns weigh uncompressed, not by row groups.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use polars::{io::parquet::metadata::FileMetadataRef, prelude::*};

use crate::{columns::Batch, error::DataError};

/// Uncompressed bytes that one batch may hold, about.
const BATCH_BYTES: usize = 48 << 20;
/// Rows that one batch may hold. A row group that is cut into several is read again for each.
pub(crate) const BATCH_ROWS: usize = 1 << 17;
/// Rows that a batch holds however heavy they are.
const MIN_BATCH_ROWS: usize = 2048;

/// Rows that room is made for at most before they are there.
const MOST_ROWS_AHEAD: usize = 1 << 22;

/// Which columns a reader takes, and which it cannot do without: one of each group.
pub(crate) struct Wanted<'a> {
    pub(crate) columns: &'a [&'a str],
    pub(crate) required: &'a [&'a [&'a str]],
}

impl Wanted<'_> {
    /// Refuses a file in which all columns of a required group are missing.
    pub(crate) fn check(&self, path: &Path, found: &[&str]) -> Result<(), DataError> {
        for group in self.required {
            let missing = !group.iter().any(|column| found.contains(column));
            if let (true, [first, ..]) = (missing, group) {
                return Err(DataError::MissingColumn {
                    path: path.to_path_buf(),
                    column: (*first).to_owned(),
                    found: found.join(", "),
                });
            }
        }
        Ok(())
    }

    fn present(&self, found: &[&str]) -> Vec<String> {
        let is_there = |column: &&&str| found.contains(*column);
        self.columns.iter().filter(is_there).map(|&column| column.to_owned()).collect()
    }
}

/// Hands the rows of a Parquet file to `on_batch`, batch after batch.
pub(crate) fn read_parquet(
    path: &Path,
    wanted: &Wanted<'_>,
    on_batch: &mut dyn FnMut(&Batch<'_>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    read_parquet_by(path, wanted, BATCH_ROWS, on_batch)
}

/// As [`read_parquet`], in batches of at most `batch_rows` rows. A row group is read again for each
/// batch that it is cut into, so that rows of a few numbers are better read many at once.
pub(crate) fn read_parquet_by(
    path: &Path,
    wanted: &Wanted<'_>,
    batch_rows: usize,
    on_batch: &mut dyn FnMut(&Batch<'_>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    ParquetFile::open(path, wanted)?.for_each_batch(batch_rows, on_batch)
}

/// A file whose footer was read, and the columns of it that are wanted.
pub(crate) struct ParquetFile {
    path: PathBuf,
    metadata: FileMetadataRef,
    columns: Vec<String>,
}

impl ParquetFile {
    /// Reads the footer, and refuses a file in which what is required is missing.
    pub(crate) fn open(path: &Path, wanted: &Wanted<'_>) -> Result<Self, DataError> {
        let mut reader = reader(path)?;
        let damaged = |error: PolarsError| damaged(path, &error);
        let metadata = Arc::clone(reader.get_metadata().map_err(damaged)?);
        let schema = reader.schema().map_err(damaged)?;
        let found: Vec<&str> = schema.iter_names().map(PlSmallStr::as_str).collect();
        wanted.check(path, &found)?;
        Ok(Self { path: path.to_path_buf(), metadata, columns: wanted.present(&found) })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The rows of all batches.
    pub(crate) fn n_rows(&self) -> usize {
        self.metadata.num_rows
    }

    /// So many of them that room may be made on the file's word alone.
    pub(crate) fn n_rows_ahead(&self) -> usize {
        self.n_rows().min(MOST_ROWS_AHEAD)
    }

    /// The batches that it is read in, as `(first row, rows)`, of at most `batch_rows` rows.
    pub(crate) fn batches(&self, batch_rows: usize) -> Vec<(usize, usize)> {
        let is_wanted = |name: &str| self.columns.iter().any(|column| column == name);
        let groups = self.metadata.row_groups.iter().map(|group| {
            let bytes = group
                .parquet_columns()
                .iter()
                .filter(|chunk| {
                    chunk.descriptor().path_in_schema.first().is_some_and(|name| is_wanted(name))
                })
                .map(|chunk| usize::try_from(chunk.uncompressed_size()).unwrap_or_default())
                .sum();
            (group.num_rows(), bytes)
        });
        batches(groups, batch_rows)
    }

    /// Hands all rows to `on_batch`, in batches of at most `batch_rows`.
    pub(crate) fn for_each_batch(
        &self,
        batch_rows: usize,
        on_batch: &mut dyn FnMut(&Batch<'_>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        for (start, n_rows) in self.batches(batch_rows) {
            let frame = self.read(start, n_rows)?;
            let n_before = u64::try_from(start).unwrap_or(u64::MAX);
            on_batch(&Batch { path: &self.path, n_before, frame: &frame })?;
        }
        Ok(())
    }

    /// Reads `n_rows` rows from the row `start` on.
    pub(crate) fn read(&self, start: usize, n_rows: usize) -> Result<DataFrame, DataError> {
        let mut reader = reader(&self.path)?;
        reader.set_metadata(Arc::clone(&self.metadata));
        reader
            .with_columns(Some(self.columns.clone()))
            .with_slice(Some((start, n_rows)))
            .read_parallel(ParallelStrategy::RowGroups)
            .finish()
            .map_err(|error| damaged(&self.path, &error))
    }
}

fn reader(path: &Path) -> Result<ParquetReader<File>, DataError> {
    let unreadable = |source| DataError::Unreadable { path: path.to_path_buf(), source };
    File::open(path).map_err(unreadable).map(ParquetReader::new)
}

fn damaged(path: &Path, error: &PolarsError) -> DataError {
    let reason = error.to_string().lines().next().unwrap_or_default().to_owned();
    DataError::Damaged { path: path.to_path_buf(), reason }
}

/// Cuts row groups of `(rows, bytes)` into batches of `(first row, rows)`: small groups are read
/// together, large ones in parts.
fn batches(groups: impl Iterator<Item = (usize, usize)>, batch_rows: usize) -> Vec<(usize, usize)> {
    let mut batches = Vec::new();
    let (mut start, mut rows, mut bytes) = (0, 0, 0);
    for (group_rows, group_bytes) in groups.filter(|&(rows, _)| 0 < rows) {
        if 0 < rows && (BATCH_BYTES < bytes + group_bytes || batch_rows < rows + group_rows) {
            batches.push((start, rows));
            (start, rows, bytes) = (start + rows, 0, 0);
        }
        let by_bytes = group_bytes.div_ceil(BATCH_BYTES).min(group_rows.div_ceil(MIN_BATCH_ROWS));
        let n_parts = by_bytes.max(group_rows.div_ceil(batch_rows));
        if n_parts < 2 {
            (rows, bytes) = (rows + group_rows, bytes + group_bytes);
            continue;
        }
        let end = start + group_rows;
        while start < end {
            let part = group_rows.div_ceil(n_parts).min(end - start);
            batches.push((start, part));
            start += part;
        }
    }
    if 0 < rows {
        batches.push((start, rows));
    }
    batches
}

/// Hands the rows of a CSV file to `on_batch` at once, every column as text.
///
/// The whole file is in memory: a table that is too large for that belongs into Parquet.
pub(crate) fn read_csv(
    path: &Path,
    wanted: &Wanted<'_>,
    on_batch: &mut dyn FnMut(&Batch<'_>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let read = |options: CsvReadOptions| {
        let unreadable = |source| DataError::Unreadable { path: path.to_path_buf(), source };
        let file = File::open(path).map_err(unreadable)?;
        options.into_reader_with_file_handle(file).finish().map_err(|error| {
            let (path, reason) = (path.to_path_buf(), error.to_string());
            if reason.to_lowercase().contains("utf") {
                return DataError::NotUtf8 { path, row: 1 };
            }
            DataError::Damaged { path, reason: csv_reason(&reason) }
        })
    };
    let texts =
        || CsvReadOptions::default().with_has_header(true).with_infer_schema_length(Some(0));
    let header = read(texts().with_n_rows(Some(0)))?;
    let found: Vec<&str> = header.get_column_names().into_iter().map(PlSmallStr::as_str).collect();
    wanted.check(path, &found)?;
    let columns = wanted.present(&found).into_iter().map(PlSmallStr::from).collect();
    let frame = read(texts().with_columns(Some(columns)).with_rechunk(true))?;
    if frame.height() == 0 {
        return Ok(());
    }
    on_batch(&Batch { path, n_before: 0, frame: &frame })
}

/// One line of what Polars says, without the rows that it quotes.
fn csv_reason(reason: &str) -> String {
    if reason.contains("more fields") {
        return "a row has more fields than the header; put texts with commas between quotes"
            .to_owned();
    }
    let first = reason.lines().next().unwrap_or_default();
    if 120 < first.len() || first.contains("quot") || first.contains("parse") {
        return "its rows do not follow its header; look for a quote that is not closed".to_owned();
    }
    first.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_batches(groups: &[(usize, usize)], expected: &[(usize, usize)]) {
        assert_eq!(batches(groups.iter().copied(), BATCH_ROWS), expected, "{groups:?}");
    }

    #[test]
    fn batches_weigh_about_the_same() {
        const MIB: usize = 1 << 20;
        check_batches(&[], &[]);
        check_batches(&[(0, 0), (10, MIB)], &[(0, 10)]);
        check_batches(&[(10, MIB), (20, MIB)], &[(0, 30)]); // small ones together
        check_batches(&[(10, 40 * MIB), (20, 40 * MIB)], &[(0, 10), (10, 20)]);
        check_batches(&[(60_000, 96 * MIB)], &[(0, 30_000), (30_000, 30_000)]);
        check_batches(&[(70_000, MIB)], &[(0, 70_000)]);
        check_batches(&[(280_000, MIB)], &[(0, 93_334), (93_334, 93_334), (186_668, 93_332)]);
        check_batches(
            &[(10, MIB), (50_000, 96 * MIB), (5, 1)],
            &[(0, 10), (10, 25_000), (25_010, 25_000), (50_010, 5)],
        );
        check_batches(&[(3, 500 * MIB)], &[(0, 3)]); // heavy rows are read all the same
    }
}
