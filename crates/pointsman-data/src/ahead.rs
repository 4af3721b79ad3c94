//! How much there is to read, told beforehand, so that progress can say how much time is left.
//!
//! Parquet says in its footer how many rows it has. Of a file of lines the first 256 KiB are counted and
//! stand for the rest, and how many rows of a table are one prompt's is seen from its first ones: that
//! is the weakness, where what follows is otherwise. No result rests on it.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    columns::Batch,
    files::{Format, Source, sources},
    parquet::{ParquetFile, Wanted},
};

/// How much of a file of lines is counted.
const HEAD_BYTES: u64 = 256 << 10;

/// How many rows of Parquet are looked at.
const HEAD_ROWS: usize = 4096;

/// What only the record of a decision holds as a whole text of JSON; within a prompt its quotes are
/// escaped.
const DECISION: &[u8] = b"\"decision\"";

/// The column that says whose row it is.
const PROMPT_ID: &str = "prompt_id";

/// About how many decisions some logs hold, or how many rows some files of Parquet; `None` where
/// that cannot be told. What is wrong with a file is for whoever reads it to say.
pub fn decisions_ahead(paths: &[PathBuf]) -> Option<u64> {
    sources(paths).ok()?.iter().map(decisions_in).sum()
}

/// About how many prompts some outcome tables hold; `None` where that cannot be told, as of CSV and of
/// tables in which a prompt's rows do not stand together.
pub fn prompts_ahead(paths: &[PathBuf]) -> Option<u64> {
    sources(paths).ok()?.iter().map(prompts_in).sum()
}

fn decisions_in(Source { path, format }: &Source) -> Option<u64> {
    match format {
        Format::Parquet => {
            let file = ParquetFile::open(path, &Wanted { columns: &[], required: &[] }).ok()?;
            u64::try_from(file.n_rows()).ok()
        }
        Format::Ndjson => decisions_in_lines(path),
        Format::Journal => decisions_in_segments(path),
        Format::Csv => None,
    }
}

fn decisions_in_segments(dir: &Path) -> Option<u64> {
    let mut n_decisions = 0;
    for entry in fs::read_dir(dir).ok()? {
        let path = entry.ok()?.path();
        if path.extension().is_some_and(|extension| extension == "ndjson") {
            n_decisions += decisions_in_lines(&path)?;
        }
    }
    Some(n_decisions)
}

fn decisions_in_lines(path: &Path) -> Option<u64> {
    let Head { lines, n_bytes } = head(path)?;
    let is_decision = |line: &&[u8]| line.windows(DECISION.len()).any(|text| text == DECISION);
    let n_decisions = lines.split(|&byte| byte == b'\n').filter(is_decision).count();
    scaled(n_decisions, (lines.len(), n_bytes))
}

fn prompts_in(Source { path, format }: &Source) -> Option<u64> {
    match format {
        Format::Parquet => {
            let wanted = Wanted { columns: &[PROMPT_ID], required: &[&[PROMPT_ID]] };
            let file = ParquetFile::open(path, &wanted).ok()?;
            let frame = file.read(0, file.n_rows().min(HEAD_ROWS)).ok()?;
            let batch = Batch { path, n_before: 0, frame: &frame };
            let ids = batch.texts(PROMPT_ID).ok()?;
            let of_rows: Vec<Option<&str>> = (0..frame.height()).map(|row| ids.get(row)).collect();
            scaled(n_prompts(&of_rows)?, (of_rows.len(), u64::try_from(file.n_rows()).ok()?))
        }
        Format::Ndjson => {
            let Head { lines, n_bytes } = head(path)?;
            let texts = lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
            let of_rows: Vec<Option<Value>> = texts.map(prompt_id).collect();
            scaled(n_prompts(&of_rows)?, (lines.len(), n_bytes))
        }
        Format::Csv | Format::Journal => None,
    }
}

/// Whose row a line is.
fn prompt_id(line: &[u8]) -> Option<Value> {
    #[derive(Deserialize)]
    struct Row {
        prompt_id: Value,
    }
    serde_json::from_slice::<Row>(line).ok().map(|row| row.prompt_id)
}

/// How many prompts rows are of that stand together; `None` where they do not, so that the rest of a
/// table may be of the same ones.
fn n_prompts<T: PartialEq>(of_rows: &[T]) -> Option<usize> {
    let n_runs = of_rows.chunk_by(|one, next| one == next).count();
    // Routing takes two models or more; the last run may be cut off.
    (2 * n_runs <= of_rows.len() + 1).then_some(n_runs)
}

/// The beginning of a file of lines.
struct Head {
    /// Those that are whole.
    lines: Vec<u8>,
    /// How long the file is.
    n_bytes: u64,
}

fn head(path: &Path) -> Option<Head> {
    let file = File::open(path).ok()?;
    let n_bytes = file.metadata().ok()?.len();
    let mut lines = Vec::new();
    file.take(HEAD_BYTES).read_to_end(&mut lines).ok()?;
    let n_whole = lines.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    lines.truncate(n_whole);
    Some(Head { lines, n_bytes })
}

/// What is found in the head of a file, for all of it; nothing where there is no head.
fn scaled(n_found: usize, (n_head, n_all): (usize, u64)) -> Option<u64> {
    let n_scaled = n_all.saturating_mul(u64::try_from(n_found).ok()?);
    n_scaled.checked_div(u64::try_from(n_head.max(1)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{ParquetWriter, df};

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

    /// A table with one row for each of these ids, as CSV has them.
    fn table(ids: &[&str]) -> String {
        let row = |id: &&str| format!("{{\"model\":\"m\",\"prompt_id\":{id}}}\n");
        ids.iter().map(row).collect::<Vec<_>>().concat()
    }

    #[track_caller]
    fn check_prompts(text: &str, expected: Option<u64>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table.ndjson");
        fs::write(&path, text).unwrap();
        assert_eq!(prompts_ahead(std::slice::from_ref(&path)), expected, "{text}");
        // As columns, which need no more than that one.
        let parquet = dir.path().join("table.parquet");
        let ids: Vec<String> = text
            .lines()
            .map(|line| prompt_id(line.as_bytes()).map_or_else(String::new, |id| id.to_string()))
            .collect();
        let mut frame = df!["prompt_id" => ids].unwrap();
        ParquetWriter::new(File::create(&parquet).unwrap()).finish(&mut frame).unwrap();
        assert_eq!(prompts_ahead(&[parquet]), expected, "{text}");
    }

    #[test]
    fn prompts_are_foretold_where_their_rows_stand_together() {
        check_prompts(&table(&["1", "1", "2", "2", "3", "3"]), Some(3));
        check_prompts(&table(&["\"a\"", "\"a\"", "\"a\"", "\"b\"", "\"b\""]), Some(2));
        check_prompts(&table(&["1", "2", "3", "1", "2", "3"]), None);
        let long: String = (0..4000).map(|id| table(&[(id / 4).to_string().as_str()])).collect();
        check_prompts(&long, Some(1000));
        assert_eq!(prompts_ahead(&[PathBuf::from("nowhere.parquet")]), None);
    }

    #[test]
    fn prompts_beyond_the_head_are_like_those_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("long.ndjson");
        let rows = (0..40_000).map(|row| table(&[format!("\"p{:07}\"", row / 5).as_str()]));
        fs::write(&path, rows.collect::<String>()).unwrap();
        assert!(HEAD_BYTES < fs::metadata(&path).unwrap().len());
        let found = prompts_ahead(&[path]).unwrap();
        assert!(found.abs_diff(8_000) < 10, "{found}");
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
