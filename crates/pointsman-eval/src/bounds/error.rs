//! What is refused before a bound is computed.

/// Columns or statements that a bound cannot rest on. Rows count from 0.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum BoundError {
    /// Not a range.
    #[error("the range from {lower} to {upper} is empty or not finite; state what one row can be")]
    Range { lower: f64, upper: f64 },
    /// Columns of different lengths.
    #[error(
        "column {column} has {found} rows and column weights has {expected}; join them by \
         decision first"
    )]
    Length { column: &'static str, found: usize, expected: usize },
    /// A weight that is none.
    #[error(
        "row {row}: weight {found} is not a finite number from 0 up; drop the row and count why"
    )]
    Weight { row: usize, found: f64 },
    /// The stated range is wrong, so nothing that rests on it holds.
    #[error(
        "row {row}: {column} {found} is outside the stated range from {lower} to {upper}; state \
         the range of what can happen, not of what did"
    )]
    Outside { row: usize, column: &'static str, found: f64, lower: f64, upper: f64 },
    /// The stated largest weight is wrong.
    #[error(
        "row {row}: weight {found} is above the stated largest weight {stated}; state one over \
         the logger's smallest probability, not the largest weight seen"
    )]
    Heavy { row: usize, found: f64, stated: f64 },
    /// Not a largest weight.
    #[error(
        "largest weight {found} is not a finite number from 1 up; state one over the logger's smallest probability"
    )]
    LargestWeight { found: f64 },
    /// Not a share.
    #[error(
        "unsupported share {found} is not in [0, 1]; give the target's mean mass on models the logger could not take"
    )]
    Unsupported { found: f64 },
    /// Nothing to bound with.
    #[error(
        "{n_rows} rows are too few: a bound needs {needed}; widen the date range or the join window"
    )]
    TooFew { n_rows: usize, needed: usize },
    /// The method needs a statement that is missing.
    #[error("{method} needs {statement}; state it, or use the betting mixture, which needs none")]
    NotStated { method: &'static str, statement: &'static str },
    /// A growing log was told something else on the way.
    #[error(
        "this batch has another range, support, rival or kind of predictions than the first; start a new sequence"
    )]
    Changed,
    /// The method does not do differences.
    #[error("{method} bounds one policy's value, not a difference; use the betting mixture")]
    Difference { method: &'static str },
    /// Both ends cannot be true.
    #[error(
        "the lower bound {lower} is above the upper bound {upper}: the propensities or the stated \
         range cannot be right; check how the log was written"
    )]
    Contradiction { lower: f64, upper: f64 },
    /// No spread to speak of, or numbers that overflow.
    #[error("{method} finds no finite bounds for these rows; use the betting mixture")]
    NoBounds { method: &'static str },
}
