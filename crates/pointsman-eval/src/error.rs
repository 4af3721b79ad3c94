//! Everything that leaves an evaluation without a value, one enum per family of operations.
//!
//! Poor overlap and dropped rows are not here: they are [`crate::diagnostics::Warning`]s beside
//! a value. Rows and columns in messages count from 0.

use crate::estimators::Estimator;

/// A setting that cannot work.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SettingError {
    /// Not a share of intervals.
    #[error("confidence level {found} is not strictly between 0 and 1; 0.95 is usual")]
    Level { found: f64 },
    /// Not a weight.
    #[error("weight clip {found} is not a finite number above 0; leave it out for no clip")]
    Clip { found: f64 },
    /// Not a threshold.
    #[error("a threshold of {found} is not a number from 0 up; inf is none")]
    Threshold { found: f64 },
    /// Not a share of the way.
    #[error("a bend of {found} is not in [0, 1]; 0 leaves weights as they are")]
    Bend { found: f64 },
    /// A name without an estimator.
    #[error("`{found}` is no estimator; there are {}", Estimator::NAMES.join(", "))]
    Name { found: String },
}

/// Columns that are not logged rounds, with the row that shows it.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RoundsError {
    /// Columns of different lengths.
    #[error(
        "column {column} has {found} rows and column propensity has {expected}; join them by \
         decision first"
    )]
    Length { column: &'static str, found: usize, expected: usize },
    /// The logger cannot have drawn with this probability.
    #[error(
        "row {row}: propensity {found} is not in (0, 1]; drop the row and count why, never \
         replace the number"
    )]
    Propensity { row: usize, found: f64 },
    /// A share that is none.
    #[error("row {row}: {column} {found} is not in [0, 1]; check the target policy's distribution")]
    Share { row: usize, column: &'static str, found: f64 },
    /// A number that is none.
    #[error("row {row}: {column} {found} is not a finite number; drop the row and count why")]
    NotFinite { row: usize, column: &'static str, found: f64 },
    /// More than the whole distribution.
    #[error(
        "row {row}: target {target} and unsupported mass {unsupported} add up to more than 1; \
         the taken model is supported, so its share is not part of that mass"
    )]
    TooMuchMass { row: usize, target: f64, unsupported: f64 },
    /// Odds that are none.
    #[error("row {row}: estimated weight {found} is not a finite number from 0 up; fit it again")]
    Odds { row: usize, found: f64 },
    /// A model that is not among those of the distributions.
    #[error("row {row}: action {found} is not one of {n_actions}, counted from 0")]
    Action { row: usize, found: u32, n_actions: usize },
    /// A distribution that is none.
    #[error(
        "row {row}: {column} adds up to {found} and a distribution has to add up to 1; normalise it"
    )]
    Total { row: usize, column: &'static str, found: f64 },
    /// The division overflows.
    #[error(
        "row {row}: the weight {target} / {propensity} is too large for a number; drop the row \
         and count why"
    )]
    Weight { row: usize, target: f64, propensity: f64 },
}

impl RoundsError {
    /// The same error about rows that are counted from another one than 0.
    pub(crate) fn moved_by(mut self, first_row: usize) -> Self {
        match &mut self {
            Self::Length { column: _, found: _, expected: _ } => {}
            Self::Propensity { row, found: _ }
            | Self::Share { row, column: _, found: _ }
            | Self::NotFinite { row, column: _, found: _ }
            | Self::TooMuchMass { row, target: _, unsupported: _ }
            | Self::Odds { row, found: _ }
            | Self::Action { row, found: _, n_actions: _ }
            | Self::Total { row, column: _, found: _ }
            | Self::Weight { row, target: _, propensity: _ } => *row += first_row,
        }
        self
    }
}

/// Why a log cannot answer the question.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum EstimateError {
    /// There is nothing to average.
    #[error("the log has no graded row; widen the date range or the join window")]
    NoRows,
    /// A value without an interval is not reported.
    #[error(
        "the log has 1 graded row and an interval needs 2; widen the date range or the join window"
    )]
    OneRow,
    /// The log says nothing about the target policy.
    #[error(
        "none of the {n_rows} rows took a model the target policy would take; log with \
         exploration first"
    )]
    NoOverlap { n_rows: usize },
    /// The self-normalised value is that row's reward, and nothing tells how far off it is.
    #[error(
        "1 of {n_rows} rows took a model the target policy would take and an interval needs 2; \
         log with exploration first"
    )]
    OneOverlappingRow { n_rows: usize },
    /// The estimator needs a reward model.
    #[error(
        "{estimator} needs predicted rewards and the rounds have none; give predictions with the \
         policy's whole distribution, or use SNIPS"
    )]
    NoPredictions { estimator: Estimator },
    /// The target never takes one model for sure where the log took it.
    #[error(
        "the target policy is sure of what was taken in none of the {n_rows} rows; replay is for \
         policies that take one model for sure"
    )]
    NoReplay { n_rows: usize },
    /// MRDR has predictions of its own.
    #[error("MRDR needs predictions that were fitted for it and the rounds have none; use DR")]
    NoMrdrPredictions,
    /// Balanced IPS has weights of its own.
    #[error("balanced IPS needs estimated weights and the rounds have none; use SNIPS")]
    NoImitationWeights,
    /// A value that is no mean of values per row.
    #[error("{estimator} has a value and no normal interval; read another estimator's")]
    NoInterval { estimator: Estimator },
    /// Nothing to choose by.
    #[error("{estimator} has no rule that chooses its λ; give values instead")]
    NoTuning { estimator: Estimator },
    /// The arithmetic left the range of numbers.
    #[error(
        "{estimator} is not a finite number: weights or rewards are too large; set a weight \
         clip or rescale the rewards"
    )]
    NotFinite { estimator: Estimator },
    /// Parts of two different questions.
    #[error(
        "cannot merge sums of {left} with sums of {right}; use one estimator for all partitions"
    )]
    DifferentEstimators { left: Estimator, right: Estimator },
}

/// Why a column of values has no mean with an interval.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ValuesError {
    /// Too few to know their spread.
    #[error(
        "{n_rows} prompts are too few: an interval needs 2; check the filters of the outcome table"
    )]
    TooFew { n_rows: usize },
    /// Pairs with one half missing.
    #[error(
        "{left} and {right} values cannot be paired; give both policies' values on the same \
         prompts in the same order"
    )]
    Length { left: usize, right: usize },
    /// A number that is none.
    #[error(
        "prompt {row}: value {found} is not a finite number; leave the prompt out for every policy"
    )]
    NotFinite { row: usize, found: f64 },
    /// The arithmetic left the range of numbers.
    #[error("the mean of the values is too large for a number; rescale them")]
    Overflow,
}

/// Numbers that are not an outcome matrix, or do not fit together.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum MatrixError {
    /// Nothing to choose from.
    #[error("the matrix has {n_rows} prompts and {n_models} models; it needs at least one of each")]
    Empty { n_rows: usize, n_models: usize },
    /// Not a rectangle.
    #[error("{found} numbers do not fill {n_rows} prompts by {n_models} models")]
    Length { found: usize, n_rows: usize, n_models: usize },
    /// A number that is none.
    #[error(
        "prompt {row}, model {column}: {found} is not a finite number; leave out prompts that a \
         model did not answer"
    )]
    NotFinite { row: usize, column: usize, found: f64 },
    /// Two matrices about different things.
    #[error(
        "a matrix of {left:?} (prompts, models) does not go with one of {right:?}; use the same \
         prompts and models in the same order"
    )]
    Shape { left: (usize, usize), right: (usize, usize) },
    /// A policy for other prompts.
    #[error("the policy has {found} rows and the matrix has {expected} prompts")]
    Rows { found: usize, expected: usize },
    /// A model that is not in the matrix.
    #[error(
        "prompt {row}: model {found} was picked and there are {n_models} models, counted from 0"
    )]
    Pick { row: usize, found: usize, n_models: usize },
    /// Costs on one side only.
    #[error("only one of the two sides has costs; give costs to both, or to neither")]
    CostOnOneSide,
}

/// Why a router between two models has no figures.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PairError {
    /// Columns that are not about the same prompts.
    #[error(
        "columns of {lengths:?} rows are not about the same prompts; give one of each a prompt"
    )]
    Length { lengths: (usize, usize, usize) },
    /// A number that is none.
    #[error("{found} is not a finite number; leave out prompts that a model did not answer")]
    NotFinite { found: f64 },
    /// Nothing to recover.
    #[error("the strong model is not better than the weak one (by {gap}); turn the two round")]
    NoGap { gap: f64 },
}

/// Why pairs of predictions and outcomes have no score.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum CalibrationError {
    /// Nothing to average.
    #[error("there is no pair of prediction and outcome to score")]
    NoPairs,
    /// Pairs with one half missing.
    #[error("{n_predictions} predictions and {n_outcomes} outcomes cannot be paired")]
    Length { n_predictions: usize, n_outcomes: usize },
    /// A number that is none.
    #[error("pair {pair}: prediction {found} is not a finite number")]
    Prediction { pair: usize, found: f64 },
    /// Quality is a share.
    #[error("pair {pair}: outcome {found} is not in [0, 1]; rescale the grades to quality first")]
    Outcome { pair: usize, found: f64 },
}

/// Why there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum JudgeError {
    /// The policy is not about this matrix.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// The comparison has no interval.
    #[error(transparent)]
    Values(#[from] ValuesError),
}
