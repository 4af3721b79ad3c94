//! Why an import cannot be: one sentence that says what to do.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
};

/// Why there is no import. Rows that are merely of no use are counted instead.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Nothing to read.
    #[error("no input was named; pass the files of one log")]
    NoInput,
    /// The operating system refused.
    #[error("`{}` cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// Bytes of a compressed file that are missing or wrong.
    #[error(
        "`{}` is cut off or damaged after {} ({reason}); copy it again, then run the same command: it \
         goes on from there", path.display(), rows(*n_rows)
    )]
    Damaged { path: PathBuf, n_rows: u64, reason: String },
    /// A file without a row.
    #[error("`{}` is empty; leave it out", path.display())]
    Empty { path: PathBuf },
    /// Columns where they are not read, or by a program that reads none.
    #[error(
        "`{}` is Parquet, which cannot be read here; write it as NDJSON first, for example with \
         `duckdb -c \"copy (from '{}') to 'log.ndjson' (format json)\"`",
        path.display(), path.display()
    )]
    Parquet { path: PathBuf },
    /// Packed, and packed again.
    #[error(
        "`{}` is {inner} within {outer}, and one packing is undone; unpack it once, with \
         `{command} {}`, and import what that gives", path.display(), path.display()
    )]
    PackedTwice { path: PathBuf, inner: &'static str, outer: &'static str, command: &'static str },
    /// Columns of which nobody says what they hold.
    #[error(
        "`{}` is Parquet, as its first bytes say, and its columns may hold anything; write a map of \
         them as docs/import.md shows, and pass it with --map FILE", path.display()
    )]
    ParquetWithoutMap { path: PathBuf },
    /// Whatever whoever reads tables says.
    #[error(transparent)]
    Table(Box<dyn Error + Send + Sync>),
    /// A format that nobody knows.
    #[error("`{name}` is not a format; known are {known}")]
    UnknownFormat { name: String, known: String },
    /// Rows of no known format.
    #[error(
        "the format of `{}` is not recognised: {found}; name it with --from, or \
         name its columns with --map", path.display()
    )]
    NotRecognised { path: PathBuf, found: String },
    /// Rows that several formats could have written.
    #[error("`{}` could be {first} or {second}; say which with --from", path.display())]
    Ambiguous { path: PathBuf, first: &'static str, second: &'static str },
    /// The format that was named is not the one that is there.
    #[error(
        "`{}` is not {expected}: {keys} in its first row are of {found}; use --from {name}",
        path.display()
    )]
    OtherFormat {
        path: PathBuf,
        expected: &'static str,
        keys: String,
        found: &'static str,
        name: &'static str,
    },
    /// The format that was named is not the one by which the file was read before.
    #[error(
        "`{}` was imported into `{}` as {before} before, and --from {named} reads it otherwise; leave \
         --from away, or name another folder", path.display(), out.display()
    )]
    OtherFormatBefore { path: PathBuf, out: PathBuf, before: String, named: &'static str },
    /// Rows, but none of the format.
    #[error("{} of {expected}: {} has {found} ({why})", no_row(*n_rows, path), first_of(*n_rows))]
    NothingRead { path: PathBuf, n_rows: u64, expected: &'static str, found: String, why: String },
    /// A column map that says nothing, or nonsense.
    #[error("the column map: {message}")]
    Map { message: String },
    /// A column that the map names and the file lacks.
    #[error("`{}` has no column `{column}`, which the map names; its columns are {found}", path.display())]
    NoColumn { path: PathBuf, column: String, found: String },
    /// A key that the map names for what every call needs, and that no row has.
    #[error(
        "no row of `{}` has the key `{key}`, which the map names for the {what} of a call; the first has \
         {found}", path.display()
    )]
    NoKey { path: PathBuf, key: String, what: &'static str, found: String },
    /// Two columns of one name that the map names.
    #[error("`{}` has two columns `{column}`, and the map names one; call one of them otherwise", path.display())]
    TwoColumns { path: PathBuf, column: String },
    /// Rows of columns without a map.
    #[error(
        "--from columns needs a map of them; write one as docs/import.md shows, and pass --map FILE"
    )]
    NoMap,
    /// A rule file that says nothing, or nonsense.
    #[error("the quality rules: {message}")]
    Rules { message: String },
    /// A folder that cannot be written to.
    #[error("`{}` cannot be written", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    /// Another import at work.
    #[error("another import writes into `{}`; wait for it, or name another folder", path.display())]
    Locked { path: PathBuf },
    /// A folder of something else.
    #[error(
        "`{}` holds {found}, which no import wrote; name an empty folder, or one of an earlier import",
        path.display()
    )]
    NotOurs { path: PathBuf, found: String },
    /// A manifest of another release, or a broken one.
    #[error("`{}` is not a manifest that can be read ({reason}); import into another folder", path.display())]
    Manifest { path: PathBuf, reason: String },
    /// Other settings than the parts were written with.
    #[error(
        "`{}` was written with other settings ({what}); use the same, or name another folder",
        path.display()
    )]
    OtherSettings { path: PathBuf, what: String },
    /// A file that is not what it was.
    #[error(
        "`{}` is not the file that was imported before under this name; import it under another name, \
         or into another folder", path.display()
    )]
    Changed { path: PathBuf },
    /// The caller said stop.
    #[error("stopped after {}; the same command goes on from there", rows(*n_rows))]
    Stopped { n_rows: u64 },
}

impl ImportError {
    /// That the operating system does not let a file be read, in words where the mistake is a common one.
    pub(crate) fn unreadable(path: &Path, source: io::Error) -> Self {
        const COMMON: [(io::ErrorKind, &str); 3] = [
            (io::ErrorKind::NotFound, "there is no such file; check the path"),
            (io::ErrorKind::IsADirectory, "it is a folder; name its files"),
            (io::ErrorKind::PermissionDenied, "its permissions forbid it; change them"),
        ];
        let words = COMMON.iter().find(|(kind, _)| *kind == source.kind());
        let source = match words {
            Some(&(kind, words)) => io::Error::new(kind, words),
            None => source,
        };
        Self::Unreadable { path: path.to_path_buf(), source }
    }
}

/// That no row is one that is read, up to what it should be.
fn no_row(n: u64, path: &Path) -> String {
    let path = path.display();
    if n == 1 {
        return format!("the only row of `{path}` is no row");
    }
    format!("none of the {n} rows of `{path}` is a row")
}

fn first_of(n: u64) -> &'static str {
    if n == 1 { "it" } else { "the first" }
}

fn rows(n: u64) -> String {
    if n == 1 { "1 row".to_owned() } else { format!("{n} rows") }
}

/// What is wrong with a text of TOML, on one line, after the line where it is.
pub(crate) fn toml_problem(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}
