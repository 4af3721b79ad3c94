//! The shapes of a chat body, as they arrive.
//!
//! Only what a decision looks at is kept: the text of a message and which other kinds of parts it
//! has. Pictures and sound are passed over without being copied.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use pointsman_core::request::{Capabilities, Message, Role};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

use super::{
    BodyError, answer,
    keys::{Keyed, PassedOver, Rule, Watched},
    text::{Count, Tag, Text},
    unquoted::unquoted,
    vendors,
    wishes::{OWN, ObjectiveFile, ProviderFile},
};
use crate::record::RoleRecord;

/// Reads one of the shapes below.
pub(super) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, BodyError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let message = unquoted(&error);
        if error.is_data() { BodyError::Shape { message } } else { BodyError::NotJson { message } }
    })
}

#[derive(Deserialize)]
pub(super) struct BodyFile<'a> {
    #[serde(borrow)]
    pub(super) messages: Option<Vec<MessageFile<'a>>>,
    #[serde(borrow)]
    pub(super) prompt: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) input: Option<InputFile<'a>>,
    #[serde(borrow)]
    pub(super) instructions: Option<Text<'a>>,
    tools: Option<Count>,
    functions: Option<Count>,
    #[serde(borrow)]
    response_format: Option<FormatFile<'a>>,
    #[serde(borrow)]
    text: Option<TextFormatFile<'a>>,
    pub(super) max_tokens: Option<u64>,
    pub(super) max_completion_tokens: Option<u64>,
    pub(super) max_output_tokens: Option<u64>,
    pub(super) input_tokens: Option<u64>,
    #[serde(borrow)]
    reasoning: Option<ReasoningFile<'a>>,
    #[serde(borrow)]
    reasoning_effort: Option<Text<'a>>,
    #[serde(alias = "candidates", borrow)]
    pub(super) models: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub(super) deny: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub(super) provider: Option<Watched<'a, ProviderFile<'a>>>,
    pub(super) max_cost_usd: Option<f64>,
    pub(super) max_latency_ms: Option<f64>,
    #[serde(borrow)]
    pub(super) objective: Option<ObjectiveFile<'a>>,
    #[serde(borrow)]
    pub(super) session_id: Option<Text<'a>>,
    pub(super) turn: Option<u32>,
    #[serde(borrow)]
    pub(super) metadata: Option<BTreeMap<Text<'a>, Option<Tag<'a>>>>,
    pub(super) explain: Option<bool>,
    pub(super) explore: Option<bool>,
    pub(super) escalate: Option<bool>,
    temperature: Option<IgnoredAny>,
    top_p: Option<IgnoredAny>,
    top_k: Option<IgnoredAny>,
    top_a: Option<IgnoredAny>,
    min_p: Option<IgnoredAny>,
    seed: Option<IgnoredAny>,
    stop: Option<IgnoredAny>,
    frequency_penalty: Option<IgnoredAny>,
    presence_penalty: Option<IgnoredAny>,
    repetition_penalty: Option<IgnoredAny>,
    logit_bias: Option<IgnoredAny>,
    logprobs: Option<IgnoredAny>,
    top_logprobs: Option<IgnoredAny>,
    tool_choice: Option<IgnoredAny>,
    parallel_tool_calls: Option<IgnoredAny>,
    verbosity: Option<IgnoredAny>,
}

impl Watched<'_, BodyFile<'_>> {
    /// Which keys are passed over, here and in what a caller wishes.
    ///
    /// # Errors
    /// [`BodyError::UnknownKey`] where one of them must not be.
    pub(super) fn passed_over(&self) -> Result<PassedOver, BodyError> {
        let mut all = PassedOver::default();
        self.strangers.add_to(&mut all, "")?;
        if let Some(ObjectiveFile::Object(aims)) = &self.fields.objective {
            aims.strangers.add_to(&mut all, "objective")?;
        }
        if let Some(provider) = &self.fields.provider {
            provider.strangers.add_to(&mut all, "provider")?;
            if let Some(caps) = &provider.fields.max_price {
                caps.strangers.add_to(&mut all, "provider.max_price")?;
            }
        }
        Ok(all)
    }
}

impl Keyed for BodyFile<'_> {
    const RULE: Rule = Rule::Counted { own: OWN, foreign: &[vendors::KEYS, answer::OWN] };
}

#[derive(Deserialize)]
struct FormatFile<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
}

/// Where the Responses form has its `response_format`.
#[derive(Deserialize)]
struct TextFormatFile<'a> {
    #[serde(borrow)]
    format: Option<FormatFile<'a>>,
}

#[derive(Deserialize)]
struct ReasoningFile<'a> {
    #[serde(borrow)]
    effort: Option<Text<'a>>,
    enabled: Option<bool>,
}

/// A text, or the items of a conversation.
pub(super) enum InputFile<'a> {
    Text(Text<'a>),
    Items(Vec<MessageFile<'a>>),
}

/// A message, or an item of the Responses form, which may have no role.
#[derive(Deserialize)]
pub(super) struct MessageFile<'a> {
    pub(super) role: Option<RoleRecord>,
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    #[serde(default, borrow)]
    pub(super) content: ContentFile<'a>,
    #[serde(default, borrow)]
    output: ContentFile<'a>,
    #[serde(borrow)]
    arguments: Option<Text<'a>>,
}

/// The content of a message: a text, a list of parts, or nothing beside tool calls.
#[derive(Default)]
pub(super) struct ContentFile<'a> {
    /// The text of all text parts, one a line.
    pub(super) text: Cow<'a, str>,
    /// What a model must be able to do to read the other parts.
    needs: Capabilities,
}

#[derive(Deserialize)]
struct PartFile<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
}

impl BodyFile<'_> {
    /// How many functions are offered, under either of their names.
    pub(super) fn n_tools(&self) -> u32 {
        let count = |tools: Option<Count>| tools.map_or(0, |Count(count)| count);
        count(self.tools).saturating_add(count(self.functions))
    }

    /// What the parameters, not the messages, ask of a model.
    pub(super) fn needs(&self) -> Capabilities {
        let format = self.format();
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

    fn format(&self) -> Option<&str> {
        let of_responses = self.text.as_ref().and_then(|text| text.format.as_ref());
        self.response_format.as_ref().or(of_responses).map(|format| &*format.r#type.0)
    }

    /// Whether reasoning is asked for; an effort of `none` asks for its absence, which any model
    /// can give.
    fn asks_for_reasoning(&self) -> bool {
        let is_some = |effort: &Option<Text<'_>>| effort.as_ref().is_some_and(|it| it.0 != "none");
        let by_object = self.reasoning.as_ref().is_some_and(|reasoning| {
            reasoning.enabled != Some(false)
                && reasoning.effort.as_ref().is_none_or(|it| it.0 != "none")
        });
        by_object || is_some(&self.reasoning_effort)
    }

    /// The parameters that the body sets, by the names that catalogs have for them.
    pub(super) fn parameters(&self) -> Vec<Cow<'static, str>> {
        let limits = [self.max_tokens, self.max_completion_tokens, self.max_output_tokens];
        let set = [
            ("max_tokens", limits.iter().any(Option::is_some)),
            ("tools", 0 < self.n_tools()),
            ("response_format", self.format().is_some_and(|format| format != "text")),
            ("reasoning", self.asks_for_reasoning()),
            ("temperature", self.temperature.is_some()),
            ("top_p", self.top_p.is_some()),
            ("top_k", self.top_k.is_some()),
            ("top_a", self.top_a.is_some()),
            ("min_p", self.min_p.is_some()),
            ("seed", self.seed.is_some()),
            ("stop", self.stop.is_some()),
            ("frequency_penalty", self.frequency_penalty.is_some()),
            ("presence_penalty", self.presence_penalty.is_some()),
            ("repetition_penalty", self.repetition_penalty.is_some()),
            ("logit_bias", self.logit_bias.is_some()),
            ("logprobs", self.logprobs.is_some()),
            ("top_logprobs", self.top_logprobs.is_some()),
            ("tool_choice", self.tool_choice.is_some()),
            ("parallel_tool_calls", self.parallel_tool_calls.is_some()),
            ("verbosity", self.verbosity.is_some()),
        ];
        set.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name.into()).collect()
    }
}

impl<'a> MessageFile<'a> {
    /// A single text.
    pub(super) fn saying(role: RoleRecord, text: Text<'a>) -> Self {
        let content = ContentFile { text: text.0, needs: Capabilities::NONE };
        let (kind, output, arguments) = (None, ContentFile::default(), None);
        Self { role: Some(role), r#type: kind, content, output, arguments }
    }

    pub(super) fn needs(&self) -> Capabilities {
        self.content.needs.with(self.output.needs)
    }

    /// The message; an item without a role is a tool's answer if it is called an output, and
    /// something that the model said otherwise.
    pub(super) fn into_message(self) -> Message<'a> {
        let kind = self.r#type.as_ref().map_or("", |kind| &*kind.0);
        let role = match self.role {
            Some(role) => role.into(),
            None if kind.ends_with("_output") => Role::Tool,
            None => Role::Assistant,
        };
        let said = [self.content.text, self.output.text, self.arguments.unwrap_or_default().0];
        let text = said.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        Message { role, text }
    }
}

impl<'a> ContentFile<'a> {
    fn add(&mut self, part: PartFile<'a>) {
        let need = match &*part.r#type.0 {
            "image_url" | "input_image" | "image" => Capabilities::IMAGES,
            "input_audio" | "audio" => Capabilities::AUDIO,
            "file" | "input_file" => Capabilities::FILES,
            _ => Capabilities::NONE,
        };
        self.needs = self.needs.with(need);
        let Some(Text(text)) = part.text else { return };
        if self.text.is_empty() {
            self.text = text;
        } else {
            let all = self.text.to_mut();
            all.push('\n');
            all.push_str(&text);
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ContentFile<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = ContentFile<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of content parts")
    }

    fn visit_unit<E>(self) -> Result<ContentFile<'de>, E> {
        Ok(ContentFile::default())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<ContentFile<'de>, E> {
        Ok(ContentFile { text: Cow::Borrowed(text), needs: Capabilities::NONE })
    }

    fn visit_str<E>(self, text: &str) -> Result<ContentFile<'de>, E> {
        Ok(ContentFile { text: Cow::Owned(text.to_owned()), needs: Capabilities::NONE })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<ContentFile<'de>, A::Error> {
        let mut content = ContentFile::default();
        while let Some(part) = parts.next_element()? {
            content.add(part);
        }
        Ok(content)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for InputFile<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InputVisitor)
    }
}

struct InputVisitor;

impl<'de> Visitor<'de> for InputVisitor {
    type Value = InputFile<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of messages")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<InputFile<'de>, E> {
        Ok(InputFile::Text(Text(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<InputFile<'de>, E> {
        Ok(InputFile::Text(Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<InputFile<'de>, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(InputFile::Items(all))
    }
}
