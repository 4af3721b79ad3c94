//! Kinds of requests: k-means on the projected directions, and what each kind says of each model.

use crate::{
    outcomes::narrow,
    projection::{DIMS, Projection},
};
use linfa::{DatasetBase, traits::Fit, traits::Predict};
use linfa_clustering::KMeans;
use ndarray::Array2;
use rand_xoshiro::{Xoshiro256Plus, rand_core::SeedableRng};

/// Rows' worth of no effect that each cluster's outcomes are drawn towards.
const PRIOR_ROWS: f64 = 10.0;

/// Fewer rows per cluster than this are not looked at.
const LEAST_ROWS_PER_CLUSTER: usize = 20;

const MAX_ROUNDS: u64 = 100;

/// Centres are found from so many rows at most, taken evenly: more rows would move them little, and
/// every round looks at all of them.
const MOST_ROWS: usize = 1 << 14;

/// Centres, and the cluster of each training row.
#[derive(Debug)]
pub(crate) struct Grouping {
    pub(crate) n_clusters: usize,
    /// Shape `(DIMS, n_clusters)`, row after row.
    pub(crate) centres: Vec<f32>,
    pub(crate) cluster_of: Vec<usize>,
}

/// Outcomes less their models' means, added up by fold, cluster and model.
#[derive(Debug)]
pub(crate) struct ClusterSums {
    n_models: usize,
    n_clusters: usize,
    /// Shape `(n_folds, n_clusters, n_models)`: weighted quality, and weight.
    sums: Vec<(f64, f64)>,
}

impl Grouping {
    /// Groups rows into so many clusters; `None` where there are fewer different rows than that.
    pub(crate) fn new(projection: &Projection, n_clusters: usize, seed: u64) -> Option<Self> {
        let all = &projection.directions;
        let some: Vec<[f64; DIMS]> = spread(all.len(), MOST_ROWS).map(|row| all[row]).collect();
        let points = DatasetBase::from(matrix(&some)?);
        let model = KMeans::params_with_rng(n_clusters, Xoshiro256Plus::seed_from_u64(seed))
            .n_runs(1)
            .max_n_iterations(MAX_ROUNDS)
            .tolerance(1e-4)
            .fit(&points)
            .ok()?;
        let cluster_of = model.predict(&matrix(all)?).to_vec();
        let centres = model.centroids().t().iter().map(|&x| narrow(x)).collect();
        Some(Self { n_clusters, centres, cluster_of })
    }
}

/// Points as a matrix of shape `(n_points, DIMS)`.
fn matrix(points: &[[f64; DIMS]]) -> Option<Array2<f64>> {
    Array2::from_shape_vec((points.len(), DIMS), points.as_flattened().to_vec()).ok()
}

/// All of `n` places where they are at most `most`, else so many of them at even distances.
fn spread(n: usize, most: usize) -> impl Iterator<Item = usize> {
    let n_taken = n.min(most);
    (0..n_taken).map(move |at| at * n / n_taken)
}

impl ClusterSums {
    /// Nothing yet.
    pub(crate) fn new(n_folds: usize, n_clusters: usize, n_models: usize) -> Self {
        Self { n_models, n_clusters, sums: vec![(0.0, 0.0); n_folds * n_clusters * n_models] }
    }

    /// Adds one outcome.
    pub(crate) fn push(
        &mut self,
        (fold, cluster, model): (usize, usize, usize),
        quality: f64,
        weight: f64,
    ) {
        let at = (fold * self.n_clusters + cluster) * self.n_models + model;
        self.sums[at].0 += weight * quality;
        self.sums[at].1 += weight;
    }

    /// What each cluster adds to the models' means, shape `(n_clusters, n_models)`, from the folds
    /// that `is_used` takes.
    pub(crate) fn offsets(&self, means: &[f64], is_used: impl Fn(usize) -> bool) -> Vec<f64> {
        let width = self.n_clusters * self.n_models;
        let (mut totals, mut weights) = (vec![0.0; width], vec![0.0; width]);
        for (fold, sums) in self.sums.chunks_exact(width).enumerate() {
            if !is_used(fold) {
                continue;
            }
            for (at, (total, weight)) in sums.iter().enumerate() {
                totals[at] += total;
                weights[at] += weight;
            }
        }
        let offset = |at: usize| {
            (totals[at] - weights[at] * means[at % self.n_models]) / (weights[at] + PRIOR_ROWS)
        };
        (0..width).map(offset).collect()
    }
}

/// The numbers of clusters that are tried on so many rows.
pub(crate) fn sizes(n_rows: usize) -> impl Iterator<Item = usize> {
    [16, 64].into_iter().filter(move |size| size * LEAST_ROWS_PER_CLUSTER <= n_rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_means_drawn_towards_nothing() {
        let mut sums = ClusterSums::new(2, 1, 2);
        for _ in 0..10 {
            sums.push((0, 0, 0), 0.9, 1.0);
            sums.push((1, 0, 0), 0.1, 1.0);
        }
        let close = |found: &[f64], expected: [f64; 2]| {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{found} for {expected}");
            }
        };
        // Ten rows, 0.4 above and below the mean, drawn half way to it; nothing of the other model.
        close(&sums.offsets(&[0.5, 0.7], |fold| fold == 0), [0.2, 0.0]);
        close(&sums.offsets(&[0.5, 0.7], |fold| fold == 1), [-0.2, 0.0]);
        close(&sums.offsets(&[0.5, 0.7], |_| true), [0.0, 0.0]);
    }

    #[test]
    fn large_sets_are_looked_at_evenly() {
        assert!(spread(5, 5).eq(0..5));
        assert!(spread(5, 9).eq(0..5));
        assert!(spread(10, 4).eq([0, 2, 5, 7]));
        assert_eq!(spread(0, 4).count(), 0);
    }

    #[test]
    fn small_sets_are_not_grouped() {
        let tried = |n_rows| sizes(n_rows).collect::<Vec<_>>();
        assert!(tried(319).is_empty());
        assert_eq!(tried(320), [16]);
        assert_eq!(tried(1280), [16, 64]);
    }
}
