//! Names of models as small numbers, in the order of their first appearance.

use std::collections::HashMap;

use crate::error::DataError;

/// The most models that an index can count.
const MOST_MODELS: u64 = 1 << 16;

/// The models met so far.
#[derive(Debug, Default)]
pub(crate) struct ModelNames {
    names: Vec<String>,
    index_of: HashMap<String, u16>,
}

impl ModelNames {
    /// The index of a name, which is new where it was not met before.
    ///
    /// # Errors
    /// [`DataError::TooMany`] at the 65,537th name.
    pub(crate) fn index(&mut self, name: &str) -> Result<u16, DataError> {
        if let Some(&index) = self.index_of.get(name) {
            return Ok(index);
        }
        let index = u16::try_from(self.names.len())
            .map_err(|_| DataError::TooMany { what: "models", limit: MOST_MODELS })?;
        self.names.push(name.to_owned());
        self.index_of.insert(name.to_owned(), index);
        Ok(index)
    }

    /// As [`Self::index`], for a name that is probably that of `slot`; `slot` is its index afterwards.
    ///
    /// # Errors
    /// As [`Self::index`].
    pub(crate) fn index_by(&mut self, slot: &mut u16, name: &str) -> Result<u16, DataError> {
        if self.name(*slot) != Some(name) {
            *slot = self.index(name)?;
        }
        Ok(*slot)
    }

    /// The name of an index.
    pub(crate) fn name(&self, index: u16) -> Option<&str> {
        self.names.get(usize::from(index)).map(String::as_str)
    }

    /// All names, in the order of their first appearance.
    pub(crate) fn all(&self) -> &[String] {
        &self.names
    }
}

/// The names in order, and by former index the new one.
pub(crate) fn sorted(names: &[String]) -> (Vec<String>, Vec<u16>) {
    let mut by_name: Vec<(&String, usize)> = names.iter().zip(0..).collect();
    by_name.sort_unstable();
    let mut index = vec![0; names.len()];
    for (new, &(_, former)) in (0u16..).zip(&by_name) {
        if let Some(slot) = index.get_mut(former) {
            *slot = new;
        }
    }
    (by_name.into_iter().map(|(name, _)| name.clone()).collect(), index)
}
