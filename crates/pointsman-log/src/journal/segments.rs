//! The names of a journal's files, and which of them are there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The file of one segment.
pub(crate) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("journal-{number:08}.ndjson"))
}

/// The file that says which decisions and outcomes a segment holds.
pub(crate) fn index_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("journal-{number:08}.index"))
}

/// The file whose lock makes a writer the only one.
pub(crate) fn lock_path(dir: &Path) -> PathBuf {
    dir.join("lock")
}

/// The numbers of all segments in `dir`, ascending.
pub(crate) fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(number_of));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The number in a segment's name; `None` for every other file.
fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("journal-")?.strip_suffix(".ndjson")?;
    let number = digits.parse().ok()?;
    (format!("{number:08}") == digits).then_some(number)
}

/// Whether `dir` is a folder that holds at least one segment.
pub fn is_journal(dir: &Path) -> bool {
    dir.is_dir() && numbers(dir).is_ok_and(|numbers| !numbers.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_segments_have_numbers() {
        for (name, expected) in [
            ("journal-00000001.ndjson", Some(1)),
            ("journal-123456789.ndjson", Some(123_456_789)),
            ("journal-1.ndjson", None),
            ("journal-0000000x.ndjson", None),
            ("journal-+0000001.ndjson", None),
            ("journal-00000001.index", None),
            ("lock", None),
        ] {
            assert_eq!(number_of(name), expected, "{name}");
        }
    }
}
