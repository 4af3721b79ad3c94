//! OpenRouter: records of `GET /api/v1/generation`, and the traces that it broadcasts as JSON.
//!
//! A generation record has no prompt: it teaches prices and latencies, not which prompts are hard. A
//! broadcast trace has its generations as observations.
//!
//! Source: OpenRouter's reference of the generation endpoint and its guide to broadcasting traces.

use pointsman_log::record::UsageRecord;
use serde::Deserialize;

use super::{fixed_model, is_chat, parse};
use crate::{
    call::{Draft, Found, TRACE_TAG, Untrue, push_rows},
    cell::{Cell, Entries, List, Nested, first},
    chat::Prompt,
    item::{Dropped, Reason},
};

/// A generation record, an envelope of them, or a trace with its observations.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    data: List<Row>,
    observations: List<Observation>,
    id: Cell,
    total_cost: Cell,
    usage: Cell,
    created_at: Cell,
    model: Cell,
    cancelled: Cell,
    provider_name: Cell,
    latency: Cell,
    generation_time: Cell,
    finish_reason: Cell,
    tokens_prompt: Cell,
    tokens_completion: Cell,
    native_tokens_prompt: Cell,
    native_tokens_completion: Cell,
    native_tokens_reasoning: Cell,
    native_tokens_cached: Cell,
    external_user: Cell,
    api_type: Cell,
    router: Cell,
    session_id: Cell,
    #[serde(rename = "userId")]
    user_id: Cell,
    #[serde(rename = "sessionId")]
    trace_session_id: Cell,
    openrouter_metadata: Nested<Strategy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Strategy {
    strategy: Cell,
}

/// One generation of a broadcast trace.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Observation {
    id: Cell,
    r#type: Cell,
    start_time: Cell,
    end_time: Cell,
    completion_start_time: Cell,
    model: Cell,
    level: Cell,
    input: Prompt,
    prompt_tokens: Cell,
    completion_tokens: Cell,
    prompt_tokens_details: Nested<Details>,
    completion_tokens_details: Nested<Details>,
    total_cost: Cell,
    metadata: Nested<About>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    #[serde(rename = "cachedTokens")]
    cached: Cell,
    #[serde(rename = "cacheWriteTokens")]
    written: Cell,
    #[serde(rename = "reasoningTokens")]
    reasoning: Cell,
}

/// What OpenRouter says of a generation, under a key of its own or under dotted ones.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct About {
    openrouter_generation: Nested<Entries>,
    #[serde(rename = "openrouter_generation.provider_name")]
    provider_name: Cell,
    #[serde(rename = "openrouter_generation.finish_reason")]
    finish_reason: Cell,
}

/// Keys of which a row has all of one line.
pub(super) const MARKS: &[&[&str]] = &[
    &["native_tokens_prompt", "total_cost"],
    &["native_tokens_prompt", "provider_name"],
    &["data.native_tokens_prompt"],
    &["observations", "sessionId", "userId"],
];

/// Reads one record, one envelope or one trace.
pub(super) fn read(row: &[u8], out: &mut Vec<Found>) -> Result<(), Dropped> {
    let mut row: Row = parse(row)?;
    if !row.observations.0.is_empty() {
        return read_trace(row, out);
    }
    let page = std::mem::take(&mut row.data.0);
    push_rows(row, page, |row| generation(&row), out)
}

fn generation(row: &Row) -> Result<Found, Dropped> {
    let kind = row.api_type.text().unwrap_or_default();
    if !kind.is_empty() && !is_chat(&kind) {
        return Err(Dropped::new(Reason::NOT_CHAT, format!("api_type `{kind}`")));
    }
    let strategy = row.openrouter_metadata.0.strategy.text();
    let router = row.router.text().or_else(|| strategy.clone().filter(|one| one != "direct"));
    let finish_reason = row.finish_reason.text();
    let is_cancelled = row.cancelled.truth() == Some(true);
    let start_ms = row.created_at.time_ms();
    let mut untrue = Untrue::default();
    let ttft_ms = untrue.amount(Reason::TIME_BELOW_ZERO, &[&row.latency]);
    let latency_ms = untrue.amount(Reason::TIME_BELOW_ZERO, &[&row.generation_time]);
    let latency_ms = latency_ms.map(|ms| ms + ttft_ms.unwrap_or(0.0));
    let cost = untrue.amount(Reason::COST_BELOW_ZERO, &[&row.total_cost, &row.usage]);
    Draft {
        id: row.id.text(),
        asked: row.model.text(),
        provider: row.provider_name.text(),
        start_ms,
        session: row.session_id.text(),
        tenant: row.external_user.text(),
        is_failed: is_cancelled || finish_reason.as_deref() == Some("error"),
        usage: UsageRecord {
            input: first(&[&row.native_tokens_prompt, &row.tokens_prompt], Cell::count),
            output: first(&[&row.native_tokens_completion, &row.tokens_completion], Cell::count),
            cached_read: row.native_tokens_cached.count(),
            cached_write: None,
            reasoning: row.native_tokens_reasoning.count(),
        },
        cost: cost.map(|cost| (cost, "openrouter")),
        latency_ms,
        ttft_ms,
        finish_reason,
        propensity: (strategy.as_deref() == Some("direct")).then(fixed_model),
        policy: router.map(|name| format!("openrouter/{name}")),
        untrue,
        ..Draft::default()
    }
    .finish()
}

fn read_trace(row: Row, out: &mut Vec<Found>) -> Result<(), Dropped> {
    let trace = row.id.text();
    let session = row.trace_session_id.text().or_else(|| trace.clone());
    let tenant = row.user_id.text();
    let mut has_generation = false;
    for one in row.observations.0 {
        let kind = one.r#type.text().unwrap_or_default();
        if !kind.eq_ignore_ascii_case("generation") {
            let embeds = kind.eq_ignore_ascii_case("embedding");
            let reason =
                if embeds { Reason::NOT_CHAT } else { Reason("a step that called no model") };
            out.push(Found::Dropped(Dropped::new(reason, format!("type `{kind}`"))));
            continue;
        }
        has_generation = true;
        let draft = Draft {
            session: session.clone(),
            tenant: tenant.clone(),
            tags: vec![(TRACE_TAG, trace.clone())],
            ..observation(one)
        };
        out.push(draft.finish().unwrap_or_else(Found::Dropped));
    }
    if !has_generation {
        out.clear();
        let detail = format!("trace `{}`", trace.unwrap_or_default());
        return Err(Dropped::new(Reason("a trace without a generation"), detail));
    }
    Ok(())
}

fn observation(one: Observation) -> Draft {
    let (prompt, answer) = (one.prompt_tokens_details.0, one.completion_tokens_details.0);
    let start_ms = one.start_time.time_ms();
    let mut untrue = Untrue::default();
    let ttft_ms =
        untrue.taken_ms(Reason::FIRST_TOKEN_EARLY, (start_ms, one.completion_start_time.time_ms()));
    let cost = untrue.amount(Reason::COST_BELOW_ZERO, &[&one.total_cost]);
    let About { openrouter_generation, provider_name, finish_reason } = one.metadata.0;
    let own = openrouter_generation.0;
    Draft {
        id: one.id.text(),
        asked: one.model.text(),
        provider: first(&[&provider_name, own.get("provider_name")], Cell::text),
        start_ms,
        end_ms: one.end_time.time_ms(),
        prompt: one.input,
        is_failed: one.level.text().is_some_and(|level| level.eq_ignore_ascii_case("error")),
        usage: UsageRecord {
            input: one.prompt_tokens.count(),
            output: one.completion_tokens.count(),
            cached_read: prompt.cached.count(),
            cached_write: prompt.written.count(),
            reasoning: answer.reasoning.count(),
        },
        cost: cost.map(|cost| (cost, "openrouter")),
        ttft_ms,
        finish_reason: first(&[&finish_reason, own.get("finish_reason")], Cell::text),
        untrue,
        ..Draft::default()
    }
}
