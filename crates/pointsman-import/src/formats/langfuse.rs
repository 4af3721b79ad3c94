//! Langfuse: observations and scores, of the blob export (new and old) and of the public API.
//!
//! The three write the same fields in two cases and with different names; a key of any of them is read.
//! Only generations are calls. A score is of an observation, else of every call of its trace. The
//! weakness: an observation of another project's exporter that calls its type otherwise is dropped, and
//! counted.
//!
//! Source: Langfuse, fields of the blob storage export, and its public API.

use pointsman_log::record::{MetricRecord, Scope, UsageRecord};
use serde::Deserialize;

use super::parse;
use crate::{
    call::{Draft, Found, Score, TRACE_TAG, Target, Untrue, no_id, push_rows},
    cell::{Cell, Entries, List, Nested, first},
    chat::Prompt,
    item::{Dropped, Reason},
};

/// An observation, a score, a trace, or a page of the API.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    data: List<Row>,
    id: Cell,
    #[serde(alias = "traceId")]
    trace_id: Cell,
    r#type: Cell,
    #[serde(alias = "startTime")]
    start_time: Cell,
    #[serde(alias = "endTime")]
    end_time: Cell,
    #[serde(alias = "completionStartTime")]
    completion_start_time: Cell,
    level: Cell,
    input: Prompt,
    model: Cell,
    #[serde(alias = "providedModelName")]
    provided_model_name: Cell,
    #[serde(alias = "modelParameters")]
    model_parameters: Nested<Entries>,
    #[serde(alias = "usageDetails")]
    usage_details: Nested<Entries>,
    usage: Nested<Entries>,
    #[serde(alias = "costDetails")]
    cost_details: Nested<Entries>,
    #[serde(alias = "promptTokens")]
    prompt_tokens: Cell,
    #[serde(alias = "completionTokens")]
    completion_tokens: Cell,
    #[serde(alias = "totalCost")]
    total_cost: Cell,
    #[serde(alias = "calculatedTotalCost")]
    calculated_total_cost: Cell,
    latency: Cell,
    #[serde(alias = "timeToFirstToken")]
    time_to_first_token: Cell,
    #[serde(alias = "userId")]
    user_id: Cell,
    #[serde(alias = "sessionId")]
    session_id: Cell,
    #[serde(alias = "traceName")]
    trace_name: Cell,
    tool_definitions: List<serde::de::IgnoredAny>,
    metadata: Nested<Entries>,
    // What only a score has.
    #[serde(alias = "observationId")]
    observation_id: Cell,
    name: Cell,
    value: Cell,
    #[serde(alias = "stringValue")]
    string_value: Cell,
    #[serde(alias = "dataType")]
    data_type: Cell,
    source: Cell,
    timestamp: Cell,
    #[serde(alias = "createdAt")]
    created_at: Cell,
}

/// Keys of which a row has all of one line.
pub(super) const MARKS: &[&[&str]] = &[
    &["trace_id", "start_time", "type"],
    &["traceId", "startTime", "type"],
    &["trace_id", "name", "data_type", "value"],
    &["traceId", "name", "dataType"],
    &["trace_id", "observation_id", "name", "value"],
    &["traceId", "observationId", "name", "value"],
];

/// Reads one observation or score, or one page of them.
pub(super) fn read(row: &[u8], out: &mut Vec<Found>) -> Result<(), Dropped> {
    let mut row: Row = parse(row)?;
    let page = std::mem::take(&mut row.data.0);
    push_rows(row, page, one, out)
}

fn one(row: Row) -> Result<Found, Dropped> {
    let kind = row.r#type.text();
    if kind.is_none() && row.start_time == Cell::None {
        return score(&row);
    }
    let is_generation = kind.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("generation"));
    if !is_generation {
        let kind = kind.unwrap_or_default();
        let embeds = kind.eq_ignore_ascii_case("embedding");
        let reason = if embeds { Reason::NOT_CHAT } else { Reason("a step that called no model") };
        return Err(Dropped::new(reason, format!("type `{kind}`")));
    }
    observation(row).finish()
}

fn observation(row: Row) -> Draft {
    let (details, usage) = (row.usage_details.0, row.usage.0);
    let count = |keys: &[&str]| {
        keys.iter().find_map(|key| details.get(key).count().or_else(|| usage.get(key).count()))
    };
    let mut untrue = Untrue::default();
    let cost_details = row.cost_details.0;
    let totals = [&row.total_cost, &row.calculated_total_cost, cost_details.get("total")];
    let cost = untrue
        .amount(Reason::COST_BELOW_ZERO, &totals)
        .or_else(|| sum_of_parts(&cost_details, &mut untrue));
    let start_ms = row.start_time.time_ms();
    let since_start =
        untrue.taken_ms(Reason::FIRST_TOKEN_EARLY, (start_ms, row.completion_start_time.time_ms()));
    let latency = untrue.amount(Reason::TIME_BELOW_ZERO, &[&row.latency]);
    let ttft = untrue.amount(Reason::TIME_BELOW_ZERO, &[&row.time_to_first_token]);
    let trace = row.trace_id.text();
    let parameters = row.model_parameters.0;
    let named = |key: &str| row.metadata.0.get(key).text();
    Draft {
        id: row.id.text(),
        asked: first(&[&row.provided_model_name, &row.model], Cell::text),
        provider: named("provider"),
        start_ms,
        end_ms: row.end_time.time_ms(),
        session: row.session_id.text().or_else(|| trace.clone()),
        tenant: row.user_id.text(),
        tags: vec![("task", row.trace_name.text()), (TRACE_TAG, trace)],
        prompt: row.input,
        n_tools: u32::try_from(row.tool_definitions.0.len()).unwrap_or(u32::MAX),
        max_tokens: ["max_completion_tokens", "max_tokens", "maxTokens"]
            .into_iter()
            .find_map(|key| parameters.get(key).count()),
        is_failed: row.level.text().is_some_and(|level| level.eq_ignore_ascii_case("error")),
        usage: UsageRecord {
            input: row.prompt_tokens.count().or_else(|| count(&["input", "promptTokens"])),
            output: row
                .completion_tokens
                .count()
                .or_else(|| count(&["output", "completionTokens"])),
            cached_read: count(&["input_cached_tokens", "cache_read_input_tokens"]),
            cached_write: count(&["input_cache_creation", "cache_creation_input_tokens"]),
            reasoning: count(&["reasoning_tokens", "output_reasoning_tokens", "output_reasoning"]),
        },
        cost: cost.map(|cost| (cost, "langfuse")),
        latency_ms: latency.map(|seconds| seconds * 1e3),
        ttft_ms: ttft.map(|seconds| seconds * 1e3).or(since_start),
        finish_reason: named("finish_reason"),
        untrue,
        ..Draft::default()
    }
}

/// The sum of what parts of the tokens cost; not known where one is below zero, since the others alone
/// would understate it.
fn sum_of_parts(details: &Entries, untrue: &mut Untrue) -> Option<f64> {
    let is_part = |(part, cost): &&(String, Cell)| part != "total" && cost.number().is_some();
    let amount = |(_, cost): &(String, Cell)| untrue.amount(Reason::COST_BELOW_ZERO, &[cost]);
    let parts: Vec<Option<f64>> = details.0.iter().filter(is_part).map(amount).collect();
    if parts.is_empty() {
        return None;
    }
    parts.into_iter().sum()
}

fn score(row: &Row) -> Result<Found, Dropped> {
    let is_trace = [&row.value, &row.string_value, &row.trace_id, &row.observation_id]
        .iter()
        .all(|cell| **cell == Cell::None);
    if is_trace {
        let detail = format!("id `{}`", row.id.text().unwrap_or_default());
        return Err(Dropped::new(Reason("neither a call nor a score"), detail));
    }
    let (Some(name), target) = (row.name.text(), target(row)) else {
        let detail = format!("id `{}`", row.id.text().unwrap_or_default());
        return Err(Dropped::new(Reason::NOT_THE_FORMAT, detail));
    };
    let Some(target) = target else { return Err(no_id("a score of no trace")) };
    let is_boolean = row.data_type.text().is_some_and(|kind| kind.eq_ignore_ascii_case("boolean"));
    let value = row.value.number().or_else(|| row.string_value.number().filter(|_| is_boolean));
    let Some(value) = value else {
        return Err(Dropped::new(Reason("a score that is no number"), format!("score `{name}`")));
    };
    let Some(ts_ms) = first(&[&row.timestamp, &row.created_at], Cell::time_ms) else {
        return Err(Dropped::new(Reason::NO_TIME, format!("score `{name}`")));
    };
    let scope = match target {
        Target::Decision(_) => Scope::Request,
        Target::Trace(_) | Target::Either(_) => Scope::Episode,
    };
    let source = row.source.text().map(|source| source.to_ascii_lowercase());
    let metric = MetricRecord { name, value, source, scope };
    Ok(Found::Score(Box::new(Score { target, ts_ms, metric })))
}

fn target(row: &Row) -> Option<Target> {
    match row.observation_id.text() {
        Some(observation) => Some(Target::Decision(observation)),
        None => row.trace_id.text().map(Target::Trace),
    }
}
