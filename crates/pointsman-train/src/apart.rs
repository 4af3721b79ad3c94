//! Columns that share no row, each solved on its own rows.
//!
//! In a log every row speaks of one model. Side by side, all but one of a row's columns would be
//! multiplied by zero; apart, each column costs as much as it has rows, its weights fit the nearest
//! cache, and products with the transpose can be added up row by row, so that the matrix need not
//! be turned round. The numbers are those of [`Kernel`], added in the same order.

use crate::{
    kernel::{Kernel, Weights},
    solve::{Matrix, Path, ridge_path},
};
use pointsman_core::features::N_DENSE;
use rayon::prelude::*;

/// The columns' rows of one kernel.
#[derive(Debug)]
pub(crate) struct Apart<'k> {
    columns: Vec<Rows<'k>>,
}

/// Some rows of a kernel, centred by the means over all of its rows.
#[derive(Debug)]
pub(crate) struct Rows<'k> {
    kernel: &'k Kernel,
    /// Their places in the kernel, ascending.
    places: Vec<u32>,
    starts: Vec<usize>,
    terms: Vec<u32>,
    factors: Vec<f32>,
    dense: Vec<[f32; N_DENSE]>,
    single_squares: Vec<f32>,
}

impl<'k> Apart<'k> {
    /// The rows of each column; `None` where a row has weights in more than one. `weights` is of
    /// shape `(n_rows, n_columns)`.
    pub(crate) fn new(kernel: &'k Kernel, weights: &[f32], n_columns: usize) -> Option<Self> {
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); n_columns];
        for (index, row) in (0_u32..).zip(weights.chunks_exact(n_columns)) {
            let mut used = (0..n_columns).filter(|&column| row[column] != 0.0);
            if let Some(column) = used.next() {
                rows[column].push(index);
            }
            if used.next().is_some() {
                return None;
            }
        }
        let columns = rows.into_par_iter().map(|rows| Rows::new(kernel, rows)).collect();
        Some(Self { columns })
    }

    /// As [`ridge_path`], for `B` columns from `from` on; `target` and `weights` are of shape
    /// `(n_rows, n_columns)`.
    pub(crate) fn ridge_path<const B: usize>(
        &self,
        (target, weights): (&[f32], &[f32]),
        strengths: &[f64],
        from: usize,
    ) -> Path<B> {
        let columns = self.block::<B>(from);
        let n_columns = self.columns.len();
        let paths: Vec<Path<1>> = columns
            .par_iter()
            .enumerate()
            .map(|(c, column)| {
                let of_column = |values: &[f32]| -> Vec<[f32; 1]> {
                    column.values(values, (n_columns, from + c)).collect()
                };
                ridge_path(column, &of_column(target), &of_column(weights), strengths)
            })
            .collect();
        let n_rows = target.len() / n_columns;
        let mut duals = vec![vec![[0.0; B]; n_rows]; strengths.len()];
        for (c, (column, path)) in columns.iter().zip(&paths).enumerate() {
            for (out, dual) in duals.iter_mut().zip(&path.duals) {
                for (&row, value) in column.places.iter().zip(dual) {
                    out[row as usize][c] = value[0];
                }
            }
        }
        Path {
            duals,
            n_iterations: paths.iter().map(|path| path.n_iterations).max().unwrap_or(0),
            n_unconverged: paths.iter().map(|path| path.n_unconverged).sum(),
        }
    }

    /// As [`Kernel::transposed`], for the columns from `from` on.
    pub(crate) fn transposed<const B: usize>(&self, dual: &[[f32; B]], from: usize) -> Weights<B> {
        let columns = self.block::<B>(from);
        let apart: Vec<Weights<1>> = columns
            .par_iter()
            .enumerate()
            .map(|(c, column)| column.transposed(&column.select(dual, c)))
            .collect();
        let n_terms = columns.first().map_or(0, |column| column.kernel.n_terms());
        Weights::joined(&apart, n_terms)
    }

    /// The rows of every column.
    pub(crate) fn columns(&self) -> &[Rows<'k>] {
        &self.columns
    }

    fn block<const B: usize>(&self, from: usize) -> &[Rows<'k>] {
        &self.columns[from..self.columns.len().min(from + B)]
    }
}

impl<'k> Rows<'k> {
    fn new(kernel: &'k Kernel, rows: Vec<u32>) -> Self {
        let n_terms = rows.iter().map(|&row| kernel.row(row as usize).0.len()).sum();
        let mut part = Self {
            kernel,
            starts: Vec::with_capacity(rows.len() + 1),
            terms: Vec::with_capacity(n_terms),
            factors: Vec::with_capacity(rows.len()),
            dense: Vec::with_capacity(rows.len()),
            single_squares: Vec::with_capacity(rows.len()),
            places: Vec::new(),
        };
        part.starts.push(0);
        for &row in &rows {
            let (terms, factor, dense) = kernel.row(row as usize);
            part.terms.extend_from_slice(terms);
            part.starts.push(part.terms.len());
            part.factors.push(factor);
            part.dense.push(*dense);
            part.single_squares.push(kernel.single_squares()[row as usize]);
        }
        part.places = rows;
        part
    }

    fn select<const B: usize>(&self, values: &[[f32; B]], column: usize) -> Vec<[f32; 1]> {
        self.places.iter().map(|&row| [values[row as usize][column]]).collect()
    }

    /// The values of these rows in one of the columns of a matrix of shape `(n_rows, n_columns)`.
    pub(crate) fn values(
        &self,
        matrix: &[f32],
        (n_columns, column): (usize, usize),
    ) -> impl Iterator<Item = [f32; 1]> {
        self.places.iter().map(move |&row| [matrix[row as usize * n_columns + column]])
    }

    /// Their places in the kernel, ascending.
    pub(crate) fn places(&self) -> &[u32] {
        &self.places
    }

    /// As [`Kernel::transposed`], of these rows alone.
    pub(crate) fn transposed(&self, dual: &[[f32; 1]]) -> Weights<1> {
        let total: f32 = dual.iter().fold(0.0, |sum, [value]| sum + value);
        let mut sums = vec![0.0_f32; self.kernel.n_terms()];
        let mut dense = [0.0_f32; N_DENSE];
        for (row, [value]) in dual.iter().enumerate() {
            let scaled = value * self.factors[row];
            for &term in &self.terms[self.starts[row]..self.starts[row + 1]] {
                sums[term as usize] += scaled;
            }
            for (out, feature) in dense.iter_mut().zip(&self.dense[row]) {
                *out += feature * value;
            }
        }
        let (idf, term_means) = self.kernel.terms();
        let dense_means = self.kernel.dense_means();
        let mut at_mean = 0.0;
        let terms = sums
            .iter()
            .zip(idf)
            .zip(term_means)
            .map(|((sum, idf), mean)| {
                let weight = idf * sum - mean * total;
                at_mean += mean * weight;
                [weight]
            })
            .collect();
        for (out, mean) in dense.iter_mut().zip(dense_means) {
            *out -= mean * total;
            at_mean += mean * *out;
        }
        Weights { terms, dense: dense.map(|weight| [weight]), at_mean: [at_mean] }
    }

    /// As [`Kernel::predict`], of these rows alone.
    pub(crate) fn predict(&self, weights: &Weights<1>) -> Vec<[f32; 1]> {
        let (idf, _) = self.kernel.terms();
        let scaled: Vec<f32> =
            weights.terms.iter().zip(idf).map(|([weight], idf)| weight * idf).collect();
        let terms = |row: usize| &self.terms[self.starts[row]..self.starts[row + 1]];
        let with_dense = |(row, of_terms): (usize, f32)| {
            let start = self.factors[row] * of_terms - weights.at_mean[0];
            let add = |sum, (value, [weight]): (&f32, &[f32; 1])| sum + value * weight;
            [self.dense[row].iter().zip(&weights.dense).fold(start, add)]
        };
        let n_rows = self.dense.len();
        let n_in_fours = n_rows - n_rows % 4;
        let mut out = Vec::with_capacity(n_rows);
        for first in (0..n_in_fours).step_by(4) {
            let sums = four_sums(&scaled, std::array::from_fn(|at| terms(first + at)));
            out.extend((first..).zip(sums).map(with_dense));
        }
        let last = (n_in_fours..n_rows).map(|row| (row, add_weights(0.0, &scaled, terms(row))));
        out.extend(last.map(with_dense));
        out
    }
}

/// The sums of the weights of four rows' terms, each in the order of its row. Side by side, because an
/// addition waits for the one before.
fn four_sums(weights: &[f32], rows: [&[u32]; 4]) -> [f32; 4] {
    let n_all_have = rows.iter().map(|row| row.len()).min().unwrap_or(0);
    let [one, two, three, four] = rows.map(|row| row.split_at(n_all_have));
    let mut sums = [0.0_f32; 4];
    for (((&a, &b), &c), &d) in one.0.iter().zip(two.0).zip(three.0).zip(four.0) {
        for (sum, term) in sums.iter_mut().zip([a, b, c, d]) {
            *sum += weights[term as usize];
        }
    }
    for (sum, (_, rest)) in sums.iter_mut().zip([one, two, three, four]) {
        *sum = add_weights(*sum, weights, rest);
    }
    sums
}

/// Adds the weights of some terms to a sum, one after the other.
fn add_weights(sum: f32, weights: &[f32], terms: &[u32]) -> f32 {
    terms.iter().fold(sum, |sum, &term| sum + weights[term as usize])
}

impl<const B: usize> Weights<B> {
    /// Up to `B` single columns, side by side.
    pub(crate) fn joined(columns: &[Weights<1>], n_terms: usize) -> Self {
        let mut joined =
            Self { terms: vec![[0.0; B]; n_terms], dense: [[0.0; B]; N_DENSE], at_mean: [0.0; B] };
        for (c, one) in columns.iter().enumerate() {
            for (out, value) in joined.terms.iter_mut().zip(&one.terms) {
                out[c] = value[0];
            }
            for (out, value) in joined.dense.iter_mut().zip(&one.dense) {
                out[c] = value[0];
            }
            joined.at_mean[c] = one.at_mean[0];
        }
        joined
    }
}

impl Matrix<1> for Rows<'_> {
    fn n_rows(&self) -> usize {
        self.places.len()
    }

    fn image(&self, dual: &[[f32; 1]]) -> Vec<[f32; 1]> {
        self.predict(&self.transposed(dual))
    }

    fn single_squares(&self) -> &[f32] {
        &self.single_squares
    }

    fn dense(&self) -> Option<&[[f32; N_DENSE]]> {
        Some(&self.dense)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_sums_are_those_of_each_row_alone() {
        let weights: Vec<f32> = (1..40_u16).map(|n| 1.0 / f32::from(n)).collect();
        let all: Vec<u32> = (0..39_u32).map(|n| n * 7 % 39).collect();
        for rows in [
            [&all[..], &all[5..17], &all[30..], &all[..0]],
            [&all[..21], &all[9..], &all[4..30], &all[1..22]],
        ] {
            let alone = rows.map(|row| add_weights(0.0, &weights, row).to_bits());
            assert_eq!(four_sums(&weights, rows).map(f32::to_bits), alone);
        }
    }
}
