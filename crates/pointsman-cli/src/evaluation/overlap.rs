//! How a policy's choices overlap with what was logged: counts that a report draws.
//!
//! Bins are powers of two for weights and tenths for probabilities: fixed beforehand, so that two
//! reports can be laid side by side.

use crate::report::{Overlap, ProbabilityCell, WeightBin};
use pointsman_eval::rounds::LoggedRounds;
use std::collections::BTreeMap;

/// Weights are told apart from 2⁻¹⁰ to 2¹⁰.
const LARGEST_POWER: i32 = 10;

const TENTHS: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// Counts the rows of one policy.
pub(super) fn overlap(policy: &str, rounds: &LoggedRounds) -> Overlap {
    let edges: Vec<f64> =
        (-LARGEST_POWER..=LARGEST_POWER).map(|power| f64::from(power).exp2()).collect();
    let mut counts = vec![0_usize; edges.len() + 1];
    let mut cells: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let mut n_zero = 0;
    for (&weight, &target) in rounds.weight().iter().zip(rounds.target()) {
        if weight == 0.0 {
            n_zero += 1;
            continue;
        }
        counts[edges.partition_point(|edge| *edge < weight)] += 1;
        let tenth = |share: f64| TENTHS.partition_point(|edge| *edge < share);
        *cells.entry((tenth(target / weight), tenth(target))).or_default() += 1;
    }
    let bin = |(place, &n_rows): (usize, &usize)| WeightBin {
        above: place.checked_sub(1).and_then(|before| edges.get(before)).copied().unwrap_or(0.0),
        up_to: edges.get(place).copied(),
        n_rows,
    };
    let cell = |((logged_tenth, target_tenth), n_rows)| ProbabilityCell {
        logged_tenth,
        target_tenth,
        n_rows,
    };
    Overlap {
        policy: policy.to_owned(),
        n_rows: rounds.n_rows(),
        n_zero_weights: n_zero,
        weights: between_ends(counts.iter().enumerate().map(bin).collect()),
        cells: cells.into_iter().map(cell).collect(),
    }
}

/// Without the empty bins at both ends.
fn between_ends(bins: Vec<WeightBin>) -> Vec<WeightBin> {
    let is_full = |bin: &WeightBin| 0 < bin.n_rows;
    let first = bins.iter().position(is_full).unwrap_or(bins.len());
    let last = bins.iter().rposition(is_full).map_or(0, |last| last + 1);
    bins.into_iter().take(last).skip(first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_eval::rounds::RoundColumns;

    /// Weights 0, 1/2, 1 and 2 once each, and 4096 beyond the last edge.
    #[test]
    fn every_row_is_counted_once() {
        let rounds = LoggedRounds::new(RoundColumns {
            propensity: vec![0.5, 0.5, 0.5, 0.5, 1.0 / 4096.0],
            target: vec![0.0, 0.25, 0.5, 1.0, 1.0],
            reward: vec![0.0; 5],
            ..RoundColumns::default()
        })
        .unwrap();
        let found = overlap("policy", &rounds);
        assert_eq!((found.n_rows, found.n_zero_weights), (5, 1));
        let counts: Vec<usize> = found.weights.iter().map(|bin| bin.n_rows).collect();
        assert_eq!(counts, [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((found.weights[0].above, found.weights[0].up_to), (0.25, Some(0.5)));
        assert_eq!(found.weights.last().unwrap().up_to, None);
        let n_in_cells: usize = found.cells.iter().map(|cell| cell.n_rows).sum();
        assert_eq!(n_in_cells + found.n_zero_weights, found.n_rows);
        let cell = ProbabilityCell { logged_tenth: 4, target_tenth: 9, n_rows: 1 };
        assert!(found.cells.contains(&cell), "{found:?}");
    }
}
