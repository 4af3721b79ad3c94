//! LiteLLM: the `StandardLoggingPayload` that its callbacks write, and rows of `LiteLLM_SpendLogs`.
//!
//! `model` answered. `model_group` is what the caller asked the proxy for, and often a name for several
//! deployments, so that the choice that can be learned from is `model`; the group stays as a tag.
//!
//! Source: LiteLLM, `docs/proxy/logging_spec.md` and the schema of `LiteLLM_SpendLogs`.

use pointsman_log::record::{Scope, UsageRecord};
use serde::Deserialize;

use super::{is_chat, parse};
use crate::{
    call::{Draft, Found, GROUP_TAG, TRACE_TAG, Untrue, metric},
    cell::{Cell, List, Nested, first},
    chat::Prompt,
    item::{Dropped, Reason},
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    id: Cell,
    request_id: Cell,
    trace_id: Cell,
    session_id: Cell,
    call_type: Cell,
    response_cost: Cell,
    spend: Cell,
    status: Cell,
    custom_llm_provider: Cell,
    prompt_tokens: Cell,
    completion_tokens: Cell,
    #[serde(rename = "startTime")]
    start_time: Cell,
    #[serde(rename = "endTime")]
    end_time: Cell,
    #[serde(rename = "completionStartTime")]
    completion_start_time: Cell,
    response_time: Cell,
    model: Cell,
    model_group: Cell,
    metadata: Nested<Metadata>,
    cache_hit: Cell,
    end_user: Cell,
    team_id: Cell,
    messages: Prompt,
    response: Nested<Response>,
    error_str: Cell,
    eval_information: List<Evaluation>,
    model_parameters: Nested<Parameters>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    user_api_key_team_id: Cell,
    user_api_key_user_id: Cell,
    status: Cell,
    usage_object: Nested<Usage>,
    routing_decision: Nested<Routing>,
    eval_information: List<Evaluation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Usage {
    prompt_tokens_details: Nested<PromptDetails>,
    completion_tokens_details: Nested<CompletionDetails>,
    cache_read_input_tokens: Cell,
    cache_creation_input_tokens: Cell,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    #[serde(rename = "cached_tokens")]
    cached: Cell,
    #[serde(rename = "cache_write_tokens")]
    written: Cell,
    #[serde(rename = "cache_creation_tokens")]
    created: Cell,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Cell,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Routing {
    router_model_name: Cell,
    router_type: Cell,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Evaluation {
    eval_name: Cell,
    overall_score: Cell,
    judge_model: Cell,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Response {
    choices: List<Choice>,
    usage: Nested<Usage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    finish_reason: Cell,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    max_tokens: Cell,
    max_completion_tokens: Cell,
    tools: List<serde::de::IgnoredAny>,
}

/// Keys of which a row has all of one line.
pub(super) const MARKS: &[&[&str]] = &[
    &["call_type", "startTime", "response_cost"],
    &["call_type", "startTime", "spend"],
    &["call_type", "startTime", "model_group"],
];

/// Reads one payload or row.
pub(super) fn read(row: &[u8], out: &mut Vec<Found>) -> Result<(), Dropped> {
    let row: Row = parse(row)?;
    let kind = row.call_type.text().unwrap_or_default();
    if !kind.is_empty() && !is_chat(&kind) {
        return Err(Dropped::new(Reason::NOT_CHAT, format!("call_type `{kind}`")));
    }
    if row.cache_hit.truth() == Some(true) {
        let reason = Reason("answered from the gateway's cache, by no model");
        let id = first(&[&row.id, &row.request_id], Cell::text).unwrap_or_default();
        return Err(Dropped::new(reason, format!("id `{id}`")));
    }
    out.push(draft(row).finish()?);
    Ok(())
}

fn draft(row: Row) -> Draft {
    let Metadata {
        user_api_key_team_id,
        user_api_key_user_id,
        status,
        usage_object,
        routing_decision,
        eval_information,
    } = row.metadata.0;
    let start_ms = row.start_time.time_ms();
    let status = first(&[&row.status, &status], Cell::text);
    let is_failed = status.is_some_and(|text| text == "failure") || row.error_str.text().is_some();
    let mut untrue = Untrue::default();
    let ttft_ms =
        untrue.taken_ms(Reason::FIRST_TOKEN_EARLY, (start_ms, row.completion_start_time.time_ms()));
    let group = row.model_group.text();
    let router = first(
        &[&routing_decision.0.router_model_name, &routing_decision.0.router_type],
        Cell::text,
    );
    let finish_reason = row.response.0.choices.0.first().and_then(|one| one.finish_reason.text());
    let parameters = row.model_parameters.0;
    let evaluations = row.eval_information.0.iter().chain(&eval_information.0);
    let metrics = evaluations.filter_map(|one| {
        let name = one.eval_name.text()?;
        Some(metric(&name, one.overall_score.number()?, one.judge_model.text(), Scope::Request))
    });
    Draft {
        id: first(&[&row.id, &row.request_id], Cell::text),
        asked: row.model.text().or_else(|| group.clone()),
        provider: row.custom_llm_provider.text(),
        start_ms,
        end_ms: row.end_time.time_ms(),
        session: first(&[&row.session_id, &row.trace_id], Cell::text),
        tenant: first(
            &[&row.team_id, &user_api_key_team_id, &row.end_user, &user_api_key_user_id],
            Cell::text,
        ),
        tags: vec![(GROUP_TAG, group), (TRACE_TAG, row.trace_id.text())],
        prompt: row.messages,
        n_tools: u32::try_from(parameters.tools.0.len()).unwrap_or(u32::MAX),
        max_tokens: first(
            &[&parameters.max_completion_tokens, &parameters.max_tokens],
            Cell::count,
        ),
        is_failed,
        usage: usage(
            (&row.prompt_tokens, &row.completion_tokens),
            [&row.response.0.usage.0, &usage_object.0],
        ),
        cost: untrue
            .amount(Reason::COST_BELOW_ZERO, &[&row.response_cost, &row.spend])
            .filter(|cost| 0.0 < *cost || !is_failed)
            .map(|cost| (cost, "litellm")),
        latency_ms: untrue
            .amount(Reason::TIME_BELOW_ZERO, &[&row.response_time])
            .map(|seconds| seconds * 1e3),
        ttft_ms,
        metrics: metrics.collect(),
        finish_reason,
        policy: router.map(|name| format!("litellm/{name}")),
        untrue,
        ..Draft::default()
    }
}

/// The counts of tokens: the row's own, with the details of the first object that has them.
fn usage((input, output): (&Cell, &Cell), details: [&Usage; 2]) -> UsageRecord {
    let find = |read: fn(&Usage) -> Option<u64>| details.iter().find_map(|one| read(one));
    UsageRecord {
        input: input.count(),
        output: output.count(),
        cached_read: find(|one| {
            let read = [&one.prompt_tokens_details.0.cached, &one.cache_read_input_tokens];
            first(&read, Cell::count)
        }),
        cached_write: find(|one| {
            let prompt = &one.prompt_tokens_details.0;
            let written = [&prompt.written, &prompt.created, &one.cache_creation_input_tokens];
            first(&written, Cell::count)
        }),
        reasoning: find(|one| one.completion_tokens_details.0.reasoning_tokens.count()),
    }
}
