//! Columns of whatever type the wild has, turned into texts and floats once per batch.
//!
//! Polars is compiled without optimisation, so that nothing here asks it for single values: each
//! column is cast as a whole and then read as a plain array.

use std::{borrow::Cow, ops::Range, path::Path};

use pointsman_core::request::Message;
use polars::prelude::*;

use crate::{
    error::DataError,
    text::{ROLES, messages_from_json, role_named},
};

type TextArray = <StringType as PolarsDataType>::Array;
type FloatArray = <Float64Type as PolarsDataType>::Array;

/// Texts, one per row, each of which may be missing.
pub(crate) struct TextColumn(Option<TextArray>);

/// Numbers, one per row, each of which may be missing.
pub(crate) struct NumberColumn(Option<FloatArray>);

/// Where each row's list begins; the last entry is where the last list ends.
pub(crate) struct Lists {
    offsets: Vec<usize>,
    missing: Vec<bool>,
}

/// Conversations, one per row, each of which may be missing.
pub(crate) enum MessagesColumn {
    /// A JSON array of `{role, content}` per row.
    Json(TextColumn),
    /// A list of structs per row.
    Lists {
        /// Which entries belong to which row.
        lists: Lists,
        /// Who speaks, one per entry.
        roles: TextColumn,
        /// What is said, one per entry.
        contents: TextColumn,
    },
}

impl TextColumn {
    /// The text of `row`, counted within the batch.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        self.0.as_ref().and_then(|array| array.get(row))
    }

    /// Whether two spans of rows are surely equal: none is missing, and each has the same few letters
    /// as the other, or stands at the same place in memory.
    pub(crate) fn are_same(&self, one: Range<usize>, other: Range<usize>) -> bool {
        let Some(array) = self.0.as_ref().filter(|array| is_full(*array)) else {
            return false;
        };
        let views = |span| array.views().get(span);
        let (Some(one), Some(other)) = (views(one), views(other)) else { return false };
        let mut pairs = one.iter().zip(other);
        one.len() == other.len() && pairs.all(|(one, other)| one.as_u128() == other.as_u128())
    }
}

impl NumberColumn {
    /// The number of `row`, counted within the batch.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<f64> {
        self.0.as_ref().and_then(|array| array.get(row))
    }

    /// All numbers, where none is missing.
    pub(crate) fn dense(&self) -> Option<&[f64]> {
        let array = self.0.as_ref()?;
        is_full(array).then(|| array.values().as_slice())
    }
}

impl Lists {
    /// The entries of `row`, counted within the batch; `None` where there is no list.
    #[inline]
    pub(crate) fn entries(&self, row: usize) -> Option<Range<usize>> {
        if *self.missing.get(row)? {
            return None;
        }
        Some(*self.offsets.get(row)?..*self.offsets.get(row + 1)?)
    }
}

impl MessagesColumn {
    /// Whether `row` has messages, right or wrong.
    pub(crate) fn has(&self, row: usize) -> bool {
        match self {
            Self::Json(texts) => texts.get(row).is_some(),
            Self::Lists { lists, roles: _, contents: _ } => lists.entries(row).is_some(),
        }
    }

    /// The messages of `row`; `None` where they are missing or no messages.
    pub(crate) fn get(&self, row: usize) -> Option<Vec<Message<'_>>> {
        match self {
            Self::Json(texts) => messages_from_json(texts.get(row)?),
            Self::Lists { lists, roles, contents } => lists
                .entries(row)?
                .map(|entry| {
                    let text = Cow::Borrowed(contents.get(entry).unwrap_or_default());
                    Some(Message { role: role_named(roles.get(entry)?)?, text })
                })
                .collect(),
        }
    }
}

/// A batch of rows of one file, for errors that name the row.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    /// The file.
    pub(crate) path: &'a Path,
    /// Rows of the file before this batch.
    pub(crate) n_before: u64,
    /// The rows.
    pub(crate) frame: &'a DataFrame,
}

impl Batch<'_> {
    /// The row in the file, from 1.
    pub(crate) fn row(&self, index: usize) -> u64 {
        self.n_before + u64::try_from(index).unwrap_or(u64::MAX) + 1
    }

    /// Whether there is such a column.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.frame.column(name).is_ok()
    }

    /// The texts of a column; all missing where there is no such column.
    pub(crate) fn texts(&self, name: &str) -> Result<TextColumn, DataError> {
        match self.series(name) {
            Some(series) => self.texts_of(&series, name),
            None => Ok(TextColumn(None)),
        }
    }

    /// The numbers of a column; all missing where there is no such column.
    pub(crate) fn numbers(&self, name: &str) -> Result<NumberColumn, DataError> {
        match self.series(name) {
            Some(series) => self.numbers_of(&series, name),
            None => Ok(NumberColumn(None)),
        }
    }

    /// The conversations of a column; all missing where there is no such column.
    pub(crate) fn messages(&self, name: &str) -> Result<MessagesColumn, DataError> {
        let Some(series) = self.series(name) else {
            return Ok(MessagesColumn::Json(TextColumn(None)));
        };
        if !series.dtype().is_list() {
            return Ok(MessagesColumn::Json(self.texts_of(&series, name)?));
        }
        let (lists, inner) = self.lists_of(&series, name)?;
        if inner.dtype().is_null() {
            let (roles, contents) = (TextColumn(None), TextColumn(None));
            return Ok(MessagesColumn::Lists { lists, roles, contents });
        }
        let wrong = |_| self.wrong_type(name, &series, ROLES);
        let structs = inner.struct_().map_err(wrong)?;
        let roles = self.texts_of(&structs.field_by_name("role").map_err(wrong)?, name)?;
        let contents = self.texts_of(&structs.field_by_name("content").map_err(wrong)?, name)?;
        Ok(MessagesColumn::Lists { lists, roles, contents })
    }

    /// The lists of numbers of a column; `None` where it holds no lists.
    pub(crate) fn any_number_lists(
        &self,
        name: &str,
    ) -> Result<Option<(Lists, NumberColumn)>, DataError> {
        let holds_lists = |series: &Series| series.dtype().is_list() || series.dtype().is_array();
        if self.series(name).as_ref().is_some_and(holds_lists) {
            return self.number_lists(name).map(Some);
        }
        Ok(None)
    }

    /// The lists of texts of a column.
    pub(crate) fn text_lists(&self, name: &str) -> Result<(Lists, TextColumn), DataError> {
        let (lists, inner) = self.inner_of(name)?;
        Ok((lists, self.texts_of(&inner, name)?))
    }

    /// The lists of numbers of a column.
    pub(crate) fn number_lists(&self, name: &str) -> Result<(Lists, NumberColumn), DataError> {
        let (lists, inner) = self.inner_of(name)?;
        Ok((lists, self.numbers_of(&inner, name)?))
    }

    fn inner_of(&self, name: &str) -> Result<(Lists, Series), DataError> {
        match self.series(name) {
            Some(series) => self.lists_of(&series, name),
            None => Ok((Lists { offsets: Vec::new(), missing: Vec::new() }, Series::default())),
        }
    }

    fn series(&self, name: &str) -> Option<Series> {
        Some(self.frame.column(name).ok()?.as_materialized_series().rechunk())
    }

    /// The texts of a column that stands alone in its chunk; `name` is for the refusal.
    pub(crate) fn texts_of(&self, series: &Series, name: &str) -> Result<TextColumn, DataError> {
        let dtype = series.dtype();
        if dtype.is_null() {
            return Ok(TextColumn(None));
        }
        if dtype.is_string() {
            return Ok(TextColumn(only_array(series.str().map_err(|e| self.damaged(&e))?)));
        }
        let can_be_text = dtype.is_categorical()
            || dtype.is_enum()
            || dtype.is_integer()
            || dtype.is_bool()
            || dtype.is_binary();
        if !can_be_text {
            return Err(self.wrong_type(name, series, "text"));
        }
        let cast = series
            .strict_cast(&DataType::String)
            .map_err(|_| DataError::NotUtf8 { path: self.path.to_path_buf(), row: self.row(0) })?
            .rechunk();
        Ok(TextColumn(only_array(cast.str().map_err(|e| self.damaged(&e))?)))
    }

    /// The numbers of a column that stands alone in its chunk; `name` is for the refusal.
    pub(crate) fn numbers_of(
        &self,
        series: &Series,
        name: &str,
    ) -> Result<NumberColumn, DataError> {
        let dtype = series.dtype();
        if dtype.is_null() {
            return Ok(NumberColumn(None));
        }
        if dtype.is_string() || dtype.is_categorical() || dtype.is_enum() {
            return self.parsed(&self.texts_of(series, name)?, series.len(), name);
        }
        if !(dtype.is_primitive_numeric() || dtype.is_bool() || dtype.is_decimal()) {
            return Err(self.wrong_type(name, series, "numbers"));
        }
        let cast = series.cast(&DataType::Float64).map_err(|e| self.damaged(&e))?.rechunk();
        Ok(NumberColumn(only_array(cast.f64().map_err(|e| self.damaged(&e))?)))
    }

    /// Numbers that are written as text; empty is missing.
    fn parsed(&self, texts: &TextColumn, n: usize, name: &str) -> Result<NumberColumn, DataError> {
        let mut numbers = Vec::with_capacity(n);
        for row in 0..n {
            let text = texts.get(row).map_or("", str::trim);
            let number = match text {
                "" => None,
                _ => Some(text.parse::<f64>().map_err(|_| DataError::BadValue {
                    path: self.path.to_path_buf(),
                    column: name.to_owned(),
                    row: self.row(row),
                    value: format!("`{text}`"),
                    expected: "a number",
                })?),
            };
            numbers.push(number);
        }
        Ok(NumberColumn(only_array(&Float64Chunked::from_iter_options(
            PlSmallStr::EMPTY,
            numbers.into_iter(),
        ))))
    }

    /// Where the lists of a column begin, and what is in them.
    pub(crate) fn lists_of(
        &self,
        series: &Series,
        name: &str,
    ) -> Result<(Lists, Series), DataError> {
        if series.dtype().is_null() {
            let lists =
                Lists { offsets: vec![0; series.len() + 1], missing: vec![true; series.len()] };
            return Ok((lists, Series::default()));
        }
        if let DataType::Array(inner, _) = series.dtype() {
            // Rows of one width are lists too.
            let lists = DataType::List(inner.clone());
            let cast = series.cast(&lists).map_err(|error| self.damaged(&error))?.rechunk();
            return self.lists_of(&cast, name);
        }
        let chunked = series.list().map_err(|_| self.wrong_type(name, series, "lists"))?;
        let Some(array) = only_array(chunked) else {
            return Ok((Lists { offsets: vec![0], missing: Vec::new() }, Series::default()));
        };
        let offsets = array
            .offsets()
            .as_slice()
            .iter()
            .map(|&offset| usize::try_from(offset).unwrap_or_default())
            .collect();
        let missing = series.is_null().iter().map(|is_null| is_null == Some(true)).collect();
        Ok((Lists { offsets, missing }, chunked.get_inner().rechunk()))
    }

    /// The refusal of a column of another type than `expected`.
    pub(crate) fn wrong_type(
        &self,
        name: &str,
        series: &Series,
        expected: &'static str,
    ) -> DataError {
        DataError::WrongType {
            path: self.path.to_path_buf(),
            column: name.to_owned(),
            found: series.dtype().to_string(),
            expected,
        }
    }

    pub(crate) fn damaged(&self, error: &PolarsError) -> DataError {
        DataError::Damaged { path: self.path.to_path_buf(), reason: error.to_string() }
    }
}

/// Whether no row is missing.
fn is_full(array: &impl StaticArray) -> bool {
    array.null_count() == 0
}

/// The one array of a rechunked column; `None` where it has no rows.
pub(crate) fn only_array<T: PolarsDataType>(column: &ChunkedArray<T>) -> Option<T::Array> {
    column.downcast_iter().next().cloned()
}
