//! Price lists of others, read as models of a catalog.
//!
//! A list is first taken apart into [`Offer`]s, one for each place where a model can be called, so
//! that a caller can choose among them by name; [`assemble`] then makes models of them. What a
//! catalog cannot hold is left out by reason, or noted where the rest of the offer can be held.
//! Prices are read from their decimal digits and never pass through floating-point arithmetic.

mod assemble;
mod decimal;
mod field;
mod litellm;
mod models_dev;
mod openrouter;

use crate::open::PARQUET;
use pointsman_core::{
    catalog::{Model, Prices},
    request::Capabilities,
    units::Tokens,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

pub use assemble::assemble;

/// Whose price list it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceFormat {
    /// OpenRouter's list of models, or of one model's endpoints.
    OpenRouter,
    /// The `api.json` of models.dev.
    ModelsDev,
    /// LiteLLM's `model_prices_and_context_window.json`.
    LiteLlm,
}

/// A place where a model can be called, as a list has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The model's name.
    pub model: String,
    /// Where it is called.
    pub provider: String,
    /// What that costs and allows, or why a catalog cannot hold it.
    pub terms: Result<Terms, LeftOut>,
}

/// What an [`Offer`] costs and allows.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// What it charges.
    pub prices: Prices,
    /// The most tokens of prompt and answer together.
    pub context_window: Option<Tokens>,
    /// The most tokens of one answer.
    pub max_output_tokens: Option<Tokens>,
    /// What it can do beyond text.
    pub capabilities: Capabilities,
    /// How coarsely the weights are kept.
    pub quantization: Option<String>,
    /// The request parameters that it obeys, in alphabetical order.
    pub parameters: Option<Vec<String>>,
    /// What of it a catalog does not hold.
    pub notes: BTreeSet<Note>,
}

/// Why an offer is not in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// Embeddings, images, speech, search, moderation.
    NotChat,
    /// The entry that explains the list.
    Sample,
    /// Not an object with the fields of the list.
    NotAnEntry,
    /// Nothing says what a token costs.
    NoPrice,
    /// A router's own entry: what it costs is decided at each call.
    NegativePrice,
    /// Text where a price should be, or more than a catalog can hold.
    BadPrice,
    /// It costs nothing, so that it would always be the cheapest.
    Free,
    /// The model, the provider and the weight format of an earlier entry.
    Repeated,
}

/// What a catalog does not hold of an offer, or holds in another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// A fee for each call.
    PerRequest,
    /// A higher price above some length of the prompt.
    LongPrompts,
    /// A price for what is written to the cache.
    CacheWrites,
    /// A price of its own for reasoning tokens.
    Reasoning,
    /// More digits than a nanodollar per million tokens.
    Rounded,
    /// A weight format that catalogs do not know.
    UnknownQuantization,
    /// Said to be on its way out.
    Deprecated,
    /// Capabilities that some providers of the model do not state.
    FewerCapabilities,
    /// Providers of the model that cut an answer at different lengths.
    ShorterAnswer,
}

/// What is done with models that cost nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Free {
    /// They are left out and counted.
    LeftOut,
    /// They are models like others, at no cost.
    Kept,
}

/// The models of a list, and what of it they do not hold.
#[derive(Debug, Clone, PartialEq)]
pub struct PriceList {
    /// In alphabetical order; the endpoints of each, too.
    pub models: Vec<Model>,
    /// The names of what was left out, as `model at provider`, in the order of the list.
    pub left_out: BTreeMap<LeftOut, Vec<String>>,
    /// How many endpoints, or models, each note is about.
    pub notes: BTreeMap<Note, u64>,
}

/// Why a price list cannot be read at all.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, thiserror::Error)]
pub enum PriceListError {
    /// Not JSON.
    #[error("it is not JSON: {message}; download the list again")]
    NotJson { message: String },
    /// Parquet, which nobody publishes prices in.
    #[error("it is Parquet, and price lists are JSON; take the list as its source has it")]
    Parquet,
    /// JSON of another shape.
    #[error(
        "it is no price list of OpenRouter (`data` with `pricing`), models.dev (providers with `models`) or LiteLLM (entries with `litellm_provider`); name its format with --from if it is one"
    )]
    Unknown,
    /// JSON of another shape than was said.
    #[error("it is not of the form of {format}: {what}")]
    NotThatFormat { format: PriceFormat, what: &'static str },
}

/// Takes a list apart, in the order of its file; of models.dev and LiteLLM, in alphabetical order.
/// Without a `format`, the list's own shape says whose it is.
///
/// # Errors
/// [`PriceListError`] where the text is not JSON, or not of the shape of a list that is known.
pub fn offers(
    text: &[u8],
    format: Option<PriceFormat>,
) -> Result<(PriceFormat, Vec<Offer>), PriceListError> {
    if text.starts_with(PARQUET) {
        return Err(PriceListError::Parquet);
    }
    let list: Value = serde_json::from_slice(text)
        .map_err(|source| PriceListError::NotJson { message: source.to_string() })?;
    let format = match format {
        Some(format) => format,
        None => recognise(&list).ok_or(PriceListError::Unknown)?,
    };
    let offers = match format {
        PriceFormat::OpenRouter => openrouter::offers(&list),
        PriceFormat::ModelsDev => models_dev::offers(&list),
        PriceFormat::LiteLlm => litellm::offers(&list),
    };
    let offers = offers.map_err(|what| PriceListError::NotThatFormat { format, what })?;
    Ok((format, offers))
}

/// Whose list has this shape.
fn recognise(list: &Value) -> Option<PriceFormat> {
    let entries = list.as_object()?;
    if list.get("data").is_some_and(|data| data.is_array() || data.is_object()) {
        return Some(PriceFormat::OpenRouter);
    }
    let holds = |key: &str| entries.values().any(|entry| entry.get(key).is_some());
    if holds("litellm_provider") {
        return Some(PriceFormat::LiteLlm);
    }
    holds("models").then_some(PriceFormat::ModelsDev)
}

impl Offer {
    /// The offer in the words of a report.
    pub fn name(&self) -> String {
        format!("{} at {}", self.model, self.provider)
    }
}

impl fmt::Display for PriceFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenRouter => "OpenRouter",
            Self::ModelsDev => "models.dev",
            Self::LiteLlm => "LiteLLM",
        })
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotChat => "no chat model: it takes no text, gives none, or is called otherwise",
            Self::Sample => "the sample entry of the list",
            Self::NotAnEntry => "not an entry of this list",
            Self::NoPrice => "no price per token",
            Self::NegativePrice => "a negative price: a router that decides at each call",
            Self::BadPrice => "a price that is no number, or too large",
            Self::Free => "free of charge",
            Self::Repeated => "a second entry for its model and provider",
        })
    }
}

impl Note {
    /// What one endpoint or model does, and what several do.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::PerRequest => ("also charges for each request", "also charge for each request"),
            Self::LongPrompts => ("charges more for long prompts", "charge more for long prompts"),
            Self::CacheWrites => (
                "charges for what is written to the cache",
                "charge for what is written to the cache",
            ),
            Self::Reasoning => (
                "has a price of its own for reasoning tokens",
                "have a price of their own for reasoning tokens",
            ),
            Self::Rounded => (
                "has a price that was rounded to a whole nanodollar",
                "have a price that was rounded to a whole nanodollar",
            ),
            Self::UnknownQuantization => {
                ("has a weight format that is not known", "have a weight format that is not known")
            }
            Self::Deprecated => ("is said to be on its way out", "are said to be on their way out"),
            Self::FewerCapabilities => (
                "has a capability that not every provider states",
                "have a capability that not every provider states",
            ),
            Self::ShorterAnswer => (
                "has providers with different longest answers",
                "have providers with different longest answers",
            ),
        }
    }

    /// The note in the words for `n` endpoints or models, which stand before it.
    pub const fn of(self, n: u64) -> &'static str {
        let (one, many) = self.words();
        if n == 1 { one } else { many }
    }
}

/// In the words for several.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().1)
    }
}

#[cfg(test)]
mod tests;
