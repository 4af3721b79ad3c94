//! Candidates of decisions that name only the model that was drawn.
//!
//! A gateway writes down which model answered and not which ones could have. The log shows it for
//! them: a model counts as in use from its first to its last decision, among the decisions with the
//! same value of one tag. Where the log begins or ends no more decisions away than the model had
//! been absent for in between, it counts as in use there too, since that absence shows nothing.
//! Decisions that came to nothing count as well, since a model was drawn all the same. Weakness: a
//! model that was switched off for a while in between is not missed.

use std::collections::BTreeMap;

use pointsman_core::units::len_as_float;
use pointsman_log::record::PropensityKind;

use super::LoggedRow;

/// What is known of decisions that name only the model that was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModelsInUse {
    /// Usable decisions whose candidates are the models that were in use.
    pub n_rows: u64,
    /// Those among them for which that was one model alone: nothing else could have been drawn, so
    /// that they count as deterministic.
    pub n_alone: u64,
    /// Values of the tag, with "none" as one, that have candidates of their own.
    pub n_pools: usize,
}

/// Which model was drawn when, by value of the tag.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    pools: BTreeMap<Option<String>, usize>,
    /// By pool, times and models in the order of the files.
    decisions: Vec<Vec<(u64, u16)>>,
    /// Usable rows with their pools, ascending.
    rows: Vec<(usize, usize)>,
}

/// When each model was in use, both ends included; by pool, the models ascending.
#[derive(Debug)]
pub(super) struct InUse(Vec<BTreeMap<u16, (u64, u64)>>);

impl Drawn {
    /// A model was drawn at a time, zero where that is unknown; the pool that it was drawn from.
    pub(super) fn add(&mut self, tag: Option<&str>, model: u16, ts_ms: u64) -> usize {
        let n_pools = self.pools.len();
        let pool = *self.pools.entry(tag.map(str::to_owned)).or_insert(n_pools);
        if pool == self.decisions.len() {
            self.decisions.push(Vec::new());
        }
        if let Some(decisions) = self.decisions.get_mut(pool) {
            decisions.push((ts_ms, model));
        }
        pool
    }

    /// A usable row takes its candidates from a pool.
    pub(super) fn add_row(&mut self, row: usize, pool: usize) {
        self.rows.push((row, pool));
    }

    /// The rows with their pools, ascending.
    pub(super) fn rows(&self) -> &[(usize, usize)] {
        &self.rows
    }

    /// When each model was in use.
    pub(super) fn in_use(&self) -> InUse {
        InUse(self.decisions.iter().map(|decisions| spans(decisions)).collect())
    }

    /// Gives each row that takes its candidates from a pool an even propensity; one of one has no
    /// choice, and counts as deterministic.
    pub(super) fn settle(&self, in_use: &InUse, rows: &mut [LoggedRow]) -> ModelsInUse {
        let mut pools: Vec<usize> = self.rows.iter().map(|(_, pool)| *pool).collect();
        pools.sort_unstable();
        pools.dedup();
        let mut found = ModelsInUse { n_pools: pools.len(), ..ModelsInUse::default() };
        for &(at, pool) in &self.rows {
            let Some(row) = rows.get_mut(at) else { continue };
            let n_candidates = in_use.candidates(pool, row.ts_ms).len().max(1);
            row.propensity = 1.0 / len_as_float(n_candidates);
            found.n_rows += 1;
            if n_candidates == 1 {
                row.propensity_kind = PropensityKind::Deterministic;
                found.n_alone += 1;
            }
        }
        found
    }
}

impl InUse {
    /// The models of a pool that were in use at a time; all of them where that is unknown.
    pub(super) fn candidates(&self, pool: usize, ts_ms: u64) -> Vec<u16> {
        let Some(models) = self.0.get(pool) else { return Vec::new() };
        let is_in_use = |(first, last): (u64, u64)| ts_ms == 0 || (first..=last).contains(&ts_ms);
        models.iter().filter(|(_, span)| is_in_use(**span)).map(|(model, _)| *model).collect()
    }
}

/// What is seen of one model on the way through a pool.
struct Seen {
    /// Its first and its latest decision, by place and time.
    first: (usize, u64),
    last: (usize, u64),
    /// The most decisions of others between two of its own.
    longest_absence: usize,
}

/// From when to when each model of a pool was in use.
fn spans(decisions: &[(u64, u16)]) -> BTreeMap<u16, (u64, u64)> {
    let mut sorted = decisions.to_vec();
    // Equal times stay as they stood; a time that is unknown comes first.
    sorted.sort_by_key(|(ts_ms, _)| *ts_ms);
    let mut models: BTreeMap<u16, Seen> = BTreeMap::new();
    for (place, &(ts_ms, model)) in sorted.iter().enumerate() {
        let here = (place, ts_ms);
        let seen =
            models.entry(model).or_insert(Seen { first: here, last: here, longest_absence: 0 });
        let absence = place.saturating_sub(seen.last.0 + 1);
        seen.longest_absence = seen.longest_absence.max(absence);
        seen.last = here;
    }
    let is_timeless = sorted.first().is_some_and(|(ts_ms, _)| *ts_ms == 0);
    let span = |(model, seen): (u16, Seen)| {
        let Seen { first, last, longest_absence } = seen;
        let n_after = sorted.len() - 1 - last.0;
        // Where some do not say when they were made, nothing shows who was there when.
        let from = if is_timeless || first.0 <= longest_absence { 0 } else { first.1 };
        let to = if is_timeless || n_after <= longest_absence { u64::MAX } else { last.1 };
        (model, (from, to))
    };
    models.into_iter().map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(drawn: &[(Option<&str>, u16, u64)], pool: usize, ts_ms: u64, expected: &[u16]) {
        let mut all = Drawn::default();
        for (tag, model, ts_ms) in drawn {
            all.add(*tag, *model, *ts_ms);
        }
        assert_eq!(all.in_use().candidates(pool, ts_ms), expected, "{pool} at {ts_ms}");
    }

    /// Model 1 comes at 20, goes at 40, and is absent for one decision in between; model 0 is there
    /// all the time, and was absent at the end for no longer than before.
    #[test]
    fn a_model_is_in_use_from_its_first_to_its_last_decision() {
        let model = |model, times: &[u64]| -> Vec<(Option<&'static str>, u16, u64)> {
            times.iter().map(|ts_ms| (None, model, *ts_ms)).collect()
        };
        let (zero, one) = (model(0, &[10, 12, 30, 50, 52]), model(1, &[20, 40]));
        let mut drawn = [zero, one, model(2, &[53])].concat();
        check(&drawn, 0, 10, &[0]);
        check(&drawn, 0, 20, &[0, 1]);
        check(&drawn, 0, 31, &[0, 1]);
        check(&drawn, 0, 40, &[0, 1]);
        check(&drawn, 0, 41, &[0]);
        check(&drawn, 0, 53, &[0, 2]);
        check(&drawn, 0, 0, &[0, 1, 2]);
        drawn.reverse();
        check(&drawn, 0, 31, &[0, 1]);
    }

    #[test]
    fn values_of_the_tag_have_models_of_their_own() {
        let drawn = [(Some("a"), 0, 10), (Some("b"), 1, 10), (None, 2, 10), (Some("a"), 1, 10)];
        check(&drawn, 0, 10, &[0, 1]);
        check(&drawn, 1, 10, &[1]);
        check(&drawn, 2, 10, &[2]);
    }

    #[test]
    fn without_times_a_model_is_there_all_the_time() {
        let drawn = [(None, 0, 0), (None, 1, 10), (None, 2, 20)];
        check(&drawn, 0, 10, &[0, 1, 2]);
        check(&drawn, 0, 0, &[0, 1, 2]);
    }
}
