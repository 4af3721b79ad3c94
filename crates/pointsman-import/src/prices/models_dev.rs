//! The `api.json` of models.dev: providers with their models, in dollars per million tokens.

use super::{
    LeftOut, Note, Offer, Terms,
    decimal::Unit,
    field::{Reader, capabilities, is_set, text, texts, tokens},
};
use pointsman_core::{catalog::Prices, request::Capabilities};
use serde_json::Value;

pub(super) fn offers(list: &Value) -> Result<Vec<Offer>, &'static str> {
    let providers = list.as_object().ok_or("it is no object of providers")?;
    let mut offers = Vec::new();
    for (provider, entry) in providers {
        let Some(models) = entry.get("models").and_then(Value::as_object) else {
            let model = "a provider without `models`".to_owned();
            let terms = Err(LeftOut::NotAnEntry);
            offers.push(Offer { model, provider: provider.clone(), terms });
            continue;
        };
        offers.extend(models.iter().map(|(model, entry)| Offer {
            model: model.clone(),
            provider: provider.clone(),
            terms: terms(entry),
        }));
    }
    Ok(offers)
}

fn terms(entry: &Value) -> Result<Terms, LeftOut> {
    if !entry.is_object() {
        return Err(LeftOut::NotAnEntry);
    }
    let none = Value::Null;
    let modalities = entry.get("modalities").unwrap_or(&none);
    let (inputs, outputs) = (texts(modalities.get("input")), texts(modalities.get("output")));
    let lacks_text = |found: &[&str]| !found.is_empty() && !found.contains(&"text");
    if lacks_text(&inputs) || lacks_text(&outputs) {
        return Err(LeftOut::NotChat);
    }
    let mut cost = Reader::new(entry.get("cost").unwrap_or(&none), Unit::MillionTokens);
    let prices = Prices {
        input: cost.needed_price("input")?,
        output: cost.needed_price("output")?,
        cached_input: cost.price("cache_read")?,
    };
    cost.note_price("cache_write", Some(prices.input), Note::CacheWrites);
    cost.note_price("reasoning", Some(prices.output), Note::Reasoning);
    let Reader { entry: cost, unit: _, mut notes } = cost;
    let is_tiered = ["tiers", "context_over_200k"].iter().any(|key| cost.get(key).is_some());
    let conditions = [
        (is_tiered, Note::LongPrompts),
        (text(entry, "status") == Some("deprecated"), Note::Deprecated),
    ];
    notes.extend(conditions.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note));
    let limit = entry.get("limit").unwrap_or(&none);
    let reads = |modality: &str| inputs.contains(&modality);
    Ok(Terms {
        prices,
        context_window: tokens(limit, "context"),
        max_output_tokens: tokens(limit, "output"),
        capabilities: capabilities([
            (is_set(entry, "tool_call"), Capabilities::TOOLS),
            (reads("image"), Capabilities::IMAGES),
            (is_set(entry, "structured_output"), Capabilities::JSON_SCHEMA),
            (reads("audio"), Capabilities::AUDIO),
            (reads("pdf"), Capabilities::FILES),
            (is_set(entry, "reasoning"), Capabilities::REASONING),
        ]),
        quantization: None,
        parameters: None,
        notes,
    })
}
