//! How often a logger that never draws would have to, so that its log can answer a question.
//!
//! A share `s` of the policy's choices is what the logger takes anyway. With a share `ε` of draws
//! spread evenly over `K` models, those rows have the propensity `1 - ε + ε / K` and the others
//! `ε / K`, so that the self-normalised value of an outcome in `[0, 1]` varies by at most
//! `(s / (1 - ε + ε / K) + (1 - s) K / ε) / (4 n)`. The rate is the smallest whose normal interval is
//! as narrow as asked. Weakness: a quarter is the largest variance there can be, so the rate is
//! rather too high; and a policy that changes meanwhile agrees on another share.

use crate::{interval::ConfidenceLevel, moments::float_of, normal};

/// The largest variance of an outcome in `[0, 1]`.
const LARGEST_VARIANCE: f64 = 0.25;

/// Halvings of the interval in which the rate lies; more change no digit.
const N_HALVINGS: u32 = 60;

/// What is asked of a log that is yet to be written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// How many decisions it will have.
    pub n_rows: usize,
    /// How many models there are.
    pub n_models: usize,
    /// The share of the policy's choices that the logger takes anyway, in `[0, 1]`.
    pub agreeing_share: f64,
    /// How far the upper bound may be from the lower one.
    pub width: f64,
    /// The level of the interval.
    pub level: ConfidenceLevel,
}

/// What would answer it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Exploration {
    /// A share of even draws, in `[0, 1]`; zero where the policy does what the logger does.
    Rate(f64),
    /// No rate is enough for so few decisions; at the best rate, about so many would be.
    MoreRows {
        /// The best rate, in `(0, 1]`.
        rate: f64,
        /// Decisions needed at it.
        n_rows: f64,
    },
}

/// The smallest rate of exploration that answers a question of this width.
pub fn smallest_rate(plan: &Plan) -> Exploration {
    let share = plan.agreeing_share.clamp(0.0, 1.0);
    let n_models = float_of(plan.n_models.max(1));
    let reach = 2.0 * normal::two_sided_z(plan.level.miss());
    // Rows needed at a rate, for this width.
    let needed = |rate: f64| {
        let anyway = share / (1.0 - rate + rate / n_models);
        let explored = if share < 1.0 { (1.0 - share) * n_models / rate } else { 0.0 };
        (reach / plan.width).powi(2) * LARGEST_VARIANCE * (anyway + explored)
    };
    let best = best_rate(share, n_models);
    let n_rows = float_of(plan.n_rows);
    if n_rows < needed(best) {
        return Exploration::MoreRows { rate: best, n_rows: needed(best).ceil() };
    }
    if share == 1.0 {
        return Exploration::Rate(0.0);
    }
    // Rows needed fall up to the best rate, since they are convex in it.
    let (mut too_low, mut enough) = (0.0, best);
    for _ in 0..N_HALVINGS {
        let middle = f64::midpoint(too_low, enough);
        if needed(middle) <= n_rows {
            enough = middle;
        } else {
            too_low = middle;
        }
    }
    Exploration::Rate(enough)
}

/// Where the variance is least.
fn best_rate(share: f64, n_models: f64) -> f64 {
    let spread = 1.0 - 1.0 / n_models;
    if share == 1.0 {
        return 0.0;
    }
    let odds = ((1.0 - share) * n_models / (share * spread)).sqrt();
    if odds.is_finite() { (odds / (1.0 + spread * odds)).min(1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAN: Plan = Plan {
        n_rows: 100_000,
        n_models: 4,
        agreeing_share: 0.0,
        width: 0.02,
        level: ConfidenceLevel::P95,
    };

    /// Nothing in common: `n = (2 z / width)² K / (4 ε)`, so `ε = 38,415 · 4 / (4 n)`.
    #[test]
    fn a_policy_that_shares_nothing_needs_what_the_formula_says() {
        let Exploration::Rate(rate) = smallest_rate(&PLAN) else { panic!("too few rows") };
        assert!((rate - 0.384_146).abs() < 1e-5, "{rate}");
        let few = smallest_rate(&Plan { n_rows: 10_000, ..PLAN });
        assert_eq!(few, Exploration::MoreRows { rate: 1.0, n_rows: 38_415.0 });
    }

    #[test]
    fn a_policy_that_does_the_same_needs_none() {
        assert_eq!(smallest_rate(&Plan { agreeing_share: 1.0, ..PLAN }), Exploration::Rate(0.0));
        let few = Plan { agreeing_share: 1.0, n_rows: 5000, ..PLAN };
        assert_eq!(smallest_rate(&few), Exploration::MoreRows { rate: 0.0, n_rows: 9604.0 });
    }

    proptest! {
        #[test]
        fn more_rows_and_wider_questions_need_less(
            share in 0.0..=1.0, n_models in 2_usize..20, n_rows in 100_usize..1_000_000,
            width in 0.005..0.5,
        ) {
            let plan =
                Plan { n_rows, n_models, agreeing_share: share, width, level: ConfidenceLevel::P95 };
            if let Exploration::Rate(rate) = smallest_rate(&plan) {
                prop_assert!((0.0..=1.0).contains(&rate));
                for easier in [Plan { n_rows: 2 * n_rows, ..plan }, Plan { width: 2.0 * width, ..plan }] {
                    let Exploration::Rate(found) = smallest_rate(&easier) else {
                        return Err(TestCaseError::fail("an easier question has no rate"));
                    };
                    prop_assert!(found <= rate + 1e-12);
                }
            }
        }
    }
}
