//! Writes traffic logs, whole or not at all.
//!
//! Rows go to a file beside the target, which takes the target's name only when everything is
//! written: a reader never sees half a log, and a failed run leaves the old one as it was.

mod flat;
mod predictions;
mod row_groups;
mod watched;

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use pointsman_log::{
    ndjson,
    record::{DecisionRecord, OutcomeRecord, Record},
};

pub use self::predictions::PredictionWriter;

use self::{
    flat::FlatWriter,
    watched::{Failure, Watched},
};
use crate::error::DataError;

/// Writes decisions with their outcomes as NDJSON records or as flat Parquet.
///
/// Dropping it without [`LogWriter::finish`] removes what was written.
pub struct LogWriter {
    sink: Sink,
    partial: Partial,
}

enum Sink {
    Ndjson(BufWriter<Watched>),
    Parquet(Box<FlatWriter>),
}

impl LogWriter {
    /// Begins a log: NDJSON for `.ndjson` and `.jsonl`, Parquet for `.parquet`.
    ///
    /// # Errors
    /// [`DataError::UnknownTarget`] for another extension; [`DataError::Unwritable`] where no
    /// file can be made beside `path`.
    pub fn create(path: &Path) -> Result<Self, DataError> {
        let is_parquet = is_parquet(path)?;
        let (partial, file) = Partial::create(path)?;
        let sink = if is_parquet {
            Sink::Parquet(Box::new(FlatWriter::new(file)))
        } else {
            Sink::Ndjson(BufWriter::with_capacity(1 << 17, file))
        };
        Ok(Self { sink, partial })
    }

    /// Adds a decision and, where it is known, what came of it.
    ///
    /// Both forms keep everything; Parquet has a zero as the probability of a candidate that was
    /// ruled out, whatever the record says.
    ///
    /// # Errors
    /// [`DataError::Unwritable`] for a record that contradicts itself, an outcome of another
    /// decision, and where the disk is full.
    pub fn write(
        &mut self,
        decision: DecisionRecord,
        outcome: Option<OutcomeRecord>,
    ) -> Result<(), DataError> {
        if let Some(other) = outcome.as_ref().filter(|outcome| outcome.decision_id != decision.id) {
            let (id, of) = (&decision.id, &other.decision_id);
            let reason = format!("decision `{id}` came with the outcome of `{of}`");
            return Err(self.partial.unwritable(&reason));
        }
        match &mut self.sink {
            Sink::Ndjson(file) => {
                let outcome = outcome.map(|outcome| Record::Outcome(Box::new(outcome)));
                for record in [Some(Record::Decision(Box::new(decision))), outcome] {
                    let written = record.map_or(Ok(()), |record| ndjson::write(file, &record));
                    written.map_err(|error| self.partial.unwritable(&error))?;
                }
                Ok(())
            }
            Sink::Parquet(writer) => {
                let checked =
                    decision.check().and(outcome.as_ref().map_or(Ok(()), OutcomeRecord::check));
                checked.map_err(|error| self.partial.unwritable(&error))?;
                writer.push(decision, outcome).map_err(|error| self.partial.unwritable(&error))
            }
        }
    }

    /// Ends the log and gives it its name.
    ///
    /// # Errors
    /// [`DataError::Unwritable`]; the target is then as it was before.
    pub fn finish(self) -> Result<(), DataError> {
        let partial = self.partial;
        match self.sink {
            Sink::Ndjson(mut file) => file.flush().map_err(|error| partial.unwritable(&error))?,
            Sink::Parquet(writer) => writer.finish().map_err(|error| partial.unwritable(&error))?,
        }
        partial.rename()
    }
}

/// Whether a file of this name is Parquet; NDJSON otherwise.
fn is_parquet(path: &Path) -> Result<bool, DataError> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match extension.as_str() {
        "ndjson" | "jsonl" => Ok(false),
        "parquet" => Ok(true),
        _ => Err(DataError::UnknownTarget { path: path.to_path_buf() }),
    }
}

/// Writes a small file whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let (partial, mut file) = Partial::create(path)?;
    file.write_all(bytes).map_err(|error| partial.unwritable(&error))?;
    partial.rename()
}

/// A file that is not finished; it goes when this is dropped.
struct Partial {
    target: PathBuf,
    path: PathBuf,
    failure: Failure,
}

impl Partial {
    /// Begins it beside `target`, in a folder that is made where it is not there.
    fn create(target: &Path) -> Result<(Self, Watched), DataError> {
        let mut name = OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".{}.partial", std::process::id()));
        let path = target.with_file_name(name);
        let target = target.to_path_buf();
        let unwritable = |error: io::Error| DataError::Unwritable {
            path: target.clone(),
            reason: error.to_string(),
        };
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let made = folder.map_or(Ok(()), fs::create_dir_all);
        let file = made.and_then(|()| File::create(&path)).map_err(unwritable)?;
        let file = Watched::new(file);
        Ok((Self { target, path, failure: file.failure() }, file))
    }

    fn rename(self) -> Result<(), DataError> {
        let synced = File::open(&self.path).and_then(|file| file.sync_all());
        synced
            .and_then(|()| fs::rename(&self.path, &self.target))
            .map_err(|error| self.unwritable(&error))
    }

    /// The refusal, with the operating system's reason where it had one, else with `reason`.
    fn unwritable(&self, reason: &dyn std::fmt::Display) -> DataError {
        let reason = self.failure.reason().unwrap_or_else(|| reason.to_string());
        DataError::Unwritable { path: self.target.clone(), reason }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After the rename there is nothing to remove, and an error has nobody to go to.
        _ = fs::remove_file(&self.path);
    }
}
