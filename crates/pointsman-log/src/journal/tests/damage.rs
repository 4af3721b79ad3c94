//! A journal is cut, flipped, overwritten and robbed of files.

use std::{
    fs,
    io::{Seek as _, SeekFrom, Write as _},
    sync::Arc,
};

use proptest::{collection, prelude::*};

use super::{doubles::Faulty, segments::segment_path, *};

/// Opens on a disk where making things durable costs nothing.
pub(super) fn reopen(dir: &Path) -> (Journal, Recovery) {
    Journal::open_on(Arc::new(Faulty::default()), dir, small()).unwrap()
}

/// A short decision, so that many cases take little time.
fn short(n: u64) -> DecisionRecord {
    DecisionRecord { id: id(n), ts_ms: START_MS + n, ..examples::minimal_decision() }
}

pub(super) fn folder_with(segment: &[u8]) -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::write(segment_path(dir.path(), 1), segment).unwrap();
    dir
}

#[test]
fn a_torn_end_is_cut_off_wherever_it_is_torn() {
    let decisions: Vec<_> = (0..6).map(decision).collect();
    let segment = segment_of(&decisions);
    let ends: Vec<usize> = (0..segment.len()).filter(|&at| segment[at] == b'\n').collect();
    for cut in ends[2]..=segment.len() {
        let dir = folder_with(&segment[..cut]);
        let n_whole = ends.iter().filter(|&&end| end <= cut).count() as u64;
        let (journal, recovery) = reopen(dir.path());
        let end = ends.iter().rev().find(|&&end| end <= cut).unwrap();
        let n_torn = cut.saturating_sub(end + 1) as u64;
        assert_eq!(recovery.n_records, n_whole, "cut at {cut}");
        assert_eq!(recovery.n_torn_bytes, n_torn, "cut at {cut}");
        assert_eq!(recovery.warning().is_some(), 0 < n_torn, "cut at {cut}");
        journal.append_decision(&decision(7)).unwrap();
        let expected = [ids(0..n_whole), ids(7..8)].concat();
        assert_eq!(read_ids(dir.path()), (expected, Damage::default()), "cut at {cut}");
    }
}

#[test]
fn a_warning_is_one_sentence() {
    let segment = segment_of(&[decision(0), decision(1)]);
    let dir = folder_with(&segment[..segment.len() - 10]);
    let (_, recovery) = reopen(dir.path());
    let n = segment.len() / 2 - 10;
    let expected =
        format!("opening the journal cut {n} bytes of an unfinished record off 1 of its segments");
    assert_eq!(recovery.warning(), Some(expected));
}

/// Reads a journal with one wrong byte: at most one record is missing, and none is wrong.
#[track_caller]
fn check_flipped(dir: &Path, originals: &[Record], at: usize) {
    let mut reader = read(dir).unwrap();
    let (mut n_found, mut rest) = (0, originals.iter());
    for record in reader.by_ref() {
        let record = record.unwrap();
        assert!(rest.any(|original| *original == record), "byte {at}");
        n_found += 1;
    }
    assert!(originals.len() - 1 <= n_found, "byte {at}: {n_found} records");
    assert!(0 < reader.damage().n_lines || 0 < reader.n_torn_bytes(), "byte {at} was not counted");
}

#[test]
fn every_flipped_byte_of_a_hundred_records_is_found() {
    let decisions: Vec<_> = (0..100).map(short).collect();
    let segment = segment_of(&decisions);
    let originals: Vec<_> =
        decisions.into_iter().map(|one| Record::Decision(Box::new(one))).collect();
    let dir = folder_with(&segment);
    let mut file = fs::OpenOptions::new().write(true).open(segment_path(dir.path(), 1)).unwrap();
    let mut put = |at: usize, byte: u8| {
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(&[byte]).unwrap();
    };
    for (at, &sound) in segment.iter().enumerate() {
        put(at, sound ^ 1 << (at % 8));
        check_flipped(dir.path(), &originals, at);
        if sound != b'\n' && at % 7 == 0 {
            put(at, b'\n');
            check_flipped(dir.path(), &originals, at);
        }
        put(at, sound);
    }
}

#[test]
fn an_index_that_is_missing_broken_or_old_is_made_again() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(dir.path(), small());
    for n in 0..10 {
        journal.append_decision(&decision(n)).unwrap();
    }
    journal.close().unwrap();
    let path = |number| segments::index_path(dir.path(), number);
    fs::remove_file(path(1)).unwrap();
    fs::write(path(2), b"nonsense").unwrap();
    fs::copy(path(4), path(3)).unwrap();
    let (journal, recovery) = open(dir.path(), small());
    assert_eq!((recovery.n_records, recovery.n_read_segments), (10, 3));
    assert!((0..10).all(|n| journal.has_decision(&id(n))));
    drop(journal);
    let (_, recovery) = open(dir.path(), small());
    assert_eq!((recovery.n_records, recovery.n_read_segments), (10, 0));
}

#[test]
fn a_missing_segment_is_counted_unless_it_is_the_oldest() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(dir.path(), small());
    for n in 0..15 {
        journal.append_decision(&decision(n)).unwrap();
    }
    journal.close().unwrap();
    let per_segment = read_ids(dir.path()).0.len() as u64 / journal_segments(dir.path());
    for number in [1, 3] {
        fs::remove_file(segment_path(dir.path(), number)).unwrap();
    }
    let (found, damage) = read_ids(dir.path());
    assert_eq!(found.len() as u64, 15 - 2 * per_segment);
    assert_eq!(damage, Damage { n_missing_segments: 1, ..Damage::default() });
}

fn journal_segments(dir: &Path) -> u64 {
    segments::numbers(dir).unwrap().len() as u64
}

#[test]
fn a_record_of_a_later_release_is_named_and_kept() {
    let dir = folder_with(&segment_of(&[decision(0)]));
    let mut line = br#"{"v":2,"kind":"dream"}"#.to_vec();
    line::seal(&mut line);
    let mut segment = fs::read(segment_path(dir.path(), 1)).unwrap();
    segment.extend_from_slice(&line);
    fs::write(segment_path(dir.path(), 1), &segment).unwrap();
    let (_journal, recovery) = reopen(dir.path());
    assert_eq!((recovery.n_records, recovery.warning()), (1, None));
    let items: Vec<_> = read(dir.path()).unwrap().collect();
    let refused = items[1].as_ref().unwrap_err().to_string();
    assert!(refused.ends_with("this is version 2 of the record, and only version 1 can be read"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever bytes a segment holds, a journal opens, its records are ones that were written,
    /// and what is appended afterwards is read.
    #[test]
    fn no_damage_keeps_a_journal_from_opening(
        patches in collection::vec((any::<prop::sample::Index>(), collection::vec(any::<u8>(), 1..40)), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let originals: Vec<_> = (0..8).map(short).collect();
        let mut segment = segment_of(&originals);
        for (at, bytes) in patches {
            let at = at.index(segment.len());
            let end = (at + bytes.len()).min(segment.len());
            segment[at..end].copy_from_slice(&bytes[..end - at]);
        }
        segment.truncate(cut.index(segment.len() + 1));
        let dir = folder_with(&segment);
        let (journal, recovery) = reopen(dir.path());
        journal.append_decision(&short(9)).unwrap();
        let (records, _) = read_all(dir.path());
        prop_assert_eq!(records.len() as u64, recovery.n_records + 1);
        for record in records {
            let Record::Decision(found) = record else { panic!("an outcome") };
            prop_assert!(originals.contains(&found) || *found == short(9));
        }
    }
}
