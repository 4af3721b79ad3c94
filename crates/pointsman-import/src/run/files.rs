//! One file after the other: who reads it, how far, and what its end says.

use std::{
    io::{self, ErrorKind},
    ops::ControlFlow,
    path::Path,
};

use super::{
    Options, Origin, Progress,
    row::{Reader, Row, Tally},
    source::Source,
};
use crate::{
    error::ImportError,
    formats::{Format, find, keys_of, recognise},
    manifest::InputState,
    open::{is_parquet, open},
    rows::{Next, Rows},
    sink::Sink,
};

/// How many rows are looked at to recognise a format.
const N_SNIFFED: usize = 20;

/// A run at work.
pub(super) struct Run<'a, 'p> {
    pub(super) options: &'a Options,
    pub(super) on_progress: &'p mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
    /// Bytes of the files before the one that is read.
    pub(super) n_bytes_before: u64,
    pub(super) n_rows: u64,
}

impl<'a> Run<'a, '_> {
    /// Reads what is left of one file; the keys by which its format was recognised.
    pub(super) fn read_file(
        &mut self,
        sink: &mut Sink<'a>,
        path: &Path,
        place: usize,
    ) -> Result<Vec<String>, ImportError> {
        let state = sink.manifest.inputs.get(place).cloned().unwrap_or_default();
        if state.is_done {
            self.n_bytes_before += state.n_bytes;
            return Ok(Vec::new());
        }
        let (reader, marks) = self.reader(path, &state)?;
        let mut rows = Source::open(self.options, path, &state, reader)?;
        edit(sink, place, |state| reader.name().clone_into(&mut state.format));
        take_back(sink, place, path);
        let mut tally = Tally::of(reader, &state, rows.has_header());
        let mut found = Vec::new();
        let mut n = rows.n_passed;
        loop {
            let next = match rows.next() {
                Ok(Next::End) => break,
                Ok(next) => next,
                Err(error) => {
                    // What was read before stays, so that the whole file goes on from here.
                    edit(sink, place, |state| state.n_rows = state.n_rows.max(n));
                    sink.commit()?;
                    return Err(damaged(path, n, &error));
                }
            };
            n += 1;
            if n <= state.n_rows {
                continue;
            }
            self.n_rows += 1;
            let is_last = rows.is_open_end() || next == Next::CutOff;
            let before = is_last.then(|| sink.manifest.survey.clone());
            let row = Row { path, n, next: &next, bytes: rows.row(), reader };
            let left = row.take(sink, &mut found, &mut tally);
            // A last line that is not whole yet is read again when the file has grown.
            let torn = before.filter(|_| !left.gave_any);
            let torn = torn.map(|before| sink.manifest.survey.torn_since(&before));
            edit(sink, place, |state| {
                tally.note(state);
                state.has_trace_scores |= left.has_trace_scores;
                state.has_links |= left.has_links;
                state.n_rows = if torn.is_some() { n - 1 } else { n };
                state.torn = torn;
            });
            if next == Next::CutOff {
                break;
            }
            if sink.is_full() {
                sink.commit()?;
            }
            self.report(path, rows.n_read())?;
        }
        tally.check(path, &state, reader)?;
        edit(sink, place, |state| {
            state.is_done = true;
            state.is_joined = !state.has_trace_scores;
        });
        self.n_bytes_before += state.n_bytes;
        Ok(marks)
    }

    fn report(&mut self, path: &Path, n_bytes: u64) -> Result<(), ImportError> {
        let n_rows = self.n_rows;
        let progress = Progress { path, n_bytes: self.n_bytes_before + n_bytes, n_rows };
        match (self.on_progress)(&progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ImportError::Stopped { n_rows }),
        }
    }

    /// Who reads the file, and why.
    pub(super) fn reader(
        &self,
        path: &Path,
        state: &InputState,
    ) -> Result<(Reader<'a>, Vec<String>), ImportError> {
        let options = self.options;
        if matches!(options.origin, Origin::Columns) {
            if options.map.columns.is_none() {
                return Err(ImportError::NoMap);
            }
            return Ok((Reader::Columns(&options.map), Vec::new()));
        }
        if let Some(known) = find(&state.format) {
            return Ok((Reader::Format(known), Vec::new()));
        }
        if is_parquet(path)? {
            let path = path.to_path_buf();
            return Err(match options.open_table {
                Some(_) => ImportError::ParquetWithoutMap { path },
                None => ImportError::Parquet { path },
            });
        }
        let (found, fits) = sniff(path, options.max_row_bytes)?;
        let quoted =
            |marks: &[&str]| marks.iter().map(|mark| format!("`{mark}`")).collect::<Vec<_>>();
        match (options.origin, fits.as_slice()) {
            (Origin::Format(named), [(only, marks)]) if only.name != named.name => {
                Err(ImportError::OtherFormat {
                    path: path.to_path_buf(),
                    expected: named.title,
                    keys: quoted(marks).join(", "),
                    found: only.title,
                    name: only.name,
                })
            }
            (Origin::Format(named), _) => Ok((Reader::Format(named), Vec::new())),
            (Origin::Auto | Origin::Columns, [(only, marks)]) => {
                Ok((Reader::Format(only), quoted(marks)))
            }
            (Origin::Auto | Origin::Columns, []) => {
                Err(ImportError::NotRecognised { path: path.to_path_buf(), found })
            }
            (Origin::Auto | Origin::Columns, [(first, _), (second, _), ..]) => {
                let (first, second) = (first.name, second.name);
                Err(ImportError::Ambiguous { path: path.to_path_buf(), first, second })
            }
        }
    }
}

/// Changes the state of one file.
pub(super) fn edit(sink: &mut Sink<'_>, place: usize, change: impl FnOnce(&mut InputState)) {
    if let Some(state) = sink.manifest.inputs.get_mut(place) {
        change(state);
    }
}

/// Takes back what was counted of the row that a file ended within: it is read again now.
fn take_back(sink: &mut Sink<'_>, place: usize, path: &Path) {
    let Some(state) = sink.manifest.inputs.get_mut(place) else { return };
    let Some(torn) = state.torn.take() else { return };
    let row = format!("{}, row {}", path.display(), state.n_rows + 1);
    sink.manifest.survey.take_back(&torn, (&state.format, &row));
}

/// A format with the keys that say so.
type Fit = (&'static Format, &'static [&'static str]);

/// What the first row has, and the formats that the first of the first rows that is of any is of.
fn sniff(path: &Path, limit: usize) -> Result<(String, Vec<Fit>), ImportError> {
    let mut rows = Rows::new(open(path)?.bytes, limit).map_err(|error| damaged(path, 0, &error))?;
    let mut found = None;
    for _ in 0..N_SNIFFED {
        match rows.next().map_err(|error| damaged(path, 0, &error))? {
            Next::Row | Next::Open => {}
            Next::TooLong => continue,
            Next::CutOff | Next::End => break,
        }
        let fits = recognise(&rows.row);
        let first =
            found.get_or_insert_with(|| format!("its first row has {}", keys_of(&rows.row)));
        if !fits.is_empty() {
            return Ok((first.clone(), fits));
        }
    }
    Ok((found.unwrap_or_else(|| "it has no row that can be read".to_owned()), Vec::new()))
}

/// The sentence of a stream that failed.
pub(crate) fn damaged(path: &Path, n_rows: u64, error: &io::Error) -> ImportError {
    let (path, kind) = (path.to_path_buf(), error.kind());
    let is_of_bytes = matches!(
        kind,
        ErrorKind::UnexpectedEof
            | ErrorKind::InvalidData
            | ErrorKind::InvalidInput
            | ErrorKind::Other
    );
    if is_of_bytes {
        return ImportError::Damaged { path, n_rows, reason: error.to_string() };
    }
    ImportError::Unreadable { path, source: io::Error::new(kind, error.to_string()) }
}
