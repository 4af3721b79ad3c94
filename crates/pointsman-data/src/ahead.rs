//! How much there is to read, told beforehand, so that progress can say how much time is left.
//!
//! Parquet says it in its footer. Of a file of lines the first 256 KiB are counted and stand for
//! the rest, which is its weakness: where lines grow, more is foretold than comes. No result rests
//! on it.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use crate::{
    files::{Format, Source, sources},
    parquet::{ParquetFile, Wanted},
};

/// How much of a file of lines is counted.
const HEAD_BYTES: u64 = 256 << 10;

/// What only the record of a decision holds as a whole text of JSON; within a prompt its quotes are
/// escaped.
const DECISION: &[u8] = b"\"decision\"";

/// About how many decisions some logs hold, or how many rows some files of Parquet; `None` where
/// that cannot be told. What is wrong with a file is for whoever reads it to say.
pub fn decisions_ahead(paths: &[PathBuf]) -> Option<u64> {
    sources(paths).ok()?.iter().map(of_source).sum()
}

fn of_source(Source { path, format }: &Source) -> Option<u64> {
    match format {
        Format::Parquet => {
            let file = ParquetFile::open(path, &Wanted { columns: &[], required: &[] }).ok()?;
            u64::try_from(file.n_rows()).ok()
        }
        Format::Ndjson => in_lines(path),
        Format::Journal => in_segments(path),
        Format::Csv => None,
    }
}

fn in_segments(dir: &Path) -> Option<u64> {
    let mut n_decisions = 0;
    for entry in fs::read_dir(dir).ok()? {
        let path = entry.ok()?.path();
        if path.extension().is_some_and(|extension| extension == "ndjson") {
            n_decisions += in_lines(&path)?;
        }
    }
    Some(n_decisions)
}

/// By the lines that are whole within the head of the file.
fn in_lines(path: &Path) -> Option<u64> {
    let file = File::open(path).ok()?;
    let n_bytes = file.metadata().ok()?.len();
    let mut head = Vec::new();
    file.take(HEAD_BYTES).read_to_end(&mut head).ok()?;
    let n_whole = head.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    head.truncate(n_whole);
    let is_decision = |line: &&[u8]| line.windows(DECISION.len()).any(|text| text == DECISION);
    let n_decisions = head.split(|&byte| byte == b'\n').filter(is_decision).count();
    let n_whole = u64::try_from(n_whole).ok()?;
    let n_scaled = n_bytes.saturating_mul(u64::try_from(n_decisions).ok()?);
    Some(n_scaled.checked_div(n_whole).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = concat!(
        "{\"v\":1,\"kind\":\"decision\",\"id\":\"a\"}\n",
        "{\"v\":1,\"kind\":\"outcome\",\"decision_id\":\"a\",\"note\":\"\\\"decision\\\"\"}\n",
    );

    #[track_caller]
    fn check(name: &str, bytes: &[u8], expected: Option<u64>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        assert_eq!(decisions_ahead(&[path]), expected, "{name}");
    }

    #[test]
    fn decisions_are_foretold_from_the_head_of_a_file() {
        check("log.ndjson", LINES.as_bytes(), Some(1));
        check("one-line.ndjson", b"{}", Some(0));
        check("table.csv", b"prompt_id\n", None);
        assert_eq!(decisions_ahead(&[PathBuf::from("nowhere.ndjson")]), None);
    }

    #[test]
    fn what_is_beyond_the_head_is_like_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("long.ndjson");
        fs::write(&path, LINES.repeat(10_000)).unwrap();
        assert!(HEAD_BYTES < fs::metadata(&path).unwrap().len());
        let found = decisions_ahead(&[path]).unwrap();
        assert!(found.abs_diff(10_000) < 10, "{found}");
    }

    #[test]
    fn segments_of_a_journal_count_together() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["journal-00000001.ndjson", "journal-00000002.ndjson"] {
            fs::write(dir.path().join(name), LINES).unwrap();
        }
        fs::write(dir.path().join("lock"), "").unwrap();
        assert_eq!(decisions_ahead(&[dir.path().to_path_buf()]), Some(2));
    }
}
