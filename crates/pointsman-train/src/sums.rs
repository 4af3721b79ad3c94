//! The inner loops of products with a [`Kernel`](crate::kernel::Kernel), compiled for the machine at
//! hand.
//!
//! Rows of weights are added up from all over memory, so each is announced a while before its turn.
//! Sums are in the order of their indices, and every column has its own, so the result is the same
//! to the bit on every machine.

use crate::row_terms::Place;
use pointsman_core::{
    features::N_DENSE,
    simd::{self, Job},
};

/// How many rows ahead one is announced.
const AHEAD: usize = 16;

/// How many rows of one column are added up side by side, because an addition waits for the one
/// before.
pub(crate) const BESIDE: usize = 8;

/// Rows that are added up: of sum `i` those at `indices[starts[i]..starts[i + 1]]`, in their order.
#[derive(Clone, Copy)]
pub(crate) struct Gather<'a, const B: usize, P> {
    pub(crate) rows: &'a [[f32; B]],
    pub(crate) starts: &'a [usize],
    pub(crate) indices: &'a [P],
}

/// For each term, `idf · sum − mean · total`.
pub(crate) struct TermSums<'a, const B: usize> {
    pub(crate) gather: Gather<'a, B, u32>,
    pub(crate) idf: &'a [f32],
    pub(crate) means: &'a [f32],
    pub(crate) total: &'a [f32; B],
    pub(crate) out: &'a mut [[f32; B]],
}

/// For each row, `factor · sum − at_mean`, and what its dense features add to that.
pub(crate) struct RowSums<'a, const B: usize, P> {
    pub(crate) gather: Gather<'a, B, P>,
    pub(crate) factors: &'a [f32],
    pub(crate) at_mean: &'a [f32; B],
    pub(crate) dense: &'a [[f32; N_DENSE]],
    pub(crate) dense_weights: &'a [[f32; B]; N_DENSE],
    pub(crate) out: &'a mut [[f32; B]],
}

/// For each dense feature, the sum over rows of its value times the row of `dual`.
pub(crate) struct DenseSums<'a, const B: usize> {
    pub(crate) dual: &'a [[f32; B]],
    pub(crate) dense: &'a [[f32; N_DENSE]],
    pub(crate) out: &'a mut [[f32; B]; N_DENSE],
}

/// For each pair of dense features, the sum over rows of their product times the row of `weights`.
pub(crate) struct DenseSquares<'a, const B: usize> {
    pub(crate) weights: &'a [[f32; B]],
    pub(crate) dense: &'a [[f32; N_DENSE]],
    pub(crate) out: &'a mut [[[f32; B]; N_DENSE]; N_DENSE],
}

/// Adds to each row its dense features times their weights, one feature after the other.
pub(crate) struct DenseRows<'a, const B: usize> {
    pub(crate) dense: &'a [[f32; N_DENSE]],
    pub(crate) weights: &'a [[f32; B]; N_DENSE],
    pub(crate) out: &'a mut [[f32; B]],
}

/// A step of a stronger system, and its next direction: `dual += step · direction`, then
/// `direction = growth · residual + share · direction`.
pub(crate) struct Following<'a, const B: usize> {
    pub(crate) step: [f32; B],
    pub(crate) growth: [f32; B],
    pub(crate) share: [f32; B],
    pub(crate) residual: &'a [[f32; B]],
    pub(crate) dual: &'a mut [[f32; B]],
    pub(crate) direction: &'a mut [[f32; B]],
}

impl<const B: usize, P: Place> Gather<'_, B, P> {
    /// The sum of the rows at `indices[span[0]..span[1]]`.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn sum(&self, span: &[usize]) -> [f32; B] {
        let mut sum = [0.0; B];
        for at in span[0]..span[1] {
            if let Some(&ahead) = self.indices.get(at + AHEAD) {
                simd::announce(&self.rows[ahead.index()]);
            }
            let row = &self.rows[self.indices[at].index()];
            for c in 0..B {
                sum[c] += row[c];
            }
        }
        sum
    }
}

impl<const B: usize> Job for TermSums<'_, B> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        let Self { gather, idf, means, total, out } = self;
        let numbers = idf.iter().zip(means);
        for ((out, span), (idf, mean)) in out.iter_mut().zip(gather.starts.windows(2)).zip(numbers)
        {
            let sum = gather.sum(span);
            for c in 0..B {
                out[c] = idf * sum[c] - mean * total[c];
            }
        }
    }
}

impl<const B: usize, P: Place> Job for RowSums<'_, B, P> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        let Self { gather, factors, at_mean, dense, dense_weights, out } = self;
        let rows = factors.iter().zip(dense);
        for ((out, span), (factor, values)) in
            out.iter_mut().zip(gather.starts.windows(2)).zip(rows)
        {
            let mut row = gather.sum(span);
            for c in 0..B {
                row[c] = factor * row[c] - at_mean[c];
            }
            for (value, weights) in values.iter().zip(dense_weights) {
                add_scaled(&mut row, *value, weights);
            }
            *out = row;
        }
    }
}

impl<const B: usize> Job for DenseSums<'_, B> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        let Self { dual, dense, out } = self;
        if B == 1 {
            // One column's sums fit into registers; many are added where they lie.
            let mut sums = *out;
            for (row, values) in dual.iter().zip(dense) {
                for (sum, value) in sums.iter_mut().zip(values) {
                    add_scaled(sum, *value, row);
                }
            }
            *out = sums;
            return;
        }
        for (row, values) in dual.iter().zip(dense) {
            for (out, value) in out.iter_mut().zip(values) {
                add_scaled(out, *value, row);
            }
        }
    }
}

impl<const B: usize> Job for DenseSquares<'_, B> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        if B == 1 { self.by::<BESIDE>() } else { self.by::<1>() }
    }
}

impl<const B: usize> DenseSquares<'_, B> {
    /// So many rows to each sum before the next one's turn.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn by<const R: usize>(self) {
        let Self { weights, dense, out } = self;
        let (chunks, weights_left) = weights.as_chunks::<R>();
        let (dense_chunks, dense_left) = dense.as_chunks::<R>();
        for (weights, dense) in chunks.iter().zip(dense_chunks) {
            add_squares(weights, dense, out);
        }
        for (weights, dense) in weights_left.iter().zip(dense_left) {
            add_squares(&[*weights], &[*dense], out);
        }
    }
}

#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
fn add_squares<const R: usize, const B: usize>(
    weights: &[[f32; B]; R],
    dense: &[[f32; N_DENSE]; R],
    out: &mut [[[f32; B]; N_DENSE]; N_DENSE],
) {
    for (feature, out) in out.iter_mut().enumerate() {
        let mut sums = *out;
        for (weights, values) in weights.iter().zip(dense) {
            let row = times(weights, values[feature]);
            for (sum, value) in sums.iter_mut().zip(values) {
                add_scaled(sum, *value, &row);
            }
        }
        *out = sums;
    }
}

impl<const B: usize> Job for DenseRows<'_, B> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        let Self { dense, weights, out } = self;
        if B == 1 {
            add_dense::<BESIDE, B>(dense, weights, out);
        } else {
            add_dense::<1, B>(dense, weights, out);
        }
    }
}

/// `R` rows side by side, as far as there are so many.
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
fn add_dense<const R: usize, const B: usize>(
    dense: &[[f32; N_DENSE]],
    weights: &[[f32; B]; N_DENSE],
    out: &mut [[f32; B]],
) {
    let ((dense, dense_left), (out, out_left)) = (dense.as_chunks::<R>(), out.as_chunks_mut::<R>());
    for (out, dense) in out.iter_mut().zip(dense) {
        let mut sums = *out;
        for (feature, weights) in weights.iter().enumerate() {
            for (sum, values) in sums.iter_mut().zip(dense) {
                add_scaled(sum, values[feature], weights);
            }
        }
        *out = sums;
    }
    for (out, values) in out_left.iter_mut().zip(dense_left) {
        for (value, weights) in values.iter().zip(weights) {
            add_scaled(out, *value, weights);
        }
    }
}

impl<const B: usize> Job for Following<'_, B> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        let Self { step, growth, share, residual, dual, direction } = self;
        for ((dual, direction), residual) in dual.iter_mut().zip(direction).zip(residual) {
            for c in 0..B {
                dual[c] += step[c] * direction[c];
                direction[c] = growth[c] * residual[c] + share[c] * direction[c];
            }
        }
    }
}

/// Adds a row times a factor.
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
pub(crate) fn add_scaled<const B: usize>(sum: &mut [f32; B], by: f32, row: &[f32; B]) {
    for c in 0..B {
        sum[c] += by * row[c];
    }
}

/// Every row times its factor.
pub(crate) fn scaled<const B: usize>(rows: &[[f32; B]], factors: &[f32]) -> Vec<[f32; B]> {
    let mut scaled = rows.to_vec();
    for (row, factor) in scaled.iter_mut().zip(factors) {
        for value in row {
            *value *= factor;
        }
    }
    scaled
}

/// The sum of all rows, in their order.
pub(crate) fn total<const B: usize>(rows: &[[f32; B]]) -> [f32; B] {
    let mut total = [0.0; B];
    for row in rows {
        for c in 0..B {
            total[c] += row[c];
        }
    }
    total
}

/// The sum of each dense feature, added row by row in double precision.
pub(crate) fn sums_of_dense(rows: impl Iterator<Item = [f64; N_DENSE]>) -> [f64; N_DENSE] {
    let mut sums = [0.0; N_DENSE];
    for row in rows {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
    sums
}

/// One row times a factor.
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
pub(crate) fn times<const B: usize>(row: &[f32; B], factor: f32) -> [f32; B] {
    let mut product = *row;
    for value in &mut product {
        *value *= factor;
    }
    product
}

/// Adds `mean of x · weights` over some features.
pub(crate) fn add_at_mean<const B: usize>(
    at_mean: &mut [f32; B],
    weights: &[[f32; B]],
    means: &[f32],
) {
    for (weights, mean) in weights.iter().zip(means) {
        add_scaled(at_mean, *mean, weights);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three rows, of which the sums take two, none and all four indices that are left.
    #[test]
    fn sums_are_those_of_their_spans() {
        let rows: [[f32; 8]; 3] = std::array::from_fn(|row| {
            std::array::from_fn(|c| f32::from(u8::try_from(10 * row + c).unwrap()))
        });
        let gather =
            Gather { rows: &rows, starts: &[0, 2, 2, 6], indices: &[2_u32, 0, 1, 1, 0, 2] };
        let sums: Vec<[f32; 8]> = gather.starts.windows(2).map(|span| gather.sum(span)).collect();
        for c in 0..8 {
            let of = |row: usize| rows[row][c];
            assert_eq!(sums[0][c], of(2) + of(0));
            assert_eq!(sums[1][c], 0.0);
            assert_eq!(sums[2][c], 2.0 * of(1) + of(0) + of(2));
        }
    }

    #[test]
    fn a_stronger_system_steps_before_it_turns() {
        let residual = [[1.0_f32; 8]; 2];
        let (mut dual, mut direction) = ([[1.0_f32; 8]; 2], [[2.0_f32; 8], [4.0; 8]]);
        simd::at_best(Following {
            step: [0.5; 8],
            growth: [3.0; 8],
            share: [0.25; 8],
            residual: &residual,
            dual: &mut dual,
            direction: &mut direction,
        });
        assert_eq!(dual, [[2.0; 8], [3.0; 8]]);
        assert_eq!(direction, [[3.5; 8], [4.0; 8]]);
    }

    #[test]
    fn dense_features_are_added_row_by_row() {
        let dense: [[f32; N_DENSE]; 2] = [[0.5; N_DENSE], [-1.0; N_DENSE]];
        let dual = [[2.0_f32; 8], [3.0; 8]];
        let mut out = [[0.0; 8]; N_DENSE];
        simd::at_best(DenseSums { dual: &dual, dense: &dense, out: &mut out });
        assert_eq!(out, [[-2.0; 8]; N_DENSE]);
        assert_eq!(scaled(&dual, &[0.5, 2.0]), [[1.0; 8], [6.0; 8]]);
    }

    #[test]
    fn squares_of_dense_features_are_weighted_and_rows_added_to() {
        let dense: [[f32; N_DENSE]; 2] = [[0.5; N_DENSE], [-1.0; N_DENSE]];
        let weights = [[2.0_f32; 8], [3.0; 8]];
        let mut out = [[[0.0; 8]; N_DENSE]; N_DENSE];
        simd::at_best(DenseSquares { weights: &weights, dense: &dense, out: &mut out });
        assert_eq!(out, [[[3.5; 8]; N_DENSE]; N_DENSE]);
        let mut weights = [[0.0_f32; 8]; N_DENSE];
        weights[3] = [4.0; 8];
        let mut out = [[10.0; 8]; 2];
        simd::at_best(DenseRows { dense: &dense, weights: &weights, out: &mut out });
        assert_eq!(out, [[12.0; 8], [6.0; 8]]);
    }

    /// However many rows are added up side by side, each sum is in the order of its terms.
    #[test]
    fn one_column_is_added_up_as_many_are() {
        let value = |n: usize| f32::from(u8::try_from(n * 37 % 101).unwrap()) / 7.0 - 6.0;
        let dense: Vec<[f32; N_DENSE]> =
            (0..21).map(|row| std::array::from_fn(|feature| value(row * 19 + feature))).collect();
        let one: Vec<[f32; 1]> = (0..21).map(|row| [value(row * 3)]).collect();
        let many: Vec<[f32; 8]> = one.iter().map(|[value]| [*value; 8]).collect();
        let of_one: [[f32; 1]; N_DENSE] = std::array::from_fn(|feature| [value(feature * 5)]);
        let of_many = of_one.map(|[value]| [value; 8]);

        let (mut few, mut all) = ([[0.5; 1]; N_DENSE], [[0.5; 8]; N_DENSE]);
        simd::at_best(DenseSums { dual: &one, dense: &dense, out: &mut few });
        simd::at_best(DenseSums { dual: &many, dense: &dense, out: &mut all });
        assert_eq!(few.map(|[value]| [value; 8]), all);

        let (mut few, mut all) = ([[[0.5; 1]; N_DENSE]; N_DENSE], [[[0.5; 8]; N_DENSE]; N_DENSE]);
        simd::at_best(DenseSquares { weights: &one, dense: &dense, out: &mut few });
        simd::at_best(DenseSquares { weights: &many, dense: &dense, out: &mut all });
        assert_eq!(few.map(|row| row.map(|[value]| [value; 8])), all);

        let (mut few, mut all) = (one.clone(), many.clone());
        simd::at_best(DenseRows { dense: &dense, weights: &of_one, out: &mut few });
        simd::at_best(DenseRows { dense: &dense, weights: &of_many, out: &mut all });
        assert!(few.iter().zip(&all).all(|([one], many)| many == &[*one; 8]));
    }
}
