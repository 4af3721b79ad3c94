//! One decision with its outcome, as the readers of both forms hand it over.

use std::{borrow::Cow, path::Path};

use pointsman_core::request::Request;
use pointsman_log::{
    journal::Damage,
    record::{AnswerRecord, FeaturesRecord, PropensityKind},
};

use crate::error::DataError;

/// What takes the decisions of a log, as the readers of both forms hand them over.
pub(super) trait Decisions {
    /// The tags that a decision is to bring beside its task, in their order.
    fn wanted_tags(&self) -> &[String];

    /// Makes room for so many more decisions, those of a file, where there is memory for them.
    fn make_room(&mut self, _n_decisions: usize) {}

    /// Hands over the candidates of the decision that is pushed next.
    fn begin_candidates(&mut self);

    /// One candidate; `slot` says where in the list the same model stood last time.
    fn candidate(&mut self, model: &str, probability: f64, slot: &mut u16)
    -> Result<(), DataError>;

    /// Candidates whose models stood in those slots before, each with its probability.
    fn known_candidates(&mut self, slots: &[u16], probabilities: &[f64]);

    /// Says that the last candidate was excluded.
    fn exclude_last(&mut self);

    /// Takes one decision, or counts why not. A request without text counts for its features.
    fn push(&mut self, decision: &DecisionCell<'_>, request: &Request<'_>)
    -> Result<(), DataError>;

    /// Counts what a journal's reader passed over.
    fn add_damage(&mut self, damage: Damage);
}

/// One decision as a reader hands it over; its candidates were handed over just before.
pub(super) struct DecisionCell<'a> {
    pub(super) path: &'a Path,
    /// The row in the file, from 1.
    pub(super) number: u64,
    pub(super) id: &'a str,
    pub(super) ts_ms: u64,
    pub(super) session_id: Option<&'a str>,
    pub(super) task: Option<Cow<'a, str>>,
    pub(super) tenant: Option<&'a str>,
    /// The values of the tags that the builder wants, in their order.
    pub(super) tags: Vec<Option<String>>,
    pub(super) drawn: &'a str,
    pub(super) propensity: Option<f64>,
    pub(super) kind: PropensityKind,
    /// Whether it is about an answer, and no first decision.
    pub(super) is_later_step: bool,
    /// Which step of a cascade it says it is.
    pub(super) step: Option<u64>,
    /// The decision whose answer it is about.
    pub(super) previous: Option<&'a str>,
    /// What the answers of the cascade so far had cost.
    pub(super) spent_usd: Option<f64>,
    /// What is kept of that answer.
    pub(super) answer: Option<&'a AnswerRecord>,
    /// With which probability the logger kept the decision at all; one where it does not say.
    pub(super) keep_prob: Option<f64>,
    /// As counted at the decision, for where the outcome does not say.
    pub(super) input_tokens: Option<f64>,
    /// What stands in for a text that was not kept.
    pub(super) features: Option<&'a FeaturesRecord>,
    pub(super) outcome: Option<OutcomeCell<'a>>,
}

impl DecisionCell<'_> {
    /// The refusal of a decision that cannot be right.
    pub(super) fn wrong(&self, problem: String) -> DataError {
        let (path, id) = (self.path.to_path_buf(), self.id.to_owned());
        DataError::Decision { path, id, row: self.number, problem }
    }

    /// The refusal of a propensity that is no probability of a draw.
    pub(super) fn wrong_propensity(&self, value: f64) -> DataError {
        let (path, id) = (self.path.to_path_buf(), self.id.to_owned());
        DataError::Propensity { path, value, id, row: self.number }
    }
}

/// What came of a decision; values are not checked.
#[derive(Clone, Copy, Default)]
pub(super) struct OutcomeCell<'a> {
    pub(super) served_model: Option<&'a str>,
    pub(super) is_failed: bool,
    pub(super) quality: Option<f64>,
    pub(super) cost_usd: Option<f64>,
    pub(super) input_tokens: Option<f64>,
    pub(super) output_tokens: Option<f64>,
    pub(super) latency_ms: Option<f64>,
}
