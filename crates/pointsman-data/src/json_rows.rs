//! Rows of a Parquet file of any columns, each as the bytes of a JSON object.
//!
//! This is how columns of the caller's naming reach readers that take JSON. Columns are turned as a
//! whole, batch by batch, and a row is written when it is asked for. Lists and structs become arrays
//! and objects, days and times become texts of ISO 8601 in UTC; a value that is missing is left out of
//! its object. The weakness: decimals and numbers of 32 bits become numbers of 64 bits first.

use std::{io::Write as _, path::Path};

use pointsman_core::catalog::Date;
use polars::prelude::*;
use serde_json::Value;

use crate::{
    columns::{Batch, Lists, NumberColumn, TextColumn, only_array},
    error::DataError,
    files::{Format, format_of},
    parquet::{BATCH_ROWS, ParquetFile, Wanted},
};

type WholeArray = <Int64Type as PolarsDataType>::Array;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// What a column may hold, for the refusal of one that holds something else.
const EXPECTED: &str = "texts, numbers, truth values, days, times, lists or structs";

/// The rows of one file, in their order.
pub struct JsonRows {
    file: ParquetFile,
    /// The batches that are left, as `(first row, rows)`.
    batches: std::vec::IntoIter<(usize, usize)>,
    /// Rows of the file that are not wanted.
    n_passed: usize,
    /// The batch that is read.
    columns: JsonColumn,
    /// The next row of the batch, and their number.
    row: usize,
    n_rows: usize,
}

/// The rows of the Parquet file `path` after its first `n_passed` rows, with those of its columns that
/// `columns` name.
///
/// A name with a dot is a column, or a field of the struct that the part before the first dot names.
///
/// # Errors
/// [`DataError`] where the file cannot be read, is not Parquet or is cut off, where it has no column of
/// one of the names, and where a column has a type that JSON does not have. A row is an error where the
/// batch that it is in cannot be read; no row comes after one.
pub fn json_rows(path: &Path, columns: &[String], n_passed: u64) -> Result<JsonRows, DataError> {
    if format_of(path)? != Format::Parquet {
        return Err(DataError::NotParquet { path: path.to_path_buf() });
    }
    let groups: Vec<[&str; 2]> = columns
        .iter()
        .map(|name| [name.as_str(), name.split('.').next().unwrap_or(name)])
        .collect();
    let required: Vec<&[&str]> = groups.iter().map(<[&str; 2]>::as_slice).collect();
    let mut names: Vec<&str> = groups.iter().flatten().copied().collect();
    names.sort_unstable();
    names.dedup();
    let file = ParquetFile::open(path, &Wanted { columns: &names, required: &required })?;
    let n_passed = usize::try_from(n_passed).unwrap_or(usize::MAX);
    let mut batches = file.batches(BATCH_ROWS);
    batches.retain(|(start, n_rows)| n_passed < start + n_rows);
    let mut rows = JsonRows {
        file,
        batches: batches.into_iter(),
        n_passed,
        columns: JsonColumn::Nothing,
        row: 0,
        n_rows: 0,
    };
    // Types are those of the file, so that what is wrong with them is found before any row.
    rows.read_batch()?;
    Ok(rows)
}

impl JsonRows {
    /// How many rows the file has, those that were passed over among them.
    pub fn n_rows(&self) -> u64 {
        u64::try_from(self.file.n_rows()).unwrap_or(u64::MAX)
    }

    /// Reads the next batch; whether there was one.
    fn read_batch(&mut self) -> Result<bool, DataError> {
        let Some((start, n_rows)) = self.batches.next() else { return Ok(false) };
        let frame = self.file.read(start, n_rows)?;
        let n_before = u64::try_from(start).unwrap_or(u64::MAX);
        let batch = Batch { path: self.file.path(), n_before, frame: &frame };
        let mut fields = Vec::new();
        for name in frame.get_column_names() {
            let series = frame.column(name).map_err(|error| batch.damaged(&error))?;
            let series = series.as_materialized_series().rechunk();
            fields.push((key(name), JsonColumn::of(&batch, &series, name)?));
        }
        self.columns = JsonColumn::Object { missing: vec![false; frame.height()], fields };
        self.n_rows = frame.height();
        self.row = self.n_passed.saturating_sub(start).min(self.n_rows);
        Ok(true)
    }
}

impl Iterator for JsonRows {
    type Item = Result<Vec<u8>, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.row == self.n_rows {
            match self.read_batch() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.batches = Vec::new().into_iter();
                    (self.row, self.n_rows) = (0, 0);
                    return Some(Err(error));
                }
            }
        }
        let mut bytes = Vec::new();
        self.columns.write(self.row, &mut bytes);
        self.row += 1;
        Some(Ok(bytes))
    }
}

/// A column, turned into what JSON can say.
enum JsonColumn {
    /// No value at all.
    Nothing,
    /// Whole numbers and truth values, as JSON spells them too.
    Plain(TextColumn),
    Number(NumberColumn),
    Text(TextColumn),
    Moment(Moments),
    List {
        lists: Lists,
        elements: Box<JsonColumn>,
    },
    Object {
        missing: Vec<bool>,
        /// Each after its name in quotes, with the colon.
        fields: Vec<(String, JsonColumn)>,
    },
}

/// Days or times, one per row, each of which may be missing.
struct Moments {
    counts: Option<WholeArray>,
    unit: Unit,
}

/// What is counted since 1970.
#[derive(Clone, Copy)]
enum Unit {
    Days,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl JsonColumn {
    fn of(batch: &Batch<'_>, series: &Series, name: &str) -> Result<Self, DataError> {
        let dtype = series.dtype();
        if dtype.is_null() {
            return Ok(Self::Nothing);
        }
        if dtype.is_integer() || dtype.is_bool() {
            return Ok(Self::Plain(batch.texts_of(series, name)?));
        }
        if dtype.is_float() || dtype.is_decimal() {
            return Ok(Self::Number(batch.numbers_of(series, name)?));
        }
        if let Some(unit) = Unit::of(dtype) {
            let whole = series.to_physical_repr().cast(&DataType::Int64);
            let whole = whole.map_err(|error| batch.damaged(&error))?.rechunk();
            let counts = only_array(whole.i64().map_err(|error| batch.damaged(&error))?);
            return Ok(Self::Moment(Moments { counts, unit }));
        }
        if dtype.is_list() || dtype.is_array() {
            let (lists, elements) = batch.lists_of(series, name)?;
            let elements = Box::new(Self::of(batch, &elements, name)?);
            return Ok(Self::List { lists, elements });
        }
        if dtype.is_struct() {
            let missing = series.is_null().iter().map(|is_null| is_null == Some(true)).collect();
            let structs = series.struct_().map_err(|error| batch.damaged(&error))?;
            let mut fields = Vec::new();
            for field in structs.fields_as_series() {
                let field = field.rechunk();
                fields.push((key(field.name()), Self::of(batch, &field, name)?));
            }
            return Ok(Self::Object { missing, fields });
        }
        if dtype.is_temporal() {
            return Err(batch.wrong_type(name, series, EXPECTED));
        }
        batch.texts_of(series, name).map(Self::Text)
    }

    /// Writes the value of a row; whether there was one.
    fn write(&self, row: usize, out: &mut Vec<u8>) -> bool {
        let value = match self {
            Self::Nothing => None,
            Self::Plain(texts) => texts.get(row).map(|text| out.extend_from_slice(text.as_bytes())),
            // Into memory, which cannot fail.
            Self::Number(numbers) => numbers
                .get(row)
                .filter(|number| number.is_finite())
                .map(|number| drop(write!(out, "{}", Value::from(number)))),
            Self::Text(texts) => {
                texts.get(row).map(|text| drop(serde_json::to_writer(&mut *out, text)))
            }
            Self::Moment(moments) => {
                moments.get(row).map(|text| drop(serde_json::to_writer(&mut *out, &text)))
            }
            Self::List { lists, elements } => lists.entries(row).map(|entries| {
                out.push(b'[');
                for (place, entry) in entries.enumerate() {
                    if 0 < place {
                        out.push(b',');
                    }
                    if !elements.write(entry, out) {
                        out.extend_from_slice(b"null");
                    }
                }
                out.push(b']');
            }),
            Self::Object { missing, fields } => {
                let is_there = missing.get(row) == Some(&false);
                is_there.then(|| write_object(fields, row, out))
            }
        };
        value.is_some()
    }
}

fn write_object(fields: &[(String, JsonColumn)], row: usize, out: &mut Vec<u8>) {
    out.push(b'{');
    let first = out.len();
    for (key, column) in fields {
        let start = out.len();
        if first < start {
            out.push(b',');
        }
        out.extend_from_slice(key.as_bytes());
        if !column.write(row, out) {
            out.truncate(start);
        }
    }
    out.push(b'}');
}

/// A name as a key of an object, with its colon.
fn key(name: &str) -> String {
    format!("{}:", Value::from(name))
}

impl Moments {
    /// The moment of `row`, as ISO 8601; one before 1970 says no more than that.
    fn get(&self, row: usize) -> Option<String> {
        let count = self.counts.as_ref()?.get(row)?;
        let ms = match self.unit {
            Unit::Days => count.saturating_mul(DAY_MS),
            Unit::Milliseconds => count,
            Unit::Microseconds => count.div_euclid(1_000),
            Unit::Nanoseconds => count.div_euclid(1_000_000),
        };
        let Ok(ms) = u64::try_from(ms) else { return Some("before 1970".to_owned()) };
        let date = Date::of_ms(ms);
        let (seconds, part) = (ms / 1_000, ms % 1_000);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        Some(format!("{date}T{hour:02}:{minute:02}:{second:02}.{part:03}Z"))
    }
}

impl Unit {
    /// The unit of a column of days or times; `None` of any other.
    fn of(dtype: &DataType) -> Option<Self> {
        if dtype.is_date() {
            return Some(Self::Days);
        }
        let DataType::Datetime(unit, _) = dtype else { return None };
        Some(match unit {
            TimeUnit::Milliseconds => Self::Milliseconds,
            TimeUnit::Microseconds => Self::Microseconds,
            TimeUnit::Nanoseconds => Self::Nanoseconds,
        })
    }
}

#[cfg(test)]
mod tests;
