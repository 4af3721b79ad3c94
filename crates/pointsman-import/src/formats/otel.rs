//! OpenTelemetry: spans of the `GenAI` conventions, as OTLP writes them in JSON.
//!
//! Spans of chat operations are calls; events and log records named `gen_ai.evaluation.result` are
//! scores, of the span that they lie in or of the response that they name. Attributes of versions up to
//! 1.36 are read too. There is neither a cost nor a propensity in these conventions. A span that was
//! exported twice is one call, by its ids.
//!
//! Source: `OpenTelemetry`, `semantic-conventions-genai`, and the JSON encoding of OTLP.

use pointsman_log::record::{MetricRecord, Scope, UsageRecord};
use serde::Deserialize;
use serde_json::Value;

use super::parse;
use crate::{
    call::{Draft, Found, Score, TRACE_TAG, Target, Untrue, no_id},
    cell::{Cell, List, Nested},
    chat::Prompt,
    item::{Dropped, Reason},
};

/// Everything that one row may be: an export, one resource's part of it, or one span.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Row {
    resource_spans: List<Row>,
    #[serde(alias = "instrumentationLibrarySpans")]
    scope_spans: List<Row>,
    spans: List<Row>,
    resource_logs: List<Row>,
    scope_logs: List<Row>,
    log_records: List<Row>,
    // What a span or a log record has.
    trace_id: Cell,
    span_id: Cell,
    start_time_unix_nano: Cell,
    end_time_unix_nano: Cell,
    time_unix_nano: Cell,
    name: Cell,
    event_name: Cell,
    attributes: List<Attribute>,
    events: List<Row>,
    status: Nested<SpanStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SpanStatus {
    code: Cell,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attribute {
    key: Cell,
    value: Nested<AnyValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AnyValue {
    #[serde(
        rename = "stringValue",
        alias = "intValue",
        alias = "doubleValue",
        alias = "boolValue"
    )]
    plain: Cell,
    #[serde(rename = "arrayValue")]
    array: Nested<Values>,
    #[serde(rename = "kvlistValue")]
    entries: Nested<KeyValues>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Values {
    values: List<Nested<AnyValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct KeyValues {
    values: List<Attribute>,
}

/// Keys of which a row has all of one line.
pub(super) const MARKS: &[&[&str]] = &[
    &["resourceSpans"],
    &["scopeSpans"],
    &["traceId", "spanId", "startTimeUnixNano"],
    &["resourceLogs"],
    &["scopeLogs"],
];

const EVALUATION: &str = "gen_ai.evaluation.result";

/// Reads one export, or a part of one.
pub(super) fn read(row: &[u8], out: &mut Vec<Found>) -> Result<(), Dropped> {
    let n_before = out.len();
    let row: Row = parse(row)?;
    walk(row, out);
    if out.len() == n_before {
        return Err(Dropped::new(Reason("an export without a span"), ""));
    }
    Ok(())
}

fn walk(row: Row, out: &mut Vec<Found>) {
    let marks = [&row.span_id, &row.event_name, &row.start_time_unix_nano, &row.time_unix_nano];
    if marks.iter().any(|cell| **cell != Cell::None) {
        leaf(&row, out);
        return;
    }
    let Row { resource_spans, scope_spans, spans, resource_logs, scope_logs, log_records, .. } =
        row;
    for part in [resource_spans, scope_spans, spans, resource_logs, scope_logs, log_records] {
        for one in part.0 {
            walk(one, out);
        }
    }
}

/// One span with its events, or one log record.
fn leaf(row: &Row, out: &mut Vec<Found>) {
    let span = span_id(row);
    if row.start_time_unix_nano == Cell::None {
        let score = evaluation(row, span.as_deref()).unwrap_or_else(|| {
            let name = row.event_name.text().unwrap_or_default();
            Err(Dropped::new(Reason("a log record that is no score"), format!("event `{name}`")))
        });
        out.push(score.unwrap_or_else(Found::Dropped));
        return;
    }
    for event in &row.events.0 {
        if let Some(score) = evaluation(event, span.as_deref()) {
            out.push(score.unwrap_or_else(Found::Dropped));
        }
    }
    out.push(call(row).unwrap_or_else(Found::Dropped));
}

/// The decision's id: of the trace and the span, since a span's id alone is short.
fn span_id(row: &Row) -> Option<String> {
    Some(format!("{}-{}", row.trace_id.text()?, row.span_id.text()?))
}

fn call(row: &Row) -> Result<Found, Dropped> {
    let has = Attributes(&row.attributes.0);
    let Some(operation) = has.text(&["gen_ai.operation.name"]).or_else(|| {
        has.text(&["gen_ai.system", "gen_ai.request.model"]).map(|_| "chat".to_owned())
    }) else {
        let name = row.name.text().unwrap_or_default();
        return Err(Dropped::new(Reason("a span that called no model"), format!("span `{name}`")));
    };
    match operation.as_str() {
        "chat" | "text_completion" | "generate_content" => {}
        "embeddings" | "image_generation" | "speech" | "transcription" | "rerank" => {
            return Err(Dropped::new(Reason::NOT_CHAT, format!("operation `{operation}`")));
        }
        _ => {
            let detail = format!("operation `{operation}`");
            return Err(Dropped::new(Reason("a span that called no model"), detail));
        }
    }
    let trace = row.trace_id.text();
    let error = has.text(&["error.type"]);
    let code = row.status.0.code.text();
    let is_failed =
        error.is_some() || code.is_some_and(|code| code == "2" || code == "STATUS_CODE_ERROR");
    let system = has.prompt("gen_ai.system_instructions").messages.into_iter();
    let system = system.map(|one| one.content).reduce(|one, other| one + "\n" + &other);
    let seconds = has.number("gen_ai.response.time_to_first_chunk");
    let mut untrue = Untrue::default();
    let seconds = untrue.not_below_zero(Reason::TIME_BELOW_ZERO, seconds);
    Draft {
        id: span_id(row),
        asked: has.text(&["gen_ai.request.model"]),
        served: has.text(&["gen_ai.response.model"]),
        provider: has.text(&["gen_ai.provider.name", "gen_ai.system"]),
        start_ms: nanos(&row.start_time_unix_nano),
        end_ms: nanos(&row.end_time_unix_nano),
        session: has.text(&["gen_ai.conversation.id", "session.id"]).or_else(|| trace.clone()),
        tenant: has.text(&["enduser.id", "user.id"]),
        tags: vec![
            ("task", has.text(&["gen_ai.agent.name"])),
            ("response_id", has.text(&["gen_ai.response.id"])),
            (TRACE_TAG, trace),
        ],
        prompt: has.prompt("gen_ai.input.messages").with_system(system),
        n_tools: has.n_values("gen_ai.tool.definitions"),
        max_tokens: has.count(&["gen_ai.request.max_tokens"]),
        is_failed,
        usage: UsageRecord {
            input: has.count(&["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"]),
            output: has.count(&["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"]),
            cached_read: has.count(&["gen_ai.usage.cache_read.input_tokens"]),
            cached_write: has.count(&["gen_ai.usage.cache_creation.input_tokens"]),
            reasoning: has.count(&["gen_ai.usage.reasoning.output_tokens"]),
        },
        ttft_ms: seconds.map(|seconds| seconds * 1e3),
        finish_reason: has.text(&["gen_ai.response.finish_reasons"]).or(error),
        untrue,
        ..Draft::default()
    }
    .finish()
}

/// The score that an event is; `None` of every other event.
fn evaluation(row: &Row, span: Option<&str>) -> Option<Result<Found, Dropped>> {
    let name = row.event_name.text().or_else(|| row.name.text());
    (name.as_deref() == Some(EVALUATION)).then(|| score(row, span))
}

fn score(row: &Row, span: Option<&str>) -> Result<Found, Dropped> {
    let has = Attributes(&row.attributes.0);
    let Some(name) = has.text(&["gen_ai.evaluation.name"]) else {
        return Err(no_id("an evaluation without a name"));
    };
    let Some(value) = has.number("gen_ai.evaluation.score.value") else {
        return Err(Dropped::new(Reason("a score that is no number"), format!("score `{name}`")));
    };
    let Some(ts_ms) = nanos(&row.time_unix_nano) else {
        return Err(Dropped::new(Reason::NO_TIME, format!("score `{name}`")));
    };
    // A trace id in the place of the span's own leaves only the trace.
    let target = match (span, row.trace_id.text()) {
        (Some(span), _) => Target::Decision(span.to_owned()),
        (None, Some(trace)) => Target::Trace(trace),
        (None, None) => return Err(no_id("an evaluation outside of a span")),
    };
    let source = Some("evaluation".to_owned());
    let metric = MetricRecord { name, value, source, scope: Scope::Request };
    Ok(Found::Score(Box::new(Score { target, ts_ms, metric })))
}

fn nanos(cell: &Cell) -> Option<u64> {
    cell.count().map(|nanos| nanos / 1_000_000).filter(|ms| 0 < *ms)
}

struct Attributes<'a>(&'a [Attribute]);

impl Attributes<'_> {
    fn find(&self, key: &str) -> Option<&AnyValue> {
        let is_it = |one: &&Attribute| matches!(&one.key, Cell::Text(name) if name == key);
        self.0.iter().find(is_it).map(|one| &one.value.0)
    }

    /// The text of the first of `keys` that is there; of an array, its first element.
    fn text(&self, keys: &[&str]) -> Option<String> {
        keys.iter().find_map(|key| {
            let value = self.find(key)?;
            let first = || value.array.0.values.0.first()?.0.plain.text();
            value.plain.text().or_else(first)
        })
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.find(key)?.plain.number()
    }

    fn count(&self, keys: &[&str]) -> Option<u64> {
        keys.iter().find_map(|key| self.find(key)?.plain.count())
    }

    /// How many elements an array has, also as the text of one.
    fn n_values(&self, key: &str) -> u32 {
        let n_values = self.find(key).map_or(0, |value| match json(value) {
            Value::Array(values) => values.len(),
            Value::String(text) => serde_json::from_str::<List<serde::de::IgnoredAny>>(&text)
                .map_or(0, |all| all.0.len()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => 0,
        });
        u32::try_from(n_values).unwrap_or(u32::MAX)
    }

    fn prompt(&self, key: &str) -> Prompt {
        let value = self.find(key).map_or(Value::Null, json);
        serde_json::from_value(value).unwrap_or_default()
    }
}

/// The value as plain JSON.
fn json(value: &AnyValue) -> Value {
    let entries = &value.entries.0.values.0;
    if !entries.is_empty() {
        let entry = |one: &Attribute| Some((one.key.text()?, json(&one.value.0)));
        return Value::Object(entries.iter().filter_map(entry).collect());
    }
    let values = &value.array.0.values.0;
    if !values.is_empty() {
        return Value::Array(values.iter().map(|one| json(&one.0)).collect());
    }
    value.plain.clone().into_text().map_or(Value::Null, Value::String)
}
