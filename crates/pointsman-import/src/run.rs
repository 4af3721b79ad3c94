//! A whole import: file by file, row by row, part by part.

mod files;
mod joining;
mod row;
mod source;

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use pointsman_core::catalog::Catalog;

use crate::{
    error::ImportError,
    formats::{ColumnMap, Format},
    manifest::{InputState, Lock, Manifest, check_folder, hex_digest, remove_leftovers},
    rules::Rules,
    sink::Sink,
    survey::Survey,
    table::OpenTable,
};
use files::Run;
pub(crate) use files::damaged;
use row::Reader;

/// What to import, from where, to where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The files, in the order in which they are read.
    pub inputs: Vec<PathBuf>,
    /// What wrote them.
    pub origin: Origin,
    /// The folder of the parts.
    pub out: PathBuf,
    /// Files of prompts whose calls come without.
    pub messages: Vec<PathBuf>,
    /// Names of columns and of models.
    pub map: ColumnMap,
    /// Where quality comes from, where the log has none.
    pub rules: Option<Rules>,
    /// The score that is the quality.
    pub score: Option<String>,
    /// Who reads Parquet by the columns of `map`; it is refused where nobody does.
    pub open_table: Option<OpenTable>,
    /// Prices for calls whose cost the log does not have.
    pub catalog: Option<Catalog>,
    /// The longest row, in bytes.
    pub max_row_bytes: usize,
    /// How large a part is, in bytes, before the next begins.
    pub part_bytes: usize,
    /// A digest of what else the records depend on, by name: the text of the rules, of the catalog.
    pub settings: Vec<(String, String)>,
}

impl Options {
    /// The longest row: as long as a record may be.
    pub const MAX_ROW_BYTES: usize = 16 << 20;
    /// The usual size of a part.
    pub const PART_BYTES: usize = 32 << 20;

    /// A digest of a text that the records depend on, for [`Self::settings`].
    pub fn digest(text: &[u8]) -> String {
        hex_digest(text)
    }
}

/// What wrote a log.
#[derive(Debug, Clone, Copy)]
pub enum Origin {
    /// Whatever the first rows of each file say.
    Auto,
    /// The same format in all files.
    Format(&'static Format),
    /// Columns that the map names.
    Columns,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file that is read.
    pub path: &'a Path,
    /// Bytes of all files that have been read.
    pub n_bytes: u64,
    /// Rows of this run.
    pub n_rows: u64,
}

/// What an import came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// What was found, since the first run into the folder.
    pub survey: Survey,
    /// The files of this run.
    pub files: Vec<FileFound>,
    /// Whether there was nothing left to do.
    pub was_done: bool,
    /// Whether the folder held something before.
    pub was_begun: bool,
    /// Rows that this run read.
    pub n_new_rows: u64,
    /// Parts in the folder.
    pub n_parts: u64,
}

/// A file and how its format was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFound {
    /// The file.
    pub path: PathBuf,
    /// The format, by its name.
    pub format: String,
    /// Rows that were read of it, in all runs.
    pub n_rows: u64,
    /// The keys by which it was recognised in this run; empty where it was named.
    pub marks: Vec<String>,
    /// Columns that the map names and that no row has had.
    pub unseen: Vec<String>,
}

/// Imports `options.inputs` into `options.out`, or goes on where a run before this was cut off.
///
/// `on_progress` is called after every row; where it says break, the run ends as if it had been killed.
///
/// # Errors
/// [`ImportError`] where a file or the folder cannot be read or written, where a format is not
/// recognised or is another than was named, where bytes of a packed file are missing, and where nothing
/// at all could be read of a file.
pub fn import(
    options: &Options,
    on_progress: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
) -> Result<Imported, ImportError> {
    if options.inputs.is_empty() {
        return Err(ImportError::NoInput);
    }
    if options.out.is_dir() {
        check_folder(&options.out)?;
    }
    let _lock = Lock::take(&options.out)?;
    let loaded = Manifest::load(&options.out)?;
    let was_begun = loaded.is_some();
    let settings = settings(options);
    let mut manifest = loaded.unwrap_or_else(|| Manifest::new(settings.clone()));
    check_settings(options, &manifest, &settings)?;
    remove_leftovers(&options.out, manifest.n_parts)?;
    let mut places = Vec::new();
    for path in &options.inputs {
        let place = place_of(path, &mut manifest)?;
        check_format(options, path, manifest.inputs.get(place))?;
        places.push(place);
    }
    let is_done = |state: &InputState| state.is_done && state.is_joined;
    let states = places.iter().filter_map(|place| manifest.inputs.get(*place));
    let was_done = states.filter(|state| is_done(state)).count() == places.len();
    let mut files = Vec::new();
    let mut run = Run { options, on_progress, n_bytes_before: 0, n_rows: 0 };
    if was_done {
        for (path, place) in options.inputs.iter().zip(&places) {
            files.push(file_found(path, manifest.inputs.get(*place), Vec::new()));
        }
        let (survey, n_parts) = (manifest.survey, manifest.n_parts);
        return Ok(Imported { survey, files, was_done, was_begun, n_new_rows: 0, n_parts });
    }
    let mut sink = Sink::new(options, manifest)?;
    for (path, place) in options.inputs.iter().zip(&places) {
        let marks = run.read_file(&mut sink, path, *place)?;
        files.push(file_found(path, sink.manifest.inputs.get(*place), marks));
    }
    run.join_traces(&mut sink, &places)?;
    sink.commit()?;
    let (survey, n_parts) = (sink.manifest.survey, sink.manifest.n_parts);
    Ok(Imported { survey, files, was_done, was_begun, n_new_rows: run.n_rows, n_parts })
}

fn file_found(path: &Path, state: Option<&InputState>, marks: Vec<String>) -> FileFound {
    let InputState { format, n_rows, unseen, .. } = state.cloned().unwrap_or_default();
    FileFound { path: path.to_path_buf(), format, n_rows, marks, unseen }
}

/// Everything that the records depend on, as texts.
fn settings(options: &Options) -> Vec<(String, String)> {
    let mut settings = vec![
        ("--score".to_owned(), options.score.clone().unwrap_or_default()),
        ("the longest row".to_owned(), options.max_row_bytes.to_string()),
    ];
    let messages = options.messages.iter().map(|path| path.display().to_string());
    settings.push(("--messages".to_owned(), messages.collect::<Vec<_>>().join(", ")));
    settings.extend(options.settings.iter().cloned());
    settings
}

fn check_settings(
    options: &Options,
    manifest: &Manifest,
    settings: &[(String, String)],
) -> Result<(), ImportError> {
    let differs = |(one, other): &(&(String, String), &(String, String))| one != other;
    let names = |pair: (&(String, String), &(String, String))| pair.1.0.clone();
    let differing = manifest.settings.iter().zip(settings).find(differs).map(names);
    let (before, now) = (manifest.settings.len(), settings.len());
    // One of the two has a setting more, at its end.
    let added = manifest.settings.get(now).or_else(|| settings.get(before));
    let Some(what) = differing.or_else(|| added.map(|(name, _)| name.clone())) else {
        return Ok(());
    };
    Err(ImportError::OtherSettings { path: options.out.clone(), what })
}

/// Refuses a file that an earlier run read by another format than is named now.
fn check_format(
    options: &Options,
    path: &Path,
    state: Option<&InputState>,
) -> Result<(), ImportError> {
    let named = match options.origin {
        Origin::Auto => return Ok(()),
        Origin::Format(format) => format.name,
        Origin::Columns => Reader::COLUMNS,
    };
    let before = state.map(|state| state.format.as_str()).unwrap_or_default();
    if before.is_empty() || before == named {
        return Ok(());
    }
    let (path, out) = (path.to_path_buf(), options.out.clone());
    Err(ImportError::OtherFormatBefore { path, out, before: before.to_owned(), named })
}

/// Where the state of a file stands in the manifest; a new one is added.
fn place_of(path: &Path, manifest: &mut Manifest) -> Result<usize, ImportError> {
    let name = path.display().to_string();
    let Some(place) = manifest.inputs.iter().position(|state| state.path == name) else {
        manifest.inputs.push(InputState::of(path)?);
        return Ok(manifest.inputs.len() - 1);
    };
    let unreadable = |source| ImportError::unreadable(path, source);
    let n_bytes = fs::metadata(path).map_err(unreadable)?.len();
    if let Some(state) = manifest.inputs.get_mut(place) {
        if !state.is_still(path, n_bytes)? {
            return Err(ImportError::Changed { path: path.to_path_buf() });
        }
        if state.n_bytes < n_bytes {
            (state.n_bytes, state.is_done, state.is_joined) = (n_bytes, false, false);
        }
    }
    Ok(place)
}
