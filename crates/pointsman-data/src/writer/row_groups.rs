//! A Parquet file that is written a row group at a time.

use polars::{io::parquet::write::BatchedWriter, prelude::*};

use super::watched::Watched;

/// The file in the making; its columns are those of the first group.
pub(super) struct RowGroups {
    file: Option<Watched>,
    writer: Option<BatchedWriter<Watched>>,
    most_rows: usize,
}

impl RowGroups {
    /// A file of groups of at most so many rows.
    pub(super) const fn new(file: Watched, most_rows: usize) -> Self {
        Self { file: Some(file), writer: None, most_rows }
    }

    /// Whether nothing was written, not even columns without rows.
    pub(super) const fn is_empty(&self) -> bool {
        self.writer.is_none()
    }

    /// Writes a group.
    pub(super) fn write(&mut self, frame: &DataFrame) -> PolarsResult<()> {
        if let Some(file) = self.file.take() {
            let writer = ParquetWriter::new(file)
                .with_compression(ParquetCompression::Zstd(None))
                .with_statistics(StatisticsOptions::empty())
                .with_row_group_size(Some(self.most_rows))
                .batched(frame.schema())?;
            self.writer = Some(writer);
        }
        self.writer.as_mut().map_or(Ok(()), |writer| writer.write_batch(frame))
    }

    /// Ends the file.
    pub(super) fn finish(self) -> PolarsResult<()> {
        self.writer.map_or(Ok(()), |writer| writer.finish().map(|_| ()))
    }
}
