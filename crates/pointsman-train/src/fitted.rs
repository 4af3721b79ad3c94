//! Weights as they come out of a fit, and on their way into a scorer.

use crate::{
    blend::Scale,
    kernel::{Kernel, Weights},
    slopes::multiply,
};
use pointsman_core::simd::{self, Job};

/// Weights of all columns, as a scorer needs them.
#[derive(Debug, Clone)]
pub(crate) struct Fitted {
    /// Buckets with weights, in ascending order.
    pub(crate) buckets: Vec<u32>,
    /// Shape `(buckets, n_columns)`, already times the inverse document frequency.
    pub(crate) terms: Vec<f32>,
    /// Shape `(N_DENSE, n_columns)`, per standard deviation.
    pub(crate) dense: Vec<f32>,
    /// Shape `(n_columns,)`: the prediction before a column's mean is added.
    pub(crate) offsets: Vec<f32>,
}

impl Fitted {
    /// Puts the first `n_columns` columns to scale.
    pub(crate) fn scale(&mut self, n_columns: usize, scale: Scale) {
        let width = self.offsets.len();
        for rows in [&mut self.terms, &mut self.dense, &mut self.offsets] {
            for row in rows.chunks_exact_mut(width) {
                scale.apply(&mut row[..n_columns]);
            }
        }
    }

    /// Multiplies each of the first columns by a slope of its own.
    pub(crate) fn slope(&mut self, slopes: &[f64]) {
        let width = self.offsets.len();
        for rows in [&mut self.terms, &mut self.dense, &mut self.offsets] {
            for row in rows.chunks_exact_mut(width) {
                multiply(row, slopes);
            }
        }
    }

    /// Adds columns; terms that occur once say nothing in them.
    pub(crate) fn append<const B: usize>(&mut self, kernel: &Kernel, weights: &Weights<B>) {
        let width = self.offsets.len();
        let widened = |row: &[f32], more: &[f32; B]| [row, more].concat();
        let mut of_bucket = vec![[0.0; B]; self.buckets.len()];
        kernel.for_each_shared_weight(weights, |bucket, row| {
            if let Ok(at) = self.buckets.binary_search(&bucket) {
                of_bucket[at] = row;
            }
        });
        let terms = self.terms.chunks_exact(width).zip(&of_bucket);
        self.terms = terms.flat_map(|(row, more)| widened(row, more)).collect();
        let dense = self.dense.chunks_exact(width).zip(weights.dense());
        self.dense = dense.flat_map(|(row, more)| widened(row, &more)).collect();
        self.offsets.extend(weights.offset());
    }

    /// Terms' weights as bytes, shape `(n_buckets, n_columns)`, and what one unit of each column
    /// is worth.
    pub(crate) fn in_bytes(&self, n_buckets: usize) -> (Vec<i8>, Vec<f32>) {
        let n_columns = self.offsets.len();
        let mut largest = vec![0.0_f32; n_columns];
        for row in self.terms.chunks_exact(n_columns) {
            for (largest, value) in largest.iter_mut().zip(row) {
                *largest = largest.max(value.abs());
            }
        }
        let scales: Vec<f32> =
            largest.iter().map(|&value| if value == 0.0 { 1.0 } else { value / 127.0 }).collect();
        let mut weights = vec![0_i8; n_buckets * n_columns];
        simd::at_best(Rounding { fitted: self, scales: &scales, out: &mut weights });
        (weights, scales)
    }
}

/// Terms' weights in units of their columns' scales, each to the nearest byte.
struct Rounding<'a> {
    fitted: &'a Fitted,
    scales: &'a [f32],
    /// Shape `(n_buckets, n_columns)`.
    out: &'a mut [i8],
}

impl Job for Rounding<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        let Self { fitted, scales, out } = self;
        let n_columns = scales.len();
        for (&bucket, row) in fitted.buckets.iter().zip(fitted.terms.chunks_exact(n_columns)) {
            let out = &mut out[bucket as usize * n_columns..][..n_columns];
            for ((out, value), scale) in out.iter_mut().zip(row).zip(scales) {
                *out = rounded(value / scale);
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "within 127 by the choice of the scale")]
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
fn rounded(value: f32) -> i8 {
    value.round().clamp(-127.0, 127.0) as i8
}
