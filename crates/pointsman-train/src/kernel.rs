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
    row_terms::{Frequencies, Place, Places, RowTerms},
    scatter::Scattered,
    sums::{
        DenseSums, Gather, RowSums, TermSums, add_at_mean, scaled, sums_of_dense, times, total,
    },
};
use pointsman_core::{
    features::N_DENSE,
    scorer::{DenseScaling, SQUARED_IDF_STEPS},
    simd,
    units::len_as_float,
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
    rows: RowTerms,
    idf: Vec<f32>,
    term_means: Vec<f32>,
    /// Made when it is first asked for, because logs can do without.
    by_term: OnceLock<ByTerm>,
    dense: Vec<[f32; N_DENSE]>,
    dense_means: [f32; N_DENSE],
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
        let shared = (0_u32..).zip(&frequency).filter(|(_, n)| 1 < **n);
        let mut buckets: Vec<u32> = shared.map(|(bucket, _)| bucket).collect();
        buckets.sort_by_key(|&bucket| (u32::MAX - frequency[bucket as usize], bucket));
        let frequencies =
            Frequencies { n_rows: &frequency, squared_idf: &squared_idf, shared: &buckets };
        let (row_terms, sums) = RowTerms::new(design, rows, &frequencies);
        let idf_of = |&bucket: &u32| narrow(unit_idf(squared_idf[bucket as usize]));
        let idf: Vec<f32> = buckets.iter().map(idf_of).collect();
        let n = len_as_float(rows.len().max(1));
        let mean = |(sum, idf): (f64, &f32)| narrow(sum * f64::from(*idf) / n);
        let mut kernel = Self {
            n_rows: rows.len(),
            dense_scaling: DenseScaling { centres: [0.0; N_DENSE], factors: [0.0; N_DENSE] },
            term_means: sums.into_iter().zip(&idf).map(mean).collect(),
            idf,
            rows: row_terms,
            by_term: OnceLock::new(),
            dense: Vec::new(),
            dense_means: [0.0; N_DENSE],
            buckets,
            squared_idf,
        };
        kernel.scale_dense(design, rows);
        kernel
    }

    /// The same with places in four bytes, as of more terms.
    #[cfg(test)]
    pub(crate) fn widened(mut self) -> Self {
        if let Places::Short(places) = &self.rows.places {
            self.rows.places = Places::Long(places.iter().copied().map(u32::from).collect());
        }
        self
    }

    fn by_term(&self) -> &ByTerm {
        self.by_term.get_or_init(|| match &self.rows.places {
            Places::Short(places) => ByTerm::new(self.buckets.len(), &self.rows.starts, places),
            Places::Long(places) => ByTerm::new(self.buckets.len(), &self.rows.starts, places),
        })
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

    /// The terms of all rows.
    pub(crate) fn rows(&self) -> &RowTerms {
        &self.rows
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
        let total = total(dual);
        let Scattered { mut terms, mut dense } = Scattered::of(self, dual);
        for ((out, idf), mean) in terms.iter_mut().zip(&self.idf).zip(&self.term_means) {
            for c in 0..B {
                out[c] = idf * out[c] - mean * total[c];
            }
        }
        self.centre_dense(&mut dense, &total);
        self.with_means(terms, dense)
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
        let rows = &scaled(dual, &self.rows.factors);
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
        self.centre_dense(&mut dense, total);
        dense
    }

    fn centre_dense<const B: usize>(&self, dense: &mut [[f32; B]; N_DENSE], total: &[f32; B]) {
        for (out, mean) in dense.iter_mut().zip(&self.dense_means) {
            for c in 0..B {
                out[c] -= mean * total[c];
            }
        }
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
        weights: &[[f32; B]],
        dense_weights: &[[f32; B]; N_DENSE],
        at_mean: &[f32; B],
    ) -> Vec<[f32; B]> {
        match &self.rows.places {
            Places::Short(places) => self.predict_by(places, weights, (dense_weights, at_mean)),
            Places::Long(places) => self.predict_by(places, weights, (dense_weights, at_mean)),
        }
    }

    fn predict_by<const B: usize>(
        &self,
        indices: &[impl Place],
        rows: &[[f32; B]],
        (dense_weights, at_mean): (&[[f32; B]; N_DENSE], &[f32; B]),
    ) -> Vec<[f32; B]> {
        let mut out = vec![[0.0; B]; self.n_rows];
        out.par_chunks_mut(TASK).enumerate().for_each(|(task, out)| {
            let from = task * TASK;
            simd::at_best(RowSums {
                gather: Gather { rows, starts: &self.rows.starts[from..], indices },
                factors: &self.rows.factors[from..],
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
        &self.rows.single_squares
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
        let sums = self.rows.sums_of_squares(self.buckets.len());
        let n = len_as_float(self.n_rows.max(1));
        for (&bucket, sum) in self.buckets.iter().zip(sums) {
            visit(bucket, sum / n);
        }
    }

    /// The buckets that [`Self::for_each_weight`] visits, each once, in its order.
    pub(crate) fn weighted_buckets(&self) -> impl Iterator<Item = u32> {
        self.buckets.iter().copied().chain(self.rows.single.iter().map(|&(_, bucket)| bucket))
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
        for &(row, bucket) in &self.rows.single {
            let squared_idf = f64::from(self.squared_idf[bucket as usize]) / SQUARED_IDF_STEPS;
            let factor = narrow(squared_idf) * self.rows.factors[row as usize];
            visit(bucket, times(&dual[row as usize], factor));
        }
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
