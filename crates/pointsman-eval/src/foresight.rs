//! What reading a model's answers adds to a cascade, learned for the first decision from held-out
//! predictions: the spread of [`Foresight`] at each of a few weights on cost.
//!
//! At a weight, an answer moves the gap between the best next model and accepting, and the larger of
//! gap and zero is taken. The spread is the one at which normal steps from the rows' own gaps add as
//! much to that in the mean as the answers do. From predictions, not from outcomes, so that rows which
//! a policy is valued on can say it too.
//!
//! Weakness: readers that are sure without reason are foreseen to add more than they do.

use crate::{matrix::ordered_mean, moments::float_of};
use pointsman_core::escalation::{Foresight, ForesightError, step_ahead};

/// By how much the best next model is ahead of accepting the answer, in utility at one weight on cost,
/// as one row's predictions have it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gaps {
    /// By the request alone.
    pub before: f64,
    /// By request and answer.
    pub after: f64,
}

/// Positive weights on cost: these exponents of ten over the dearest next model's mean cost, and so
/// many weights in all.
const EXPONENTS: (f64, f64) = (-2.5, 2.0);
const N_POSITIVE_WEIGHTS: usize = 19;

/// Halvings of the range that holds a spread.
const N_HALVINGS: u32 = 30;

/// The largest spread: far more than qualities differ.
const MOST: f64 = 4.0;

/// What is foreseen of the answers of `model`, from what `n_rows` rows say at any weight on cost;
/// `dearest_usd` is the mean cost of the dearest next model, zero where costs are not known.
///
/// # Errors
/// [`ForesightError`] where a number is not finite.
pub fn foresight(
    model: usize,
    (n_rows, dearest_usd): (usize, f64),
    gaps: impl Fn(usize, f64) -> Gaps,
) -> Result<Foresight, ForesightError> {
    let weights = weights(dearest_usd);
    let of_weight = |&per_dollar: &f64| {
        let of_rows: Vec<Gaps> = (0..n_rows).map(|row| gaps(row, per_dollar)).collect();
        spread(&of_rows)
    };
    let spreads = weights.iter().map(of_weight).collect();
    Foresight::new(model, weights, spreads)
}

/// Zero, then the positive weights, where there is a cost.
fn weights(dearest_usd: f64) -> Vec<f64> {
    let (first, last) = EXPONENTS;
    let step = (last - first) / float_of(N_POSITIVE_WEIGHTS - 1);
    let n_positive = if 0.0 < dearest_usd { N_POSITIVE_WEIGHTS } else { 0 };
    let weight = |index: usize| libm::exp10(first + float_of(index) * step) / dearest_usd;
    std::iter::once(0.0).chain((0..n_positive).map(weight)).collect()
}

/// The spread at which normal steps add as much as reading does in the mean; zero where that adds
/// nothing.
fn spread(gaps: &[Gaps]) -> f64 {
    let mean = |of: &dyn Fn(&Gaps) -> f64| ordered_mean(&gaps.iter().map(of).collect::<Vec<f64>>());
    let gained = mean(&|gaps| gaps.after.max(0.0) - gaps.before.max(0.0));
    if gained <= 0.0 {
        return 0.0;
    }
    let added =
        |spread: f64| mean(&|gaps| step_ahead(gaps.before, spread).value - gaps.before.max(0.0));
    let (mut low, mut high) = (0.0, MOST);
    for _ in 0..N_HALVINGS {
        let middle = 0.5 * (low + high);
        if added(middle) < gained {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose next model is ahead by −0.25 to 0.25, moved up or down by a quarter, turn about.
    fn moved(row: usize) -> Gaps {
        let before = float_of(row % 5) / 8.0 - 0.25;
        let after = if row.is_multiple_of(2) { before + 0.25 } else { before - 0.25 };
        Gaps { before, after }
    }

    #[test]
    fn a_spread_adds_in_the_mean_what_reading_does() {
        let gaps: Vec<Gaps> = (0..400).map(moved).collect();
        let found = spread(&gaps);
        let mean = |of: &dyn Fn(&Gaps) -> f64| gaps.iter().map(of).sum::<f64>() / 400.0;
        let gained = mean(&|it| it.after.max(0.0) - it.before.max(0.0));
        let added = mean(&|it| step_ahead(it.before, found).value - it.before.max(0.0));
        assert!((gained - 0.05).abs() < 1e-12 && (gained - added).abs() < 1e-8, "{added}");
        // Every step is of a quarter.
        assert!((0.2..0.3).contains(&found), "{found}");
    }

    #[test]
    fn answers_that_tell_nothing_have_no_spread() {
        let still = |row: usize| Gaps { before: -0.25, after: if row == 9 { -0.2 } else { -0.25 } };
        let found = foresight(2, (20, 0.01), |row, _| still(row)).unwrap();
        assert!(found.spreads().iter().all(|spread| *spread == 0.0), "{found:?}");
        assert_eq!((found.model(), found.per_dollar().len()), (2, 1 + N_POSITIVE_WEIGHTS));
        let free = foresight(0, (20, 0.0), |row, _| moved(row)).unwrap();
        assert_eq!(free.per_dollar(), [0.0]);
        let none = foresight(0, (0, 0.0), |row, _| moved(row)).unwrap();
        assert_eq!(none.spreads(), [0.0]);
    }

    #[test]
    fn weights_ascend_from_zero() {
        let found = weights(0.01);
        assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?}");
        assert!((found[1] - 0.316_227_8).abs() < 1e-6 && (found[19] - 1e4).abs() < 1e-6);
    }
}
