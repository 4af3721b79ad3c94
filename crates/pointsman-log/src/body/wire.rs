//! The shapes of a chat body, as they arrive.
//!
//! Only what a decision looks at is kept: the text of a message and which other kinds of parts it
//! has. Pictures and sound are passed over without being copied.

use std::{borrow::Cow, fmt};

use pointsman_core::request::{Capabilities, Message};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

use crate::record::RoleRecord;

#[derive(Deserialize)]
pub(super) struct BodyFile {
    pub(super) messages: Option<Vec<MessageFile>>,
    pub(super) prompt: Option<String>,
    pub(super) input: Option<InputFile>,
    tools: Option<Vec<IgnoredAny>>,
    functions: Option<Vec<IgnoredAny>>,
    response_format: Option<FormatFile>,
    pub(super) max_tokens: Option<u64>,
    pub(super) max_completion_tokens: Option<u64>,
    pub(super) max_output_tokens: Option<u64>,
    reasoning: Option<ReasoningFile>,
    reasoning_effort: Option<String>,
    #[serde(alias = "candidates")]
    pub(super) models: Option<Vec<String>>,
    pub(super) deny: Option<Vec<String>>,
    pub(super) provider: Option<ProviderFile>,
    pub(super) max_cost_usd: Option<f64>,
    pub(super) max_latency_ms: Option<f64>,
}

#[derive(Deserialize, Default)]
pub(super) struct ProviderFile {
    pub(super) only: Option<Vec<String>>,
    pub(super) ignore: Option<Vec<String>>,
    pub(super) data_collection: Option<DataCollection>,
    pub(super) zdr: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DataCollection {
    Allow,
    Deny,
}

#[derive(Deserialize)]
struct FormatFile {
    r#type: String,
}

#[derive(Deserialize)]
struct ReasoningFile {
    effort: Option<String>,
    enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "`input` is neither a text nor a list of messages")]
pub(super) enum InputFile {
    Text(String),
    Messages(Vec<MessageFile>),
}

#[derive(Deserialize)]
pub(super) struct MessageFile {
    role: RoleRecord,
    #[serde(default)]
    pub(super) content: ContentFile,
}

/// The content of a message: a text, a list of parts, or nothing beside tool calls.
#[derive(Default)]
pub(super) struct ContentFile {
    /// The text of all text parts, one a line.
    text: String,
    /// What a model must be able to do to read the other parts.
    pub(super) needs: Capabilities,
}

#[derive(Deserialize)]
struct PartFile {
    r#type: String,
    text: Option<String>,
}

impl BodyFile {
    /// How many functions are offered, under either of their names.
    pub(super) fn n_tools(&self) -> u32 {
        let n_tools: usize =
            [&self.tools, &self.functions].into_iter().flatten().map(Vec::len).sum();
        u32::try_from(n_tools).unwrap_or(u32::MAX)
    }

    /// What the parameters, not the messages, ask of a model.
    pub(super) fn needs(&self) -> Capabilities {
        let format = self.response_format.as_ref().map(|format| format.r#type.as_str());
        let asked = [
            (0 < self.n_tools(), Capabilities::TOOLS),
            (matches!(format, Some("json_schema" | "json_object")), Capabilities::JSON_SCHEMA),
            (self.asks_for_reasoning(), Capabilities::REASONING),
        ];
        asked
            .iter()
            .filter(|(yes, _)| *yes)
            .fold(Capabilities::NONE, |all, (_, one)| all.with(*one))
    }

    /// Whether reasoning is asked for; an effort of `none` asks for its absence, which any model
    /// can give.
    fn asks_for_reasoning(&self) -> bool {
        let some = |effort: &Option<String>| effort.as_deref().is_some_and(|it| it != "none");
        let by_object = self.reasoning.as_ref().is_some_and(|reasoning| {
            reasoning.enabled != Some(false) && reasoning.effort.as_deref() != Some("none")
        });
        by_object || some(&self.reasoning_effort)
    }
}

impl MessageFile {
    /// A single question.
    pub(super) fn from_user(text: String) -> Self {
        Self { role: RoleRecord::User, content: ContentFile { text, needs: Capabilities::NONE } }
    }

    pub(super) fn into_message(self) -> Message<'static> {
        Message { role: self.role.into(), text: Cow::Owned(self.content.text) }
    }
}

impl ContentFile {
    fn add(&mut self, part: PartFile) {
        let need = match part.r#type.as_str() {
            "image_url" | "input_image" | "image" => Capabilities::IMAGES,
            "input_audio" | "audio" => Capabilities::AUDIO,
            "file" | "input_file" => Capabilities::FILES,
            _ => Capabilities::NONE,
        };
        self.needs = self.needs.with(need);
        let Some(text) = part.text else { return };
        if self.text.is_empty() {
            self.text = text;
        } else {
            self.text.push('\n');
            self.text.push_str(&text);
        }
    }
}

impl<'de> Deserialize<'de> for ContentFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = ContentFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of content parts")
    }

    fn visit_unit<E>(self) -> Result<ContentFile, E> {
        Ok(ContentFile::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<ContentFile, E> {
        Ok(ContentFile { text: text.to_owned(), needs: Capabilities::NONE })
    }

    fn visit_string<E>(self, text: String) -> Result<ContentFile, E> {
        Ok(ContentFile { text, needs: Capabilities::NONE })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<ContentFile, A::Error> {
        let mut content = ContentFile::default();
        while let Some(part) = parts.next_element()? {
            content.add(part);
        }
        Ok(content)
    }
}
