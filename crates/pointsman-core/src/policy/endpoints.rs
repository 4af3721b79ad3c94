//! Which of a model's endpoints is taken, and what its answer is expected to cost and to last.

use super::{ASSUMED_OUTPUT_TOKENS, Candidate, offers, whole_tokens};
use crate::{
    catalog::{Endpoint, Model},
    circumstances::{Circumstances, Health, LiveEndpoint},
    eligibility::{self, Exclusion},
    request::{EndpointSort, Request},
    units::{Tokens, Usd, as_float},
};

/// What every model of one decision is asked.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a, 'r> {
    pub(super) request: &'a Request<'r>,
    pub(super) input_tokens: Tokens,
    pub(super) circumstances: &'a Circumstances<'a>,
    /// Whether [`offers::Offers`] know all that there is to ask.
    pub(super) is_plain: bool,
}

/// An endpoint's place among a model's others: the least is taken, then the cheapest, then the
/// first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    in_order: usize,
    n_preferences_missed: u8,
    by_sort: u64,
}

impl Rank {
    /// Where nothing but the price matters.
    const EQUAL: Self = Self { in_order: 0, n_preferences_missed: 0, by_sort: 0 };
}

/// What is known of an endpoint right now.
#[inline]
pub(super) fn live_of(
    circumstances: &Circumstances<'_>,
    place: usize,
    index: usize,
) -> LiveEndpoint {
    circumstances.live.map_or_else(LiveEndpoint::default, |live| live.of(place, index))
}

impl<'a, 'r> Asked<'a, 'r> {
    /// What every model is asked in these circumstances.
    pub(super) fn new(
        request: &'a Request<'r>,
        input_tokens: Tokens,
        circumstances: &'a Circumstances<'a>,
    ) -> Self {
        let is_plain = offers::is_plain(request, circumstances);
        Self { request, input_tokens, circumstances, is_plain }
    }
}

impl Asked<'_, '_> {
    /// Takes the best endpoint that may be used, the cheapest unless the caller wants otherwise.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(super) fn choose(
        self,
        (place, listed): (usize, &Model),
        candidate: &mut Candidate,
    ) -> Result<(), Exclusion> {
        eligibility::check_model(listed, self.request, self.input_tokens)?;
        let output_tokens = candidate.output_tokens.unwrap_or(as_float(ASSUMED_OUTPUT_TOKENS));
        let whole_output_tokens = whole_tokens(output_tokens);
        let is_by_price = self.request.constraints.endpoints.is_by_price_alone();
        let mut last = Exclusion::Provider;
        let mut best: Option<(usize, (Rank, Usd))> = None;
        for (index, endpoint) in listed.endpoints.iter().enumerate() {
            let cost = self.cost((place, index), endpoint, whole_output_tokens);
            let rank = if is_by_price { Rank::EQUAL } else { self.rank((place, index), endpoint) };
            if best.is_some_and(|(_, least)| least <= (rank, cost)) {
                continue; // whether it may be used does not matter
            }
            match self.check((place, index), endpoint) {
                Err(Exclusion::Provider) => {}
                Err(reason) => last = reason,
                Ok(()) => best = Some((index, (rank, cost))),
            }
        }
        let Some((index, (_, cost))) = best else { return Err(last) };
        let endpoint = &listed.endpoints[index];
        let LiveEndpoint { health: _, ttft_ms, tokens_per_second } = self.live(place, index);
        candidate.endpoint = Some(index);
        candidate.expected.cost = Some(cost);
        let ttft_ms = ttft_ms.or(endpoint.ttft_ms).unwrap_or(0.0);
        candidate.expected.latency_ms = tokens_per_second
            .or(endpoint.tokens_per_second)
            .map(|rate| ttft_ms + 1000.0 * output_tokens / rate);
        Ok(())
    }

    /// Every endpoint of a model that may be used, the best first.
    pub(super) fn accepted(self, place: usize, listed: &Model, output_tokens: f64) -> Vec<usize> {
        if eligibility::check_model(listed, self.request, self.input_tokens).is_err() {
            return Vec::new();
        }
        let is_by_price = self.request.constraints.endpoints.is_by_price_alone();
        let output_tokens = whole_tokens(output_tokens);
        let ranked = |(index, endpoint): (usize, &Endpoint)| {
            self.check((place, index), endpoint).ok()?;
            let rank = if is_by_price { Rank::EQUAL } else { self.rank((place, index), endpoint) };
            Some((rank, self.cost((place, index), endpoint, output_tokens), index))
        };
        let mut ranked: Vec<_> = listed.endpoints.iter().enumerate().filter_map(ranked).collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, _, index)| index).collect()
    }

    #[inline]
    fn check(self, (place, index): (usize, usize), endpoint: &Endpoint) -> Result<(), Exclusion> {
        eligibility::check_endpoint(endpoint, self.request, self.input_tokens)?;
        match self.live(place, index).health {
            Health::Up => Ok(()),
            Health::Failing => Err(Exclusion::Failing),
        }
    }

    #[inline]
    fn live(self, place: usize, index: usize) -> LiveEndpoint {
        live_of(self.circumstances, place, index)
    }

    /// The prices times the tokens; what the endpoint has in its cache is cheaper.
    #[inline]
    fn cost(self, at: (usize, usize), endpoint: &Endpoint, output_tokens: Tokens) -> Usd {
        let answer = endpoint.output.of(output_tokens);
        let cached = match (self.circumstances.held, endpoint.cached_input) {
            (Some(held), Some(price)) if (held.model, held.endpoint) == at => {
                Some((price, held.cached.min(self.input_tokens)))
            }
            (Some(_) | None, Some(_) | None) => None,
        };
        let Some((price, cached)) = cached else {
            return endpoint.input.of(self.input_tokens) + answer;
        };
        let rest = Tokens::new(self.input_tokens.get() - cached.get());
        price.of(cached) + endpoint.input.of(rest) + answer
    }

    fn rank(self, (place, index): (usize, usize), endpoint: &Endpoint) -> Rank {
        let choice = &self.request.constraints.endpoints;
        let live = self.live(place, index);
        let ttft_ms = live.ttft_ms.or(endpoint.ttft_ms);
        let rate = live.tokens_per_second.or(endpoint.tokens_per_second);
        let in_order = choice.order.iter().position(|name| *name == endpoint.provider);
        let misses = [
            choice.min_tokens_per_second.is_some_and(|least| rate.is_none_or(|it| it < least)),
            choice.max_ttft_ms.is_some_and(|most| ttft_ms.is_none_or(|it| most < it)),
        ];
        Rank {
            in_order: in_order.unwrap_or(choice.order.len()),
            n_preferences_missed: misses.into_iter().map(u8::from).sum(),
            // The bits of positive numbers are in the order of the numbers.
            by_sort: match choice.sort {
                EndpointSort::Price => 0,
                EndpointSort::Throughput => rate.map_or(u64::MAX, |rate| !rate.to_bits()),
                EndpointSort::Latency => ttft_ms.map_or(u64::MAX, f64::to_bits),
            },
        }
    }
}
