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

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
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
    /// Files that took a name which may yet be the one's that had it before, and what that held.
    renamed: Vec<(PathBuf, Option<Vec<u8>>)>,
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
        let mut durable = locked(&self.0);
        for (path, before) in std::mem::take(&mut durable.renamed).into_iter().rev() {
            if let (0, Some(before)) = (draw(2), before) {
                fs::write(&path, &before).unwrap();
                durable.contents.insert(path, before);
            }
        }
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
        locked(&self.0).contents.remove(path);
        Disk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)?;
        let mut durable = locked(&self.0);
        let content = durable.contents.remove(from).unwrap_or_default();
        let before = durable.contents.insert(to.to_path_buf(), content);
        durable.renamed.push((to.to_path_buf(), before));
        Ok(())
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::write(path, bytes)?;
        locked(&self.0).contents.insert(path.to_path_buf(), bytes.to_vec());
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let names = fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
        let names = names.collect::<io::Result<_>>()?;
        let mut durable = locked(&self.0);
        durable.names = names;
        durable.renamed.clear();
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

/// A disk below a process that ends at one of the changes it makes: a write is then taken in part,
/// and nothing after it at all.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    below: Arc<dyn Storage>,
    /// The changes that are left, the one that it ends at among them.
    n_left: Arc<Mutex<u64>>,
}

#[derive(Debug)]
struct EndingFile {
    file: Box<dyn SegmentFile>,
    disk: Ending,
}

/// What a process is in the moment of a change.
enum Life {
    Alive,
    Dying,
    Dead,
}

impl Ending {
    /// A process that makes `n_changes` and no more.
    pub(super) fn after(below: Arc<dyn Storage>, n_changes: u64) -> Self {
        Self { below, n_left: Arc::new(Mutex::new(n_changes + 1)) }
    }

    /// Whether the process has ended.
    pub(super) fn has_ended(&self) -> bool {
        *locked(&self.n_left) == 0
    }

    fn live(&self) -> Life {
        let mut n_left = locked(&self.n_left);
        let life = match *n_left {
            0 => Life::Dead,
            1 => Life::Dying,
            _ => Life::Alive,
        };
        *n_left = n_left.saturating_sub(1);
        life
    }

    fn change(&self) -> io::Result<()> {
        match self.live() {
            Life::Alive => Ok(()),
            Life::Dying | Life::Dead => Err(failing()),
        }
    }

    fn wrap(&self, file: Box<dyn SegmentFile>) -> Box<dyn SegmentFile> {
        Box::new(EndingFile { file, disk: self.clone() })
    }
}

impl Storage for Ending {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        self.change()?;
        Ok(self.wrap(self.below.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(self.wrap(self.below.open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.below.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change()?;
        self.below.rename(from, to)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.change()?;
        self.below.replace(path, bytes)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.change()?;
        self.below.sync_dir(dir)
    }
}

impl SegmentFile for EndingFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.disk.live() {
            Life::Alive => self.file.append(bytes),
            Life::Dying => {
                self.file.append(&bytes[..bytes.len() / 2])?;
                Err(failing())
            }
            Life::Dead => Err(failing()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.change()?;
        self.file.sync()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.disk.change()?;
        self.file.truncate(length)
    }
}
