//! The newest values of something, for their quantiles.

use std::collections::VecDeque;

/// Values that are kept: enough for the 99th percentile to be one of them.
const MOST: usize = 100;

/// The newest values, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Window(VecDeque<f64>);

impl Window {
    pub(super) fn add(&mut self, value: f64) {
        if MOST <= self.0.len() {
            self.0.pop_front();
        }
        self.0.push_back(value);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The least value that so many percent of the values do not exceed, for each of `percents`;
    /// `None` where there are no values.
    pub(super) fn quantiles<const N: usize>(&self, percents: [usize; N]) -> Option<[f64; N]> {
        if self.0.is_empty() {
            return None;
        }
        let mut sorted: Vec<f64> = self.0.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let rank = |percent: usize| (sorted.len() * percent).div_ceil(100).clamp(1, sorted.len());
        Some(percents.map(|percent| sorted[rank(percent) - 1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection, prelude::*};

    #[test]
    fn quantiles_are_values_by_their_rank() {
        let mut window = Window::default();
        assert_eq!(window.quantiles([50]), None);
        for value in 0..250 {
            window.add(f64::from(value));
        }
        assert_eq!(window.quantiles([0, 50, 90, 100]), Some([150.0, 199.0, 239.0, 249.0]));
        assert_eq!(window.len(), MOST);
    }

    proptest! {
        /// At least so many percent are no larger, and fewer are smaller.
        #[test]
        fn a_quantile_splits_the_values(
            values in collection::vec(-1e3..1e3_f64, 1..100),
            percent in 1..101_usize,
        ) {
            let mut window = Window::default();
            for &value in &values {
                window.add(value);
            }
            let [quantile] = window.quantiles([percent]).unwrap();
            let n_smaller = values.iter().filter(|&&value| value < quantile).count();
            let n_up_to = values.iter().filter(|&&value| value <= quantile).count();
            prop_assert!(percent * values.len() <= 100 * n_up_to);
            prop_assert!(100 * n_smaller < percent * values.len());
        }
    }
}
