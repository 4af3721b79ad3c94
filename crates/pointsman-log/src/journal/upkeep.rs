//! What a journal needs now and then: segments ended by age, index files, and old segments removed.

use std::io;

use super::{
    Journal, SyncError, locked,
    segments::{index_path, segment_path},
};

/// What one round of upkeep did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Upkeep {
    /// Segments that were removed to keep within the limits.
    pub n_removed_segments: u64,
    /// The bytes of those.
    pub n_removed_bytes: u64,
    /// The records of those.
    pub n_removed_records: u64,
    /// What could not be done, each in a sentence; it is tried again the next time.
    pub problems: Vec<String>,
}

impl Journal {
    /// Ends a segment that is old enough, makes ended segments durable, writes their index files,
    /// and removes the oldest segments while the journal is beyond its limits. To be called every
    /// second or so, by one thread at a time; `now_ms` is the time since 1970 UTC.
    ///
    /// Only whole sealed segments are removed, never the one that is being written.
    pub fn upkeep(&self, now_ms: u64) -> Upkeep {
        let mut upkeep = Upkeep::default();
        let (last, unindexed) = {
            let mut tail = locked(&self.tail);
            // What nobody waits for any more is written nevertheless.
            tail.flush(&self.gathered);
            let first_ms = tail.active.as_ref().filter(|active| 0 < active.n_bytes);
            let first_ms = first_ms.map(|active| active.first_ms);
            if let (Some(first_ms), Some(age_ms)) = (first_ms, self.settings.segment_age_ms)
                && age_ms <= now_ms.saturating_sub(first_ms)
            {
                tail.end_segment();
            }
            let unindexed = std::mem::take(&mut tail.unindexed);
            let has_ended = !(tail.ended.is_empty() && unindexed.is_empty());
            (has_ended.then_some(tail.last), unindexed)
        };
        match last.map_or(Ok(()), |last| self.sync(last)) {
            Ok(()) => upkeep.problems.extend(self.write_indexes(unindexed)),
            Err(error) => {
                upkeep.problems.push(error.to_string());
                locked(&self.tail).unindexed.extend(unindexed);
            }
        }
        self.remove_old(now_ms, &mut upkeep);
        upkeep
    }

    /// Ends the segment that is being written and makes everything durable.
    ///
    /// A journal that is merely dropped loses nothing either: it is read once more when it is
    /// opened the next time.
    ///
    /// # Errors
    /// [`SyncError`] where the disk failed.
    pub fn close(self) -> Result<(), SyncError> {
        self.finish()
    }

    /// As [`Self::close`], for whoever still has to do with the folder.
    pub(super) fn finish(&self) -> Result<(), SyncError> {
        let (last, unindexed) = {
            let mut tail = locked(&self.tail);
            tail.flush(&self.gathered);
            tail.end_segment();
            (tail.last, std::mem::take(&mut tail.unindexed))
        };
        self.sync(last)?;
        // A missing index file is made when the journal is opened again.
        drop(self.write_indexes(unindexed));
        Ok(())
    }

    /// Writes the index files of segments that are durable; what could not be written. An index
    /// of what a power cut may still take would speak of records that are gone.
    pub(super) fn write_indexes(&self, unindexed: Vec<u64>) -> Vec<String> {
        let mut problems = Vec::new();
        for number in unindexed {
            let tail = locked(&self.tail);
            let Some(bytes) = tail.index.segment(number).map(super::index::SegmentIndex::to_bytes)
            else {
                continue;
            };
            drop(tail);
            let path = index_path(&self.dir, number);
            if let Err(error) = self.storage.replace(&path, &bytes) {
                problems.push(format!("`{}` could not be written: {error}", path.display()));
                locked(&self.tail).unindexed.push(number);
            }
        }
        problems
    }

    fn remove_old(&self, now_ms: u64, upkeep: &mut Upkeep) {
        let before = upkeep.n_removed_segments;
        while let Some(number) = self.oldest_beyond(now_ms) {
            if let Err(error) = self.remove(number, upkeep) {
                let path = segment_path(&self.dir, number);
                upkeep.problems.push(format!("`{}` could not be removed: {error}", path.display()));
                break;
            }
        }
        if before < upkeep.n_removed_segments
            && let Err(error) = self.storage.sync_dir(&self.dir)
        {
            upkeep.problems.push(format!("removals could not be made durable: {error}"));
        }
    }

    /// The oldest sealed segment, where the limits want it gone. The newest segment of all stays,
    /// so that numbers are never given twice.
    fn oldest_beyond(&self, now_ms: u64) -> Option<u64> {
        let n_bytes = self.state().n_bytes;
        let tail = locked(&self.tail);
        let (number, oldest) = tail.index.sealed().next()?;
        let is_newest = tail.active.is_none() && tail.index.sealed().nth(1).is_none();
        let is_too_much = self.settings.keep_bytes.is_some_and(|keep| keep < n_bytes);
        let age_ms = now_ms.saturating_sub(oldest.newest_ms);
        let is_too_old = self.settings.keep_age_ms.is_some_and(|keep| keep < age_ms);
        (!is_newest && (is_too_much || is_too_old)).then_some(number)
    }

    fn remove(&self, number: u64, upkeep: &mut Upkeep) -> io::Result<()> {
        let gone = |removed: io::Result<()>| match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        gone(self.storage.remove(&segment_path(&self.dir, number)))?;
        // Its room is free only once nobody has it open, and its records are to be found no more.
        locked(&self.looked_into).take_if(|(open, _)| *open == number);
        gone(self.storage.remove(&index_path(&self.dir, number)))?;
        let mut tail = locked(&self.tail);
        let Some(removed) = tail.index.segment(number) else { return Ok(()) };
        let (n_bytes, n_records) = (removed.n_bytes, super::scan::count(removed.n_records()));
        tail.index.remove(number);
        tail.unindexed.retain(|&unindexed| unindexed != number);
        tail.counts.n_removed_segments += 1;
        tail.counts.n_removed_bytes += n_bytes;
        tail.counts.n_removed_records += n_records;
        upkeep.n_removed_segments += 1;
        upkeep.n_removed_bytes += n_bytes;
        upkeep.n_removed_records += n_records;
        Ok(())
    }
}
