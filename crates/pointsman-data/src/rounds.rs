//! Logged bandit rounds of any origin: Parquet columns of the caller's naming.
//!
//! A row has the action that was taken, its propensity and its reward, and lists with one number
//! for each action: a policy's distribution, predictions. Whether the numbers make sense is for
//! the evaluator to say; here they have to be numbers, and lists have to have the same length in
//! every row. Rows are handed over in batches and let go.

use std::{error::Error, path::PathBuf};

use crate::{
    columns::{Batch, NumberColumn},
    error::DataError,
    files::{Format, sources},
    parquet::{Wanted, read_parquet_by},
};

/// Rows that one batch may hold; they are numbers alone, and bytes are limited besides.
const BATCH_ROWS: usize = 1 << 18;

/// Why whoever took a batch refuses it.
pub type Refusal = Box<dyn Error + Send + Sync>;

/// What the columns are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundNames {
    /// The taken action, a whole number from 0.
    pub action: String,
    /// The logger's probability of the taken action.
    pub propensity: String,
    /// What the taken action earned.
    pub reward: String,
    /// The target policy: its probability of every action, or of the taken one.
    pub policy: String,
    /// Predicted reward of every action.
    pub predictions: Option<String>,
    /// Predicted reward of every action, fitted for MRDR.
    pub mrdr_predictions: Option<String>,
    /// Estimated weights for balanced IPS.
    pub imitation_weight: Option<String>,
    /// The logger's probability of every action.
    pub logging: Option<String>,
}

/// What a file says of the target policy.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetNumbers {
    /// Its probability of the taken action.
    OfTaken(Vec<f64>),
    /// Its probability of every action, row-major.
    Whole(Vec<f64>),
}

/// Some rows of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundsBatch {
    /// The first row's number in its file, from 1.
    pub first_row: usize,
    /// The numbers that each list has; 0 where there is no column of lists.
    pub n_actions: usize,
    /// The taken actions.
    pub action: Vec<u32>,
    /// The logger's probabilities of the taken actions.
    pub propensity: Vec<f64>,
    /// What the taken actions earned.
    pub reward: Vec<f64>,
    /// The target policy.
    pub target: TargetNumbers,
    /// Predicted rewards, row-major.
    pub predictions: Option<Vec<f64>>,
    /// Predicted rewards for MRDR, row-major.
    pub mrdr_predictions: Option<Vec<f64>>,
    /// Estimated weights for balanced IPS.
    pub imitation_weight: Option<Vec<f64>>,
    /// The logger's distributions, row-major.
    pub logging: Option<Vec<f64>>,
}

/// Hands the rounds of some Parquet files to `on_batch`, in order.
///
/// # Errors
/// [`DataError`] for a file that cannot be read, a column that is missing or of another type, a
/// cell that is empty, lists of different lengths, and, as [`DataError::Refused`], whatever
/// `on_batch` returns.
pub fn read_rounds(
    paths: &[PathBuf],
    names: &RoundNames,
    on_batch: &mut dyn FnMut(&RoundsBatch) -> Result<(), Refusal>,
) -> Result<(), DataError> {
    let optional =
        [&names.predictions, &names.mrdr_predictions, &names.imitation_weight, &names.logging];
    let needed = [&names.action, &names.propensity, &names.reward, &names.policy];
    let all = needed.into_iter().chain(optional.into_iter().flatten());
    let mut columns: Vec<&str> = all.map(String::as_str).collect();
    // One column may serve twice, and is read once.
    columns.sort_unstable();
    columns.dedup();
    let required: Vec<&[&str]> = columns.iter().map(std::slice::from_ref).collect();
    let wanted = Wanted { columns: &columns, required: &required };
    let mut n_actions = None;
    for source in sources(paths)? {
        if source.format != Format::Parquet {
            return Err(DataError::NotParquet { path: source.path });
        }
        let mut n_rows = 0;
        read_parquet_by(&source.path, &wanted, BATCH_ROWS, &mut |batch| {
            let rounds = Reader { batch, n_actions: &mut n_actions }.rounds(names)?;
            n_rows += rounds.action.len();
            on_batch(&rounds).map_err(|reason| DataError::Refused {
                path: batch.path.to_path_buf(),
                source: reason,
            })
        })?;
        if n_rows == 0 {
            return Err(DataError::Empty { path: source.path });
        }
    }
    Ok(())
}

struct Reader<'r, 'b> {
    batch: &'r Batch<'b>,
    /// The length of the first list of all.
    n_actions: &'r mut Option<usize>,
}

impl Reader<'_, '_> {
    fn rounds(&mut self, names: &RoundNames) -> Result<RoundsBatch, DataError> {
        let target = match self.wide(&names.policy)? {
            Some(whole) => TargetNumbers::Whole(whole),
            None => TargetNumbers::OfTaken(self.narrow(&names.policy)?),
        };
        let predictions = self.lists(names.predictions.as_deref())?;
        let mrdr_predictions = self.lists(names.mrdr_predictions.as_deref())?;
        let logging = self.lists(names.logging.as_deref())?;
        let weights = names.imitation_weight.as_deref();
        Ok(RoundsBatch {
            first_row: usize::try_from(self.batch.row(0)).unwrap_or(usize::MAX),
            n_actions: self.n_actions.unwrap_or(0),
            action: self.actions(&names.action)?,
            propensity: self.narrow(&names.propensity)?,
            reward: self.narrow(&names.reward)?,
            target,
            predictions,
            mrdr_predictions,
            imitation_weight: weights.map(|name| self.narrow(name)).transpose()?,
            logging,
        })
    }

    /// One number a row.
    fn narrow(&self, name: &str) -> Result<Vec<f64>, DataError> {
        if self.batch.any_number_lists(name)?.is_some() {
            return Err(DataError::WrongType {
                path: self.batch.path.to_path_buf(),
                column: name.to_owned(),
                found: "list".to_owned(),
                expected: "one number a row",
            });
        }
        let numbers = self.batch.numbers(name)?;
        if let Some(dense) = numbers.dense() {
            return Ok(dense.to_vec());
        }
        let n_rows = self.batch.frame.height();
        (0..n_rows).map(|row| numbers.get(row).ok_or_else(|| self.empty(name, row))).collect()
    }

    fn actions(&self, name: &str) -> Result<Vec<u32>, DataError> {
        let whole = |(row, number): (usize, f64)| {
            if number.fract() != 0.0 || !(0.0..=f64::from(u32::MAX)).contains(&number) {
                return Err(self.bad(name, row, number.to_string(), "a whole number from 0 up"));
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked on the lines above"
            )]
            Ok(number as u32)
        };
        self.narrow(name)?.into_iter().enumerate().map(whole).collect()
    }

    fn lists(&mut self, name: Option<&str>) -> Result<Option<Vec<f64>>, DataError> {
        let Some(name) = name else { return Ok(None) };
        match self.wide(name)? {
            Some(numbers) => Ok(Some(numbers)),
            None => Err(DataError::WrongType {
                path: self.batch.path.to_path_buf(),
                column: name.to_owned(),
                found: "one value a row".to_owned(),
                expected: "a list with a number for each action",
            }),
        }
    }

    /// The lists of a column behind one another; `None` where it holds none.
    fn wide(&mut self, name: &str) -> Result<Option<Vec<f64>>, DataError> {
        let Some((lists, numbers)) = self.batch.any_number_lists(name)? else { return Ok(None) };
        let n_rows = self.batch.frame.height();
        let mut flat = Vec::new();
        for row in 0..n_rows {
            let entries = lists.entries(row).ok_or_else(|| self.empty(name, row))?;
            let expected = *self.n_actions.get_or_insert(entries.len());
            if entries.len() != expected {
                return Err(DataError::Ragged {
                    path: self.batch.path.to_path_buf(),
                    column: name.to_owned(),
                    row: self.batch.row(row),
                    found: entries.len(),
                    expected,
                });
            }
            if row == 0 {
                flat.reserve_exact(n_rows * expected);
            }
            push_entries(&mut flat, &numbers, entries).ok_or_else(|| self.empty(name, row))?;
        }
        Ok(Some(flat))
    }

    fn empty(&self, name: &str, row: usize) -> DataError {
        self.bad(name, row, "nothing".to_owned(), "there in every row")
    }

    fn bad(&self, name: &str, row: usize, value: String, expected: &'static str) -> DataError {
        DataError::BadValue {
            path: self.batch.path.to_path_buf(),
            column: name.to_owned(),
            row: self.batch.row(row),
            value,
            expected,
        }
    }
}

/// Copies a row's numbers; `None` where one is missing.
fn push_entries(
    flat: &mut Vec<f64>,
    numbers: &NumberColumn,
    entries: std::ops::Range<usize>,
) -> Option<()> {
    if let Some(dense) = numbers.dense() {
        flat.extend_from_slice(dense.get(entries)?);
        return Some(());
    }
    for entry in entries {
        flat.push(numbers.get(entry)?);
    }
    Some(())
}
