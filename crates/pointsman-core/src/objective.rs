//! How quality, cost and latency are traded once the hard constraints are met.

mod point;

pub use point::{Band, Favour, Guarantee, OperatingPoint, StrongShare};

use crate::units::{Quality, Usd};

/// What a policy strives for among the eligible models.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Objective {
    /// The largest `quality − per_dollar · cost − per_second · latency`.
    Tradeoff(Weights),
    /// The cheapest model whose predicted quality reaches the floor; where none does, the best.
    QualityFloor(Quality),
    /// The best model whose expected cost keeps to the cap; where none does, the cheapest.
    CostCap(Usd),
}

/// What a dollar and a second are worth, in quality points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    per_dollar: f64,
    per_second: f64,
}

/// A weight that is negative or not a number.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a weight of {value}; it must be zero or more, in quality points per dollar or second")]
pub struct WeightError {
    value: f64,
}

impl Weights {
    /// Quality alone.
    pub const NONE: Self = Self { per_dollar: 0.0, per_second: 0.0 };

    /// Quality points per dollar and per second of latency.
    ///
    /// # Errors
    /// [`WeightError`] for negatives and what is not finite.
    pub fn new(per_dollar: f64, per_second: f64) -> Result<Self, WeightError> {
        for value in [per_dollar, per_second] {
            if !(value.is_finite() && 0.0 <= value) {
                return Err(WeightError { value });
            }
        }
        Ok(Self { per_dollar, per_second })
    }

    /// Quality points per dollar.
    pub const fn per_dollar(&self) -> f64 {
        self.per_dollar
    }

    /// What some models are worth. Several at once, since a vector of quotients takes hardly longer
    /// than one.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn utilities<const N: usize>(self, expected: [&Expected; N]) -> [f64; N] {
        let Self { per_dollar, per_second } = self;
        let dollars = expected.map(|it| it.cost.unwrap_or(Usd::ZERO).as_dollars());
        let seconds = expected.map(|it| it.latency_ms.unwrap_or(0.0) / 1000.0);
        let mut utilities = expected.map(|it| it.quality);
        for (utility, (dollars, seconds)) in utilities.iter_mut().zip(dollars.iter().zip(&seconds))
        {
            *utility = *utility - per_dollar * dollars - per_second * seconds;
        }
        utilities
    }
}

impl Default for Objective {
    fn default() -> Self {
        Self::Tradeoff(Weights::NONE)
    }
}

/// What is expected of one model on one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Predicted quality; linear, so it may leave `[0, 1]` a little.
    pub quality: f64,
    /// Expected cost of the answer, where it can be known.
    pub cost: Option<Usd>,
    /// Expected time to the whole answer, where it can be known.
    pub latency_ms: Option<f64>,
}

impl Objective {
    /// The utility of one model, in quality points: higher is better.
    ///
    /// `dearest` is the largest expected cost among the eligible models. A floor or a cap is
    /// written as a utility too, so that every explorer works with every objective: with a floor,
    /// a model below it gets its shortfall as a negative number and one above it gets its
    /// cheapness in `[0, 1]`; with a cap, a model above it gets its excess as a negative number
    /// and one below it its quality, at least zero.
    #[inline]
    pub fn utility(&self, expected: &Expected, dearest: Usd) -> f64 {
        let share_of_dearest = || {
            let dollars = expected.cost.unwrap_or(Usd::ZERO).as_dollars();
            if dearest == Usd::ZERO { 0.0 } else { dollars / dearest.as_dollars() }
        };
        match *self {
            Self::Tradeoff(weights) => {
                let [utility] = weights.utilities([expected]);
                utility
            }
            Self::QualityFloor(floor) => {
                let shortfall = floor.get() - expected.quality;
                if 0.0 < shortfall { -shortfall } else { 1.0 - share_of_dearest() }
            }
            Self::CostCap(cap) => {
                if expected.cost.is_some_and(|cost| cap < cost) {
                    -share_of_dearest()
                } else {
                    expected.quality.max(0.0)
                }
            }
        }
    }

    /// [`Self::utility`] of several models at once.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(crate) fn utilities<const N: usize>(
        &self,
        expected: [&Expected; N],
        dearest: Usd,
    ) -> [f64; N] {
        match *self {
            Self::Tradeoff(weights) => weights.utilities(expected),
            Self::QualityFloor(_) | Self::CostCap(_) => {
                expected.map(|expected| self.utility(expected, dearest))
            }
        }
    }
}

impl Objective {
    /// How a model's expectation misses the floor or the cap, in words; `None` where it does not,
    /// and for a trade-off, which nothing misses.
    pub fn missed_by(&self, expected: &Expected) -> Option<String> {
        match *self {
            Self::QualityFloor(floor) if expected.quality < floor.get() => Some(format!(
                "predicted quality {:.3} is below the floor of {}",
                expected.quality,
                floor.get()
            )),
            Self::CostCap(cap) => {
                let cost = expected.cost.filter(|cost| cap < *cost)?;
                Some(format!("expected cost {cost} is above the cap of {cap}"))
            }
            Self::Tradeoff(_) | Self::QualityFloor(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(quality: f64, nanos: u64) -> Expected {
        Expected { quality, cost: Some(Usd::from_nanos(nanos)), latency_ms: Some(2000.0) }
    }

    /// Which of three models an objective likes best: good and dear, middling, poor and cheap.
    #[track_caller]
    fn check_best(objective: Objective, best: usize) {
        let models = [expected(0.9, 10_000_000), expected(0.8, 1_000_000), expected(0.3, 100_000)];
        let utility = |model: &Expected| objective.utility(model, Usd::from_nanos(10_000_000));
        let utilities: Vec<f64> = models.iter().map(utility).collect();
        let found = (0..3).max_by(|&a, &b| utilities[a].total_cmp(&utilities[b])).unwrap();
        assert_eq!(found, best, "{objective:?}: {utilities:?}");
    }

    #[test]
    fn objectives_choose_as_they_say() {
        let tradeoff = |per_dollar| Objective::Tradeoff(Weights::new(per_dollar, 0.0).unwrap());
        let floor = |quality| Objective::QualityFloor(Quality::new(quality).unwrap());
        let cap = |nanos| Objective::CostCap(Usd::from_nanos(nanos));
        check_best(tradeoff(0.0), 0);
        check_best(tradeoff(20.0), 1);
        check_best(tradeoff(1e4), 2);
        check_best(floor(0.85), 0);
        check_best(floor(0.5), 1);
        check_best(floor(0.1), 2);
        check_best(floor(0.95), 0); // none reaches it: the best
        check_best(cap(20_000_000), 0);
        check_best(cap(2_000_000), 1);
        check_best(cap(10), 2); // none keeps to it: the cheapest
    }

    #[test]
    fn what_is_missed_is_said() {
        let floor = Objective::QualityFloor(Quality::new(0.9).unwrap());
        let cap = Objective::CostCap(Usd::from_nanos(1_000));
        assert_eq!(
            floor.missed_by(&expected(0.8, 0)).as_deref(),
            Some("predicted quality 0.800 is below the floor of 0.9")
        );
        assert_eq!(
            cap.missed_by(&expected(0.8, 2_000)).as_deref(),
            Some("expected cost $0.000002 is above the cap of $0.000001")
        );
        assert_eq!(floor.missed_by(&expected(0.95, 0)), None);
        assert_eq!(cap.missed_by(&expected(0.8, 500)), None);
    }

    #[test]
    fn weights_must_be_usable() {
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(Weights::new(bad, 0.0).is_err() && Weights::new(0.0, bad).is_err());
        }
    }
}
