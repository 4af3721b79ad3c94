//! The power fails at any instant, and what was not made durable stays or goes by the sector.

use std::{collections::BTreeMap, sync::Arc};

use super::{doubles::Mains, *};

/// Numbers that look random (Steele and others, *Fast Splittable Pseudorandom Number Generators*).
pub(super) fn draws(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ mixed >> 31) >> 1).unwrap() % below
    }
}

/// Lives through one or two power cuts; how many records the last one left.
#[track_caller]
fn check_seed(seed: u64) -> usize {
    let mut draw = draws(seed);
    let dir = TempDir::new().unwrap();
    let (mut written, mut durable, mut n_made) = (BTreeMap::new(), Vec::new(), 0);
    for _ in 0..=seed % 2 {
        let mains = Mains::default();
        mains.sync_dir(dir.path()).unwrap();
        mains.remember(dir.path());
        let storage = Arc::new(mains.clone());
        let (journal, recovery) = Journal::open_on(storage, dir.path(), small()).unwrap();
        assert_eq!(recovery.problems, [""; 0], "seed {seed}");
        for _ in 0..draw(12) {
            let objective = Some("x".repeat(draw(900)));
            let one = DecisionRecord { objective, ..decision(n_made) };
            n_made += 1;
            let position = journal.append_decision(&one).unwrap();
            written.insert(one.id.clone(), one);
            if draw(3) == 0 {
                journal.sync(position).unwrap();
                durable = written.keys().cloned().collect();
            }
            if draw(6) == 0 {
                journal.upkeep(START_MS);
            }
        }
        drop(journal);
        mains.cut(dir.path(), &mut draw);
        let (journal, _) = open_quietly(dir.path());
        drop(journal);
        let (records, _) = read_all(dir.path());
        let mut found = Vec::new();
        for record in records {
            let Record::Decision(one) = record else { panic!("an outcome") };
            assert_eq!(written.get(&one.id), Some(&*one), "seed {seed}");
            found.push(one.id);
        }
        assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "seed {seed}: out of order");
        let lost: Vec<_> = durable.iter().filter(|id| !found.contains(*id)).collect();
        assert_eq!(lost, [""; 0], "seed {seed}");
        written.retain(|id, _| found.contains(id));
        durable = found;
    }
    durable.len()
}

/// Opens on a disk where making things durable costs nothing.
fn open_quietly(dir: &Path) -> (Journal, Recovery) {
    Journal::open_on(Arc::new(super::doubles::Faulty::default()), dir, small()).unwrap()
}

#[test]
fn what_was_durable_survives_a_thousand_power_cuts() {
    let n_left: usize = (0..1000).map(check_seed).sum();
    println!("1000 seeds, {n_left} records left, none lost that was durable");
}
