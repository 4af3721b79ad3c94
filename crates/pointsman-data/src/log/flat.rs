//! Logs as flat Parquet: one row per decision, its outcome beside it.
//!
//! Only `decision_id, prompt | messages, candidate_models, candidate_probabilities, drawn,
//! propensity` and the quality column have to be there. This is the fast way in.

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use pointsman_core::{
    request::{Message, Request, Role},
    units::Tokens,
};
use pointsman_log::record::{MetricRecord, PropensityKind, RequestRecord};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    cell::{DecisionCell, Decisions, OutcomeCell},
    lists::{CandidateLists, KnownList},
};
use crate::{
    columns::{Batch, MessagesColumn, NumberColumn, TextColumn},
    error::DataError,
    parquet::{BATCH_ROWS, ParquetFile, Wanted},
    scale::count,
    text::ROLES,
};

/// The column that holds all metrics of an outcome, as a JSON list.
const METRICS: &str = "metrics";

/// Pushes the rows of one file.
pub(super) fn read(
    path: &Path,
    quality_column: &str,
    builder: &mut dyn Decisions,
) -> Result<(), DataError> {
    let mut columns = vec![
        "decision_id",
        "ts_ms",
        "session_id",
        "tenant",
        "tags",
        "task",
        "prompt",
        "messages",
        "input_tokens",
        "tools",
        "modalities",
        "max_tokens",
        "features",
        "candidate_models",
        "candidate_probabilities",
        "candidate_excluded_by",
        "drawn",
        "propensity",
        "propensity_kind",
        "keep_prob",
        "step",
        "previous",
        "spent_usd",
        "answer",
        "served_model",
        "status",
        "usage_input",
        "usage_output",
        "cost_usd",
        "latency_ms",
    ];
    columns.extend([quality_column, METRICS]);
    let wanted = Wanted {
        columns: &columns,
        required: &[
            &["decision_id"],
            &["prompt", "messages", "features"],
            &["candidate_models"],
            &["candidate_probabilities"],
            &["drawn"],
            &["propensity"],
            &[quality_column, METRICS],
        ],
    };
    let mut known = KnownList::default();
    let file = ParquetFile::open(path, &wanted)?;
    builder.make_room(file.n_rows_ahead());
    file.for_each_batch(BATCH_ROWS, &mut |batch| {
        let columns = Columns::of(batch, quality_column)?;
        known.begin_batch();
        for row in 0..batch.frame.height() {
            let wrong = |problem| columns.wrong(row, batch, problem);
            columns.candidates.hand_over(row, (builder, &mut known), wrong)?;
            let prompt = columns.prompt(row);
            let request = columns.request(row, prompt.as_slice(), batch)?;
            let features = read_json(&columns.features, row, (&columns, batch), "features")?;
            let decision = columns.decision(row, batch, builder.wanted_tags())?;
            // Beside a first decision, a column of this name is something of the caller's own.
            let answer = if decision.is_later_step {
                read_json(&columns.answers, row, (&columns, batch), "an answer")?
            } else {
                None
            };
            let (features, answer) = (features.as_ref(), answer.as_ref());
            builder.push(&DecisionCell { answer, features, ..decision }, &request)?;
        }
        Ok(())
    })
}

/// What one row has in a column of JSON.
fn read_json<T: DeserializeOwned>(
    column: &TextColumn,
    row: usize,
    (columns, batch): (&Columns, &Batch<'_>),
    what: &str,
) -> Result<Option<T>, DataError> {
    let wrong = |error: serde_json::Error| {
        columns.wrong(row, batch, format!("has {what} that cannot be read: {error}"))
    };
    column.get(row).map(serde_json::from_str).transpose().map_err(wrong)
}

struct Columns {
    ids: TextColumn,
    times: NumberColumn,
    sessions: TextColumn,
    tenants: TextColumn,
    tags: TextColumn,
    tasks: TextColumn,
    prompts: TextColumn,
    messages: MessagesColumn,
    input_tokens: NumberColumn,
    tools: NumberColumn,
    modalities: TextColumn,
    max_tokens: NumberColumn,
    features: TextColumn,
    candidates: CandidateLists,
    drawn: TextColumn,
    propensities: NumberColumn,
    kinds: TextColumn,
    keep_probs: NumberColumn,
    steps: NumberColumn,
    previous: TextColumn,
    spent: NumberColumn,
    answers: TextColumn,
    served: TextColumn,
    statuses: TextColumn,
    usage_input: NumberColumn,
    usage_output: NumberColumn,
    costs: NumberColumn,
    latencies: NumberColumn,
    qualities: Qualities,
}

/// The grades: a column of their own, or among the metrics.
enum Qualities {
    Column(NumberColumn),
    Metrics { name: String, metrics: TextColumn },
}

#[derive(Deserialize)]
struct TagsJson<'a> {
    #[serde(borrow, default)]
    task: Option<Cow<'a, str>>,
}

impl Columns {
    fn of(batch: &Batch<'_>, quality_column: &str) -> Result<Self, DataError> {
        Ok(Self {
            ids: batch.texts("decision_id")?,
            times: batch.numbers("ts_ms")?,
            sessions: batch.texts("session_id")?,
            tenants: batch.texts("tenant")?,
            tags: batch.texts("tags")?,
            tasks: batch.texts("task")?,
            prompts: batch.texts("prompt")?,
            messages: batch.messages("messages")?,
            input_tokens: batch.numbers("input_tokens")?,
            tools: batch.numbers("tools")?,
            modalities: batch.texts("modalities")?,
            max_tokens: batch.numbers("max_tokens")?,
            features: batch.texts("features")?,
            candidates: CandidateLists::of(batch)?,
            drawn: batch.texts("drawn")?,
            propensities: batch.numbers("propensity")?,
            kinds: batch.texts("propensity_kind")?,
            keep_probs: batch.numbers("keep_prob")?,
            steps: batch.numbers("step")?,
            previous: batch.texts("previous")?,
            spent: batch.numbers("spent_usd")?,
            answers: batch.texts("answer")?,
            served: batch.texts("served_model")?,
            statuses: batch.texts("status")?,
            usage_input: batch.numbers("usage_input")?,
            usage_output: batch.numbers("usage_output")?,
            costs: batch.numbers("cost_usd")?,
            latencies: batch.numbers("latency_ms")?,
            qualities: Qualities::of(batch, quality_column)?,
        })
    }

    /// A prompt as the one message that it stands for.
    fn prompt(&self, row: usize) -> Option<Message<'_>> {
        let text = Cow::Borrowed(self.prompts.get(row)?);
        Some(Message { role: Role::User, text })
    }

    /// The request; of `prompt` where there are no messages, and without any where there is no text.
    fn request<'a>(
        &'a self,
        row: usize,
        prompt: &'a [Message<'a>],
        batch: &Batch<'_>,
    ) -> Result<Request<'a>, DataError> {
        let messages = if self.messages.has(row) {
            let messages = self.messages.get(row).ok_or_else(|| DataError::BadValue {
                path: batch.path.to_path_buf(),
                column: "messages".to_owned(),
                row: batch.row(row),
                value: "something else".to_owned(),
                expected: ROLES,
            })?;
            Cow::Owned(messages)
        } else {
            Cow::Borrowed(prompt)
        };
        let modalities = self.modalities.get(row).filter(|json| *json != "[]");
        let tools = count(self.tools.get(row)).unwrap_or(0);
        let mut request = Request { messages, ..Request::default() };
        if modalities.is_some() || 0 < tools {
            let modalities: Vec<String> =
                modalities.map_or(Ok(Vec::new()), serde_json::from_str).map_err(|_| {
                    self.wrong(row, batch, "has modalities that are no JSON list".to_owned())
                })?;
            let record = RequestRecord {
                tools: u32::try_from(tools).unwrap_or(u32::MAX),
                modalities,
                ..RequestRecord::default()
            };
            let bare = record.without_text();
            (request.needs, request.n_tools) = (bare.needs, bare.n_tools);
        }
        request.max_tokens = count(self.max_tokens.get(row)).map(Tokens::new);
        request.input_tokens = count(self.input_tokens.get(row)).map(Tokens::new);
        Ok(request)
    }

    fn decision<'a>(
        &'a self,
        row: usize,
        batch: &Batch<'a>,
        wanted_tags: &[String],
    ) -> Result<DecisionCell<'a>, DataError> {
        let needed = |column: &'a TextColumn, name: &str| {
            column.get(row).ok_or_else(|| self.wrong(row, batch, format!("has no {name}")))
        };
        let propensity = self.propensities.get(row);
        let kind = match self.kinds.get(row) {
            Some("estimated") => PropensityKind::Estimated,
            Some("deterministic") => PropensityKind::Deterministic,
            Some("unknown") => PropensityKind::Unknown,
            None if propensity.is_none() => PropensityKind::Unknown,
            Some("exact") | None => PropensityKind::Exact,
            Some(other) => {
                let problem = format!(
                    "has the propensity kind `{other}`; it is exact, estimated, deterministic or unknown"
                );
                return Err(self.wrong(row, batch, problem));
            }
        };
        Ok(DecisionCell {
            path: batch.path,
            number: batch.row(row),
            id: needed(&self.ids, "decision_id")?,
            ts_ms: count(self.times.get(row)).unwrap_or(0),
            session_id: self.sessions.get(row),
            task: self.task(row),
            tenant: self.tenants.get(row),
            tags: self.wanted(row, wanted_tags),
            drawn: needed(&self.drawn, "drawn model")?,
            propensity,
            kind,
            keep_prob: self.keep_probs.get(row),
            is_later_step: self.steps.get(row).is_some_and(|step| 0.0 < step)
                || self.previous.get(row).is_some(),
            step: count(self.steps.get(row)),
            previous: self.previous.get(row),
            spent_usd: self.spent.get(row),
            answer: None,
            input_tokens: self.input_tokens.get(row),
            features: None,
            outcome: self.outcome(row, batch)?,
        })
    }

    fn task(&self, row: usize) -> Option<Cow<'_, str>> {
        if let Some(task) = self.tasks.get(row) {
            return Some(Cow::Borrowed(task));
        }
        let tags = self.tags.get(row).filter(|tags| tags.contains("\"task\""))?;
        serde_json::from_str::<TagsJson<'_>>(tags).ok()?.task
    }

    /// The values of some tags, in their order.
    fn wanted(&self, row: usize, tags: &[String]) -> Vec<Option<String>> {
        if tags.is_empty() {
            return Vec::new();
        }
        let json = self.tags.get(row).unwrap_or("{}");
        let all: BTreeMap<String, String> = serde_json::from_str(json).unwrap_or_default();
        tags.iter().map(|tag| all.get(tag).cloned()).collect()
    }

    fn outcome(&self, row: usize, batch: &Batch<'_>) -> Result<Option<OutcomeCell<'_>>, DataError> {
        let (status, quality) = (self.statuses.get(row), self.qualities.get(row, batch)?);
        if status.is_none() && quality.is_none() {
            return Ok(None);
        }
        Ok(Some(OutcomeCell {
            served_model: self.served.get(row),
            is_failed: status == Some("failed"),
            quality,
            cost_usd: self.costs.get(row),
            input_tokens: self.usage_input.get(row),
            output_tokens: self.usage_output.get(row),
            latency_ms: self.latencies.get(row),
        }))
    }

    fn wrong(&self, row: usize, batch: &Batch<'_>, problem: String) -> DataError {
        DataError::Decision {
            path: batch.path.to_path_buf(),
            id: self.ids.get(row).unwrap_or_default().to_owned(),
            row: batch.row(row),
            problem,
        }
    }
}

impl Qualities {
    fn of(batch: &Batch<'_>, name: &str) -> Result<Self, DataError> {
        if batch.has(name) {
            return Ok(Self::Column(batch.numbers(name)?));
        }
        Ok(Self::Metrics { name: name.to_owned(), metrics: batch.texts(METRICS)? })
    }

    /// The grade of `row`; of several metrics with its name the last one's value.
    fn get(&self, row: usize, batch: &Batch<'_>) -> Result<Option<f64>, DataError> {
        let (name, metrics) = match self {
            Self::Column(column) => return Ok(column.get(row)),
            Self::Metrics { name, metrics } => (name, metrics.get(row)),
        };
        let Some(json) = metrics else { return Ok(None) };
        let metrics: Vec<MetricRecord> =
            serde_json::from_str(json).map_err(|error| DataError::BadValue {
                path: batch.path.to_path_buf(),
                column: METRICS.to_owned(),
                row: batch.row(row),
                value: error.to_string(),
                expected: "a JSON list of {name, value}",
            })?;
        Ok(metrics.iter().rev().find(|metric| metric.name == *name).map(|metric| metric.value))
    }
}
