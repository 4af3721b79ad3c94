//! Nothing goes wrong: writing, reading, one writer, rotation, retention, outcomes.

use super::*;
use std::{fs, sync::Barrier, thread};

#[test]
fn what_is_appended_is_read_in_its_order() {
    let dir = TempDir::new().unwrap();
    let (journal, recovery) = open(dir.path(), small());
    assert_eq!(recovery, Recovery::default());
    let mut expected = Vec::new();
    for n in 0..10 {
        journal.append_decision(&decision(n)).unwrap();
        expected.push(Record::Decision(Box::new(decision(n))));
        assert!(matches!(journal.append_outcome(&outcome(n)).unwrap(), Appended::New(_)));
        expected.push(Record::Outcome(Box::new(outcome(n))));
    }
    assert_eq!(read_all(dir.path()), (expected.clone(), Damage::default()));
    let state = journal.state();
    assert_eq!((state.n_records, state.n_appended, state.n_refused), (20, 20, 0));
    assert!(4 < state.n_segments, "{state:?}");
    journal.close().unwrap();
    let (journal, recovery) = open(dir.path(), small());
    assert_eq!((recovery.n_records, recovery.n_read_segments, recovery.warning()), (20, 0, None));
    assert_eq!(recovery.newest_id, crate::journal::uuid(&id(9)));
    drop(journal);
    assert_eq!(read_all(dir.path()), (expected, Damage::default()));
}

#[test]
fn a_reader_follows_a_writer() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(dir.path(), small());
    let mut reader = read(dir.path()).unwrap();
    for n in 0..20 {
        assert!(reader.next().is_none());
        journal.append_decision(&decision(n)).unwrap();
        let record = reader.next().unwrap().unwrap();
        assert_eq!(record, Record::Decision(Box::new(decision(n))));
    }
    assert!(4 < reader.segment());
    assert_eq!(reader.damage(), Damage::default());
}

#[test]
fn the_second_writer_is_refused_with_the_first_ones_process() {
    let dir = TempDir::new().unwrap();
    let (first, _) = open(dir.path(), small());
    let refused = Journal::open(dir.path(), small()).unwrap_err().to_string();
    let pid = std::process::id();
    let expected = format!(
        "the journal `{}` is being written by process {pid}; stop that one first, or name another folder",
        dir.path().display()
    );
    assert_eq!(refused, expected);
    drop(first);
    open(dir.path(), small());
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new().unwrap();
    let inside = dir.path().join("a/journal");
    let (journal, _) = open(&inside, small());
    journal.append_decision(&decision(0)).unwrap();
    journal.close().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inside), 0o700);
    for entry in fs::read_dir(&inside).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn outcomes_find_their_decision_and_each_other() {
    let dir = TempDir::new().unwrap();
    let (mut journal, _) = open(dir.path(), small());
    for n in 0..10 {
        journal.append_decision(&decision(n)).unwrap();
    }
    let graded = |value| {
        let mut graded = examples::minimal_outcome();
        (graded.decision_id, graded.status) = (id(3), crate::record::Status::Ok);
        graded.metrics = vec![crate::record::MetricRecord {
            name: "liked".to_owned(),
            value,
            source: None,
            scope: crate::record::Scope::Request,
        }];
        graded
    };
    let refused = |journal: &Journal, outcome: &OutcomeRecord| {
        journal.append_outcome(outcome).unwrap_err().to_string()
    };
    for is_reopened in [false, true] {
        if is_reopened {
            drop(journal);
            (journal, _) = open(dir.path(), small());
        }
        assert!(journal.has_decision(&id(3)) && !journal.has_decision("d-1"));
        assert_eq!(*journal.decision(&id(3)).unwrap(), decision(3));
        assert_eq!(
            refused(&journal, &OutcomeRecord { decision_id: "d-1".to_owned(), ..outcome(3) }),
            "decision `d-1` is not in the journal; it was never made here, or was removed with age"
        );
        let is_new = |appended| matches!(appended, Appended::New(_));
        let append = |outcome: &_| is_new(journal.append_outcome(outcome).unwrap());
        assert_eq!(append(&outcome(3)), !is_reopened);
        assert!(!append(&OutcomeRecord { ts_ms: 5, ..outcome(3) }));
        assert_eq!(append(&graded(1.0)), !is_reopened);
        assert_eq!(
            refused(&journal, &OutcomeRecord { latency_ms: Some(1.0), ..outcome(3) }),
            format!(
                "decision `{}` has an outcome whose latency_ms is another; what was said first stays",
                id(3)
            )
        );
        assert!(refused(&journal, &graded(0.0)).contains("metrics[liked]"));
    }
    assert_eq!(read_all(dir.path()).0.len(), 12);
}

#[test]
fn what_no_reader_would_take_is_refused() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(dir.path(), small());
    let mut wrong = decision(0);
    wrong.drawn = "none".to_owned();
    assert!(matches!(journal.append_decision(&wrong), Err(AppendError::Record(_))));
    let mut long = decision(0);
    long.objective = Some("x".repeat(16 << 20));
    assert!(matches!(journal.append_decision(&long), Err(AppendError::TooLong { .. })));
    for json in
        ["", "{}", "{\"v\":1}", "{\"v\":1,\n}", "{\"v\":1,\"kind\":\"decision\",\"id\":\"x\"}"]
    {
        let refused = journal.append_json(json.as_bytes());
        assert!(matches!(refused, Err(AppendError::NotARecord { .. })), "{json}");
    }
    let json = serde_json::to_vec(&Record::Decision(Box::new(decision(0)))).unwrap();
    journal.append_json(&json).unwrap();
    assert_eq!(read_ids(dir.path()), (ids(0..1), Damage::default()));
}

#[test]
fn many_threads_lose_nothing_while_segments_come_and_go() {
    const THREADS: u64 = 8;
    const EACH: u64 = 200;
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(dir.path(), Settings { segment_bytes: 20_000, ..Settings::default() });
    let together = Barrier::new(8);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (journal, together) = (&journal, &together);
            scope.spawn(move || {
                together.wait();
                for n in 0..EACH {
                    let position = journal.append_decision(&decision(thread * EACH + n)).unwrap();
                    if n % 20 == 0 {
                        journal.sync(position).unwrap();
                        assert_eq!(journal.upkeep(START_MS).problems, [""; 0]);
                    }
                }
            });
        }
    });
    let (mut found, damage) = read_ids(dir.path());
    found.sort_unstable();
    assert_eq!((found, damage), (ids(0..THREADS * EACH), Damage::default()));
}

#[test]
fn old_segments_go_whole_and_are_counted() {
    let dir = TempDir::new().unwrap();
    let settings = Settings { keep_bytes: Some(10_000), ..small() };
    let (journal, _) = open(dir.path(), settings.clone());
    for n in 0..30 {
        journal.append_decision(&decision(n)).unwrap();
        journal.upkeep(START_MS);
        assert!(journal.state().n_bytes <= 10_000);
    }
    let (found, damage) = read_ids(dir.path());
    let state = journal.state();
    let n_removed = state.n_removed_records;
    assert!(0 < n_removed);
    assert_eq!((found, damage), (ids(n_removed..30), Damage::default()));
    assert_eq!(state.n_records, 30 - n_removed);
    assert!(!journal.has_decision(&id(0)) && journal.has_decision(&id(29)));
    drop(journal);
    let aged = Settings { keep_age_ms: Some(1000), keep_bytes: None, ..settings };
    let (journal, recovery) = open(dir.path(), aged);
    assert_eq!(recovery.n_records, 30 - n_removed);
    assert_eq!(journal.upkeep(START_MS + 1000).n_removed_segments, 0);
    assert_eq!(journal.upkeep(START_MS + 1_000_000).n_removed_records, 30 - n_removed - 3);
    journal.append_decision(&decision(30)).unwrap();
    let (found, _) = read_ids(dir.path());
    assert_eq!(found, ids(27..31));
}

#[test]
fn a_segment_ends_with_age() {
    let dir = TempDir::new().unwrap();
    let settings = Settings { segment_age_ms: Some(1000), ..Settings::default() };
    let (journal, _) = open(dir.path(), settings);
    journal.append_decision(&decision(0)).unwrap();
    for (now_ms, n_segments) in [(0, 1), (START_MS + 999, 1), (START_MS + 1000, 2)] {
        journal.upkeep(now_ms);
        journal.append_decision(&decision(1)).unwrap();
        assert_eq!(journal.state().n_segments, n_segments, "{now_ms}");
    }
}

#[test]
fn settings_that_contradict_themselves_are_refused() {
    for settings in [
        Settings { segment_bytes: 0, ..Settings::default() },
        Settings { keep_bytes: Some(1), ..Settings::default() },
    ] {
        let dir = TempDir::new().unwrap();
        let refused = Journal::open(dir.path(), settings);
        assert!(matches!(refused, Err(OpenError::Settings(_))));
    }
}
