//! OpenRouter's list of models (`/api/v1/models`), and its lists of one model's endpoints.
//!
//! The list of models has one price each, at the provider `openrouter`; where a model comes with its
//! `endpoints`, each of those is an offer. Prices are text, in dollars per token.

use super::{
    LeftOut, Note, Offer, Terms,
    decimal::Unit,
    field::{Reader, capabilities, text, texts, tokens},
};
use pointsman_core::{
    catalog::{Prices, QUANTIZATIONS},
    request::Capabilities,
};
use serde_json::Value;

pub(super) fn offers(list: &Value) -> Result<Vec<Offer>, &'static str> {
    let data = list.get("data").ok_or("it has no `data`")?;
    let entries = match data {
        Value::Array(entries) => entries.as_slice(),
        Value::Object(_) => std::slice::from_ref(data),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err("its `data` is no list of models");
        }
    };
    Ok(entries.iter().flat_map(of_model).collect())
}

fn of_model(entry: &Value) -> Vec<Offer> {
    let Some(model) = text(entry, "id") else {
        let model = "an entry without `id`".to_owned();
        let provider = "openrouter".to_owned();
        return vec![Offer { model, provider, terms: Err(LeftOut::NotAnEntry) }];
    };
    let offer = |provider: &str, terms| Offer {
        model: model.to_owned(),
        provider: provider.to_owned(),
        terms,
    };
    match entry.get("endpoints").and_then(Value::as_array) {
        Some(endpoints) => endpoints
            .iter()
            .map(|endpoint| {
                let provider = text(endpoint, "provider_name").unwrap_or("openrouter");
                offer(provider, terms(entry, endpoint))
            })
            .collect(),
        None => vec![offer("openrouter", terms(entry, entry))],
    }
}

/// What `place` (the model's entry itself, or one of its endpoints) charges and allows.
fn terms(model: &Value, place: &Value) -> Result<Terms, LeftOut> {
    let none = Value::Null;
    let architecture = model.get("architecture").unwrap_or(&none);
    let outputs = texts(architecture.get("output_modalities"));
    let inputs = texts(architecture.get("input_modalities"));
    let lacks_text = |found: &[&str]| !found.is_empty() && !found.contains(&"text");
    if lacks_text(&outputs) || lacks_text(&inputs) {
        return Err(LeftOut::NotChat);
    }
    let mut pricing = Reader::new(place.get("pricing").unwrap_or(&none), Unit::Token);
    let prices = Prices {
        input: pricing.needed_price("prompt")?,
        output: pricing.needed_price("completion")?,
        cached_input: pricing.price("input_cache_read")?,
    };
    pricing.note_price("request", None, Note::PerRequest);
    pricing.note_price("input_cache_write", Some(prices.input), Note::CacheWrites);
    pricing.note_price("internal_reasoning", Some(prices.output), Note::Reasoning);
    let Reader { mut notes, .. } = pricing;
    let top = place.get("top_provider").unwrap_or(place);
    let parameters =
        place.get("supported_parameters").or_else(|| model.get("supported_parameters"));
    let mut parameters: Vec<String> = texts(parameters).into_iter().map(str::to_owned).collect();
    parameters.sort_unstable();
    parameters.dedup();
    let takes = |parameter: &str| parameters.iter().any(|known| known == parameter);
    let reads = |modality: &str| inputs.contains(&modality);
    let quantization = text(place, "quantization").map(str::to_owned);
    let known_quantization =
        quantization.clone().filter(|found| QUANTIZATIONS.contains(&found.as_str()));
    if quantization != known_quantization {
        notes.insert(Note::UnknownQuantization);
    }
    Ok(Terms {
        prices,
        context_window: tokens(place, "context_length").or_else(|| tokens(model, "context_length")),
        max_output_tokens: tokens(top, "max_completion_tokens"),
        capabilities: capabilities([
            (takes("tools"), Capabilities::TOOLS),
            (reads("image"), Capabilities::IMAGES),
            (takes("structured_outputs"), Capabilities::JSON_SCHEMA),
            (reads("audio"), Capabilities::AUDIO),
            (reads("file"), Capabilities::FILES),
            (takes("reasoning"), Capabilities::REASONING),
        ]),
        quantization: known_quantization,
        parameters: (!parameters.is_empty()).then_some(parameters),
        notes,
    })
}
