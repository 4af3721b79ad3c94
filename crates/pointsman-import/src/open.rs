//! From a file to a stream of its bytes, unpacked where it is packed, counted where it is read.

use std::{
    cell::Cell,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek as _},
    path::Path,
    rc::Rc,
};

use flate2::bufread::MultiGzDecoder;

use crate::{error::ImportError, run::damaged};

/// How many bytes are read at once.
const BUFFER: usize = 1 << 18;

/// The first bytes of Parquet.
pub(crate) const PARQUET: &[u8] = b"PAR1";

/// How the bytes of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// By the first bytes.
    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// What it is called, and what undoes it and leaves the packed file there.
    const fn named(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Plain => None,
            Self::Gzip => Some(("gzip", "gzip -dc")),
            Self::Zstd => Some(("Zstandard", "zstd -dc")),
        }
    }
}

/// A file as a stream.
pub(crate) struct Input {
    pub(crate) bytes: Box<dyn BufRead>,
    /// How many bytes of the file itself have been read.
    pub(crate) n_read: Rc<Cell<u64>>,
}

/// Opens a file; what it is packed with is told by its first bytes, whatever its name is.
pub(crate) fn open(path: &Path) -> Result<Input, ImportError> {
    let unreadable = |source| ImportError::unreadable(path, source);
    let mut file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(unreadable(io::ErrorKind::IsADirectory.into()));
    }
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head).map_err(unreadable)?;
    if head.is_empty() {
        return Err(ImportError::Empty { path: path.to_path_buf() });
    }
    if head == PARQUET {
        return Err(ImportError::Parquet { path: path.to_path_buf() });
    }
    let packing = Packing::of(&head);
    let n_read = Rc::new(Cell::new(0));
    file.rewind().map_err(unreadable)?;
    let counted = BufReader::with_capacity(BUFFER, Counted { inner: file, n: Rc::clone(&n_read) });
    let mut bytes: Box<dyn BufRead> = match packing {
        Packing::Plain => Box::new(counted),
        Packing::Gzip => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(counted))),
        Packing::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(counted).map_err(unreadable)?;
            Box::new(BufReader::with_capacity(BUFFER, decoder))
        }
    };
    if let Some((outer, command)) = packing.named() {
        let head = bytes.fill_buf().map_err(|error| damaged(path, 0, &error))?;
        if let Some(inner) = packed_in(head) {
            return Err(ImportError::PackedTwice {
                path: path.to_path_buf(),
                inner,
                outer,
                command,
            });
        }
    }
    Ok(Input { bytes, n_read })
}

/// What the unpacked bytes of a file are, where they are no rows: packed once more, or columns.
fn packed_in(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(PARQUET) {
        return Some("Parquet");
    }
    Packing::of(head).named().map(|(name, _)| name)
}

/// Whether a file begins as Parquet does.
pub(crate) fn is_parquet(path: &Path) -> Result<bool, ImportError> {
    let unreadable = |source| ImportError::unreadable(path, source);
    let mut head = Vec::new();
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        File::open(path).map_err(unreadable)?.take(4).read_to_end(&mut head).map_err(unreadable)?;
    }
    Ok(head == PARQUET)
}

/// A reader that says how much was read.
struct Counted<R> {
    inner: R,
    n: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.inner.read(buffer)?;
        self.n.set(self.n.get() + u64::try_from(n_bytes).unwrap_or(u64::MAX));
        Ok(n_bytes)
    }
}
