//! Learning from some groups of rows to predict the others.
//!
//! What is said of a row must not have been learned from it, nor from a row of its group: one
//! conversation, or equal prompts. So groups are divided into parts, and each part is predicted by
//! what was learned from the others. Weakness: every fit has fewer rows than there are.

use anyhow::Result;
use pointsman_core::{scorer::Scorer, units::as_float};
use pointsman_data::keyed_draw;
use pointsman_train::{
    design::Design,
    outcomes::Outcomes,
    train::{Regularisation, TrainConfig, TrainingSet, train},
};

/// The strength of the regularisation, in the middle of those that learning uses.
const STRENGTH: f64 = 30.0;

/// The seed of a fit, which holds nothing out.
const SEED: u64 = 1;

/// Which part each row is in; all rows of a group are in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    of_row: Vec<u64>,
}

impl Parts {
    /// Divides groups by what is left of their numbers.
    pub(crate) fn by_remainder(groups: &[u64], n_parts: u64) -> Self {
        Self { of_row: groups.iter().map(|group| group % n_parts.max(1)).collect() }
    }

    /// Divides groups by lot: the same seed gives the same parts, in whatever order rows come.
    pub(crate) fn drawn(groups: &[u64], n_parts: u64, seed: u64) -> Self {
        let ends: Vec<f64> = (1..n_parts).map(|part| as_float(part) / as_float(n_parts)).collect();
        let part = |group: &u64| {
            let draw = keyed_draw(seed, &format!("{group:016x}"));
            ends.partition_point(|end| *end <= draw) as u64
        };
        Self { of_row: groups.iter().map(part).collect() }
    }

    /// The part of one row.
    pub(crate) fn of(&self, row: usize) -> u64 {
        self.of_row[row]
    }

    /// Those of some rows that are in a part.
    pub(crate) fn within(&self, part: u64, rows: &[usize]) -> Vec<usize> {
        rows.iter().copied().filter(|&row| self.of(row) == part).collect()
    }

    /// Those of some rows that are in the others.
    pub(crate) fn outside(&self, part: u64, rows: &[usize]) -> Vec<usize> {
        rows.iter().copied().filter(|&row| self.of(row) != part).collect()
    }
}

/// Learns from some rows of a design, ascending, by the trainer's ridge regression.
pub(crate) fn fit(
    (design, outcomes, groups): (&Design, &Outcomes, &[u64]),
    rows: &[usize],
) -> Result<Scorer> {
    let rows: Vec<u32> = rows.iter().map(|&row| u32::try_from(row)).collect::<Result<_, _>>()?;
    let input_tokens = vec![None; groups.len()];
    let set = TrainingSet { design, outcomes, groups, input_tokens: &input_tokens, rows: &rows };
    let config = TrainConfig::new(SEED, Regularisation::Fixed(STRENGTH))?;
    let trained = train(&set, &config, &|_| ())?;
    Ok(Scorer::new(trained.parts)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every row is in one part, with its whole group; whatever is learned from the others has
        /// seen nothing of the group.
        #[test]
        fn groups_are_never_divided(
            groups in prop::collection::vec(0..40_u64, 1..200),
            n_parts in 2..9_u64,
            seed in 0..4_u64,
        ) {
            let rows: Vec<usize> = (0..groups.len()).collect();
            for parts in [Parts::drawn(&groups, n_parts, seed), Parts::by_remainder(&groups, n_parts)] {
                let mut n_tested = 0;
                for part in 0..n_parts {
                    let (tested, learned) = (parts.within(part, &rows), parts.outside(part, &rows));
                    n_tested += tested.len();
                    prop_assert_eq!(tested.len() + learned.len(), rows.len());
                    for &row in &tested {
                        prop_assert!(learned.iter().all(|&other| groups[other] != groups[row]));
                    }
                }
                prop_assert_eq!(n_tested, rows.len());
            }
        }
    }

    #[test]
    fn parts_are_about_alike_and_go_by_the_seed() {
        let groups: Vec<u64> = (0..5000).collect();
        let parts = Parts::drawn(&groups, 5, 0);
        let rows: Vec<usize> = (0..5000).collect();
        for part in 0..5 {
            let n = parts.within(part, &rows).len();
            assert!((850..1150).contains(&n), "part {part} has {n}");
        }
        assert_eq!(parts, Parts::drawn(&groups, 5, 0));
        assert_ne!(parts, Parts::drawn(&groups, 5, 1));
    }
}
