//! Bounds that hold at every number of rows, if what is stated about the rows is true.
//!
//! What must be true: rows are independent, the logged propensities are right, and every outcome
//! lies in the stated range. Then [`bound`] and [`interval`] miss at most as often as asked, however
//! rare or heavy the rows. The price is width: half as wide again as an asymptotic interval where
//! that one is right.
//!
//! | method | uses | weakness |
//! |---|---|---|
//! | [`Method::BettingMixture`] | support and predictions, if stated | none of the others' |
//! | [`Method::BettingInOrder`] | the rows in log order | another order gives another bound |
//! | [`Method::LogSmoothing`] | one rate, fixed by `n` and the level | wide for rare or heavy rows |
//! | [`Method::EmpiricalBernstein`] | the stated largest weight | very wide for large ones |
//!
//! ```
//! use pointsman_eval::bounds::{BoundError, Evidence, Method, Side, ValueRange, bound};
//! use pointsman_eval::interval::ConfidenceLevel;
//!
//! let weights = [2.0, 0.0, 2.0, 0.0, 2.0, 0.0];
//! let quality = [1.0, 0.0, 1.0, 1.0, 1.0, 0.0];
//! let evidence = Evidence::new(&weights, &quality, ValueRange::QUALITY)?;
//! let (method, level) = (Method::BettingMixture, ConfidenceLevel::P95);
//! let worst = bound(&evidence, Side::Lower, method, level)?;
//! assert!(worst.bound < 0.9); // six rows show little, however good they look
//! # Ok::<(), BoundError>(())
//! ```
//!
//! Source: Waudby-Smith & Ramdas, JRSSB 2024 (betting); Sakhi et al., `NeurIPS` 2024, arXiv
//! 2405.14335 (logarithmic smoothing); Maurer & Pontil, COLT 2009 (empirical Bernstein).

mod error;
mod evidence;
mod fixed;
mod wagers;
pub(crate) mod wealth;

pub(crate) use wagers::{control, corners, variable, wealths};

pub use error::BoundError;
pub use evidence::{Evidence, Predicted, Rival, ValueRange};

use crate::interval::{ConfidenceLevel, Interval, IntervalKind, IntervalMethod};
use wealth::Rates;

/// Which end of an interval a bound is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The truth is at least this.
    Lower,
    /// The truth is at most this.
    Upper,
}

/// How a finite-sample bound is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A mixture of fixed bets on all variables that the evidence allows.
    BettingMixture,
    /// Bets sized by the rows before them. The rows must be in an order fixed without regard to
    /// outcomes, such as the time they were logged.
    BettingInOrder,
    /// `mean(ln(1 + λ x) / λ) - ln(1/δ) / (λ n)`.
    LogSmoothing,
    /// Variance-adaptive, with the stated largest weight as the bound.
    EmpiricalBernstein,
}

impl Method {
    fn interval_method(self) -> IntervalMethod {
        match self {
            Self::BettingMixture => IntervalMethod::BettingMixture,
            Self::BettingInOrder => IntervalMethod::BettingInOrder,
            Self::LogSmoothing => IntervalMethod::LogSmoothing,
            Self::EmpiricalBernstein => IntervalMethod::EmpiricalBernstein,
        }
    }
}

/// A bound on one side; `level` is how often it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// Where the bound lies, in the unit of the outcome; finite.
    pub bound: f64,
    /// Which end it is.
    pub side: Side,
    /// How often it holds.
    pub level: ConfidenceLevel,
    /// How it was computed.
    pub method: IntervalMethod,
    /// What the level promises.
    pub kind: IntervalKind,
}

/// Bounds the value, or the difference to the rival, from one side.
///
/// A difference of two policies without stated full support is bounded by each policy's own
/// bound at half the error rate.
///
/// # Errors
/// [`BoundError::TooFew`] without rows (empirical Bernstein needs two), [`BoundError::Difference`]
/// for a rival with any method but the mixture, [`BoundError::NotStated`] for empirical Bernstein
/// without a largest weight.
pub fn bound(
    evidence: &Evidence<'_>,
    side: Side,
    method: Method,
    level: ConfidenceLevel,
) -> Result<Bound, BoundError> {
    let needed = if method == Method::EmpiricalBernstein { 2 } else { 1 };
    if evidence.n_rows() < needed {
        return Err(BoundError::TooFew { n_rows: evidence.n_rows(), needed });
    }
    if method != Method::BettingMixture && evidence.rival != Rival::Nothing {
        return Err(BoundError::Difference { method: method.interval_method().name() });
    }
    let bound = end(evidence, side, method, level.miss())?;
    let (method, kind) = (method.interval_method(), IntervalKind::FiniteSample);
    Ok(Bound { bound, side, level, method, kind })
}

/// Bounds from both sides, each at half the error rate.
///
/// # Errors
/// As [`bound`], and [`BoundError::Contradiction`] if the ends cross, which true statements and
/// right propensities make rarer than the level's misses.
pub fn interval(
    evidence: &Evidence<'_>,
    method: Method,
    level: ConfidenceLevel,
) -> Result<Interval, BoundError> {
    let each = level.shared_among(2);
    let lower = bound(evidence, Side::Lower, method, each)?;
    let upper = bound(evidence, Side::Upper, method, each)?.bound;
    let Bound { bound: lower, side: _, level: _, method, kind } = lower;
    if upper < lower {
        return Err(BoundError::Contradiction { lower, upper });
    }
    Ok(Interval { lower, upper, level, method, kind })
}

/// The bound in the unit of the outcome.
fn end(evidence: &Evidence<'_>, side: Side, method: Method, miss: f64) -> Result<f64, BoundError> {
    let (lowest, highest) = evidence.extremes();
    let width = evidence.range.width();
    let normalised = match method {
        Method::BettingMixture => {
            let rates = Rates::for_rows(evidence.n_rows(), miss);
            let wealths = wagers::wealths(evidence, side, &rates);
            if wealths.is_empty() {
                return two_halves(evidence, side, miss);
            }
            wealth::lower_end(&wealths, miss, lowest_share(evidence), 1.0)
        }
        Method::BettingInOrder => fixed::betting_in_order(evidence, side, miss),
        Method::LogSmoothing => fixed::log_smoothing(evidence, side, miss),
        Method::EmpiricalBernstein => fixed::empirical_bernstein(evidence, side, miss)?,
    };
    let end = match (evidence.rival, side) {
        (Rival::Nothing, Side::Lower) => lowest + width * normalised,
        (Rival::Nothing, Side::Upper) => highest - width * normalised,
        (Rival::Logged | Rival::Policy(_), Side::Lower) => width * normalised,
        (Rival::Logged | Rival::Policy(_), Side::Upper) => -width * normalised,
    };
    Ok(end.clamp(lowest, highest))
}

/// One doubly robust value per row, scaled by the range; `None` without predictions.
pub(crate) fn doubly_robust_values(evidence: &Evidence<'_>) -> Option<Vec<f64>> {
    let predicted = evidence.predicted?;
    let rows = 0..evidence.n_rows();
    Some(rows.map(|row| wagers::doubly_robust(evidence, &predicted, Side::Lower, row)).collect())
}

/// The outcome of one row as a share of its range.
pub(crate) fn scaled_value(evidence: &Evidence<'_>, row: usize) -> f64 {
    wagers::scaled(evidence, Side::Lower, evidence.values[row])
}

/// The least that the scaled mean can be.
fn lowest_share(evidence: &Evidence<'_>) -> f64 {
    match evidence.rival {
        Rival::Nothing => 0.0,
        Rival::Logged | Rival::Policy(_) => -1.0,
    }
}

/// The policy's own bound less the rival's bound from the other side.
fn two_halves(evidence: &Evidence<'_>, side: Side, miss: f64) -> Result<f64, BoundError> {
    let Rival::Policy(rival_weights) = evidence.rival else {
        return Err(BoundError::NoBounds { method: IntervalMethod::BettingMixture.name() });
    };
    let own = Evidence { rival: Rival::Nothing, predicted: None, ..*evidence };
    let theirs = Evidence { weights: rival_weights, ..own };
    let other = match side {
        Side::Lower => Side::Upper,
        Side::Upper => Side::Lower,
    };
    let own = end(&own, side, Method::BettingMixture, miss / 2.0)?;
    Ok(own - end(&theirs, other, Method::BettingMixture, miss / 2.0)?)
}

#[cfg(test)]
mod tests;
