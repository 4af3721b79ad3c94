//! Columns that share no row, each solved on its own rows.
//!
//! In a log every row speaks of one model. Side by side, all but one of a row's columns would be
//! multiplied by zero; apart, each column costs as much as it has rows, its weights fit the nearest
//! cache, and products with the transpose can be added up row by row, so that the matrix need not
//! be turned round. The numbers are those of [`Kernel`], added in the same order.

use crate::{
    kernel::{Kernel, Weights},
    solve::{Matrix, Path, ridge_path},
    sums::{BESIDE, DenseRows, DenseSums},
};
use pointsman_core::{features::N_DENSE, simd};
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
    terms: Terms,
    factors: Vec<f32>,
    dense: Vec<[f32; N_DENSE]>,
    single_squares: Vec<f32>,
}

/// Terms' places in a table of weights, in as few bytes as they fit in: they are read twice in every
/// pass, and those of a column then stay in the cache that is next to the processor.
#[derive(Debug)]
enum Terms {
    Short(Vec<u16>),
    Long(Vec<u32>),
}

/// A place in a table of weights.
trait Place: Copy + Into<u32> {
    /// As an index.
    fn index(self) -> usize {
        self.into() as usize
    }
}

impl Place for u16 {}
impl Place for u32 {}

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
        let mut part = Self {
            kernel,
            starts: Vec::with_capacity(rows.len() + 1),
            terms: Terms::of(kernel, &rows),
            factors: Vec::with_capacity(rows.len()),
            dense: Vec::with_capacity(rows.len()),
            single_squares: Vec::with_capacity(rows.len()),
            places: Vec::new(),
        };
        let mut end = 0;
        part.starts.push(end);
        for &row in &rows {
            let (terms, factor, dense) = kernel.row(row as usize);
            end += terms.len();
            part.starts.push(end);
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
        match &self.terms {
            Terms::Short(terms) => self.scatter(terms, dual, &mut sums),
            Terms::Long(terms) => self.scatter(terms, dual, &mut sums),
        }
        let mut dense = [[0.0_f32]; N_DENSE];
        simd::at_best(DenseSums { dual, dense: &self.dense, out: &mut dense });
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
        for ([out], mean) in dense.iter_mut().zip(dense_means) {
            *out -= mean * total;
            at_mean += mean * *out;
        }
        Weights { terms, dense, at_mean: [at_mean] }
    }

    /// Adds each row to the sums of its terms.
    fn scatter(&self, terms: &[impl Place], dual: &[[f32; 1]], sums: &mut [f32]) {
        let rows = dual.iter().zip(&self.factors).zip(self.starts.windows(2));
        for (([value], factor), span) in rows {
            let scaled = value * factor;
            for term in &terms[span[0]..span[1]] {
                sums[term.index()] += scaled;
            }
        }
    }

    /// As [`Kernel::predict`], of these rows alone.
    pub(crate) fn predict(&self, weights: &Weights<1>) -> Vec<[f32; 1]> {
        let (idf, _) = self.kernel.terms();
        let scaled: Vec<f32> =
            weights.terms.iter().zip(idf).map(|([weight], idf)| weight * idf).collect();
        let mut out = match &self.terms {
            Terms::Short(terms) => self.gather(terms, &scaled, weights.at_mean[0]),
            Terms::Long(terms) => self.gather(terms, &scaled, weights.at_mean[0]),
        };
        simd::at_best(DenseRows { dense: &self.dense, weights: &weights.dense, out: &mut out });
        out
    }

    /// What the terms of each row make of it.
    fn gather(&self, all: &[impl Place], weights: &[f32], at_mean: f32) -> Vec<[f32; 1]> {
        let terms = |row: usize| &all[self.starts[row]..self.starts[row + 1]];
        let value = |(factor, sum): (&f32, &f32)| [factor * sum - at_mean];
        let n_rows = self.factors.len();
        let mut out = Vec::with_capacity(n_rows);
        let (chunks, left) = self.factors.as_chunks::<BESIDE>();
        for (chunk, factors) in chunks.iter().enumerate() {
            let four = |first: usize| std::array::from_fn(|at| terms(first + at));
            let rows = [four(chunk * BESIDE), four(chunk * BESIDE + 4)];
            let sums = sums_beside(weights, rows);
            out.extend(factors.iter().zip(sums.as_flattened()).map(value));
        }
        for (row, factor) in (n_rows - left.len()..).zip(left) {
            out.push(value((factor, &add_weights(0.0, weights, terms(row)))));
        }
        out
    }
}

impl Terms {
    /// Those of some rows, one row after the other.
    fn of(kernel: &Kernel, rows: &[u32]) -> Self {
        let terms = || rows.iter().map(|&row| kernel.row(row as usize).0);
        let n_terms = terms().map(<[u32]>::len).sum();
        if u16::try_from(kernel.n_terms()).is_ok() {
            let mut short = Vec::with_capacity(n_terms);
            #[expect(clippy::cast_possible_truncation, reason = "no place is beyond the last")]
            terms().for_each(|row| short.extend(row.iter().map(|&term| term as u16)));
            Self::Short(short)
        } else {
            let mut long = Vec::with_capacity(n_terms);
            terms().for_each(|row| long.extend_from_slice(row));
            Self::Long(long)
        }
    }
}

/// The sums of the weights of some rows' terms, each in the order of its row.
fn sums_beside<P: Place>(weights: &[f32], rows: [[&[P]; 4]; 2]) -> [[f32; 4]; 2] {
    let n_all_have = rows.iter().flatten().map(|row| row.len()).min().unwrap_or(0);
    let weight = |term: &P| weights[term.index()];
    // Sums that have no place in memory stay in registers.
    let add = |[one, two, three, four]: [f32; 4], (((a, b), c), d): (((&P, &P), &P), &P)| {
        [one + weight(a), two + weight(b), three + weight(c), four + weight(d)]
    };
    let [first, second] = rows.map(|[one, two, three, four]| {
        let [one, two] = [one, two].map(|row| &row[..n_all_have]);
        let [three, four] = [three, four].map(|row| &row[..n_all_have]);
        one.iter().zip(two).zip(three).zip(four)
    });
    let (first_sums, second_sums) = first.zip(second).fold(
        ([0.0; 4], [0.0; 4]),
        |(first_sums, second_sums), (first, second)| {
            (add(first_sums, first), add(second_sums, second))
        },
    );
    let rest = |half: usize, at: usize| &rows[half][at][n_all_have..];
    [(0, first_sums), (1, second_sums)].map(|(half, sums)| {
        std::array::from_fn(|at| add_weights(sums[at], weights, rest(half, at)))
    })
}

/// Adds the weights of some terms to a sum, one after the other.
fn add_weights(sum: f32, weights: &[f32], terms: &[impl Place]) -> f32 {
    terms.iter().fold(sum, |sum, term| sum + weights[term.index()])
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
    fn sums_beside_one_another_are_those_of_each_row_alone() {
        let weights: Vec<f32> = (1..40_u16).map(|n| 1.0 / f32::from(n)).collect();
        let all: Vec<u16> = (0..39_u16).map(|n| n * 7 % 39).collect();
        let many = [&all[..21], &all[9..], &all[4..30], &all[1..22]];
        let few = [&all[..], &all[5..17], &all[30..], &all[..0]];
        for rows in [[many, few], [many, many]] {
            let alone = rows.map(|four| four.map(|row| add_weights(0.0, &weights, row).to_bits()));
            let found = sums_beside(&weights, rows).map(|four| four.map(f32::to_bits));
            assert_eq!(found, alone);
        }
    }
}
