//! Values of policies with intervals and diagnostics, from outcome tables and from logs.
//!
//! Two kinds of evidence, two ways in:
//!
//! * **A traffic log**, where one model answered each prompt: check its columns with
//!   [`rounds::LoggedRounds`], estimate with [`estimators::estimate`], and print
//!   [`diagnostics::diagnose`] beside the value. A log can fail to answer a question; then there
//!   is an [`error::EstimateError`], never a NaN.
//!   [`choice::default_interval`] and [`choice::default_bound`] give the interval that the rows
//!   deserve; [`gate::decide`] says whether a policy may ship; [`bounds`] and [`sequence`] hold at every number of rows.
//! * **An outcome table**, where every model answered every prompt: check it with
//!   [`matrix::Outcomes`], measure with [`full`], [`frontier`], [`calibration`] and [`reliability`], and ask
//!   [`baselines::judge`] whether routing is worth it at all.
//!
//! ```
//! use pointsman_eval::{
//!     diagnostics::diagnose,
//!     estimators::{Estimator, estimate},
//!     interval::ConfidenceLevel,
//!     rounds::{LoggedRounds, RoundColumns},
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Four calls that went to one of two models by the throw of a coin. The policy asked about
//! // would have taken the same model in all but the second.
//! let rounds = LoggedRounds::new(RoundColumns {
//!     propensity: vec![0.5, 0.5, 0.5, 0.5],
//!     target: vec![1.0, 0.0, 1.0, 1.0],
//!     reward: vec![1.0, 0.0, 0.5, 1.0],
//!     ..RoundColumns::default()
//! })?;
//! let found = estimate(&rounds, Estimator::Snips, ConfidenceLevel::P95)?;
//! assert!((found.value - 2.5 / 3.0).abs() < 1e-12);
//! assert!(found.interval.contains(found.value));
//! assert_eq!(found.interval.kind.name(), "asymptotic"); // and of four rows: not to be relied on
//!
//! let beside = diagnose(&rounds, None);
//! assert!((beside.effective_n - 3.0).abs() < 1e-9);
//! for warning in &beside.warnings {
//!     println!("{warning}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | question | read |
//! |---|---|
//! | what would a policy have been worth, by a log | [`rounds`], [`distributions`], [`estimators`], [`tuning`] |
//! | may the value be believed | [`diagnostics`], [`support`] |
//! | how far may it be off | [`choice`], with [`bounds`], [`skewed`], [`likelihood`], [`bootstrap`]; [`sequence`] for logs that grow |
//! | may the policy ship | [`gate`] |
//! | what would a log have to explore | [`exploration`] |
//! | what are several steps on one request worth | [`trajectory`], [`cascade`], [`escalation`], [`reading`] |
//! | what does each dollar buy, on a table | [`matrix`], [`full`], [`frontier`], [`baselines`], [`published`] |
//! | may predictions be taken at their word | [`calibration`], [`reliability`] |
//!
//! Everything here is a pure function of its arguments. Sums run in row order, so the same rows
//! give the same bits; what can be computed in parts has a state with a `merge`.

// In reading order; rustfmt sorts within each group only.
pub mod distributions;
pub mod rounds;

pub mod estimators;
pub mod tuning;

pub mod diagnostics;
pub mod support;

pub mod bootstrap;
pub mod bounds;
pub mod choice;
pub mod exploration;
pub mod gate;
pub mod likelihood;
pub mod sequence;
pub mod skewed;
pub mod trajectory;

pub mod matrix;

pub mod full;

pub mod cascade;
pub mod escalation;
pub mod foresight;
pub mod frontier;
pub mod published;
pub mod reading;
pub mod whole;

pub mod baselines;
pub mod calibration;
pub mod reliability;

pub mod error;
pub mod interval;
pub mod moments;
mod normal;
mod student;
