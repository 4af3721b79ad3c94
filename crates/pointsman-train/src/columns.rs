//! Fits of many columns, run in blocks of a fixed width so that inner loops have fixed bounds.

use crate::{
    apart::Apart,
    fitted::Fitted,
    kernel::{Kernel, Weights},
    solve::{Path, ridge_path},
};
use pointsman_core::features::N_DENSE;

/// Targets and weights of several columns, each of shape `(n_rows, n_columns)`, row after row.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "how many columns there are")]
pub(crate) struct Columns {
    pub(crate) n_columns: usize,
    pub(crate) target: Vec<f32>,
    pub(crate) weights: Vec<f32>,
}

/// How much effort a fit took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Passes over the matrix, summed over blocks.
    pub(crate) n_iterations: usize,
    /// Columns that had not converged at the end.
    pub(crate) n_unconverged: usize,
}

impl Effort {
    /// That of one path.
    pub(crate) fn of<const B: usize>(path: &Path<B>) -> Self {
        Self { n_iterations: path.n_iterations, n_unconverged: path.n_unconverged }
    }

    /// More of it.
    pub(crate) fn add(&mut self, other: Self) {
        self.n_iterations += other.n_iterations;
        self.n_unconverged += other.n_unconverged;
    }
}

/// The width of blocks for so many columns.
fn width(n_columns: usize) -> usize {
    match n_columns {
        0..=8 => 8,
        9..=16 => 16,
        _ => 32,
    }
}

impl Columns {
    /// Predictions of every row at every strength, each of shape `(n_rows, n_columns)`, without
    /// the effect of terms that occur in one row alone.
    pub(crate) fn predictions(
        &self,
        kernel: &Kernel,
        strengths: &[f64],
    ) -> (Vec<Vec<f32>>, Effort) {
        match width(self.n_columns) {
            8 => self.predictions_in_blocks::<8>(kernel, strengths),
            16 => self.predictions_in_blocks::<16>(kernel, strengths),
            _ => self.predictions_in_blocks::<32>(kernel, strengths),
        }
    }

    /// Duals of shape `(n_rows, n_columns)`, one for each set of `shares`: the mean of the
    /// strengths' duals by shares of shape `(strengths, n_columns)`.
    pub(crate) fn duals(
        &self,
        kernel: &Kernel,
        strengths: &[f64],
        shares: &[&[Vec<f64>]],
    ) -> (Vec<Vec<f32>>, Effort) {
        match width(self.n_columns) {
            8 => self.duals_in_blocks::<8>(kernel, strengths, shares),
            16 => self.duals_in_blocks::<16>(kernel, strengths, shares),
            _ => self.duals_in_blocks::<32>(kernel, strengths, shares),
        }
    }

    fn predictions_in_blocks<const B: usize>(
        &self,
        kernel: &Kernel,
        strengths: &[f64],
    ) -> (Vec<Vec<f32>>, Effort) {
        let mut effort = Effort::default();
        let mut all = vec![vec![0.0; self.target.len()]; strengths.len()];
        let apart = Apart::new(kernel, &self.weights, self.n_columns);
        for from in (0..self.n_columns).step_by(B) {
            let path = self.solve::<B>((kernel, apart.as_ref()), strengths, from, &mut effort);
            for (out, dual) in all.iter_mut().zip(&path.duals) {
                let predicted = kernel.predict(&transposed((kernel, apart.as_ref()), dual, from));
                put(out, self.n_columns, from, &predicted);
            }
        }
        (all, effort)
    }

    fn duals_in_blocks<const B: usize>(
        &self,
        kernel: &Kernel,
        strengths: &[f64],
        shares: &[&[Vec<f64>]],
    ) -> (Vec<Vec<f32>>, Effort) {
        let mut effort = Effort::default();
        let mut all = vec![vec![0.0; self.target.len()]; shares.len()];
        let apart = Apart::new(kernel, &self.weights, self.n_columns);
        for from in (0..self.n_columns).step_by(B) {
            let path = self.solve::<B>((kernel, apart.as_ref()), strengths, from, &mut effort);
            for (out, shares) in all.iter_mut().zip(shares) {
                put(out, self.n_columns, from, &averaged(&path.duals, shares, from));
            }
        }
        (all, effort)
    }

    fn solve<const B: usize>(
        &self,
        (kernel, apart): (&Kernel, Option<&Apart<'_>>),
        strengths: &[f64],
        from: usize,
        effort: &mut Effort,
    ) -> Path<B> {
        let of_block = |values| block::<B>(values, self.n_columns, from);
        let path = match apart {
            Some(apart) => apart.ridge_path((&self.target, &self.weights), strengths, from),
            None => {
                ridge_path(kernel, &of_block(&self.target), &of_block(&self.weights), strengths)
            }
        };
        effort.add(Effort::of(&path));
        path
    }
}

impl Fitted {
    /// The weights that a dual of shape `(n_rows, n_columns)` stands for.
    pub(crate) fn new(kernel: &Kernel, dual: &[f32], n_columns: usize) -> Self {
        match width(n_columns) {
            8 => Self::in_blocks::<8>(kernel, dual, n_columns),
            16 => Self::in_blocks::<16>(kernel, dual, n_columns),
            _ => Self::in_blocks::<32>(kernel, dual, n_columns),
        }
    }

    fn in_blocks<const B: usize>(kernel: &Kernel, dual: &[f32], n_columns: usize) -> Self {
        let (buckets, place) = ascending(kernel);
        let mut fitted = Self {
            terms: vec![0.0; buckets.len() * n_columns],
            dense: vec![0.0; N_DENSE * n_columns],
            offsets: vec![0.0; n_columns],
            buckets,
        };
        for from in (0..n_columns).step_by(B) {
            let dual = block::<B>(dual, n_columns, from);
            let weights = if n_columns <= B {
                kernel.transposed_once(&dual)
            } else {
                kernel.transposed(&dual)
            };
            put(&mut fitted.dense, n_columns, from, &weights.dense());
            put(&mut fitted.offsets, n_columns, from, &[weights.offset()]);
            kernel.for_each_weight(&weights, &dual, |bucket, values| {
                let start = place[bucket as usize] * n_columns;
                put(&mut fitted.terms[start..start + n_columns], n_columns, from, &[values]);
            });
        }
        fitted
    }
}

/// The buckets that have weights, ascending, and by bucket its place among them.
fn ascending(kernel: &Kernel) -> (Vec<u32>, Vec<usize>) {
    let mut place = vec![usize::MAX; kernel.squared_idf.len()];
    for bucket in kernel.weighted_buckets() {
        place[bucket as usize] = 0;
    }
    let mut buckets = Vec::new();
    for (bucket, place) in (0_u32..).zip(&mut place) {
        if *place == 0 {
            *place = buckets.len();
            buckets.push(bucket);
        }
    }
    (buckets, place)
}

/// Up to `B` columns of `values`, of shape `(rows, n_columns)`, from one on.
pub(crate) fn block<const B: usize>(
    values: &[f32],
    n_columns: usize,
    from: usize,
) -> Vec<[f32; B]> {
    let row = |row: &[f32]| std::array::from_fn(|c| row.get(from + c).copied().unwrap_or(0.0));
    values.chunks_exact(n_columns).map(row).collect()
}

/// Puts such columns back.
pub(crate) fn put<const B: usize>(
    values: &mut [f32],
    n_columns: usize,
    from: usize,
    block: &[[f32; B]],
) {
    for (out, row) in values.chunks_exact_mut(n_columns).zip(block) {
        for (out, value) in out[from..].iter_mut().zip(row) {
            *out = *value;
        }
    }
}

fn transposed<const B: usize>(
    (kernel, apart): (&Kernel, Option<&Apart<'_>>),
    dual: &[[f32; B]],
    from: usize,
) -> Weights<B> {
    match apart {
        Some(apart) => apart.transposed(dual, from),
        None => kernel.transposed(dual),
    }
}

fn averaged<const B: usize>(
    duals: &[Vec<[f32; B]>],
    shares: &[Vec<f64>],
    from: usize,
) -> Vec<[f32; B]> {
    let mut mean = vec![[0.0; B]; duals.first().map_or(0, Vec::len)];
    for (dual, shares) in duals.iter().zip(shares) {
        let share: [f32; B] = std::array::from_fn(|c| {
            shares.get(from + c).map_or(0.0, |share| crate::outcomes::narrow(*share))
        });
        for (mean, row) in mean.iter_mut().zip(dual) {
            for c in 0..B {
                mean[c] += share[c] * row[c];
            }
        }
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::DesignBuilder;
    use pointsman_core::{
        features::{Bigrams, FeatureSchema},
        request::Request,
    };

    /// Terms that occur once and terms that occur often, in more columns than one block has.
    #[test]
    fn weights_stand_beside_their_buckets_in_order() {
        let mut builder = DesignBuilder::new(FeatureSchema::new(10, Bigrams::With).unwrap());
        for index in 0..30 {
            let colour = ["red", "green", "blue"][index % 3];
            let once = "x".repeat(index);
            builder.push(&Request::from_prompt(&format!("often {colour} once{once}")));
        }
        let kernel = Kernel::new(&builder.finish(), &(0..30).collect::<Vec<_>>());
        let n_columns = 40;
        let value = |at: usize| f32::from(u8::try_from(at * 31 % 97).unwrap()) - 48.0;
        let dual: Vec<f32> = (0..30 * n_columns).map(value).collect();
        let fitted = Fitted::new(&kernel, &dual, n_columns);
        assert!(fitted.buckets.is_sorted_by(|a, b| a < b));
        assert_eq!(fitted.buckets.len(), kernel.weighted_buckets().count());
        for (column, from) in [(0, 0), (33, 32), (39, 32)] {
            let dual = block::<32>(&dual, n_columns, from);
            kernel.for_each_weight(&kernel.transposed(&dual), &dual, |bucket, values| {
                let at = fitted.buckets.binary_search(&bucket).unwrap();
                assert_eq!(fitted.terms[at * n_columns + column], values[column - from]);
            });
        }
    }
}
