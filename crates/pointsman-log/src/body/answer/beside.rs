//! A call and the answer beside it, from one reading of the object that both stand in.
//!
//! The answer's keys are taken out on the way, so that whoever reads the call sees the others alone.
//! Weakness: what is wrong is not said from here, nor is a key read that both want, such as `tools`; such
//! a body is read again, for the call, for the answer, or for both.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, Visitor},
};

use super::{
    super::{
        keys::{Keyed as _, PassedOver, Strangers, Watched, WatchedVisitor, hand_on},
        text::Text,
        wire::BodyFile,
    },
    AnswerFile, OWN,
};

/// The keys of an answer that a call has too.
const SHARED: &[&str] = &["logprobs", "tools", "functions", "response_format", "text"];

/// A call and the answer beside it.
pub(super) struct Both<'a> {
    pub(super) call: Watched<'a, BodyFile<'a>>,
    /// `None` where it has to be read by itself.
    pub(super) answer: Option<AnswerFile<'a>>,
}

/// What is taken out of a call on the way to whoever reads it.
#[derive(Default)]
struct Aside<'a> {
    answer: AnswerFile<'a>,
    /// By the places of [`OWN`].
    is_taken: [bool; OWN.len()],
    has_shared: bool,
    strangers: Strangers<'a>,
}

impl<'de> Aside<'de> {
    /// Takes a key that is the answer's alone, with its value; whether it is one.
    fn take<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        let Some(place) = OWN.iter().position(|own| *own == key) else { return Ok(false) };
        if std::mem::replace(&mut self.is_taken[place], true) {
            return Err(de::Error::duplicate_field(OWN[place]));
        }
        let answer = &mut self.answer;
        match key {
            "decision_id" => answer.decision_id = map.next_value()?,
            "served_model" => answer.served_model = map.next_value()?,
            "answer" => answer.answer = map.next_value()?,
            "choices" => answer.choices = map.next_value()?,
            "finish_reason" => answer.finish_reason = map.next_value()?,
            "usage" => answer.usage = map.next_value()?,
            "cost_usd" => answer.cost_usd = map.next_value()?,
            other => return Err(de::Error::unknown_field(other, OWN)),
        }
        Ok(true)
    }

    /// Notes a key that is left to the call.
    fn leave(&mut self, key: Cow<'de, str>) {
        if SHARED.contains(&&*key) {
            self.has_shared = true;
        } else {
            self.strangers.note(key, AnswerFile::RULE, OWN);
        }
    }

    /// The answer, where all of it was taken and none of the keys that were left may be a misspelt one.
    fn into_answer(self) -> Option<AnswerFile<'de>> {
        let Self { answer, is_taken: _, has_shared, strangers } = self;
        let is_refused = || strangers.add_to(&mut PassedOver::default(), "").is_err();
        if has_shared || is_refused() { None } else { Some(answer) }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Both<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BothVisitor)
    }
}

struct BothVisitor;

impl<'de> Visitor<'de> for BothVisitor {
    type Value = Both<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Both<'de>, A::Error> {
        let mut aside = Aside::default();
        let left = Left { map, aside: &mut aside };
        let call = WatchedVisitor::<'de, BodyFile<'de>>::new().visit_map(left)?;
        Ok(Both { call, answer: aside.into_answer() })
    }
}

/// An object without the answer's keys.
struct Left<'l, 'a, A> {
    map: A,
    aside: &'l mut Aside<'a>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Left<'_, 'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(Text(key)) = self.map.next_key::<Text<'de>>()? {
            if !self.aside.take(&key, &mut self.map)? {
                self.aside.leave(key.clone());
                return hand_on(key, seed).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{AnswerBody, BodyError, ChatBody};
    use proptest::prelude::*;

    /// What one reading gives and what two give, or which words they have for what is wrong.
    fn readings(body: &[u8]) -> [String; 2] {
        let shown = |read: Result<(ChatBody<'_>, AnswerBody<'_>), BodyError>| match read {
            Ok((call, answer)) => format!("{call:?} {answer:?}"),
            Err(error) => error.to_string(),
        };
        let twice =
            || Ok::<_, BodyError>((ChatBody::from_json(body)?, AnswerBody::from_json(body)?));
        [shown(AnswerBody::beside_call(body)), shown(twice())]
    }

    const MEMBERS: &[&str] = &[
        r#""decision_id":"d""#,
        r#""decision_id":"""#,
        r#""decision\u005fid":"d""#,
        r#""decision_id":null"#,
        r#""decison_id":"d""#,
        r#""answer":"a\n""#,
        r#""answer":null"#,
        r#""answer":7"#,
        r#""answers":"a""#,
        r#""choices":[{"message":{"content":"one"},"finish_reason":"stop"}]"#,
        r#""choices":[]"#,
        r#""finish_reason":"length""#,
        r#""served_model":"m""#,
        r#""served_modle":"m""#,
        r#""usage":{"prompt_tokens":3,"completion_tokens":4}"#,
        r#""usage":[]"#,
        r#""usage":null"#,
        r#""cost_usd":0.5"#,
        r#""cost_usd":-1"#,
        r#""prompt":"p""#,
        r#""prompt":7"#,
        r#""messages":[{"role":"user","content":"m"}]"#,
        r#""messages":[]"#,
        r#""tools":[{"function":{"name":"f"}}]"#,
        r#""tools":[7]"#,
        r#""functions":[{"name":"g"}]"#,
        r#""logprobs":true"#,
        r#""logprobs":[-0.5]"#,
        r#""response_format":{"type":"text"}"#,
        r#""text":{"format":{"type":"text"}}"#,
        r#""temperature":0.5"#,
        r#""model":"auto""#,
        r#""user":"u""#,
        r#""sparkle":1"#,
        r#""objektive":"x""#,
        r#""objective":"best""#,
        r#""max_tokens":1e9"#,
        r#""explain":true"#,
    ];

    const WHOLE: &str = r#""prompt":"What?","decision_id":"d","answer":"That.""#;

    proptest! {
        #[test]
        fn one_reading_gives_what_two_give(
            members in prop::collection::vec(prop::sample::select(MEMBERS), 0..6),
            is_whole in any::<bool>(),
        ) {
            let whole = is_whole.then_some(WHOLE);
            let members: Vec<&str> = members.into_iter().chain(whole).collect();
            let [once, twice] = readings(format!("{{{}}}", members.join(",")).as_bytes());
            prop_assert_eq!(once, twice, "{:?}", members);
        }
    }

    #[test]
    fn what_is_no_object_is_refused_in_the_same_words() {
        let not_utf8 = b"{\"prompt\":\"p\",\"decision_id\":\"d\",\"answer\":\"\xff\"}";
        for body in [
            &b""[..],
            b"[]",
            b"{",
            b"{}",
            b"{} {}",
            b"{\"answer\":\"\\ud83e\",\"prompt\":\"p\"}",
            b"{\"answer\":1e999,\"prompt\":\"p\"}",
            b"{\"prompt\":\"p\",\"decision_id\":\"d\",\"answer\":\"a\"} x",
            not_utf8,
        ] {
            let [once, twice] = readings(body);
            assert_eq!(once, twice, "{}", String::from_utf8_lossy(body));
        }
    }
}
