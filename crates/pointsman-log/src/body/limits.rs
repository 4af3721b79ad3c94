//! What a caller's wishes leave of models, providers and endpoints: the constraints of a request.

use std::borrow::Cow;

use pointsman_core::{
    request::{Constraints, DataPolicy, EndpointChoice, EndpointSort, OtherProviders},
    units::{OutOfRange, Price, Usd},
};

use super::{
    BodyError,
    text::{Amount, Text, Typical},
    wire::BodyFile,
    wishes::{MaxPriceFile, SortBy},
};

/// What an owned [`Constraints`] would be.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits<'a> {
    pub(super) allow_models: Vec<Cow<'a, str>>,
    deny_models: Vec<Cow<'a, str>>,
    allow_providers: Vec<Cow<'a, str>>,
    deny_providers: Vec<Cow<'a, str>>,
    data_policy: DataPolicy,
    max_cost: Option<Usd>,
    max_latency_ms: Option<f64>,
    quantizations: Vec<Cow<'a, str>>,
    parameters: Vec<Cow<'a, str>>,
    max_input_price: Option<Price>,
    max_output_price: Option<Price>,
    order: Vec<Cow<'a, str>>,
    /// All but its order, which stands above.
    endpoints: EndpointChoice<'static>,
}

impl<'a> Limits<'a> {
    pub(super) fn of(file: &mut BodyFile<'a>) -> Result<Self, BodyError> {
        let mut provider = file.provider.take().unwrap_or_default().fields;
        let needs_parameters = provider.require_parameters == Some(true);
        let price = |price: Option<Amount>, key| {
            let price = price.map(|Amount(dollars)| Price::from_dollars_per_million(dollars));
            price.transpose().map_err(|problem| BodyError::Number { key, problem })
        };
        let MaxPriceFile { prompt, completion } =
            provider.max_price.take().unwrap_or_default().fields;
        let max_cost = file.max_cost_usd.map(Usd::from_dollars).transpose();
        let seconds = positive(
            provider.preferred_max_latency.map(|Typical(value)| value),
            "provider.preferred_max_latency",
        )?;
        let endpoints = EndpointChoice {
            order: Cow::Borrowed(&[]),
            others: match provider.allow_fallbacks {
                Some(false) => OtherProviders::Refused,
                Some(true) | None => OtherProviders::Accepted,
            },
            sort: provider.sort.as_ref().map_or(EndpointSort::Price, |sort| match sort.by() {
                SortBy::Price => EndpointSort::Price,
                SortBy::Throughput => EndpointSort::Throughput,
                SortBy::Latency => EndpointSort::Latency,
            }),
            min_tokens_per_second: positive(
                provider.preferred_min_throughput.map(|Typical(value)| value),
                "provider.preferred_min_throughput",
            )?,
            max_ttft_ms: seconds.map(|seconds| 1000.0 * seconds),
        };
        Ok(Self {
            allow_models: names(&mut file.models),
            deny_models: names(&mut file.deny),
            allow_providers: names(&mut provider.only),
            deny_providers: names(&mut provider.ignore),
            data_policy: provider.data_policy(),
            max_cost: max_cost
                .map_err(|problem| BodyError::Number { key: "max_cost_usd", problem })?,
            max_latency_ms: positive(file.max_latency_ms, "max_latency_ms")?,
            quantizations: names(&mut provider.quantizations),
            parameters: if needs_parameters { file.parameters() } else { Vec::new() },
            max_input_price: price(prompt, "provider.max_price.prompt")?,
            max_output_price: price(completion, "provider.max_price.completion")?,
            order: names(&mut provider.order),
            endpoints,
        })
    }

    pub(super) fn to_constraints(&self) -> Constraints<'_> {
        Constraints {
            allow_models: Cow::Borrowed(&self.allow_models),
            deny_models: Cow::Borrowed(&self.deny_models),
            allow_providers: Cow::Borrowed(&self.allow_providers),
            deny_providers: Cow::Borrowed(&self.deny_providers),
            data_policy: self.data_policy,
            max_cost: self.max_cost,
            max_latency_ms: self.max_latency_ms,
            quantizations: Cow::Borrowed(&self.quantizations),
            parameters: Cow::Borrowed(&self.parameters),
            max_input_price: self.max_input_price,
            max_output_price: self.max_output_price,
            endpoints: EndpointChoice {
                order: Cow::Borrowed(&self.order),
                ..self.endpoints.clone()
            },
        }
    }
}

fn names<'a>(names: &mut Option<Vec<Text<'a>>>) -> Vec<Cow<'a, str>> {
    names.take().unwrap_or_default().into_iter().map(|Text(name)| name).collect()
}

fn positive(value: Option<f64>, key: &'static str) -> Result<Option<f64>, BodyError> {
    match value {
        Some(value) if !(0.0 < value && value.is_finite()) => {
            Err(BodyError::Number { key, problem: OutOfRange::positive(value) })
        }
        Some(_) | None => Ok(value),
    }
}
