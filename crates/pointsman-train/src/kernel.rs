//! Products with the centred, scaled feature matrix of the training rows and with its transpose.
//!
//! Row `i` of the matrix holds `idf_t / length_i` for each of its terms and the standardised dense
//! features times [`DENSE_SCALE`]; columns are centred by their means over all rows. A term's
//! entry is a product of a number of the term and one of the row, so the inner loops only add.
//!
//! A term that occurs in one row alone couples it with no other row: in `X Xᵀ` it adds to the
//! diagonal. Such terms, most of all terms, are left out of the products, are not centred, and get
//! their weights at the end.

use crate::{
    by_term::ByTerm,
    design::Design,
    idf::{squared_idf, unit_idf},
    outcomes::narrow,
    sums::{
        DenseSums, Gather, RowSums, Scatter, TermSums, add_at_mean, scaled, sums_of_dense, times,
        total,
    },
};
use pointsman_core::{
    features::N_DENSE,
    scorer::{DenseScaling, SQUARED_IDF_STEPS},
    simd,
    units::{as_float, len_as_float},
};
use rayon::prelude::*;
use std::sync::OnceLock;

/// What a standard deviation of a dense feature weighs against a whole text of terms.
pub(crate) const DENSE_SCALE: f32 = 0.15;

/// Rows or terms that one parallel task takes; the sums inside a task are in order, so the result
/// does not depend on the number of threads.
const TASK: usize = 512;

/// The feature matrix of some rows of a design.
#[derive(Debug)]
pub(crate) struct Kernel {
    n_rows: usize,
    /// Per bucket of the schema: its squared inverse document frequency, as artifacts store it.
    pub(crate) squared_idf: Vec<u16>,
    pub(crate) dense_scaling: DenseScaling,
    /// Buckets with two rows and more, the most frequent first.
    buckets: Vec<u32>,
    /// Terms that occur once: row and bucket.
    single: Vec<(u32, u32)>,
    idf: Vec<f32>,
    term_means: Vec<f32>,
    row_starts: Vec<usize>,
    row_terms: Vec<u32>,
    /// Made when it is first asked for, because logs can do without.
    by_term: OnceLock<ByTerm>,
    /// One over the length of each row's vector of inverse document frequencies.
    row_factors: Vec<f32>,
    single_squares: Vec<f32>,
    dense: Vec<[f32; N_DENSE]>,
    dense_means: [f32; N_DENSE],
}

/// Where the numbers of a bucket stand, and the squared inverse document frequencies there: first
/// the terms with two rows and more, then those with one. A row's terms look up both, so the two
/// tables are as small as they can be.
struct Slots {
    /// By bucket; of those without rows it means nothing.
    places: Vec<u32>,
    n_shared: u32,
    squared: Vec<u16>,
}

/// Weights of `B` columns, in the coordinates of a [`Kernel`].
#[derive(Debug, Clone)]
pub(crate) struct Weights<const B: usize> {
    pub(crate) terms: Vec<[f32; B]>,
    pub(crate) dense: [[f32; B]; N_DENSE],
    /// `mean of x · weights`, which predictions subtract.
    pub(crate) at_mean: [f32; B],
}

impl Kernel {
    /// The matrix of the given rows of a design.
    pub(crate) fn new(design: &Design, rows: &[u32]) -> Self {
        let n_buckets = design.schema().n_buckets();
        let mut frequency = vec![0_u32; n_buckets];
        for &row in rows {
            for &term in design.terms(row as usize) {
                frequency[term as usize] += 1;
            }
        }
        let squared_idf: Vec<u16> = squared_idf(rows.len(), &frequency);
        let of_frequency = |is_wanted: fn(u32) -> bool| -> Vec<u32> {
            let wanted = (0_u32..).zip(&frequency).filter(|(_, n)| is_wanted(**n));
            wanted.map(|(bucket, _)| bucket).collect()
        };
        let mut buckets = of_frequency(|n| 1 < n);
        buckets.sort_by_key(|&bucket| (u32::MAX - frequency[bucket as usize], bucket));
        let slots = Slots::new(&squared_idf, &buckets, &of_frequency(|n| n == 1));
        let n_single = frequency.iter().filter(|n| **n == 1).count();
        let n_shared = frequency.iter().map(|&n| n as usize).sum::<usize>() - n_single;
        let idf_of = |bucket: u32| unit_idf(squared_idf[bucket as usize]);
        let mut kernel = Self {
            n_rows: rows.len(),
            dense_scaling: DenseScaling { centres: [0.0; N_DENSE], factors: [0.0; N_DENSE] },
            idf: buckets.iter().map(|&bucket| narrow(idf_of(bucket))).collect(),
            term_means: Vec::new(),
            single: Vec::with_capacity(n_single),
            row_starts: Vec::with_capacity(rows.len() + 1),
            row_terms: Vec::with_capacity(n_shared),
            by_term: OnceLock::new(),
            row_factors: Vec::with_capacity(rows.len()),
            single_squares: vec![0.0; rows.len()],
            dense: Vec::new(),
            dense_means: [0.0; N_DENSE],
            buckets,
            squared_idf,
        };
        kernel.row_starts.push(0);
        let mut sums = vec![0.0_f64; kernel.buckets.len()];
        for (index, &row) in (0_u32..).zip(rows) {
            kernel.push_row(index, design.terms(row as usize), (&slots, &mut sums));
        }
        let n = len_as_float(rows.len().max(1));
        let mean = |(sum, idf): (f64, &f32)| narrow(sum * f64::from(*idf) / n);
        kernel.term_means = sums.into_iter().zip(&kernel.idf).map(mean).collect();
        kernel.scale_dense(design, rows);
        kernel
    }

    /// Adds a row, and its factor to the sums of its terms.
    fn push_row(&mut self, index: u32, terms: &[u32], (slots, sums): (&Slots, &mut [f64])) {
        let (first, first_single) = (self.row_terms.len(), self.single.len());
        self.row_terms.extend(terms.iter().map(|&term| slots.places[term as usize]));
        let places = &self.row_terms[first..];
        let squared: u64 =
            places.iter().map(|&place| u64::from(slots.squared[place as usize])).sum();
        if places.iter().any(|&place| slots.n_shared <= place) {
            let is_single = |term: &&u32| slots.n_shared <= slots.places[**term as usize];
            self.single.extend(terms.iter().filter(is_single).map(|&term| (index, term)));
            self.row_terms.truncate(first);
            let all = terms.iter().map(|&term| slots.places[term as usize]);
            self.row_terms.extend(all.filter(|&place| place < slots.n_shared));
        }
        let squared = as_float(squared) / SQUARED_IDF_STEPS;
        let factor = if squared == 0.0 { 0.0 } else { narrow(1.0 / squared.sqrt()) };
        self.row_factors.push(factor);
        self.row_starts.push(self.row_terms.len());
        for &place in &self.row_terms[first..] {
            sums[place as usize] += f64::from(factor);
        }
        for &(_, term) in &self.single[first_single..] {
            let idf = unit_idf(self.squared_idf[term as usize]);
            self.single_squares[index as usize] += narrow(idf * idf / squared);
        }
    }

    fn by_term(&self) -> &ByTerm {
        let make = || ByTerm::new(self.buckets.len(), &self.row_starts, &self.row_terms);
        self.by_term.get_or_init(make)
    }

    fn scale_dense(&mut self, design: &Design, rows: &[u32]) {
        let n = len_as_float(rows.len().max(1));
        let of_row = |row: &u32| design.dense(*row as usize).map(f64::from);
        let means = sums_of_dense(rows.iter().map(of_row)).map(|sum| sum / n);
        let squared = |row: &u32| {
            let mut values = of_row(row);
            for (value, mean) in values.iter_mut().zip(&means) {
                *value = (*value - mean).powi(2);
            }
            values
        };
        let variances = sums_of_dense(rows.iter().map(squared)).map(|sum| sum / n);
        for (index, (mean, variance)) in means.iter().zip(variances).enumerate() {
            self.dense_scaling.centres[index] = narrow(*mean);
            let is_constant = variance.sqrt() <= 1e-6 * mean.abs().max(1e-6);
            self.dense_scaling.factors[index] =
                if is_constant { 0.0 } else { narrow(1.0 / variance.sqrt()) };
        }
        self.dense = rows
            .iter()
            .map(|&row| {
                self.dense_scaling.apply(design.dense(row as usize)).map(|z| z * DENSE_SCALE)
            })
            .collect();
        self.dense_means = sums_of_dense(self.dense.iter().map(|row| row.map(f64::from)))
            .map(|sum| narrow(sum / n));
    }

    /// How many rows the matrix has.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// How many terms occur in two rows and more.
    pub(crate) fn n_terms(&self) -> usize {
        self.buckets.len()
    }

    /// One row: its terms, the factor they share, and its dense features before centring.
    pub(crate) fn row(&self, row: usize) -> (&[u32], f32, &[f32; N_DENSE]) {
        let terms = &self.row_terms[self.row_starts[row]..self.row_starts[row + 1]];
        (terms, self.row_factors[row], &self.dense[row])
    }

    /// The dense features of all rows before centring, which are standardised over them.
    pub(crate) fn dense_rows(&self) -> &[[f32; N_DENSE]] {
        &self.dense
    }

    /// Of each term, the inverse document frequency and the mean over all rows.
    pub(crate) fn terms(&self) -> (&[f32], &[f32]) {
        (&self.idf, &self.term_means)
    }

    /// The means of the dense features.
    pub(crate) fn dense_means(&self) -> &[f32; N_DENSE] {
        &self.dense_means
    }

    /// `Xᵀ U` without the terms that occur once; `dual` is `U`, shape `(n_rows, B)`.
    pub(crate) fn transposed<const B: usize>(&self, dual: &[[f32; B]]) -> Weights<B> {
        let (terms, dense) = self.weights(dual);
        self.with_means(terms, dense)
    }

    /// The same, to the bit. Where the matrix was not turned round yet, it is added up as it lies,
    /// which is less work for once.
    pub(crate) fn transposed_once<const B: usize>(&self, dual: &[[f32; B]]) -> Weights<B> {
        if self.by_term.get().is_some() {
            return self.transposed(dual);
        }
        let rows = &scaled(dual, &self.row_factors);
        let total = total(dual);
        let mut terms: Vec<[f32; B]> = vec![[0.0; B]; self.buckets.len()];
        let (starts, indices) = (&self.row_starts[..], &self.row_terms[..]);
        simd::at_best(Scatter { rows, starts, indices, out: &mut terms });
        for ((out, idf), mean) in terms.iter_mut().zip(&self.idf).zip(&self.term_means) {
            for c in 0..B {
                out[c] = idf * out[c] - mean * total[c];
            }
        }
        self.with_means(terms, self.dense_weights(dual, &total))
    }

    fn with_means<const B: usize>(
        &self,
        terms: Vec<[f32; B]>,
        dense: [[f32; B]; N_DENSE],
    ) -> Weights<B> {
        let mut at_mean = [0.0; B];
        add_at_mean(&mut at_mean, &terms, &self.term_means);
        add_at_mean(&mut at_mean, &dense, &self.dense_means);
        Weights { terms, dense, at_mean }
    }

    /// The weights of terms and dense features that a dual stands for.
    fn weights<const B: usize>(&self, dual: &[[f32; B]]) -> (Vec<[f32; B]>, [[f32; B]; N_DENSE]) {
        let rows = &scaled(dual, &self.row_factors);
        let total = total(dual);
        let ByTerm { starts, rows: indices } = self.by_term();
        let mut terms = vec![[0.0; B]; self.buckets.len()];
        terms.par_chunks_mut(TASK).enumerate().for_each(|(task, out)| {
            let from = task * TASK;
            let gather = Gather { rows, starts: &starts[from..], indices };
            let (idf, means) = (&self.idf[from..], &self.term_means[from..]);
            simd::at_best(TermSums { gather, idf, means, total: &total, out });
        });
        (terms, self.dense_weights(dual, &total))
    }

    fn dense_weights<const B: usize>(
        &self,
        dual: &[[f32; B]],
        total: &[f32; B],
    ) -> [[f32; B]; N_DENSE] {
        let mut dense = [[0.0; B]; N_DENSE];
        simd::at_best(DenseSums { dual, dense: &self.dense, out: &mut dense });
        for (out, mean) in dense.iter_mut().zip(&self.dense_means) {
            for c in 0..B {
                out[c] -= mean * total[c];
            }
        }
        dense
    }

    /// `X Xᵀ U`: what [`Self::predict`] makes of [`Self::transposed`], to the bit, in one table of
    /// weights instead of two.
    pub(crate) fn image_of<const B: usize>(&self, dual: &[[f32; B]]) -> Vec<[f32; B]> {
        let (mut terms, dense) = self.weights(dual);
        let mut at_mean = [0.0; B];
        for ((weights, mean), idf) in terms.iter_mut().zip(&self.term_means).zip(&self.idf) {
            for c in 0..B {
                at_mean[c] += mean * weights[c];
                weights[c] *= idf;
            }
        }
        add_at_mean(&mut at_mean, &dense, &self.dense_means);
        self.predict_scaled(&terms, &dense, &at_mean)
    }

    /// `X W` for all rows, without the terms that occur once.
    pub(crate) fn predict<const B: usize>(&self, weights: &Weights<B>) -> Vec<[f32; B]> {
        let Weights { terms, dense, at_mean } = weights;
        self.predict_scaled(&scaled(terms, &self.idf), dense, at_mean)
    }

    /// The same, of terms' weights that are already times their inverse document frequency.
    fn predict_scaled<const B: usize>(
        &self,
        rows: &[[f32; B]],
        dense_weights: &[[f32; B]; N_DENSE],
        at_mean: &[f32; B],
    ) -> Vec<[f32; B]> {
        let mut out = vec![[0.0; B]; self.n_rows];
        out.par_chunks_mut(TASK).enumerate().for_each(|(task, out)| {
            let from = task * TASK;
            simd::at_best(RowSums {
                gather: Gather { rows, starts: &self.row_starts[from..], indices: &self.row_terms },
                factors: &self.row_factors[from..],
                at_mean,
                dense: &self.dense[from..],
                dense_weights,
                out,
            });
        });
        out
    }

    /// The diagonal that the terms that occur once add to `X Xᵀ`, shape `(n_rows,)`.
    pub(crate) fn single_squares(&self) -> &[f32] {
        &self.single_squares
    }

    /// The weights of terms that occur in two rows and more: as [`Self::for_each_weight`].
    pub(crate) fn for_each_shared_weight<const B: usize>(
        &self,
        weights: &Weights<B>,
        mut visit: impl FnMut(u32, [f32; B]),
    ) {
        for ((&bucket, row), idf) in self.buckets.iter().zip(&weights.terms).zip(&self.idf) {
            visit(bucket, times(row, *idf));
        }
    }

    /// Of each term that occurs in two rows and more, the mean over all rows of the square of the
    /// factor that its weight is multiplied by there.
    pub(crate) fn for_each_mean_square(&self, mut visit: impl FnMut(u32, f64)) {
        let mut sums = vec![0.0_f64; self.buckets.len()];
        for (span, factor) in self.row_starts.windows(2).zip(&self.row_factors) {
            for &term in &self.row_terms[span[0]..span[1]] {
                sums[term as usize] += f64::from(factor * factor);
            }
        }
        let n = len_as_float(self.n_rows.max(1));
        for (&bucket, sum) in self.buckets.iter().zip(sums) {
            visit(bucket, sum / n);
        }
    }

    /// The buckets that [`Self::for_each_weight`] visits, each once, in its order.
    pub(crate) fn weighted_buckets(&self) -> impl Iterator<Item = u32> {
        self.buckets.iter().copied().chain(self.single.iter().map(|&(_, bucket)| bucket))
    }

    /// Hands the final weights over, in the units of a scorer: `visit(bucket, weights)` for each
    /// term, the weights already times the term's inverse document frequency.
    pub(crate) fn for_each_weight<const B: usize>(
        &self,
        weights: &Weights<B>,
        dual: &[[f32; B]],
        mut visit: impl FnMut(u32, [f32; B]),
    ) {
        self.for_each_shared_weight(weights, &mut visit);
        for &(row, bucket) in &self.single {
            let squared_idf = f64::from(self.squared_idf[bucket as usize]) / SQUARED_IDF_STEPS;
            let factor = narrow(squared_idf) * self.row_factors[row as usize];
            visit(bucket, times(&dual[row as usize], factor));
        }
    }
}

impl Slots {
    fn new(squared_idf: &[u16], shared: &[u32], single: &[u32]) -> Self {
        let mut places = vec![u32::MAX; squared_idf.len()];
        let mut squared = Vec::with_capacity(shared.len() + single.len());
        for (place, &bucket) in (0_u32..).zip(shared.iter().chain(single)) {
            places[bucket as usize] = place;
            squared.push(squared_idf[bucket as usize]);
        }
        let n_shared = (0_u32..).zip(shared).map(|(place, _)| place + 1).last().unwrap_or(0);
        Self { places, n_shared, squared }
    }
}

impl<const B: usize> Weights<B> {
    /// Weights of the standardised dense features.
    pub(crate) fn dense(&self) -> [[f32; B]; N_DENSE] {
        self.dense.map(|row| row.map(|weight| weight * DENSE_SCALE))
    }

    /// The prediction of a row with no term and mean dense features, before the column's mean.
    pub(crate) fn offset(&self) -> [f32; B] {
        self.at_mean.map(|value| -value)
    }
}
