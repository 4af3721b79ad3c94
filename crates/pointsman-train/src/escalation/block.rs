//! The dense columns of the training rows: signs, and products of all inputs.
//!
//! A few thousand columns at the most, all of them set in every row, so they stand in memory as
//! they are, each less its mean.

use super::AnswerDesign;
use crate::{
    design::Design,
    kernel::{DENSE_SCALE, Kernel},
    outcomes::narrow,
    sums::add_scaled,
};
use pointsman_core::{
    answer::N_SIGNS,
    escalation::{InputScaling, N_INPUTS, N_PRODUCTS},
    features::N_DENSE,
    simd::{self, Job},
    units::len_as_float,
};
use rayon::prelude::*;

/// What a product of two standard deviations weighs against a whole text of terms. There are some
/// thousand products, so each has to weigh less than a feature.
const PRODUCT_SCALE: f32 = 0.025;

/// Rows that one parallel task takes; sums inside a task are in order, as are those of tasks.
const TASK: usize = 512;

/// Columns whose sums, together with some rows of them, stay in a processor's nearest memory.
const TILE: usize = 512;

/// Signs and products of some rows.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) scaling: InputScaling,
    /// Inputs that vary, ascending: their products are columns.
    active: Vec<usize>,
    /// Signs that vary, as inputs: the first columns.
    signs: Vec<usize>,
    /// Shape `(n_columns,)`: the mean of each column.
    means: Vec<f32>,
    /// Shape `(n_rows, n_columns)`, row after row, less the means.
    values: Vec<f32>,
}

/// Weights of signs and products of one column of qualities, in the units of a scorer.
#[derive(Debug)]
pub(crate) struct BlockWeights {
    /// Shape `(N_SIGNS,)`.
    pub(crate) signs: Vec<f32>,
    /// Shape `(N_PRODUCTS,)`.
    pub(crate) products: Vec<f32>,
    /// What the prediction has to be raised by because columns are centred.
    pub(crate) offset: f32,
}

impl Block {
    /// Of the given rows; `prompt` and `text` are the kernels of the same rows.
    pub(crate) fn new(
        (prompts, answers): (&Design, &AnswerDesign),
        rows: &[u32],
        (prompt, text): (&Kernel, &Kernel),
    ) -> Self {
        let (sign_centres, sign_factors) = scaling_of(answers, rows);
        let scaling = InputScaling {
            prompt: prompt.dense_scaling.clone(),
            shape: text.dense_scaling.clone(),
            sign_centres,
            sign_factors,
        };
        let factors = [&scaling.prompt.factors[..], &scaling.shape.factors, &scaling.sign_factors];
        let active: Vec<usize> = factors
            .concat()
            .iter()
            .enumerate()
            .filter(|(_, factor)| **factor != 0.0)
            .map(|(index, _)| index)
            .collect();
        let signs = active.iter().copied().filter(|&index| 2 * N_DENSE <= index).collect();
        let mut block = Self { scaling, active, signs, means: Vec::new(), values: Vec::new() };
        let n_values = rows.len() * block.n_columns();
        block.values.reserve_exact(n_values);
        for &row in rows {
            let row = row as usize;
            let answer = answers.features(row);
            let inputs = block.scaling.apply(prompts.dense(row), answer.text.dense, answer.signs);
            block.push(&inputs);
        }
        block.centre(rows.len());
        block
    }

    fn push(&mut self, inputs: &[f32; N_INPUTS]) {
        let Self { scaling: _, active, signs, means: _, values } = self;
        values.extend(signs.iter().map(|&index| inputs[index] * DENSE_SCALE));
        for (at, &first) in active.iter().enumerate() {
            let product = |&second: &usize| inputs[first] * inputs[second] * PRODUCT_SCALE;
            values.extend(active[at..].iter().map(product));
        }
    }

    fn centre(&mut self, n_rows: usize) {
        let n_columns = self.n_columns();
        let mut sums = vec![0.0_f64; n_columns];
        for row in self.values.chunks_exact(n_columns.max(1)) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += f64::from(*value);
            }
        }
        let n = len_as_float(n_rows.max(1));
        self.means = sums.into_iter().map(|sum| narrow(sum / n)).collect();
        for row in self.values.chunks_exact_mut(n_columns.max(1)) {
            for (value, mean) in row.iter_mut().zip(&self.means) {
                *value -= mean;
            }
        }
    }

    fn n_columns(&self) -> usize {
        self.signs.len() + self.active.len() * (self.active.len() + 1) / 2
    }

    /// `Xᵀ U`; `dual` is `U`, shape `(n_rows, B)`.
    pub(crate) fn transposed<const B: usize>(&self, dual: &[[f32; B]]) -> Vec<[f32; B]> {
        let n_columns = self.n_columns();
        if n_columns == 0 {
            return Vec::new();
        }
        let of_task = |(values, dual): (&[f32], &[[f32; B]])| {
            let mut sums = vec![0.0_f32; B * n_columns];
            simd::at_best(Transposing { values, n_columns, dual, sums: &mut sums });
            sums
        };
        let tasks: Vec<Vec<f32>> = self
            .values
            .par_chunks(TASK * n_columns)
            .zip(dual.par_chunks(TASK))
            .map(of_task)
            .collect();
        let mut total = vec![[0.0_f32; B]; n_columns];
        for sums in tasks {
            for (c, sums) in sums.chunks_exact(n_columns).enumerate() {
                for (total, sum) in total.iter_mut().zip(sums) {
                    total[c] += sum;
                }
            }
        }
        total
    }

    /// Adds `X W` for all rows to `out`.
    pub(crate) fn add_predictions<const B: usize>(
        &self,
        weights: &[[f32; B]],
        out: &mut [[f32; B]],
    ) {
        let n_columns = self.n_columns();
        if n_columns == 0 {
            return;
        }
        out.par_chunks_mut(TASK).zip(self.values.par_chunks(TASK * n_columns)).for_each(
            |(out, values)| simd::at_best(Predicting { values, n_columns, weights, out }),
        );
    }

    /// What one column of [`Self::transposed`] is for a scorer.
    pub(crate) fn weights(&self, column: impl Iterator<Item = f32>) -> BlockWeights {
        let mut weights = BlockWeights {
            signs: vec![0.0; N_SIGNS],
            products: vec![0.0; N_PRODUCTS],
            offset: 0.0,
        };
        let mut offset = 0.0_f64;
        let places = self.signs.iter().map(|&sign| Place::Sign(sign - 2 * N_DENSE));
        let pairs = self.active.iter().enumerate().flat_map(|(at, &first)| {
            self.active[at..].iter().map(move |&second| Place::Product(product(first, second)))
        });
        for ((place, weight), mean) in places.chain(pairs).zip(column).zip(&self.means) {
            offset -= f64::from(weight) * f64::from(*mean);
            match place {
                Place::Sign(at) => weights.signs[at] = weight * DENSE_SCALE,
                Place::Product(at) => weights.products[at] = weight * PRODUCT_SCALE,
            }
        }
        weights.offset = narrow(offset);
        weights
    }
}

/// Sums over rows of their values, each times the row's duals. Four rows are added at a time, one
/// after the other to each sum, so that the result is that of row after row.
struct Transposing<'a, const B: usize> {
    /// Shape `(n_rows, n_columns)`.
    values: &'a [f32],
    n_columns: usize,
    /// Shape `(n_rows, B)`.
    dual: &'a [[f32; B]],
    /// Shape `(B, n_columns)`.
    sums: &'a mut [f32],
}

impl<const B: usize> Job for Transposing<'_, B> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        let Self { values, n_columns, dual, sums } = self;
        let (fours, last) = dual.as_chunks::<4>();
        for start in (0..n_columns).step_by(TILE) {
            let width = TILE.min(n_columns - start);
            let tile = |row: usize| &values[row * n_columns + start..][..width];
            for (four, duals) in fours.iter().enumerate() {
                let rows = [0, 1, 2, 3].map(|at| tile(4 * four + at));
                for (c, sums) in sums.chunks_exact_mut(n_columns).enumerate() {
                    add_rows(&mut sums[start..][..width], rows, duals.map(|dual| dual[c]));
                }
            }
            for (at, dual) in last.iter().enumerate() {
                let row = tile(4 * fours.len() + at);
                for (c, sums) in sums.chunks_exact_mut(n_columns).enumerate() {
                    for (sum, value) in sums[start..][..width].iter_mut().zip(row) {
                        *sum += value * dual[c];
                    }
                }
            }
        }
    }
}

/// Adds four rows, each times its own number, one after the other.
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
fn add_rows(sums: &mut [f32], rows: [&[f32]; 4], by: [f32; 4]) {
    let [first, second, third, fourth] = rows;
    for ((((sum, first), second), third), fourth) in
        sums.iter_mut().zip(first).zip(second).zip(third).zip(fourth)
    {
        *sum = *sum + first * by[0] + second * by[1] + third * by[2] + fourth * by[3];
    }
}

/// Adds to each row the sum over columns of its values times their weights, column after column;
/// four rows side by side, so that no sum waits for itself.
struct Predicting<'a, const B: usize> {
    /// Shape `(n_rows, n_columns)`.
    values: &'a [f32],
    n_columns: usize,
    /// Shape `(n_columns, B)`.
    weights: &'a [[f32; B]],
    /// Shape `(n_rows, B)`.
    out: &'a mut [[f32; B]],
}

impl<const B: usize> Job for Predicting<'_, B> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        let Self { values, n_columns, weights, out } = self;
        let row = |row: usize| &values[row * n_columns..][..n_columns];
        let (fours, last) = out.as_chunks_mut::<4>();
        let n_in_fours = 4 * fours.len();
        for (four, out) in fours.iter_mut().enumerate() {
            let [first, second, third, fourth] = [0, 1, 2, 3].map(|at| row(4 * four + at));
            let mut sums = [[0.0_f32; B]; 4];
            for ((((weights, first), second), third), fourth) in
                weights.iter().zip(first).zip(second).zip(third).zip(fourth)
            {
                add_scaled(&mut sums[0], *first, weights);
                add_scaled(&mut sums[1], *second, weights);
                add_scaled(&mut sums[2], *third, weights);
                add_scaled(&mut sums[3], *fourth, weights);
            }
            for (out, sum) in out.iter_mut().zip(&sums) {
                add_scaled(out, 1.0, sum);
            }
        }
        for (at, out) in last.iter_mut().enumerate() {
            let mut sum = [0.0_f32; B];
            for (value, weights) in row(n_in_fours + at).iter().zip(weights) {
                add_scaled(&mut sum, *value, weights);
            }
            add_scaled(out, 1.0, &sum);
        }
    }
}

/// Where a column's weight goes.
enum Place {
    Sign(usize),
    Product(usize),
}

/// The place of a product of two inputs, the first no later than the second.
fn product(first: usize, second: usize) -> usize {
    first * N_INPUTS - first * first.saturating_sub(1) / 2 + (second - first)
}

/// Means of the signs, and one over their standard deviations; zero for those that do not vary.
fn scaling_of(answers: &AnswerDesign, rows: &[u32]) -> ([f32; N_SIGNS], [f32; N_SIGNS]) {
    let n = len_as_float(rows.len().max(1));
    let (mut centres, mut factors) = ([0.0; N_SIGNS], [0.0; N_SIGNS]);
    for (index, (centre, factor)) in centres.iter_mut().zip(&mut factors).enumerate() {
        let value = |row: &u32| f64::from(answers.signs(*row as usize)[index]);
        let mean = rows.iter().map(value).sum::<f64>() / n;
        let variance = rows.iter().map(|row| (value(row) - mean).powi(2)).sum::<f64>() / n;
        let is_constant = variance.sqrt() <= 1e-6 * mean.abs().max(1e-6);
        *centre = narrow(mean);
        *factor = if is_constant { 0.0 } else { narrow(1.0 / variance.sqrt()) };
    }
    (centres, factors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A number of few digits, so that sums in another order would differ in their last bits.
    fn number(at: usize) -> f32 {
        let digits = u16::try_from(at * 7919 % 2003).unwrap();
        (f32::from(digits) - 1000.0) / 37.0
    }

    proptest! {
        /// Rows and columns that are taken together change no bit.
        #[test]
        fn sums_are_those_of_row_after_row(n_rows in 0..11_usize, n_columns in 1..1100_usize) {
            let values: Vec<f32> = (0..n_rows * n_columns).map(number).collect();
            let of_row = |row: usize| -> [f32; 8] { std::array::from_fn(|c| number(3 * row + c)) };
            let dual: Vec<[f32; 8]> = (0..n_rows).map(of_row).collect();
            let weights: Vec<[f32; 8]> = (0..n_columns).map(of_row).collect();
            let mut plain = vec![0.0_f32; 8 * n_columns];
            let mut plain_out = vec![[1.0_f32; 8]; n_rows];
            for row in 0..n_rows {
                let mut sum = [0.0_f32; 8];
                for column in 0..n_columns {
                    let value = values[row * n_columns + column];
                    for c in 0..8 {
                        plain[c * n_columns + column] += value * dual[row][c];
                        sum[c] += value * weights[column][c];
                    }
                }
                plain_out[row] = std::array::from_fn(|c| 1.0 + sum[c]);
            }
            let mut sums = vec![0.0_f32; 8 * n_columns];
            let values = &values[..];
            simd::at_best(Transposing { values, n_columns, dual: &dual, sums: &mut sums });
            prop_assert_eq!(sums, plain);
            let mut out = vec![[1.0_f32; 8]; n_rows];
            simd::at_best(Predicting { values, n_columns, weights: &weights, out: &mut out });
            prop_assert_eq!(out, plain_out);
        }
    }

    #[test]
    fn products_have_the_places_that_scorers_give_them() {
        let mut expected = 0;
        for first in 0..N_INPUTS {
            for second in first..N_INPUTS {
                assert_eq!(product(first, second), expected, "{first} {second}");
                expected += 1;
            }
        }
        assert_eq!(expected, N_PRODUCTS);
    }
}
