//! Wide tables, as `RouterBench` has them: a row for each prompt, a column for each model.

use super::{
    NO_PROMPT, NO_QUALITY, ResultCounts, ResultsError, TableRow, WriteRow, cost, number, text,
};
use crate::item::{Dropped, Reason};
use serde_json::{Map, Value};

/// The end of the name of a column with a model's costs.
const COST: &str = "|total_cost";

/// Columns that name the prompt, by preference.
const IDS: [&str; 4] = ["sample_id", "prompt_id", "id", "index"];
/// Columns that hold the prompt, by preference.
const PROMPTS: [&str; 3] = ["prompt", "question", "query"];
/// Columns that name the task, by preference.
const TASKS: [&str; 3] = ["eval_name", "task", "dataset"];
/// Other columns that are no model.
const OTHERS: [&str; 5] = ["", "split", "fold", "oracle_model_to_route_to", "Unnamed: 0"];

/// Which columns of a wide table are what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WideColumns {
    models: Vec<Model>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Model {
    name: String,
    cost: String,
}

impl WideColumns {
    /// The columns by their names. Where some have costs (`model|total_cost`), those are the models;
    /// else every column is one that is not known to be something else.
    ///
    /// # Errors
    /// [`ResultsError`] where there is no prompt, or fewer than two models.
    pub fn of_header(names: &[&str]) -> Result<Self, ResultsError> {
        if !PROMPTS.iter().any(|prompt| names.contains(prompt)) {
            return Err(ResultsError::NoPrompt { found: names.join(", ") });
        }
        let model = |name: &str| Model { name: name.to_owned(), cost: format!("{name}{COST}") };
        let priced = names.iter().filter_map(|name| name.strip_suffix(COST));
        let mut models: Vec<Model> =
            priced.filter(|name| names.contains(name)).map(model).collect();
        if models.is_empty() {
            let known = [&IDS[..], &PROMPTS, &TASKS, &OTHERS];
            let is_model = |name: &&&str| {
                !name.contains('|') && !known.iter().any(|known| known.contains(*name))
            };
            models = names.iter().filter(is_model).map(|name| model(name)).collect();
        }
        if models.len() < 2 {
            return Err(ResultsError::NoModels { found: models.len() });
        }
        Ok(Self { models })
    }

    /// The models, in the order of their columns.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.models.iter().map(|model| model.name.as_str())
    }

    /// Writes the rows of one wide row, a JSON object of the columns. A prompt without an id is named
    /// by the `number` of its row. Cells without a number are counted.
    ///
    /// # Errors
    /// [`ResultsError::Write`] where a row cannot be written.
    pub fn read(
        &self,
        row: &[u8],
        number_of_row: u64,
        counts: &mut ResultCounts,
        write: WriteRow<'_>,
    ) -> Result<(), ResultsError> {
        let row: Map<String, Value> = match serde_json::from_slice(row) {
            Ok(row) => row,
            Err(problem) => {
                counts.count(&Dropped::new(Reason::NOT_THE_FORMAT, problem.to_string()));
                return Ok(());
            }
        };
        let first = |columns: &[&str]| columns.iter().find_map(|column| text(row.get(*column)?));
        let Some(prompt) = first(&PROMPTS) else {
            counts.count(&Dropped::new(NO_PROMPT, format!("row {number_of_row}")));
            return Ok(());
        };
        let prompt_id = first(&IDS).unwrap_or_else(|| format!("row-{number_of_row}"));
        let (task, split) = (first(&TASKS), first(&["split"]));
        for Model { name, cost: cost_column } in &self.models {
            let Some(quality) = row.get(name).and_then(number) else {
                counts.count(&Dropped::new(NO_QUALITY, name.clone()));
                continue;
            };
            let written = write(&TableRow {
                prompt_id: &prompt_id,
                prompt: &prompt,
                model: name,
                quality,
                cost_usd: row.get(cost_column).and_then(cost),
                input_tokens: None,
                output_tokens: None,
                task: task.as_deref(),
                split: split.as_deref(),
            });
            written.map_err(|source| ResultsError::Write { source })?;
            counts.n_written += 1;
        }
        Ok(())
    }
}
