//! Weighted mean and spread in one pass, mergeable over partitions.
//!
//! Sums of squares lose every digit when rewards sit far from zero; deviations from the running
//! mean do not. Its weakness: merging in another order changes the last bits, so partitions are
//! merged in their own order.
//!
//! Source: Chan, Golub & `LeVeque`, "Updating Formulae and a Pairwise Algorithm for Computing
//! Sample Variances", 1979; West's weighted form of the same year.

/// Values whose mean is taken before it is merged.
const BLOCK: usize = 512;

/// Sums that are kept side by side.
const LANES: usize = 8;

/// Total weight, weighted mean and weighted sum of squared deviations of a column.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    total_weight: f64,
    mean: f64,
    squared_deviations: f64,
}

impl Moments {
    /// The moments of `values`, each counted once.
    pub fn of(values: &[f64]) -> Self {
        let mut moments = Self::default();
        values.chunks(BLOCK).for_each(|block| moments.push_block(block));
        moments
    }

    /// Adds values that each count once: first their own mean, then their distances from it.
    /// Fastest for a few hundred at a time.
    pub fn push_block(&mut self, values: &[f64]) {
        let total_weight = float_of(values.len());
        let mean = ordered_sum(values, |value| value) / total_weight.max(1.0);
        let squared_deviations = ordered_sum(values, |value| (value - mean) * (value - mean));
        self.merge(&Self { total_weight, mean, squared_deviations });
    }

    /// Adds values with their weights, as [`Self::push_block`].
    pub(crate) fn push_weighted_block(&mut self, values: &[f64], weights: &[f64]) {
        let total_weight = ordered_sum(weights, |weight| weight);
        if total_weight == 0.0 {
            return;
        }
        let mean = ordered_sum_of_pairs::<LANES>(values, weights, |value, weight| value * weight)
            / total_weight;
        let squared_deviations = ordered_sum_of_pairs::<LANES>(values, weights, |value, weight| {
            weight * ((value - mean) * (value - mean))
        });
        self.merge(&Self { total_weight, mean, squared_deviations });
    }

    /// Adds one value. A weight of zero adds nothing; weights are never negative.
    pub fn push(&mut self, value: f64, weight: f64) {
        self.merge(&Self { total_weight: weight, mean: value, squared_deviations: 0.0 });
    }

    /// Adds the rows that `other` has seen, as if they had followed those of `self`.
    pub fn merge(&mut self, other: &Self) {
        if other.total_weight == 0.0 {
            return;
        }
        if self.total_weight == 0.0 {
            *self = *other;
            return;
        }
        let total = self.total_weight + other.total_weight;
        let share = other.total_weight / total;
        let gap = other.mean - self.mean;
        self.mean += gap * share;
        self.squared_deviations += other.squared_deviations + gap * gap * share * self.total_weight;
        self.total_weight = total;
    }

    /// The sum of the weights; the number of rows where each counts once.
    pub fn total_weight(&self) -> f64 {
        self.total_weight
    }

    /// The weighted mean; zero before the first row.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The weighted sum of squared distances from `centre`.
    pub fn squared_distances_from(&self, centre: f64) -> f64 {
        let gap = self.mean - centre;
        self.squared_deviations + self.total_weight * gap * gap
    }

    /// The standard error of the mean, where each row counts once and there are at least two.
    ///
    /// Sample variance has the denominator `n - 1`. `None` for fewer than two rows.
    pub fn std_error(&self) -> Option<f64> {
        let n_rows = self.total_weight;
        (n_rows >= 2.0).then(|| (self.squared_deviations / (n_rows - 1.0) / n_rows).sqrt())
    }
}

/// How two columns vary together: their means and the sum of the products of their deviations.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct CoMoments {
    n_rows: f64,
    means: (f64, f64),
    products: f64,
}

impl CoMoments {
    /// Adds pairs of values.
    pub(crate) fn push_block(&mut self, left: &[f64], right: &[f64]) {
        let n_rows = float_of(left.len());
        let mean = |values: &[f64]| ordered_sum(values, |value| value) / n_rows.max(1.0);
        let means = (mean(left), mean(right));
        let products = ordered_sum_of_pairs::<LANES>(left, right, |left, right| {
            (left - means.0) * (right - means.1)
        });
        self.merge(&Self { n_rows, means, products });
    }

    /// Adds the rows that `other` has seen, as if they had followed those of `self`.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.n_rows == 0.0 {
            return;
        }
        let total = self.n_rows + other.n_rows;
        let share = other.n_rows / total;
        let gaps = (other.means.0 - self.means.0, other.means.1 - self.means.1);
        self.products += other.products + gaps.0 * gaps.1 * share * self.n_rows;
        self.means = (self.means.0 + gaps.0 * share, self.means.1 + gaps.1 * share);
        self.n_rows = total;
    }

    /// The sum of the products of deviations.
    pub(crate) fn products(&self) -> f64 {
        self.products
    }
}

/// A sum in one fixed order that several additions at a time can follow: of every eighth value,
/// then of those eight sums.
fn ordered_sum(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for block in blocks {
        for (lane, value) in lanes.iter_mut().zip(block) {
            *lane += term(*value);
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|value| term(*value)).sum::<f64>()
}

/// As [`ordered_sum`], of two columns of one length and with as many sums side by side as told.
pub(crate) fn ordered_sum_of_pairs<const LANES: usize>(
    left: &[f64],
    right: &[f64],
    term: impl Fn(f64, f64) -> f64,
) -> f64 {
    let (left_blocks, left_rest) = left.as_chunks::<LANES>();
    let (right_blocks, right_rest) = right.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (left, right) in left_blocks.iter().zip(right_blocks) {
        for ((lane, left), right) in lanes.iter_mut().zip(left).zip(right) {
            *lane += term(*left, *right);
        }
    }
    let rest = left_rest.iter().zip(right_rest).map(|(left, right)| term(*left, *right));
    lanes.iter().sum::<f64>() + rest.sum::<f64>()
}

/// A count as a float. Exact up to 2⁵³ rows.
#[expect(clippy::cast_precision_loss, reason = "no column has 2^53 rows")]
pub(crate) fn float_of(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Worked by hand: weights 1 and 3 on 0 and 4 give mean 3 and 1·9 + 3·1 = 12.
    #[test]
    fn weights_count_as_repeats() {
        let mut moments = Moments::default();
        moments.push(0.0, 1.0);
        moments.push(100.0, 0.0);
        moments.push(4.0, 3.0);
        assert!((moments.total_weight() - 4.0).abs() < 1e-12);
        assert!((moments.mean() - 3.0).abs() < 1e-12);
        assert!((moments.squared_distances_from(3.0) - 12.0).abs() < 1e-12);
        assert!((moments.squared_distances_from(2.0) - 16.0).abs() < 1e-12);
    }

    #[test]
    fn one_row_has_no_standard_error() {
        assert_eq!(Moments::of(&[]).std_error(), None);
        assert_eq!(Moments::of(&[3.0]).std_error(), None);
        // 1 and 3: variance 2, over two rows.
        assert!((Moments::of(&[1.0, 3.0]).std_error().unwrap() - 1.0).abs() < 1e-12);
    }

    proptest! {
        /// Where a column is cut makes no difference.
        #[test]
        fn merging_parts_gives_the_whole(
            values in prop::collection::vec(-1e3..1e3_f64, 0..60), cut in 0..60_usize,
        ) {
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut merged = Moments::of(left);
            merged.merge(&Moments::of(right));
            let whole = Moments::of(&values);
            prop_assert!((merged.mean() - whole.mean()).abs() < 1e-9);
            let (a, b) = (merged.squared_deviations, whole.squared_deviations);
            prop_assert!((a - b).abs() <= 1e-9 * (1.0 + b));
        }

        /// A large offset does not eat the spread.
        #[test]
        fn the_spread_survives_an_offset(values in prop::collection::vec(0.0..1.0_f64, 2..60)) {
            let shifted: Vec<f64> = values.iter().map(|value| value + 1e6).collect();
            let (near, far) = (Moments::of(&values), Moments::of(&shifted));
            prop_assert!((near.std_error().unwrap() - far.std_error().unwrap()).abs() < 1e-7);
        }
    }
}
