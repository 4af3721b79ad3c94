//! What a record must hold beyond its shape.
//!
//! Off-policy evaluation divides by what is written here, so a wrong propensity is worse than a
//! missing row: it is refused where it is written and again where it is read. The checks see one
//! record at a time; whether an outcome's decision exists is known only to a join.

use std::{collections::HashSet, fmt::Arguments};

use crate::record::{DecisionRecord, OutcomeRecord, PropensityKind};

/// How far the candidates' probabilities may be from one in sum.
const SUM_TOLERANCE: f64 = 1e-6;

/// How far an exact propensity may be from the drawn candidate's probability.
const PROPENSITY_TOLERANCE: f64 = 1e-9;

/// Why a record cannot be true.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// A decision that no outcome could refer to, or the other way round.
    #[error("`{field}` is empty; give every decision an id, and every outcome its decision's")]
    NoId { field: &'static str },
    /// Nothing to draw from.
    #[error("decision `{id}` has no candidates; list every model that was considered")]
    NoCandidates { id: String },
    /// A model with two probabilities.
    #[error("decision `{id}` lists the candidate `{model}` twice; keep one")]
    DuplicateCandidate { id: String, model: String },
    /// A draw from nowhere.
    #[error("decision `{id}` drew `{drawn}`, which is not among its candidates")]
    DrawnNotCandidate { id: String, drawn: String },
    /// Not a distribution.
    #[error("decision `{id}` has candidate probabilities that sum to {total} instead of 1")]
    ProbabilitySum { id: String, total: f64 },
    /// A propensity that is claimed to be known.
    #[error("decision `{id}` has no propensity value; write one or set its kind to \"unknown\"")]
    NoPropensity { id: String },
    /// Not the number that was sampled from.
    #[error(
        "decision `{id}` has the exact propensity {value}, but drew `{drawn}` with probability {probability}"
    )]
    PropensityMismatch { id: String, value: f64, drawn: String, probability: f64 },
    /// A number outside the range of its unit.
    #[error("decision `{id}` has {value} as `{field}`, which is not in {range}")]
    Number { id: String, field: String, value: f64, range: &'static str },
}

/// The numbers that a field may hold.
#[derive(Debug, Clone, Copy)]
enum Range {
    /// `[0, 1]`
    Unit,
    /// `(0, 1]`
    UnitWithoutZero,
    /// `[0, inf)`
    NonNegative,
    /// `(-inf, inf)`
    Finite,
}

impl DecisionRecord {
    /// Whether the decision can have happened as it is written.
    ///
    /// # Errors
    /// [`RecordError`] for the first of: an empty id; no candidate, or one twice; a number out of
    /// its range; probabilities that do not sum to one within 10⁻⁶; a drawn model that is no
    /// candidate; an exact or estimated propensity that is absent or outside `(0, 1]`; an exact
    /// one that differs from the drawn model's probability by more than 10⁻⁹.
    pub fn check(&self) -> Result<(), RecordError> {
        if self.id.is_empty() {
            return Err(RecordError::NoId { field: "id" });
        }
        self.check_candidates()?;
        self.check_propensity()?;
        check_number(&self.id, format_args!("draw"), self.draw, Range::Unit)?;
        let spent = self.spent_usd;
        check_number(&self.id, format_args!("spent_usd"), spent, Range::NonNegative)?;
        check_number(&self.id, format_args!("keep_prob"), self.keep_prob, Range::UnitWithoutZero)
    }

    fn check_candidates(&self) -> Result<(), RecordError> {
        if self.candidates.is_empty() {
            return Err(RecordError::NoCandidates { id: self.id.clone() });
        }
        let mut seen = HashSet::with_capacity(self.candidates.len());
        let mut total = 0.0;
        for candidate in &self.candidates {
            let model = &candidate.model;
            if !seen.insert(model.as_str()) {
                let (id, model) = (self.id.clone(), model.clone());
                return Err(RecordError::DuplicateCandidate { id, model });
            }
            let fields = [
                ("probability", Some(candidate.probability), Range::Unit),
                ("quality", candidate.quality, Range::Finite),
                ("cost_usd", candidate.cost_usd, Range::NonNegative),
                ("latency_ms", candidate.latency_ms, Range::NonNegative),
            ];
            for (key, value, range) in fields {
                let field = format_args!("candidates[{model}].{key}");
                check_number(&self.id, field, value, range)?;
            }
            total += candidate.probability;
        }
        if (total - 1.0).abs() > SUM_TOLERANCE {
            return Err(RecordError::ProbabilitySum { id: self.id.clone(), total });
        }
        Ok(())
    }

    fn check_propensity(&self) -> Result<(), RecordError> {
        let Some(drawn) = self.candidates.iter().find(|one| one.model == self.drawn) else {
            let (id, drawn) = (self.id.clone(), self.drawn.clone());
            return Err(RecordError::DrawnNotCandidate { id, drawn });
        };
        let written = self.propensity.value;
        let field = format_args!("propensity.value");
        let must_match = match self.propensity.kind {
            PropensityKind::Exact => true,
            PropensityKind::Estimated => false,
            PropensityKind::Deterministic | PropensityKind::Unknown => {
                return check_number(&self.id, field, written, Range::Finite);
            }
        };
        let Some(value) = written else {
            return Err(RecordError::NoPropensity { id: self.id.clone() });
        };
        check_number(&self.id, field, written, Range::UnitWithoutZero)?;
        if must_match && (value - drawn.probability).abs() > PROPENSITY_TOLERANCE {
            return Err(RecordError::PropensityMismatch {
                id: self.id.clone(),
                value,
                drawn: self.drawn.clone(),
                probability: drawn.probability,
            });
        }
        Ok(())
    }
}

impl OutcomeRecord {
    /// Whether the outcome can have happened as it is written.
    ///
    /// # Errors
    /// [`RecordError`] for an empty decision id, a cost or latency that is negative or not
    /// finite, and a metric that is not finite.
    pub fn check(&self) -> Result<(), RecordError> {
        if self.decision_id.is_empty() {
            return Err(RecordError::NoId { field: "decision_id" });
        }
        let cost_usd = self.cost_usd.as_ref().map(|cost| cost.value);
        let fields = [
            ("cost_usd.value", cost_usd),
            ("latency_ms", self.latency_ms),
            ("ttft_ms", self.ttft_ms),
        ];
        for (key, value) in fields {
            check_number(&self.decision_id, format_args!("{key}"), value, Range::NonNegative)?;
        }
        for metric in &self.metrics {
            let field = format_args!("metrics[{}].value", metric.name);
            check_number(&self.decision_id, field, Some(metric.value), Range::Finite)?;
        }
        Ok(())
    }

    /// The value of the metric `name`, in its own unit; the last one where there are several,
    /// since a later measurement corrects an earlier one.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().rev().find(|metric| metric.name == name).map(|metric| metric.value)
    }
}

/// Refuses a number that is there and out of its range; NaN is out of every range.
fn check_number(
    id: &str,
    field: Arguments<'_>,
    value: Option<f64>,
    range: Range,
) -> Result<(), RecordError> {
    match value {
        Some(value) if !range.holds(value) => Err(RecordError::Number {
            id: id.to_owned(),
            field: field.to_string(),
            value,
            range: range.name(),
        }),
        Some(_) | None => Ok(()),
    }
}

impl Range {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::Unit => (0.0..=1.0).contains(&value),
            Self::UnitWithoutZero => 0.0 < value && value <= 1.0,
            Self::NonNegative => 0.0 <= value && value.is_finite(),
            Self::Finite => value.is_finite(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Unit => "[0, 1]",
            Self::UnitWithoutZero => "(0, 1]",
            Self::NonNegative => "[0, inf)",
            Self::Finite => "(-inf, inf)",
        }
    }
}

#[cfg(test)]
mod tests;
