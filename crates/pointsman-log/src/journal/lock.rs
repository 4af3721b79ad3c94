//! One writer at a time: a lock on a file that names its owner.
//!
//! The lock is the operating system's (`flock`), so that it goes with the process, however that
//! ends. Its weakness is old network file systems, which grant it to everybody.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    path::Path,
};

use super::{error::OpenError, segments::lock_path, storage::private};

/// Held for as long as a journal is open for writing.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would not do while a child that this process is just starting still
        // has it; and whoever cannot unlock cannot say so either.
        drop(self.file.unlock());
    }
}

impl Lock {
    /// Takes the lock at once or not at all.
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = lock_path(dir);
        let failed = |source| OpenError::Folder { dir: dir.to_path_buf(), source };
        let mut file = private()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = fs::read_to_string(&path).unwrap_or_default();
                let pid = owner.trim().parse().ok();
                return Err(OpenError::Locked { dir: dir.to_path_buf(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        name_owner(&mut file).or_else(when_full).map_err(failed)?;
        Ok(Self { file })
    }
}

fn name_owner(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

/// A full disk keeps the owner nameless, and nobody from reading or serving.
fn when_full(error: io::Error) -> io::Result<()> {
    if super::error::is_full(&error) { Ok(()) } else { Err(error) }
}
