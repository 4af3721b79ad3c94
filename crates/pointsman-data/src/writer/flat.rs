//! The flat Parquet form of a log: one row per decision, in row groups of 20,000.

use pointsman_log::record::{
    CandidateRecord, DecisionRecord, MessageRecord, OutcomeRecord, PropensityKind, RoleRecord,
    Status,
};
use polars::prelude::*;

use super::{row_groups::RowGroups, watched::Watched};

/// Rows in a row group.
const GROUP_ROWS: usize = 20_000;

/// Collects rows and writes them a row group at a time.
pub(super) struct FlatWriter {
    groups: RowGroups,
    rows: Vec<Row>,
}

struct Row {
    decision: DecisionRecord,
    outcome: Option<OutcomeRecord>,
    tags: Option<String>,
    messages: Option<String>,
    modalities: Option<String>,
    features: Option<String>,
    answer: Option<String>,
    metrics: Option<String>,
}

impl FlatWriter {
    pub(super) const fn new(file: Watched) -> Self {
        Self { groups: RowGroups::new(file, GROUP_ROWS), rows: Vec::new() }
    }

    pub(super) fn push(
        &mut self,
        decision: DecisionRecord,
        outcome: Option<OutcomeRecord>,
    ) -> PolarsResult<()> {
        let json = |value: serde_json::Result<String>| {
            value.map_err(|error| PolarsError::ComputeError(error.to_string().into()))
        };
        let (tags, request) = (&decision.tags, &decision.request);
        let has_many = request.messages.is_some() && single_prompt(&decision).is_none();
        let row = Row {
            tags: (!tags.is_empty()).then(|| json(serde_json::to_string(tags))).transpose()?,
            messages: has_many
                .then(|| json(serde_json::to_string(&request.messages)))
                .transpose()?,
            modalities: (!request.modalities.is_empty())
                .then(|| json(serde_json::to_string(&request.modalities)))
                .transpose()?,
            features: request
                .features
                .as_ref()
                .map(|features| json(serde_json::to_string(features)))
                .transpose()?,
            answer: decision
                .answer
                .as_ref()
                .map(|answer| json(serde_json::to_string(answer)))
                .transpose()?,
            metrics: outcome
                .as_ref()
                .filter(|outcome| !outcome.metrics.is_empty())
                .map(|outcome| json(serde_json::to_string(&outcome.metrics)))
                .transpose()?,
            decision,
            outcome,
        };
        self.rows.push(row);
        if self.rows.len() < GROUP_ROWS { Ok(()) } else { self.write_group() }
    }

    pub(super) fn finish(mut self) -> PolarsResult<()> {
        if !self.rows.is_empty() || self.groups.is_empty() {
            self.write_group()?;
        }
        self.groups.finish()
    }

    fn write_group(&mut self) -> PolarsResult<()> {
        let frame = frame_of(&self.rows)?;
        self.rows.clear();
        self.groups.write(&frame)
    }
}

/// The prompt, where the request is a single message of the user.
fn single_prompt(decision: &DecisionRecord) -> Option<&str> {
    match decision.request.messages.as_deref() {
        Some([MessageRecord { role: RoleRecord::User, content }]) => Some(content),
        Some(_) | None => None,
    }
}

fn frame_of(rows: &[Row]) -> PolarsResult<DataFrame> {
    let mut columns = decision_columns(rows);
    columns.extend(outcome_columns(rows));
    DataFrame::new(rows.len(), columns)
}

fn decision_columns(rows: &[Row]) -> Vec<Column> {
    vec![
        text("decision_id", rows, |row| Some(&row.decision.id)),
        count("ts_ms", rows, |row| Some(row.decision.ts_ms)),
        text("session_id", rows, |row| row.decision.session_id.as_deref()),
        count("turn", rows, |row| row.decision.turn.map(u64::from)),
        text("tenant", rows, |row| row.decision.tenant.as_deref()),
        text("tags", rows, |row| row.tags.as_deref()),
        text("prompt", rows, |row| single_prompt(&row.decision)),
        text("messages", rows, |row| row.messages.as_deref()),
        count("chars", rows, |row| row.decision.request.chars),
        count("input_tokens", rows, |row| row.decision.request.input_tokens),
        count("tools", rows, |row| Some(u64::from(row.decision.request.tools))),
        text("modalities", rows, |row| row.modalities.as_deref()),
        count("max_tokens", rows, |row| row.decision.request.max_tokens),
        text("features", rows, |row| row.features.as_deref()),
        candidate_models(rows),
        candidate_probabilities(rows),
        candidate_numbers("candidate_qualities", rows, |one| one.quality),
        candidate_numbers("candidate_costs_usd", rows, |one| one.cost_usd),
        candidate_numbers("candidate_latencies_ms", rows, |one| one.latency_ms),
        candidate_exclusions(rows),
        text("drawn", rows, |row| Some(&row.decision.drawn)),
        number("propensity", rows, |row| row.decision.propensity.value),
        text("propensity_kind", rows, |row| Some(kind_name(row.decision.propensity.kind))),
        number("draw", rows, |row| row.decision.draw),
        number("keep_prob", rows, |row| row.decision.keep_prob),
        text("objective", rows, |row| row.decision.objective.as_deref()),
        text("policy_name", rows, |row| Some(&row.decision.policy.name)),
        text("policy_digest", rows, |row| row.decision.policy.digest.as_deref()),
        count("decision_ns", rows, |row| row.decision.decision_ns),
        count("step", rows, |row| row.decision.step.map(u64::from)),
        text("previous", rows, |row| row.decision.previous.as_deref()),
        number("spent_usd", rows, |row| row.decision.spent_usd),
        text("answer", rows, |row| row.answer.as_deref()),
    ]
}

fn outcome_columns(rows: &[Row]) -> Vec<Column> {
    vec![
        count("outcome_ts_ms", rows, |row| Some(row.outcome.as_ref()?.ts_ms)),
        text("served_model", rows, |row| row.outcome.as_ref()?.served_model.as_deref()),
        text("provider", rows, |row| row.outcome.as_ref()?.provider.as_deref()),
        text("status", rows, |row| Some(status_name(row.outcome.as_ref()?.status))),
        text("fallback_from", rows, |row| row.outcome.as_ref()?.fallback_from.as_deref()),
        count("usage_input", rows, |row| row.outcome.as_ref()?.usage.input),
        count("usage_output", rows, |row| row.outcome.as_ref()?.usage.output),
        count("usage_cached_read", rows, |row| row.outcome.as_ref()?.usage.cached_read),
        count("usage_cached_write", rows, |row| row.outcome.as_ref()?.usage.cached_write),
        count("usage_reasoning", rows, |row| row.outcome.as_ref()?.usage.reasoning),
        number("cost_usd", rows, |row| Some(row.outcome.as_ref()?.cost_usd.as_ref()?.value)),
        text("cost_source", rows, |row| Some(&row.outcome.as_ref()?.cost_usd.as_ref()?.source)),
        number("latency_ms", rows, |row| row.outcome.as_ref()?.latency_ms),
        number("ttft_ms", rows, |row| row.outcome.as_ref()?.ttft_ms),
        number("quality", rows, |row| row.outcome.as_ref()?.metric("quality")),
        text("metrics", rows, |row| row.metrics.as_deref()),
    ]
}

fn text<'a>(name: &str, rows: &'a [Row], cell: impl Fn(&'a Row) -> Option<&'a str>) -> Column {
    rows.iter().map(cell).collect::<StringChunked>().with_name(name.into()).into_column()
}

fn count(name: &str, rows: &[Row], cell: impl Fn(&Row) -> Option<u64>) -> Column {
    rows.iter().map(cell).collect::<UInt64Chunked>().with_name(name.into()).into_column()
}

fn number(name: &str, rows: &[Row], cell: impl Fn(&Row) -> Option<f64>) -> Column {
    rows.iter().map(cell).collect::<Float64Chunked>().with_name(name.into()).into_column()
}

fn n_candidates(rows: &[Row]) -> usize {
    rows.iter().map(|row| row.decision.candidates.len()).sum()
}

fn candidate_models(rows: &[Row]) -> Column {
    let mut builder =
        ListStringChunkedBuilder::new("candidate_models".into(), rows.len(), n_candidates(rows));
    for row in rows {
        builder.append_values_iter(row.decision.candidates.iter().map(|one| one.model.as_str()));
    }
    builder.finish().into_column()
}

/// The probabilities that were drawn from: zero for a candidate that was ruled out.
fn candidate_probabilities(rows: &[Row]) -> Column {
    let mut builder = ListPrimitiveChunkedBuilder::<Float64Type>::new(
        "candidate_probabilities".into(),
        rows.len(),
        n_candidates(rows),
        DataType::Float64,
    );
    let mut probabilities = Vec::new();
    for row in rows {
        probabilities.clear();
        probabilities.extend(
            row.decision
                .candidates
                .iter()
                .map(|one| if one.excluded_by.is_none() { one.probability } else { 0.0 }),
        );
        builder.append_slice(&probabilities);
    }
    builder.finish().into_column()
}

/// One optional number per candidate.
fn candidate_numbers(
    name: &str,
    rows: &[Row],
    cell: impl Fn(&CandidateRecord) -> Option<f64>,
) -> Column {
    let mut builder = ListPrimitiveChunkedBuilder::<Float64Type>::new(
        name.into(),
        rows.len(),
        n_candidates(rows),
        DataType::Float64,
    );
    for row in rows {
        builder.append_iter(row.decision.candidates.iter().map(&cell));
    }
    builder.finish().into_column()
}

/// Why a candidate was ruled out; null where it was not.
fn candidate_exclusions(rows: &[Row]) -> Column {
    let mut builder = ListStringChunkedBuilder::new(
        "candidate_excluded_by".into(),
        rows.len(),
        n_candidates(rows),
    );
    for row in rows {
        let reasons = row.decision.candidates.iter().map(|one| one.excluded_by.as_deref());
        builder.append_trusted_len_iter(reasons);
    }
    builder.finish().into_column()
}

const fn kind_name(kind: PropensityKind) -> &'static str {
    match kind {
        PropensityKind::Exact => "exact",
        PropensityKind::Estimated => "estimated",
        PropensityKind::Deterministic => "deterministic",
        PropensityKind::Unknown => "unknown",
    }
}

const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Failed => "failed",
    }
}
