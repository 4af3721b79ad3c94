//! Whether a policy may take over: every condition shown to hold, one shown to fail, or neither.
//!
//! A policy ships only if the bound on the unfavourable side of every difference keeps its margin;
//! it is held if the bound on the other side shows that one does not. The misses that the level
//! allows are divided among the conditions, so that all bounds of one side hold at once. What an
//! interval cannot know of ([`Doubt`]) never ships, whatever the bounds say. Weakness: how many
//! rows would settle an open question is read off the present width, which shrinks faster where a
//! finite-sample bound gives way to an asymptotic one.
//!
//! ```
//! use pointsman_eval::bounds::{BoundError, Evidence, Rival, ValueRange};
//! use pointsman_eval::{gate::{Condition, Verdict, Wanted, decide}, interval::ConfidenceLevel};
//!
//! // A logger that takes either of two models alike. The policy always takes the second, which
//! // is right eight times in ten; the first is right five times in ten.
//! let weights: Vec<f64> = (0..4_000).map(|row| if row % 2 == 0 { 0.0 } else { 2.0 }).collect();
//! let quality_of = |row: usize| {
//!     let n_right_of_ten = if row % 2 == 0 { 5 } else { 8 };
//!     if row / 2 % 10 < n_right_of_ten { 1.0 } else { 0.0 }
//! };
//! let quality: Vec<f64> = (0..4_000).map(quality_of).collect();
//! let evidence = Evidence::new(&weights, &quality, ValueRange::QUALITY)?
//!     .against(Rival::Logged)?
//!     .with_full_support(2.0)?; // no weight of such a logger can be larger
//! let wanted = Wanted::AtLeast(-0.01); // may lose a hundredth
//! let condition = Condition { wanted, evidence: Some(evidence) };
//! let decision = decide(&[condition], 0, ConfidenceLevel::P95)?;
//! assert_eq!(decision.verdict, Verdict::Ship);
//! # Ok::<(), BoundError>(())
//! ```

mod doubt;

pub use doubt::Doubt;

use crate::{
    bounds::{BoundError, Evidence, Side},
    choice::{ChosenBound, default_bound},
    interval::ConfidenceLevel,
    moments::float_of,
};

/// More rows than this are no advice.
const TOO_MANY_ROWS: f64 = 1e12;

/// What a difference to the rival has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted {
    /// Of quality: this much or more.
    AtLeast(f64),
    /// Of cost and latency: this much or less.
    AtMost(f64),
}

impl Wanted {
    /// The margin, in the unit of the outcome.
    pub fn margin(self) -> f64 {
        match self {
            Self::AtLeast(margin) | Self::AtMost(margin) => margin,
        }
    }

    /// How far `value` is on the wanted side; negative on the other.
    fn room(self, value: f64) -> f64 {
        match self {
            Self::AtLeast(margin) => value - margin,
            Self::AtMost(margin) => margin - value,
        }
    }
}

/// One thing that has to hold; its evidence is paired with the rival
/// ([`Evidence::against`]), and `None` where the log cannot measure it.
#[derive(Debug, Clone, Copy)]
pub struct Condition<'a> {
    /// What the difference has to be.
    pub wanted: Wanted,
    /// The rows that tell of it.
    pub evidence: Option<Evidence<'a>>,
}

/// What the rows say of one condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Its worst still plausible difference keeps the margin.
    Holds,
    /// Its best still plausible difference does not.
    Fails,
    /// Neither is shown.
    Undecided,
    /// There is no evidence.
    Unmeasured,
}

impl Answer {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Undecided => "undecided",
            Self::Unmeasured => "unmeasured",
        }
    }
}

/// One condition with its bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What the difference has to be.
    pub wanted: Wanted,
    /// What the rows say.
    pub answer: Answer,
    /// Both one-sided bounds, the lower first; `None` where it is not measured.
    pub bounds: Option<(ChosenBound, ChosenBound)>,
    /// About how many rows more would settle it, by a width that falls with the root of their
    /// number; `None` where it is settled, or where none would.
    pub more_rows: Option<f64>,
}

impl Finding {
    /// The estimated difference.
    pub fn value(&self) -> Option<f64> {
        self.bounds.as_ref().and_then(|(lower, _)| lower.value)
    }
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every condition holds and nothing is in doubt.
    Ship,
    /// A condition fails.
    Hold,
    /// Neither is shown.
    CannotTell,
}

impl Verdict {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ship => "ship",
            Self::Hold => "hold",
            Self::CannotTell => "cannot_tell",
        }
    }
}

/// A verdict with everything it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What to do.
    pub verdict: Verdict,
    /// One for each condition, in their order.
    pub findings: Vec<Finding>,
    /// Why nothing may ship on these rows, gravest first; empty where nothing speaks against them.
    pub doubts: Vec<Doubt>,
    /// The level of each bound alone.
    pub each_level: ConfidenceLevel,
    /// About how many rows more would settle the verdict; `None` where it is settled, or where
    /// none would.
    pub more_rows: Option<f64>,
}

/// Holds the conditions against the rows. `n_inexact` of the rows have a propensity that is not
/// the number that was sampled from.
///
/// A policy whose true difference misses a margin ships at most as often as `level` misses, and
/// one that keeps all of them is held at most as often.
///
/// # Errors
/// [`BoundError::TooFew`] for evidence without rows.
pub fn decide(
    conditions: &[Condition<'_>],
    n_inexact: u64,
    level: ConfidenceLevel,
) -> Result<Decision, BoundError> {
    let findings: Vec<Finding> = conditions
        .iter()
        .map(|condition| find(condition, level, conditions.len()))
        .collect::<Result<_, _>>()?;
    let doubts = doubt::doubts(conditions, &findings, n_inexact);
    let are_all =
        |answer: Answer| !findings.is_empty() && findings.iter().all(|it| it.answer == answer);
    let fails = findings.iter().any(|it| it.answer == Answer::Fails);
    let verdict = if fails && doubts.iter().all(|doubt| doubt.lets_bounds_hold()) {
        Verdict::Hold
    } else if are_all(Answer::Holds) && doubts.is_empty() {
        Verdict::Ship
    } else {
        Verdict::CannotTell
    };
    let is_open = verdict == Verdict::CannotTell && doubts.is_empty();
    let more_rows = is_open.then(|| rows_to_settle(&findings)).flatten();
    let each_level = level.shared_among(conditions.len());
    Ok(Decision { verdict, findings, doubts, each_level, more_rows })
}

fn find(
    condition: &Condition<'_>,
    level: ConfidenceLevel,
    n_conditions: usize,
) -> Result<Finding, BoundError> {
    let Condition { wanted, evidence } = condition;
    let wanted = *wanted;
    let Some(evidence) = evidence else {
        return Ok(Finding { wanted, answer: Answer::Unmeasured, bounds: None, more_rows: None });
    };
    let lower = default_bound(evidence, Side::Lower, level, n_conditions)?;
    let upper = default_bound(evidence, Side::Upper, level, n_conditions)?;
    let (worst, best) = match wanted {
        Wanted::AtLeast(_) => (lower.bound.bound, upper.bound.bound),
        Wanted::AtMost(_) => (upper.bound.bound, lower.bound.bound),
    };
    let answer = if 0.0 <= wanted.room(worst) {
        Answer::Holds
    } else if wanted.room(best) < 0.0 {
        Answer::Fails
    } else {
        Answer::Undecided
    };
    let more_rows = lower.value.filter(|_| answer == Answer::Undecided).and_then(|value| {
        let room = wanted.room(value);
        let towards = if 0.0 < room { worst } else { best };
        more_rows(evidence.n_rows(), (value - towards).abs(), room.abs())
    });
    Ok(Finding { wanted, answer, bounds: Some((lower, upper)), more_rows })
}

/// How many rows more bring a bound that is `reach` from the estimate to within `room` of it.
fn more_rows(n_rows: usize, reach: f64, room: f64) -> Option<f64> {
    let n_rows = float_of(n_rows);
    let more = (n_rows * (reach / room).powi(2) - n_rows).ceil().max(1.0);
    (more <= TOO_MANY_ROWS).then_some(more)
}

/// To hold, one condition has to be shown to fail; to ship, all have to be shown to hold.
fn rows_to_settle(findings: &[Finding]) -> Option<f64> {
    let leans_to_failing = |it: &&Finding| {
        it.answer == Answer::Undecided
            && it.value().is_some_and(|value| it.wanted.room(value) < 0.0)
    };
    let failing = findings.iter().filter(leans_to_failing);
    let soonest = failing.filter_map(|it| it.more_rows).min_by(f64::total_cmp);
    if soonest.is_some() || findings.iter().any(|it| it.answer == Answer::Unmeasured) {
        return soonest;
    }
    let open: Option<Vec<f64>> = findings
        .iter()
        .filter(|it| it.answer == Answer::Undecided)
        .map(|it| it.more_rows)
        .collect();
    open?.into_iter().max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests;
