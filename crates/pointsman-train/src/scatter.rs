//! Products with the transpose of a matrix that is not turned round: row by row, which is less work for
//! once, and gives the sums of [`TermSums`](crate::sums::TermSums) to the bit.

use crate::{
    kernel::Kernel,
    row_terms::{Place, Places, RowTerms, add_to},
    sums::{DenseSums, add_scaled, scaled},
};
use pointsman_core::{
    features::N_DENSE,
    simd::{self, Job},
};

/// `Σ u_i x_i` over the rows, before anything is centred.
pub(crate) struct Scattered<const B: usize> {
    /// Of each term, before it is multiplied by its inverse document frequency.
    pub(crate) terms: Vec<[f32; B]>,
    pub(crate) dense: [[f32; B]; N_DENSE],
}

impl<const B: usize> Scattered<B> {
    /// Of `dual`, shape `(n_rows, B)`.
    pub(crate) fn of(kernel: &Kernel, dual: &[[f32; B]]) -> Self {
        match &kernel.rows().places {
            Places::Short(places) => Self::by(kernel, places, dual),
            Places::Long(places) => Self::by(kernel, places, dual),
        }
    }

    fn by(kernel: &Kernel, places: &[impl Place], dual: &[[f32; B]]) -> Self {
        let is_apart = |row: &[f32; B]| row.iter().filter(|value| **value != 0.0).count() < 2;
        if dual.iter().all(is_apart) {
            return Self::of_columns_apart(kernel, places, dual);
        }
        let rows = &scaled(dual, &kernel.rows().factors);
        let mut all = Self { terms: vec![[0.0; B]; kernel.n_terms()], dense: [[0.0; B]; N_DENSE] };
        let starts = &kernel.rows().starts;
        simd::at_best(Scatter { rows, starts, places, out: &mut all.terms });
        simd::at_best(DenseSums { dual, dense: kernel.dense_rows(), out: &mut all.dense });
        all
    }

    /// As in a log: every row is of one column, and zeros need not be added to the others.
    fn of_columns_apart(kernel: &Kernel, places: &[impl Place], dual: &[[f32; B]]) -> Self {
        let mut terms: [Vec<f32>; B] = std::array::from_fn(|_| Vec::new());
        let mut dense = [[[0.0]; N_DENSE]; B];
        let RowTerms { starts, factors, .. } = kernel.rows();
        let rows = dual.iter().zip(starts.windows(2)).zip(factors).zip(kernel.dense_rows());
        for (((values, span), factor), dense_of_row) in rows {
            let Some(column) = values.iter().position(|value| *value != 0.0) else { continue };
            let sums = &mut terms[column];
            sums.resize(kernel.n_terms(), 0.0);
            add_to(sums, &places[span[0]..span[1]], values[column] * factor);
            for (sum, value) in dense[column].iter_mut().zip(dense_of_row) {
                add_scaled(sum, *value, &[values[column]]);
            }
        }
        let of_term = |term: usize| terms.each_ref().map(|column| column.get(term).copied());
        let together = |columns: [Option<f32>; B]| columns.map(Option::unwrap_or_default);
        Self {
            terms: (0..kernel.n_terms()).map(|term| together(of_term(term))).collect(),
            dense: std::array::from_fn(|feature| dense.map(|column| column[feature][0])),
        }
    }
}

/// Adds each row to the sums of its terms.
struct Scatter<'a, const B: usize, P> {
    rows: &'a [[f32; B]],
    starts: &'a [usize],
    places: &'a [P],
    out: &'a mut [[f32; B]],
}

impl<const B: usize, P: Place> Job for Scatter<'_, B, P> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        let Self { rows, starts, places, out } = self;
        for (row, span) in rows.iter().zip(starts.windows(2)) {
            for place in &places[span[0]..span[1]] {
                let out = &mut out[place.index()];
                for c in 0..B {
                    out[c] += row[c];
                }
            }
        }
    }
}
