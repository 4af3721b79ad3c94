//! The disk is full, fails, writes less than it was given, or cannot make anything durable.

use std::sync::Arc;

use proptest::{collection, prelude::*};

use super::{
    doubles::{Faults, Faulty},
    *,
};
use std::io::ErrorKind;

fn faulty() -> (TempDir, Faulty, Journal) {
    let (dir, disk) = (TempDir::new().unwrap(), Faulty::default());
    let (journal, _) = Journal::open_on(Arc::new(disk.clone()), dir.path(), small()).unwrap();
    (dir, disk, journal)
}

#[track_caller]
fn check_goes_on(faults: &Faults) {
    let (dir, disk, journal) = faulty();
    journal.append_decision(&decision(0)).unwrap();
    disk.set(faults.clone());
    let mut refused = Vec::new();
    for n in 1..20 {
        if let Err(error) = journal.append_decision(&decision(n)) {
            refused.push((n, error));
        }
        assert_eq!(read_ids(dir.path()).1, Damage::default());
    }
    let (first, error) = &refused[0];
    assert_eq!(refused.len() as u64, 20 - first, "a disk that fails goes on failing");
    let is_full = matches!(faults.room, Some((_, ErrorKind::StorageFull)));
    assert_eq!(matches!(error, AppendError::Full { .. }), is_full, "{error}");
    let state = journal.state();
    assert!(state.is_degraded && state.last_error.is_some(), "{state:?}");
    assert!(state.n_segments < 4, "{state:?}");

    disk.set(Faults::default());
    journal.append_decision(&decision(20)).unwrap();
    assert!(!journal.state().is_degraded);
    let expected = [ids(0..*first), ids(20..21)].concat();
    assert_eq!(read_ids(dir.path()), (expected.clone(), Damage::default()));
    drop(journal);
    let (_, recovery) = open(dir.path(), small());
    assert_eq!((recovery.n_records, recovery.warning()), (first + 1, None));
    assert_eq!(read_ids(dir.path()), (expected, Damage::default()));
}

#[test]
fn a_full_or_failing_disk_loses_nothing_and_is_used_again_once_it_works() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        for room in [0, 1, 500, 1500, 2500, 4000] {
            check_goes_on(&Faults { room: Some((room, kind)), ..Faults::default() });
            let short = Some(100);
            check_goes_on(&Faults { room: Some((room, kind)), short, ..Faults::default() });
        }
    }
}

#[test]
fn a_segment_that_is_too_large_is_ended() {
    let (dir, disk, journal) = faulty();
    journal.append_decision(&decision(0)).unwrap();
    disk.set(Faults { room: Some((100, ErrorKind::FileTooLarge)), ..Faults::default() });
    let refused = journal.append_decision(&decision(1)).unwrap_err();
    assert!(matches!(refused, AppendError::Full { .. }), "{refused}");
    disk.set(Faults::default());
    journal.append_decision(&decision(2)).unwrap();
    assert_eq!(journal.state().n_segments, 2);
    assert_eq!(read_ids(dir.path()).1, Damage::default());
}

#[test]
fn what_could_not_be_made_durable_is_never_called_so_afterwards() {
    let (dir, disk, journal) = faulty();
    let first = journal.append_decision(&decision(0)).unwrap();
    journal.sync(first).unwrap();
    let lost = journal.append_decision(&decision(1)).unwrap();
    disk.set(Faults { n_failing_syncs: 1, ..Faults::default() });
    for _ in 0..3 {
        assert!(matches!(journal.sync(lost), Err(SyncError::Lost { .. })));
        journal.sync(first).unwrap();
    }
    assert!(journal.state().is_degraded);
    let next = journal.append_decision(&decision(2)).unwrap();
    journal.sync(next).unwrap();
    assert!(matches!(journal.sync(lost), Err(SyncError::Lost { .. })));
    assert_eq!(journal.state().n_segments, 2);
    assert_eq!(read_ids(dir.path()), (ids(0..3), Damage::default()));
}

#[test]
fn a_disk_that_makes_nothing_durable_has_to_prove_itself() {
    let (dir, disk, journal) = faulty();
    let first = journal.append_decision(&decision(0)).unwrap();
    disk.set(Faults { n_failing_syncs: 50, ..Faults::default() });
    journal.sync(first).unwrap_err();
    for n in 1..50 {
        journal.append_decision(&decision(n)).unwrap_err();
    }
    assert_eq!(journal.state().n_segments, 2);
    let last = journal.append_decision(&decision(50)).unwrap();
    journal.sync(last).unwrap();
    assert_eq!(read_ids(dir.path()), ([ids(0..1), ids(50..51)].concat(), Damage::default()));
}

#[test]
fn a_position_of_another_journal_is_not_waited_for() {
    let (_dir, _, journal) = faulty();
    journal.append_decision(&decision(0)).unwrap();
    let elsewhere = Position { segment: 9, end: 9 };
    assert!(matches!(journal.sync(elsewhere), Err(SyncError::NotWritten)));
}

/// Hands over decisions and then settles them; which were acknowledged, and which refused.
fn append_together(
    journal: &Journal,
    range: std::ops::Range<u64>,
) -> (Vec<(String, Position)>, Vec<String>) {
    let hand_over = |n| (id(n), journal.gather_decision(&decision(n)).unwrap());
    let tickets: Vec<(String, Ticket)> = range.map(hand_over).collect();
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    for (id, ticket) in tickets {
        match journal.settle(&ticket) {
            Ok(position) => kept.push((id, position)),
            Err(_) => refused.push(id),
        }
    }
    (kept, refused)
}

#[test]
fn what_waits_is_written_in_one_call_for_each_segment() {
    let (dir, disk, journal) = faulty();
    let (kept, _) = append_together(&journal, 0..6);
    assert!(kept.windows(2).all(|pair| pair[0].1 < pair[1].1), "{kept:?}");
    assert_eq!((disk.n_writes(), journal.state().n_segments), (2, 2));
    assert_eq!(read_ids(dir.path()), (ids(0..6), Damage::default()));
}

#[test]
fn what_nobody_waits_for_is_written_with_the_next_or_by_upkeep() {
    let (dir, _, journal) = faulty();
    drop(journal.gather_decision(&decision(0)).unwrap());
    assert!(!journal.has_decision(&id(0)));
    journal.append_decision(&decision(1)).unwrap();
    drop(journal.gather_decision(&decision(2)).unwrap());
    journal.upkeep(START_MS);
    assert_eq!(read_ids(dir.path()), (ids(0..3), Damage::default()));
    drop(journal.gather_decision(&decision(3)).unwrap());
    journal.close().unwrap();
    assert_eq!(read_ids(dir.path()), (ids(0..4), Damage::default()));
}

#[test]
fn a_ticket_of_another_journal_is_not_waited_for() {
    let ((_here, _, journal), (_there, _, other)) = (faulty(), faulty());
    let ticket = other.gather_decision(&decision(0)).unwrap();
    assert!(matches!(journal.settle(&ticket), Err(AppendError::Io { .. })));
    other.settle(&ticket).unwrap();
}

#[test]
fn of_records_that_are_written_together_those_are_kept_that_were_taken_whole() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other, ErrorKind::FileTooLarge] {
        for (room, cannot_truncate) in [(0, false), (1, true), (1500, false), (2500, true)] {
            let (dir, disk, journal) = faulty();
            let room = Some((room, kind));
            disk.set(Faults { room, cannot_truncate, ..Faults::default() });
            let (kept, refused) = append_together(&journal, 0..6);
            assert_eq!(kept.len() + refused.len(), 6);
            assert_eq!(kept.is_empty(), room.is_some_and(|(room, _)| room < 1500), "{room:?}");
            let state = journal.state();
            assert_eq!(
                (state.n_appended, state.n_refused),
                (kept.len() as u64, refused.len() as u64)
            );
            assert!(state.is_degraded);
            disk.set(Faults::default());
            journal.append_decision(&decision(6)).unwrap();
            let mut expected: Vec<String> = kept.into_iter().map(|(id, _)| id).collect();
            expected.push(id(6));
            let (mut found, damage) = read_ids(dir.path());
            found.retain(|id| expected.contains(id));
            assert_eq!(found, expected);
            assert!(cannot_truncate || damage == Damage::default(), "{damage:?}");
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append,
    AppendTogether(u64),
    Sync,
    Upkeep,
    Reopen,
    Faults(Faults),
}

fn step() -> impl Strategy<Value = Step> {
    let kinds = [ErrorKind::StorageFull, ErrorKind::Other, ErrorKind::FileTooLarge];
    let room = prop::option::of((0..4000_usize, prop::sample::select(kinds.to_vec())));
    let short = prop::option::of(1..900_usize);
    let faults = (room, short, 0..3_u32, any::<bool>()).prop_map(
        |(room, short, n_failing_syncs, cannot_create)| {
            let faults = Faults { room, short, n_failing_syncs, ..Faults::default() };
            Step::Faults(Faults { cannot_create, ..faults })
        },
    );
    prop_oneof![
        6 => Just(Step::Append),
        3 => (1..8_u64).prop_map(Step::AppendTogether),
        1 => Just(Step::Sync),
        1 => Just(Step::Upkeep),
        1 => Just(Step::Reopen),
        2 => faults,
        2 => Just(Step::Faults(Faults::default())),
    ]
}

/// Takes the steps; which decisions were acknowledged, and which refused.
fn live(steps: &[Step], cannot_truncate: bool) -> (TempDir, Vec<String>, Vec<String>) {
    let (dir, disk, journal) = faulty();
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    let mut journal = Some(journal);
    let (mut n, mut last) = (0, None);
    for step in steps {
        let open = journal.as_ref().unwrap();
        match step {
            Step::Append => {
                match open.append_decision(&decision(n)) {
                    Ok(position) => {
                        kept.push(id(n));
                        last = Some(position);
                    }
                    Err(_) => refused.push(id(n)),
                }
                n += 1;
            }
            Step::AppendTogether(n_more) => {
                let (together, not) = append_together(open, n..n + n_more);
                last = together.last().map(|(_, position)| *position).or(last);
                kept.extend(together.into_iter().map(|(id, _)| id));
                refused.extend(not);
                n += n_more;
            }
            // Whether it succeeds is another test's business.
            Step::Sync => drop(last.map(|last| open.sync(last))),
            Step::Upkeep => drop(open.upkeep(START_MS)),
            Step::Reopen => {
                drop(journal.take());
                let storage = Arc::new(disk.clone());
                journal = Some(Journal::open_on(storage, dir.path(), small()).unwrap().0);
                last = None;
            }
            Step::Faults(faults) => disk.set(Faults { cannot_truncate, ..faults.clone() }),
        }
    }
    (dir, kept, refused)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever fails, a journal holds what it acknowledged, in order, and nothing else.
    #[test]
    fn what_was_acknowledged_is_there(steps in collection::vec(step(), 1..60)) {
        let (dir, kept, _) = live(&steps, false);
        prop_assert_eq!(read_ids(dir.path()), (kept, Damage::default()));
    }

    /// Where not even a torn end can be cut off, nothing that was acknowledged is lost, and what
    /// comes besides had been handed over.
    #[test]
    fn what_was_acknowledged_survives_ragged_ends(steps in collection::vec(step(), 1..60)) {
        let (dir, kept, refused) = live(&steps, true);
        let (mut found, _) = read_ids(dir.path());
        prop_assert!(found.iter().all(|id| kept.contains(id) || refused.contains(id)));
        found.retain(|id| kept.contains(id));
        prop_assert_eq!(found, kept);
    }
}
