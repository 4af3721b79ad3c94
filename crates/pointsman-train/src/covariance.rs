//! How much the models of a log share, from the log itself.
//!
//! The weights of models `a` and `b` are taken to covary as `B_ab`, the same for every feature.
//! Then `(X_aᵀ y_a) · (X_bᵀ y_b)` is `B_ab` times a sum over pairs of rows, plus, for `a = b`, what
//! a row's noise makes with itself, which is taken off. So products of sums that cost one pass say
//! how models covary, without a fit. What is kept of them is little, for they are noisy: one shared
//! direction, of which each model has its own share, the slope, and one size for what is left. A
//! strong model falls less on hard prompts than a weak one; slopes are how a model with few
//! outcomes shows that. Weakness: it holds pairs of rows of all models for alike, which a logger
//! that looks at prompts makes untrue; a covariance that is a little off still gives a valid fit.
//!
//! Source: Haseman & Elston, Behavior Genetics 2 (1972), for moments of pairs; Bonilla, Chai &
//! Williams, "Multi-task Gaussian Process Prediction", NIPS 2007, for the covariance of tasks.

use crate::{
    apart::Rows,
    joint::transposed,
    kernel::{Kernel, Weights},
    solve::Matrix,
};

/// How many times the variance of a deviation the shared direction may have, and has at the most.
const MOST_SHARED: f64 = 10.0;

/// Outcomes' worth of the models' common slope that each slope is drawn towards.
const PRIOR_OUTCOMES: f64 = 100.0;

/// Rounds of the one-factor fit; it converges geometrically.
const N_ROUNDS: usize = 20;

/// Of each model, its slope on the shared direction, where deviations have variance one; zeros
/// where nothing is shared. `target` and `weights` are of the outcomes, model after model.
pub(crate) fn slopes(
    kernel: &Kernel,
    models: &[Rows<'_>],
    (target, weights): (&[[f32; 1]], &[[f32; 1]]),
) -> Vec<f64> {
    let weighted: Vec<[f32; 1]> =
        target.iter().zip(weights).map(|(value, weight)| [value[0] * weight[0]]).collect();
    let sums = transposed(models, &weighted);
    let lengths = squared_lengths(kernel, models);
    let mut sizes = Vec::with_capacity(models.len());
    let mut noise = Vec::with_capacity(models.len());
    let mut from = 0;
    for (rows, lengths) in models.iter().zip(&lengths) {
        let span = from..from + rows.places().len();
        from = span.end;
        sizes.push(weights[span.clone()].iter().map(|weight| f64::from(weight[0])).sum::<f64>());
        let own = weighted[span].iter().zip(lengths);
        noise.push(own.map(|(value, length)| f64::from(value[0]).powi(2) * length).sum::<f64>());
    }
    let covariance = |a: usize, b: usize| {
        let own = if a == b { noise[a] } else { 0.0 };
        (dot(&sums[a], &sums[b]) - own) / (sizes[a] * sizes[b]).max(1.0)
    };
    let n_models = models.len();
    let table: Vec<Vec<f64>> =
        (0..n_models).map(|a| (0..n_models).map(|b| covariance(a, b)).collect()).collect();
    one_factor(&table, &sizes)
}

/// `s` such that `B ≈ δ (s sᵀ + I)`.
fn one_factor(covariance: &[Vec<f64>], sizes: &[f64]) -> Vec<f64> {
    let n_models = sizes.len();
    let pairs = || (0..n_models).flat_map(|a| (0..n_models).map(move |b| (a, b)));
    let weighted = |a: usize, b: usize| (sizes[a] * sizes[b], covariance[a][b]);
    let (mut total, mut weight) = (0.0, 0.0);
    for (a, b) in pairs().filter(|(a, b)| a != b) {
        let (w, value) = weighted(a, b);
        total += w * value;
        weight += w;
    }
    if total <= 0.0 {
        return vec![0.0; n_models];
    }
    let common = (total / weight).sqrt();
    let mut slopes = vec![common; n_models];
    for _ in 0..N_ROUNDS {
        for a in 0..n_models {
            let (mut above, mut below) = (0.0, 0.0);
            for b in (0..n_models).filter(|&b| b != a) {
                above += sizes[b] * covariance[a][b] * slopes[b];
                below += sizes[b] * slopes[b] * slopes[b];
            }
            let found = if below <= 0.0 { common } else { above / below };
            let drawn = (sizes[a] * found + PRIOR_OUTCOMES * common) / (sizes[a] + PRIOR_OUTCOMES);
            slopes[a] = drawn.max(0.0);
        }
    }
    let (mut own, mut shared, mut all) = (0.0, 0.0, 0.0);
    for a in 0..n_models {
        own += sizes[a] * covariance[a][a];
        shared += sizes[a] * slopes[a] * slopes[a];
        all += sizes[a];
    }
    let left = ((own - shared) / all).max(shared / all / MOST_SHARED);
    slopes.iter().map(|slope| slope / left.sqrt()).collect()
}

/// The squared length of each outcome's centred row, without the terms that occur once.
fn squared_lengths(kernel: &Kernel, models: &[Rows<'_>]) -> Vec<Vec<f64>> {
    let (_, term_means) = kernel.terms();
    let dense_means = kernel.dense_means();
    let square = |sum: f32, mean: &f32| sum + mean * mean;
    let at_mean = [term_means.iter().chain(dense_means).fold(0.0, square)];
    let mean = Weights {
        terms: term_means.iter().map(|mean| [*mean]).collect(),
        dense: dense_means.map(|mean| [mean]),
        at_mean,
    };
    let of_model = |rows: &Rows<'_>| {
        let along = rows.predict(&mean);
        let single = <Rows<'_> as Matrix<1>>::single_squares(rows);
        let length = |((&place, along), single): ((&u32, &[f32; 1]), &f32)| {
            let (place, starts) = (place as usize, &kernel.rows().starts);
            let is_empty = starts[place] == starts[place + 1];
            let of_terms = if is_empty { 0.0 } else { 1.0 - single };
            let dense = &kernel.dense_rows()[place];
            let plain = of_terms + dense.iter().map(|value| value * value).sum::<f32>();
            f64::from(plain - 2.0 * along[0] - at_mean[0])
        };
        rows.places().iter().zip(&along).zip(single).map(length).collect()
    };
    models.iter().map(of_model).collect()
}

fn dot(left: &Weights<1>, right: &Weights<1>) -> f64 {
    let pairs = left.terms.iter().zip(&right.terms).chain(left.dense.iter().zip(&right.dense));
    pairs.map(|(l, r)| f64::from(l[0] * r[0])).sum()
}
