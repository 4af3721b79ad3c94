//! Weighted mean and spread in one pass, mergeable over partitions.
//!
//! Sums of squares lose every digit when rewards sit far from zero; deviations from the running
//! mean do not. Its weakness: merging in another order changes the last bits, so partitions are
//! merged in their own order.
//!
//! Source: Chan, Golub & `LeVeque`, "Updating Formulae and a Pairwise Algorithm for Computing
//! Sample Variances", 1979; West's weighted form of the same year.

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
        for &value in values {
            moments.push(value, 1.0);
        }
        moments
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
