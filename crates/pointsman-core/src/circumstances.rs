//! What is in force for one decision beside the policy: what is strived for, what is known of the
//! endpoints right now, and the conversation so far.
//!
//! All of it is an argument of the decision, so that the same circumstances give the same decision
//! again, long after.

use crate::{
    explorer::Explorer,
    objective::{Favour, Objective},
    units::Tokens,
};

/// What is in force for one decision.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// What is strived for.
    pub objective: Objective,
    /// A model that is given more, or less, than what is predicted of it.
    pub favour: Option<Favour>,
    /// How much is gambled on being wrong.
    pub explorer: Explorer,
    /// What is known of the endpoints right now; the catalog alone counts where `None`.
    pub live: Option<&'a LiveEndpoints>,
    /// Where the conversation has been so far; it begins here where `None`.
    pub held: Option<Held>,
    /// What may come after the answer.
    pub outlook: Outlook,
}

/// What may come after the answer of the model that is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outlook {
    /// It is given to the caller, whatever it is.
    FinalAnswer,
    /// Where something was learned about that model's answers, another model may be called.
    #[default]
    Cascade,
}

/// What is known of every endpoint right now, in the order of the policy's models and, for each,
/// of the catalog's endpoints.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LiveEndpoints {
    models: Vec<Vec<LiveEndpoint>>,
}

/// What is known of one endpoint right now. What is not known is as the catalog says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LiveEndpoint {
    /// Whether it answers.
    pub health: Health,
    /// Recent time to the first token.
    pub ttft_ms: Option<f64>,
    /// Recent output tokens per second.
    pub tokens_per_second: Option<f64>,
}

/// Whether an endpoint answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Health {
    /// As far as is known.
    #[default]
    Up,
    /// It failed too often of late, and does not come into question.
    Failing,
}

/// Where a conversation has been so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The model that answered last, by its place among the policy's models.
    pub model: usize,
    /// The endpoint that it answered at, by its place in the catalog.
    pub endpoint: usize,
    /// How much of the prompt is in that endpoint's cache. Elsewhere it is paid in full, which is
    /// what a switch costs.
    pub cached: Tokens,
    /// Whether the model may be changed at all.
    pub switch: Switch,
}

/// Whether a conversation may change its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// At the price of the cache.
    Allowed,
    /// A tool has answered, and the model that called it goes on; unless that model may not answer.
    InToolLoop,
}

impl LiveEndpoints {
    /// From one list of endpoints for each model.
    pub fn new(models: Vec<Vec<LiveEndpoint>>) -> Self {
        Self { models }
    }

    /// What is known of one endpoint; nothing where it is not listed.
    #[inline]
    pub fn of(&self, model: usize, endpoint: usize) -> LiveEndpoint {
        let endpoints = self.models.get(model);
        endpoints.and_then(|endpoints| endpoints.get(endpoint)).copied().unwrap_or_default()
    }
}
