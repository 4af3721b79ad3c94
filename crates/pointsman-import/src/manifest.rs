//! What an import has done so far, in one file of its folder that is replaced in one piece.
//!
//! Records are written in parts. A part gets its name only when it is whole and on disk, and the manifest
//! says so only after that; until then a run that is cut off has read nothing of it. So a run goes on
//! after the last part that the manifest knows, and parts beyond are written anew, to the same bytes.

use std::{
    fmt::Write as _,
    fs::{self, File, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    error::ImportError,
    survey::{Survey, Torn},
};

/// The name of the manifest in the folder.
const NAME: &str = "import.json";
/// The file whose lock makes an import the only one.
const LOCK: &str = "import.lock";
/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// How much of the beginning of a file tells it from others.
const HEAD_BYTES: u64 = 1 << 16;

/// What was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    version: u32,
    /// A digest of the settings that the parts depend on, each by its name.
    pub(crate) settings: Vec<(String, String)>,
    /// How many parts are whole.
    pub(crate) n_parts: u64,
    pub(crate) inputs: Vec<InputState>,
    pub(crate) survey: Survey,
}

/// How far one file was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(crate) struct InputState {
    pub(crate) path: String,
    pub(crate) n_bytes: u64,
    pub(crate) n_head_bytes: u64,
    pub(crate) head_sha256: String,
    pub(crate) format: String,
    /// Rows whose records stand in whole parts.
    pub(crate) n_rows: u64,
    pub(crate) is_done: bool,
    /// Whether scores of traces stand in it, which wait until every call is known.
    pub(crate) has_trace_scores: bool,
    /// Whether it says which trace calls belong to.
    pub(crate) has_links: bool,
    /// Rows whose scores of traces stand in whole parts.
    pub(crate) n_joined_rows: u64,
    pub(crate) is_joined: bool,
    /// Columns of the map that no row had so far, where no header says so.
    pub(crate) unseen: Vec<String>,
    /// What was counted of the row after those, where the file ends within it.
    pub(crate) torn: Option<Torn>,
}

impl Manifest {
    pub(crate) fn new(settings: Vec<(String, String)>) -> Self {
        Self {
            version: VERSION,
            settings,
            n_parts: 0,
            inputs: Vec::new(),
            survey: Survey::default(),
        }
    }

    /// The manifest of `dir`; `None` where nothing was imported there.
    pub(crate) fn load(dir: &Path) -> Result<Option<Self>, ImportError> {
        let path = dir.join(NAME);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ImportError::Unreadable { path, source }),
        };
        let found: Self = serde_json::from_slice(&bytes).map_err(|error| {
            ImportError::Manifest { path: path.clone(), reason: error.to_string() }
        })?;
        if found.version != VERSION {
            let reason = format!("version {}, and only {VERSION} can be read", found.version);
            return Err(ImportError::Manifest { path, reason });
        }
        Ok(Some(found))
    }

    /// Replaces the manifest of `dir`.
    pub(crate) fn save(&self, dir: &Path) -> Result<(), ImportError> {
        let path = dir.join(NAME);
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| ImportError::Unwritable {
            path: path.clone(),
            source: error.into(),
        })?;
        write_whole(&path, &bytes)
    }
}

impl InputState {
    /// A file that nothing was read of.
    pub(crate) fn of(path: &Path) -> Result<Self, ImportError> {
        let unreadable = |source| ImportError::unreadable(path, source);
        let known = fs::metadata(path).map_err(unreadable)?;
        if known.is_dir() {
            return Err(unreadable(io::ErrorKind::IsADirectory.into()));
        }
        let n_bytes = known.len();
        let n_head_bytes = n_bytes.min(HEAD_BYTES);
        let head_sha256 = head_digest(path, n_head_bytes)?;
        let path = path.display().to_string();
        Ok(Self { path, n_bytes, n_head_bytes, head_sha256, ..Self::default() })
    }

    /// Whether the file begins as it did; it may have grown.
    pub(crate) fn is_still(&self, path: &Path, n_bytes_now: u64) -> Result<bool, ImportError> {
        let has_shrunk = n_bytes_now < self.n_bytes;
        Ok(!has_shrunk && head_digest(path, self.n_head_bytes)? == self.head_sha256)
    }
}

/// The SHA-256 of the first bytes of a file, in hexadecimal.
fn head_digest(path: &Path, n_bytes: u64) -> Result<String, ImportError> {
    let unreadable = |source| ImportError::unreadable(path, source);
    let mut head = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(n_bytes).read_to_end(&mut head).map_err(unreadable)?;
    Ok(hex_digest(&head))
}

/// The SHA-256 of `bytes`, in hexadecimal.
pub(crate) fn hex_digest(bytes: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    digest.iter().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}"); // into a string, which cannot fail
        text
    })
}

/// The file of one part.
pub(crate) fn part_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("part-{number:05}.ndjson"))
}

/// Writes a file beside its place, makes it durable, and gives it its name.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ImportError> {
    let beside = path.with_extension("partial");
    File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|source| ImportError::Unwritable { path: path.to_path_buf(), source })
}

/// Held for as long as an import runs; the operating system's, so that it goes with the process. Its file
/// goes with it too, and so does a folder that was made for it and stayed empty.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
    /// The folder, if it was not there before.
    made: Option<PathBuf>,
}

impl Lock {
    /// How often the lock is taken anew because its file was removed meanwhile.
    const N_TRIES: usize = 100;

    /// Makes the folder, if it is not there, and takes its lock at once or not at all.
    pub(crate) fn take(dir: &Path) -> Result<Self, ImportError> {
        let failed = |source| ImportError::Unwritable { path: dir.to_path_buf(), source };
        let made = (!dir.is_dir()).then(|| dir.to_path_buf());
        let path = dir.join(LOCK);
        for _ in 0..Self::N_TRIES {
            fs::create_dir_all(dir).map_err(failed)?;
            let file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(failed)?;
            match file.try_lock() {
                Ok(()) if is_at(&file, &path).map_err(failed)? => {
                    return Ok(Self { file, path, made });
                }
                Ok(()) => {} // whoever held it has just ended, and removed it
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        Err(ImportError::Locked { path: dir.to_path_buf() })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Whoever cannot remove or unlock cannot say so either; only an empty folder can be removed.
        drop(fs::remove_file(&self.path));
        drop(self.file.unlock());
        drop(self.made.as_ref().map(fs::remove_dir));
    }
}

/// Whether `file` is still what stands at `path`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;

    let held = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether `file` is still what stands at `path`: a file that is open cannot be removed here.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Refuses a folder that holds anything but an import.
pub(crate) fn check_folder(dir: &Path) -> Result<(), ImportError> {
    let unreadable = |source| ImportError::Unreadable { path: dir.to_path_buf(), source };
    let mut others = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        let is_part = name.strip_prefix("part-").is_some_and(|rest| rest.contains(".ndjson"))
            || name.strip_prefix("part-").is_some_and(|rest| rest.ends_with(".partial"));
        if !is_part && ![NAME, LOCK, "import.partial"].contains(&name.as_str()) {
            others.push(name);
        }
    }
    others.sort_unstable();
    match others.first() {
        Some(name) => {
            Err(ImportError::NotOurs { path: dir.to_path_buf(), found: format!("`{name}`") })
        }
        None => Ok(()),
    }
}

/// Removes what a run left that was cut off: parts that the manifest does not know.
pub(crate) fn remove_leftovers(dir: &Path, n_parts: u64) -> Result<(), ImportError> {
    let failed = |path: PathBuf, source| ImportError::Unwritable { path, source };
    let entries = fs::read_dir(dir).map_err(|source| failed(dir.to_path_buf(), source))?;
    for entry in entries {
        let entry = entry.map_err(|source| failed(dir.to_path_buf(), source))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name
            .strip_prefix("part-")
            .and_then(|rest| rest.strip_suffix(".ndjson"))
            .and_then(|digits| digits.parse::<u64>().ok());
        let is_unknown = number.is_some_and(|number| n_parts <= number);
        if is_unknown || name.ends_with(".partial") {
            let path = entry.path();
            fs::remove_file(&path).map_err(|source| failed(path, source))?;
        }
    }
    Ok(())
}
