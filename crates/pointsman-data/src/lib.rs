//! Everything tabular: outcome tables, traffic logs, joins, splits, simulation of logs.
//!
//! An *outcome table* says what every model made of every prompt; a *traffic log* says what one
//! drawn model made of each request. Both are read in batches, and the texts are handed over once
//! and let go, so that memory does not grow with the prompts. This is the only crate that knows
//! Polars; what leaves it are plain vectors.

mod ahead;
mod columns;
mod error;
mod files;
mod hash;
mod parquet;
mod scale;
mod text;

mod answers;
mod matrix;
mod model_names;
mod parts;
mod table;

mod compact;
mod json_rows;
mod log;
mod rounds;
mod simulate;
mod writer;

pub use ahead::{decisions_ahead, prompts_ahead};
pub use answers::{AnswerCounts, AnswerRow, read_answers};
pub use compact::{CompactOptions, CompactSummary, OutcomeCounts, compact};
pub use error::DataError;
pub use hash::{keyed_draw, prompt_group, terms_group};
pub use json_rows::{JsonRows, json_rows};
pub use log::{
    Asked, LogOptions, LoggedRow, LoggedStep, ModelsInUse, Steps, TrafficLog, TrajectoryLog,
    Undrawn, Unknown, read_log, read_trajectories,
};
pub use matrix::OutcomeMatrix;
pub use parts::{TrainTest, parts_of_prompts, train_test_parts};
pub use rounds::{Refusal, RoundNames, RoundsBatch, TargetNumbers, read_rounds};
pub use simulate::{
    LoggerKind, ModelTruth, SimulateOptions, SimulatedPart, SimulatedSteps, SimulationSummary,
    logging_distribution, simulate, simulate_steps,
};
pub use table::{OutcomeTable, Prompt, ReadOptions, TableOutcome, read_outcomes};
pub use writer::{LogWriter, PredictionWriter};
