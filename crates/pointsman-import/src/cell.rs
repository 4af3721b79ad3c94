//! Values as foreign logs write them: numbers as texts, objects as texts, nulls in the place of both.
//!
//! Exports differ between versions and columns, and a field that nobody asked about must not cost the
//! row. So a value of another type than expected is no value, not an error; only bytes that are not
//! JSON are. What a row cannot do without is missed where it is used. The weakness: a field whose type
//! a source changed reads as missing, which the report counts.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer,
    },
};

use crate::time;

/// Methods of a [`Visitor`] whose value is the default where a null, a truth value or a number stands.
macro_rules! scalars_say_nothing {
    () => {
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
}
pub(crate) use scalars_say_nothing;

/// A plain value, whatever its type is.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Cell {
    /// Absent, null, or not a plain value.
    #[default]
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Whole(u64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(String),
}

impl Cell {
    /// The text, if there is one that is not empty; numbers as they are written.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::None | Self::Bool(_) => None,
            Self::Whole(number) => Some(number.to_string()),
            Self::Number(number) => Some(number.to_string()),
            Self::Text(text) => {
                Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
            }
        }
    }

    /// The text, if it is one, without a copy; white space around it stays.
    pub(crate) fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) if !text.trim().is_empty() => Some(text),
            Self::Text(_) | Self::None | Self::Bool(_) => None,
            Self::Whole(number) => Some(number.to_string()),
            Self::Number(number) => Some(number.to_string()),
        }
    }

    /// The finite number, also from a text that is one; a truth value is one or zero.
    pub(crate) fn number(&self) -> Option<f64> {
        let number = match self {
            Self::None => None,
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            Self::Whole(number) => Some(pointsman_core::units::as_float(*number)),
            Self::Number(number) => Some(*number),
            Self::Text(text) => match text.trim() {
                "true" | "True" | "TRUE" => Some(1.0),
                "false" | "False" | "FALSE" => Some(0.0),
                digits => digits.parse().ok(),
            },
        };
        number.filter(|number| number.is_finite())
    }

    /// The number, if it is not negative: a cost or a duration.
    pub(crate) fn amount(&self) -> Option<f64> {
        self.number().filter(|number| 0.0 <= *number)
    }

    /// The count, also from a text, or from a number without a fraction.
    pub(crate) fn count(&self) -> Option<u64> {
        match self {
            Self::Whole(number) => Some(*number),
            Self::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            Self::None | Self::Bool(_) | Self::Number(_) | Self::Text(_) => {
                self.number().and_then(whole)
            }
        }
    }

    /// The truth value, also as a number or a text.
    pub(crate) fn truth(&self) -> Option<bool> {
        match self.number()? {
            0.0 => Some(false),
            1.0 => Some(true),
            _ => None,
        }
    }

    /// The time in milliseconds since 1970 UTC, as [`time::of_text`] and [`time::of_number`] read it.
    pub(crate) fn time_ms(&self) -> Option<u64> {
        match self {
            Self::None | Self::Bool(_) => None,
            Self::Whole(number) => time::of_number(pointsman_core::units::as_float(*number)),
            Self::Number(number) => time::of_number(*number),
            Self::Text(text) => time::of_text(text),
        }
    }
}

/// The first of `cells` that `read` finds something in.
pub(crate) fn first<T>(cells: &[&Cell], read: fn(&Cell) -> Option<T>) -> Option<T> {
    cells.iter().find_map(|cell| read(cell))
}

/// A number without a fraction as a count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is whole and in the range of exact floats"
)]
fn whole(number: f64) -> Option<u64> {
    let is_count = (0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0;
    is_count.then_some(number as u64)
}

struct CellVisitor;

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Whole(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "negative counts are of no use to anybody")]
    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(u64::try_from(value).map_or(Cell::Number(value as f64), Cell::Whole))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Cell, E> {
        Ok(Cell::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Cell, A::Error> {
        pass_elements(elements).map(|()| Cell::None)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Cell, A::Error> {
        pass_entries(entries).map(|()| Cell::None)
    }
}

/// Reads over what is left of an array.
pub(crate) fn pass_elements<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<(), A::Error> {
    while elements.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Reads over what is left of an object.
pub(crate) fn pass_entries<'de, A: MapAccess<'de>>(mut entries: A) -> Result<(), A::Error> {
    while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// An object, also as the text of one; the default where there is none.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Nested<T>(pub(crate) T);

struct NestedVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: DeserializeOwned + Default> Deserialize<'de> for Nested<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NestedVisitor(std::marker::PhantomData)).map(Self)
    }
}

impl<'de, T: DeserializeOwned + Default> Visitor<'de> for NestedVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    scalars_say_nothing!();

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        // Text that is no object is as good as none.
        Ok(serde_json::from_str::<Nested<T>>(text_of_object(text)).unwrap_or_default().0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<T, A::Error> {
        pass_elements(elements).map(|()| T::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries))
    }
}

/// `text` if it looks like an object, else one without keys: a text of a text is not read on.
fn text_of_object(text: &str) -> &str {
    if text.trim_start().starts_with('{') { text } else { "{}" }
}

/// An array, also as the text of one, or one element without its array; empty where there is none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

struct ListVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(std::marker::PhantomData)).map(Self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    scalars_say_nothing!();

    fn visit_str<E>(self, text: &str) -> Result<Vec<T>, E> {
        let is_array = text.trim_start().starts_with('[');
        Ok(if is_array { serde_json::from_str(text).unwrap_or_default() } else { Vec::new() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut found = Vec::new();
        while let Some(element) = elements.next_element()? {
            found.push(element);
        }
        Ok(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Vec<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries)).map(|element| vec![element])
    }
}

/// The plain values of an object, in its order; also from the text of one.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Entries(pub(crate) Vec<(String, Cell)>);

impl Entries {
    /// The value of `key`; [`Cell::None`] where there is none.
    pub(crate) fn get(&self, key: &str) -> &Cell {
        self.0.iter().find(|(name, _)| name == key).map_or(&Cell::None, |(_, value)| value)
    }
}

struct EntriesVisitor;

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Entries, A::Error> {
        let mut found = Vec::new();
        while let Some((key, value)) = entries.next_entry::<String, Cell>()? {
            if value != Cell::None {
                found.push((key, value));
            }
        }
        Ok(Entries(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(json: &str) -> Cell {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn values_of_any_type_are_read() {
        for (json, number, count) in [
            ("3", Some(3.0), Some(3)),
            ("3.0", Some(3.0), Some(3)),
            ("\"3\"", Some(3.0), Some(3)),
            ("\" 2.5 \"", Some(2.5), None),
            ("-1", Some(-1.0), None),
            ("true", Some(1.0), Some(1)),
            ("null", None, None),
            ("\"\"", None, None),
            ("\"NaN\"", None, None),
            ("[1,{\"a\":2}]", None, None),
            ("{\"a\":[1]}", None, None),
        ] {
            assert_eq!(cell(json).number(), number, "{json}");
            assert_eq!(cell(json).count(), count, "{json}");
        }
        assert_eq!(cell("-1").amount(), None);
        assert_eq!(cell("\"False\"").truth(), Some(false));
        assert_eq!(cell("0.5").truth(), None);
    }

    #[test]
    fn objects_and_arrays_are_read_from_texts_too() {
        let entries = |json: &str| serde_json::from_str::<Nested<Entries>>(json).unwrap().0;
        for json in [r#"{"a":1,"b":null,"c":[2]}"#, r#""{\"a\":1}""#] {
            assert_eq!(entries(json).0, [("a".to_owned(), Cell::Whole(1))], "{json}");
        }
        for json in ["null", "3", "\"text\"", "[1]", "\"{broken\""] {
            assert_eq!(entries(json), Entries::default(), "{json}");
        }
        let list = |json: &str| serde_json::from_str::<List<Cell>>(json).unwrap().0;
        for json in ["[1,2]", "\"[1,2]\""] {
            assert_eq!(list(json), [Cell::Whole(1), Cell::Whole(2)], "{json}");
        }
        assert!(list("null").is_empty());
    }
}
