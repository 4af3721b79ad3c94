//! `OpenAI`: stored completions, one by one or as pages of `GET /v1/chat/completions`.
//!
//! They have no cost, no latency and no score. The model that answered has a date in its name, and the
//! one that was asked for is not kept. A score is what the application wrote into `metadata`: every
//! number there becomes a metric of its name. The messages come from another endpoint; see
//! `messages.rs`. Where an export put them into the row, as `messages`, they are read there.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat/list>.

use pointsman_log::record::{Scope, UsageRecord};
use serde::{Deserialize, de::IgnoredAny};

use super::parse;
use crate::{
    call::{Draft, Found, metric, push_rows},
    cell::{Cell, Entries, List, Nested},
    chat::Prompt,
    item::{Dropped, Reason},
};

/// A stored completion, or a page of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    data: List<Row>,
    object: Cell,
    id: Cell,
    created: Cell,
    model: Cell,
    choices: List<Choice>,
    usage: Nested<Usage>,
    metadata: Nested<Entries>,
    messages: Prompt,
    input: Prompt,
    tools: List<IgnoredAny>,
    max_tokens: Cell,
    max_completion_tokens: Cell,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    finish_reason: Cell,
    message: Nested<Message>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    refusal: Cell,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Usage {
    prompt_tokens: Cell,
    completion_tokens: Cell,
    prompt_tokens_details: Nested<Details>,
    completion_tokens_details: Nested<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Cell,
    reasoning_tokens: Cell,
}

/// Keys of which a row has all of one line.
pub(super) const MARKS: &[&[&str]] =
    &[&["object", "created", "model", "choices"], &["object", "data", "has_more"]];

/// Reads one stored completion or one page.
pub(super) fn read(row: &[u8], out: &mut Vec<Found>) -> Result<(), Dropped> {
    let mut row: Row = parse(row)?;
    let page = std::mem::take(&mut row.data.0);
    push_rows(row, page, completion, out)
}

fn completion(row: Row) -> Result<Found, Dropped> {
    let object = row.object.text().unwrap_or_default();
    if !object.is_empty() && object != "chat.completion" {
        return Err(Dropped::new(Reason::NOT_CHAT, format!("object `{object}`")));
    }
    let Usage {
        prompt_tokens,
        completion_tokens,
        prompt_tokens_details,
        completion_tokens_details,
    } = row.usage.0;
    let about = row.metadata.0;
    let named = |key: &str| about.get(key).text();
    let metrics = about.0.iter().filter_map(|(name, value)| {
        Some(metric(name, value.number()?, Some("metadata".to_owned()), Scope::Request))
    });
    let choice = row.choices.0.into_iter().next().unwrap_or_default();
    let finish_reason = match choice.message.0.refusal.text() {
        Some(_) => Some("refusal".to_owned()),
        None => choice.finish_reason.text(),
    };
    let prompt = if row.messages.messages.is_empty() { row.input } else { row.messages };
    Draft {
        id: row.id.text(),
        asked: row.model.text(),
        provider: Some("openai".to_owned()),
        start_ms: row.created.time_ms(),
        session: named("session_id").or_else(|| named("conversation_id")),
        tenant: named("user_id"),
        tags: vec![("task", named("task"))],
        prompt,
        n_tools: u32::try_from(row.tools.0.len()).unwrap_or(u32::MAX),
        max_tokens: row.max_completion_tokens.count().or_else(|| row.max_tokens.count()),
        usage: UsageRecord {
            input: prompt_tokens.count(),
            output: completion_tokens.count(),
            cached_read: prompt_tokens_details.0.cached_tokens.count(),
            cached_write: None,
            reasoning: completion_tokens_details.0.reasoning_tokens.count(),
        },
        metrics: metrics.collect(),
        finish_reason,
        ..Draft::default()
    }
    .finish()
}
