//! Logs of NDJSON records and journals, read twice: once for the outcomes, once for the decisions.

use std::{fs::File, io::BufReader, path::Path};

use pointsman_log::{
    journal::{self, Damage},
    ndjson,
    record::{DecisionRecord, Record},
};

use super::{
    cell::{DecisionCell, Decisions, OutcomeCell},
    outcomes::Outcomes,
};
use crate::{
    error::DataError,
    files::{Format, Source},
};

/// Reads the outcomes of all files. Where a decision has several, as when the grade comes after
/// the answer, each field is taken from the latest that has it.
pub(super) fn index_outcomes<'a>(
    sources: impl Iterator<Item = &'a Source>,
    quality_metric: &str,
) -> Result<Outcomes, DataError> {
    let mut outcomes = Outcomes::default();
    for source in sources {
        each_record(source, &mut |_, record| {
            if let Record::Outcome(outcome) = record {
                outcomes.add(&outcome, quality_metric);
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
            let outcome = outcomes.of(&decision.id);
            let found = Found { path, number, decision: &decision, outcome };
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
    outcome: Option<OutcomeCell<'a>>,
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
        outcome: found.outcome,
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
