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
    /// Forgets where the list stands: places of one batch mean nothing in the next.
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

    /// Hands over the candidates of `row`, counted within the batch; `wrong` makes the
    /// refusal of this row.
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
        let is_excluded = |at: usize| self.exclusions.1.get(at).is_some();
        builder.begin_candidates();
        if !exclusions.clone().any(is_excluded)
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
            if exclusions.next().is_some_and(is_excluded) {
                builder.exclude_last();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use pointsman_core::request::Request;
    use pointsman_log::journal::Damage;
    use polars::prelude::*;
    use proptest::prelude::*;

    use super::*;
    use crate::{log::cell::DecisionCell, model_names::ModelNames};

    /// Candidates by name, each with its probability and whether it was excluded.
    type Heard = Vec<(String, f64, bool)>;

    #[derive(Default)]
    struct Listener {
        models: ModelNames,
        rows: Vec<Heard>,
        n_known: usize,
    }

    impl Decisions for Listener {
        fn wanted_tags(&self) -> &[String] {
            &[]
        }

        fn begin_candidates(&mut self) {
            self.rows.push(Vec::new());
        }

        fn candidate(
            &mut self,
            model: &str,
            probability: f64,
            slot: &mut u16,
        ) -> Result<(), DataError> {
            self.models.index_by(slot, model)?;
            self.rows.last_mut().unwrap().push((model.to_owned(), probability, false));
            Ok(())
        }

        fn known_candidates(&mut self, slots: &[u16], probabilities: &[f64]) {
            self.n_known += 1;
            for (slot, probability) in slots.iter().zip(probabilities) {
                let name = self.models.name(*slot).unwrap().to_owned();
                self.rows.last_mut().unwrap().push((name, *probability, false));
            }
        }

        fn exclude_last(&mut self) {
            self.rows.last_mut().unwrap().last_mut().unwrap().2 = true;
        }

        fn push(&mut self, _: &DecisionCell<'_>, _: &Request<'_>) -> Result<(), DataError> {
            Ok(())
        }

        fn add_damage(&mut self, _: Damage) {}
    }

    /// A list of something for each row.
    fn lists<T>(rows: &[Heard], of: impl Fn(&(String, f64, bool)) -> T) -> Vec<Series>
    where
        Series: NamedFrom<Vec<T>, [T]>,
    {
        let list = |row: &Heard| Series::new("".into(), row.iter().map(&of).collect::<Vec<T>>());
        rows.iter().map(list).collect()
    }

    fn frame(rows: &[Heard], with_reasons: bool) -> DataFrame {
        let mut frame = df!(
            "candidate_models" => lists(rows, |one| one.0.clone()),
            "candidate_probabilities" => lists(rows, |one| one.1),
        )
        .unwrap();
        if with_reasons {
            let reasons = lists(rows, |one| one.2.then(|| "tools".to_owned()));
            let column = Series::new("candidate_excluded_by".into(), reasons).into_column();
            let _ = frame.with_column(column).unwrap();
        }
        frame
    }

    fn heard(batches: &[&[Heard]], with_reasons: bool) -> Listener {
        let (mut listener, mut known) = (Listener::default(), KnownList::default());
        for rows in batches.iter().filter(|rows| !rows.is_empty()) {
            let frame = frame(rows, with_reasons);
            let batch = Batch { path: Path::new("log.parquet"), n_before: 0, frame: &frame };
            let lists = CandidateLists::of(&batch).unwrap();
            known.begin_batch();
            for row in 0..frame.height() {
                let path = PathBuf::new;
                let wrong = |problem| DataError::Decision {
                    path: path(),
                    id: String::new(),
                    row: 0,
                    problem,
                };
                lists.hand_over(row, (&mut listener, &mut known), wrong).unwrap();
            }
        }
        listener
    }

    #[test]
    fn lists_that_are_as_before_are_not_looked_up() {
        let row: Heard = vec![("a".to_owned(), 0.5, false), ("b".to_owned(), 0.5, false)];
        let rows = vec![row; 5];
        for with_reasons in [false, true] {
            assert_eq!(heard(&[&rows[..2], &rows[2..]], with_reasons).n_known, 3);
        }
    }

    proptest! {
        /// Whatever was looked up before, in this batch or in another one.
        #[test]
        fn candidates_are_those_of_their_row(
            chosen in prop::collection::vec((0..4_usize, 0..5_u8, 0..4_usize), 1..30),
            cut in 0..30_usize,
        ) {
            let lists: [&[&str]; 4] =
                [&["a", "b"], &["b", "a"], &["a model of a long name", "b", "c"], &[]];
            let row = |&(list, chance, excluded): &(usize, u8, usize)| -> Heard {
                let each = lists[list].iter().enumerate();
                each.map(|(at, name)| ((*name).to_owned(), f64::from(chance), at == excluded))
                    .collect()
            };
            let rows: Vec<Heard> = chosen.iter().map(row).collect();
            let (first, second) = rows.split_at(cut.min(rows.len()));
            prop_assert_eq!(&heard(&[first, second], true).rows, &rows);
        }
    }
}
