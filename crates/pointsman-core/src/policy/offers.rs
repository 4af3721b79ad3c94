//! What nearly every decision asks of the catalog, and nothing else, side by side in memory.
//!
//! The catalog's own entries are spread over memory, names and histories among the prices, and
//! with hundreds of models fetching them takes longer than the arithmetic. Here a model and an
//! endpoint take less than a line of memory each. Only a request that asks for nothing out of the
//! ordinary is answered from here; whatever else there is to ask, and every reason for an
//! exclusion, is for [`super::endpoints`], which takes the same endpoint at the same cost.

use super::{
    ASSUMED_OUTPUT_TOKENS, Candidate,
    endpoints::{Asked, live_of},
    whole_tokens,
};
use crate::{
    catalog::{Endpoint, Model},
    circumstances::{Circumstances, Health},
    request::{Capabilities, Constraints, DataPolicy, Request},
    units::{Price, Tokens, Usd, as_float},
};

/// The models of a policy by their places.
#[derive(Debug, Clone, Default)]
pub(super) struct Offers {
    models: Vec<Offer>,
    tariffs: Vec<Tariff>,
}

/// One model; a limit that is not known is beyond every number.
#[derive(Debug, Clone, Copy)]
struct Offer {
    context_window: Tokens,
    max_output_tokens: Tokens,
    /// Where its endpoints begin and end; nowhere for a model that no catalog lists.
    tariffs: [usize; 2],
    capabilities: Capabilities,
}

/// One endpoint.
#[derive(Debug, Clone, Copy)]
struct Tariff {
    input: Price,
    output: Price,
    context_window: Tokens,
    ttft_ms: f64,
    tokens_per_second: Option<f64>,
    data_policy: DataPolicy,
}

const NO_LIMIT: Tokens = Tokens::new(u64::MAX);

/// Whether a request asks for nothing that [`Offers`] do not know of.
pub(super) fn is_plain(request: &Request<'_>, circumstances: &Circumstances<'_>) -> bool {
    let Constraints {
        allow_models,
        deny_models,
        allow_providers,
        deny_providers,
        data_policy: _,
        max_cost: _,
        max_latency_ms: _,
        quantizations,
        parameters,
        max_input_price,
        max_output_price,
        endpoints,
    } = &request.constraints;
    circumstances.held.is_none()
        && [allow_models, deny_models, allow_providers, deny_providers, quantizations, parameters]
            .iter()
            .all(|list| list.is_empty())
        && max_input_price.is_none()
        && max_output_price.is_none()
        && endpoints.is_by_price_alone()
}

impl Offers {
    /// Adds the next model.
    pub(super) fn push(&mut self, listed: Option<&Model>) {
        let first = self.tariffs.len();
        self.tariffs.extend(listed.into_iter().flat_map(|model| &model.endpoints).map(Tariff::of));
        self.models.push(Offer {
            context_window: listed.and_then(|model| model.context_window).unwrap_or(NO_LIMIT),
            max_output_tokens: listed.and_then(|model| model.max_output_tokens).unwrap_or(NO_LIMIT),
            tariffs: [first, self.tariffs.len()],
            capabilities: listed.map_or(Capabilities::NONE, |model| model.capabilities),
        });
    }

    /// Takes the cheapest endpoint of a model that a plain request may use; `false` where there is
    /// none, and nothing is filled in.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(super) fn take(
        &self,
        place: usize,
        asked: Asked<'_, '_>,
        candidate: &mut Candidate,
    ) -> bool {
        let Some(offer) = self.models.get(place) else { return false };
        let Asked { request, input_tokens, circumstances, is_plain: _ } = asked;
        let answer = request.max_tokens.unwrap_or(Tokens::new(0));
        let needed = Tokens::new(input_tokens.get().saturating_add(answer.get()));
        if !request.needs.missing_from(offer.capabilities).is_empty()
            || offer.context_window < needed
            || offer.max_output_tokens < answer
        {
            return false;
        }
        let output_tokens = candidate.output_tokens.unwrap_or(as_float(ASSUMED_OUTPUT_TOKENS));
        let whole_output_tokens = whole_tokens(output_tokens);
        let [from, to] = offer.tariffs;
        let mut best: Option<(usize, &Tariff, Usd)> = None;
        for (index, tariff) in self.tariffs[from..to].iter().enumerate() {
            let cost = tariff.input.of(input_tokens) + tariff.output.of(whole_output_tokens);
            let is_open = needed <= tariff.context_window
                && request.constraints.data_policy <= tariff.data_policy
                && live_of(circumstances, place, index).health == Health::Up;
            if is_open && best.is_none_or(|(_, _, least)| cost < least) {
                best = Some((index, tariff, cost));
            }
        }
        let Some((index, tariff, cost)) = best else { return false };
        let live = live_of(circumstances, place, index);
        let ttft_ms = live.ttft_ms.unwrap_or(tariff.ttft_ms);
        candidate.endpoint = Some(index);
        candidate.expected.cost = Some(cost);
        candidate.expected.latency_ms = live
            .tokens_per_second
            .or(tariff.tokens_per_second)
            .map(|rate| ttft_ms + 1000.0 * output_tokens / rate);
        true
    }
}

impl Tariff {
    fn of(endpoint: &Endpoint) -> Self {
        Self {
            input: endpoint.input,
            output: endpoint.output,
            context_window: endpoint.context_window.unwrap_or(NO_LIMIT),
            ttft_ms: endpoint.ttft_ms.unwrap_or(0.0),
            tokens_per_second: endpoint.tokens_per_second,
            data_policy: endpoint.data_policy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::Catalog,
        circumstances::{LiveEndpoint, LiveEndpoints},
        policy::{Policy, Workspace},
        scorer::{Scorer, tests::patterned},
    };
    use proptest::prelude::*;
    use std::borrow::Cow;

    const N_MODELS: usize = 6;

    /// Models that differ in all that a plain request may run into.
    fn policy() -> Policy {
        let model = |index: usize| {
            let window = match index {
                0 => String::new(),
                _ => format!("context_window = {}\n", 700 * index),
            };
            format!(
                "[[models]]\nid = \"m{index}\"\n{window}max_output_tokens = {}\n\
                 capabilities = [{}]\n[[models.endpoints]]\nprovider = \"east\"\n\
                 input_usd_per_million = 1.5\noutput_usd_per_million = {index}.0\n\
                 data_policy = \"no_training\"\nttft_ms = 100.0\ntokens_per_second = 50.0\n\
                 [[models.endpoints]]\nprovider = \"west\"\ninput_usd_per_million = {index}.5\n\
                 output_usd_per_million = {index}.0\ncontext_window = 1200\n",
                150 * (index + 1),
                if index.is_multiple_of(2) { "\"tools\"" } else { "" },
            )
        };
        let catalog = Catalog::from_toml(&(0..N_MODELS).map(model).collect::<String>()).unwrap();
        let names: Vec<String> = (0..N_MODELS).map(|index| format!("m{index}")).collect();
        let scorer = Scorer::new(patterned(N_MODELS, 8)).unwrap();
        Policy::new(scorer, &names, Some(&catalog)).unwrap()
    }

    proptest! {
        /// A request that asks for nothing out of the ordinary is decided as one that does.
        #[test]
        fn offers_are_what_the_catalog_says(
            input_tokens in 0_u64..4000,
            max_tokens in proptest::option::of(1_u64..1000),
            is_strict in any::<bool>(),
            needs_tools in any::<bool>(),
            failing in proptest::collection::vec(any::<bool>(), 2 * N_MODELS),
        ) {
            let policy = policy();
            let live = |&is_failing: &bool| LiveEndpoint {
                health: if is_failing { Health::Failing } else { Health::Up },
                tokens_per_second: is_failing.then_some(20.0),
                ..LiveEndpoint::default()
            };
            let of_model = |both: &[bool]| both.iter().map(live).collect::<Vec<_>>();
            let live = LiveEndpoints::new(failing.chunks(2).map(of_model).collect());
            let around = Circumstances { live: Some(&live), ..policy.circumstances() };
            let mut request = Request::from_prompt("Sort these: 3, 1, 2.");
            request.input_tokens = Some(Tokens::new(input_tokens));
            request.max_tokens = max_tokens.map(Tokens::new);
            if is_strict {
                request.constraints.data_policy = DataPolicy::NoTraining;
            }
            if needs_tools {
                request.needs = Capabilities::TOOLS;
            }
            let mut asks_more = request.clone();
            asks_more.constraints.deny_models = Cow::Owned(vec![Cow::Borrowed("nobody")]);
            prop_assert!(is_plain(&request, &around) && !is_plain(&asks_more, &around));
            let (mut plain, mut other) = (Workspace::new(&policy), Workspace::new(&policy));
            let found = policy.distribute_in(&around, &request, &mut plain);
            let expected = policy.distribute_in(&around, &asks_more, &mut other);
            prop_assert_eq!(found, expected);
            prop_assert_eq!(plain.candidates(), other.candidates());
        }
    }
}
