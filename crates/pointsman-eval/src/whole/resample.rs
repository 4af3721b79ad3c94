//! The bootstrap of frontiers: sums by unit of evidence, and everything computed again from them in
//! each resample.

use super::WholePolicy;
use crate::{
    bootstrap::{counts, quantile},
    frontier::area_of,
    interval::{ConfidenceLevel, Interval, IntervalKind, IntervalMethod},
    matrix::CostQuality,
};
use std::collections::{BTreeMap, BTreeSet};

/// Resamples.
const N_RESAMPLES: u32 = 1000;

/// Groups of equal prompts share units where there are more of them.
const MOST_UNITS: usize = 2048;

/// Which unit of the bootstrap each row belongs to, and how many units there are.
pub(super) fn units(groups: &[u64]) -> (Vec<usize>, usize) {
    let distinct: BTreeSet<u64> = groups.iter().copied().collect();
    let places: BTreeMap<u64, usize> = distinct.into_iter().zip((0..MOST_UNITS).cycle()).collect();
    let n_units = places.len().min(MOST_UNITS);
    let unit = |group: &u64| places.get(group).copied().unwrap_or(0);
    (groups.iter().map(unit).collect(), n_units)
}

/// Where the points of all sweeps stand beside each other: policy by policy, then the single models.
pub(super) struct Layout {
    pub(super) n_points: usize,
    pub(super) n_models: usize,
}

impl Layout {
    pub(super) fn n_columns(&self) -> usize {
        self.single(self.n_models)
    }

    pub(super) fn column(&self, place: usize, point: usize) -> usize {
        place * self.n_points + point
    }

    pub(super) fn single(&self, model: usize) -> usize {
        WholePolicy::ALL.len() * self.n_points + model
    }

    pub(super) fn sweep<'p>(&self, points: &'p [CostQuality], place: usize) -> &'p [CostQuality] {
        &points[self.column(place, 0)..][..self.n_points]
    }

    pub(super) fn singles<'p>(&self, points: &'p [CostQuality]) -> &'p [CostQuality] {
        &points[self.single(0)..]
    }

    /// The area below each policy's frontier.
    pub(super) fn areas(&self, points: &[CostQuality]) -> [f64; WholePolicy::ALL.len()] {
        let area = |place| area_of(self.sweep(points, place), self.singles(points));
        std::array::from_fn(area)
    }
}

/// Costs and qualities of all columns, summed by unit.
pub(super) struct Sums {
    n_columns: usize,
    /// Shape `(units,)`.
    pub(super) n_rows: Vec<f64>,
    /// Shape `(units, columns)`.
    values: Vec<CostQuality>,
}

impl Sums {
    pub(super) fn new(n_units: usize, n_columns: usize) -> Self {
        let zero = CostQuality { cost_usd: 0.0, quality: 0.0 };
        Self { n_columns, n_rows: vec![0.0; n_units], values: vec![zero; n_units * n_columns] }
    }

    pub(super) fn add(&mut self, (unit, column): (usize, usize), point: CostQuality) {
        let sum = &mut self.values[unit * self.n_columns + column];
        sum.cost_usd += point.cost_usd;
        sum.quality += point.quality;
    }

    /// The mean of each column where units count so often.
    pub(super) fn points(&self, counts: impl Iterator<Item = f64>) -> Vec<CostQuality> {
        let mut points = vec![CostQuality { cost_usd: 0.0, quality: 0.0 }; self.n_columns];
        let mut n = 0.0;
        let units = self.n_rows.iter().zip(self.values.chunks_exact(self.n_columns));
        for (count, (n_rows, values)) in counts.zip(units) {
            if count == 0.0 {
                continue;
            }
            n += count * n_rows;
            for (point, value) in points.iter_mut().zip(values) {
                point.cost_usd += count * value.cost_usd;
                point.quality += count * value.quality;
            }
        }
        let n = f64::max(n, 1.0);
        for point in &mut points {
            point.cost_usd /= n;
            point.quality /= n;
        }
        points
    }
}

/// In each resample, the area of each policy less that of the first.
pub(super) fn resampled(
    layout: &Layout,
    sums: &Sums,
    seed: u64,
) -> Vec<[f64; WholePolicy::ALL.len()]> {
    let of_resample = |resample: u32| {
        let areas = layout.areas(&sums.points(counts(sums.n_rows.len(), (resample, seed))));
        areas.map(|area| area - areas[0])
    };
    (0..N_RESAMPLES).map(of_resample).collect()
}

/// The interval of one policy's gain in area.
pub(super) fn percentiles(
    resampled: &[[f64; WholePolicy::ALL.len()]],
    place: usize,
    level: ConfidenceLevel,
) -> Option<Interval> {
    let mut gains: Vec<f64> = resampled.iter().map(|gains| gains[place]).collect();
    gains.sort_by(f64::total_cmp);
    let miss = level.miss() / 2.0;
    let (lower, upper) = (quantile(&gains, miss)?, quantile(&gains, 1.0 - miss)?);
    let (method, kind) = (IntervalMethod::PoissonBootstrap, IntervalKind::Asymptotic);
    Some(Interval { lower, upper, level, method, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_groups_share_a_unit() {
        assert_eq!(units(&[9, 4, 9, 1]), (vec![2, 1, 2, 0], 3));
        let many: Vec<u64> = (0..5000).collect();
        let (units, n_units) = units(&many);
        assert_eq!(n_units, MOST_UNITS);
        assert!(units.iter().all(|&unit| unit < MOST_UNITS));
    }

    #[test]
    fn means_are_of_the_units_that_count() {
        let mut sums = Sums::new(2, 1);
        for (unit, quality) in [(0, 1.0), (0, 0.0), (1, 1.0)] {
            sums.n_rows[unit] += 1.0;
            sums.add((unit, 0), CostQuality { cost_usd: 2.0 * quality, quality });
        }
        let quality = |counts: [f64; 2]| sums.points(counts.into_iter())[0].quality;
        assert!((quality([1.0, 1.0]) - 2.0 / 3.0).abs() < 1e-12);
        assert!((quality([0.0, 3.0]) - 1.0).abs() < 1e-12);
        assert!((quality([2.0, 0.0]) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn units_count_once_on_average() {
        let total: f64 = (0..500).flat_map(|resample| counts(40, (resample, 3))).sum();
        assert!((total / 20_000.0 - 1.0).abs() < 0.03, "{total}");
    }
}
