//! Which decisions have been seen, and what is known of each: in bounded memory, by hashes of their ids.
//!
//! A hash has 128 bits, so that two ids share one with a chance below 10⁻²² among ten million. What
//! comes after the table is full is kept, and counted as not looked up; nothing is let go to make
//! room, so that the result does not depend on when a run was cut off.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use crate::survey::Known as Counts;

/// The most ids that are kept: about 700 MB while the table grows.
const MAX_IDS: usize = 14_000_000;

/// What is known of a decision, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Marks(u8);

impl Marks {
    /// The decision itself.
    const DECIDED: Self = Self(1);
    pub(crate) const QUALITY: Self = Self(2);
    pub(crate) const COST: Self = Self(4);
    pub(crate) const LATENCY: Self = Self(8);
    pub(crate) const TOKENS: Self = Self(16);
    /// Any measure, under whatever name.
    pub(crate) const MEASURED: Self = Self(32);

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// The 128-bit hash of an id.
pub(crate) type IdHash = [u64; 2];

/// The hash of `text`, the same everywhere and in every version.
pub(crate) fn hash(text: &str) -> IdHash {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let word = |skip: usize| {
        digest.iter().skip(skip).take(8).fold(0_u64, |word, &byte| word << 8 | u64::from(byte))
    };
    [word(0), word(8)]
}

/// All decisions seen so far, and outcomes that came before theirs.
#[derive(Debug)]
pub(crate) struct Ids {
    marks: HashMap<IdHash, Marks>,
    most: usize,
    /// How many decisions have what.
    pub(crate) counts: Counts,
}

impl Default for Ids {
    fn default() -> Self {
        Self { marks: HashMap::new(), most: MAX_IDS, counts: Counts::default() }
    }
}

impl Ids {
    /// Whether the decision of that id has been seen, and what is known of it.
    pub(crate) fn decided(&self, id: &str) -> Option<Marks> {
        self.marks.get(&hash(id)).copied().filter(|marks| marks.has(Marks::DECIDED))
    }

    /// Takes note of a new decision, of which `marks` is known at once.
    pub(crate) fn decision(&mut self, id: &str, marks: Marks) {
        let marks = marks.with(Marks::DECIDED);
        let id = hash(id);
        let had = self.marks.get(&id).copied();
        if had.is_none() && self.most <= self.marks.len() {
            self.counts.n_unchecked += 1;
        } else {
            self.marks.insert(id, had.unwrap_or_default().with(marks));
        }
        self.counts.n_orphans -= u64::from(had.is_some());
        self.counts.add(marks.with(had.unwrap_or_default()));
    }

    /// Takes note of an outcome that says `marks` of a decision.
    pub(crate) fn outcome(&mut self, id: &str, marks: Marks) {
        let id = hash(id);
        let has_room = self.marks.len() < self.most;
        match self.marks.get_mut(&id) {
            Some(had) => {
                if had.has(Marks::DECIDED) {
                    self.counts.add(marks.without(*had));
                }
                *had = had.with(marks);
            }
            None if has_room => {
                self.counts.n_orphans += 1;
                self.marks.insert(id, marks);
            }
            None => self.counts.n_unchecked += 1,
        }
    }
}

impl Counts {
    /// Counts each of `marks` once.
    fn add(&mut self, marks: Marks) {
        let Self { n_decisions, n_quality, n_cost, n_latency, n_tokens, n_measured, .. } = self;
        let counts = [
            (Marks::DECIDED, n_decisions),
            (Marks::QUALITY, n_quality),
            (Marks::COST, n_cost),
            (Marks::LATENCY, n_latency),
            (Marks::TOKENS, n_tokens),
            (Marks::MEASURED, n_measured),
        ];
        for (mark, n) in counts {
            *n += u64::from(marks.has(mark));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_counted_once_in_any_order() {
        let mut ids = Ids::default();
        ids.outcome("b", Marks::QUALITY.with(Marks::MEASURED));
        assert_eq!((ids.counts.n_orphans, ids.counts.n_quality), (1, 0));
        ids.decision("a", Marks::COST);
        ids.decision("b", Marks::COST);
        ids.outcome("a", Marks::QUALITY);
        ids.outcome("a", Marks::QUALITY);
        ids.outcome("c", Marks::QUALITY);
        let Counts { n_decisions, n_quality, n_cost, n_orphans, n_measured, .. } = ids.counts;
        assert_eq!((n_decisions, n_quality, n_cost, n_orphans, n_measured), (2, 2, 2, 1, 1));
        assert!(ids.decided("a").is_some_and(|marks| marks.has(Marks::QUALITY)));
        assert_eq!(ids.decided("c"), None);
    }

    #[test]
    fn a_full_table_forgets_nothing_and_says_what_it_missed() {
        let mut ids = Ids { most: 1, ..Ids::default() };
        ids.decision("a", Marks::default());
        ids.decision("b", Marks::COST);
        ids.outcome("b", Marks::QUALITY);
        assert!(ids.decided("a").is_some() && ids.decided("b").is_none());
        assert_eq!((ids.counts.n_decisions, ids.counts.n_cost, ids.counts.n_unchecked), (2, 1, 2));
    }
}
