//! The candidates of flat logs: lists of models, and beside them of probabilities.

use std::ops::Range;

use super::cell::Decisions;
use crate::{
    columns::{Batch, Lists, NumberColumn, TextColumn},
    error::DataError,
};

/// The columns of one batch that hold candidates.
pub(super) struct CandidateLists {
    models: (Lists, TextColumn),
    probabilities: (Lists, NumberColumn),
    exclusions: (Lists, TextColumn),
}

/// The list of models that was looked up last. Most decisions of a log have the same candidates, and
/// then nothing needs to be looked up again.
#[derive(Default)]
pub(super) struct KnownList {
    /// Where it stands in its batch.
    models: Range<usize>,
    /// The builder's slots of its models.
    slots: Vec<u16>,
}

impl KnownList {
    /// Where lists stand says nothing of those of another batch.
    pub(super) fn begin_batch(&mut self) {
        self.models = 0..0;
    }
}

impl CandidateLists {
    pub(super) fn of(batch: &Batch<'_>) -> Result<Self, DataError> {
        Ok(Self {
            models: batch.text_lists("candidate_models")?,
            probabilities: batch.number_lists("candidate_probabilities")?,
            exclusions: batch.text_lists("candidate_excluded_by")?,
        })
    }

    /// Hands over the candidates of `row`, counted within the batch; `wrong` says what they cannot be.
    pub(super) fn hand_over(
        &self,
        row: usize,
        (builder, known): (&mut dyn Decisions, &mut KnownList),
        wrong: impl Fn(String) -> DataError,
    ) -> Result<(), DataError> {
        let ((models, names), (probabilities, numbers)) = (&self.models, &self.probabilities);
        let models = models.entries(row).unwrap_or(0..0);
        let probabilities = probabilities.entries(row).unwrap_or(0..0);
        if models.len() != probabilities.len() {
            let (n, m) = (models.len(), probabilities.len());
            return Err(wrong(format!("has {n} candidate_models and {m} candidate_probabilities")));
        }
        let mut exclusions = self.exclusions.0.entries(row).unwrap_or(0..0);
        builder.begin_candidates();
        if exclusions.is_empty()
            && names.are_same(models.clone(), known.models.clone())
            && let Some(numbers) = numbers.dense()
            && let Some(numbers) = numbers.get(probabilities.clone())
            && let Some(slots) = known.slots.get(..models.len())
        {
            builder.known_candidates(slots, numbers);
            return Ok(());
        }
        known.models = models.clone();
        known.slots.resize(known.slots.len().max(models.len()), 0);
        for ((model, probability), slot) in models.zip(probabilities).zip(&mut known.slots) {
            let (Some(model), Some(probability)) = (names.get(model), numbers.get(probability))
            else {
                return Err(wrong("has a candidate that is null".to_owned()));
            };
            builder.candidate(model, probability, slot)?;
            if exclusions.next().is_some_and(|at| self.exclusions.1.get(at).is_some()) {
                builder.exclude_last();
            }
        }
        Ok(())
    }
}
