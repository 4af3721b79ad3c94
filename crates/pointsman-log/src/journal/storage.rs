//! What the journal asks of a file system, as a trait, so that its failures can be rehearsed.
//!
//! One implementation ships, [`Disk`]; the other is the tests', which run out of space, cut writes
//! short, fail to synchronise, and lose power. Only what changes files goes through here: reading
//! is done on files directly.

use std::{
    fmt::Debug,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use super::segments::partial_path;

/// The operations that change a journal's folder.
pub trait Storage: Send + Sync + Debug {
    /// Makes a new file that only its owner may read, for appending.
    ///
    /// # Errors
    /// The operating system's, also where the file is there already.
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>>;

    /// Opens a file that is there, for appending.
    ///
    /// # Errors
    /// The operating system's.
    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>>;

    /// Removes a file.
    ///
    /// # Errors
    /// The operating system's.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Gives a file the name of another one, which goes, whole or not at all.
    ///
    /// # Errors
    /// The operating system's; both files are then what they were.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file new content, whole or not at all.
    ///
    /// # Errors
    /// The operating system's; the file is then what it was.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Makes durable which files there are.
    ///
    /// # Errors
    /// The operating system's.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// A file that is appended to.
pub trait SegmentFile: Send + Sync + Debug {
    /// Writes some of `bytes` at the end; how many.
    ///
    /// # Errors
    /// The operating system's.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Makes durable what was written.
    ///
    /// # Errors
    /// The operating system's. What was written since the last success may be lost then, and
    /// another success would not say otherwise.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file to its first `length` bytes.
    ///
    /// # Errors
    /// The operating system's.
    fn truncate(&self, length: u64) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Storage for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(private().append(true).create_new(true).open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let beside = partial_path(path);
        let written = private()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&beside)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            // The reason is reported; a leftover could not be removed for the same reason.
            drop(fs::remove_file(&beside));
        }
        written
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

impl SegmentFile for File {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self;
        file.write(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// How files are made that only their owner may read.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Gives a file to the owner of another one, so that a service can read what an administrator wrote
/// anew. Where users have no numbers it stays whose it is.
#[cfg(unix)]
pub(crate) fn give_to_owner_of(other: &Path, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let (wanted, found) = (fs::metadata(other)?, fs::metadata(path)?);
    if wanted.uid() == found.uid() {
        return Ok(());
    }
    chown(path, Some(wanted.uid()), Some(wanted.gid()))
}

#[cfg(not(unix))]
pub(crate) fn give_to_owner_of(_other: &Path, _path: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes a folder that only its owner may enter, and those above it; one that is there stays as
/// it is.
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}
