//! Fields of a list's entries, which may be absent, null, a number or the same as text.

use super::{
    LeftOut, Note,
    decimal::{Amount, Unit, amount},
};
use pointsman_core::{
    request::Capabilities,
    units::{Price, Tokens},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// Reads prices of one entry and notes what is lost on the way.
pub(super) struct Reader<'a> {
    pub(super) entry: &'a Value,
    pub(super) unit: Unit,
    pub(super) notes: BTreeSet<Note>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(entry: &'a Value, unit: Unit) -> Self {
        Self { entry, unit, notes: BTreeSet::new() }
    }

    /// The price under `key`; `None` where there is none.
    pub(super) fn price(&mut self, key: &str) -> Result<Option<Price>, LeftOut> {
        let Some(text) = decimal_text(self.entry.get(key)) else { return Ok(None) };
        let Amount { price, is_rounded } = amount(&text?, self.unit)?;
        if is_rounded {
            self.notes.insert(Note::Rounded);
        }
        Ok(Some(price))
    }

    /// A price without which there is no offer.
    pub(super) fn needed_price(&mut self, key: &str) -> Result<Price, LeftOut> {
        self.price(key)?.ok_or(LeftOut::NoPrice)
    }

    /// Notes that there is a price under `key`, other than zero and other than `usual`.
    pub(super) fn note_price(&mut self, key: &str, usual: Option<Price>, note: Note) {
        let found = decimal_text(self.entry.get(key)).and_then(Result::ok);
        let found = found.and_then(|text| amount(&text, self.unit).ok());
        let zero = Price::from_nanos_per_million(0);
        if found.is_some_and(|found| found.price != zero && Some(found.price) != usual) {
            self.notes.insert(note);
        }
    }
}

/// The decimal digits of a value; `None` where it is absent or null.
fn decimal_text(value: Option<&Value>) -> Option<Result<String, LeftOut>> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(Ok(text.clone())),
        // The shortest digits that are this number: those of the file, up to fifteen of them.
        Value::Number(number) => Some(Ok(number.to_string())),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Some(Err(LeftOut::BadPrice)),
    }
}

/// A count of tokens; `None` where it is absent, zero, or no whole number.
pub(super) fn tokens(entry: &Value, key: &str) -> Option<Tokens> {
    let value = entry.get(key)?;
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    // Some lists write 131072.0.
    let digits = text.strip_suffix(".0").unwrap_or(&text);
    digits.parse::<u64>().ok().filter(|count| 0 < *count).map(Tokens::new)
}

/// Whether the flag `key` is there and true.
pub(super) fn is_set(entry: &Value, key: &str) -> bool {
    entry.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// The text under `key`.
pub(super) fn text<'a>(entry: &'a Value, key: &str) -> Option<&'a str> {
    entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The texts in the list at `value`; none where it is no list.
pub(super) fn texts(value: Option<&Value>) -> Vec<&str> {
    let list = value.and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The capabilities of which it holds that they are there.
pub(super) fn capabilities<const N: usize>(all: [(bool, Capabilities); N]) -> Capabilities {
    let found = all.into_iter().filter(|(is_there, _)| *is_there);
    found.fold(Capabilities::NONE, |known, (_, one)| known.with(one))
}
