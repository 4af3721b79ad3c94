//! Why a journal cannot be opened, written, made durable or read.

use std::{io, path::PathBuf, sync::Arc};

use crate::check::RecordError;

/// Why a journal cannot be opened for writing. Damage is no reason: it is counted.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There can be one writer.
    #[error("the journal `{}` is being written by {}; stop that one first, or name another folder", dir.display(), owner(*pid))]
    Locked { dir: PathBuf, pid: Option<u32> },
    /// The folder cannot be made, listed or locked.
    #[error("the journal `{}` cannot be opened; name a folder that may be written", dir.display())]
    Folder { dir: PathBuf, source: io::Error },
    /// A segment is there and the operating system does not give it.
    #[error("the journal segment `{}` cannot be read", path.display())]
    Segment { path: PathBuf, source: io::Error },
    /// Settings that contradict themselves.
    #[error("{0}")]
    Settings(String),
}

fn owner(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Why a record is not in the journal. None of it was written.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// There is no room: the disk, a quota, or the largest size of a file.
    #[error("the journal `{}` has no room left: {source}; make room, and it goes on by itself", path.display())]
    Full { path: PathBuf, source: Arc<io::Error> },
    /// The operating system refused for another reason.
    #[error("the journal `{}` cannot be written: {source}", path.display())]
    Io { path: PathBuf, source: Arc<io::Error> },
    /// Longer than any reader reads.
    #[error("the record has {n_bytes} bytes, and the longest that is kept has {limit}")]
    TooLong { n_bytes: u64, limit: u64 },
    /// A record that cannot be true.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Bytes that are no record.
    #[error("this is not a record to keep: {reason}")]
    NotARecord { reason: String },
    /// An outcome of a decision that is not in the journal.
    #[error(
        "decision `{id}` is not in the journal; it was never made here, or was removed with age"
    )]
    UnknownDecision { id: String },
    /// An outcome that says otherwise than one that is there.
    #[error("decision `{id}` has an outcome whose {field} is another; what was said first stays")]
    Conflict { id: String, field: String },
}

/// Why a record may not outlive a power cut.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SyncError {
    /// The operating system could not make it durable. Whether it is on the disk is not known, and
    /// a second try would claim what the first one lost.
    #[error("the journal could not be made durable: {source}")]
    Lost {
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// A position that this journal never gave.
    #[error("nothing was written at that position of this journal")]
    NotWritten,
}

/// A folder without segments in place of a journal.
#[expect(missing_docs, reason = "the message documents the field")]
#[derive(Debug, thiserror::Error)]
#[error("`{}` is no journal: there is no journal-00000001.ndjson or later segment in it", path.display())]
pub struct NotAJournal {
    pub path: PathBuf,
}

/// Why a subject is not forgotten, or not everywhere. What was not yet taken out is as it was, and
/// forgetting again goes on there.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// Nothing would be left.
    #[error(
        "nothing says whose records are to be forgotten; name decisions, a session, a tenant or metadata"
    )]
    Everybody,
    /// The folder cannot be listed.
    #[error("the journal `{}` cannot be read", dir.display())]
    Folder { dir: PathBuf, source: io::Error },
    /// A segment is there and the operating system does not give it.
    #[error("the journal segment `{}` cannot be read", path.display())]
    Segment { path: PathBuf, source: io::Error },
    /// A file could not be written anew, or not be removed.
    #[error(
        "`{}` could not be written anew, so that not everything is forgotten; forget again once it can be", path.display()
    )]
    Unwritten { path: PathBuf, source: io::Error },
    /// What the journal was handed before could not be made durable.
    #[error(transparent)]
    Sync(#[from] SyncError),
}

/// Whether an error means that there is no room left.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
