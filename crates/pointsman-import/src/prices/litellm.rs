//! LiteLLM's price file: entries by name, in dollars per token.
//!
//! An entry `azure/gpt` of the provider `azure` is the model `gpt` at `azure`, so that the places of
//! one model come together; a name that does not begin with its provider is kept whole. The limit of
//! the prompt is taken as the context window.

use super::{
    LeftOut, Note, Offer, Terms,
    decimal::Unit,
    field::{Reader, capabilities, is_set, text, tokens},
};
use pointsman_core::{catalog::Prices, request::Capabilities};
use serde_json::Value;

/// The entry that explains the others.
const SAMPLE: &str = "sample_spec";

pub(super) fn offers(list: &Value) -> Result<Vec<Offer>, &'static str> {
    let entries = list.as_object().ok_or("it is no object of models")?;
    Ok(entries.iter().map(|(name, entry)| of_entry(name, entry)).collect())
}

fn of_entry(name: &str, entry: &Value) -> Offer {
    let provider = text(entry, "litellm_provider");
    let terms = if name == SAMPLE {
        Err(LeftOut::Sample)
    } else if provider.is_some() {
        terms(entry)
    } else {
        Err(LeftOut::NotAnEntry)
    };
    let provider = provider.unwrap_or("unknown");
    let model = name
        .strip_prefix(provider)
        .and_then(|rest| rest.strip_prefix('/'))
        .filter(|rest| !rest.is_empty())
        .unwrap_or(name);
    Offer { model: model.to_owned(), provider: provider.to_owned(), terms }
}

fn terms(entry: &Value) -> Result<Terms, LeftOut> {
    if !matches!(text(entry, "mode"), Some("chat" | "responses")) {
        return Err(LeftOut::NotChat);
    }
    let mut fields = Reader::new(entry, Unit::Token);
    let prices = Prices {
        input: fields.needed_price("input_cost_per_token")?,
        output: fields.needed_price("output_cost_per_token")?,
        cached_input: fields.price("cache_read_input_token_cost")?,
    };
    let (input, output) = (Some(prices.input), Some(prices.output));
    fields.note_price("input_cost_per_request", None, Note::PerRequest);
    fields.note_price("cache_creation_input_token_cost", input, Note::CacheWrites);
    fields.note_price("output_cost_per_reasoning_token", output, Note::Reasoning);
    let Reader { entry, unit: _, mut notes } = fields;
    let mut keys = entry.as_object().into_iter().flat_map(serde_json::Map::keys);
    let is_tiered =
        |key: &String| key == "tiered_pricing" || key.starts_with("input_cost_per_token_above_");
    if keys.any(is_tiered) {
        notes.insert(Note::LongPrompts);
    }
    Ok(Terms {
        prices,
        context_window: tokens(entry, "max_input_tokens").or_else(|| tokens(entry, "max_tokens")),
        max_output_tokens: tokens(entry, "max_output_tokens"),
        capabilities: capabilities([
            (is_set(entry, "supports_function_calling"), Capabilities::TOOLS),
            (is_set(entry, "supports_vision"), Capabilities::IMAGES),
            (is_set(entry, "supports_response_schema"), Capabilities::JSON_SCHEMA),
            (is_set(entry, "supports_audio_input"), Capabilities::AUDIO),
            (is_set(entry, "supports_pdf_input"), Capabilities::FILES),
            (is_set(entry, "supports_reasoning"), Capabilities::REASONING),
        ]),
        quantization: None,
        parameters: None,
        notes,
    })
}
