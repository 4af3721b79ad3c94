//! Models, the endpoints that serve them, and what those cost and allow.
//!
//! A catalog is written by people (TOML) or by importers (JSON); both have the same keys.
//! [`Catalog::from_toml`] and [`Catalog::from_json`] check everything, so that a decision never
//! meets a model without an endpoint or a price that is not a number. Prices may have a history
//! ([`Catalog::as_of`]).
//!
//! ```
//! use pointsman_core::catalog::{Catalog, CatalogError};
//!
//! let catalog = Catalog::from_toml(
//!     r#"
//!     [[models]]
//!     id = "small"
//!     context_window = 128000
//!
//!     [[models.endpoints]]
//!     provider = "somebody"
//!     input_usd_per_million = 0.15
//!     output_usd_per_million = 0.60
//!     "#,
//! )?;
//! let small = catalog.find("small").unwrap();
//! assert_eq!(small.endpoints[0].output.dollars_per_million(), 0.6);
//! assert!(Catalog::from_toml("").is_err()); // no model at all
//! # Ok::<(), CatalogError>(())
//! ```

mod date;
mod history;
mod write;

pub use date::{Date, NotADate};
pub use history::{PastPrices, Prices, Repriced};

use crate::{
    request::{CAPABILITY_NAMES, Capabilities, DataPolicy},
    units::{OutOfRange, Price, Quality, Tokens},
};
use std::collections::HashSet;

/// All models that may be chosen, in the order of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalog {
    models: Vec<Model>,
    as_of: Option<Date>,
}

/// An LLM that can answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The name that decisions and logs use.
    pub id: String,
    /// The most tokens of prompt and answer together; no limit known where `None`.
    pub context_window: Option<Tokens>,
    /// The most tokens of one answer; no limit known where `None`.
    pub max_output_tokens: Option<Tokens>,
    /// What it can do beyond text.
    pub capabilities: Capabilities,
    /// Its score on some benchmark: what to expect of it until something is learned.
    pub prior_quality: Option<Quality>,
    /// Where it can be called; at least one.
    pub endpoints: Vec<Endpoint>,
}

/// A (model, provider) pair with its own price and policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// The provider's name.
    pub provider: String,
    /// Price of the prompt.
    pub input: Price,
    /// Price of the answer.
    pub output: Price,
    /// Price of what of the prompt is read from the provider's cache; the full price where `None`.
    pub cached_input: Option<Price>,
    /// A smaller context window than the model's own, where the provider cuts it.
    pub context_window: Option<Tokens>,
    /// What the provider may do with prompts.
    pub data_policy: DataPolicy,
    /// Time to the first token, typically.
    pub ttft_ms: Option<f64>,
    /// Output tokens per second, typically.
    pub tokens_per_second: Option<f64>,
    /// How coarsely the weights are kept there, one of [`QUANTIZATIONS`].
    pub quantization: Option<String>,
    /// The request parameters that it obeys; every one where `None`.
    pub parameters: Option<Vec<String>>,
    /// The day from which these prices hold; always where `None`.
    pub since: Option<Date>,
    /// The prices before these, oldest first, each since a later day than the one before it.
    pub history: Vec<PastPrices>,
}

/// The names of weight formats, as OpenRouter spells them.
pub const QUANTIZATIONS: [&str; 9] =
    ["int4", "int8", "fp4", "fp6", "fp8", "fp16", "bf16", "fp32", "unknown"];

/// Why a catalog cannot be used.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Not TOML, or not of this shape.
    #[error("the catalog is not valid TOML of the expected shape: {message}")]
    Toml { message: String },
    /// Not JSON, or not of this shape.
    #[error("the catalog is not valid JSON of the expected shape: {message}")]
    Json { message: String },
    /// No model at all.
    #[error("the catalog lists no model; add at least one [[models]] table")]
    Empty,
    /// Two models share a name.
    #[error("model `{model}` stands twice in the catalog; remove one")]
    Duplicate { model: String },
    /// Nowhere to call it.
    #[error("model `{model}` has no endpoint; add a [[models.endpoints]] table with its prices")]
    NoEndpoint { model: String },
    /// A capability that no request can ask for.
    #[error("model `{model}` claims the capability `{found}`; known are {known}", known = CAPABILITY_NAMES.join(", "))]
    UnknownCapability { model: String, found: String },
    /// A score that is not one.
    #[error("model `{model}`: prior_quality: {source}")]
    PriorQuality { model: String, source: OutOfRange },
    /// A weight format that no request can ask for.
    #[error("model `{model}`, provider `{provider}`: quantization `{found}`; known are {known}", known = QUANTIZATIONS.join(", "))]
    UnknownQuantization { model: String, provider: String, found: String },
    /// A number that is not of its unit.
    #[error("model `{model}`, provider `{provider}`: {key}: {source}")]
    Number { model: String, provider: String, key: &'static str, source: OutOfRange },
    /// Prices of which it cannot be said which came first.
    #[error(
        "model `{model}`, provider `{provider}`: its price history is not in order; list the oldest prices first, each with a later `since` than the one before (the first may have none), and give the endpoint's own prices the latest"
    )]
    History { model: String, provider: String },
    /// A value that the form cannot hold.
    #[error("the catalog cannot be written: {message}")]
    Unwritable { message: String },
}

#[derive(serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
struct CatalogFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Date>,
    #[serde(default)]
    models: Vec<ModelFile>,
}

#[derive(serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_window: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    capabilities: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prior_quality: Option<f64>,
    #[serde(default)]
    endpoints: Vec<EndpointFile>,
}

#[derive(serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
struct EndpointFile {
    provider: String,
    input_usd_per_million: f64,
    output_usd_per_million: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_input_usd_per_million: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_window: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_policy: Option<DataPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttft_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantization: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Date>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<PastFile>,
}

#[derive(serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
struct PastFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Date>,
    input_usd_per_million: f64,
    output_usd_per_million: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_input_usd_per_million: Option<f64>,
}

impl Catalog {
    /// Reads the TOML form.
    ///
    /// # Errors
    /// [`CatalogError`] where the text is not a catalog, or a value in it cannot be.
    pub fn from_toml(text: &str) -> Result<Self, CatalogError> {
        let file: CatalogFile = toml::from_str(text)
            .map_err(|source| CatalogError::Toml { message: one_line(&source.to_string()) })?;
        Self::try_from(file)
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`CatalogError`] where the text is not a catalog, or a value in it cannot be.
    pub fn from_json(text: &str) -> Result<Self, CatalogError> {
        let file: CatalogFile = serde_json::from_str(text)
            .map_err(|source| CatalogError::Json { message: source.to_string() })?;
        Self::try_from(file)
    }

    /// A catalog of these models, which price lists of the day `as_of` have priced.
    ///
    /// # Errors
    /// [`CatalogError`] where there is no model, one without an endpoint, or one twice.
    pub fn from_models(models: Vec<Model>, as_of: Option<Date>) -> Result<Self, CatalogError> {
        if models.is_empty() {
            return Err(CatalogError::Empty);
        }
        let mut known = HashSet::with_capacity(models.len());
        for model in &models {
            if !known.insert(model.id.as_str()) {
                return Err(CatalogError::Duplicate { model: model.id.clone() });
            }
            if model.endpoints.is_empty() {
                return Err(CatalogError::NoEndpoint { model: model.id.clone() });
            }
        }
        Ok(Self { models, as_of })
    }

    /// All models, in the order of the file.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// The day of the latest price list that went into it, where that is known.
    pub const fn dated(&self) -> Option<Date> {
        self.as_of
    }

    /// The model of that name.
    pub fn find(&self, id: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.id == id)
    }
}

impl TryFrom<CatalogFile> for Catalog {
    type Error = CatalogError;

    fn try_from(file: CatalogFile) -> Result<Self, CatalogError> {
        let CatalogFile { as_of, models } = file;
        let models = models.into_iter().map(check_model).collect::<Result<_, _>>()?;
        Self::from_models(models, as_of)
    }
}

fn check_model(file: ModelFile) -> Result<Model, CatalogError> {
    let ModelFile { id, context_window, max_output_tokens, capabilities, prior_quality, endpoints } =
        file;
    let mut known = Capabilities::NONE;
    for name in capabilities {
        known = known.with(Capabilities::named(&name).ok_or_else(|| {
            CatalogError::UnknownCapability { model: id.clone(), found: name.clone() }
        })?);
    }
    if endpoints.is_empty() {
        return Err(CatalogError::NoEndpoint { model: id });
    }
    let prior_quality = prior_quality
        .map(Quality::new)
        .transpose()
        .map_err(|source| CatalogError::PriorQuality { model: id.clone(), source })?;
    let endpoints =
        endpoints.into_iter().map(|file| check_endpoint(&id, file)).collect::<Result<_, _>>()?;
    Ok(Model {
        id,
        context_window: context_window.map(Tokens::new),
        max_output_tokens: max_output_tokens.map(Tokens::new),
        capabilities: known,
        prior_quality,
        endpoints,
    })
}

fn check_endpoint(model: &str, file: EndpointFile) -> Result<Endpoint, CatalogError> {
    let EndpointFile {
        provider,
        input_usd_per_million,
        output_usd_per_million,
        cached_input_usd_per_million,
        context_window,
        data_policy,
        ttft_ms,
        tokens_per_second,
        quantization,
        parameters,
        since,
        history,
    } = file;
    if let Some(found) = quantization.as_ref().filter(|one| !QUANTIZATIONS.contains(&one.as_str()))
    {
        let (model, found) = (model.to_owned(), found.clone());
        return Err(CatalogError::UnknownQuantization { model, provider, found });
    }
    let price = |dollars: f64, key: &'static str| check_price(model, &provider, key, dollars);
    let positive = |value: Option<f64>, key: &'static str| match value {
        Some(value) if !(value.is_finite() && 0.0 < value) => Err(CatalogError::Number {
            model: model.to_owned(),
            provider: provider.clone(),
            key,
            source: OutOfRange::positive(value),
        }),
        Some(_) | None => Ok(value),
    };
    let history = history
        .into_iter()
        .map(|past| check_past(model, &provider, &past))
        .collect::<Result<Vec<_>, _>>()?;
    if !history::is_in_order(&history, since) {
        let (model, provider) = (model.to_owned(), provider.clone());
        return Err(CatalogError::History { model, provider });
    }
    Ok(Endpoint {
        input: price(input_usd_per_million, "input_usd_per_million")?,
        output: price(output_usd_per_million, "output_usd_per_million")?,
        cached_input: cached_input_usd_per_million
            .map(|dollars| price(dollars, "cached_input_usd_per_million"))
            .transpose()?,
        context_window: context_window.map(Tokens::new),
        data_policy: data_policy.unwrap_or_default(),
        ttft_ms: positive(ttft_ms, "ttft_ms")?,
        tokens_per_second: positive(tokens_per_second, "tokens_per_second")?,
        quantization,
        parameters,
        since,
        history,
        provider,
    })
}

fn check_past(model: &str, provider: &str, file: &PastFile) -> Result<PastPrices, CatalogError> {
    let PastFile {
        since,
        input_usd_per_million,
        output_usd_per_million,
        cached_input_usd_per_million,
    } = *file;
    let price = |dollars: f64, key: &'static str| check_price(model, provider, key, dollars);
    let prices = Prices {
        input: price(input_usd_per_million, "history: input_usd_per_million")?,
        output: price(output_usd_per_million, "history: output_usd_per_million")?,
        cached_input: cached_input_usd_per_million
            .map(|dollars| price(dollars, "history: cached_input_usd_per_million"))
            .transpose()?,
    };
    Ok(PastPrices { since, prices })
}

fn check_price(
    model: &str,
    provider: &str,
    key: &'static str,
    dollars: f64,
) -> Result<Price, CatalogError> {
    Price::from_dollars_per_million(dollars).map_err(|source| CatalogError::Number {
        model: model.to_owned(),
        provider: provider.to_owned(),
        key,
        source,
    })
}

/// TOML errors span several lines with a picture of the source; a sentence has one.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"
        [[models]]
        id = "small"
        context_window = 128000
        capabilities = ["tools", "images"]
        [[models.endpoints]]
        provider = "harbour"
        input_usd_per_million = 0.15
        output_usd_per_million = 0.6
        data_policy = "zero_retention"
    "#;

    #[test]
    fn toml_and_json_say_the_same() {
        let json = r#"{"models": [{"id": "small", "context_window": 128000,
            "capabilities": ["tools", "images"], "endpoints": [{"provider": "harbour",
            "input_usd_per_million": 0.15, "output_usd_per_million": 0.6,
            "data_policy": "zero_retention"}]}]}"#;
        assert_eq!(Catalog::from_toml(ONE).unwrap(), Catalog::from_json(json).unwrap());
        let catalog = Catalog::from_toml(ONE).unwrap();
        let endpoint = &catalog.find("small").unwrap().endpoints[0];
        assert_eq!(endpoint.input, Price::from_nanos_per_million(150_000_000));
        assert_eq!(endpoint.data_policy, DataPolicy::ZeroRetention);
    }

    #[track_caller]
    fn check_refusal(text: &str, expected: &str) {
        let message = Catalog::from_toml(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn every_mistake_gets_a_sentence() {
        check_refusal("", "lists no model");
        check_refusal("models = 3", "not valid TOML");
        check_refusal("[[models]]\nid = \"a\"", "has no endpoint");
        check_refusal(&ONE.replace("images", "smell"), "claims the capability `smell`");
        check_refusal(&ONE.replace("0.15", "-0.15"), "input_usd_per_million: -0.15 is not in");
        check_refusal(&ONE.replace("id =", "name ="), "unknown field `name`");
        check_refusal(
            &ONE.replace("id =", "prior_quality = 71.0\nid ="),
            "model `small`: prior_quality: 71 is not in [0, 1]",
        );
        check_refusal(&ONE.repeat(2), "stands twice");
        check_refusal(
            &format!("{ONE}quantization = \"fp7\""),
            "quantization `fp7`; known are int4",
        );
        check_refusal(
            &format!("{ONE}cached_input_usd_per_million = -1.0"),
            "cached_input_usd_per_million: -1 is not in",
        );
        check_refusal(&format!("{ONE}ttft_ms = 0.0"), "ttft_ms: 0 is not in");
    }
}
