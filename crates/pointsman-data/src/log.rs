//! Traffic logs: decisions joined with what came of them, as bandit feedback.
//!
//! Read from NDJSON records, decisions and outcomes in any order and over several files, or from
//! flat Parquet as [`LogWriter`](crate::LogWriter) writes it. Rows from which nothing can be
//! learned are dropped and counted; a propensity or grade that cannot be right ends the run.
//!
//! Weakness: decisions that another model answered are dropped, since their quality is not the
//! drawn model's. Where failovers are frequent, that makes unreliable models look better.

mod answered;
mod asked;
mod build;
mod candidates;
mod cell;
mod chain;
mod flat;
mod in_use;
mod lists;
mod outcomes;
mod records;
#[cfg(test)]
mod tests;
mod trajectories;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use pointsman_core::features::FeatureSchema;
use pointsman_log::record::PropensityKind;

pub use self::{
    asked::Asked,
    in_use::ModelsInUse,
    trajectories::{LoggedStep, TrajectoryLog, read_trajectories},
};

use self::{build::LogBuilder, cell::Decisions};
use crate::{
    error::DataError,
    files::{Format, sources},
};

/// How a traffic log is to be understood.
#[derive(Debug, Clone, PartialEq)]
pub struct LogOptions {
    /// The metric that is the grade of an answer: its name in records, its column in Parquet.
    pub quality_metric: String,
    /// The worst and the best grade; values are mapped linearly from here to `[0, 1]`.
    pub quality_range: (f64, f64),
    /// What becomes of decisions that were not drawn.
    pub undrawn: Undrawn,
    /// What becomes of decisions whose propensity nobody knows.
    pub unknown: Unknown,
    /// What becomes of decisions after an answer.
    pub steps: Steps,
    /// Tags that are kept beside `task`, by their names.
    pub tags: Vec<String>,
    /// The tag whose values have candidates of their own, where decisions of unknown propensity
    /// name only the model that was drawn, or `tenant`; `None` for the log as one.
    pub candidates_by: Option<String>,
    /// Features of this schema, or of one that differs in having more buckets, stand in for a text
    /// that was not kept; `None` where only a text will do. Requests with features of another schema
    /// alone are dropped and counted.
    pub features: Option<FeatureSchema>,
}

impl LogOptions {
    /// What logs of gateways call the models that are drawn from for one request.
    pub const CANDIDATES_BY: &'static str = "model_group";
}

impl Default for LogOptions {
    fn default() -> Self {
        let undrawn = Undrawn::Drop;
        let quality_metric = "quality".to_owned();
        let (unknown, steps, tags) = (Unknown::Drop, Steps::First, Vec::new());
        let candidates_by = Some(Self::CANDIDATES_BY.to_owned());
        let (quality_range, features) = ((0.0, 1.0), None);
        Self {
            quality_metric,
            quality_range,
            undrawn,
            unknown,
            steps,
            tags,
            candidates_by,
            features,
        }
    }
}

/// What becomes of decisions after an answer, the later steps of a cascade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// Dropped and counted: they were drawn knowing an answer, so a policy that decides by the
    /// request alone cannot be valued on them.
    First,
    /// Kept beside the first decisions, for who tells them apart by their ids.
    All,
}

/// What becomes of decisions whose propensity is deterministic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undrawn {
    /// Dropped and counted: nothing can be learned from them.
    Drop,
    /// Kept, as decisions that the logger could not have made otherwise: with the propensity 1,
    /// whatever the record says. They tell of a policy that would have chosen the same.
    Keep,
}

/// What becomes of decisions whose propensity is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// Dropped and counted.
    Drop,
    /// Kept, with the same probability for every candidate that was not excluded, which holds the
    /// place of an estimate and is none. The kind stays unknown until there is one.
    ///
    /// A decision that names only the model that was drawn has as candidates the models that were in
    /// use then: each from its first to its last such decision, among those with the same value of
    /// [`LogOptions::candidates_by`], and on to an end of the log that is no more decisions away than
    /// the model had been absent for in between. Where that is one model alone, the decision counts
    /// as deterministic.
    Keep,
}

/// Bandit feedback without the texts.
#[derive(Debug, Clone, PartialEq)]
pub struct TrafficLog {
    /// The names of all candidates of all decisions, sorted.
    pub models: Vec<String>,
    /// The usable decisions, in the order of the files.
    pub rows: Vec<LoggedRow>,
    /// The logger's distribution; row-major, shape `(n_rows, n_models)`. Zero where a model was
    /// not eligible.
    pub probabilities: Vec<f32>,
    /// Decisions left out, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Decisions in the files.
    pub n_decisions_read: u64,
    /// When the first and the last of them were made, in milliseconds since 1970 UTC; `None` where
    /// none says.
    pub times_ms: Option<(u64, u64)>,
    /// Decisions left out because nothing is known of what came of them.
    pub n_without_outcome: u64,
    /// Lines of journals that were not as they had been written, and were passed over.
    pub n_damaged_lines: u64,
    /// Segments of journals that are missing between two that are there.
    pub n_missing_segments: u64,
    /// What is known of decisions that name only the model that was drawn.
    pub in_use: ModelsInUse,
    /// Usable decisions that were kept with a probability below one (`keep_prob`), and count as one
    /// row all the same.
    pub n_thinned: u64,
    /// SHA-256 over the content of the used rows in their order, as 64 hexadecimal digits. Texts,
    /// and features in their place, enter it by a 64-bit hash.
    pub digest: String,
}

impl TrafficLog {
    /// The reason for which later steps are dropped where [`Steps::First`] are read.
    pub const LATER_STEP: &'static str = "a later step of a cascade";

    /// The reason for which decisions without a draw are dropped where [`Undrawn::Drop`] is asked for.
    pub const UNDRAWN: &'static str = "the propensity is deterministic";

    /// Leaves out rows, which are counted as dropped for `reason`; the places of those that stay, in
    /// their order. The digest stays that of all of them.
    pub fn keep(&mut self, reason: &str, is_kept: impl Fn(&LoggedRow) -> bool) -> Vec<usize> {
        let kept: Vec<usize> = self
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| is_kept(row))
            .map(|(at, _)| at)
            .collect();
        let n_dropped = self.rows.len() - kept.len();
        if 0 < n_dropped {
            *self.dropped.entry(reason.to_owned()).or_default() += n_dropped as u64;
            let n_models = self.models.len().max(1);
            let chances = self.rows.iter().zip(self.probabilities.chunks(n_models));
            let chances = chances.filter(|(row, _)| is_kept(row));
            self.probabilities = chances.flat_map(|(_, chances)| chances).copied().collect();
            self.rows.retain(|row| is_kept(row));
        }
        kept
    }
}

/// One decision and its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedRow {
    /// The decision's id.
    pub id: String,
    /// When it was made, in milliseconds since 1970 UTC; zero where the log does not say.
    pub ts_ms: u64,
    /// Equal for rows that must not be split: a hash of the session id where there is one, else
    /// of the text as [`prompt_group`](crate::prompt_group) folds it, else of the terms in place of
    /// the text.
    pub group: u64,
    /// The tag `task`.
    pub task: Option<String>,
    /// On whose behalf.
    pub tenant: Option<String>,
    /// The values of [`LogOptions::tags`], in their order.
    pub tags: Vec<Option<String>>,
    /// The drawn model, as an index into [`TrafficLog::models`].
    pub taken: u16,
    /// The probability with which it had been drawn, in `(0, 1]`.
    pub propensity: f64,
    /// How far the propensity can be trusted.
    pub propensity_kind: PropensityKind,
    /// Whether the drawn model is the one that answered; always so at present.
    pub was_served: bool,
    /// Answers that were asked for: one, but of a trajectory that called more than one model.
    pub n_answers: u32,
    /// In `[0, 1]`; zero of a failed answer.
    pub quality: f64,
    /// What the answer cost, in dollars.
    pub cost_usd: Option<f64>,
    /// Tokens of the prompt: as billed, else as counted at the decision.
    pub input_tokens: Option<u32>,
    /// Tokens of the answer, as billed.
    pub output_tokens: Option<u32>,
    /// Time to the whole answer.
    pub latency_ms: Option<f64>,
}

impl LoggedRow {
    /// Whether the logger could have chosen otherwise, as far as it says.
    pub fn is_drawn(&self) -> bool {
        self.propensity_kind != PropensityKind::Deterministic
    }
}

/// Reads traffic logs from files, patterns or journals and joins outcomes to decisions.
///
/// `on_request` is called once per usable decision, with its index into [`TrafficLog::rows`] and
/// its text, or the features in its place, which are let go afterwards.
///
/// # Errors
/// [`DataError`] where a file cannot be read or lacks a column, where a propensity, grade, cost or
/// feature cannot be right, where a decision contradicts itself, and where nothing can be used.
pub fn read_log(
    paths: &[PathBuf],
    options: &LogOptions,
    on_request: &mut dyn FnMut(usize, Asked<'_, '_>),
) -> Result<TrafficLog, DataError> {
    let mut builder = LogBuilder::new(options, on_request)?;
    read_sources(paths, options, &mut builder)?;
    builder.finish(paths.first().map_or(Path::new(""), PathBuf::as_path))
}

/// Reads files, patterns or journals, and joins outcomes to decisions.
fn read_sources(
    paths: &[PathBuf],
    options: &LogOptions,
    builder: &mut dyn Decisions,
) -> Result<(), DataError> {
    let sources = sources(paths)?;
    let are_records = |format| matches!(format, Format::Ndjson | Format::Journal);
    let records = sources.iter().filter(|source| are_records(source.format));
    let outcomes = records::index_outcomes(records, &options.quality_metric)?;
    for source in &sources {
        match source.format {
            Format::Ndjson | Format::Journal => records::read(source, &outcomes, builder)?,
            Format::Parquet => flat::read(&source.path, &options.quality_metric, builder)?,
            Format::Csv => return Err(DataError::CsvLog { path: source.path.clone() }),
        }
    }
    Ok(())
}
