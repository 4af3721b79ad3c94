//! What a caller sent, as the decision sees it: borrowed, already parsed.
//!
//! The shapes of the wire (chat bodies, log records) are turned into this type at the
//! edge; nothing here knows JSON.

use std::borrow::Cow;

use crate::units::{Price, Tokens, Usd};

/// One call to be routed.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// The conversation so far, oldest first.
    pub messages: Cow<'a, [Message<'a>]>,
    /// What the answer must be able to do beyond text.
    pub needs: Capabilities,
    /// How many tools are offered to the model.
    pub n_tools: u32,
    /// The most output tokens the caller accepts.
    pub max_tokens: Option<Tokens>,
    /// The exact prompt length, where the caller knows it; else it is estimated from the bytes.
    pub input_tokens: Option<Tokens>,
    /// The caller's own limits and preferences.
    pub constraints: Constraints<'a>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// Who speaks.
    pub role: Role,
    /// The text of all text parts, in order.
    pub text: Cow<'a, str>,
}

/// Who speaks in a [`Message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Instructions of the application (`system`, `developer`).
    System,
    /// The person, or the program, that asks.
    User,
    /// A model's earlier answer.
    Assistant,
    /// What a tool returned.
    Tool,
}

/// A set of things that a model can do, or that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u8);

/// The names of the capabilities, in bit order, as catalogs spell them.
pub const CAPABILITY_NAMES: [&str; 6] =
    ["tools", "images", "json_schema", "audio", "files", "reasoning"];

impl Capabilities {
    /// Plain text in, plain text out.
    pub const NONE: Self = Self(0);
    /// Calls functions.
    pub const TOOLS: Self = Self(1);
    /// Reads images.
    pub const IMAGES: Self = Self(2);
    /// Answers in a given JSON schema.
    pub const JSON_SCHEMA: Self = Self(4);
    /// Reads audio.
    pub const AUDIO: Self = Self(8);
    /// Reads attached files.
    pub const FILES: Self = Self(16);
    /// Takes reasoning parameters.
    pub const REASONING: Self = Self(32);

    /// The capability of that name in [`CAPABILITY_NAMES`].
    pub fn named(name: &str) -> Option<Self> {
        CAPABILITY_NAMES.iter().position(|&known| known == name).map(|bit| Self(1 << bit))
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What of this set is not in `offered`.
    #[must_use]
    pub const fn missing_from(self, offered: Self) -> Self {
        Self(self.0 & !offered.0)
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names in the set, in the order of [`CAPABILITY_NAMES`].
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        CAPABILITY_NAMES
            .iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 >> bit & 1 == 1)
            .map(|(_, name)| *name)
    }
}

/// What a provider may do with the prompts it is sent, from the laxest to the strictest.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    serde::Deserialize,
    serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum DataPolicy {
    /// Prompts may train models, or nothing is known.
    #[default]
    MayTrain,
    /// Prompts are kept for a while but do not train models.
    NoTraining,
    /// Prompts are not kept.
    ZeroRetention,
}

/// Hard limits of one request. They come before any score and cannot be traded away.
#[derive(Debug, Clone, Default)]
pub struct Constraints<'a> {
    /// Only these models; every model where empty.
    pub allow_models: Cow<'a, [Cow<'a, str>]>,
    /// Never these models.
    pub deny_models: Cow<'a, [Cow<'a, str>]>,
    /// Only these providers; every provider where empty.
    pub allow_providers: Cow<'a, [Cow<'a, str>]>,
    /// Never these providers.
    pub deny_providers: Cow<'a, [Cow<'a, str>]>,
    /// The laxest data policy that is acceptable.
    pub data_policy: DataPolicy,
    /// The most that the expected cost of one answer may be.
    pub max_cost: Option<Usd>,
    /// The most that the expected time to the whole answer may be.
    pub max_latency_ms: Option<f64>,
    /// Only endpoints with these weight formats; every format where empty. An endpoint that does
    /// not say is `unknown`.
    pub quantizations: Cow<'a, [Cow<'a, str>]>,
    /// Request parameters that the endpoint must obey.
    pub parameters: Cow<'a, [Cow<'a, str>]>,
    /// The most that an endpoint may ask for a prompt.
    pub max_input_price: Option<Price>,
    /// The most that an endpoint may ask for an answer.
    pub max_output_price: Option<Price>,
    /// Which of a model's accepted endpoints is taken.
    pub endpoints: EndpointChoice<'a>,
}

/// Which of the endpoints that may be used is taken: by the caller's order, then one that keeps
/// the preferences, then by the sort.
#[derive(Debug, Clone, Default)]
pub struct EndpointChoice<'a> {
    /// Providers in the order in which the caller wants them tried.
    pub order: Cow<'a, [Cow<'a, str>]>,
    /// Whether providers that are not in the order may be used, and others after a failure.
    pub others: OtherProviders,
    /// What decides among equals.
    pub sort: EndpointSort,
    /// The typical speed that is preferred; one that is not known does not reach it.
    pub min_tokens_per_second: Option<f64>,
    /// The typical time to the first token that is preferred; one that is not known exceeds it.
    pub max_ttft_ms: Option<f64>,
}

/// Whether a caller puts up with providers beyond those that it put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OtherProviders {
    /// They come after those in the order.
    #[default]
    Accepted,
    /// They do not come into question; and nothing is tried after a failure.
    Refused,
}

/// What decides among the endpoints of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EndpointSort {
    /// The least expected cost.
    #[default]
    Price,
    /// The most output tokens per second.
    Throughput,
    /// The least time to the first token.
    Latency,
}

impl EndpointChoice<'_> {
    /// Whether the cheapest is taken, and nothing else matters.
    #[inline]
    pub fn is_by_price_alone(&self) -> bool {
        let Self { order, others: _, sort, min_tokens_per_second, max_ttft_ms } = self;
        order.is_empty()
            && *sort == EndpointSort::Price
            && min_tokens_per_second.is_none()
            && max_ttft_ms.is_none()
    }
}

/// The same names, lent.
fn lent<'b>(names: &'b [Cow<'b, str>]) -> Cow<'b, [Cow<'b, str>]> {
    Cow::Borrowed(names)
}

impl<'a> Request<'a> {
    /// A single user message and nothing else.
    pub fn from_prompt(prompt: &'a str) -> Self {
        let message = Message { role: Role::User, text: Cow::Borrowed(prompt) };
        Self { messages: Cow::Owned(vec![message]), ..Self::default() }
    }

    /// The same request, to which these models are denied as well.
    #[must_use]
    pub fn denying<'b>(&'b self, models: &'b [Cow<'b, str>]) -> Request<'b> {
        let own = &self.constraints;
        let deny_models = match lent(&own.deny_models) {
            denied if denied.is_empty() => Cow::Borrowed(models),
            denied if models.is_empty() => denied,
            denied => denied.iter().chain(models).cloned().collect(),
        };
        Request {
            messages: Cow::Borrowed(&self.messages[..]),
            needs: self.needs,
            n_tools: self.n_tools,
            max_tokens: self.max_tokens,
            input_tokens: self.input_tokens,
            constraints: Constraints {
                allow_models: lent(&own.allow_models),
                deny_models,
                allow_providers: lent(&own.allow_providers),
                deny_providers: lent(&own.deny_providers),
                data_policy: own.data_policy,
                max_cost: own.max_cost,
                max_latency_ms: own.max_latency_ms,
                quantizations: lent(&own.quantizations),
                parameters: lent(&own.parameters),
                max_input_price: own.max_input_price,
                max_output_price: own.max_output_price,
                endpoints: EndpointChoice {
                    order: lent(&own.endpoints.order),
                    others: own.endpoints.others,
                    sort: own.endpoints.sort,
                    min_tokens_per_second: own.endpoints.min_tokens_per_second,
                    max_ttft_ms: own.endpoints.max_ttft_ms,
                },
            },
        }
    }

    /// The bytes of text in all messages.
    pub fn n_bytes(&self) -> usize {
        self.messages.iter().map(|message| message.text.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_know_their_names() {
        for name in CAPABILITY_NAMES {
            let one = Capabilities::named(name).unwrap();
            assert_eq!(one.names().collect::<Vec<_>>(), [name]);
        }
        assert_eq!(Capabilities::named("telepathy"), None);
        let both = Capabilities::TOOLS.with(Capabilities::IMAGES);
        assert_eq!(both.missing_from(Capabilities::TOOLS), Capabilities::IMAGES);
    }

    #[test]
    fn denied_models_come_after_those_that_were() {
        let names = |all: &[&'static str]| all.iter().map(|name| Cow::Borrowed(*name)).collect();
        for (own, more, expected) in [
            (&[][..], &[][..], &[][..]),
            (&["a"], &[], &["a"]),
            (&[], &["b"], &["b"]),
            (&["a"], &["b", "c"], &["a", "b", "c"]),
        ] {
            let more: Vec<Cow<'_, str>> = names(more);
            let constraints = Constraints {
                deny_models: Cow::Owned(names(own)),
                allow_models: Cow::Owned(names(&["a", "d"])),
                max_latency_ms: Some(7.0),
                ..Constraints::default()
            };
            let request =
                Request { n_tools: 3, constraints, ..Request::from_prompt("Sort these.") };
            let found = request.denying(&more);
            assert_eq!(&*found.constraints.deny_models, names(expected));
            assert_eq!(found.constraints.allow_models, request.constraints.allow_models);
            assert_eq!(found.constraints.max_latency_ms, Some(7.0));
            assert_eq!((found.n_tools, &found.messages), (3, &request.messages));
        }
    }
}
