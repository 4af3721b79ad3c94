//! A journal as Parquet: one file per segment, each decision with all that is known of it.
//!
//! Outcomes come late, out of order, twice, and in parts; a segment's file is therefore written
//! anew whenever a later segment holds something about its decisions. A run that was cut off is
//! simply run again: files are written whole or not at all, and what has not changed is left as it
//! is. The file of a segment that is there and holds no decision any more, since all were forgotten,
//! goes; those of segments that went with age stay. Its weakness is memory: all outcomes of the
//! journal are held at once.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use pointsman_log::{
    journal::{self, Damage},
    record::{DecisionRecord, OutcomeRecord, Record},
};
use serde::{Deserialize, Serialize};

use crate::{
    error::DataError,
    hash::RowDigest,
    writer::{LogWriter, write_whole},
};

/// Which file says what the others were made from.
const NOTES: &str = "compacted.json";

/// How outcomes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactOptions {
    /// An outcome is late if it was known more than this after its decision.
    pub late_after_ms: u64,
}

impl Default for CompactOptions {
    /// Late is what comes after a day.
    fn default() -> Self {
        Self { late_after_ms: 24 * 60 * 60 * 1000 }
    }
}

/// What a journal was made into.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactSummary {
    /// Segments of the journal that hold decisions.
    pub n_segments: u64,
    /// Files that were written.
    pub n_written: u64,
    /// Files that were as they should be.
    pub n_unchanged: u64,
    /// Files that were removed, since their segments hold no decision any more.
    pub n_removed: u64,
    /// Decisions in all of them.
    pub n_decisions: u64,
    /// Decisions of which an outcome is known.
    pub n_with_outcome: u64,
    /// What the outcomes are.
    pub outcomes: OutcomeCounts,
    /// Lines that were not as they had been written, and were passed over.
    pub n_damaged_lines: u64,
    /// Segments that are missing between two that are there.
    pub n_missing_segments: u64,
}

/// Outcomes by what they are to the others; one may be several of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutcomeCounts {
    /// All outcome records.
    pub n_read: u64,
    /// Joined to a decision; all but the unknown and the repeated.
    pub n_joined: u64,
    /// Their decision is not in the journal; they are in no file.
    pub n_unknown: u64,
    /// They say what an earlier one said.
    pub n_repeated: u64,
    /// They say otherwise than an earlier one; the later in time counts, field by field.
    pub n_conflicting: u64,
    /// They stand before their decision.
    pub n_before_decision: u64,
    /// They were known before one that stands earlier.
    pub n_out_of_order: u64,
    /// They were known long after their decision.
    pub n_late: u64,
}

/// What is known of one decision.
#[derive(Default)]
struct Known {
    /// When it was made; `None` where it is not in the journal so far.
    ts_ms: Option<u64>,
    /// Ascending in time.
    outcomes: Vec<OutcomeRecord>,
    /// The time of the outcome that was read last.
    last_ms: u64,
}

/// What the files of an earlier run were made from, by segment.
#[derive(Default, Serialize, Deserialize)]
struct Notes {
    v: u32,
    segments: BTreeMap<u64, String>,
}

/// Makes the segments of a journal into flat Parquet logs in the folder `out`.
///
/// The journal stays as it is and may be written meanwhile; what is complete is taken. It is read
/// three times, and `on_decision` is called for each decision each time.
///
/// # Errors
/// [`DataError`] where there is no journal, a segment cannot be read or holds a record of another
/// version, or the folder or a file in it cannot be written.
pub fn compact(
    dir: &Path,
    out: &Path,
    options: CompactOptions,
    on_decision: &mut dyn FnMut(),
) -> Result<CompactSummary, DataError> {
    journal::check_journal(dir)?;
    let unwritable = |error: &dyn std::fmt::Display| DataError::Unwritable {
        path: out.to_path_buf(),
        reason: error.to_string(),
    };
    fs::create_dir_all(out).map_err(|error| unwritable(&error))?;
    let mut summary = CompactSummary::default();
    let known = known_outcomes(dir, options, &mut summary.outcomes, on_decision)?;

    let notes_path = out.join(NOTES);
    let old: Notes = fs::read(&notes_path)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let (segments, damage) = digests(dir, &known, &mut summary, on_decision)?;
    (summary.n_damaged_lines, summary.n_missing_segments) =
        (damage.n_lines, damage.n_missing_segments);
    let changed = |number: u64, digest: &String| {
        old.segments.get(&number) != Some(digest) || !parquet_path(out, number).exists()
    };
    let mut files = Files { out, known: &known, current: None };
    let stale: Vec<u64> = segments
        .iter()
        .filter(|(number, digest)| changed(**number, digest))
        .map(|(&number, _)| number)
        .collect();
    summary.n_segments = count(segments.len());
    summary.n_written = count(stale.len());
    summary.n_unchanged = summary.n_segments - summary.n_written;
    each_decision(dir, &mut |segment, decision| {
        on_decision();
        if stale.binary_search(&segment).is_ok() { files.push(segment, decision) } else { Ok(()) }
    })?;
    files.finish()?;
    let decided_nothing = without_decisions(dir, &segments)?;
    // What an earlier run made of segments that are gone from the journal stays known.
    let mut notes = Notes { v: 1, segments: old.segments };
    notes.segments.extend(segments);
    for number in decided_nothing {
        notes.segments.remove(&number);
        summary.n_removed += u64::from(remove_if_there(&parquet_path(out, number))?);
    }
    let bytes = serde_json::to_vec_pretty(&notes).map_err(|error| unwritable(&error))?;
    if fs::read(&notes_path).ok().as_deref() != Some(&bytes) {
        write_whole(&notes_path, &bytes)?;
    }
    Ok(summary)
}

/// The segments that are there and hold no decision, as after all of theirs were forgotten.
fn without_decisions(dir: &Path, with: &BTreeMap<u64, String>) -> Result<Vec<u64>, DataError> {
    let unreadable = |source| DataError::Unreadable { path: dir.to_path_buf(), source };
    let mut numbers = journal::segment_numbers(dir).map_err(unreadable)?;
    numbers.retain(|number| !with.contains_key(number));
    Ok(numbers)
}

/// Removes a file; whether it was there.
fn remove_if_there(path: &Path) -> Result<bool, DataError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => {
            Err(DataError::Unwritable { path: path.to_path_buf(), reason: error.to_string() })
        }
    }
}

/// The file that a segment becomes.
fn parquet_path(out: &Path, segment: u64) -> PathBuf {
    out.join(format!("journal-{segment:08}.parquet"))
}

/// Reads all outcomes, and counts what they are to each other and to their decisions.
fn known_outcomes(
    dir: &Path,
    options: CompactOptions,
    counts: &mut OutcomeCounts,
    on_decision: &mut dyn FnMut(),
) -> Result<HashMap<String, Known>, DataError> {
    let mut known: HashMap<String, Known> = HashMap::new();
    each_record(dir, &mut |_, record| {
        match record {
            Record::Decision(decision) => {
                on_decision();
                let one = known.entry(decision.id).or_default();
                if one.ts_ms.is_none() {
                    one.ts_ms = Some(decision.ts_ms);
                    let n_waiting = count(one.outcomes.len());
                    let n_late = one.outcomes.iter().filter(|outcome| {
                        options.late_after_ms < outcome.ts_ms.saturating_sub(decision.ts_ms)
                    });
                    counts.n_late += count(n_late.count());
                    counts.n_before_decision += n_waiting;
                    counts.n_joined += n_waiting;
                    counts.n_unknown -= n_waiting;
                }
            }
            Record::Outcome(outcome) => {
                let one = known.entry(outcome.decision_id.clone()).or_default();
                one.add(*outcome, options, counts);
            }
        }
        Ok(())
    })?;
    Ok(known)
}

impl Known {
    fn add(&mut self, outcome: OutcomeRecord, options: CompactOptions, counts: &mut OutcomeCounts) {
        counts.n_read += 1;
        if self.outcomes.iter().any(|earlier| earlier.says_as(&outcome)) {
            counts.n_repeated += 1;
            return;
        }
        let is_conflict = self.outcomes.iter().any(|one| one.contradicts(&outcome).is_some());
        counts.n_conflicting += u64::from(is_conflict);
        counts.n_out_of_order += u64::from(outcome.ts_ms < self.last_ms);
        match self.ts_ms {
            Some(ts_ms) => {
                let is_late = options.late_after_ms < outcome.ts_ms.saturating_sub(ts_ms);
                counts.n_late += u64::from(is_late);
                counts.n_joined += 1;
            }
            None => counts.n_unknown += 1,
        }
        self.last_ms = outcome.ts_ms;
        let place = self.outcomes.partition_point(|earlier| earlier.ts_ms <= outcome.ts_ms);
        self.outcomes.insert(place, outcome);
    }

    /// All outcomes in one.
    fn joined(&self) -> Option<OutcomeRecord> {
        self.outcomes.iter().cloned().reduce(OutcomeRecord::completed_by)
    }
}

/// Per segment with decisions, a digest of all that its file is made from.
fn digests(
    dir: &Path,
    known: &HashMap<String, Known>,
    summary: &mut CompactSummary,
    on_decision: &mut dyn FnMut(),
) -> Result<(BTreeMap<u64, String>, Damage), DataError> {
    let mut digests: BTreeMap<u64, RowDigest> = BTreeMap::new();
    let damage = each_decision(dir, &mut |segment, decision| {
        on_decision();
        let outcome = known.get(&decision.id).and_then(Known::joined);
        summary.n_decisions += 1;
        summary.n_with_outcome += u64::from(outcome.is_some());
        let json = serde_json::to_string(&(&decision, &outcome)).map_err(|error| {
            DataError::Record { path: dir.to_path_buf(), reason: error.to_string() }
        })?;
        digests.entry(segment).or_insert_with(RowDigest::new).text(&json);
        Ok(())
    })?;
    Ok((digests.into_iter().map(|(number, digest)| (number, digest.hex())).collect(), damage))
}

/// The Parquet files in the making, one after the other.
struct Files<'a> {
    out: &'a Path,
    known: &'a HashMap<String, Known>,
    current: Option<(u64, LogWriter)>,
}

impl Files<'_> {
    fn push(&mut self, segment: u64, decision: DecisionRecord) -> Result<(), DataError> {
        if self.current.as_ref().is_none_or(|(current, _)| *current != segment) {
            let writer = LogWriter::create(&parquet_path(self.out, segment))?;
            if let Some((_, done)) = self.current.replace((segment, writer)) {
                done.finish()?;
            }
        }
        let outcome = self.known.get(&decision.id).and_then(Known::joined);
        match &mut self.current {
            Some((_, writer)) => writer.write(decision, outcome),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<(), DataError> {
        self.current.map_or(Ok(()), |(_, writer)| writer.finish())
    }
}

fn each_decision(
    dir: &Path,
    on_decision: &mut dyn FnMut(u64, DecisionRecord) -> Result<(), DataError>,
) -> Result<Damage, DataError> {
    each_record(dir, &mut |segment, record| match record {
        Record::Decision(decision) => on_decision(segment, *decision),
        Record::Outcome(_) => Ok(()),
    })
}

fn each_record(
    dir: &Path,
    on_record: &mut dyn FnMut(u64, Record) -> Result<(), DataError>,
) -> Result<Damage, DataError> {
    let unreadable = |source| DataError::Unreadable { path: dir.to_path_buf(), source };
    let mut reader = journal::read(dir).map_err(unreadable)?;
    while let Some(record) = reader.next() {
        let record = record.map_err(|error| DataError::Record {
            path: dir.to_path_buf(),
            reason: error.to_string(),
        })?;
        on_record(reader.segment(), record)?;
    }
    Ok(reader.damage())
}

/// A length in memory as a count.
fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
