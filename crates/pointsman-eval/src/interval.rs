//! What a confidence interval says of itself: bounds, level, method, and what it promises.
//!
//! One place turns a value and its standard error into an interval, so that no estimator can
//! forget to say which kind it is. Its weakness is the normal approximation: with few or heavy
//! rows the bounds are too narrow, above all the upper ones.

use crate::{error::SettingError, moments::float_of, normal};

/// How often intervals made this way should hold the truth, strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct ConfidenceLevel(f64);

impl ConfidenceLevel {
    /// Nineteen intervals in twenty.
    pub const P95: Self = Self(0.95);

    /// # Errors
    /// [`SettingError::Level`] for anything that is not strictly between 0 and 1.
    pub fn new(level: f64) -> Result<Self, SettingError> {
        if 0.0 < level && level < 1.0 {
            return Ok(Self(level));
        }
        Err(SettingError::Level { found: level })
    }

    /// The level as a number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// How often the bounds may miss the truth.
    pub(crate) fn miss(self) -> f64 {
        1.0 - self.0
    }

    /// The level each of `n_candidates` needs, so that all hold at once this often: the share of
    /// misses is divided among them. No candidates count as one.
    #[must_use]
    pub fn shared_among(self, n_candidates: usize) -> Self {
        Self(1.0 - self.miss() / float_of(n_candidates.max(1)))
    }
}

/// How the bounds were computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalMethod {
    /// A mean plus and minus normal quantiles of its standard error.
    NormalMean,
    /// A ratio of sums with its delta-method standard error, both sums counted as random.
    NormalRatio,
    /// The mean of differences row by row, plus and minus normal quantiles.
    NormalPaired,
    /// Student's t, its quantiles moved for the skewness of the rows ([`crate::skewed`]).
    SkewedT,
    /// Quantiles of Poisson resamples, numerator and denominator drawn together
    /// ([`crate::bootstrap`]).
    PoissonBootstrap,
    /// The empirical likelihood profile with the mass that was not seen put where it hurts most
    /// ([`crate::likelihood`]).
    EmpiricalLikelihood,
    /// A mixture of fixed bets against each candidate value; no order of rows matters
    /// ([`crate::bounds`]).
    BettingMixture,
    /// Bets that learn from the rows before, so their order matters ([`crate::bounds`]).
    BettingInOrder,
    /// Maurer and Pontil's bound with a known largest value ([`crate::bounds`]).
    EmpiricalBernstein,
    /// Logarithmic smoothing with a rate fixed beforehand ([`crate::bounds`]).
    LogSmoothing,
    /// A betting mixture that holds after every row at once ([`crate::sequence`]).
    ConfidenceSequence,
    /// All values there can be: the rows contradict what was stated about them.
    WholeRange,
}

impl IntervalMethod {
    /// The name in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::NormalMean => "normal mean",
            Self::NormalRatio => "normal ratio",
            Self::NormalPaired => "normal paired",
            Self::SkewedT => "skew-corrected t",
            Self::PoissonBootstrap => "Poisson bootstrap",
            Self::EmpiricalLikelihood => "empirical likelihood",
            Self::BettingMixture => "betting mixture",
            Self::BettingInOrder => "betting in order",
            Self::EmpiricalBernstein => "empirical Bernstein",
            Self::LogSmoothing => "logarithmic smoothing",
            Self::ConfidenceSequence => "confidence sequence",
            Self::WholeRange => "whole range",
        }
    }
}

/// What the level promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalKind {
    /// The level is reached as rows become many; with few or heavy rows it can be missed by far.
    Asymptotic,
    /// The level is reached at every number of rows, where rows are independent, the logged
    /// propensities are right and what was stated about the range and the support is true.
    FiniteSample,
}

impl IntervalKind {
    /// The name in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Asymptotic => "asymptotic",
            Self::FiniteSample => "finite-sample",
        }
    }
}

/// A confidence interval, in the unit of the value it is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower bound; finite.
    pub lower: f64,
    /// The upper bound; finite, at least `lower`.
    pub upper: f64,
    /// The nominal level.
    pub level: ConfidenceLevel,
    /// How the bounds were computed.
    pub method: IntervalMethod,
    /// What the level promises.
    pub kind: IntervalKind,
}

impl Interval {
    /// The normal interval around `value`; `None` if a bound is not a finite number.
    pub(crate) fn normal(
        value: f64,
        std_error: f64,
        level: ConfidenceLevel,
        method: IntervalMethod,
    ) -> Option<Self> {
        let reach = normal::two_sided_z(1.0 - level.get()) * std_error;
        let (lower, upper) = (value - reach, value + reach);
        (lower.is_finite() && upper.is_finite()).then_some(Self {
            lower,
            upper,
            level,
            method,
            kind: IntervalKind::Asymptotic,
        })
    }

    /// Whether `value` lies within the bounds, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.lower <= value && value <= self.upper
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_strictly_between_zero_and_one() {
        for bad in [0.0, 1.0, -0.5, 95.0, f64::NAN] {
            assert!(ConfidenceLevel::new(bad).is_err(), "accepted {bad}");
        }
        assert_eq!(ConfidenceLevel::new(0.95), Ok(ConfidenceLevel::P95));
    }

    #[test]
    fn bounds_are_symmetric_and_finite() {
        let method = IntervalMethod::NormalMean;
        let interval = Interval::normal(1.0, 0.5, ConfidenceLevel::P95, method).unwrap();
        assert!((interval.upper - 1.979_981_992_270_027).abs() < 1e-12);
        assert!((interval.lower - 0.020_018_007_729_973).abs() < 1e-12);
        assert!(interval.contains(interval.lower) && !interval.contains(2.0));
        assert_eq!(Interval::normal(1.0, f64::INFINITY, ConfidenceLevel::P95, method), None);
        assert_eq!(Interval::normal(f64::NAN, 1.0, ConfidenceLevel::P95, method), None);
    }
}
