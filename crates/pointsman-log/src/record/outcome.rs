//! What came of a decision, as it is written: whether there was an answer, what it cost and how good
//! it was.

use serde::{Deserialize, Serialize};

/// What came of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutcomeRecord {
    /// The [`DecisionRecord::id`](super::DecisionRecord::id) that it belongs to.
    pub decision_id: String,
    /// When it was known, in milliseconds since 1970 UTC.
    pub ts_ms: u64,
    /// The model that answered; differs from the drawn one after a failover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served_model: Option<String>,
    /// The provider that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Whether there was a usable answer.
    pub status: Status,
    /// The model that had failed before the served one was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_from: Option<String>,
    /// The tokens that were billed.
    #[serde(default, skip_serializing_if = "UsageRecord::is_empty")]
    pub usage: UsageRecord,
    /// What it cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<CostRecord>,
    /// The time to the whole answer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// The time to the first token, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<f64>,
    /// How good the answer was, by any number of measures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricRecord>,
}

/// Whether there was a usable answer. A failure is an outcome, not missing data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The model answered.
    Ok,
    /// No usable answer; tokens may still have been billed.
    Failed,
}

/// Billed tokens, each count as the provider reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UsageRecord {
    /// Prompt tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    /// Answer tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Prompt tokens that were read from the provider's cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_read: Option<u64>,
    /// Prompt tokens that were written to the provider's cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_write: Option<u64>,
    /// Tokens of hidden reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
}

/// What an answer cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostRecord {
    /// In dollars.
    pub value: f64,
    /// Who said so, such as `provider` or `catalog`.
    pub source: String,
}

/// One measure of how good an answer was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricRecord {
    /// What was measured, such as `quality`.
    pub name: String,
    /// The number, in the metric's own unit.
    pub value: f64,
    /// Who measured it, such as `judge` or `user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What it speaks of.
    #[serde(default)]
    pub scope: Scope,
}

/// What a metric speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// This one answer.
    #[default]
    Request,
    /// The whole conversation up to here.
    Episode,
}

impl OutcomeRecord {
    /// A grade and nothing else: a usable answer of which no more is known.
    pub fn grade(decision_id: String, ts_ms: u64, metrics: Vec<MetricRecord>) -> Self {
        Self {
            decision_id,
            ts_ms,
            served_model: None,
            provider: None,
            status: Status::Ok,
            fallback_from: None,
            usage: UsageRecord::default(),
            cost_usd: None,
            latency_ms: None,
            ttft_ms: None,
            metrics,
        }
    }
}

impl UsageRecord {
    /// Whether no count is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
