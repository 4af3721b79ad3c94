//! Result files of benchmarks as rows of an outcome table.
//!
//! Two kinds: one file for each model with a list of records (`LLMRouterBench`), and one wide row for
//! each prompt with a column for each model (`RouterBench`). Both become the long form, one row for each
//! prompt and model. Files are streamed: of a file only one record is in memory.

mod bench;
mod files;
mod wide;

use std::{collections::BTreeMap, io};

use serde_json::Value;

pub use bench::{Origin, read_bench};
pub use files::read_results;
pub use wide::WideColumns;

use crate::{
    error::ImportError,
    item::{Dropped, Reason},
};

/// One row of an outcome table, as it is written into NDJSON.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TableRow<'a> {
    /// Names the prompt, over all files of a benchmark.
    pub prompt_id: &'a str,
    /// What was asked.
    pub prompt: &'a str,
    /// The model that answered.
    pub model: &'a str,
    /// How good the answer was, on the benchmark's scale.
    pub quality: f64,
    /// What it cost, in dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Tokens of the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// What kind of task it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<&'a str>,
    /// The part of the benchmark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<&'a str>,
}

/// Where rows go.
pub type WriteRow<'a> = &'a mut dyn FnMut(&TableRow<'_>) -> io::Result<()>;

/// How many rows came of a file, and what gave none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResultCounts {
    /// Rows that were written.
    pub n_written: u64,
    /// Records, or cells, that gave no row, by reason.
    pub dropped: BTreeMap<Reason, u64>,
}

/// Why a result file cannot be read.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// Nothing says what was measured.
    #[error(
        "it is not in a folder of the form dataset/split/model/time.json, which says whose results they are; keep the folders of the benchmark"
    )]
    NoOrigin,
    /// Not JSON, or of another shape.
    #[error("it is no result file with a list `records`: {message}")]
    NotResults { message: String },
    /// A wide table without models.
    #[error(
        "it has {} of models, and routing needs two; a column for each model holds its quality, and `model|total_cost` its cost",
        columns(*found)
    )]
    NoModels { found: usize },
    /// A wide table without prompts.
    #[error("it has no column `prompt`; its columns are {found}")]
    NoPrompt { found: String },
    /// Not there, or packed in a way that is damaged.
    #[error(transparent)]
    Open(#[from] ImportError),
    /// Bytes that cannot be read.
    #[error("it cannot be read to its end; copy it again")]
    Read { source: io::Error },
    /// Rows could not be written.
    #[error("cannot write a row")]
    Write { source: io::Error },
}

fn columns(n: usize) -> String {
    if n == 1 { "1 column".to_owned() } else { format!("{n} columns") }
}

const NO_PROMPT: Reason = Reason("no prompt");
const NO_QUALITY: Reason = Reason("no score");
const NO_INDEX: Reason = Reason("no index");

impl ResultCounts {
    /// Counts what gave no row.
    pub fn count(&mut self, dropped: &Dropped) {
        *self.dropped.entry(dropped.reason).or_insert(0) += 1;
    }
}

/// A finite number, also as text, and truth values as one and zero.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::String(text) => match text.trim() {
            "True" | "true" => Some(1.0),
            "False" | "false" => Some(0.0),
            digits => digits.parse().ok(),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    number.filter(|number| number.is_finite())
}

/// A cost: a number that is not negative.
fn cost(value: &Value) -> Option<f64> {
    number(value).filter(|cost| 0.0 <= *cost)
}

/// A text that is not empty; numbers as they are written.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

#[cfg(test)]
mod tests;
