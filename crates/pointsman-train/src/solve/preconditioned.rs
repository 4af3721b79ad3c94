//! Ridge regression of many columns at one strength: conjugate gradients, preconditioned by what the
//! dense features alone would make of the problem.
//!
//! Dense features are in every row, so `√Ω X Xᵀ √Ω` has its largest eigenvalues where they vary, and
//! those are what conjugate gradients are slow at. With `D` for the dense columns, `M = √Ω D Dᵀ √Ω +
//! λ I` is inverted by way of a matrix as small as their number: `M⁻¹ r = (r − √Ω D s) / λ`, where
//! `(Dᵀ Ω D + λ I) s = Dᵀ √Ω r`. On 12,002 prompts that took 9 passes over their terms instead of 21, to the
//! same residual (`train --penalty 10`; `inspect` says how many). `M` depends on the strength, which is why several are solved
//! without it, in one Krylov space ([`super::ridge_path`]).
//!
//! Source: Hestenes & Stiefel (1952); Woodbury (1950) for the inverse.

use super::{MAX_ITERATIONS, Matrix, Path, advance, apply, dot, product, squares, turn};
use crate::{
    outcomes::narrow,
    sums::{DenseRows, DenseSquares, DenseSums},
};
use pointsman_core::{features::N_DENSE, simd};

/// Where the residual, relative to the right-hand side, is small enough for weights that are rounded to
/// eight bits. Paths of many strengths, which compare one with another, are solved further in one run
/// (`super::TOLERANCE`); Newton steps go on from where the one before ended.
const TOLERANCE: f64 = 2e-3;

/// `M⁻¹`, for the columns of one block.
struct Preconditioner<'a, const B: usize> {
    dense: &'a [[f32; N_DENSE]],
    roots: &'a [[f32; B]],
    strength: f64,
    /// Of each column, the lower triangle `L` of `L Lᵀ = Dᵀ Ω D + λ I`.
    lower: Vec<Square>,
}

type Square = [[f64; N_DENSE]; N_DENSE];

/// As [`super::ridge_path`], at one strength, with the dense columns of the matrix.
pub(super) fn ridge<const B: usize>(
    matrix: &impl Matrix<B>,
    dense: &[[f32; N_DENSE]],
    (target, weights): (&[[f32; B]], &[[f32; B]]),
    strength: f64,
) -> Path<B> {
    let roots: Vec<[f32; B]> = weights.iter().map(|row| row.map(f32::sqrt)).collect();
    let preconditioner = Preconditioner::new((dense, &roots), weights, strength);
    let mut residual: Vec<[f32; B]> = product(target, &roots);
    let mut improved = preconditioner.solve(&residual);
    let mut direction = improved.clone();
    let mut dual: Vec<[f32; B]> = vec![[0.0; B]; matrix.n_rows()];

    let mut squared = squares(&residual);
    let goal = squared.map(|square| square * TOLERANCE * TOLERANCE);
    let mut along = dot(&residual, &improved);
    let is_open = |squared: &[f64; B], c: usize| goal[c] < squared[c] && 0.0 < squared[c];
    let mut n_iterations = 0;
    while n_iterations < MAX_ITERATIONS && (0..B).any(|c| is_open(&squared, c)) {
        n_iterations += 1;
        let image = apply(matrix, &direction, &roots, strength);
        let curvature = dot(&direction, &image);
        let step: [f64; B] = std::array::from_fn(|c| {
            if is_open(&squared, c) && 0.0 < curvature[c] { along[c] / curvature[c] } else { 0.0 }
        });
        advance(&mut dual, &direction, &step);
        advance(&mut residual, &image, &step.map(|value| -value));
        squared = squares(&residual);
        if !(0..B).any(|c| is_open(&squared, c)) {
            break;
        }
        improved = preconditioner.solve(&residual);
        let along_after = dot(&residual, &improved);
        let keep: [f64; B] =
            std::array::from_fn(|c| if 0.0 < along[c] { along_after[c] / along[c] } else { 0.0 });
        turn(&mut direction, &improved, (&[1.0; B], &keep));
        along = along_after;
    }
    let n_unconverged = (0..B).filter(|&c| is_open(&squared, c)).count();
    Path { duals: vec![product(&dual, &roots)], n_iterations, n_unconverged }
}

impl<'a, const B: usize> Preconditioner<'a, B> {
    fn new(
        (dense, roots): (&'a [[f32; N_DENSE]], &'a [[f32; B]]),
        weights: &[[f32; B]],
        strength: f64,
    ) -> Self {
        let mut sums = Box::new([[[0.0; B]; N_DENSE]; N_DENSE]);
        simd::at_best(DenseSquares { weights, dense, out: &mut sums });
        let of_column = |c: usize| {
            let entry = |i: usize, j: usize| {
                let own = if i == j { strength } else { 0.0 };
                f64::from(sums[i][j][c]) + own
            };
            cholesky(entry)
        };
        Self { dense, roots, strength, lower: (0..B).map(of_column).collect() }
    }

    /// `M⁻¹ r`.
    fn solve(&self, residual: &[[f32; B]]) -> Vec<[f32; B]> {
        let Self { dense, roots, strength, lower } = self;
        let mut out = product(residual, roots);
        let mut sums = [[0.0; B]; N_DENSE];
        simd::at_best(DenseSums { dual: &out, dense, out: &mut sums });
        for (c, lower) in lower.iter().enumerate() {
            let solved = substitute(lower, std::array::from_fn(|i| f64::from(sums[i][c])));
            for (sum, value) in sums.iter_mut().zip(solved) {
                sum[c] = narrow(value);
            }
        }
        let by = narrow(1.0 / strength);
        out.fill([0.0; B]);
        simd::at_best(DenseRows { dense, weights: &sums, out: &mut out });
        for ((out, residual), root) in out.iter_mut().zip(residual).zip(*roots) {
            *out = std::array::from_fn(|c| by * (residual[c] - root[c] * out[c]));
        }
        out
    }
}

/// The lower triangle of a positive definite matrix, `L Lᵀ = A`.
fn cholesky(entry: impl Fn(usize, usize) -> f64) -> Square {
    let mut lower = [[0.0; N_DENSE]; N_DENSE];
    for i in 0..N_DENSE {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            let rest = entry(i, j) - known;
            lower[i][j] =
                if i == j { rest.max(f64::MIN_POSITIVE).sqrt() } else { rest / lower[j][j] };
        }
    }
    lower
}

/// `x` in `L Lᵀ x = b`.
fn substitute(lower: &Square, mut x: [f64; N_DENSE]) -> [f64; N_DENSE] {
    for i in 0..N_DENSE {
        let known: f64 = (0..i).map(|k| lower[i][k] * x[k]).sum();
        x[i] = (x[i] - known) / lower[i][i];
    }
    for i in (0..N_DENSE).rev() {
        let known: f64 = (i + 1..N_DENSE).map(|k| lower[k][i] * x[k]).sum();
        x[i] = (x[i] - known) / lower[i][i];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triangle_solves_its_equation() {
        let entry = |i: usize, j: usize| {
            let distance = f64::from(u32::try_from(i.abs_diff(j)).unwrap());
            if i == j { 4.0 } else { 1.0 / (1.0 + distance * distance) }
        };
        let wanted: [f64; N_DENSE] =
            std::array::from_fn(|i| f64::from(u32::try_from(i % 5).unwrap()) - 2.0);
        let x = substitute(&cholesky(entry), wanted);
        for (i, wanted) in wanted.iter().enumerate() {
            let found: f64 = (0..N_DENSE).map(|j| entry(i, j) * x[j]).sum();
            assert!((found - wanted).abs() < 1e-12, "row {i}: {found} for {wanted}");
        }
    }
}
