//! The linear part and the clusters together, on the scale of true outcomes.
//!
//! How much of each is learned where neither has seen the row: out-of-fold predictions of both are
//! regressed on the outcomes. What a row's models share (how hard it is) and what sets them apart
//! (which is better) are scaled apart, because regularisation shrinks them differently and choices
//! see only the second. With the linear part alone this is its calibration.
//!
//! A stack is kept only if its choices were worth more on held-out rows than the linear part's
//! own: with clusters by more than one standard error of the difference; of several, the one with
//! the largest careful gain. What models share decides nothing and is always put to scale.
//!
//! Source: Wolpert, "Stacked Generalization", Neural Networks 5 (1992); Breiman, "Stacked
//! Regressions", Machine Learning 24 (1996).

use crate::{
    clusters::{ClusterSums, Grouping},
    outcomes::narrow,
    select::{HeldOut, Yardstick, gains, mean_and_error},
};
use linfa::{DatasetBase, traits::Fit};
use linfa_linear::LinearRegression;
use ndarray::{Array1, Array2};

/// A stack of the linear part and so many clusters, and what it was worth on held-out rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StackValue {
    /// How many clusters; zero is the linear part alone, put to scale.
    pub n_clusters: usize,
    /// Mean utility over the linear part as it was fitted, in quality points.
    pub gain: f64,
    /// Its standard error.
    pub std_error: f64,
    /// What the linear part is multiplied by.
    pub linear: Scale,
    /// What the clusters' offsets are multiplied by.
    pub clusters: Scale,
    /// Whether the policy is this stack.
    pub is_kept: bool,
}

/// What a prediction, less the models' means, is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Its mean over models: how hard the request is.
    pub shared: f64,
    /// What is left: which model is better.
    pub own: f64,
}

impl Scale {
    /// As it is.
    pub const ONE: Self = Self { shared: 1.0, own: 1.0 };

    /// Multiplies one row's predictions.
    pub(crate) fn apply(self, row: &mut [f32]) {
        let (shared, own) = (narrow(self.shared), narrow(self.own));
        let mean = mean(row);
        for value in row {
            *value = own * (*value - mean) + shared * mean;
        }
    }
}

/// Out-of-fold predictions of the linear part and what is needed to judge them.
pub(crate) struct Judged<'j> {
    pub(crate) yardstick: &'j Yardstick<'j>,
    /// The fold of each row, from zero.
    pub(crate) folds: &'j [usize],
    /// Per fold, each model's mean quality in the rows of the others.
    pub(crate) means: &'j [Vec<f64>],
    /// Predicted quality less the fold's mean, shape `(n_rows, n_models)`.
    pub(crate) linear: &'j [f32],
    /// Predicted cost.
    pub(crate) cost: &'j (dyn Fn(usize, &mut [f64]) + Sync),
}

/// One stack's out-of-fold predictions.
pub(crate) struct Stacked {
    pub(crate) value: StackValue,
    /// As [`Judged::linear`].
    pub(crate) deviations: Vec<f32>,
}

/// Scales of the linear part and of the clusters.
type Scales = [Scale; 2];

/// The normal equations of two regressors, for what models share and for what sets them apart.
#[derive(Debug, Clone, Copy, Default)]
struct Equations {
    shared: Normal,
    own: Normal,
}

#[derive(Debug, Clone, Copy, Default)]
struct Normal {
    products: [[f64; 2]; 2],
    target: [f64; 2],
}

impl Judged<'_> {
    /// The linear part alone, put to scale.
    pub(crate) fn scaled(&self) -> Option<Stacked> {
        self.stack(0, &vec![0.0; self.linear.len()])
    }

    /// The stack with one grouping; `None` where it would subtract either part's advice. `sums`
    /// are the outcomes by fold and cluster.
    pub(crate) fn with_clusters(&self, grouping: &Grouping, sums: &ClusterSums) -> Option<Stacked> {
        self.stack(grouping.n_clusters, &self.clustered(grouping, sums))
    }

    fn stack(&self, n_clusters: usize, clustered: &[f32]) -> Option<Stacked> {
        let by_fold = self.equations(clustered);
        let solve = |without: Option<usize>| {
            let used = by_fold.iter().enumerate().filter(|(fold, _)| Some(*fold) != without);
            let all = used.fold(Equations::default(), |sum, (_, one)| sum.plus(one));
            all.solve(0 < n_clusters)
        };
        let scales: Vec<Scales> =
            (0..by_fold.len()).map(|fold| solve(Some(fold))).collect::<Option<_>>()?;
        let [linear, clusters] = solve(None)?;
        let n_models = self.yardstick.n_models();
        let mut deviations = self.linear.to_vec();
        let rows = deviations.chunks_exact_mut(n_models).zip(clustered.chunks_exact(n_models));
        let mut cluster_row = vec![0.0; n_models];
        for ((row, clustered), &fold) in rows.zip(self.folds) {
            cluster_row.copy_from_slice(clustered);
            scales[fold][0].apply(row);
            scales[fold][1].apply(&mut cluster_row);
            for (value, more) in row.iter_mut().zip(&cluster_row) {
                *value += more;
            }
        }
        let differences: Vec<f64> = self
            .gains(&deviations)
            .into_iter()
            .zip(self.gains(self.linear))
            .map(|(with, without)| with - without)
            .collect();
        let (gain, std_error) = mean_and_error(&differences);
        let value = StackValue { n_clusters, gain, std_error, linear, clusters, is_kept: false };
        Some(Stacked { value, deviations })
    }

    /// Each row's gain over the constant choice with these deviations.
    pub(crate) fn gains(&self, deviations: &[f32]) -> Vec<f64> {
        let quality = |index: usize, out: &mut [f64]| self.quality(deviations, index, out);
        let held_out = HeldOut { quality: &quality, cost: self.cost };
        gains(self.yardstick, &held_out, &|index| &self.means[self.folds[index]])
    }

    /// Overwrites `out` with a row's predicted quality.
    pub(crate) fn quality(&self, deviations: &[f32], index: usize, out: &mut [f64]) {
        let row = &deviations[index * out.len()..];
        for ((out, mean), value) in out.iter_mut().zip(&self.means[self.folds[index]]).zip(row) {
            *out = mean + f64::from(*value);
        }
    }

    /// What its cluster says of each row, learned on the other folds; shape `(n_rows, n_models)`.
    fn clustered(&self, grouping: &Grouping, sums: &ClusterSums) -> Vec<f32> {
        let n_models = self.yardstick.n_models();
        let offsets: Vec<Vec<f64>> = self
            .means
            .iter()
            .enumerate()
            .map(|(fold, means)| sums.offsets(means, |other| other != fold))
            .collect();
        let row = |(fold, cluster): (&usize, &usize)| {
            offsets[*fold][cluster * n_models..][..n_models].iter().map(|offset| narrow(*offset))
        };
        self.folds.iter().zip(&grouping.cluster_of).flat_map(row).collect()
    }

    fn equations(&self, clustered: &[f32]) -> Vec<Equations> {
        let n_models = self.yardstick.n_models();
        let mut by_fold = vec![Equations::default(); self.means.len()];
        let mut truth = vec![0.0; n_models];
        for (index, &fold) in self.folds.iter().enumerate() {
            for (model, truth) in truth.iter_mut().enumerate() {
                *truth = self.yardstick.outcome(index, model).0 - self.means[fold][model];
            }
            let span = index * n_models..(index + 1) * n_models;
            by_fold[fold].push([&self.linear[span.clone()], &clustered[span]], &truth);
        }
        by_fold
    }
}

fn mean(values: &[f32]) -> f32 {
    let n = pointsman_core::units::len_as_float(values.len().max(1));
    narrow(values.iter().map(|value| f64::from(*value)).sum::<f64>() / n)
}

impl Equations {
    /// Adds one row, each of shape `(n_models,)`.
    fn push(&mut self, parts: [&[f32]; 2], truth: &[f64]) {
        let centre = parts.map(|part| f64::from(mean(part)));
        let centre_of_truth = mean_and_error(truth).0;
        self.shared.push(centre, centre_of_truth);
        for (model, truth) in truth.iter().enumerate() {
            let apart = |part: usize| f64::from(parts[part][model]) - centre[part];
            self.own.push([apart(0), apart(1)], truth - centre_of_truth);
        }
    }

    fn plus(self, other: &Self) -> Self {
        Self { shared: self.shared.plus(&other.shared), own: self.own.plus(&other.own) }
    }

    /// The scales of both parts; `None` where what sets models apart would be turned round.
    fn solve(&self, has_clusters: bool) -> Option<Scales> {
        let own = self.own.solve(has_clusters)?;
        if own[0] < 0.0 || (has_clusters && own[1] <= 0.0) {
            return None;
        }
        let shared = self.shared.solve(has_clusters).unwrap_or([1.0; 2]);
        let scale = |part: usize| Scale { shared: shared[part].max(0.0), own: own[part] };
        Some([scale(0), scale(1)])
    }
}

impl Normal {
    fn push(&mut self, x: [f64; 2], target: f64) {
        for a in 0..2 {
            for b in 0..2 {
                self.products[a][b] += x[a] * x[b];
            }
            self.target[a] += x[a] * target;
        }
    }

    fn plus(mut self, other: &Self) -> Self {
        for a in 0..2 {
            for b in 0..2 {
                self.products[a][b] += other.products[a][b];
            }
            self.target[a] += other.target[a];
        }
        self
    }

    /// What both regressors are multiplied by, or the first alone; `None` where that is open.
    fn solve(&self, has_both: bool) -> Option<[f64; 2]> {
        let n = if has_both { 2 } else { 1 };
        let products: Vec<f64> =
            self.products[..n].iter().flat_map(|row| &row[..n]).copied().collect();
        let records = Array2::from_shape_vec((n, n), products).ok()?;
        let equations = DatasetBase::new(records, Array1::from(self.target[..n].to_vec()));
        let solved = LinearRegression::new().with_intercept(false).fit(&equations).ok()?;
        let factor = |part: usize| solved.params().get(part).copied().unwrap_or(0.0);
        let factors = [factor(0), factor(1)];
        factors.iter().all(|factor| factor.is_finite()).then_some(factors)
    }
}

/// Marks the stack that is kept, if one is, and returns its place: the one with clusters whose
/// careful gain is largest, or else the linear part put to scale where that loses nothing.
pub(crate) fn keep(stacks: &mut [Stacked]) -> Option<usize> {
    let careful = |stack: &Stacked| stack.value.gain - stack.value.std_error;
    let best = (0..stacks.len())
        .filter(|&index| 0 < stacks[index].value.n_clusters && 0.0 < careful(&stacks[index]))
        .max_by(|&a, &b| careful(&stacks[a]).total_cmp(&careful(&stacks[b])).then(b.cmp(&a)));
    let kept = best.or_else(|| {
        stacks.iter().position(|stack| stack.value.n_clusters == 0 && 0.0 <= stack.value.gain)
    })?;
    stacks[kept].value.is_kept = true;
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Truth is known to be `2 · shared + 0.5 · own` of the linear part and the clusters' as it is.
    #[test]
    fn scales_are_found() {
        let mut equations = Equations::default();
        for step in 0..50_u8 {
            let x = f32::from(step);
            let line = [x.sin(), (2.0 * x).cos(), (0.7 * x).sin()];
            let cluster = [(1.3 * x).cos(), x.cos() / 3.0, (3.0 * x).sin()];
            let (mut scaled, centre) = (line, mean(&line));
            Scale { shared: 2.0, own: 0.5 }.apply(&mut scaled);
            assert!((mean(&scaled) - 2.0 * centre).abs() < 1e-5);
            let truth: Vec<f64> =
                scaled.iter().zip(&cluster).map(|(a, b)| f64::from(a + b)).collect();
            equations.push([&line, &cluster], &truth);
        }
        let [linear, clusters] = equations.solve(true).unwrap();
        for (found, expected) in
            [(linear.shared, 2.0), (linear.own, 0.5), (clusters.shared, 1.0), (clusters.own, 1.0)]
        {
            assert!((found - expected).abs() < 1e-4, "{found} for {expected}");
        }
    }

    #[test]
    fn advice_is_not_turned_round() {
        let mut equations = Equations::default();
        equations.push([&[1.0, -1.0], &[0.0, 0.0]], &[-0.2, 0.2]);
        assert!(equations.solve(false).is_none());
    }

    #[test]
    fn clusters_have_to_earn_their_place() {
        let stack = |n_clusters, gain, std_error| Stacked {
            value: StackValue {
                n_clusters,
                gain,
                std_error,
                linear: Scale::ONE,
                clusters: Scale::ONE,
                is_kept: false,
            },
            deviations: Vec::new(),
        };
        for (stacks, expected) in [
            (vec![stack(0, 0.001, 0.002), stack(16, 0.003, 0.002)], Some(1)),
            (vec![stack(0, 0.001, 0.002), stack(16, 0.003, 0.004)], Some(0)),
            (vec![stack(0, -0.001, 0.002), stack(16, 0.003, 0.004)], None),
            (vec![stack(16, 0.003, 0.002), stack(64, 0.004, 0.001)], Some(1)),
        ] {
            let mut stacks = stacks;
            assert_eq!(keep(&mut stacks), expected);
            let kept = stacks.iter().position(|stack| stack.value.is_kept);
            assert_eq!(kept, expected);
        }
    }
}
