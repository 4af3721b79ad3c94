//! Candidates of decisions that name only the model that was drawn.
//!
//! A gateway writes down which model answered and not which ones could have. The log shows it for
//! them: a model counts as in use from its first to its last decision, among the decisions with the
//! same value of one tag. Decisions that came to nothing count as well, since a model was drawn all
//! the same. Weakness: a model that had been there before its first decision, or stayed after its
//! last, is missed there, and one that was switched off in between is not.

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

/// From when to when a model was drawn, both included.
type Span = (u64, u64);

/// When which model was drawn, by value of the tag.
#[derive(Debug, Default)]
pub(super) struct InUse {
    pools: BTreeMap<Option<String>, usize>,
    /// By pool, the models in the order of their indices.
    spans: Vec<BTreeMap<u16, Span>>,
    /// Rows whose candidates are to be found here, ascending.
    rows: Vec<(usize, usize)>,
}

impl InUse {
    /// A model was drawn at a time, zero where that is unknown; the pool that it was drawn from.
    pub(super) fn drawn(&mut self, tag: Option<&str>, model: u16, ts_ms: u64) -> usize {
        let n_pools = self.pools.len();
        let pool = *self.pools.entry(tag.map(str::to_owned)).or_insert(n_pools);
        if pool == self.spans.len() {
            self.spans.push(BTreeMap::new());
        }
        // Who does not say when may have been there all the time.
        let seen = if ts_ms == 0 { (0, u64::MAX) } else { (ts_ms, ts_ms) };
        if let Some(models) = self.spans.get_mut(pool) {
            let span = models.entry(model).or_insert(seen);
            *span = (span.0.min(seen.0), span.1.max(seen.1));
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

    /// Gives each row that takes its candidates from a pool an even propensity; one of one has no
    /// choice, and counts as deterministic.
    pub(super) fn settle(&self, rows: &mut [LoggedRow]) -> ModelsInUse {
        let mut found = ModelsInUse { n_pools: self.n_pools(), ..ModelsInUse::default() };
        for &(at, pool) in &self.rows {
            let Some(row) = rows.get_mut(at) else { continue };
            let n_candidates = self.candidates(pool, row.ts_ms).len().max(1);
            row.propensity = 1.0 / len_as_float(n_candidates);
            found.n_rows += 1;
            if n_candidates == 1 {
                row.propensity_kind = PropensityKind::Deterministic;
                found.n_alone += 1;
            }
        }
        found
    }

    /// How many pools usable rows take their candidates from.
    fn n_pools(&self) -> usize {
        let mut used: Vec<usize> = self.rows.iter().map(|(_, pool)| *pool).collect();
        used.sort_unstable();
        used.dedup();
        used.len()
    }

    /// The models of a pool that were in use at a time; all of them where that is unknown.
    pub(super) fn candidates(&self, pool: usize, ts_ms: u64) -> Vec<u16> {
        let Some(models) = self.spans.get(pool) else { return Vec::new() };
        let is_in_use = |(first, last): Span| ts_ms == 0 || (first..=last).contains(&ts_ms);
        models.iter().filter(|(_, span)| is_in_use(**span)).map(|(model, _)| *model).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(drawn: &[(Option<&str>, u16, u64)], pool: usize, ts_ms: u64, expected: &[u16]) {
        let mut in_use = InUse::default();
        for (tag, model, ts_ms) in drawn {
            in_use.drawn(*tag, *model, *ts_ms);
        }
        assert_eq!(in_use.candidates(pool, ts_ms), expected, "{pool} at {ts_ms}");
    }

    #[test]
    fn a_model_is_in_use_from_its_first_to_its_last_decision() {
        let drawn = [(None, 0, 10), (None, 1, 20), (None, 0, 30), (None, 1, 25), (None, 2, 40)];
        check(&drawn, 0, 10, &[0]);
        check(&drawn, 0, 20, &[0, 1]);
        check(&drawn, 0, 25, &[0, 1]);
        check(&drawn, 0, 26, &[0]);
        check(&drawn, 0, 40, &[2]);
        check(&drawn, 0, 0, &[0, 1, 2]);
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
        check(&drawn, 0, 10, &[0, 1]);
        check(&drawn, 0, 0, &[0, 1, 2]);
    }
}
