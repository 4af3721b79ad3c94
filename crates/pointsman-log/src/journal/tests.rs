//! A journal in a folder of its own, written, damaged and read again.

mod basics;
mod damage;
mod doubles;
mod failures;
mod forgetting;
mod fuzz;
mod golden;
mod kill;
mod power;

use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::{
    examples,
    record::{DecisionRecord, OutcomeRecord, Record},
};

/// The time of the first decision, in milliseconds since 1970 UTC.
const START_MS: u64 = 1_767_225_600_000;

/// The id of the `n`th decision, in the form in which ids are made.
pub(super) fn id(n: u64) -> String {
    format!("{:08x}-{:04x}-7000-8000-{n:012x}", (START_MS + n) >> 16, (START_MS + n) & 0xFFFF)
}

fn decision(n: u64) -> DecisionRecord {
    DecisionRecord { id: id(n), ts_ms: START_MS + n, ..examples::full_decision() }
}

fn outcome(n: u64) -> OutcomeRecord {
    OutcomeRecord { decision_id: id(n), ts_ms: START_MS + n, ..examples::full_outcome() }
}

/// Segments so small that three decisions fill one.
fn small() -> Settings {
    Settings { segment_bytes: 3000, ..Settings::default() }
}

#[track_caller]
fn open(dir: &Path, settings: Settings) -> (Journal, Recovery) {
    Journal::open(dir, settings).unwrap()
}

/// A journal of one segment with `n` decisions, as the bytes of that segment.
fn segment_of(decisions: &[DecisionRecord]) -> Vec<u8> {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(dir.path(), Settings::default());
    for decision in decisions {
        journal.append_decision(decision).unwrap();
    }
    std::fs::read(segments::segment_path(dir.path(), 1)).unwrap()
}

/// All records, and what was passed over.
#[track_caller]
fn read_all(dir: &Path) -> (Vec<Record>, Damage) {
    let mut reader = read(dir).unwrap();
    let records = reader.by_ref().collect::<Result<_, _>>().unwrap();
    (records, reader.damage())
}

/// The ids of all decisions, and what was passed over.
#[track_caller]
fn read_ids(dir: &Path) -> (Vec<String>, Damage) {
    let (records, damage) = read_all(dir);
    let id = |record| match record {
        Record::Decision(decision) => decision.id,
        Record::Outcome(outcome) => panic!("an outcome of {}", outcome.decision_id),
    };
    (records.into_iter().map(id).collect(), damage)
}

fn ids(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(id).collect()
}
