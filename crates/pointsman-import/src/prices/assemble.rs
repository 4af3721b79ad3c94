//! Offers to models: the places of one model come together.
//!
//! A capability or a longest answer belongs to the model and has to hold wherever it is called, so a
//! model has what every place states. Places that are poorer than the rest therefore make a model
//! poorer; choosing among providers beforehand avoids it.

use super::{Free, LeftOut, Note, Offer, PriceList, Terms};
use pointsman_core::{
    catalog::{Endpoint, Model, Prices},
    request::{Capabilities, DataPolicy},
    units::Price,
};
use std::collections::{BTreeMap, btree_map::Entry};

/// The places of one model, by provider and weight format.
type Places = BTreeMap<(String, Option<String>), Terms>;

/// Models of `offers`. Of two offers for one model, provider and weight format the first counts.
pub fn assemble(offers: Vec<Offer>, free: Free) -> PriceList {
    let mut left_out: BTreeMap<LeftOut, Vec<String>> = BTreeMap::new();
    let mut models: BTreeMap<String, Places> = BTreeMap::new();
    for offer in offers {
        let name = offer.name();
        let Offer { model, provider, terms } = offer;
        let terms = terms.and_then(|terms| match free {
            Free::LeftOut if is_free(terms.prices) => Err(LeftOut::Free),
            Free::LeftOut | Free::Kept => Ok(terms),
        });
        match terms {
            Ok(terms) => {
                let places = models.entry(model).or_default();
                let place = (provider, terms.quantization.clone());
                match places.entry(place) {
                    Entry::Vacant(free) => _ = free.insert(terms),
                    Entry::Occupied(_) => {
                        left_out.entry(LeftOut::Repeated).or_default().push(name);
                    }
                }
            }
            Err(why) => left_out.entry(why).or_default().push(name),
        }
    }
    let mut notes = BTreeMap::new();
    let models = models.into_iter().map(|(id, places)| model_of(id, places, &mut notes)).collect();
    PriceList { models, left_out, notes }
}

fn is_free(prices: Prices) -> bool {
    let zero = Price::from_nanos_per_million(0);
    prices.input == zero && prices.output == zero
}

fn model_of(id: String, places: Places, notes: &mut BTreeMap<Note, u64>) -> Model {
    let mut note = |note: Note| *notes.entry(note).or_insert(0) += 1;
    for one in places.values().flat_map(|terms| &terms.notes) {
        note(*one);
    }
    let all = || places.values();
    let capabilities = everywhere(all().map(|terms| terms.capabilities));
    if all().any(|terms| terms.capabilities != capabilities) {
        note(Note::FewerCapabilities);
    }
    let max_output_tokens = all().filter_map(|terms| terms.max_output_tokens).min();
    if all()
        .any(|terms| terms.max_output_tokens.is_some_and(|most| Some(most) != max_output_tokens))
    {
        note(Note::ShorterAnswer);
    }
    // A place that states no limit has none, so the model has one only where every place states it.
    let limits: Option<Vec<_>> = all().map(|terms| terms.context_window).collect();
    let context_window = limits.and_then(|limits| limits.into_iter().max());
    let endpoints = places
        .into_iter()
        .map(|((provider, quantization), terms)| Endpoint {
            provider,
            input: terms.prices.input,
            output: terms.prices.output,
            cached_input: terms.prices.cached_input,
            context_window: terms.context_window.filter(|_| terms.context_window != context_window),
            data_policy: DataPolicy::default(),
            ttft_ms: None,
            tokens_per_second: None,
            quantization,
            parameters: terms.parameters,
            since: None,
            history: Vec::new(),
        })
        .collect();
    Model { id, context_window, max_output_tokens, capabilities, prior_quality: None, endpoints }
}

/// What is in every one of the sets.
fn everywhere(sets: impl Iterator<Item = Capabilities>) -> Capabilities {
    let shared = |left: Capabilities, right: Capabilities| {
        // What of the left is missing from what of the left is missing from the right.
        left.missing_from(left.missing_from(right))
    };
    sets.reduce(shared).unwrap_or_default()
}
