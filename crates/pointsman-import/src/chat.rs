//! Conversations as foreign logs write them, as the messages of a record.
//!
//! A prompt is an array of messages, one text, an object that holds messages, or the text of any of
//! these. A content is a text or an array of parts, and parts call their text `text`, `content` or
//! `value`. Parts without text leave their modality. The weakness: tool calls and their arguments are
//! left out, as they are in requests.

use std::{collections::BTreeSet, fmt};

use pointsman_log::record::{MessageRecord, RequestRecord, RoleRecord};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::cell::{Cell, Entries, scalars_say_nothing};

/// The messages of a prompt, and what else came with them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Prompt {
    pub(crate) messages: Vec<MessageRecord>,
    pub(crate) modalities: BTreeSet<&'static str>,
}

impl Prompt {
    /// The request of a record; without messages where there is no text.
    pub(crate) fn into_request(self) -> RequestRecord {
        let Self { messages, modalities } = self;
        let messages = Some(messages).filter(|all| all.iter().any(|one| !one.content.is_empty()));
        RequestRecord {
            messages,
            modalities: modalities.into_iter().map(str::to_owned).collect(),
            ..RequestRecord::default()
        }
    }

    /// Adds instructions in front, where there are any.
    pub(crate) fn with_system(mut self, text: Option<String>) -> Self {
        if let Some(content) = text {
            self.messages.insert(0, MessageRecord { role: RoleRecord::System, content });
        }
        self
    }

    fn add(&mut self, role: RoleRecord, content: Content) {
        let Content { text, modalities } = content;
        self.modalities.extend(modalities);
        self.messages.push(MessageRecord { role, content: text });
    }

    fn append(&mut self, other: Self) {
        let Self { messages, modalities } = other;
        self.messages.extend(messages);
        self.modalities.extend(modalities);
    }

    fn of_text(text: &str) -> Self {
        let inner = text.trim_start();
        if inner.starts_with(['[', '{']) {
            // A text that only looks like JSON is what somebody wrote.
            if let Ok(prompt) = serde_json::from_str::<Self>(inner) {
                return prompt;
            }
        }
        let mut prompt = Self::default();
        if !inner.is_empty() {
            prompt.add(RoleRecord::User, Content { text: text.to_owned(), ..Content::default() });
        }
        prompt
    }
}

/// Who speaks, by any of the names in use; what is not known asks.
pub(crate) fn role_of(name: &str) -> RoleRecord {
    match name.trim().to_ascii_lowercase().as_str() {
        "system" | "developer" => RoleRecord::System,
        "assistant" | "ai" | "model" => RoleRecord::Assistant,
        "tool" | "function" => RoleRecord::Tool,
        _ => RoleRecord::User,
    }
}

struct PromptVisitor;

impl<'de> Deserialize<'de> for Prompt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PromptVisitor)
    }
}

impl<'de> Visitor<'de> for PromptVisitor {
    type Value = Prompt;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("messages")
    }

    scalars_say_nothing!();

    fn visit_str<E>(self, text: &str) -> Result<Prompt, E> {
        Ok(Prompt::of_text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Prompt, A::Error> {
        let mut prompt = Prompt::default();
        while let Some(Said(part)) = elements.next_element()? {
            prompt.append(part);
        }
        Ok(prompt)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Prompt, A::Error> {
        read_object(entries)
    }
}

/// One element of an array of messages: an object, a text, or anything else, which says nothing.
struct Said(Prompt);

struct SaidVisitor;

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SaidVisitor).map(Self)
    }
}

impl<'de> Visitor<'de> for SaidVisitor {
    type Value = Prompt;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    scalars_say_nothing!();

    fn visit_str<E>(self, text: &str) -> Result<Prompt, E> {
        let mut prompt = Prompt::default();
        prompt.add(RoleRecord::User, Content { text: text.to_owned(), ..Content::default() });
        Ok(prompt)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Prompt, A::Error> {
        // Some tracers wrap the messages of a batch once more.
        PromptVisitor.visit_seq(elements)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Prompt, A::Error> {
        read_object(entries)
    }
}

/// A message, or an object that holds messages: a body, an input with its instructions.
fn read_object<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Prompt, A::Error> {
    let mut role = None;
    let mut own = None;
    let mut system = None;
    let mut inner = Prompt::default();
    while let Some(key) = entries.next_key::<Key>()? {
        match key {
            Key::Role => role = entries.next_value::<Cell>()?.text(),
            Key::Content => own = Some(entries.next_value::<Content>()?),
            Key::Messages => inner.append(entries.next_value()?),
            Key::System => system = Some(entries.next_value::<Content>()?.text),
            Key::Other => _ = entries.next_value::<IgnoredAny>()?,
        }
    }
    if let Some(content) = own {
        inner.add(role_of(role.as_deref().unwrap_or("user")), content);
    }
    Ok(inner.with_system(system.filter(|text| !text.is_empty())))
}

/// The keys of an object that is, or holds, messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Role,
    Content,
    Messages,
    System,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                Ok(match key {
                    "role" => Key::Role,
                    "content" | "parts" | "prompt" => Key::Content,
                    "messages" | "input" => Key::Messages,
                    "system" | "instructions" => Key::System,
                    _ => Key::Other,
                })
            }
        }

        deserializer.deserialize_identifier(KeyVisitor)
    }
}

/// What one message holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Content {
    pub(crate) text: String,
    modalities: BTreeSet<&'static str>,
}

impl Content {
    fn append(&mut self, other: Self) {
        let Self { text, modalities } = other;
        if !self.text.is_empty() && !text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(&text);
        self.modalities.extend(modalities);
    }

    /// One part: its text by any of its names, its modality by its type.
    fn of_part(part: &Entries) -> Self {
        let kind = part.get("type").text().unwrap_or_default();
        let modality = ["image", "audio", "file", "document", "video"]
            .into_iter()
            .find(|name| kind.contains(name))
            .map(|name| if name == "document" { "file" } else { name });
        if let Some(modality) = modality {
            return Self { text: String::new(), modalities: BTreeSet::from([modality]) };
        }
        let text = ["text", "content", "value"].into_iter().find_map(|key| match part.get(key) {
            Cell::Text(text) => Some(text.clone()),
            Cell::None | Cell::Bool(_) | Cell::Whole(_) | Cell::Number(_) => None,
        });
        Self { text: text.unwrap_or_default(), modalities: BTreeSet::new() }
    }
}

struct ContentVisitor;

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the content of a message")
    }

    scalars_say_nothing!();

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content { text: text.to_owned(), ..Content::default() })
    }

    fn visit_string<E>(self, text: String) -> Result<Content, E> {
        Ok(Content { text, ..Content::default() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Content, A::Error> {
        let mut content = Content::default();
        while let Some(part) = parts.next_element::<Part>()? {
            content.append(part.0);
        }
        Ok(content)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
        let mut part = Entries::default();
        while let Some(entry) = entries.next_entry::<String, Cell>()? {
            part.0.push(entry);
        }
        Ok(Content::of_part(&part))
    }
}

/// One element of a content.
struct Part(Content);

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &[(RoleRecord, &str)], modalities: &[&str]) {
        let prompt: Prompt = serde_json::from_str(json).unwrap();
        let found: Vec<_> =
            prompt.messages.iter().map(|one| (one.role, one.content.as_str())).collect();
        assert_eq!(found, expected, "{json}");
        assert_eq!(prompt.modalities.into_iter().collect::<Vec<_>>(), modalities, "{json}");
    }

    #[test]
    fn conversations_are_read_in_every_form() {
        use RoleRecord::{Assistant, System, Tool, User};
        check(r#"[{"role":"user","content":"Hi"}]"#, &[(User, "Hi")], &[]);
        check(r#""Hi""#, &[(User, "Hi")], &[]);
        check(r#""[{\"role\":\"user\",\"content\":\"Hi\"}]""#, &[(User, "Hi")], &[]);
        check(r#""[not json""#, &[(User, "[not json")], &[]);
        check(
            r#"{"model":"m","messages":[{"content":"Hi","role":"user"}],"system":"Be brief."}"#,
            &[(System, "Be brief."), (User, "Hi")],
            &[],
        );
        check(
            r#"[{"role":"user","content":[{"type":"text","text":"What is"},
                {"type":"image_url","image_url":{"url":"x"}},{"type":"text","text":"this?"}]}]"#,
            &[(User, "What is\nthis?")],
            &["image"],
        );
        check(
            r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]},
                {"role":"model","parts":["Yes"]},{"role":"function","content":null}]"#,
            &[(User, "Hi"), (Assistant, "Yes"), (Tool, "")],
            &[],
        );
        check(
            r#"{"input":"Hi","instructions":"Be brief."}"#,
            &[(System, "Be brief."), (User, "Hi")],
            &[],
        );
        for json in ["null", "3", "{}", "[]", "\"\"", "\"{}\"", "[null,3]"] {
            check(json, &[], &[]);
        }
    }
}
