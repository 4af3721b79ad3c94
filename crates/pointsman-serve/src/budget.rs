//! How much may be gambled: a share of the decisions and an amount of money a day, both hard.
//!
//! Whether a decision explores at all is settled before its draw, from what came before it, so
//! that every propensity stays exact. What a draw might cost is set aside before it and given back
//! where it was not spent, so that no number of threads can overdraw. Its weakness: money is the
//! expected cost above the best model's, not what the provider bills.

use pointsman_core::units::Usd;
use std::sync::{Mutex, MutexGuard, PoisonError};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How many draws away from the best may come at once, after a while without any.
const MOST_SAVED: f64 = 100.0;

/// What exploration may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    /// The largest share of decisions that are not the best model's, in `[0, 1]`.
    pub(crate) share: f64,
    /// The most that they may cost above the best model's, in a day of UTC; no limit where `None`.
    pub(crate) usd_per_day: Option<Usd>,
}

/// What exploration has taken.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    spent: Mutex<Spent>,
}

#[derive(Debug)]
struct Spent {
    /// Draws that may be made away from the best, in units of one.
    draws_left: f64,
    day: u64,
    today: Usd,
}

/// What was set aside for one draw.
#[derive(Debug)]
#[must_use = "what is set aside has to be settled"]
pub(crate) struct Reserved {
    extra: Usd,
    day: u64,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        let spent = Spent { draws_left: 1.0, day: 0, today: Usd::ZERO };
        Self { limits, spent: Mutex::new(spent) }
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a decision, and sets aside a draw away from the best and the most that it may cost
    /// above it; `None` where the budget does not allow both.
    pub(crate) fn reserve(&self, most_extra: Usd, now_ms: u64) -> Option<Reserved> {
        let mut spent = self.spent();
        let day = now_ms / DAY_MS;
        if spent.day < day {
            (spent.day, spent.today) = (day, Usd::ZERO);
        }
        spent.draws_left = (spent.draws_left + self.limits.share).min(MOST_SAVED);
        let today = spent.today + most_extra;
        if self.limits.usd_per_day.is_some_and(|limit| limit < today) || spent.draws_left < 1.0 {
            return None;
        }
        spent.draws_left -= 1.0;
        spent.today = today;
        Some(Reserved { extra: most_extra, day: spent.day })
    }

    /// Gives back what a draw did not take: all of it where it drew the best.
    #[expect(clippy::needless_pass_by_value, reason = "what is set aside is settled once")]
    pub(crate) fn settle(&self, reserved: Reserved, taken: Option<Usd>) {
        let Reserved { extra, day } = reserved;
        let mut spent = self.spent();
        if taken.is_none() {
            spent.draws_left = (spent.draws_left + 1.0).min(MOST_SAVED);
        }
        if spent.day == day {
            let back = extra.nanos().saturating_sub(taken.unwrap_or(Usd::ZERO).nanos());
            spent.today = Usd::from_nanos(spent.today.nanos().saturating_sub(back));
        }
    }

    /// What exploration cost today.
    pub(crate) fn spent_today(&self) -> Usd {
        self.spent().today
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usd(nanos: u64) -> Usd {
        Usd::from_nanos(nanos)
    }

    #[test]
    fn money_is_for_a_day() {
        let budget = Budget::new(Limits { share: 1.0, usd_per_day: Some(usd(10)) });
        let first = budget.reserve(usd(8), 5).unwrap();
        assert!(budget.reserve(usd(3), 6).is_none());
        budget.settle(first, Some(usd(4)));
        assert_eq!(budget.spent_today(), usd(4));
        let second = budget.reserve(usd(6), 7).unwrap();
        budget.settle(second, None);
        assert_eq!(budget.spent_today(), usd(4));
        let tomorrow = budget.reserve(usd(10), DAY_MS).unwrap();
        budget.settle(tomorrow, Some(usd(10)));
        assert!(budget.reserve(usd(1), DAY_MS + 1).is_none());
        assert!(budget.reserve(usd(1), 9).is_none(), "a clock that steps back opens no new day");
    }

    proptest! {
        /// Whatever is drawn, the share is kept at every moment, but for the first draw.
        #[test]
        fn the_share_is_kept(share in 0.0..1.0, draws in prop::collection::vec(any::<bool>(), 0..500)) {
            let budget = Budget::new(Limits { share, usd_per_day: None });
            let (mut n_decisions, mut n_explored) = (0.0, 0.0);
            for is_explored in draws {
                n_decisions += 1.0;
                if let Some(reserved) = budget.reserve(Usd::ZERO, 0) {
                    budget.settle(reserved, is_explored.then_some(Usd::ZERO));
                    n_explored += f64::from(u8::from(is_explored));
                }
                prop_assert!(n_explored <= 1.0 + share * n_decisions + 1e-9);
            }
        }
    }
}
