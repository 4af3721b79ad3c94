//! A log or a table, walked through in time order: what was learned before a window decides it, and
//! its rows say what that was worth.
//!
//! Every request is read into features once, which are set aside in a file; a window is a range of
//! rows. The policy of a window is learned from rows before it alone, by the same steps as `train`
//! takes or with what held-out rows decided at an earlier fit, so that every value is one that could
//! have been had (progressive validation; Blum, Kalai & Langford, COLT 1999). Repetitions of prompts
//! and turns of conversations that began before count as they came, since they would have come to the
//! policy as well. Weakness: what people ask does not change with what they were answered.

mod arrivals;
mod aside;
mod ask;
pub(crate) mod contents;
mod decide;
mod learn;
mod logged;
mod mind;
mod policies;
mod prices;
mod running;
pub(crate) mod setting;
pub(crate) mod stream;
mod value;
mod walk;
pub(crate) mod windows;
pub(crate) mod words;

pub(crate) use walk::replay;

use crate::what_if::WhatIf;
use pointsman_core::catalog::Catalog;
use pointsman_eval::interval::ConfidenceLevel;
use setting::Setting;
use windows::Span;

/// What is walked how, and what is asked of it.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) window: Span,
    /// The setting that is asked about, and perhaps another that it is held against.
    pub(crate) settings: Vec<Setting>,
    /// At most so many rows of what is remembered are fitted at a time, the newest.
    pub(crate) most_rows: usize,
    /// Held-out rows are asked how to learn at the first fit, at every so many after it, and where
    /// rows have doubled since.
    pub(crate) select_every: usize,
    pub(crate) level: ConfidenceLevel,
    pub(crate) gate: Gate,
    pub(crate) catalog: Option<Catalog>,
    pub(crate) what_if: WhatIf,
    pub(crate) command: String,
}

/// By what a gate would have let a policy take a window over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    /// The least that quality may change by.
    pub(crate) quality: f64,
    /// The most that cost may change by, in dollars per request; not tested where `None`.
    pub(crate) cost_usd: Option<f64>,
    /// The most that one request can cost, where it is stated.
    pub(crate) largest_cost_usd: Option<f64>,
}
