//! A subject is forgotten: what is left, what is not, and what a crash in the middle leaves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Arc,
};

use proptest::{collection, prelude::*};
use serde_json::Value;

use super::{
    damage::{folder_with, reopen},
    doubles::{Ending, Faults, Faulty, Mains},
    power::draws,
    segments::{index_path, numbers, segment_path},
    *,
};
use crate::record::{MetricRecord, Scope};

/// What happens to a journal.
#[derive(Debug, Clone)]
enum Event {
    /// A first decision, of one of a few tenants, sessions and apps.
    Decision(u8, u8, u8),
    /// A step after an earlier decision, counted round.
    Step(usize),
    /// An outcome of an earlier decision, counted round.
    Outcome(usize),
    /// The service is started again.
    Restart,
}

/// A decision as the test remembers it.
struct Made {
    id: String,
    follows: Option<usize>,
    tenant: Option<String>,
    session: Option<String>,
    app: Option<String>,
}

/// A journal that has been lived in.
struct Lived {
    dir: TempDir,
    made: Vec<Made>,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..3_u8, 0..3_u8, 0..2_u8).prop_map(|(tenant, session, app)| {
            Event::Decision(tenant, session, app)
        }),
        2 => (0..1000_usize).prop_map(Event::Step),
        3 => (0..1000_usize).prop_map(Event::Outcome),
        1 => Just(Event::Restart),
    ]
}

fn subject() -> impl Strategy<Value = Subject> {
    let some = |name: &'static str| {
        prop::option::of((0..4_u8).prop_map(move |number| format!("{name}-{number}")))
    };
    let decisions = collection::btree_set((0..12_u64).prop_map(id), 0..3);
    (decisions, some("t"), some("s"), some("a"))
        .prop_map(|(decisions, tenant, session, app)| {
            let tags = app.map(|app| ("app".to_owned(), app)).into_iter().collect();
            Subject { decisions, tenant, session, tags }
        })
        .prop_filter("everybody is no subject", |subject: &Subject| *subject != Subject::default())
}

impl Lived {
    fn through(events: &[Event]) -> Self {
        let dir = TempDir::new().unwrap();
        let mut lived = Self { dir, made: Vec::new() };
        let (mut journal, _) = reopen(lived.path());
        for event in events {
            let n = lived.made.len();
            match event {
                Event::Decision(tenant, session, app) => {
                    let made = Made {
                        id: id(n as u64),
                        follows: None,
                        tenant: Some(format!("t-{tenant}")),
                        session: Some(format!("s-{session}")),
                        app: Some(format!("a-{app}")),
                    };
                    let tags = made.app.iter().map(|app| ("app".to_owned(), app.clone()));
                    let decision = DecisionRecord {
                        tenant: made.tenant.clone(),
                        session_id: made.session.clone(),
                        tags: tags.collect(),
                        ..decision(n as u64)
                    };
                    journal.append_decision(&decision).unwrap();
                    lived.made.push(made);
                }
                Event::Step(after) if 0 < n => {
                    let after = after % n;
                    let (id, previous) = (id(n as u64), lived.made[after].id.clone());
                    let step = DecisionRecord {
                        id: id.clone(),
                        previous: Some(previous),
                        ..examples::step_decision()
                    };
                    journal.append_decision(&step).unwrap();
                    let (tenant, session, app) = (None, None, None);
                    lived.made.push(Made { id, follows: Some(after), tenant, session, app });
                }
                Event::Outcome(of) if 0 < n => {
                    _ = journal.append_outcome(&outcome((of % n) as u64)).unwrap();
                }
                Event::Restart => {
                    drop(journal);
                    (journal, _) = reopen(lived.path());
                }
                Event::Step(_) | Event::Outcome(_) => {}
            }
        }
        journal.close().unwrap();
        lived
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The ids that have to go, by what the test remembers: what follows a decision goes with it.
    fn ids_of(&self, subject: &Subject) -> BTreeSet<String> {
        let mut gone = vec![false; self.made.len()];
        let is = |found: Option<&String>, asked: Option<&String>| asked.is_none() || found == asked;
        for (at, made) in self.made.iter().enumerate() {
            let is_named = subject.decisions.is_empty() || subject.decisions.contains(&made.id);
            gone[at] = made.follows.is_some_and(|before| gone[before])
                || (is_named
                    && is(made.tenant.as_ref(), subject.tenant.as_ref())
                    && is(made.session.as_ref(), subject.session.as_ref())
                    && is(made.app.as_ref(), subject.tags.get("app")));
        }
        let gone = self.made.iter().zip(gone).filter(|(_, gone)| *gone);
        gone.map(|(made, _)| made.id.clone()).collect()
    }
}

/// The bytes of every file but the lock, by name.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let named = paths.map(|path| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
    });
    named.filter(|(name, _)| name != "lock").collect()
}

/// The segments of a journal without every line that has one of these ids as its value of `id`,
/// `decision_id` or `previous`.
fn segments_without(dir: &Path, ids: &BTreeSet<String>) -> BTreeMap<u64, Vec<u8>> {
    let names_any = |line: &&[u8]| {
        let record: Value = serde_json::from_slice(line).unwrap();
        ["id", "decision_id", "previous"]
            .into_iter()
            .any(|key| record[key].as_str().is_some_and(|id| ids.contains(id)))
    };
    let mut segments = BTreeMap::new();
    for number in numbers(dir).unwrap() {
        let segment = fs::read(segment_path(dir, number)).unwrap();
        let lines = segment.split_inclusive(|&byte| byte == b'\n');
        segments.insert(number, lines.filter(|line| !names_any(line)).flatten().copied().collect());
    }
    segments
}

fn segments_of(dir: &Path) -> BTreeMap<u64, Vec<u8>> {
    segments_without(dir, &BTreeSet::new())
}

/// Nothing in the folder has the id in it, neither as text nor as the number that an index holds.
#[track_caller]
fn check_nowhere(dir: &Path, id: &str) {
    let number = crate::journal::uuid(id).unwrap();
    let halves = [number >> 64, number & u128::from(u64::MAX)];
    let key: Vec<u8> =
        halves.iter().flat_map(|half| u64::try_from(*half).unwrap().to_le_bytes()).collect();
    for (name, bytes) in files(dir) {
        for needle in [id.as_bytes(), &key[..]] {
            assert!(memchr::memmem::find(&bytes, needle).is_none(), "{id} is in {name}");
        }
    }
}

/// Opens, forgets and ends.
fn forget(dir: &Path, subject: &Subject) -> Forgotten {
    let (journal, _) = reopen(dir);
    journal.forget(subject, &mut || {}).unwrap()
}

fn of_tenant(tenant: &str) -> Subject {
    Subject { tenant: Some(tenant.to_owned()), ..Subject::default() }
}

fn of_decisions(ids: &[String]) -> Subject {
    Subject { decisions: ids.iter().cloned().collect(), ..Subject::default() }
}

/// Three tenants in turn, with steps and outcomes that come late, in a dozen segments.
fn three_tenants() -> Lived {
    let mut events = Vec::new();
    for n in 0..12_u8 {
        events.push(Event::Decision(n % 3, n % 2, 0));
        events.push(Event::Step(5 * usize::from(n) + 1));
        events.push(Event::Outcome(3 * usize::from(n) + 2));
        events.push(Event::Outcome(2));
    }
    Lived::through(&events)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// What is of a subject is nowhere any more, and the rest is byte for byte what it was.
    #[test]
    fn the_rest_stays_byte_for_byte(
        events in collection::vec(event(), 1..40),
        subject in subject(),
    ) {
        let lived = Lived::through(&events);
        let dir = lived.path();
        let ids = lived.ids_of(&subject);
        let (before, expected) = (files(dir), segments_without(dir, &ids));
        let n_records = read_all(dir).0.len() as u64;
        let foreseen = survey(dir, &subject, &mut || {}).unwrap();
        prop_assert_eq!(files(dir), before, "a survey changes nothing");

        let forgotten = forget(dir, &subject);
        prop_assert_eq!(&forgotten, &foreseen);
        prop_assert_eq!(segments_of(dir), expected);
        for id in &ids {
            check_nowhere(dir, id);
        }
        let (records, damage) = read_all(dir);
        prop_assert_eq!(records.len() as u64, n_records - forgotten.n_forgotten());
        prop_assert_eq!((forgotten.n_records, damage), (n_records, Damage::default()));
        prop_assert_eq!(forgotten.n_decisions + forgotten.n_steps, ids.len() as u64);

        let (journal, recovery) = reopen(dir);
        prop_assert_eq!((recovery.n_read_segments, recovery.warning()), (0, None));
        for (n, made) in (0..).zip(&lived.made) {
            let is_gone = ids.contains(&made.id);
            prop_assert_eq!(journal.has_decision(&made.id), !is_gone);
            prop_assert_eq!(journal.decision(&made.id).is_some(), !is_gone);
            let appended = journal.append_outcome(&outcome(n));
            let is_unknown = matches!(appended, Err(AppendError::UnknownDecision { .. }));
            prop_assert_eq!(is_unknown, is_gone);
        }
        drop(journal);
        let again = forget(dir, &subject);
        prop_assert_eq!((again.n_forgotten(), again.n_bytes, again.segments), (0, 0, Vec::new()));
    }
}

#[test]
fn what_went_is_counted() {
    let lived = three_tenants();
    let dir = lived.path();
    let expected = segments_without(dir, &lived.ids_of(&of_tenant("t-1")));
    let before = segments_of(dir);
    let changed: Vec<u64> =
        before.keys().copied().filter(|number| before[number] != expected[number]).collect();
    let forgotten = forget(dir, &of_tenant("t-1"));
    assert_eq!(forgotten.segments, changed);
    let n_bytes =
        |segments: &BTreeMap<u64, Vec<u8>>| -> usize { segments.values().map(Vec::len).sum() };
    assert_eq!(forgotten.n_bytes, (n_bytes(&before) - n_bytes(&expected)) as u64);
    assert!(forgotten.n_decisions == 4 && 0 < forgotten.n_steps, "{forgotten:?}");
    assert!(0 < forgotten.n_outcomes && 2 < forgotten.segments.len(), "{forgotten:?}");
    assert_eq!((forgotten.n_others, forgotten.n_damaged_lines, forgotten.n_unread), (0, 0, 0));
}

#[test]
fn ids_that_are_not_there_are_told_and_their_outcomes_go_all_the_same() {
    let lived = three_tenants();
    let dir = lived.path();
    let first = lived.made[0].id.clone();
    let liked =
        MetricRecord { name: "liked".to_owned(), value: 1.0, source: None, scope: Scope::Request };
    let (journal, _) = reopen(dir);
    journal.append_outcome(&OutcomeRecord::grade(first.clone(), START_MS, vec![liked])).unwrap();
    journal.close().unwrap();
    // The segment of the first decisions goes as with age; late outcomes stay.
    fs::remove_file(segment_path(dir, 1)).unwrap();
    let orphaned = of_decisions(&[first.clone(), "d-nobody".to_owned()]);
    let with_tenant = Subject { tenant: Some("t-0".to_owned()), ..orphaned.clone() };
    assert_eq!(survey(dir, &with_tenant, &mut || {}).unwrap().n_forgotten(), 0);
    let forgotten = forget(dir, &orphaned);
    assert_eq!(forgotten.unknown, [first.clone(), "d-nobody".to_owned()]);
    assert!(forgotten.n_decisions == 0 && 0 < forgotten.n_outcomes, "{forgotten:?}");
    check_nowhere(dir, &first);
}

#[test]
fn a_segment_that_loses_everything_stays_empty_and_keeps_its_number() {
    let dir = TempDir::new().unwrap();
    for (tenant, n) in [("t-0", 0), ("t-1", 1), ("t-0", 2), ("t-2", 3)] {
        let (journal, _) = reopen(dir.path());
        let tenant = Some(tenant.to_owned());
        journal.append_decision(&DecisionRecord { tenant, ..decision(n) }).unwrap();
        journal.close().unwrap();
    }
    assert_eq!(forget(dir.path(), &of_tenant("t-0")).emptied, [1, 3]);
    assert_eq!(forget(dir.path(), &of_tenant("t-2")).emptied, [4]);
    let empty = segments_of(dir.path()).into_iter().filter(|(_, segment)| segment.is_empty());
    assert_eq!(empty.map(|(number, _)| number).collect::<Vec<_>>(), [1, 3, 4]);
    assert_eq!(read_ids(dir.path()), (ids(1..2), Damage::default()));
    let (journal, recovery) = reopen(dir.path());
    assert_eq!((recovery.n_segments, recovery.n_records), (4, 1));
    journal.append_decision(&decision(5)).unwrap();
    assert_eq!(numbers(dir.path()).unwrap(), [1, 2, 3, 4, 5]);
    drop(journal);
    // With the others they go once they are old.
    let aged = Settings { keep_age_ms: Some(1), ..small() };
    let (journal, _) = open(dir.path(), aged);
    assert_eq!(journal.upkeep(START_MS + 1000).problems, [""; 0]);
    assert_eq!(numbers(dir.path()).unwrap(), [5]);
}

/// Forgets the `n`th of some decisions in a segment that is damaged; what is left of its bytes.
#[track_caller]
fn check_damaged(segment: &[u8], n: u64, expected: &[u8]) {
    let dir = folder_with(segment);
    let subject = of_decisions(&ids(n..n + 1));
    let foreseen = survey(dir.path(), &subject, &mut || {}).unwrap();
    let forgotten = forget(dir.path(), &subject);
    assert_eq!(forgotten, foreseen);
    assert_eq!((forgotten.n_decisions, forgotten.n_damaged_lines), (1, 2), "decision {n}");
    let left = fs::read(segment_path(dir.path(), 1)).unwrap();
    let text = String::from_utf8_lossy;
    assert_eq!(text(&left), text(expected), "decision {n}");
    check_nowhere(dir.path(), &id(n));
    let (_, recovery) = reopen(dir.path());
    assert_eq!(recovery.n_read_segments, 0, "the index is that of the new segment");
}

#[test]
fn whole_records_in_damaged_lines_go_and_the_damage_stays() {
    let segment = segment_of(&[0, 1, 2, 3, 4].map(decision));
    let lines: Vec<&[u8]> = segment.split_inclusive(|&byte| byte == b'\n').collect();
    let whole: Vec<&[u8]> = lines.iter().map(|line| &line[..line.len() - 1]).collect();
    let mut flipped = lines[3].to_vec();
    // Of a digit of its time, so that no other record's id comes of it.
    let at = memchr::memmem::find(&flipped, b"\"ts_ms\":").unwrap() + 10;
    flipped[at] ^= 1;
    let torn = &lines[4][..lines[4].len() / 2];
    let merged = [whole[1], b"\x0b", whole[2], b"\n"].concat();
    let damaged = [lines[0], &merged, &flipped, torn].concat();
    check_damaged(&damaged, 0, &[&merged[..], &flipped].concat());
    check_damaged(&damaged, 1, &[lines[0], b"\x0b", lines[2], &flipped].concat());
    let second_gone = [lines[0], whole[1], b"\x0b\n", &flipped].concat();
    check_damaged(&damaged, 2, &second_gone);
}

#[test]
fn records_that_this_release_does_not_know_go_by_the_ids_they_name() {
    let mut lines = Vec::new();
    for json in [
        format!(r#"{{"v":2,"kind":"dream","decision_id":"{}"}}"#, id(0)),
        format!(r#"{{"v":2,"kind":"dream","decision_id":"{}"}}"#, id(1)),
        r#"{"v":1,"kind":"decision","id":"twice","id":"said"}"#.to_owned(),
    ] {
        let mut line = json.into_bytes();
        line::seal(&mut line);
        lines.push(line);
    }
    let known = segment_of(&[decision(0), decision(1)]);
    let dir = folder_with(&[known, lines.concat()].concat());
    let forgotten = forget(dir.path(), &of_decisions(&ids(0..1)));
    let counts = (forgotten.n_decisions, forgotten.n_others, forgotten.n_unread);
    assert_eq!(counts, (1, 1, 1));
    let left = fs::read(segment_path(dir.path(), 1)).unwrap();
    assert_eq!(left, [segment_of(&[decision(1)]), lines[1..].concat()].concat());
}

#[test]
fn a_subject_of_whom_nothing_is_said_is_refused() {
    let lived = three_tenants();
    let before = files(lived.path());
    let expected = "nothing says whose records are to be forgotten; name decisions, a session, a \
                    tenant or metadata";
    let (journal, _) = reopen(lived.path());
    let nobody = Subject::default();
    assert_eq!(journal.forget(&nobody, &mut || {}).unwrap_err().to_string(), expected);
    let refused = survey(lived.path(), &nobody, &mut || {}).unwrap_err();
    assert_eq!(refused.to_string(), expected);
    assert_eq!(files(lived.path()), before);
}

#[test]
fn what_an_earlier_crash_left_goes_too() {
    let lived = three_tenants();
    let dir = lived.path();
    let after = forget(dir, &of_tenant("t-1"));
    assert!(0 < after.n_forgotten());
    let expected = files(dir);
    let gone = segment_path(dir, 900);
    fs::write(gone.with_extension("index"), "the index of a segment that is gone").unwrap();
    fs::write(gone.with_extension("ndjson.partial"), "the beginning of a segment").unwrap();
    fs::write(index_path(dir, 1).with_extension("index.partial"), "and of an index").unwrap();
    assert_eq!(forget(dir, &of_tenant("t-1")).n_forgotten(), 0);
    assert_eq!(files(dir), expected);
}

#[cfg(unix)]
#[test]
fn files_keep_their_owner_and_nobody_else_may_read_them() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let lived = three_tenants();
    let dir = lived.path();
    let number = survey(dir, &of_tenant("t-1"), &mut || {}).unwrap().segments[0];
    let paths = [segment_path(dir, number), index_path(dir, number)];
    let me = fs::metadata(&paths[0]).unwrap().uid();
    let owner = if me == 0 { 12_345 } else { me };
    if me == 0 {
        for path in &paths {
            chown(path, Some(owner), Some(owner)).unwrap();
        }
    } else {
        eprintln!("skipped in part: only root can give files to another owner");
    }
    let (journal, _) = open(dir, small());
    journal.forget(&of_tenant("t-1"), &mut || {}).unwrap();
    for path in paths {
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.mode() & 0o777), (owner, 0o600), "{}", path.display());
    }
}

#[test]
fn a_full_disk_is_said_and_the_journal_is_what_it_was() {
    let lived = three_tenants();
    let dir = lived.path();
    let before = files(dir);
    let disk = Faulty::default();
    let (journal, _) = Journal::open_on(Arc::new(disk.clone()), dir, small()).unwrap();
    let room = Some((100, std::io::ErrorKind::StorageFull));
    disk.set(Faults { room, ..Faults::default() });
    let refused = journal.forget(&of_tenant("t-1"), &mut || {}).unwrap_err();
    assert!(matches!(refused, ForgetError::Unwritten { .. }), "{refused}");
    assert!(refused.to_string().contains("; forget again once it can be"), "{refused}");
    assert_eq!(files(dir), before);
}

/// A folder with these files.
fn folder_of(files: &BTreeMap<String, Vec<u8>>) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

/// Forgets on a disk that takes so many changes; whether it came to its end.
fn forget_until(disk: &Ending, dir: &Path, subject: &Subject) -> bool {
    let opened = Journal::open_on(Arc::new(disk.clone()), dir, small());
    opened.is_ok_and(|(journal, _)| journal.forget(subject, &mut || {}).is_ok())
}

#[test]
fn a_crash_at_any_change_is_finished_by_forgetting_again() {
    let lived = three_tenants();
    let (subject, before) = (of_tenant("t-1"), files(lived.path()));
    let gone = lived.ids_of(&subject);
    let old = segments_of(lived.path());
    let new = segments_without(lived.path(), &gone);
    let finished = folder_of(&before);
    forget(finished.path(), &subject);
    let finished = files(finished.path());
    let mut n_changes = 0;
    loop {
        let dir = folder_of(&before);
        let dir = dir.path();
        let disk = Ending::after(Arc::new(Faulty::default()), n_changes);
        let is_done = forget_until(&disk, dir, &subject);
        assert_eq!(is_done, !disk.has_ended(), "after {n_changes} changes");
        for (number, segment) in segments_of(dir) {
            let is_whole = segment == old[&number] || segment == new[&number];
            assert!(is_whole, "segment {number} after {n_changes} changes");
        }
        let (journal, recovery) = reopen(dir);
        assert_eq!(recovery.problems, [""; 0]);
        for made in lived.made.iter().filter(|made| !gone.contains(&made.id)) {
            assert!(journal.decision(&made.id).is_some(), "after {n_changes} changes");
        }
        drop(journal);
        if is_done {
            assert_eq!(files(dir), finished);
            break;
        }
        forget(dir, &subject);
        assert_eq!(files(dir), finished, "after {n_changes} changes");
        for id in &gone {
            check_nowhere(dir, id);
        }
        n_changes += 1;
    }
    assert!(20 < n_changes, "{n_changes} changes");
}

/// Forgets until the power fails, and then again; whether it had come to its end.
#[track_caller]
fn check_power_cut(seed: u64, lived: &Lived, before: &BTreeMap<String, Vec<u8>>) -> bool {
    let mut draw = draws(seed);
    let subject = of_tenant("t-1");
    let dir = folder_of(before);
    let dir = dir.path();
    let mains = Mains::default();
    mains.sync_dir(dir).unwrap();
    mains.remember(dir);
    let disk = Ending::after(Arc::new(mains.clone()), draw(150) as u64);
    let is_done = forget_until(&disk, dir, &subject);
    mains.cut(dir, &mut draw);
    let new = segments_without(lived.path(), &lived.ids_of(&subject));
    if is_done {
        assert_eq!(segments_of(dir), new, "seed {seed}");
        lived.ids_of(&subject).iter().for_each(|id| check_nowhere(dir, id));
    }
    forget(dir, &subject);
    assert_eq!(segments_of(dir), new, "seed {seed}");
    lived.ids_of(&subject).iter().for_each(|id| check_nowhere(dir, id));
    is_done
}

#[test]
fn a_power_cut_at_any_change_is_finished_by_forgetting_again() {
    let lived = three_tenants();
    let before = files(lived.path());
    let n_done = (0..300).filter(|&seed| check_power_cut(seed, &lived, &before)).count();
    assert!(0 < n_done && n_done < 300, "{n_done} of 300 came to their end");
}
