//! Columns of a map that no row of a file has had: what a header would have told.
//!
//! Lines of JSON have no header, so that a mistyped name is found only when all of them were read.

use serde_json::Value;

use super::{keys_of_value, mapped::Columns};

/// The columns that are still to be seen, and what the first row has in their place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Unseen {
    columns: Vec<String>,
    /// The keys of the first row that is an object.
    first_keys: Option<String>,
}

impl Unseen {
    /// None of `columns` has been seen.
    pub(crate) fn of(columns: Vec<String>) -> Self {
        Self { columns, first_keys: None }
    }

    /// Takes out what `row` has, as `has` finds it.
    pub(super) fn look_at(&mut self, row: &Value, has: impl Fn(&str) -> bool) {
        if self.columns.is_empty() || !row.is_object() {
            return;
        }
        if self.first_keys.is_none() {
            self.first_keys = Some(keys_of_value(row));
        }
        self.columns.retain(|column| !has(column));
    }

    /// The columns that no row has had so far.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The first of the columns without which there is no call that no row has had: what it should hold,
    /// its name, and the keys of the first row. `None` too where no row was an object.
    pub(crate) fn needed<'a>(
        &'a self,
        columns: &'a Columns,
    ) -> Option<(&'static str, &'a str, &'a str)> {
        let first_keys = self.first_keys.as_deref()?;
        let needed = [("id", &columns.id), ("model", &columns.model), ("time", &columns.time)];
        let (what, column) =
            needed.into_iter().find(|(_, column)| self.columns.contains(*column))?;
        Some((what, column.as_str(), first_keys))
    }
}
