//! An ordinary chat body, as any `OpenAI` client sends it, read as a request to be routed.
//!
//! Besides the chat form it takes `{"prompt": "…"}` and the Responses form's `{"input": …}`, the
//! fields by which OpenRouter's callers narrow the choice, and those of our own: `objective`,
//! `candidates`, `deny`, `max_cost_usd`, `max_latency_ms`, `input_tokens`, `explore`, `escalate`,
//! `explain`. Keys that are not known here are for the provider: they are passed over, counted and
//! named, but for those that are nearly keys of our own, which are refused. Texts are borrowed from the
//! body wherever it holds them as they are. Its weakness: OpenRouter's caps on prices per request and
//! per image, and its wish for models whose answers may be trained on, are passed over, since catalogs
//! do not know them.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat/create>,
//! <https://platform.openai.com/docs/api-reference/responses/create> and
//! <https://openrouter.ai/docs/features/provider-routing>.

use std::borrow::Cow;

use pointsman_core::{
    circumstances::Outlook,
    objective::{Objective, WeightError, Weights},
    request::{Capabilities, Message, Request, Role},
    units::{OutOfRange, Quality, Tokens, Usd},
};

mod answer;
mod keys;
mod limits;
mod text;
mod unquoted;
mod usage;
mod vendors;
mod wire;
mod wishes;

pub use answer::AnswerBody;
pub use keys::unknown_keys;
pub use unquoted::unquoted;
pub use usage::UsageBody;

use crate::record::RoleRecord;
use keys::{PassedOver, Watched};
use limits::Limits;
use text::Text;
use wire::{BodyFile, InputFile, MessageFile};
use wishes::{AimFile, ObjectiveFile};

/// A chat body that has been read: it holds what a [`Request`] borrows.
#[derive(Debug, Clone, Default)]
pub struct ChatBody<'a> {
    messages: Vec<Message<'a>>,
    needs: Capabilities,
    n_tools: u32,
    max_tokens: Option<Tokens>,
    input_tokens: Option<Tokens>,
    limits: Limits<'a>,
    passed_over: PassedOver,
    /// What the caller asks of the router itself.
    pub asks: Asks<'a>,
}

/// What a caller asks of the router itself, not of the models.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asks<'a> {
    /// What to strive for; the policy's own aim where `None`.
    pub aim: Option<Aim<'a>>,
    /// The conversation that the call belongs to.
    pub session_id: Option<Cow<'a, str>>,
    /// Its place in the conversation, from 0.
    pub turn: Option<u32>,
    /// What else the caller says of the call, in the order of the names.
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Whether the caller wants to know which words moved the decision.
    pub explain: Explain,
    /// Whether the caller lets the router try a model that is not the best.
    pub explore: Explore,
    /// Whether the caller will ask what to do with the answer.
    pub outlook: Outlook,
}

/// What to strive for, as a caller says it.
#[derive(Debug, Clone, PartialEq)]
pub enum Aim<'a> {
    /// An operating point of the policy, by its name.
    Point(Cow<'a, str>),
    /// An objective of the caller's own.
    Objective(Objective),
}

/// Whether a decision is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Explain {
    /// It costs time and space.
    #[default]
    No,
    /// With the words that moved it.
    Yes,
}

/// Whether a decision may explore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Explore {
    /// As the service is set up to.
    #[default]
    Allowed,
    /// Never on this call.
    Refused,
}

/// How many tags a call may have, and how long their names and values may be, in characters.
/// Source: the metadata of <https://platform.openai.com/docs/api-reference/chat/create>.
const MAX_TAGS: usize = 16;
const MAX_TAG_NAME_CHARS: usize = 64;
const MAX_TAG_CHARS: usize = 512;

/// The longest session id, in characters.
const MAX_SESSION_ID_CHARS: usize = 256;

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
    /// An answer to nothing that is known.
    #[error("the body has no `decision_id`; send that of the decision whose answer it is")]
    NoDecision,
    /// Nothing to judge.
    #[error("the body has no `answer` or `choices`; send one of them, even if it is empty")]
    NoAnswer,
    /// A conversation of nothing.
    #[error("`{key}` is empty; send at least one message")]
    Empty { key: &'static str },
    /// A number outside the range of its unit.
    #[error("`{key}`: {problem}")]
    Number { key: &'static str, problem: OutOfRange },
    /// A message that nobody says.
    #[error("`messages[{index}]` has no `role`; say system, user, assistant or tool")]
    NoRole { index: usize },
    /// Two aims at once, or none.
    #[error("`objective` holds {found} of preset, lambda, min_quality and max_cost_usd; give one")]
    Objective { found: usize },
    /// A weight that is none.
    #[error("`objective.lambda`: {problem}")]
    Weight { problem: WeightError },
    /// More to write down than a caller may ask for.
    #[error("`{key}` {problem}")]
    TooLong { key: &'static str, problem: &'static str },
    /// A key that is nearly one of ours, or that stands where only ours may.
    #[error("`{key}` is not known; {advice}")]
    UnknownKey { key: String, advice: String },
}

impl<'a> ChatBody<'a> {
    /// Reads a body.
    ///
    /// Where more than one is given, `messages` goes before `prompt`, and `prompt` before `input`.
    ///
    /// # Errors
    /// [`BodyError`] for what is not JSON, for a known key with a value of the wrong type or twice,
    /// for a key that is nearly one of ours, for a body without a prompt or with an empty
    /// conversation, for limits that are no amounts, for an objective that is not one, and for tags
    /// or a session id that are too long.
    pub fn from_json(bytes: &'a [u8]) -> Result<Self, BodyError> {
        let file: Watched<'a, BodyFile<'a>> = wire::read(bytes)?;
        Self::try_from(file)
    }

    /// The request, borrowed from this body.
    pub fn to_request(&self) -> Request<'_> {
        Request {
            messages: Cow::Borrowed(&self.messages),
            needs: self.needs,
            n_tools: self.n_tools,
            max_tokens: self.max_tokens,
            input_tokens: self.input_tokens,
            constraints: self.limits.to_constraints(),
        }
    }

    /// The models that the caller names as candidates; every model where empty.
    pub fn candidates(&self) -> &[Cow<'a, str>] {
        &self.limits.allow_models
    }

    /// How many keys were passed over that neither we nor a vendor that we know of would read.
    pub fn n_unknown_keys(&self) -> u32 {
        self.passed_over.n
    }

    /// What the first few of them are called, such as `provider.colour`; each is one line, and cut
    /// where it is long.
    pub fn unknown_keys(&self) -> &[String] {
        &self.passed_over.names
    }

    /// Whether a tool has just answered, so that the model that called it should go on.
    pub fn is_in_tool_loop(&self) -> bool {
        self.messages.last().is_some_and(|last| last.role == Role::Tool)
    }
}

impl<'a> TryFrom<Watched<'a, BodyFile<'a>>> for ChatBody<'a> {
    type Error = BodyError;

    fn try_from(body: Watched<'a, BodyFile<'a>>) -> Result<Self, BodyError> {
        let passed_over = body.passed_over()?;
        let mut file = body.fields;
        let needs = file.needs();
        let n_tools = file.n_tools();
        check_tokens(&[
            ("max_tokens", file.max_tokens),
            ("max_completion_tokens", file.max_completion_tokens),
            ("max_output_tokens", file.max_output_tokens),
            ("input_tokens", file.input_tokens),
        ])?;
        let max_tokens = [file.max_tokens, file.max_completion_tokens, file.max_output_tokens];
        let input_tokens = file.input_tokens.map(Tokens::new);
        let asks = Asks::of(&mut file)?;
        let limits = Limits::of(&mut file)?;
        let messages = conversation(file)?;
        Ok(Self {
            needs: messages.iter().map(MessageFile::needs).fold(needs, Capabilities::with),
            messages: messages.into_iter().map(MessageFile::into_message).collect(),
            n_tools,
            max_tokens: max_tokens.into_iter().flatten().min().map(Tokens::new),
            input_tokens,
            limits,
            passed_over,
            asks,
        })
    }
}

/// Whether counts of tokens are some that other programs can read: signed numbers of 64 bits.
fn check_tokens(counts: &[(&'static str, Option<u64>)]) -> Result<(), BodyError> {
    let is_over = |count: u64| i64::try_from(count).is_err();
    match counts.iter().find(|(_, count)| count.is_some_and(is_over)) {
        Some(&(key, _)) => Err(BodyError::TooLong { key, problem: "is 2^63 tokens or more" }),
        None => Ok(()),
    }
}

fn conversation(file: BodyFile<'_>) -> Result<Vec<MessageFile<'_>>, BodyError> {
    let from_user = |text| vec![MessageFile::saying(RoleRecord::User, text)];
    let (key, mut messages) = match (file.messages, file.prompt, file.input) {
        (Some(messages), _, _) => {
            if let Some(index) = messages.iter().position(|message| message.role.is_none()) {
                return Err(BodyError::NoRole { index });
            }
            ("messages", messages)
        }
        (None, Some(prompt), _) => ("prompt", from_user(prompt)),
        (None, None, Some(InputFile::Text(text))) => ("input", from_user(text)),
        (None, None, Some(InputFile::Items(items))) => ("input", items),
        (None, None, None) => return Err(BodyError::NoPrompt),
    };
    if messages.is_empty() {
        return Err(BodyError::Empty { key });
    }
    if let Some(instructions) = file.instructions {
        messages.insert(0, MessageFile::saying(RoleRecord::System, instructions));
    }
    Ok(messages)
}

impl<'a> Asks<'a> {
    fn of(file: &mut BodyFile<'a>) -> Result<Self, BodyError> {
        let tags: Vec<_> = file
            .metadata
            .take()
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, tag)| Some((name.0, tag?.0)))
            .collect();
        if MAX_TAGS < tags.len() {
            return Err(BodyError::TooLong { key: "metadata", problem: "has over 16 entries" });
        }
        let is_over = |text: &str, limit: usize| text.chars().nth(limit).is_some();
        let is_long = |(name, tag): &(Cow<'_, str>, Cow<'_, str>)| {
            is_over(name, MAX_TAG_NAME_CHARS) || is_over(tag, MAX_TAG_CHARS)
        };
        if tags.iter().any(is_long) {
            let problem = "has a name over 64 characters or a value over 512";
            return Err(BodyError::TooLong { key: "metadata", problem });
        }
        let session_id = file.session_id.take().map(|Text(id)| id);
        if session_id.as_ref().is_some_and(|id| is_over(id, MAX_SESSION_ID_CHARS)) {
            let problem = "is over 256 characters";
            return Err(BodyError::TooLong { key: "session_id", problem });
        }
        Ok(Self {
            aim: file.objective.take().map(Aim::of).transpose()?,
            session_id: session_id.filter(|id| !id.is_empty()),
            turn: file.turn,
            tags,
            explain: if file.explain == Some(true) { Explain::Yes } else { Explain::No },
            explore: if file.explore == Some(false) { Explore::Refused } else { Explore::Allowed },
            outlook: if file.escalate == Some(false) {
                Outlook::FinalAnswer
            } else {
                Outlook::Cascade
            },
        })
    }
}

impl<'a> Aim<'a> {
    fn of(file: ObjectiveFile<'a>) -> Result<Self, BodyError> {
        let AimFile { preset, lambda, min_quality, max_cost_usd } = match file {
            ObjectiveFile::Preset(Text(name)) => return Ok(Self::Point(name)),
            ObjectiveFile::Object(aims) => aims.fields,
        };
        let number = |key| move |problem| BodyError::Number { key, problem };
        match (preset, lambda, min_quality, max_cost_usd) {
            (Some(Text(name)), None, None, None) => Ok(Self::Point(name)),
            (None, Some(lambda), None, None) => Weights::new(lambda, 0.0)
                .map(|weights| Self::Objective(Objective::Tradeoff(weights)))
                .map_err(|problem| BodyError::Weight { problem }),
            (None, None, Some(floor), None) => Quality::new(floor)
                .map(|floor| Self::Objective(Objective::QualityFloor(floor)))
                .map_err(number("objective.min_quality")),
            (None, None, None, Some(cap)) => Usd::from_dollars(cap)
                .map(|cap| Self::Objective(Objective::CostCap(cap)))
                .map_err(number("objective.max_cost_usd")),
            (preset, lambda, floor, cap) => {
                let given = [preset.is_some(), lambda.is_some(), floor.is_some(), cap.is_some()];
                Err(BodyError::Objective { found: given.into_iter().filter(|it| *it).count() })
            }
        }
    }
}

#[cfg(test)]
mod tests;
