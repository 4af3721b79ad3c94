//! Columns that share no row, each solved on its own rows.
//!
//! In a log every row speaks of one model. Side by side, all but one of a row's columns would be
//! multiplied by zero; apart, each column costs as much as it has rows, its weights fit the nearest
//! cache, and products with the transpose can be added up row by row, so that the matrix need not
//! be turned round. The numbers are those of [`Kernel`], added in the same order.

use crate::{
    kernel::{Kernel, Weights},
    row_terms::{Place, Places, RowTerms, add_to},
    solve::{Matrix, Path, ridge_path},
    sums::{BESIDE, DenseRows, DenseSums},
};
use pointsman_core::{features::N_DENSE, simd};
use rayon::prelude::*;
use std::ops::Range;

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
    /// The rows by how many terms they have, the fewest first: those that are added up side by side
    /// then end together.
    by_length: Vec<u32>,
    starts: Vec<usize>,
    terms: Places,
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
        let RowTerms { starts, places, factors, single_squares, single: _ } = kernel.rows();
        let spans = || rows.iter().map(|&row| starts[row as usize]..starts[row as usize + 1]);
        let mut end = 0;
        let ends = spans().map(|span| {
            end += span.len();
            end
        });
        let own_starts: Vec<usize> = std::iter::once(0).chain(ends).collect();
        Self {
            kernel,
            by_length: by_length(&own_starts),
            terms: match places {
                Places::Short(places) => Places::Short(of_spans(places, spans(), end)),
                Places::Long(places) => Places::Long(of_spans(places, spans(), end)),
            },
            factors: rows.iter().map(|&row| factors[row as usize]).collect(),
            dense: rows.iter().map(|&row| kernel.dense_rows()[row as usize]).collect(),
            single_squares: rows.iter().map(|&row| single_squares[row as usize]).collect(),
            starts: own_starts,
            places: rows,
        }
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
            Places::Short(terms) => self.scatter(terms, dual, &mut sums),
            Places::Long(terms) => self.scatter(terms, dual, &mut sums),
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
            add_to(sums, &terms[span[0]..span[1]], value * factor);
        }
    }

    /// As [`Kernel::predict`], of these rows alone.
    pub(crate) fn predict(&self, weights: &Weights<1>) -> Vec<[f32; 1]> {
        let (idf, _) = self.kernel.terms();
        let scaled: Vec<f32> =
            weights.terms.iter().zip(idf).map(|([weight], idf)| weight * idf).collect();
        let mut out = match &self.terms {
            Places::Short(terms) => self.gather(terms, &scaled, weights.at_mean[0]),
            Places::Long(terms) => self.gather(terms, &scaled, weights.at_mean[0]),
        };
        simd::at_best(DenseRows { dense: &self.dense, weights: &weights.dense, out: &mut out });
        out
    }

    /// What the terms of each row make of it.
    fn gather(&self, all: &[impl Place], weights: &[f32], at_mean: f32) -> Vec<[f32; 1]> {
        let terms = |row: u32| &all[self.starts[row as usize]..self.starts[row as usize + 1]];
        let mut out = vec![[0.0]; self.factors.len()];
        let mut put = |row: u32, sum: f32| {
            out[row as usize] = [self.factors[row as usize] * sum - at_mean];
        };
        let (chunks, left) = self.by_length.as_chunks::<BESIDE>();
        for rows in chunks {
            let four = |first: usize| std::array::from_fn(|at| terms(rows[first + at]));
            let sums = sums_beside(weights, [four(0), four(4)]);
            for (&row, &sum) in rows.iter().zip(sums.as_flattened()) {
                put(row, sum);
            }
        }
        for &row in left {
            put(row, add_weights(0.0, weights, terms(row)));
        }
        out
    }
}

/// What stands in some spans, one after the other; `n` of them.
fn of_spans<P: Place>(all: &[P], spans: impl Iterator<Item = Range<usize>>, n: usize) -> Vec<P> {
    let mut some = Vec::with_capacity(n);
    spans.for_each(|span| some.extend_from_slice(&all[span]));
    some
}

/// Rows that begin at `starts`, the shortest first, equally long ones in their order.
fn by_length(starts: &[usize]) -> Vec<u32> {
    let lengths = || starts.windows(2).map(|span| span[1] - span[0]);
    let mut next = vec![0; lengths().max().map_or(0, |longest| longest + 1)];
    for length in lengths() {
        next[length] += 1;
    }
    let mut n_before = 0;
    for n in &mut next {
        (*n, n_before) = (n_before, n_before + *n);
    }
    let mut rows = vec![0; starts.len() - 1];
    for (row, length) in (0..).zip(lengths()) {
        rows[next[length]] = row;
        next[length] += 1;
    }
    rows
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
    use crate::design::DesignBuilder;
    use pointsman_core::{
        features::{Bigrams, FeatureSchema},
        request::Request,
    };
    use pointsman_testkit::World;

    fn kernel() -> Kernel {
        let world = World::new(3);
        let mut design = DesignBuilder::new(FeatureSchema::new(12, Bigrams::With).unwrap());
        for index in 0..300_u64 {
            design.push(&Request::from_prompt(&world.request(index).prompt));
        }
        Kernel::new(&design.finish(), &(0..300).collect::<Vec<_>>())
    }

    /// To the bit, however wide places are; of the eight columns one has no rows, and some rows no
    /// column.
    #[test]
    fn columns_apart_are_those_of_the_whole_matrix() {
        let value = |row: usize| f32::from(u8::try_from(row * 37 % 101).unwrap()) / 50.0 - 0.99;
        let of_row = |row: usize, c: usize| {
            if !row.is_multiple_of(6) && c == row % 7 { value(row) } else { 0.0 }
        };
        let dual: Vec<[f32; 8]> =
            (0..300).map(|row| std::array::from_fn(|c| of_row(row, c))).collect();
        let bits = |weights: &Weights<8>| -> Vec<u32> {
            let all = weights.terms.iter().chain(&weights.dense).flatten().chain(&weights.at_mean);
            all.map(|value| value.to_bits()).collect()
        };
        let mut before = None;
        for kernel in [kernel(), kernel().widened()] {
            let once = kernel.transposed_once(&dual); // before the matrix is turned round
            let whole = kernel.transposed(&dual);
            let apart = Apart::new(&kernel, dual.as_flattened(), 8).unwrap();
            assert_eq!(bits(&once), bits(&whole));
            assert_eq!(bits(&apart.transposed::<8>(&dual, 0)), bits(&whole));
            let predicted = kernel.predict(&whole);
            for (c, rows) in apart.columns().iter().enumerate() {
                let found = rows.predict(&rows.transposed(&rows.select(&dual, c)));
                assert_eq!(found.len(), rows.places().len());
                for (&row, [value]) in rows.places().iter().zip(found) {
                    let expected = predicted[row as usize][c];
                    assert_eq!(value.to_bits(), expected.to_bits(), "row {row}");
                }
            }
            assert!(apart.columns()[7].places().is_empty());
            assert_eq!(before.get_or_insert_with(|| bits(&whole)), &bits(&whole));
        }
    }

    #[test]
    fn rows_stand_by_their_length() {
        assert_eq!(by_length(&[0, 3, 3, 5, 8, 9]), [1, 4, 2, 0, 3]);
        assert!(by_length(&[0]).is_empty());
    }

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
