//! Which decisions and outcomes a journal holds, and where, so that an outcome finds its decision
//! and a second outcome its first.
//!
//! Per segment there is one sorted list of 24 bytes an entry: sixteen of the decision's id, eight
//! of the place. It is kept in memory and, once the segment is sealed, beside it in a file, which
//! makes a restart a matter of reading rather than of parsing; a file that is missing or broken is
//! made again from its segment. Its weakness is that memory: 24 MB a million records.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use crc32fast::hash as crc32;

/// What an index file begins with; the last byte is the version of its layout.
const MAGIC: [u8; 8] = *b"PTSMIDX1";
/// Magic, the segment's length, its newest time, the number of entries.
const HEADER_BYTES: usize = 32;
const ENTRY_BYTES: usize = 24;

/// The sixteen bytes that stand for a decision's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key([u64; 2]);

/// One record: whose it is, which kind it is, and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    key: Key,
    /// The offset in the segment, times two, and one more for an outcome.
    place: u64,
}

/// What a record is, as far as the index knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A model was drawn.
    Decision,
    /// Something came of it.
    Outcome,
}

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the segment.
    pub(crate) segment: u64,
    /// Where it begins there.
    pub(crate) offset: u64,
    /// What it is.
    pub(crate) kind: Kind,
}

/// The entries of a sealed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentIndex {
    /// The bytes of the segment that were indexed.
    pub(crate) n_bytes: u64,
    /// The latest time of a record, in milliseconds since 1970 UTC; zero where there is none.
    pub(crate) newest_ms: u64,
    /// Sorted.
    entries: Vec<Entry>,
}

/// The entries of a whole journal.
#[derive(Debug, Default)]
pub(crate) struct Index {
    sealed: BTreeMap<u64, SegmentIndex>,
    active: BTreeSet<Entry>,
}

impl Key {
    /// The key of an id: a UUID's own bytes, or else the first of its SHA-256.
    pub(crate) fn of(id: &str) -> Self {
        let number = uuid(id).unwrap_or_else(|| {
            let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
            digest.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes))
        });
        Self::of_number(number)
    }

    /// The key of a UUID.
    pub(crate) const fn of_number(number: u128) -> Self {
        let (high, low) = halves(number);
        Self([high, low])
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are all of it")]
const fn halves(number: u128) -> (u64, u64) {
    ((number >> 64) as u64, number as u64)
}

/// The number that a UUID in its usual form is, `8-4-4-4-12` lower-case digits.
pub(crate) fn uuid(id: &str) -> Option<u128> {
    let bytes: &[u8; 36] = id.as_bytes().try_into().ok()?;
    let mut number = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let digit = match (at, byte) {
            (8 | 13 | 18 | 23, b'-') => continue,
            (8 | 13 | 18 | 23, _) => return None,
            (_, b'0'..=b'9') => byte - b'0',
            (_, b'a'..=b'f') => byte - b'a' + 10,
            (_, _) => return None,
        };
        number = number << 4 | u128::from(digit);
    }
    Some(number)
}

impl Entry {
    pub(crate) fn new(key: Key, kind: Kind, offset: u64) -> Self {
        let flag = match kind {
            Kind::Decision => 0,
            Kind::Outcome => 1,
        };
        Self { key, place: offset << 1 | flag }
    }

    fn in_segment(self, segment: u64) -> Place {
        let kind = if self.place & 1 == 0 { Kind::Decision } else { Kind::Outcome };
        Place { segment, offset: self.place >> 1, kind }
    }
}

impl SegmentIndex {
    pub(crate) fn new(n_bytes: u64, newest_ms: u64, mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable();
        Self { n_bytes, newest_ms, entries }
    }

    pub(crate) fn n_records(&self) -> usize {
        self.entries.len()
    }

    fn of(&self, key: Key) -> &[Entry] {
        let covers = match (self.entries.first(), self.entries.last()) {
            (Some(first), Some(last)) => first.key <= key && key <= last.key,
            (_, _) => false,
        };
        if !covers {
            return &[];
        }
        let start = self.entries.partition_point(|entry| entry.key < key);
        let rest = &self.entries[start..];
        &rest[..rest.partition_point(|entry| entry.key == key)]
    }

    /// The content of the index file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + ENTRY_BYTES * self.entries.len() + 4);
        bytes.extend_from_slice(&MAGIC);
        for number in [self.n_bytes, self.newest_ms, super::scan::count(self.entries.len())] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for Entry { key: Key([high, low]), place } in &self.entries {
            for number in [high, low, place] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        let crc = crc32(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The content of an index file; `None` where it is not what was written.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (rest, crc) = bytes.split_last_chunk::<4>()?;
        let (header, body) = rest.split_at_checked(HEADER_BYTES)?;
        let n_bytes_right = crc32(rest) == u32::from_le_bytes(*crc) && header.starts_with(&MAGIC);
        let (entries, []) = body.as_chunks::<ENTRY_BYTES>() else { return None };
        let (numbers, _) = header.as_chunks::<8>();
        let &[_, n_bytes, newest_ms, n_entries] = numbers else { return None };
        let n_entries = u64::from_le_bytes(n_entries);
        if !n_bytes_right || n_entries != super::scan::count(entries.len()) {
            return None;
        }
        let entries: Vec<Entry> = entries
            .iter()
            .filter_map(|entry| {
                let (numbers, _) = entry.as_chunks::<8>();
                let &[high, low, place] = numbers else { return None };
                let [high, low, place] = [high, low, place].map(u64::from_le_bytes);
                Some(Entry { key: Key([high, low]), place })
            })
            .collect();
        let (n_bytes, newest_ms) = (u64::from_le_bytes(n_bytes), u64::from_le_bytes(newest_ms));
        entries.is_sorted().then_some(Self { n_bytes, newest_ms, entries })
    }
}

impl Index {
    /// Adds a record of the segment that is being written.
    pub(crate) fn insert(&mut self, entry: Entry) {
        self.active.insert(entry);
    }

    /// Ends the segment that is being written.
    pub(crate) fn seal(&mut self, number: u64, n_bytes: u64, newest_ms: u64) {
        let entries = std::mem::take(&mut self.active).into_iter().collect();
        self.add(number, SegmentIndex { n_bytes, newest_ms, entries });
    }

    /// Adds a segment that nobody writes any more.
    pub(crate) fn add(&mut self, number: u64, segment: SegmentIndex) {
        self.sealed.insert(number, segment);
    }

    /// Takes a segment out.
    pub(crate) fn remove(&mut self, number: u64) {
        self.sealed.remove(&number);
    }

    /// The sealed segments, oldest first.
    pub(crate) fn sealed(&self) -> impl Iterator<Item = (u64, &SegmentIndex)> {
        self.sealed.iter().map(|(&number, segment)| (number, segment))
    }

    /// One sealed segment.
    pub(crate) fn segment(&self, number: u64) -> Option<&SegmentIndex> {
        self.sealed.get(&number)
    }

    /// Records of the whole journal.
    pub(crate) fn n_records(&self) -> u64 {
        let sealed = self.sealed.values().map(SegmentIndex::n_records).sum::<usize>();
        super::scan::count(sealed + self.active.len())
    }

    /// The largest id that is a UUID of version 7 and no later than a day after the newest record;
    /// the digest of another id may look like one, from any century.
    pub(crate) fn newest_id(&self) -> Option<u128> {
        const DAY_MS: u64 = 24 * 60 * 60 * 1000;
        let newest_ms = self.sealed.values().map(|segment| segment.newest_ms).max()?;
        let is_id = |&Entry { key: Key([high, low]), place: _ }: &Entry| {
            high >> 12 & 15 == 7 && low >> 62 == 2 && high >> 16 <= newest_ms.saturating_add(DAY_MS)
        };
        let entries = self.sealed.values().flat_map(|segment| segment.entries.iter().copied());
        let Key([high, low]) = entries.filter(is_id).max()?.key;
        Some(u128::from(high) << 64 | u128::from(low))
    }

    /// Where the records of one decision are, those of the newest segment first; `active` is the
    /// number of the segment that is being written.
    pub(crate) fn find(&self, key: Key, active: u64) -> Vec<Place> {
        let (first, last) = (Entry { key, place: 0 }, Entry { key, place: u64::MAX });
        let mut places: Vec<Place> =
            self.active.range(first..=last).map(|entry| entry.in_segment(active)).collect();
        for (&number, segment) in self.sealed.iter().rev() {
            places.extend(segment.of(key).iter().map(|entry| entry.in_segment(number)));
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection, prelude::*};

    #[test]
    fn a_uuid_is_its_number_and_anything_else_a_digest() {
        let id = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
        assert_eq!(uuid(id), Some(0x0190_a1b2_c3d4_7e5f_8a9b_0c1d_2e3f_4a5b));
        for other in ["", "d-1", &id.to_uppercase(), &id.replace('-', "0"), &id[1..]] {
            assert_eq!(uuid(other), None, "{other}");
            assert_ne!(Key::of(other), Key::of(id));
        }
    }

    fn entries() -> impl Strategy<Value = Vec<(u64, u64, bool)>> {
        collection::vec((0..20_u64, 0..1_000_000_u64, any::<bool>()), 0..60)
    }

    fn index(entries: &[(u64, u64, bool)]) -> SegmentIndex {
        let entry = |&(key, offset, is_outcome): &(u64, u64, bool)| {
            let kind = if is_outcome { Kind::Outcome } else { Kind::Decision };
            Entry::new(Key([key, key]), kind, offset)
        };
        SegmentIndex::new(9, 8, entries.iter().map(entry).collect())
    }

    proptest! {
        /// An index survives its file.
        #[test]
        fn what_is_written_is_read(entries in entries()) {
            let index = index(&entries);
            prop_assert_eq!(SegmentIndex::from_bytes(&index.to_bytes()), Some(index));
        }

        /// No cut and no flipped bit is taken for an index.
        #[test]
        fn damage_is_seen(entries in entries(), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
            let mut bytes = index(&entries).to_bytes();
            let at = at.index(bytes.len());
            prop_assert_eq!(SegmentIndex::from_bytes(&bytes[..at]), None);
            bytes[at] ^= 1_u8 << bit;
            prop_assert_eq!(SegmentIndex::from_bytes(&bytes), None);
        }

        /// Every entry is found under its key and no other is, sealed or not.
        #[test]
        fn entries_are_found(entries in entries(), n_sealed in 0..60_usize) {
            let (sealed, active) = entries.split_at(n_sealed.min(entries.len()));
            let mut whole = Index::default();
            whole.add(1, index(sealed));
            for entry in index(active).entries {
                whole.insert(entry);
            }
            for key in 0..21 {
                let found = whole.find(Key([key, key]), 2).len();
                let has_key = |list: &[(u64, u64, bool)]| {
                    list.iter().filter(|entry| entry.0 == key).count()
                };
                let distinct: BTreeSet<_> = active.iter().filter(|entry| entry.0 == key).collect();
                prop_assert_eq!(found, has_key(sealed) + distinct.len());
            }
        }
    }
}
