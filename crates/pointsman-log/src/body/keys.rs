//! Keys of a body that nobody here reads: those of the provider, and those that are misspelt.
//!
//! A body is for the provider too, so a key that is not known may be the provider's. But one that is
//! nearly a key of ours would change the decision, had it been spelt right, and is refused. Looking
//! costs no allocation where every key is known. Its weakness: a key further away than two letters is
//! only counted and named.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeSeed, IntoDeserializer, MapAccess, Visitor,
        value::{BorrowedStrDeserializer, StringDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{BodyError, text::Text};

/// What becomes of the keys of an object that are not read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// They are refused; but for these, which are known, passed over and counted.
    Refused { but: &'static [&'static str] },
    /// They are refused where they are near one of `own`, passed over where one of the lists of
    /// `foreign` has them, and otherwise passed over and counted.
    Counted { own: &'static [&'static str], foreign: &'static [&'static [&'static str]] },
}

/// An object that has a rule for the keys that it does not read.
pub(super) trait Keyed {
    /// What becomes of them.
    const RULE: Rule;
}

/// An object, and which of its keys were not read.
#[derive(Default)]
pub(super) struct Watched<'a, T> {
    pub(super) fields: T,
    pub(super) strangers: Strangers<'a>,
}

/// The keys of one object that were not read.
#[derive(Debug, Default)]
pub(super) struct Strangers<'a> {
    /// The first one that is refused.
    refused: Option<Refused<'a>>,
    n_passed_over: u32,
    /// The first few of those that were passed over.
    passed_over: Vec<Cow<'a, str>>,
}

/// The keys of a whole body that were passed over without being known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PassedOver {
    /// How many.
    pub(super) n: u32,
    /// What the first few are called, each in one line and cut where it is long.
    pub(super) names: Vec<String>,
}

#[derive(Debug)]
struct Refused<'a> {
    key: Cow<'a, str>,
    /// The key that was meant, where one is near.
    meant: Option<&'static str>,
    /// The keys that might stand there.
    known: &'static [&'static str],
}

/// How much of a key is repeated, in characters.
const MAX_SHOWN_CHARS: usize = 64;

/// How many of the keys that are passed over are named.
const MAX_NAMED: usize = 4;

/// Keys up to this length, in bytes, are near only where one letter differs; longer ones, two.
const SHORT: usize = 5;

impl<'a> Strangers<'a> {
    /// Notes a key that is none of the `known` ones.
    pub(super) fn note(&mut self, key: Cow<'a, str>, rule: Rule, known: &'static [&'static str]) {
        let (is_counted, near) = match rule {
            Rule::Refused { but } => (but.contains(&&*key), known),
            Rule::Counted { foreign, .. } if foreign.iter().any(|keys| keys.contains(&&*key)) => {
                return;
            }
            Rule::Counted { own, .. } => (nearest(&key, own).is_none(), own),
        };
        if is_counted {
            self.n_passed_over = self.n_passed_over.saturating_add(1);
            if self.passed_over.len() < MAX_NAMED {
                self.passed_over.push(key);
            }
        } else if self.refused.is_none() {
            let meant = nearest(&key, near);
            self.refused = Some(Refused { key, meant, known });
        }
    }

    /// Adds the keys that were passed over to all of them; `within` names the object, and is empty
    /// for the whole body.
    ///
    /// # Errors
    /// [`BodyError::UnknownKey`] where one is refused.
    pub(super) fn add_to(&self, all: &mut PassedOver, within: &str) -> Result<(), BodyError> {
        let Some(Refused { key, meant, known }) = &self.refused else {
            all.n = all.n.saturating_add(self.n_passed_over);
            let n_left = MAX_NAMED.saturating_sub(all.names.len());
            all.names.extend(self.passed_over.iter().take(n_left).map(|key| named(within, key)));
            return Ok(());
        };
        let place = if within.is_empty() { String::new() } else { format!("{within}.") };
        let advice = meant.map_or_else(
            || format!("leave it out, or send one of {}", known.join(", ")),
            |meant| format!("did you mean `{place}{meant}`?"),
        );
        Err(BodyError::UnknownKey { key: named(within, key), advice })
    }
}

/// Which keys of an object that is read elsewhere nobody reads: how many, and what the first few are
/// called. `own` are the keys that it may have, `foreign` others that say nothing and are no slips.
///
/// # Errors
/// [`BodyError::UnknownKey`] where one is nearly one of `own`.
pub fn unknown_keys<'a>(
    keys: impl Iterator<Item = &'a str>,
    own: &'static [&'static str],
    foreign: &'static [&'static [&'static str]],
) -> Result<(u32, Vec<String>), BodyError> {
    let mut strangers = Strangers::default();
    for key in keys {
        if !own.contains(&key) {
            strangers.note(Cow::Borrowed(key), Rule::Counted { own, foreign }, own);
        }
    }
    let mut all = PassedOver::default();
    strangers.add_to(&mut all, "")?;
    Ok((all.n, all.names))
}

/// A key of an object as a message names it: in one line, whatever the key holds.
fn named(within: &str, key: &str) -> String {
    let shown: String = key.chars().take(MAX_SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if within.is_empty() { shown } else { format!("{within}.{shown}") }
}

/// The key of `known` that `key` nearly is; the nearest, and of several the first.
fn nearest(key: &str, known: &'static [&'static str]) -> Option<&'static str> {
    (0..=2_usize).find_map(|edits| {
        let is_near = |one: &&&'static str| {
            let most = if one.len() <= SHORT { 1 } else { 2 };
            edits <= most && is_within(key.as_bytes(), one.as_bytes(), edits)
        };
        known.iter().find(is_near).copied()
    })
}

/// Whether so many edits, or fewer, make one name the other; two neighbours that have changed places
/// are one edit, and case counts for nothing.
fn is_within(one: &[u8], other: &[u8], edits: usize) -> bool {
    match (one, other) {
        ([], rest) | (rest, []) => rest.len() <= edits,
        ([a, ones @ ..], [b, others @ ..]) => {
            if a.eq_ignore_ascii_case(b) {
                return is_within(ones, others, edits);
            }
            let Some(left) = edits.checked_sub(1) else { return false };
            let swapped = match (ones, others) {
                ([c, ones @ ..], [d, others @ ..])
                    if a.eq_ignore_ascii_case(d) && b.eq_ignore_ascii_case(c) =>
                {
                    is_within(ones, others, left)
                }
                _ => false,
            };
            swapped
                || is_within(ones, others, left)
                || is_within(ones, other, left)
                || is_within(one, others, left)
        }
    }
}

impl<'de: 'a, 'a, T: Keyed + Deserialize<'de>> Deserialize<'de> for Watched<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(WatchedVisitor::new())
    }
}

/// Reads an object, watching its keys.
pub(super) struct WatchedVisitor<'a, T>(PhantomData<(&'a (), T)>);

impl<T> WatchedVisitor<'_, T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de: 'a, 'a, T: Keyed + Deserialize<'de>> Visitor<'de> for WatchedVisitor<'a, T> {
    type Value = Watched<'a, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Watched<'a, T>, A::Error> {
        let mut strangers = Strangers::default();
        let watch = Watch { map, strangers: &mut strangers, rule: T::RULE, known: &[] };
        let fields = T::deserialize(watch)?;
        Ok(Watched { fields, strangers })
    }
}

/// An object on its way to whoever reads it, who says which keys that are.
struct Watch<'w, 'a, A> {
    map: A,
    strangers: &'w mut Strangers<'a>,
    rule: Rule,
    known: &'static [&'static str],
}

impl<'de: 'a, 'a, A: MapAccess<'de>> Deserializer<'de> for Watch<'_, 'a, A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_map(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.known = fields;
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

impl<'de: 'a, 'a, A: MapAccess<'de>> MapAccess<'de> for Watch<'_, 'a, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let Some(Text(key)) = self.map.next_key::<Text<'de>>()? else { return Ok(None) };
        if !self.known.contains(&&*key) {
            self.strangers.note(key.clone(), self.rule, self.known);
        }
        hand_on(key, seed).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.map.size_hint()
    }
}

/// Hands a key on to whoever reads the object.
pub(super) fn hand_on<'de, K: DeserializeSeed<'de>, E: de::Error>(
    key: Cow<'de, str>,
    seed: K,
) -> Result<K::Value, E> {
    match key {
        Cow::Borrowed(key) => {
            let key: BorrowedStrDeserializer<'de, E> = BorrowedStrDeserializer::new(key);
            seed.deserialize(key)
        }
        Cow::Owned(key) => {
            let key: StringDeserializer<E> = key.into_deserializer();
            seed.deserialize(key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, expected: Option<&str>) {
        const KNOWN: &[&str] = &["objective", "session_id", "deny", "explain", "explore"];
        assert_eq!(nearest(key, KNOWN), expected, "{key}");
    }

    #[test]
    fn near_keys_are_found_and_far_ones_are_not() {
        check("objectives", Some("objective"));
        check("sesion_id", Some("session_id"));
        check("sessionId", Some("session_id"));
        check("explian", Some("explain"));
        check("exploer", Some("explore"));
        check("Deny", Some("deny"));
        check("dany", Some("deny"));
        check("dney", Some("deny"));
        check("data", None);
        check("session", None);
        check("stream", None);
        check("", None);
        check(&"objective".repeat(1000), None);
    }

    #[test]
    fn keys_of_an_object_that_is_read_elsewhere_are_watched() {
        let of = |keys: &[&str]| {
            unknown_keys(keys.iter().copied(), &["quality", "metrics"], &[&["metricz"]])
        };
        assert_eq!(of(&["quality", "metricz"]).unwrap(), (0, vec![]));
        assert_eq!(
            of(&["score", "quality", "a\nb"]).unwrap(),
            (2, vec!["score".into(), "a\\nb".into()])
        );
        let refused = of(&["score", "qualty"]).unwrap_err().to_string();
        assert_eq!(refused, "`qualty` is not known; did you mean `quality`?");
    }
}
