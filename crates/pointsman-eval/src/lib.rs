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
