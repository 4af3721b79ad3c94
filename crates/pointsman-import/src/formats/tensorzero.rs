//! `TensorZero`: its inference and feedback tables, exported row by row.
//!
//! A `ModelInference` is a call: it has the model, the tokens and the time, under the id of its
//! inference, so that feedback finds it. A `ChatInference` or `JsonInference` says which episode an
//! inference belongs to, and adds its duration; where its export was joined with a model's name, it is a
//! call itself. Feedback is of an inference or of an episode. The weakness: of the several models that
//! one inference tried, the first row counts and the others are counted as duplicates.
//!
//! Source: `TensorZero`, its data model and `POST /feedback`.

use pointsman_log::record::{MetricRecord, OutcomeRecord, Scope, UsageRecord};
use serde::Deserialize;

use super::parse;
use crate::{
    call::{Draft, Found, Score, TRACE_TAG, Target, Untrue, no_id},
    cell::{Cell, Entries, List, Nested, first},
    chat::Prompt,
    item::{Dropped, Item, Reason},
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    id: Cell,
    inference_id: Cell,
    episode_id: Cell,
    function_name: Cell,
    variant_name: Cell,
    model_name: Cell,
    model_provider_name: Cell,
    input_tokens: Cell,
    output_tokens: Cell,
    cost: Cell,
    response_time_ms: Cell,
    processing_time_ms: Cell,
    ttft_ms: Cell,
    timestamp: Cell,
    system: Cell,
    input: Prompt,
    input_messages: Prompt,
    finish_reason: Cell,
    cached: Cell,
    tags: Nested<Entries>,
    tool_params: Nested<ToolParams>,
    // What only feedback has.
    target_id: Cell,
    metric_name: Cell,
    value: Cell,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToolParams {
    tools_available: List<serde::de::IgnoredAny>,
}

/// Keys of which a row has all of one line.
pub(super) const MARKS: &[&[&str]] = &[
    &["inference_id", "model_name", "model_provider_name"],
    &["function_name", "variant_name", "episode_id"],
    &["target_id", "metric_name", "value"],
    &["target_id", "value", "timestamp"],
    &["inference_id", "value", "timestamp"],
];

/// Reads one row of any of the tables.
pub(super) fn read(row: &[u8], out: &mut Vec<Found>) -> Result<(), Dropped> {
    let row: Row = parse(row)?;
    if row.target_id != Cell::None || row.metric_name != Cell::None {
        out.push(feedback(&row)?);
        return Ok(());
    }
    if row.model_name != Cell::None {
        out.push(call(row)?);
        return Ok(());
    }
    if row.function_name == Cell::None {
        let detail = format!("id `{}`", row.id.text().unwrap_or_default());
        return Err(Dropped::new(Reason("a comment or demonstration, not a number"), detail));
    }
    inference(&row, out)
}

fn call(row: Row) -> Result<Found, Dropped> {
    if row.cached.truth() == Some(true) {
        let detail = format!("id `{}`", row.id.text().unwrap_or_default());
        return Err(Dropped::new(Reason("answered from the gateway's cache, by no model"), detail));
    }
    let id = first(&[&row.inference_id, &row.id], Cell::text);
    let start_ms = row.timestamp.time_ms().or_else(|| id.as_deref().and_then(time_of_uuid));
    let episode = row.episode_id.text();
    let prompt =
        if row.input_messages.messages.is_empty() { row.input } else { row.input_messages };
    let variant = row.variant_name.text();
    let mut untrue = Untrue::default();
    Draft {
        id,
        asked: row.model_name.text(),
        provider: row.model_provider_name.text(),
        start_ms,
        session: episode.clone(),
        tags: vec![
            ("task", row.function_name.text()),
            ("variant", variant.clone()),
            (TRACE_TAG, episode),
        ],
        prompt: prompt.with_system(row.system.text()),
        n_tools: u32::try_from(row.tool_params.0.tools_available.0.len()).unwrap_or(u32::MAX),
        usage: UsageRecord {
            input: row.input_tokens.count(),
            output: row.output_tokens.count(),
            ..UsageRecord::default()
        },
        cost: untrue.amount(Reason::COST_BELOW_ZERO, &[&row.cost]).map(|cost| (cost, "tensorzero")),
        latency_ms: untrue
            .amount(Reason::TIME_BELOW_ZERO, &[&row.response_time_ms, &row.processing_time_ms]),
        ttft_ms: untrue.amount(Reason::TIME_BELOW_ZERO, &[&row.ttft_ms]),
        finish_reason: row.finish_reason.text(),
        policy: variant.map(|name| format!("tensorzero/{name}")),
        untrue,
        ..Draft::default()
    }
    .finish()
}

/// An inference without its model: when it ended, and where it belongs.
fn inference(row: &Row, out: &mut Vec<Found>) -> Result<(), Dropped> {
    let Some(id) = row.id.text() else { return Err(no_id("an inference")) };
    let found_time = row.timestamp.time_ms().or_else(|| time_of_uuid(&id));
    let Some(ts_ms) = found_time else {
        return Err(Dropped::new(Reason::NO_TIME, format!("id `{id}`")));
    };
    let mut untrue = Untrue::default();
    let mut outcome = OutcomeRecord::grade(id.clone(), ts_ms, Vec::new());
    outcome.latency_ms = untrue.amount(Reason::TIME_BELOW_ZERO, &[&row.processing_time_ms]);
    outcome.ttft_ms = untrue.amount(Reason::TIME_BELOW_ZERO, &[&row.ttft_ms]);
    out.push(Found::Item(Item::Outcome(Box::new(outcome))));
    out.extend(untrue.of_call(&id).0.into_iter().map(Found::Untrue));
    out.extend(row.episode_id.text().map(|trace| Found::Link { decision_id: id, trace }));
    Ok(())
}

fn feedback(row: &Row) -> Result<Found, Dropped> {
    let Some(name) = row.metric_name.text() else {
        let detail = format!("id `{}`", row.id.text().unwrap_or_default());
        return Err(Dropped::new(Reason("a comment or demonstration, not a number"), detail));
    };
    let Some(value) = row.value.number() else {
        return Err(Dropped::new(Reason("a score that is no number"), format!("metric `{name}`")));
    };
    let target = match (row.target_id.text(), row.inference_id.text(), row.episode_id.text()) {
        (_, Some(inference), _) => Target::Decision(inference),
        (Some(target), None, _) => Target::Either(target),
        (None, None, Some(episode)) => Target::Trace(episode),
        (None, None, None) => return Err(no_id("feedback without a target_id")),
    };
    let id = row.id.text();
    let Some(ts_ms) = row.timestamp.time_ms().or_else(|| id.as_deref().and_then(time_of_uuid))
    else {
        return Err(Dropped::new(Reason::NO_TIME, format!("metric `{name}`")));
    };
    let scope = match target {
        Target::Decision(_) | Target::Either(_) => Scope::Request,
        Target::Trace(_) => Scope::Episode,
    };
    let metric = MetricRecord { name, value, source: Some("feedback".to_owned()), scope };
    Ok(Found::Score(Box::new(Score { target, ts_ms, metric })))
}

/// The milliseconds that a UUID of version 7 begins with.
fn time_of_uuid(id: &str) -> Option<u64> {
    let mut groups = id.split('-');
    let (high, low, version) = (groups.next()?, groups.next()?, groups.next()?);
    if high.len() != 8 || low.len() != 4 || !version.starts_with('7') {
        return None;
    }
    u64::from_str_radix(&format!("{high}{low}"), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_version_seven_tell_the_time() {
        assert_eq!(time_of_uuid("019b7682-8c00-7000-8000-000000000001"), Some(0x019b_7682_8c00));
        assert_eq!(time_of_uuid("019b7682-8c00-4000-8000-000000000001"), None);
        assert_eq!(time_of_uuid("x"), None);
    }
}
