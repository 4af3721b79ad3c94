//! From paths and patterns to files in a fixed order, each with its format.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use pointsman_log::journal::is_journal;

use crate::error::DataError;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Columns, by Apache Parquet.
    Parquet,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// A folder of checked segments, as the service writes them.
    Journal,
}

/// One file to be read, or one journal.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
}

/// The files that `paths` name, patterns replaced by what they match in alphabetical order.
pub(crate) fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, DataError> {
    let mut sources = Vec::new();
    for path in paths {
        for file in expand(path)? {
            sources.push(Source { format: format_of(&file)?, path: file });
        }
    }
    if sources.is_empty() {
        return Err(DataError::NoMatch { pattern: String::new() });
    }
    Ok(sources)
}

fn expand(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let pattern = path.to_string_lossy().into_owned();
    if path.is_dir() && !is_journal(path) {
        return parts_in(path);
    }
    if path.exists() {
        return Ok(vec![path.to_path_buf()]);
    }
    if !pattern.contains(['*', '?', '[']) {
        return Err(DataError::NoMatch { pattern });
    }
    let matches = glob::glob(&pattern).map_err(|error| DataError::Pattern {
        pattern: pattern.clone(),
        reason: error.msg.to_owned(),
    })?;
    let mut files = Vec::new();
    for entry in matches {
        let file = entry.map_err(|error| DataError::Unreadable {
            path: error.path().to_path_buf(),
            source: error.into(),
        })?;
        files.push(file);
    }
    if files.is_empty() {
        return Err(DataError::NoMatch { pattern });
    }
    Ok(files)
}

/// The parts `part-*.ndjson` of a folder that an import wrote, in their order; the folder itself, to be
/// refused, where it holds none.
fn parts_in(dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    let unreadable = |source| DataError::Unreadable { path: dir.to_path_buf(), source };
    let mut parts = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number = name.strip_prefix("part-").and_then(|rest| rest.strip_suffix(".ndjson"));
        parts.extend(number.and_then(|digits| digits.parse::<u64>().ok()).map(|n| (n, path)));
    }
    if parts.is_empty() {
        return Ok(vec![dir.to_path_buf()]);
    }
    parts.sort_unstable();
    Ok(parts.into_iter().map(|(_, path)| path).collect())
}

/// The format by extension, else by the first byte; what can be seen to be wrong is an error.
pub(crate) fn format_of(path: &Path) -> Result<Format, DataError> {
    let unreadable = |source| DataError::Unreadable { path: path.to_path_buf(), source };
    if is_journal(path) {
        return Ok(Format::Journal);
    }
    if path.is_dir() {
        return Err(DataError::Folder { path: path.to_path_buf() });
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    if length == 0 {
        return Err(DataError::Empty { path: path.to_path_buf() });
    }
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head).map_err(unreadable)?;
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let format = match (extension.as_str(), head.as_slice()) {
        ("parquet" | "pq", _) | (_, b"PAR1") => Format::Parquet,
        ("csv", _) => Format::Csv,
        ("ndjson" | "jsonl", _) | (_, [b'{', ..]) => Format::Ndjson,
        _ => return Err(DataError::UnknownFormat { path: path.to_path_buf() }),
    };
    if format == Format::Parquet {
        if head != b"PAR1" {
            return Err(DataError::NotParquet { path: path.to_path_buf() });
        }
        file.seek(SeekFrom::Start(length.saturating_sub(4))).map_err(unreadable)?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail).map_err(unreadable)?;
        if tail != b"PAR1" || length < 12 {
            return Err(DataError::Truncated { path: path.to_path_buf() });
        }
    }
    Ok(format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_parts_is_its_parts_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let refused = sources(&[dir.path().to_path_buf()]).unwrap_err().to_string();
        assert!(refused.contains("is a folder"), "{refused}");
        for name in ["part-00010.ndjson", "part-00002.ndjson", "import.json", "part-x.ndjson"] {
            fs::write(dir.path().join(name), "{}\n").unwrap();
        }
        let found = sources(&[dir.path().to_path_buf()]).unwrap();
        let names: Vec<_> = found.iter().map(|one| one.path.file_name().unwrap()).collect();
        assert_eq!(names, ["part-00002.ndjson", "part-00010.ndjson"]);
        assert!(found.iter().all(|one| one.format == Format::Ndjson));
    }
}
