//! The invented models: what they charge, what they are good at, how fast they are.
//!
//! Two cheap models, one of them a little better; two in the middle, a specialist for code and one
//! for languages; two dear ones, of which one is the best all-rounder and one reasons at length.
//! Weakness: strengths do not change with time, as those of hosted models do.

use std::fmt::Write as _;

use crate::prompts::Task;

/// Where a model stands in the price list.
#[expect(missing_docs, reason = "the names are the documentation")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PriceClass {
    Cheap,
    Middle,
    Dear,
}

/// What a provider does with what it is sent.
#[expect(missing_docs, reason = "the names are the documentation")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataPolicy {
    ZeroRetention,
    NoTraining,
    MayTrain,
}

impl DataPolicy {
    /// The word for this policy in a catalog file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ZeroRetention => "zero_retention",
            Self::NoTraining => "no_training",
            Self::MayTrain => "may_train",
        }
    }
}

/// A model that exists only here, with the provider that serves it.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedModel {
    /// Its name in catalogs and tables.
    pub id: &'static str,
    /// The invented company that serves it.
    pub provider: &'static str,
    /// Where it stands in the price list.
    pub price_class: PriceClass,
    /// Price of what goes in, in nanodollars per million tokens.
    pub input_nanodollars_per_million: u64,
    /// Price of what comes out, in nanodollars per million tokens.
    pub output_nanodollars_per_million: u64,
    /// Most tokens of prompt and answer together.
    pub context_window_tokens: u64,
    /// Most tokens of one answer.
    pub max_output_tokens: u64,
    /// What it can do besides text, in the words of a catalog file.
    pub capabilities: &'static [&'static str],
    /// What its provider does with what it is sent.
    pub data_policy: DataPolicy,
    /// Log-odds of a good answer to the plainest prompt of each task, in the order of [`Task::ALL`].
    pub strengths: [f64; Task::COUNT],
    /// How much of a prompt's difficulty it feels; one is usual, more is weaker.
    pub sensitivity: f64,
    /// Log-odds lost on prompts of 2 to 3 KB.
    pub long_prompt_penalty: f64,
    /// Length of its answers, as a multiple of the usual length for the task.
    pub verbosity: f64,
    /// Bytes of prompt that make one of its tokens.
    pub bytes_per_token: f64,
    /// Tokens written per second.
    pub tokens_per_second: f64,
    /// Time to the first token, in milliseconds.
    pub first_token_ms: f64,
}

/// The default catalogue, cheapest class first.
pub(crate) fn default_models() -> Vec<SimulatedModel> {
    vec![tern_mini(), wren_lite(), kestrel_code(), plover_lingua(), heron_large(), crane_reason()]
}

/// The models as a catalog file, in TOML.
pub(crate) fn catalog_toml(models: &[SimulatedModel]) -> String {
    let mut toml = String::new();
    for model in models {
        let capabilities: Vec<String> =
            model.capabilities.iter().map(|name| format!("\"{name}\"")).collect();
        let written = write!(
            toml,
            "[[models]]\n\
             id = \"{}\"\n\
             context_window = {}\n\
             max_output_tokens = {}\n\
             capabilities = [{}]\n\
             [[models.endpoints]]\n\
             provider = \"{}\"\n\
             input_usd_per_million = {}\n\
             output_usd_per_million = {}\n\
             data_policy = \"{}\"\n\n",
            model.id,
            model.context_window_tokens,
            model.max_output_tokens,
            capabilities.join(", "),
            model.provider,
            dollars(model.input_nanodollars_per_million),
            dollars(model.output_nanodollars_per_million),
            model.data_policy.name(),
        );
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    let end = toml.trim_end().len();
    toml.truncate(end);
    toml.push('\n');
    toml
}

/// Nanodollars as an exact decimal number of dollars, with at least one decimal.
fn dollars(nanodollars: u64) -> String {
    let (whole, rest) = (nanodollars / 1_000_000_000, nanodollars % 1_000_000_000);
    let decimals = format!("{rest:09}");
    let kept = decimals.trim_end_matches('0');
    format!("{whole}.{}", if kept.is_empty() { "0" } else { kept })
}

// The columns of `strengths`: support, summary, json, sql, code, bugs, word problem, algebra,
// translation, small talk, legal, medical, creative, cleaning, logs.

fn tern_mini() -> SimulatedModel {
    SimulatedModel {
        id: "tern-mini",
        provider: "harbour",
        price_class: PriceClass::Cheap,
        input_nanodollars_per_million: 150_000_000,
        output_nanodollars_per_million: 600_000_000,
        context_window_tokens: 128_000,
        max_output_tokens: 8_192,
        capabilities: &["tools", "images", "json_schema"],
        data_policy: DataPolicy::ZeroRetention,
        strengths: [3.3, 3.1, 3.1, 2.0, 1.9, 1.4, 2.1, 1.6, 2.6, 3.6, 1.5, 1.6, 2.4, 2.3, 1.7],
        sensitivity: 1.30,
        long_prompt_penalty: 0.6,
        verbosity: 0.9,
        bytes_per_token: 4.1,
        tokens_per_second: 165.0,
        first_token_ms: 210.0,
    }
}

fn wren_lite() -> SimulatedModel {
    SimulatedModel {
        id: "wren-lite",
        provider: "quarry",
        price_class: PriceClass::Cheap,
        input_nanodollars_per_million: 80_000_000,
        output_nanodollars_per_million: 320_000_000,
        context_window_tokens: 32_000,
        max_output_tokens: 4_096,
        capabilities: &["json_schema"],
        data_policy: DataPolicy::MayTrain,
        strengths: [2.9, 2.8, 2.4, 1.5, 1.3, 0.8, 1.5, 1.1, 2.2, 3.4, 1.1, 1.3, 2.2, 1.7, 1.2],
        sensitivity: 1.40,
        long_prompt_penalty: 0.9,
        verbosity: 0.8,
        bytes_per_token: 3.8,
        tokens_per_second: 210.0,
        first_token_ms: 150.0,
    }
}

fn kestrel_code() -> SimulatedModel {
    SimulatedModel {
        id: "kestrel-code",
        provider: "millpond",
        price_class: PriceClass::Middle,
        input_nanodollars_per_million: 900_000_000,
        output_nanodollars_per_million: 3_600_000_000,
        context_window_tokens: 200_000,
        max_output_tokens: 16_384,
        capabilities: &["tools", "json_schema"],
        data_policy: DataPolicy::NoTraining,
        strengths: [2.4, 2.5, 3.1, 3.2, 3.5, 3.2, 2.4, 2.1, 2.1, 2.8, 1.6, 1.6, 1.7, 2.7, 2.6],
        sensitivity: 0.95,
        long_prompt_penalty: 0.3,
        verbosity: 1.05,
        bytes_per_token: 3.6,
        tokens_per_second: 95.0,
        first_token_ms: 340.0,
    }
}

fn plover_lingua() -> SimulatedModel {
    SimulatedModel {
        id: "plover-lingua",
        provider: "harbour",
        price_class: PriceClass::Middle,
        input_nanodollars_per_million: 700_000_000,
        output_nanodollars_per_million: 2_800_000_000,
        context_window_tokens: 128_000,
        max_output_tokens: 8_192,
        capabilities: &["tools", "images"],
        data_policy: DataPolicy::ZeroRetention,
        strengths: [3.0, 3.1, 2.6, 1.9, 1.8, 1.4, 1.9, 1.4, 3.7, 3.5, 2.1, 2.0, 3.0, 2.0, 1.7],
        sensitivity: 1.00,
        long_prompt_penalty: 0.2,
        verbosity: 1.1,
        bytes_per_token: 4.4,
        tokens_per_second: 105.0,
        first_token_ms: 300.0,
    }
}

fn heron_large() -> SimulatedModel {
    SimulatedModel {
        id: "heron-large",
        provider: "lantern",
        price_class: PriceClass::Dear,
        input_nanodollars_per_million: 3_000_000_000,
        output_nanodollars_per_million: 15_000_000_000,
        context_window_tokens: 400_000,
        max_output_tokens: 32_768,
        capabilities: &["tools", "images", "json_schema"],
        data_policy: DataPolicy::NoTraining,
        strengths: [3.1, 3.1, 3.1, 2.7, 2.8, 2.4, 2.7, 2.4, 3.0, 3.3, 2.6, 2.7, 2.8, 2.6, 2.5],
        sensitivity: 0.75,
        long_prompt_penalty: 0.0,
        verbosity: 1.25,
        bytes_per_token: 4.2,
        tokens_per_second: 62.0,
        first_token_ms: 620.0,
    }
}

fn crane_reason() -> SimulatedModel {
    SimulatedModel {
        id: "crane-reason",
        provider: "quarry",
        price_class: PriceClass::Dear,
        input_nanodollars_per_million: 2_200_000_000,
        output_nanodollars_per_million: 11_000_000_000,
        context_window_tokens: 200_000,
        max_output_tokens: 65_536,
        capabilities: &["tools", "json_schema"],
        data_policy: DataPolicy::MayTrain,
        strengths: [2.5, 2.5, 2.7, 2.6, 2.6, 2.4, 3.4, 3.5, 2.2, 2.4, 2.7, 2.6, 1.8, 2.4, 2.7],
        sensitivity: 0.70,
        long_prompt_penalty: 0.1,
        verbosity: 2.1,
        bytes_per_token: 4.0,
        tokens_per_second: 78.0,
        first_token_ms: 1_900.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact_decimals() {
        for (nanodollars, expected) in [
            (150_000_000, "0.15"),
            (600_000_000, "0.6"),
            (3_000_000_000, "3.0"),
            (0, "0.0"),
            (1, "0.000000001"),
            (12_345_000_000, "12.345"),
        ] {
            assert_eq!(dollars(nanodollars), expected);
        }
    }

    #[test]
    fn the_catalog_has_the_agreed_shape() {
        let expected = "\
[[models]]
id = \"tern-mini\"
context_window = 128000
max_output_tokens = 8192
capabilities = [\"tools\", \"images\", \"json_schema\"]
[[models.endpoints]]
provider = \"harbour\"
input_usd_per_million = 0.15
output_usd_per_million = 0.6
data_policy = \"zero_retention\"
";
        assert_eq!(catalog_toml(&[tern_mini()]), expected);
        let all = catalog_toml(&default_models());
        assert!(all.starts_with(expected));
        assert_eq!(all.matches("[[models]]").count(), 6);
    }
}
