//! File systems that fail as they are told, and one that loses power.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use crate::journal::{Disk, SegmentFile, Storage, locked};

/// What fails from now on.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    /// Writes take so many bytes more, and then fail in this way.
    pub(super) room: Option<(usize, io::ErrorKind)>,
    /// A write takes no more than this.
    pub(super) short: Option<usize>,
    /// So many calls that make something durable fail.
    pub(super) n_failing_syncs: u32,
    /// Files cannot be cut.
    pub(super) cannot_truncate: bool,
    /// Files cannot be made.
    pub(super) cannot_create: bool,
    /// Calls that wrote, or tried to.
    pub(super) n_writes: u64,
}

/// A disk with faults, on which making things durable costs nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Faulty(Arc<Mutex<Faults>>);

#[derive(Debug)]
struct FaultyFile {
    file: Box<dyn SegmentFile>,
    faults: Arc<Mutex<Faults>>,
}

fn failing() -> io::Error {
    io::Error::other("the disk is failing")
}

impl Faulty {
    pub(super) fn set(&self, faults: Faults) {
        *locked(&self.0) = faults;
    }

    pub(super) fn n_writes(&self) -> u64 {
        locked(&self.0).n_writes
    }

    fn wrap(&self, file: Box<dyn SegmentFile>) -> Box<dyn SegmentFile> {
        Box::new(FaultyFile { file, faults: Arc::clone(&self.0) })
    }
}

fn sync(faults: &Mutex<Faults>) -> io::Result<()> {
    let mut faults = locked(faults);
    if 0 < faults.n_failing_syncs {
        faults.n_failing_syncs -= 1;
        return Err(failing());
    }
    Ok(())
}

impl Storage for Faulty {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        if locked(&self.0).cannot_create {
            return Err(failing());
        }
        Ok(self.wrap(Disk.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(self.wrap(Disk.open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if locked(&self.0).room.is_some() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        fs::write(path, bytes)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        sync(&self.0)
    }
}

impl SegmentFile for FaultyFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut faults = locked(&self.faults);
        faults.n_writes += 1;
        let mut n = bytes.len().min(faults.short.unwrap_or(usize::MAX));
        if let Some((room, kind)) = &mut faults.room {
            if *room == 0 {
                return Err((*kind).into());
            }
            n = n.min(*room);
            *room -= n;
        }
        self.file.append(&bytes[..n])
    }

    fn sync(&self) -> io::Result<()> {
        sync(&self.faults)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        if locked(&self.faults).cannot_truncate {
            return Err(failing());
        }
        self.file.truncate(length)
    }
}

/// A disk that remembers what is durable, so that it can lose the rest.
#[derive(Debug, Clone, Default)]
pub(super) struct Mains(Arc<Mutex<Durable>>);

#[derive(Debug, Default)]
struct Durable {
    contents: BTreeMap<PathBuf, Vec<u8>>,
    names: BTreeSet<PathBuf>,
}

#[derive(Debug)]
struct MainsFile {
    path: PathBuf,
    file: Box<dyn SegmentFile>,
    durable: Arc<Mutex<Durable>>,
}

/// Bytes that reach the disk together.
const SECTOR: usize = 512;

impl Mains {
    fn wrap(&self, path: &Path, file: Box<dyn SegmentFile>) -> Box<dyn SegmentFile> {
        let (path, durable) = (path.to_path_buf(), Arc::clone(&self.0));
        Box::new(MainsFile { path, file, durable })
    }

    /// Takes the files as they are for durable.
    pub(super) fn remember(&self, dir: &Path) {
        let mut durable = locked(&self.0);
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let content = fs::read(&path).unwrap();
            durable.contents.insert(path, content);
        }
    }

    /// Loses power: of every file, what was not made durable stays or goes by the sector, and a
    /// file whose name was not made durable may be gone. `draw` gives a number below its argument.
    pub(super) fn cut(&self, dir: &Path, draw: &mut dyn FnMut(usize) -> usize) {
        let durable = locked(&self.0);
        let mut paths: Vec<_> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some()) {
            if !durable.names.contains(path) && draw(2) == 0 {
                fs::remove_file(path).unwrap();
                continue;
            }
            let safe = durable.contents.get(path).map_or(&[][..], Vec::as_slice);
            fs::write(path, survivors(safe, &fs::read(path).unwrap(), draw)).unwrap();
        }
    }
}

/// What is left of a file: its length is the safe one, the current one, or between them, and each
/// sector that differs is the safe one or the current one.
fn survivors(safe: &[u8], current: &[u8], draw: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
    let (low, high) = (safe.len().min(current.len()), safe.len().max(current.len()));
    let length = match draw(3) {
        0 => safe.len(),
        1 => current.len(),
        _ => low + draw(high - low + 1),
    };
    let mut left = Vec::with_capacity(length);
    for start in (0..length).step_by(SECTOR) {
        let end = (start + SECTOR).min(length);
        let sector = |content: &[u8]| -> Vec<u8> {
            (start..end).map(|at| content.get(at).copied().unwrap_or(0)).collect()
        };
        let (old, new) = (sector(safe), sector(current));
        left.extend(if old == new || draw(2) == 0 { old } else { new });
    }
    left
}

impl Storage for Mains {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(self.wrap(path, Disk.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(self.wrap(path, Disk.open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::write(path, bytes)?;
        locked(&self.0).contents.insert(path.to_path_buf(), bytes.to_vec());
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let names = fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
        locked(&self.0).names = names.collect::<io::Result<_>>()?;
        Ok(())
    }
}

impl SegmentFile for MainsFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        self.file.append(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        let content = fs::read(&self.path)?;
        locked(&self.durable).contents.insert(self.path.clone(), content);
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }
}
