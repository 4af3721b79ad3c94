//! Tables of columns, such as Parquet, which whoever calls the import reads: this crate knows no such
//! format.
//!
//! A table comes as rows, each the bytes of a JSON object, one at a time.

use std::{error::Error, fmt, io, path::Path};

/// A table that was opened.
pub struct Table {
    /// How many rows it has, those that were passed over among them.
    pub n_rows: u64,
    /// Its rows in their order, each an object of JSON. An error of the kind `InvalidData` says that
    /// bytes are damaged. No row comes after an error.
    pub rows: Box<dyn Iterator<Item = io::Result<Vec<u8>>>>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("n_rows", &self.n_rows).finish_non_exhaustive()
    }
}

/// Opens a table after its first `n_passed` rows, with those of its columns that `columns` name; a name
/// with a dot is a column, or a field of the column that the part before the dot names. What it
/// refuses with is one sentence that names the file.
pub type OpenTable = fn(
    path: &Path,
    columns: &[String],
    n_passed: u64,
) -> Result<Table, Box<dyn Error + Send + Sync>>;
