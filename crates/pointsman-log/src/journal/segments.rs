//! The names of a journal's files, and which of them are there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::error::NotAJournal;

/// What the name of a file ends in that is not yet what it is to be.
const PARTIAL: &str = ".partial";

/// The file of one segment.
pub(crate) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("journal-{number:08}.ndjson"))
}

/// The file that says which decisions and outcomes a segment holds.
pub(crate) fn index_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("journal-{number:08}.index"))
}

/// The file that new content is written to before it takes the name of `path`.
pub(crate) fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(PARTIAL);
    path.with_file_name(name)
}

/// The file whose lock makes a writer the only one.
pub(crate) fn lock_path(dir: &Path) -> PathBuf {
    dir.join("lock")
}

/// The numbers of all segments in `dir`, ascending.
///
/// # Errors
/// The operating system's, where `dir` is no folder that can be listed.
pub fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| number_of(name, ".ndjson")));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The number in the name of a segment's file that ends so; `None` for every other file.
fn number_of(name: &str, end: &str) -> Option<u64> {
    let digits = name.strip_prefix("journal-")?.strip_suffix(end)?;
    let number = digits.parse().ok()?;
    (format!("{number:08}") == digits).then_some(number)
}

/// What a crash may leave in `dir` for good, with the names of decisions in it: content that never
/// took its name, and indexes of segments that are gone. `numbers` are those of all segments.
pub(crate) fn leftovers(dir: &Path, numbers: &[u64]) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| is_leftover(name, numbers)) {
            paths.push(entry.path());
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

fn is_leftover(name: &str, numbers: &[u64]) -> bool {
    match name.strip_suffix(PARTIAL) {
        Some(whole) => [".ndjson", ".index"].iter().any(|end| number_of(whole, end).is_some()),
        None => number_of(name, ".index").is_some_and(|number| !numbers.contains(&number)),
    }
}

/// Refuses what is no folder with at least one segment.
///
/// # Errors
/// [`NotAJournal`], for such a place.
pub fn check_journal(dir: &Path) -> Result<(), NotAJournal> {
    if is_journal(dir) { Ok(()) } else { Err(NotAJournal { path: dir.to_path_buf() }) }
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
            assert_eq!(number_of(name, ".ndjson"), expected, "{name}");
        }
    }

    #[test]
    fn what_nobody_reads_any_more_is_left_over() {
        for (name, expected) in [
            ("journal-00000001.ndjson", false),
            ("journal-00000001.ndjson.partial", true),
            ("journal-00000009.ndjson.partial", true),
            ("journal-00000001.index", false),
            ("journal-00000001.index.partial", true),
            ("journal-00000009.index", true),
            ("notes.partial", false),
            ("lock", false),
        ] {
            assert_eq!(is_leftover(name, &[1, 2]), expected, "{name}");
        }
    }
}
