//! The flags of what if, as they are spelled.

use pointsman_core::units::Price;
use std::{fmt, str::FromStr};

/// Changes to what is evaluated that take no new fit.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "What if")]
pub(crate) struct WhatIfFlags {
    /// Another price of a model, in dollars per million tokens of prompt and answer.
    #[arg(long, value_name = "MODEL=IN/OUT")]
    pub(super) price: Vec<PriceFlag>,
    /// A model that may not be taken.
    #[arg(long, value_name = "MODEL")]
    pub(super) without: Vec<String>,
    /// A model of the catalog's kind that answers as another does; `--price` sets its price.
    #[arg(long, value_name = "MODEL:like=OTHER")]
    pub(super) with: Vec<WithFlag>,
    /// Another time to the first token at a provider, in milliseconds.
    #[arg(long, value_name = "PROVIDER=MS")]
    pub(super) latency: Vec<LatencyFlag>,
    /// Quality points that a second of waiting is worth, beside what a dollar is.
    #[arg(long, value_name = "POINTS")]
    pub(super) per_second: Option<f64>,
    /// How often requests of a task come, against how often they came.
    #[arg(long, value_name = "TASK=WEIGHT")]
    pub(super) traffic: Vec<TrafficFlag>,
}

/// `MODEL=IN/OUT`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PriceFlag {
    pub(super) model: String,
    pub(super) input: Price,
    pub(super) output: Price,
}

/// `MODEL:like=OTHER`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WithFlag {
    pub(super) model: String,
    pub(super) like: String,
}

/// `PROVIDER=MS`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LatencyFlag {
    pub(super) provider: String,
    pub(super) ms: f64,
}

/// `TASK=WEIGHT`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TrafficFlag {
    pub(super) task: String,
    pub(super) weight: f64,
}

impl FromStr for PriceFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no price; write it as small=0.1/0.4");
        let (model, prices) = named(text).ok_or_else(wrong)?;
        let (input, output) = prices.split_once('/').ok_or_else(wrong)?;
        let price = |text: &str| {
            let dollars: f64 = text.trim().parse().map_err(|_| wrong())?;
            Price::from_dollars_per_million(dollars).map_err(|error| error.to_string())
        };
        Ok(Self { model: model.to_owned(), input: price(input)?, output: price(output)? })
    }
}

impl FromStr for WithFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Names of models may hold colons; the last `:like=` counts.
        let found = text.rsplit_once(":like=").filter(|(a, b)| !a.is_empty() && !b.is_empty());
        let Some((model, like)) = found else {
            return Err(format!("`{text}` names no two models; write it as new:like=old"));
        };
        Ok(Self { model: model.to_owned(), like: like.to_owned() })
    }
}

impl FromStr for LatencyFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no latency above 0; write it as harbour=250");
        let (provider, ms) = named(text).ok_or_else(wrong)?;
        let ms: f64 = ms.trim().parse().map_err(|_| wrong())?;
        if !(ms.is_finite() && 0.0 < ms) {
            return Err(wrong());
        }
        Ok(Self { provider: provider.to_owned(), ms })
    }
}

impl FromStr for TrafficFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no weight of zero or more; write it as sql=2");
        let (task, weight) = named(text).ok_or_else(wrong)?;
        let weight: f64 = weight.trim().parse().map_err(|_| wrong())?;
        if !(weight.is_finite() && 0.0 <= weight) {
            return Err(wrong());
        }
        Ok(Self { task: task.to_owned(), weight })
    }
}

/// A name and what is said of it; names may hold equals signs, so the last one counts.
fn named(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty())
}

impl fmt::Display for PriceFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (input, output) = (self.input.dollars_per_million(), self.output.dollars_per_million());
        write!(f, "{}={input}/{output}", self.model)
    }
}

impl fmt::Display for WithFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:like={}", self.model, self.like)
    }
}

impl fmt::Display for LatencyFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.provider, self.ms)
    }
}
