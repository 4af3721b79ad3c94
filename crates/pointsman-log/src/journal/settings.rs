//! How a journal is cut into segments, and how much of it is kept.

use super::error::OpenError;

/// Limits of a journal. Times are durations in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// A segment is ended before it grows beyond this; a record longer than this gets a segment
    /// of its own.
    pub segment_bytes: u64,
    /// A segment is ended once its first record is this old. Looked at by
    /// [`Journal::upkeep`](super::Journal::upkeep).
    pub segment_age_ms: Option<u64>,
    /// The oldest sealed segments are removed while all segments together are larger than this.
    pub keep_bytes: Option<u64>,
    /// Sealed segments are removed once their newest record is older than this.
    pub keep_age_ms: Option<u64>,
}

impl Default for Settings {
    /// Segments of 64 MiB or one day; everything is kept.
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            segment_age_ms: Some(24 * 60 * 60 * 1000),
            keep_bytes: None,
            keep_age_ms: None,
        }
    }
}

impl Settings {
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let refused = |sentence: &str| Err(OpenError::Settings(sentence.to_owned()));
        if self.segment_bytes == 0 {
            return refused("a journal's segments need a size above zero bytes");
        }
        if self.keep_bytes.is_some_and(|keep| keep < self.segment_bytes) {
            return refused(
                "a journal cannot keep fewer bytes than one segment has; lower the segments' size or raise what is kept",
            );
        }
        Ok(())
    }
}
