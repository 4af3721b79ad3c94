//! What a later step has to know of a decision, read without the rest of its record: the rest is
//! most of it, and a step is to take microseconds.

use memchr::memmem::Finder;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs::File,
    io,
    sync::{Arc, LazyLock, Mutex},
};

use super::{
    Journal,
    index::{Key, Kind, Place},
    line::{self, Seal},
    locked,
    segments::segment_path,
};
use crate::ndjson::MAX_LINE_BYTES;

/// A decision as a step after it sees it; the fields are those of
/// [`DecisionRecord`](crate::record::DecisionRecord).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "the record documents the fields")]
pub struct Earlier {
    pub id: String,
    pub session_id: Option<String>,
    pub turn: Option<u32>,
    pub tenant: Option<String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    pub drawn: String,
    pub step: Option<u32>,
    pub spent_usd: Option<f64>,
}

/// The segment that was looked into last, still open: steps follow their decisions closely.
pub(super) type LookedInto = Mutex<Option<(u64, Arc<File>)>>;

/// The keys that most of a line stands between.
static REQUEST: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#","request":"#));
static DRAWN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#","drawn":"#));

/// Most records are no longer.
const FIRST_BYTES: usize = 8 << 10;

impl Journal {
    /// The decision of that id, where the journal holds it whole, as a step after it sees it.
    pub fn earlier(&self, id: &str) -> Option<Earlier> {
        let tail = locked(&self.tail);
        let places = tail.index.find(Key::of(id), tail.active_number());
        drop(tail);
        let decisions = places.into_iter().filter(|place| place.kind == Kind::Decision);
        decisions.filter_map(|place| self.earlier_at(place)).find(|earlier| earlier.id == id)
    }

    fn earlier_at(&self, place: Place) -> Option<Earlier> {
        read(&self.line_of(place)?)
    }

    /// The line in that place, where it is what was written.
    pub(super) fn line_of(&self, place: Place) -> Option<Vec<u8>> {
        let file = self.segment(place.segment).ok()?;
        let line = line_at(&file, place.offset).ok()??;
        (line::check(&line) == Seal::Sound).then_some(line)
    }

    fn segment(&self, number: u64) -> io::Result<Arc<File>> {
        let mut looked_into = locked(&self.looked_into);
        if let Some((known, file)) = &*looked_into
            && *known == number
        {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(File::open(segment_path(&self.dir, number))?);
        *looked_into = Some((number, Arc::clone(&file)));
        Ok(file)
    }
}

/// The line that begins at `offset`, without its newline; `None` where it has none, or is longer
/// than any record.
fn line_at(file: &File, offset: u64) -> io::Result<Option<Vec<u8>>> {
    let mut line = vec![0; FIRST_BYTES];
    let mut n_read = 0;
    loop {
        let n = read_at(file, &mut line[n_read..], offset + n_read as u64)?;
        if let Some(end) = memchr::memchr(b'\n', &line[n_read..n_read + n]) {
            line.truncate(n_read + end);
            return Ok(Some(line));
        }
        n_read += n;
        if n == 0 || MAX_LINE_BYTES < n_read as u64 {
            return Ok(None);
        }
        if n_read == line.len() {
            line.resize(2 * n_read, 0);
        }
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// What a step has to know of a line.
fn read(line: &[u8]) -> Option<Earlier> {
    essence(line).or_else(|| serde_json::from_slice(line).ok())
}

/// The same without what stands between `request` and `drawn`, which is most of a line; `None` where
/// the two are not found, or what is left is no record. Strings cannot hold either key, since a quote
/// in a string is escaped; a tag `request` cuts the tags short, behind any tag `drawn`, since they stand
/// in the order of their names, and what is left is no JSON.
fn essence(line: &[u8]) -> Option<Earlier> {
    let request = REQUEST.find(line)?;
    let drawn = request + DRAWN.find(&line[request..])?;
    let mut rest = Vec::with_capacity(request + line.len() - drawn);
    rest.extend_from_slice(&line[..request]);
    rest.extend_from_slice(&line[drawn..]);
    serde_json::from_slice(&rest).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        examples,
        journal::{Settings, tests::id},
        record::{DecisionRecord, Record},
    };
    use proptest::prelude::*;

    proptest! {
        /// However callers name their tags and conversations, what is left out changes nothing.
        #[test]
        fn nothing_that_counts_is_left_out(
            tags in prop::collection::btree_map(
                prop_oneof![Just("request".to_owned()), Just("drawn".to_owned()), ".{0,8}"],
                prop_oneof![Just(r#"","drawn":"x"#.to_owned()), Just(r#","request":"#.to_owned()), ".{0,8}"],
                0..4,
            ),
            session in prop::option::of(prop_oneof![Just(r#"a","request":{"#.to_owned()), ".{0,8}"]),
            step in prop::option::of(1_u32..9),
        ) {
            let mut decision = DecisionRecord { tags, step, ..examples::full_decision() };
            decision.session_id = session;
            let line = serde_json::to_vec(&Record::Decision(Box::new(decision.clone()))).unwrap();
            let found = read(&line).unwrap();
            let expected: Earlier = serde_json::from_slice(&line).unwrap();
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(&found.tags, &decision.tags);
            if !decision.tags.contains_key("request") {
                prop_assert_eq!(essence(&line), Some(expected));
            }
        }
    }

    #[test]
    fn a_segment_that_is_removed_stays_open_nowhere() {
        let dir = tempfile::TempDir::new().unwrap();
        let settings =
            Settings { segment_bytes: 3000, keep_bytes: Some(10_000), ..Settings::default() };
        let (journal, _) = Journal::open(dir.path(), settings).unwrap();
        let append = |n| {
            let decision = DecisionRecord { id: id(n), ..examples::full_decision() };
            journal.append_decision(&decision).unwrap();
        };
        append(0);
        assert!(journal.earlier(&id(0)).is_some());
        (1..30).for_each(append);
        assert!(0 < journal.upkeep(0).n_removed_segments);
        assert_eq!(journal.earlier(&id(0)), None);
        assert!(locked(&journal.looked_into).is_none());
        assert!(journal.earlier(&id(29)).is_some());
        assert!(locked(&journal.looked_into).is_some());
    }

    #[test]
    fn decisions_are_found_however_long_they_are() {
        let dir = tempfile::TempDir::new().unwrap();
        let (journal, _) = Journal::open(dir.path(), Settings::default()).unwrap();
        for (n, n_bytes) in (0_u64..).zip([1, FIRST_BYTES - 100, FIRST_BYTES, 5 * FIRST_BYTES]) {
            let tags = BTreeMap::from([("tag".to_owned(), "x".repeat(n_bytes))]);
            let decision = DecisionRecord { id: id(n), tags, ..examples::full_decision() };
            journal.append_decision(&decision).unwrap();
            let found = journal.earlier(&decision.id).unwrap();
            assert_eq!((found.id, found.tags), (decision.id, decision.tags), "{n_bytes}");
        }
        assert_eq!(journal.earlier(&id(9)), None);
    }
}
