//! Any NDJSON, CSV or Parquet whose columns the user names in a file of TOML.
//!
//! A column is a key of the row's object; a dot goes into an object. What is not named is not known.
//! With `propensity` and `candidates` the rows are what off-policy evaluation needs. Rows of Parquet
//! come as objects from whoever reads tables.

use std::collections::{BTreeMap, BTreeSet};

use pointsman_log::record::{DecisionRecord, PropensityKind, PropensityRecord, Scope, UsageRecord};
use serde::Deserialize;
use serde_json::Value;

use super::{fixed_model, is_chat, parse, unseen::Unseen};
use crate::{
    call::{Call, Draft, Found, TRACE_TAG, candidate, metric},
    cell::Cell,
    error::{ImportError, toml_problem},
    item::{Dropped, Reason},
};

/// How far a propensity may be from the drawn model's probability, as columns are rounded.
const TOLERANCE: f64 = 1e-6;

/// Which columns hold what, and what models are called in the catalog.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnMap {
    /// Where the fields of a call stand.
    pub columns: Option<Columns>,
    /// Names of metrics, and the columns that hold them.
    #[serde(default)]
    pub scores: BTreeMap<String, String>,
    /// Names of tags, and the columns that hold them.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What a model is called in the log, and in the catalog; for logs of every format.
    #[serde(default)]
    pub models: BTreeMap<String, String>,
}

/// The columns of the fields of a call; all but three may be absent.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the columns are documented in docs/import.md")]
pub struct Columns {
    pub id: String,
    pub model: String,
    pub time: String,
    pub kind: Option<String>,
    pub prompt: Option<String>,
    pub system: Option<String>,
    pub served_model: Option<String>,
    pub provider: Option<String>,
    pub end_time: Option<String>,
    pub session: Option<String>,
    pub trace: Option<String>,
    pub tenant: Option<String>,
    pub task: Option<String>,
    pub max_tokens: Option<String>,
    pub input_tokens: Option<String>,
    pub output_tokens: Option<String>,
    pub cached_tokens: Option<String>,
    pub reasoning_tokens: Option<String>,
    pub cost_usd: Option<String>,
    pub latency_ms: Option<String>,
    pub latency_s: Option<String>,
    pub ttft_ms: Option<String>,
    pub status: Option<String>,
    pub error: Option<String>,
    pub finish_reason: Option<String>,
    pub tool_success: Option<String>,
    pub answer: Option<String>,
    pub kept_answer: Option<String>,
    pub policy: Option<String>,
    pub propensity: Option<String>,
    pub candidates: Option<String>,
    /// Whether the source says that every call's model was fixed.
    #[serde(default)]
    pub model_was_fixed: bool,
}

impl ColumnMap {
    /// Reads the TOML form.
    ///
    /// # Errors
    /// [`ImportError::Map`] where it is not TOML, holds an unknown key, lacks one of the three columns
    /// that every call needs, or names a propensity without its candidates or an answer that was kept
    /// without the one that was given.
    pub fn from_toml(text: &str) -> Result<Self, ImportError> {
        let map: Self = toml::from_str(text)
            .map_err(|error| ImportError::Map { message: toml_problem(&error, text) })?;
        let wrong = |message: &str| Err(ImportError::Map { message: message.to_owned() });
        if let Some(columns) = &map.columns {
            if columns.propensity.is_some() && columns.candidates.is_none() {
                return wrong(
                    "`propensity` stands without `candidates`: name the column that holds the models \
                     that could have been drawn",
                );
            }
            if columns.kept_answer.is_some() && columns.answer.is_none() {
                return wrong(
                    "`kept_answer` stands without `answer`: name the column that holds what was answered",
                );
            }
            if columns.latency_ms.is_some() && columns.latency_s.is_some() {
                return wrong("`latency_ms` and `latency_s` are the same in two units; name one");
            }
        }
        Ok(map)
    }

    /// Every column that is named, each once and in alphabetical order.
    pub(crate) fn names(&self) -> Vec<String> {
        let of_call = self.columns.iter().flat_map(Columns::names);
        let of_maps = self.scores.values().chain(self.tags.values());
        let names: BTreeSet<&String> = of_call.chain(of_maps).collect();
        names.into_iter().cloned().collect()
    }
}

impl Columns {
    fn names(&self) -> impl Iterator<Item = &String> {
        let Self {
            id,
            model,
            time,
            kind,
            prompt,
            system,
            served_model,
            provider,
            end_time,
            session,
            trace,
            tenant,
            task,
            max_tokens,
            input_tokens,
            output_tokens,
            cached_tokens,
            reasoning_tokens,
            cost_usd,
            latency_ms,
            latency_s,
            ttft_ms,
            status,
            error,
            finish_reason,
            tool_success,
            answer,
            kept_answer,
            policy,
            propensity,
            candidates,
            model_was_fixed: _,
        } = self;
        let texts = [kind, prompt, system, session, trace, tenant, task, answer, kept_answer];
        let answered = [served_model, provider, status, error, finish_reason, tool_success];
        let counts = [max_tokens, input_tokens, output_tokens, cached_tokens, reasoning_tokens];
        let amounts = [end_time, cost_usd, latency_ms, latency_s, ttft_ms];
        let choice = [policy, propensity, candidates];
        let maybe = texts.into_iter().chain(answered).chain(counts).chain(amounts).chain(choice);
        [id, model, time].into_iter().chain(maybe.flatten())
    }
}

/// Reads one row by `map`; which columns it has is noted in `unseen`.
pub(crate) fn read(
    map: &ColumnMap,
    row: &[u8],
    out: &mut Vec<Found>,
    unseen: &mut Unseen,
) -> Result<(), Dropped> {
    let Some(columns) = &map.columns else {
        return Err(Dropped::new(Reason::NOT_THE_FORMAT, "the map names no columns"));
    };
    let row: Value = parse(row)?;
    let from = Row { row: &row };
    unseen.look_at(&row, |column| from.find(column).is_some());
    let kind = from.maybe(columns.kind.as_ref()).text().unwrap_or_default();
    if !is_chat(&kind) {
        return Err(Dropped::new(Reason::NOT_CHAT, format!("kind `{kind}`")));
    }
    let mut metrics = Vec::new();
    for (name, column) in &map.scores {
        metrics.extend(
            from.cell(column).number().map(|value| metric(name, value, None, Scope::Request)),
        );
    }
    let mut found = Draft { metrics, ..from.draft(columns)? }.finish()?;
    if let Found::Call(call) = &mut found {
        for (name, column) in &map.tags {
            call.decision.tags.extend(from.cell(column).text().map(|text| (name.clone(), text)));
        }
        if let Some(column) = &columns.candidates {
            from.candidates(column, call)?;
        }
    }
    out.push(found);
    Ok(())
}

/// A row as an object, by columns.
struct Row<'a> {
    row: &'a Value,
}

impl Row<'_> {
    fn find(&self, column: &str) -> Option<&Value> {
        // A key with a dot in it comes first: CSV headers may have one.
        let inner = || column.split('.').try_fold(self.row, |value, key| value.get(key));
        self.row.get(column).or_else(inner)
    }

    fn value(&self, column: &str) -> &Value {
        self.find(column).unwrap_or(&Value::Null)
    }

    fn cell(&self, column: &str) -> Cell {
        Cell::deserialize(self.value(column)).unwrap_or_default()
    }

    fn maybe(&self, column: Option<&String>) -> Cell {
        column.map_or(Cell::None, |column| self.cell(column))
    }

    fn draft(&self, columns: &Columns) -> Result<Draft, Dropped> {
        let text = |column: Option<&String>| self.maybe(column).text();
        let count = |column: Option<&String>| self.maybe(column).count();
        let amount = |column: Option<&String>, name: &str| {
            let cell = self.maybe(column);
            match (cell.number(), cell.amount()) {
                (Some(number), None) => {
                    Err(Dropped::new(Reason::BAD_NUMBER, format!("{name} {number}")))
                }
                (_, amount) => Ok(amount),
            }
        };
        let prompt = columns.prompt.as_ref().map(|column| self.value(column).clone());
        let seconds = amount(columns.latency_s.as_ref(), "latency_s")?;
        let status = text(columns.status.as_ref()).unwrap_or_default();
        let error = text(columns.error.as_ref());
        Ok(Draft {
            id: self.cell(&columns.id).text(),
            asked: self.cell(&columns.model).text(),
            served: text(columns.served_model.as_ref()),
            provider: text(columns.provider.as_ref()),
            start_ms: self.cell(&columns.time).time_ms(),
            end_ms: self.maybe(columns.end_time.as_ref()).time_ms(),
            session: text(columns.session.as_ref()),
            tenant: text(columns.tenant.as_ref()),
            tags: vec![
                ("task", text(columns.task.as_ref())),
                (TRACE_TAG, text(columns.trace.as_ref())),
            ],
            prompt: serde_json::from_value::<crate::chat::Prompt>(prompt.unwrap_or_default())
                .unwrap_or_default()
                .with_system(text(columns.system.as_ref())),
            max_tokens: count(columns.max_tokens.as_ref()),
            is_failed: error.is_some() || is_failure(&status),
            usage: UsageRecord {
                input: count(columns.input_tokens.as_ref()),
                output: count(columns.output_tokens.as_ref()),
                cached_read: count(columns.cached_tokens.as_ref()),
                cached_write: None,
                reasoning: count(columns.reasoning_tokens.as_ref()),
            },
            cost: amount(columns.cost_usd.as_ref(), "cost_usd")?.map(|cost| (cost, "log")),
            latency_ms: amount(columns.latency_ms.as_ref(), "latency_ms")?
                .or_else(|| seconds.map(|seconds| seconds * 1e3)),
            ttft_ms: amount(columns.ttft_ms.as_ref(), "ttft_ms")?,
            finish_reason: text(columns.finish_reason.as_ref()),
            tool_success: self.maybe(columns.tool_success.as_ref()).truth(),
            answer: text(columns.answer.as_ref()),
            kept_answer: text(columns.kept_answer.as_ref()),
            propensity: self.propensity(columns),
            policy: text(columns.policy.as_ref()),
            ..Draft::default()
        })
    }

    /// As the row has it; its value is checked with the candidates.
    fn propensity(&self, columns: &Columns) -> Option<PropensityRecord> {
        match self.maybe(columns.propensity.as_ref()).number() {
            Some(value) => {
                Some(PropensityRecord { value: Some(value), kind: PropensityKind::Estimated })
            }
            None => columns.model_was_fixed.then(fixed_model),
        }
    }

    /// The candidates: names with probabilities, which make the propensity exact, or an array of names,
    /// of which those that were not drawn share what is left equally.
    fn candidates(&self, column: &str, call: &mut Call) -> Result<(), Dropped> {
        let found = self.value(column);
        let of_text = found.as_str().and_then(|text| serde_json::from_str(text).ok());
        let value: &Value = of_text.as_ref().unwrap_or(found);
        let detail = || format!("id `{}`", call.decision.id);
        match value {
            Value::Array(names) if names.iter().all(Value::is_string) => {
                draw_among(&mut call.decision, names.iter().filter_map(Value::as_str));
                Ok(())
            }
            Value::Object(_) | Value::Array(_) => {
                let Some(entries) = entries(value) else {
                    let reason = Reason("candidates that are neither names nor probabilities");
                    return Err(Dropped::new(reason, detail()));
                };
                give_probabilities(&mut call.decision, &entries)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                let reason = Reason("a propensity without candidates");
                match call.decision.propensity.value {
                    Some(_) => Err(Dropped::new(reason, detail())),
                    None => Ok(()),
                }
            }
        }
    }
}

/// The models of an object with what stands under them; also of an array of objects with a `key` and a
/// `value`, as columns of maps come. `None` where an element is anything else.
fn entries(value: &Value) -> Option<Vec<(&str, &Value)>> {
    match value {
        Value::Object(entries) => {
            Some(entries.iter().map(|(model, p)| (model.as_str(), p)).collect())
        }
        Value::Array(pairs) => pairs.iter().map(pair).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn pair(one: &Value) -> Option<(&str, &Value)> {
    Some((one.get("key")?.as_str()?, one.get("value")?))
}

/// Makes models with their probabilities the candidates of a decision.
fn give_probabilities(
    decision: &mut DecisionRecord,
    entries: &[(&str, &Value)],
) -> Result<(), Dropped> {
    let found = entries.iter().map(|(model, p)| Some(candidate(model, p.as_f64()?)));
    let Some(found) = found.collect::<Option<Vec<_>>>() else {
        let detail = format!("id `{}`", decision.id);
        return Err(Dropped::new(Reason("a candidate without a probability"), detail));
    };
    decision.candidates = found;
    let drawn = decision.candidates.iter().find(|one| one.model == decision.drawn);
    let value = drawn.map(|one| one.probability);
    if let (Some(written), Some(value)) = (decision.propensity.value, value)
        && TOLERANCE < (written - value).abs()
    {
        let reason = Reason("a propensity that is not the drawn model's probability");
        let detail = format!("id `{}`, {written} and {value}", decision.id);
        return Err(Dropped::new(reason, detail));
    }
    if decision.propensity.kind != PropensityKind::Deterministic {
        decision.propensity = PropensityRecord { value, kind: PropensityKind::Exact };
    }
    Ok(())
}

/// Makes models the candidates of a decision; those that were not drawn are equally likely.
fn draw_among<'n>(decision: &mut DecisionRecord, names: impl Iterator<Item = &'n str>) {
    let others: Vec<&str> = names.filter(|name| *name != decision.drawn).collect();
    let own = decision.propensity.value.unwrap_or(1.0);
    let each = if others.is_empty() {
        0.0
    } else {
        (1.0 - own) / pointsman_core::units::len_as_float(others.len())
    };
    let drawn = candidate(&decision.drawn, own);
    decision.candidates = vec![drawn];
    decision.candidates.extend(others.into_iter().map(|name| candidate(name, each)));
}

/// Whether a status, a word or a number of HTTP, says that there was no answer.
fn is_failure(status: &str) -> bool {
    match status.parse::<u64>() {
        Ok(code) => 400 <= code,
        Err(_) => matches!(
            status.to_ascii_lowercase().as_str(),
            "failure" | "failed" | "error" | "timeout" | "cancelled" | "canceled"
        ),
    }
}
