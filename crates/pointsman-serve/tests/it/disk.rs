//! A disk on which things go wrong as a test has it, and that counts what is written.

use crate::workbench::Bench;
use pointsman_log::journal::{Disk, SegmentFile, Storage};
use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// What is wrong with a disk, and how often it was written to.
#[derive(Debug)]
pub(crate) struct Faults {
    /// It takes nothing.
    pub(crate) is_full: AtomicBool,
    /// It takes what it is given, and cannot make it durable.
    pub(crate) is_forgetful: AtomicBool,
    /// Bytes that it still takes.
    pub(crate) n_bytes_left: AtomicUsize,
    pub(crate) n_writes: AtomicUsize,
}

#[derive(Debug)]
struct Faulty(Arc<Faults>);

#[derive(Debug)]
struct FaultyFile(Box<dyn SegmentFile>, Arc<Faults>);

/// A service whose journal is on a disk that nothing is wrong with yet.
pub(crate) fn bench(journal: &str) -> (Bench, Arc<Faults>) {
    let faults = Arc::new(Faults {
        is_full: AtomicBool::new(false),
        is_forgetful: AtomicBool::new(false),
        n_bytes_left: AtomicUsize::new(usize::MAX),
        n_writes: AtomicUsize::new(0),
    });
    (Bench::on(Arc::new(Faulty(Arc::clone(&faults))), journal), faults)
}

impl Faults {
    fn check(&self) -> io::Result<()> {
        if self.is_full.load(Ordering::Relaxed) || self.n_bytes_left.load(Ordering::Relaxed) == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl Storage for Faulty {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        self.0.check()?;
        Ok(Box::new(FaultyFile(Disk.create(path)?, Arc::clone(&self.0))))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Disk.open(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.0.check()?;
        Disk.replace(path, bytes)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        Disk.sync_dir(dir)
    }
}

impl SegmentFile for FaultyFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        self.1.n_writes.fetch_add(1, Ordering::Relaxed);
        self.1.check()?;
        let room = self.1.n_bytes_left.load(Ordering::Relaxed);
        let n_taken = self.0.append(&bytes[..bytes.len().min(room)])?;
        self.1.n_bytes_left.store(room - n_taken, Ordering::Relaxed);
        Ok(n_taken)
    }

    fn sync(&self) -> io::Result<()> {
        if self.1.is_full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.1.is_forgetful.load(Ordering::Relaxed) {
            return Err(io::Error::other("the disk failed"));
        }
        self.0.sync()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }
}
