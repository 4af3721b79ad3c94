//! What a report says of a policy beside another: by kind of request, by pair of models, and how much
//! of a log speaks of it. Units are those of [`super::contents`].

use serde::Serialize;

use super::contents::IntervalKind;

/// A policy's quality against another way to choose, on one kind of request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SliceRow {
    /// The policy.
    pub(crate) policy: String,
    /// What requests are told apart by.
    pub(crate) by: String,
    /// The kind.
    pub(crate) slice: String,
    /// Requests of that kind.
    pub(crate) n_rows: usize,
    /// What it is held against.
    pub(crate) against: String,
    /// The mean quality of that.
    pub(crate) against_quality: f64,
    /// The estimated difference; `None` where no request tells of it.
    pub(crate) difference: Option<f64>,
    /// The lower end of its interval.
    pub(crate) lower: f64,
    /// The upper end of its interval.
    pub(crate) upper: f64,
    /// What the interval promises.
    pub(crate) interval_kind: IntervalKind,
    /// How the interval was computed.
    pub(crate) interval_method: String,
    /// Why it is not narrower.
    pub(crate) note: String,
}

/// Which requests change model under one policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Moves {
    /// The policy.
    pub(crate) policy: String,
    /// What its requests move away from.
    pub(crate) against: String,
    /// The share of requests that change model.
    pub(crate) moved_share: f64,
    /// Pairs of models that move too little to be shown.
    pub(crate) n_pairs_not_shown: usize,
    /// The share of requests that those move.
    pub(crate) not_shown_share: f64,
    /// How many intervals, of all policies, hold together.
    pub(crate) n_intervals: usize,
    /// The pairs of models that move most, largest first.
    pub(crate) rows: Vec<MoveRow>,
}

/// Requests that go from one model to another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MoveRow {
    /// The model that is left.
    pub(crate) from: String,
    /// The model that takes over.
    pub(crate) to: String,
    /// The share of all requests.
    pub(crate) share: f64,
    /// What that adds to the mean quality of all requests.
    pub(crate) quality: Gain,
    /// What that adds to the mean cost of all requests; `None` where costs cannot tell.
    pub(crate) cost_usd: Option<Gain>,
}

/// A difference with its interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Gain {
    /// The estimated difference; `None` where no request tells of it.
    pub(crate) value: Option<f64>,
    /// The lower end of its interval.
    pub(crate) lower: f64,
    /// The upper end of its interval.
    pub(crate) upper: f64,
    /// What the interval promises.
    pub(crate) interval_kind: IntervalKind,
    /// How the interval was computed.
    pub(crate) interval_method: String,
    /// Why it is not narrower.
    pub(crate) note: String,
}

/// How a policy's choices overlap with what was logged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Overlap {
    /// The policy.
    pub(crate) policy: String,
    /// Decisions of the log.
    pub(crate) n_rows: usize,
    /// Those that the policy would not have made.
    pub(crate) n_zero_weights: usize,
    /// The others by weight, ascending.
    pub(crate) weights: Vec<WeightBin>,
    /// The others by both probabilities of the logged model.
    pub(crate) cells: Vec<ProbabilityCell>,
}

/// Rows whose weights are neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct WeightBin {
    /// Weights are larger than this.
    pub(crate) above: f64,
    /// And at most this; `None` for no end.
    pub(crate) up_to: Option<f64>,
    /// How many rows there are.
    pub(crate) n_rows: usize,
}

/// Rows whose probabilities are neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct ProbabilityCell {
    /// The tenth that the logger's probability is in, from 0.
    pub(crate) logged_tenth: usize,
    /// The tenth that the policy's probability is in, from 0.
    pub(crate) target_tenth: usize,
    /// How many rows there are.
    pub(crate) n_rows: usize,
}
