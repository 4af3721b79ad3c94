//! Outcome tables: what every model made of every prompt, in long form.
//!
//! Read from Parquet, CSV or NDJSON with the columns `prompt_id, prompt | messages, model, quality,
//! cost_usd?, input_tokens?, output_tokens?, latency_ms?, task?, split?, fold?, ts_ms?`; others are
//! ignored. Rows that say nothing are dropped and counted; values that cannot be right end the run.

mod build;
pub(crate) mod json_rows;
mod seen;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use pointsman_core::request::Request;

use self::build::{Row, TableBuilder, TextCell};
use crate::{
    columns::Batch,
    error::DataError,
    files::{Format, sources},
    parquet::{BATCH_ROWS, ParquetFile, Wanted, read_csv},
};

/// How an outcome table is to be understood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadOptions {
    /// The worst and the best grade; values are mapped linearly from here to `[0, 1]`.
    pub quality_range: (f64, f64),
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { quality_range: (0.0, 1.0) }
    }
}

/// Every outcome of every model on every prompt, without the texts.
#[derive(Debug, Clone, PartialEq)]
pub struct OutcomeTable {
    /// The models' names, sorted.
    pub models: Vec<String>,
    /// The prompts with a usable row, in the order of first appearance.
    pub prompts: Vec<Prompt>,
    /// The usable rows, in the order of the files.
    pub outcomes: Vec<TableOutcome>,
    /// Rows left out, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Rows in the files.
    pub n_rows_read: u64,
    /// SHA-256 over the content of the used rows in their order, as 64 hexadecimal digits.
    pub digest: String,
}

/// One prompt of an [`OutcomeTable`], without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Its name in the table.
    pub id: String,
    /// What kind of task it is.
    pub task: Option<String>,
    /// The part the table puts it in, usually `train` or `test`.
    pub split: Option<String>,
    /// The fold the table puts it in.
    pub fold: Option<u8>,
    /// Equal for prompts that differ in case and white space alone
    /// (see [`prompt_group`](crate::prompt_group)); of an empty prompt, a hash of its id.
    pub group: u64,
    /// Whether there is no text in it.
    pub is_empty: bool,
    /// When it came, in milliseconds since 1970 UTC, where the table says.
    pub ts_ms: Option<u64>,
}

/// What one model made of one prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TableOutcome {
    /// Index into [`OutcomeTable::prompts`].
    pub prompt: u32,
    /// Index into [`OutcomeTable::models`].
    pub model: u16,
    /// In `[0, 1]`.
    pub quality: f64,
    /// What the answer cost, in dollars.
    pub cost_usd: Option<f64>,
    /// Tokens of the prompt, as billed.
    pub input_tokens: Option<u32>,
    /// Tokens of the answer, as billed.
    pub output_tokens: Option<u32>,
    /// Time to the whole answer.
    pub latency_ms: Option<f64>,
}

const WANTED: Wanted<'static> = Wanted {
    columns: &[
        "prompt_id",
        "prompt",
        "messages",
        "model",
        "quality",
        "cost_usd",
        "input_tokens",
        "output_tokens",
        "latency_ms",
        "task",
        "split",
        "fold",
        "ts_ms",
    ],
    required: &[&["prompt_id"], &["prompt", "messages"], &["model"], &["quality"]],
};

/// Reads outcome tables from files or patterns, one after the other.
///
/// `on_prompt` is called once per prompt, at its first usable row, with its index into
/// [`OutcomeTable::prompts`] and its text, which is let go afterwards. Of several rows for one
/// prompt and model the first counts.
///
/// # Errors
/// [`DataError`] where a file cannot be read or lacks a column, where a value is off its scale, and
/// where nothing can be used.
pub fn read_outcomes(
    paths: &[PathBuf],
    options: &ReadOptions,
    on_prompt: &mut dyn FnMut(usize, &Request<'_>),
) -> Result<OutcomeTable, DataError> {
    let mut builder = TableBuilder::new(options.quality_range, on_prompt)?;
    for source in sources(paths)? {
        builder.begin_file(&source.path);
        match source.format {
            Format::Parquet => {
                let file = ParquetFile::open(&source.path, &WANTED)?;
                builder.make_room(file.n_rows_ahead());
                file.for_each_batch(BATCH_ROWS, &mut |batch| push_batch(&mut builder, batch))?;
            }
            Format::Csv => {
                read_csv(&source.path, &WANTED, &mut |batch| push_batch(&mut builder, batch))?;
            }
            Format::Ndjson => json_rows::read(&source.path, &WANTED, &mut builder)?,
            Format::Journal => return Err(DataError::JournalTable { path: source.path }),
        }
        builder.end_file(&source.path)?;
    }
    builder.finish(first_path(paths))
}

fn first_path(paths: &[PathBuf]) -> &Path {
    paths.first().map_or(Path::new(""), PathBuf::as_path)
}

fn push_batch(builder: &mut TableBuilder<'_>, batch: &Batch<'_>) -> Result<(), DataError> {
    let (ids, models) = (batch.texts("prompt_id")?, batch.texts("model")?);
    let (prompts, messages) = (batch.texts("prompt")?, batch.messages("messages")?);
    let (tasks, splits) = (batch.texts("task")?, batch.texts("split")?);
    let (qualities, costs) = (batch.numbers("quality")?, batch.numbers("cost_usd")?);
    let (inputs, outputs) = (batch.numbers("input_tokens")?, batch.numbers("output_tokens")?);
    let (latencies, folds) = (batch.numbers("latency_ms")?, batch.numbers("fold")?);
    let times = batch.numbers("ts_ms")?;
    for index in 0..batch.frame.height() {
        let text = if messages.has(index) {
            TextCell::Messages(&messages, index)
        } else {
            TextCell::Prompt(prompts.get(index).unwrap_or_default())
        };
        builder.push(&Row {
            number: batch.row(index),
            prompt_id: ids.get(index),
            text,
            model: models.get(index),
            quality: qualities.get(index),
            cost_usd: costs.get(index),
            input_tokens: inputs.get(index),
            output_tokens: outputs.get(index),
            latency_ms: latencies.get(index),
            task: tasks.get(index),
            split: splits.get(index),
            fold: folds.get(index),
            ts_ms: times.get(index),
        })?;
    }
    Ok(())
}
