//! Many models from few columns, after the fit.
//!
//! Beyond [`MOST_COLUMNS`] models, the fitted weights are put through their principal directions:
//! those in which predictions vary most over the training rows, terms counted as they occur and
//! independently of each other. The models' means stay exact; what is lost is the part of each
//! model's deviations that few others share. Every model is still fitted on its own, so a table of
//! very many models takes as long to train as its columns are many.

use crate::{fitted::Fitted, kernel::Kernel, outcomes::narrow};
use linfa_linalg::{
    Order,
    eigh::{EigSort, Eigh},
};
use ndarray::Array2;
use pointsman_core::{features::N_DENSE, scorer::Factor};
use rayon::prelude::*;

/// Up to so many models each has a column of its own: with the length, the coordinates of
/// clusters and the frequencies they fill lines of memory well.
pub(crate) const MOST_COLUMNS: usize = 64;

/// Directions that many models are mixed from; with all else one line of memory.
const RANK: usize = 32;

/// Terms that one task sums up, so that sums do not depend on the number of threads.
const TASK: usize = 2048;

impl Fitted {
    /// Replaces the first `n_models` columns by the directions that they vary in.
    pub(crate) fn factor(&mut self, kernel: &Kernel, n_models: usize) -> Option<Factor> {
        let width = self.offsets.len();
        let directions = self.directions(kernel, n_models)?;
        let turned = |row: &[f32]| -> Vec<f32> {
            let of_rank = |r: usize| {
                let part = |m: usize| f64::from(row[m]) * f64::from(directions[r * n_models + m]);
                narrow((0..n_models).map(part).sum())
            };
            (0..RANK).map(of_rank).chain(row[n_models..].iter().copied()).collect()
        };
        self.terms = self.terms.par_chunks_exact(width).flat_map_iter(turned).collect();
        self.dense = self.dense.chunks_exact(width).flat_map(turned).collect();
        let intercepts = self.offsets[..n_models].to_vec();
        self.offsets = [&[0.0; RANK], &self.offsets[n_models..]].concat();
        Some(Factor { rank: RANK, loadings: directions, intercepts })
    }

    /// Orthonormal, shape `(RANK, n_models)`; the one of the largest variance first.
    fn directions(&self, kernel: &Kernel, n_models: usize) -> Option<Vec<f32>> {
        let width = self.offsets.len();
        let mut importance = vec![0.0; self.buckets.len()];
        kernel.for_each_mean_square(|bucket, mean_square| {
            if let Ok(at) = self.buckets.binary_search(&bucket) {
                importance[at] = mean_square;
            }
        });
        let importance = importance.into_iter().chain([1.0; N_DENSE]).collect::<Vec<_>>();
        let rows: Vec<&[f32]> =
            self.terms.chunks_exact(width).chain(self.dense.chunks_exact(width)).collect();
        let parts: Vec<Vec<f64>> = rows
            .par_chunks(TASK)
            .zip(importance.par_chunks(TASK))
            .map(|(rows, importance)| products(rows, importance, n_models))
            .collect();
        let mut sum = vec![0.0; n_models * n_models];
        for part in parts {
            for (sum, value) in sum.iter_mut().zip(part) {
                *sum += value;
            }
        }
        let covariance = Array2::from_shape_vec((n_models, n_models), sum).ok()?;
        let (_, vectors) = covariance.eigh().ok()?.sort_eig(Order::Largest);
        let direction = |r: usize| vectors.column(r).iter().map(|&x| narrow(x)).collect::<Vec<_>>();
        Some((0..RANK).flat_map(direction).collect())
    }
}

/// `Σ importance · row rowᵀ`, shape `(n_models, n_models)`.
fn products(rows: &[&[f32]], importance: &[f64], n_models: usize) -> Vec<f64> {
    let mut sum = vec![0.0; n_models * n_models];
    for (row, &importance) in rows.iter().zip(importance) {
        if importance == 0.0 {
            continue;
        }
        for (out, &left) in sum.chunks_exact_mut(n_models).zip(*row) {
            let left = f64::from(left) * importance;
            for (out, &right) in out.iter_mut().zip(*row) {
                *out += left * f64::from(right);
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::DesignBuilder;
    use pointsman_core::{
        features::{Bigrams, FeatureSchema},
        request::Request,
    };

    /// Seventy models that are mixtures of three: nothing is lost.
    #[test]
    fn mixtures_of_few_are_kept_whole() {
        let mut design = DesignBuilder::new(FeatureSchema::new(10, Bigrams::Without).unwrap());
        for index in 0..40 {
            design.push(&Request::from_prompt(&format!("a{} b{} c", index % 3, index % 4)));
        }
        let kernel = Kernel::new(&design.finish(), &(0..40).collect::<Vec<_>>());
        let step = |index: usize| f32::from(u8::try_from(index * 37 % 23).unwrap()) - 11.0;
        let n_models = 70;
        let row = |seed: usize| -> Vec<f32> {
            let mix = |m: usize| (0..3).map(|r| step(seed * 3 + r) * step(m * 3 + r)).sum();
            (0..n_models).map(mix).chain([0.5]).collect()
        };
        let mut buckets = Vec::new();
        kernel.for_each_mean_square(|bucket, _| buckets.push(bucket));
        buckets.sort_unstable();
        let mut fitted = Fitted {
            terms: (0..buckets.len()).flat_map(row).collect(),
            dense: (100..100 + N_DENSE).flat_map(row).collect(),
            offsets: row(200),
            buckets,
        };
        let before = fitted.clone();
        let factor = fitted.factor(&kernel, n_models).unwrap();
        assert_eq!(fitted.offsets.len(), RANK + 1);
        assert_eq!(factor.intercepts, before.offsets[..n_models]);
        let whole = before.terms.chunks_exact(n_models + 1);
        for (found, expected) in fitted.terms.chunks_exact(RANK + 1).zip(whole) {
            assert_eq!(found[RANK], expected[n_models]);
            for (m, expected) in expected[..n_models].iter().enumerate() {
                let mixed: f32 =
                    (0..RANK).map(|r| found[r] * factor.loadings[r * n_models + m]).sum();
                assert!((mixed - expected).abs() < 0.01, "{mixed} for {expected}");
            }
        }
    }
}
