//! Bandit logs drawn from outcome tables, with the truth beside them.
//!
//! A table knows what every model would have made of every prompt. A log drawn from it shows one
//! model's outcome only, as real logs do, while the true value of any policy stays known: that is
//! how estimators and learners are tested. Its weakness: the logger looks at no prompt.

mod draw;
mod steps;
#[cfg(test)]
mod tests;
mod truth;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use pointsman_core::request::{Request, Role};
use pointsman_log::record::{
    CandidateRecord, CostRecord, DecisionRecord, MessageRecord, MetricRecord, OutcomeRecord,
    PolicyRecord, PropensityKind, PropensityRecord, RequestRecord, RoleRecord, Scope, Status,
    UsageRecord,
};

use self::{draw::model_at, steps::Answers, truth::summarize};
pub use self::{
    draw::{LoggerKind, logging_distribution},
    steps::SimulatedSteps,
    truth::{ModelTruth, SimulationSummary},
};
use crate::{
    error::DataError,
    hash::keyed_draw,
    matrix::OutcomeMatrix,
    parts::train_test_parts,
    table::{OutcomeTable, Prompt, ReadOptions, read_outcomes},
    writer::{LogWriter, write_whole},
};

/// When the simulated traffic begins, 2026-01-01 UTC; one decision follows each second.
const START_MS: u64 = 1_767_225_600_000;

/// What is to be simulated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimulateOptions {
    /// How models are drawn.
    pub logger: LoggerKind,
    /// Fixes every draw together with the prompt's id.
    pub seed: u64,
    /// Which prompts are logged.
    pub part: SimulatedPart,
    /// How the table is to be understood.
    pub read: ReadOptions,
}

/// Which prompts of the table's dense part are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimulatedPart {
    /// All of them.
    All,
    /// The training rows of that entry of [`train_test_parts`].
    TrainOf(usize),
}

/// Draws one model per prompt and writes the log to `out`, and `<stem>.truth.json` beside it.
///
/// Only the dense part of the table takes part (see [`OutcomeTable::matrix`]). A draw depends on
/// the seed and the prompt's id, not on the order of rows; propensities are exact. The table is read
/// twice, and `on_prompt` is called for each of its prompts each time.
///
/// # Errors
/// [`DataError`] where the table cannot be read or has fewer than two models, where an option has
/// no meaning, and where `out` cannot be written.
pub fn simulate(
    table_paths: &[PathBuf],
    options: &SimulateOptions,
    out: &Path,
    on_prompt: &mut dyn FnMut(),
) -> Result<SimulationSummary, DataError> {
    write_log(table_paths, options, None, out, on_prompt)
}

/// As [`simulate`], with a step after each drawn model's answer: to accept it, or to call another
/// model. The truth is that of the first decisions.
///
/// # Errors
/// As [`simulate`]; and for answers that cannot be read or of which none is of a drawn model, a model
/// that the table does not have, and a share that is none.
pub fn simulate_steps(
    table_paths: &[PathBuf],
    options: &SimulateOptions,
    steps: &SimulatedSteps<'_>,
    out: &Path,
    on_prompt: &mut dyn FnMut(),
) -> Result<SimulationSummary, DataError> {
    write_log(table_paths, options, Some(steps), out, on_prompt)
}

fn write_log(
    table_paths: &[PathBuf],
    options: &SimulateOptions,
    steps: Option<&SimulatedSteps<'_>>,
    out: &Path,
    on_prompt: &mut dyn FnMut(),
) -> Result<SimulationSummary, DataError> {
    options.logger.check()?;
    let table = read_outcomes(table_paths, &options.read, &mut |_, _| on_prompt())?;
    let matrix = table.matrix()?;
    let rows = logged_rows(&table, &matrix, options.part)?;
    let plan = Plan::new(&table, &matrix, &rows, options);
    let answers = steps.map(|steps| Answers::read(&plan, steps)).transpose()?;

    let mut writer = LogWriter::create(out)?;
    let (mut n_drawn, mut n_written) = (vec![0u64; matrix.models.len()], 0u64);
    let mut n_steps = 0;
    let mut result = Ok(());
    // The texts are read a second time rather than kept.
    read_outcomes(table_paths, &options.read, &mut |prompt, request| {
        on_prompt();
        let row = plan.row_of_prompt.get(prompt).copied().flatten();
        if let (Ok(()), Some(row)) = (&result, row) {
            let (decision, outcome, drawn) = plan.records(row, n_written, request);
            if let Some(n) = n_drawn.get_mut(drawn) {
                *n += 1;
            }
            n_written += 1;
            let step = answers.as_ref().and_then(|it| it.step(&plan, (row, drawn), &decision));
            result = writer.write(decision, Some(outcome));
            if let Some((step, outcome)) = step.filter(|_| result.is_ok()) {
                n_steps += 1;
                result = writer.write(step, outcome);
            }
        }
    })?;
    result?;
    writer.finish()?;

    let summary = SimulationSummary { n_steps, ..summarize(&plan, &n_drawn, out) };
    write_whole(&summary.truth_path, summary.to_json().as_bytes())?;
    Ok(summary)
}

fn logged_rows(
    table: &OutcomeTable,
    matrix: &OutcomeMatrix,
    part: SimulatedPart,
) -> Result<Vec<u32>, DataError> {
    let rows = match part {
        SimulatedPart::All => (0u32..).zip(&matrix.prompts).map(|(row, _)| row).collect(),
        SimulatedPart::TrainOf(index) => {
            let mut parts = train_test_parts(table, matrix);
            if parts.len() <= index {
                let n = parts.len();
                let text =
                    format!("part {index} is asked for, but the table has parts 0 to {}", n - 1);
                return Err(DataError::Simulation(text));
            }
            parts.swap_remove(index).train
        }
    };
    if rows.is_empty() {
        return Err(DataError::Simulation("the part to be simulated has no prompt".to_owned()));
    }
    Ok(rows)
}

/// All that is known before the first draw.
struct Plan<'a> {
    table: &'a OutcomeTable,
    matrix: &'a OutcomeMatrix,
    options: &'a SimulateOptions,
    /// The rows of the matrix that are logged.
    rows: &'a [u32],
    /// By prompt of the table, its row in the matrix if it is logged.
    row_of_prompt: Vec<Option<usize>>,
    /// Mean quality of each model over the logged rows.
    means: Vec<f64>,
    /// The logger's distribution, the same for every prompt.
    distribution: Vec<f64>,
    /// By cell of the matrix.
    latency_ms: Vec<Option<f64>>,
}

impl<'a> Plan<'a> {
    fn new(
        table: &'a OutcomeTable,
        matrix: &'a OutcomeMatrix,
        rows: &'a [u32],
        options: &'a SimulateOptions,
    ) -> Self {
        let mut row_of_prompt = vec![None; table.prompts.len()];
        for &row in rows {
            let row = as_index(row);
            let prompt = matrix.prompts.get(row).copied().map(as_index);
            if let Some(slot) = prompt.and_then(|prompt| row_of_prompt.get_mut(prompt)) {
                *slot = Some(row);
            }
        }
        let means = truth::means(&matrix.quality, rows, matrix.models.len());
        let distribution = logging_distribution(options.logger, &means);
        let latency_ms = latencies(table, matrix, &row_of_prompt);
        Self { table, matrix, options, rows, row_of_prompt, means, distribution, latency_ms }
    }

    fn prompt(&self, row: usize) -> Option<&Prompt> {
        self.matrix.prompts.get(row).and_then(|&prompt| self.table.prompts.get(as_index(prompt)))
    }

    /// The model that is drawn for a prompt.
    fn drawn(&self, id: &str) -> usize {
        model_at(&self.distribution, keyed_draw(self.options.seed, id))
    }

    /// The draw for one row of the matrix, what came of it, and the drawn model's index.
    fn records(
        &self,
        row: usize,
        n_before: u64,
        request: &Request<'_>,
    ) -> (DecisionRecord, OutcomeRecord, usize) {
        let prompt = self.prompt(row);
        let id = prompt.map_or("", |prompt| prompt.id.as_str());
        let task = prompt.and_then(|prompt| prompt.task.clone());
        let draw = keyed_draw(self.options.seed, id);
        let drawn = self.drawn(id);
        let model = self.matrix.models.get(drawn).cloned().unwrap_or_default();
        let propensity = self.distribution.get(drawn).copied();
        let ts_ms = START_MS + n_before * 1000;
        let decision = DecisionRecord {
            id: id.to_owned(),
            ts_ms,
            session_id: None,
            turn: None,
            tenant: None,
            tags: task.map(|task| BTreeMap::from([("task".to_owned(), task)])).unwrap_or_default(),
            request: request_record(request),
            candidates: self.candidates(),
            drawn: model.clone(),
            propensity: PropensityRecord { value: propensity, kind: PropensityKind::Exact },
            draw: Some(draw),
            keep_prob: None,
            objective: None,
            policy: PolicyRecord { name: self.options.logger.to_string(), digest: None },
            decision_ns: None,
            step: None,
            previous: None,
            spent_usd: None,
            answer: None,
        };
        let outcome = self.outcome(row * self.matrix.models.len() + drawn, id, ts_ms, model);
        (decision, outcome, drawn)
    }

    fn candidates(&self) -> Vec<CandidateRecord> {
        let pairs = self.matrix.models.iter().zip(&self.distribution);
        pairs
            .map(|(model, &probability)| CandidateRecord {
                model: model.clone(),
                probability,
                quality: None,
                cost_usd: None,
                latency_ms: None,
                excluded_by: None,
            })
            .collect()
    }

    fn outcome(&self, cell: usize, id: &str, ts_ms: u64, model: String) -> OutcomeRecord {
        let matrix = self.matrix;
        let tokens = |counts: &[Option<u32>]| counts.get(cell).copied().flatten().map(u64::from);
        let cost = matrix.cost_usd.as_ref().and_then(|costs| costs.get(cell).copied());
        OutcomeRecord {
            decision_id: id.to_owned(),
            ts_ms,
            served_model: Some(model),
            provider: None,
            status: Status::Ok,
            fallback_from: None,
            usage: UsageRecord {
                input: tokens(&matrix.input_tokens),
                output: tokens(&matrix.output_tokens),
                ..UsageRecord::default()
            },
            cost_usd: cost.map(|value| CostRecord { value, source: "outcome table".to_owned() }),
            latency_ms: self.latency_ms.get(cell).copied().flatten(),
            ttft_ms: None,
            metrics: vec![MetricRecord {
                name: "quality".to_owned(),
                value: matrix.quality.get(cell).copied().unwrap_or_default(),
                source: Some("outcome table".to_owned()),
                scope: Scope::Request,
            }],
        }
    }
}

fn latencies(
    table: &OutcomeTable,
    matrix: &OutcomeMatrix,
    row_of_prompt: &[Option<usize>],
) -> Vec<Option<f64>> {
    let column = |model: &String| matrix.models.binary_search(model).ok();
    let columns: Vec<Option<usize>> = table.models.iter().map(column).collect();
    let mut latencies = vec![None; matrix.quality.len()];
    for outcome in &table.outcomes {
        let row = row_of_prompt.get(as_index(outcome.prompt)).copied().flatten();
        let column = columns.get(usize::from(outcome.model)).copied().flatten();
        let cell = row.zip(column).map(|(row, column)| row * matrix.models.len() + column);
        if let Some(slot) = cell.and_then(|cell| latencies.get_mut(cell)) {
            *slot = outcome.latency_ms;
        }
    }
    latencies
}

fn request_record(request: &Request<'_>) -> RequestRecord {
    let messages: Vec<MessageRecord> = request
        .messages
        .iter()
        .map(|message| MessageRecord {
            role: match message.role {
                Role::System => RoleRecord::System,
                Role::User => RoleRecord::User,
                Role::Assistant => RoleRecord::Assistant,
                Role::Tool => RoleRecord::Tool,
            },
            content: message.text.clone().into_owned(),
        })
        .collect();
    let chars = request.messages.iter().map(|message| message.text.chars().count()).sum::<usize>();
    RequestRecord {
        messages: Some(messages),
        chars: u64::try_from(chars).ok(),
        ..RequestRecord::default()
    }
}

fn as_index(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
