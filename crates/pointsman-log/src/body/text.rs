//! Texts and numbers as they arrive, borrowed from the body where it holds them as they are.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// A text, borrowed where nothing in it was escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

struct TextVisitor;

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

/// A value of a tag: a text, or a number or truth value as JSON writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag<'a>(pub(super) Cow<'a, str>);

struct TagVisitor;

impl<'de: 'a, 'a> Deserialize<'de> for Tag<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TagVisitor)
    }
}

impl<'de> Visitor<'de> for TagVisitor {
    type Value = Tag<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number or a truth value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Tag<'de>, E> {
        Ok(Tag(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tag<'de>, E> {
        Ok(Tag(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tag<'de>, E> {
        Ok(Tag(Cow::Owned(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tag<'de>, E> {
        Ok(Tag(Cow::Owned(value.to_string())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tag<'de>, E> {
        Ok(Tag(Cow::Owned(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tag<'de>, E> {
        Ok(Tag(Cow::Owned(value.to_string())))
    }
}

/// A number, which price lists also write as a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Amount(pub(super) f64);

struct AmountVisitor;

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

impl Visitor<'_> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Amount, E> {
        Ok(Amount(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Amount, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Amount, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
        let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
        number.map(Amount).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// A number, or one for each of some percentiles, of which the middle counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Typical(pub(super) f64);

struct TypicalVisitor;

impl<'de> Deserialize<'de> for Typical {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TypicalVisitor)
    }
}

impl<'de> Visitor<'de> for TypicalVisitor {
    type Value = Typical;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or an object of percentiles such as {\"p50\": 2}")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Typical, E> {
        Ok(Typical(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Typical, E> {
        AmountVisitor.visit_u64(value).map(|Amount(value)| Typical(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Typical, E> {
        AmountVisitor.visit_i64(value).map(|Amount(value)| Typical(value))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Typical, A::Error> {
        let mut found: Option<(Text<'de>, Amount)> = None;
        while let Some((name, value)) = map.next_entry::<Text<'de>, Amount>()? {
            if found.as_ref().is_none_or(|(least, _)| name < *least) {
                found = Some((name, value));
            }
        }
        let found = found.map(|(_, Amount(value))| Typical(value));
        found.ok_or_else(|| de::Error::custom("an object of percentiles that names none"))
    }
}

/// How many entries a list has; what they are is not looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count(pub(super) u32);

struct CountVisitor;

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(CountVisitor)
    }
}

impl<'de> Visitor<'de> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Count, A::Error> {
        let mut count = 0_u32;
        while entries.next_element::<IgnoredAny>()?.is_some() {
            count = count.saturating_add(1);
        }
        Ok(Count(count))
    }
}
