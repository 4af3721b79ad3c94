//! Logs of NDJSON records and journals, read twice: once for the outcomes, once for the decisions.

use std::{collections::HashMap, fs::File, io::BufReader, path::Path};

use pointsman_log::{
    journal::{self, Damage},
    ndjson,
    record::{DecisionRecord, OutcomeRecord, Record, Status},
};

use super::cell::{DecisionCell, Decisions, OutcomeCell};
use crate::{
    error::DataError,
    files::{Format, Source},
};

/// What came of a decision, from one or more outcome records.
#[derive(Debug, Clone)]
pub(super) struct Joined {
    served_model: Option<String>,
    is_failed: bool,
    quality: Option<f64>,
    cost_usd: Option<f64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    latency_ms: Option<f64>,
    ts_ms: u64,
}

/// Outcomes by the id of their decision, ascending in time.
pub(super) type Outcomes = HashMap<String, Vec<Joined>>;

/// Reads the outcomes of all files. Where a decision has several, as when the grade comes after
/// the answer, each field is taken from the latest that has it.
pub(super) fn index_outcomes<'a>(
    sources: impl Iterator<Item = &'a Source>,
    quality_metric: &str,
) -> Result<Outcomes, DataError> {
    let mut outcomes = Outcomes::new();
    for source in sources {
        each_record(source, &mut |_, record| {
            if let Record::Outcome(outcome) = record {
                let joined = Joined::of(&outcome, quality_metric);
                // Most have one; a vector that grows by itself would have room for four.
                let one = || Vec::with_capacity(1);
                let known = outcomes.entry(outcome.decision_id).or_insert_with(one);
                let place = known.partition_point(|earlier| earlier.ts_ms <= joined.ts_ms);
                known.insert(place, joined);
            }
            Ok(())
        })?;
    }
    Ok(outcomes)
}

/// Pushes the decisions of one file with their outcomes.
pub(super) fn read(
    source: &Source,
    outcomes: &Outcomes,
    builder: &mut dyn Decisions,
) -> Result<(), DataError> {
    let mut slots = Vec::new();
    let path = &source.path;
    let damage = each_record(source, &mut |number, record| match record {
        Record::Decision(decision) => {
            let outcome = outcomes.get(&decision.id).and_then(|known| Joined::all(known));
            let found = Found { path, number, decision: &decision, outcome: outcome.as_ref() };
            push(builder, &mut slots, &found)
        }
        Record::Outcome(_) => Ok(()),
    })?;
    builder.add_damage(damage);
    Ok(())
}

struct Found<'a> {
    path: &'a Path,
    number: u64,
    decision: &'a DecisionRecord,
    outcome: Option<&'a Joined>,
}

fn push(
    builder: &mut dyn Decisions,
    slots: &mut Vec<u16>,
    found: &Found<'_>,
) -> Result<(), DataError> {
    let decision = found.decision;
    slots.resize(slots.len().max(decision.candidates.len()), 0);
    builder.begin_candidates();
    for (candidate, slot) in decision.candidates.iter().zip(slots) {
        let is_eligible = candidate.excluded_by.is_none();
        let probability = if is_eligible { candidate.probability } else { 0.0 };
        builder.candidate(&candidate.model, probability, slot)?;
        if !is_eligible {
            builder.exclude_last();
        }
    }
    let kept = &decision.request;
    let request = kept.to_request().unwrap_or_else(|| kept.without_text());
    let cell = DecisionCell {
        path: found.path,
        number: found.number,
        id: &decision.id,
        ts_ms: decision.ts_ms,
        session_id: decision.session_id.as_deref(),
        task: decision.tags.get("task").map(|task| task.as_str().into()),
        tenant: decision.tenant.as_deref(),
        tags: builder.wanted_tags().iter().map(|tag| decision.tags.get(tag).cloned()).collect(),
        drawn: &decision.drawn,
        propensity: decision.propensity.value,
        kind: decision.propensity.kind,
        keep_prob: decision.keep_prob,
        is_later_step: decision.step.is_some_and(|step| 0 < step) || decision.previous.is_some(),
        step: decision.step.map(u64::from),
        previous: decision.previous.as_deref(),
        spent_usd: decision.spent_usd,
        answer: decision.answer.as_ref(),
        input_tokens: kept.input_tokens.map(pointsman_core::units::as_float),
        features: kept.features.as_ref(),
        outcome: found.outcome.map(Joined::cell),
    };
    builder.push(&cell, &request)
}

/// Hands over the records of a file or a journal; what a journal's reader passed over.
fn each_record(
    source: &Source,
    on_record: &mut dyn FnMut(u64, Record) -> Result<(), DataError>,
) -> Result<Damage, DataError> {
    let path = &source.path;
    let unreadable = |source| DataError::Unreadable { path: path.clone(), source };
    let failed = |reason: String| DataError::Record { path: path.clone(), reason };
    if source.format == Format::Journal {
        let mut reader = journal::read(path).map_err(unreadable)?;
        for (number, record) in (1..).zip(reader.by_ref()) {
            on_record(number, record.map_err(|error| failed(error.to_string()))?)?;
        }
        return Ok(reader.damage());
    }
    let file = File::open(path).map_err(unreadable)?;
    for (number, record) in (1..).zip(ndjson::read(BufReader::with_capacity(1 << 17, file))) {
        on_record(number, record.map_err(|error| failed(error.to_string()))?)?;
    }
    Ok(Damage::default())
}

impl Joined {
    fn of(outcome: &OutcomeRecord, quality_metric: &str) -> Self {
        Self {
            served_model: outcome.served_model.clone(),
            is_failed: outcome.status == Status::Failed,
            quality: outcome.metric(quality_metric),
            cost_usd: outcome.cost_usd.as_ref().map(|cost| cost.value),
            input_tokens: outcome.usage.input,
            output_tokens: outcome.usage.output,
            latency_ms: outcome.latency_ms,
            ts_ms: outcome.ts_ms,
        }
    }

    /// Several in one; they ascend in time.
    fn all(known: &[Self]) -> Option<Self> {
        known.iter().cloned().reduce(Self::completed_by)
    }

    fn completed_by(self, late: Self) -> Self {
        let early = self;
        Self {
            served_model: late.served_model.or(early.served_model),
            is_failed: late.is_failed || early.is_failed,
            quality: late.quality.or(early.quality),
            cost_usd: late.cost_usd.or(early.cost_usd),
            input_tokens: late.input_tokens.or(early.input_tokens),
            output_tokens: late.output_tokens.or(early.output_tokens),
            latency_ms: late.latency_ms.or(early.latency_ms),
            ts_ms: late.ts_ms,
        }
    }

    fn cell(&self) -> OutcomeCell<'_> {
        OutcomeCell {
            served_model: self.served_model.as_deref(),
            is_failed: self.is_failed,
            quality: self.quality,
            cost_usd: self.cost_usd,
            input_tokens: self.input_tokens.map(pointsman_core::units::as_float),
            output_tokens: self.output_tokens.map(pointsman_core::units::as_float),
            latency_ms: self.latency_ms,
        }
    }
}
