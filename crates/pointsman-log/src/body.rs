//! An ordinary chat body, as any `OpenAI` client sends it, read as a request to be routed.
//!
//! Besides the chat form it takes `{"prompt": "…"}` and `{"input": …}`, and the fields by which
//! OpenRouter's callers narrow the choice. Keys that are not known here are for the provider and
//! are passed over. Its weakness: a limit under a key that is not known is not obeyed, such as
//! OpenRouter's `provider.max_price`.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat/create> and
//! <https://openrouter.ai/docs/features/provider-routing>.

use std::borrow::Cow;

use pointsman_core::{
    request::{Capabilities, Constraints, DataPolicy, Message, Request},
    units::{OutOfRange, Tokens, Usd},
};

mod wire;

use wire::{BodyFile, DataCollection, InputFile, MessageFile, ProviderFile};

/// A chat body that has been read: it owns what a [`Request`] borrows.
#[derive(Debug, Clone, Default)]
pub struct ChatBody {
    messages: Vec<Message<'static>>,
    needs: Capabilities,
    n_tools: u32,
    max_tokens: Option<Tokens>,
    limits: Limits,
}

/// What an owned [`Constraints`] would be.
#[derive(Debug, Clone, Default)]
struct Limits {
    allow_models: Vec<Cow<'static, str>>,
    deny_models: Vec<Cow<'static, str>>,
    allow_providers: Vec<Cow<'static, str>>,
    deny_providers: Vec<Cow<'static, str>>,
    data_policy: DataPolicy,
    max_cost: Option<Usd>,
    max_latency_ms: Option<f64>,
}

/// Why a body is not a request.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON at all.
    #[error("the body is not JSON: {message}")]
    NotJson { message: String },
    /// A known key with a value of the wrong type.
    #[error("the body is not a chat request: {message}")]
    Shape { message: String },
    /// Nothing to answer.
    #[error("the body has no `messages`, `prompt` or `input`; send one of them")]
    NoPrompt,
    /// A conversation of nothing.
    #[error("`{key}` is empty; send at least one message")]
    Empty { key: &'static str },
    /// A number outside the range of its unit.
    #[error("`{key}`: {problem}")]
    Number { key: &'static str, problem: OutOfRange },
}

impl ChatBody {
    /// Reads a body.
    ///
    /// Where more than one is given, `messages` goes before `prompt`, and `prompt` before `input`.
    ///
    /// # Errors
    /// [`BodyError`] for what is not JSON, for a known key with a value of the wrong type, for a
    /// body without a prompt or with an empty conversation, and for limits that are no amounts.
    pub fn from_json(bytes: &[u8]) -> Result<Self, BodyError> {
        let file: BodyFile = serde_json::from_slice(bytes).map_err(|error| {
            let message = error.to_string();
            if error.is_data() {
                BodyError::Shape { message }
            } else {
                BodyError::NotJson { message }
            }
        })?;
        Self::try_from(file)
    }

    /// The request, borrowed from this body.
    pub fn to_request(&self) -> Request<'_> {
        Request {
            messages: Cow::Borrowed(&self.messages),
            needs: self.needs,
            n_tools: self.n_tools,
            max_tokens: self.max_tokens,
            input_tokens: None,
            constraints: self.limits.to_constraints(),
        }
    }
}

impl TryFrom<BodyFile> for ChatBody {
    type Error = BodyError;

    fn try_from(file: BodyFile) -> Result<Self, BodyError> {
        let needs = file.needs();
        let n_tools = file.n_tools();
        let max_tokens = [file.max_tokens, file.max_completion_tokens, file.max_output_tokens];
        let limits = Limits::of(&file)?;
        let messages = conversation(file)?;
        Ok(Self {
            needs: messages
                .iter()
                .map(|message| message.content.needs)
                .fold(needs, Capabilities::with),
            messages: messages.into_iter().map(MessageFile::into_message).collect(),
            n_tools,
            max_tokens: max_tokens.into_iter().flatten().min().map(Tokens::new),
            limits,
        })
    }
}

fn conversation(file: BodyFile) -> Result<Vec<MessageFile>, BodyError> {
    let (key, messages) = match (file.messages, file.prompt, file.input) {
        (Some(messages), _, _) => ("messages", messages),
        (None, Some(prompt), _) => ("prompt", vec![MessageFile::from_user(prompt)]),
        (None, None, Some(InputFile::Text(text))) => ("input", vec![MessageFile::from_user(text)]),
        (None, None, Some(InputFile::Messages(messages))) => ("input", messages),
        (None, None, None) => return Err(BodyError::NoPrompt),
    };
    if messages.is_empty() {
        return Err(BodyError::Empty { key });
    }
    Ok(messages)
}

impl Limits {
    fn of(file: &BodyFile) -> Result<Self, BodyError> {
        let owned = |names: &Option<Vec<String>>| {
            names.iter().flatten().map(|name| Cow::Owned(name.clone())).collect()
        };
        let max_cost = file.max_cost_usd.map(Usd::from_dollars).transpose();
        let none = ProviderFile::default();
        let provider = file.provider.as_ref().unwrap_or(&none);
        Ok(Self {
            allow_models: owned(&file.models),
            deny_models: owned(&file.deny),
            allow_providers: owned(&provider.only),
            deny_providers: owned(&provider.ignore),
            data_policy: data_policy(provider),
            max_cost: max_cost
                .map_err(|problem| BodyError::Number { key: "max_cost_usd", problem })?,
            max_latency_ms: file.max_latency_ms.map(positive_ms).transpose()?,
        })
    }

    fn to_constraints(&self) -> Constraints<'_> {
        Constraints {
            allow_models: Cow::Borrowed(&self.allow_models),
            deny_models: Cow::Borrowed(&self.deny_models),
            allow_providers: Cow::Borrowed(&self.allow_providers),
            deny_providers: Cow::Borrowed(&self.deny_providers),
            data_policy: self.data_policy,
            max_cost: self.max_cost,
            max_latency_ms: self.max_latency_ms,
        }
    }
}

fn data_policy(provider: &ProviderFile) -> DataPolicy {
    if provider.zdr == Some(true) {
        return DataPolicy::ZeroRetention;
    }
    match provider.data_collection {
        Some(DataCollection::Deny) => DataPolicy::NoTraining,
        Some(DataCollection::Allow) | None => DataPolicy::MayTrain,
    }
}

fn positive_ms(ms: f64) -> Result<f64, BodyError> {
    if 0.0 < ms && ms.is_finite() {
        return Ok(ms);
    }
    Err(BodyError::Number { key: "max_latency_ms", problem: OutOfRange::positive(ms) })
}

#[cfg(test)]
mod tests;
