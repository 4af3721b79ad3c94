//! A file that remembers why it could not be written.
//!
//! Formats on top of it wrap the operating system's reason in sentences of their own, or lose it.

use std::{
    fs::File,
    io::{self, ErrorKind, Write},
    sync::{Arc, Mutex, PoisonError},
};

/// The first reason for which a file could not be written.
#[derive(Clone, Default)]
pub(super) struct Failure(Arc<Mutex<Option<String>>>);

/// A file, and where the reason goes.
pub(super) struct Watched {
    file: File,
    failure: Failure,
}

impl Failure {
    /// The reason, in the operating system's words; `None` where every write went well.
    pub(super) fn reason(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, error: &io::Error) {
        if error.kind() != ErrorKind::Interrupted {
            let mut reason = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            reason.get_or_insert_with(|| error.to_string());
        }
    }
}

impl Watched {
    pub(super) fn new(file: File) -> Self {
        Self { file, failure: Failure::default() }
    }

    pub(super) fn failure(&self) -> Failure {
        self.failure.clone()
    }
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).inspect_err(|error| self.failure.note(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().inspect_err(|error| self.failure.note(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    #[test]
    fn the_reason_of_the_system_outlives_the_format() {
        let open = || File::options().write(true).open("/dev/full");
        let Ok(full) = open() else {
            println!("skipped: there is no /dev/full here");
            return;
        };
        let mut file = Watched::new(full);
        assert_eq!(file.failure().reason(), None);
        file.write_all(b"x").unwrap_err();
        assert!(file.failure().reason().unwrap().contains("No space left"));
        let file = Watched::new(open().unwrap());
        let failure = file.failure();
        let mut frame = df!("a" => [1i64, 2]).unwrap();
        ParquetWriter::new(file).finish(&mut frame).unwrap_err();
        assert!(failure.reason().unwrap().contains("No space left"));
    }
}
