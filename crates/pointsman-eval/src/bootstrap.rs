//! The Poisson bootstrap of a mean or a ratio, over buckets of rows keyed by their ids.
//!
//! Every resample counts each bucket a Poisson number of times, drawn from the seed, the resample
//! and the bucket alone: partitions add their buckets in any arrangement and get the same draws.
//! Numerator and denominator are counted together, so a self-normalised value keeps its random
//! denominator. Rows share buckets once there are many, which changes nothing that matters above
//! some thousands of buckets. Weakness: a row that is not in the sample is in no resample, so rare
//! heavy rows are missed as by every bootstrap; one unit of a bucket must not depend on another,
//! so the turns of a conversation should have one id.
//!
//! Source: Chamandy, Muralidharan, Najmi & Naidu, "Estimating uncertainty for massive data
//! streams", Google 2012; Hanley & `MacGibbon` 2006 for the Poisson counts.

use crate::interval::{ConfidenceLevel, Interval, IntervalKind, IntervalMethod};
use crate::moments::float_of;

/// How many buckets rows fall into.
pub const N_BUCKETS: usize = 1 << 14;

/// What is resampled: sums of numerators and denominators by bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets {
    sums: Vec<(f64, f64)>,
    n_rows: usize,
}

impl Default for Buckets {
    fn default() -> Self {
        Self { sums: vec![(0.0, 0.0); N_BUCKETS], n_rows: 0 }
    }
}

impl Buckets {
    /// Adds one row; `id` says which bucket it falls into, whatever the partition.
    pub fn push(&mut self, id: u64, numerator: f64, denominator: f64) {
        let bucket = &mut self.sums[bucket_of(id)];
        bucket.0 += numerator;
        bucket.1 += denominator;
        self.n_rows += 1;
    }

    /// Adds rows numbered from `first_id` on; a mean has denominators of one.
    pub fn push_all(&mut self, first_id: u64, numerators: &[f64], denominators: &[f64]) {
        for ((id, &a), &b) in (first_id..).zip(numerators).zip(denominators) {
            self.push(id, a, b);
        }
    }

    /// Adds the rows of another partition.
    pub fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.sums.iter_mut().zip(&other.sums) {
            ours.0 += theirs.0;
            ours.1 += theirs.1;
        }
        self.n_rows += other.n_rows;
    }

    /// The ratio of sums in each of `n_resamples`, sorted; resamples without a positive
    /// denominator have none and are left out.
    pub fn resampled(&self, n_resamples: u32, seed: u64) -> Vec<f64> {
        let filled: Vec<(u64, (f64, f64))> = (0..)
            .zip(&self.sums)
            .filter(|(_, it)| **it != (0.0, 0.0))
            .map(|(i, it)| (i, *it))
            .collect();
        let mut ratios: Vec<f64> = (0..n_resamples)
            .filter_map(|resample| {
                let key = key_of(resample, seed);
                let (mut a, mut b) = (0.0, 0.0);
                for &(bucket, (numerator, denominator)) in &filled {
                    let count = poisson(mix(key.wrapping_add(bucket.wrapping_mul(GAMMA))));
                    a += count * numerator;
                    b += count * denominator;
                }
                let ratio = a / b;
                (0.0 < b && ratio.is_finite()).then_some(ratio)
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }

    /// The percentile interval of `n_resamples`; `None` for fewer than two rows or if a resample
    /// in a hundred or more has no value.
    pub fn interval(
        &self,
        level: ConfidenceLevel,
        n_resamples: u32,
        seed: u64,
    ) -> Option<Interval> {
        let ratios = self.resampled(n_resamples, seed);
        let enough = f64::from(n_resamples) * 0.99 < float_of(ratios.len());
        if self.n_rows < 2 || !enough {
            return None;
        }
        let miss = level.miss() / 2.0;
        let (lower, upper) = (quantile(&ratios, miss)?, quantile(&ratios, 1.0 - miss)?);
        let (method, kind) = (IntervalMethod::PoissonBootstrap, IntervalKind::Asymptotic);
        Some(Interval { lower, upper, level, method, kind })
    }
}

/// How often each of so many units of evidence counts in one resample.
pub(crate) fn counts(n_units: usize, (resample, seed): (u32, u64)) -> impl Iterator<Item = f64> {
    let key = key_of(resample, seed);
    let count = move |unit: u64| poisson(mix(key.wrapping_add(unit.wrapping_mul(GAMMA))));
    (0_u64..).take(n_units).map(count)
}

fn key_of(resample: u32, seed: u64) -> u64 {
    mix(seed ^ mix(u64::from(resample).wrapping_add(GAMMA)))
}

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

fn bucket_of(id: u64) -> usize {
    let bits = mix(id.wrapping_add(GAMMA)) >> (64 - N_BUCKETS.ilog2());
    usize::try_from(bits).unwrap_or(0)
}

/// `SplitMix64`'s finish: Steele, Lea & Flood, OOPSLA 2014.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// A Poisson count of mean one: how many of these 32-bit thresholds the draw reaches. They are
/// `2³² P(count ≤ k)`, rounded.
fn poisson(bits: u64) -> f64 {
    const REACHED: [u32; 11] = [
        1_580_030_169,
        3_160_060_337,
        3_950_075_422,
        4_213_413_783,
        4_279_248_373,
        4_292_415_292,
        4_294_609_778,
        4_294_923_276,
        4_294_962_463,
        4_294_966_817,
        4_294_967_253,
    ];
    let draw = u32::try_from(bits >> 32).unwrap_or(u32::MAX);
    let count: u32 = REACHED.iter().map(|threshold| u32::from(*threshold <= draw)).sum();
    f64::from(count)
}

/// Linear interpolation between sorted values, as numpy's default.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * float_of(sorted.len().checked_sub(1)?);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a vector is neither negative nor beyond its length"
    )]
    let below = place as usize;
    let low = *sorted.get(below)?;
    let high = *sorted.get(below + 1).unwrap_or(&low);
    Some(low + (high - low) * (place - float_of(below)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(values: &[f64]) -> Buckets {
        let mut buckets = Buckets::default();
        buckets.push_all(0, values, &vec![1.0; values.len()]);
        buckets
    }

    #[test]
    fn counts_are_poisson() {
        let n_draws = 200_000;
        let counts: Vec<f64> = (0..n_draws).map(|draw| poisson(mix(draw))).collect();
        let mean = counts.iter().sum::<f64>() / 200_000.0;
        let squares = counts.iter().map(|count| (count - 1.0) * (count - 1.0)).sum::<f64>();
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert!((squares / 200_000.0 - 1.0).abs() < 0.02, "{squares}");
    }

    #[test]
    fn the_spread_is_that_of_the_mean() {
        let values: Vec<f64> = (0..40_000).map(|row| f64::from(row % 7)).collect();
        let found = filled(&values).interval(ConfidenceLevel::P95, 1000, 1).unwrap();
        // Variance 4 of 0..=6 over 40,000 rows: one standard error is 0.01.
        assert!((found.upper - found.lower - 0.0392).abs() < 0.004, "{found:?}");
        assert!(found.contains(3.0));
    }

    #[test]
    fn too_little_has_no_interval() {
        assert_eq!(Buckets::default().interval(ConfidenceLevel::P95, 100, 1), None);
        assert_eq!(filled(&[1.0]).interval(ConfidenceLevel::P95, 100, 1), None);
    }

    proptest! {
        /// Partitions get the same draws as the whole.
        #[test]
        fn partitions_merge(values in prop::collection::vec(-5.0..5.0_f64, 2..80), cut in 0..80_usize) {
            let cut = cut.min(values.len());
            let mut parts = filled(&values[..cut]);
            let mut rest = Buckets::default();
            rest.push_all(cut as u64, &values[cut..], &vec![1.0; values.len() - cut]);
            parts.merge(&rest);
            let (parts, whole) = (parts.resampled(20, 3), filled(&values).resampled(20, 3));
            prop_assert_eq!(parts.len(), whole.len());
            for (left, right) in parts.iter().zip(&whole) {
                prop_assert!((left - right).abs() < 1e-9);
            }
        }
    }
}
