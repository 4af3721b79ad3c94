//! Helicone: requests as its exports and its API write them, with scores and feedback in the row.
//!
//! Source: Helicone, `npx @helicone/export` and `POST /v1/request/query`.

use pointsman_log::record::{MetricRecord, Scope, UsageRecord};
use serde::{Deserialize, de::IgnoredAny};

use super::{is_chat, parse};
use crate::{
    call::{Draft, Found, Untrue, metric, push_rows},
    cell::{Cell, Entries, List, Nested, first},
    chat::Prompt,
    item::{Dropped, Reason},
};

/// A request, or a page of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    data: List<Row>,
    request_id: Cell,
    request_created_at: Cell,
    request_body: Nested<Body>,
    request_path: Cell,
    request_user_id: Cell,
    request_properties: Nested<Entries>,
    request_model: Cell,
    response_created_at: Cell,
    response_body: Nested<Answer>,
    response_status: Cell,
    response_model: Cell,
    model_override: Cell,
    helicone_user: Cell,
    provider: Cell,
    delay_ms: Cell,
    time_to_first_token: Cell,
    prompt_tokens: Cell,
    prompt_cache_write_tokens: Cell,
    prompt_cache_read_tokens: Cell,
    completion_tokens: Cell,
    cost: Cell,
    #[serde(rename = "costUSD")]
    cost_usd: Cell,
    scores: Nested<Entries>,
    feedback: Nested<Feedback>,
    feedback_rating: Cell,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    messages: Prompt,
    input: Prompt,
    prompt: Prompt,
    system: Prompt,
    tools: List<IgnoredAny>,
    max_tokens: Cell,
    max_completion_tokens: Cell,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    choices: List<Choice>,
    stop_reason: Cell,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    finish_reason: Cell,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Feedback {
    rating: Cell,
}

/// Keys of which a row has all of one line.
pub(super) const MARKS: &[&[&str]] = &[
    &["request_id", "request_created_at", "response_status"],
    &["request_id", "request_created_at", "delay_ms"],
    &["request_id", "request_created_at", "request_model"],
];

/// Reads one request or one page.
pub(super) fn read(row: &[u8], out: &mut Vec<Found>) -> Result<(), Dropped> {
    let mut row: Row = parse(row)?;
    let page = std::mem::take(&mut row.data.0);
    push_rows(row, page, request, out)
}

fn request(row: Row) -> Result<Found, Dropped> {
    let path = row.request_path.text().unwrap_or_default();
    if !is_chat(&path) {
        return Err(Dropped::new(Reason::NOT_CHAT, format!("path `{path}`")));
    }
    let properties = row.request_properties.0;
    let named = |key: &str| properties.get(key).text();
    let body = row.request_body.0;
    let answer = row.response_body.0;
    let finish_reason = answer.choices.0.first().and_then(|one| one.finish_reason.text());
    // Below zero stands what never got an answer: cancelled, or still under way.
    let status = row.response_status.number();
    let is_ok = status.is_none_or(|status| (200.0..300.0).contains(&status));
    let mut metrics: Vec<MetricRecord> = row.scores.0.0.iter().filter_map(score).collect();
    let rating = first(&[&row.feedback.0.rating, &row.feedback_rating], Cell::number);
    let source = || Some("user".to_owned());
    metrics.extend(rating.map(|value| metric("feedback", value, source(), Scope::Request)));
    let prompt = [body.messages, body.input, body.prompt]
        .into_iter()
        .find(|one| !one.messages.is_empty())
        .unwrap_or_default();
    let system = body
        .system
        .messages
        .into_iter()
        .map(|one| one.content)
        .reduce(|one, other| one + "\n" + &other);
    let mut untrue = Untrue::default();
    Draft {
        id: row.request_id.text(),
        asked: first(&[&row.model_override, &row.request_model, &row.response_model], Cell::text),
        served: row.response_model.text(),
        provider: row.provider.text().map(|name| name.to_ascii_lowercase()),
        start_ms: row.request_created_at.time_ms(),
        end_ms: row.response_created_at.time_ms(),
        session: named("Helicone-Session-Id"),
        tenant: first(&[&row.request_user_id, &row.helicone_user], Cell::text),
        tags: vec![("task", named("task"))],
        prompt: prompt.with_system(system),
        n_tools: u32::try_from(body.tools.0.len()).unwrap_or(u32::MAX),
        max_tokens: first(&[&body.max_completion_tokens, &body.max_tokens], Cell::count),
        is_failed: !is_ok,
        usage: UsageRecord {
            input: row.prompt_tokens.count(),
            output: row.completion_tokens.count(),
            cached_read: row.prompt_cache_read_tokens.count(),
            cached_write: row.prompt_cache_write_tokens.count(),
            reasoning: None,
        },
        cost: untrue
            .amount(Reason::COST_BELOW_ZERO, &[&row.cost_usd, &row.cost])
            .map(|cost| (cost, "helicone")),
        latency_ms: untrue.amount(Reason::TIME_BELOW_ZERO, &[&row.delay_ms]),
        ttft_ms: untrue.amount(Reason::TIME_BELOW_ZERO, &[&row.time_to_first_token]),
        metrics,
        finish_reason: finish_reason.or_else(|| answer.stop_reason.text()),
        untrue,
        ..Draft::default()
    }
    .finish()
}

fn score((name, value): &(String, Cell)) -> Option<MetricRecord> {
    Some(metric(name, value.number()?, Some("score".to_owned()), Scope::Request))
}
