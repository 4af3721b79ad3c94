//! Why a table or a log cannot be read or written: one sentence that names the file and the row.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
};

use pointsman_log::journal::NotAJournal;

/// Why there is no table and no log. Rows that are merely unusable are counted instead.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A pattern matched nothing.
    #[error("no file matches `{pattern}`; check the path, or quote the pattern")]
    NoMatch { pattern: String },
    /// A pattern that is none.
    #[error("`{pattern}` is not a file pattern: {reason}")]
    Pattern { pattern: String, reason: String },
    /// A folder in place of a file.
    #[error("`{}` is a folder; pass its files, for example `{}/*.parquet`", path.display(), path.display())]
    Folder { path: PathBuf },
    /// The operating system refused.
    #[error("`{}` cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// Neither a known extension nor a known beginning.
    #[error("`{}` is neither Parquet, CSV nor NDJSON; name it .parquet, .csv or .ndjson", path.display())]
    UnknownFormat { path: PathBuf },
    /// A file of zero bytes, or without a row.
    #[error("`{}` is empty; a table or log needs at least one row", path.display())]
    Empty { path: PathBuf },
    /// Rows, but none that can be used.
    #[error("{} can be used: {reasons}{}", none_of(*n_rows, path), what_to_do(reasons))]
    NothingUsable { path: PathBuf, n_rows: u64, reasons: String },
    /// The bytes that every Parquet file begins with are not there.
    #[error("`{}` is not a Parquet file; its first bytes are not `PAR1`", path.display())]
    NotParquet { path: PathBuf },
    /// The bytes that every Parquet file ends with are not there.
    #[error("`{}` is cut off: a Parquet file ends in `PAR1`; copy it again", path.display())]
    Truncated { path: PathBuf },
    /// Polars could not read it.
    #[error(
        "`{}` is damaged or in a form that cannot be read: {reason}; copy it again, or write it anew",
        path.display()
    )]
    Damaged { path: PathBuf, reason: String },
    /// Text in another encoding.
    #[error("`{}` is not UTF-8 (row {row}); convert it first, for example with iconv", path.display())]
    NotUtf8 { path: PathBuf, row: u64 },
    /// A column that has to be there.
    #[error(
        "`{}` has no column `{column}`; its columns are {found}{}",
        path.display(), other_kind(column, found)
    )]
    MissingColumn { path: PathBuf, column: String, found: String },
    /// A column of a type that cannot hold such values.
    #[error("column `{column}` of `{}` has type {found}; it has to hold {expected}", path.display())]
    WrongType { path: PathBuf, column: String, found: String, expected: &'static str },
    /// One value that does not fit its column.
    #[error("column `{column}` of `{}` holds {value} in row {row}; it has to be {expected}", path.display())]
    BadValue { path: PathBuf, column: String, row: u64, value: String, expected: &'static str },
    /// A grade that is off the scale.
    #[error("`{}`: quality {value} of {subject} (row {row}) is outside [{low}, {high}]; {advice}", path.display())]
    Quality {
        path: PathBuf,
        value: f64,
        subject: String,
        row: u64,
        low: f64,
        high: f64,
        advice: String,
    },
    /// Cost, latency or tokens below zero, or NaN.
    #[error("`{}`: {column} {value} of {subject} (row {row}) is not a number from zero up", path.display())]
    Negative { path: PathBuf, column: &'static str, value: f64, subject: String, row: u64 },
    /// A scale whose ends are equal, turned round or not finite.
    #[error(
        "the quality range {low}..{high} has no width; its first number is the worst grade, its second the best"
    )]
    QualityRange { low: f64, high: f64 },
    /// One id for two prompts.
    #[error("prompt_id `{id}` stands for one prompt in `{}` and for another in `{}`; make the ids differ", first.display(), second.display())]
    PromptIdReused { id: String, first: PathBuf, second: PathBuf },
    /// More than the indices can count.
    #[error("there are more than {limit} {what}; split the data")]
    TooMany { what: &'static str, limit: u64 },
    /// Nothing to choose among.
    #[error("{0}; routing needs at least two")]
    TooFewModels(String),
    /// A propensity by which nothing can be divided.
    #[error("`{}`: propensity {value} of decision `{id}` (row {row}) is not in (0, 1]; a log must hold the probability with which the model was drawn", path.display())]
    Propensity { path: PathBuf, value: f64, id: String, row: u64 },
    /// A decision that contradicts itself.
    #[error("`{}`: decision `{id}` (row {row}) {problem}", path.display())]
    Decision { path: PathBuf, id: String, row: u64, problem: String },
    /// A record that cannot be read.
    #[error(
        "`{}` holds a record that cannot be read: {reason}; `pointsman import` makes records of other logs",
        path.display()
    )]
    Record { path: PathBuf, reason: String },
    /// Lists of different lengths where every row has to have the same actions.
    #[error("column `{column}` of `{}` has {found} numbers in row {row} and rows before have {expected}; every row has to have one for each action", path.display())]
    Ragged { path: PathBuf, column: String, row: u64, found: usize, expected: usize },
    /// What took the rows refused one; its own words follow.
    #[error("`{}`", path.display())]
    Refused { path: PathBuf, source: Box<dyn Error + Send + Sync> },
    /// A log cannot be CSV, which has no lists.
    #[error("`{}` is CSV, which cannot hold a traffic log; bring it as NDJSON or Parquet", path.display())]
    CsvLog { path: PathBuf },
    /// A journal holds one model's outcome per request, a table every model's.
    #[error("`{}` is a journal, which is a traffic log and no table; pass it with --log", path.display())]
    JournalTable { path: PathBuf },
    /// A folder without segments in place of a journal.
    #[error(transparent)]
    NotAJournal(#[from] NotAJournal),
    /// A file name that says no format to write.
    #[error("`{}` does not say what to write; end it in .ndjson or .parquet", path.display())]
    UnknownTarget { path: PathBuf },
    /// The operating system or Polars refused to write.
    #[error("`{}` cannot be written: {reason}", path.display())]
    Unwritable { path: PathBuf, reason: String },
    /// A setting of a simulation that has no meaning.
    #[error("{0}")]
    Simulation(String),
}

impl DataError {
    /// [`Self::NothingUsable`], by how many rows each reason left out.
    pub(crate) fn nothing_usable<'a>(
        path: &Path,
        n_rows: u64,
        dropped: impl Iterator<Item = (&'a str, u64)>,
    ) -> Self {
        let reasons: Vec<_> = dropped.map(|(why, n)| format!("{why} ({n})")).collect();
        Self::NothingUsable { path: path.to_path_buf(), n_rows, reasons: reasons.join(", ") }
    }
}

fn none_of(n_rows: u64, path: &Path) -> String {
    let path = path.display();
    if n_rows == 1 {
        return format!("not even the only row in `{path}`");
    }
    format!("none of the {n_rows} rows in `{path}`")
}

/// What makes rows usable that are not, by why they are not; nothing where that says it already.
fn what_to_do(reasons: &str) -> &'static str {
    let advice = [
        (
            crate::TrafficLog::UNDRAWN,
            "; a log teaches where models were drawn: turn on [explore] in the settings of `serve`",
        ),
        ("the outcome has no `", "; name the metric that is the quality with --quality-metric"),
        (
            "the request has no text",
            "; a policy learns from prompts: keep them in the journal (journal.prompts), or import \
             them too",
        ),
        ("there is no outcome", "; send outcomes to `serve`, or import the log with its scores"),
    ];
    let fits = |(reason, _): &&(&str, &str)| reasons.contains(reason);
    advice.iter().find(fits).map_or("", |&(_, advice)| advice)
}

/// Which flag a file of these columns belongs to, where a column of the other kind was looked for.
fn other_kind(column: &str, found: &str) -> &'static str {
    let has = |name: &str| found.split(", ").any(|one| one == name);
    match column {
        "decision_id" if has("prompt_id") => "; an outcome table goes to --table",
        "prompt_id" if has("decision_id") => "; a traffic log goes to --log",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: &DataError, expected_end: &str) {
        let found = error.to_string();
        assert!(found.ends_with(expected_end), "{found}");
    }

    #[test]
    fn refusals_say_what_to_do() {
        for (reasons, end) in [
            (
                "the propensity is deterministic (8), there is no outcome (2)",
                "in the settings of `serve`",
            ),
            ("the outcome has no `stars` (8)", "with --quality-metric"),
            ("the request has no text (8)", "or import them too"),
            ("there is no outcome (8)", "with its scores"),
            ("quality is null (9)", "quality is null (9)"),
        ] {
            let reasons = reasons.to_owned();
            let path = PathBuf::from("log");
            check(&DataError::NothingUsable { path, n_rows: 10, reasons }, end);
        }
        for (column, columns, end) in [
            ("prompt_id", "decision_id, drawn", "goes to --log"),
            ("decision_id", "prompt_id, model", "goes to --table"),
            ("decision_id", "a, b", "its columns are a, b"),
        ] {
            let (column, found) = (column.to_owned(), columns.to_owned());
            let path = PathBuf::from("file");
            check(&DataError::MissingColumn { path, column, found }, end);
        }
    }
}
