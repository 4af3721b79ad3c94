//! Which models may answer a request at all. Applied before any score is looked at, by the same
//! code in serving, training and evaluation; nothing can be traded against it.

use crate::{
    catalog::{Endpoint, Model},
    request::{Capabilities, Constraints, DataPolicy, OtherProviders, Request},
    units::{Price, Tokens, Usd},
};
use std::{borrow::Cow, fmt};

/// Why a model may not answer. Exactly one reason is given: the first in this order.
#[expect(missing_docs, reason = "each field is named and typed by its unit")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Exclusion {
    /// The caller named it among those it does not want.
    Denied,
    /// The caller gave a list of models, and it is not on it.
    NotAllowed,
    /// The conversation waits for what a tool returned, and another model had called the tool.
    HeldBySession,
    /// It cannot do what the request needs.
    Lacks { missing: Capabilities },
    /// Prompt and answer do not fit.
    ContextWindow { needed: Tokens, offered: Tokens },
    /// The caller wants longer answers than it gives.
    OutputLimit { asked: Tokens, offered: Tokens },
    /// No provider that the caller accepts serves it.
    Provider,
    /// Every accepted provider is laxer with data than the caller allows.
    DataPolicy { strictest: DataPolicy },
    /// Every accepted provider keeps the weights in a format that the caller does not want.
    Quantization,
    /// Every accepted provider passes over a parameter that the caller requires.
    Parameters,
    /// Every accepted provider asks more per token than the caller allows.
    Price { asked: Price, cap: Price },
    /// Every accepted provider is failing.
    Failing,
    /// One answer is expected to cost more than the cap.
    Cost { expected: Usd, cap: Usd },
    /// One answer is expected to take longer than the cap.
    Latency { expected_ms: f64, cap_ms: f64 },
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Denied => write!(f, "on the request's deny list"),
            Self::NotAllowed => write!(f, "not on the request's allow list"),
            Self::Lacks { missing } => {
                write!(f, "cannot do {}", missing.names().collect::<Vec<_>>().join(", "))
            }
            Self::ContextWindow { needed, offered } => {
                write!(f, "needs {} tokens of context, has {}", needed.get(), offered.get())
            }
            Self::OutputLimit { asked, offered } => {
                write!(f, "asked for up to {} output tokens, gives {}", asked.get(), offered.get())
            }
            Self::Provider => write!(f, "no accepted provider serves it"),
            Self::DataPolicy { strictest } => {
                let offers = match strictest {
                    DataPolicy::MayTrain => "may train on prompts",
                    DataPolicy::NoTraining => "keeps prompts",
                    DataPolicy::ZeroRetention => "keeps nothing",
                };
                write!(f, "its strictest accepted provider {offers}")
            }
            Self::HeldBySession => {
                write!(f, "another model called the tool that has just answered")
            }
            Self::Quantization => write!(f, "no accepted provider has an accepted quantization"),
            Self::Parameters => write!(f, "no accepted provider takes every required parameter"),
            Self::Price { asked, cap } => write!(
                f,
                "costs ${} per million tokens, over ${}",
                asked.dollars_per_million(),
                cap.dollars_per_million()
            ),
            Self::Failing => write!(f, "every accepted provider is failing"),
            Self::Cost { expected, cap } => {
                write!(f, "expected cost {} is over {}", exact(expected), exact(cap))
            }
            Self::Latency { expected_ms, cap_ms } => {
                write!(f, "expected latency {expected_ms:.0} ms is over {cap_ms:.0} ms")
            }
        }
    }
}

/// An amount with all its digits, at least six of them: one that is over another must not read the same.
fn exact(amount: Usd) -> String {
    const FEWEST: usize = 6;
    let text = format!("${:.9}", amount.as_dollars());
    let least = text.find('.').map_or(text.len(), |point| point + 1 + FEWEST);
    let kept = text.trim_end_matches('0').len().max(least);
    text.get(..kept).unwrap_or(&text).to_owned()
}

/// Whether the caller's lists let a model through; needs no catalog.
///
/// # Errors
/// The [`Exclusion`] that applies.
#[inline]
pub fn check_name(model: &str, constraints: &Constraints<'_>) -> Result<(), Exclusion> {
    if contains(&constraints.deny_models, model) {
        return Err(Exclusion::Denied);
    }
    if !constraints.allow_models.is_empty() && !contains(&constraints.allow_models, model) {
        return Err(Exclusion::NotAllowed);
    }
    Ok(())
}

/// Whether a model can take the request, by what the catalog says of it.
///
/// # Errors
/// The [`Exclusion`] that applies.
#[inline]
pub fn check_model(
    model: &Model,
    request: &Request<'_>,
    input_tokens: Tokens,
) -> Result<(), Exclusion> {
    let missing = request.needs.missing_from(model.capabilities);
    if !missing.is_empty() {
        return Err(Exclusion::Lacks { missing });
    }
    check_window(model.context_window, request, input_tokens)?;
    match (request.max_tokens, model.max_output_tokens) {
        (Some(asked), Some(offered)) if offered < asked => {
            Err(Exclusion::OutputLimit { asked, offered })
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

/// Whether an endpoint may be sent the request.
///
/// # Errors
/// The [`Exclusion`] that applies.
#[inline]
pub fn check_endpoint(
    endpoint: &Endpoint,
    request: &Request<'_>,
    input_tokens: Tokens,
) -> Result<(), Exclusion> {
    let constraints = &request.constraints;
    let provider = endpoint.provider.as_str();
    let is_among = |list: &[Cow<'_, str>]| list.is_empty() || contains(list, provider);
    let choice = &constraints.endpoints;
    if !is_among(&constraints.allow_providers)
        || contains(&constraints.deny_providers, provider)
        || (choice.others == OtherProviders::Refused && !is_among(&choice.order))
    {
        return Err(Exclusion::Provider);
    }
    if endpoint.data_policy < constraints.data_policy {
        return Err(Exclusion::DataPolicy { strictest: endpoint.data_policy });
    }
    if !constraints.quantizations.is_empty() {
        let found = endpoint.quantization.as_deref().unwrap_or("unknown");
        if !contains(&constraints.quantizations, found) {
            return Err(Exclusion::Quantization);
        }
    }
    if let Some(taken) = &endpoint.parameters
        && !constraints.parameters.iter().all(|name| taken.iter().any(|one| one == name))
    {
        return Err(Exclusion::Parameters);
    }
    check_price(endpoint.input, constraints.max_input_price)?;
    check_price(endpoint.output, constraints.max_output_price)?;
    check_window(endpoint.context_window, request, input_tokens)
}

#[inline]
fn check_price(asked: Price, cap: Option<Price>) -> Result<(), Exclusion> {
    match cap {
        Some(cap) if cap < asked => Err(Exclusion::Price { asked, cap }),
        Some(_) | None => Ok(()),
    }
}

#[inline]
fn check_window(
    window: Option<Tokens>,
    request: &Request<'_>,
    input_tokens: Tokens,
) -> Result<(), Exclusion> {
    let output = request.max_tokens.map_or(0, Tokens::get);
    let needed = Tokens::new(input_tokens.get().saturating_add(output));
    match window {
        Some(offered) if offered < needed => Err(Exclusion::ContextWindow { needed, offered }),
        Some(_) | None => Ok(()),
    }
}

#[inline]
fn contains(list: &[Cow<'_, str>], name: &str) -> bool {
    list.iter().any(|entry| entry == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn amounts_that_differ_read_differently() {
        for (expected, cap, read) in [
            (46_200, 100, "expected cost $0.0000462 is over $0.0000001"),
            (46_201, 46_200, "expected cost $0.000046201 is over $0.0000462"),
            (1_500_000_000, 0, "expected cost $1.500000 is over $0.000000"),
        ] {
            let (expected, cap) = (Usd::from_nanos(expected), Usd::from_nanos(cap));
            assert_eq!(Exclusion::Cost { expected, cap }.to_string(), read);
        }
    }

    fn catalog() -> Catalog {
        Catalog::from_toml(
            r#"
            [[models]]
            id = "m"
            context_window = 1000
            max_output_tokens = 100
            capabilities = ["tools"]
            [[models.endpoints]]
            provider = "p"
            input_usd_per_million = 1.0
            output_usd_per_million = 2.0
            data_policy = "no_training"
            context_window = 500
            quantization = "fp8"
            parameters = ["seed"]
            "#,
        )
        .unwrap()
    }

    #[track_caller]
    fn check(
        change: impl FnOnce(&mut Request<'static>),
        input_tokens: u64,
        expected: Option<&str>,
    ) {
        let catalog = catalog();
        let model = &catalog.models()[0];
        let mut request = Request::from_prompt("x");
        change(&mut request);
        let tokens = Tokens::new(input_tokens);
        let found = check_name("m", &request.constraints)
            .and_then(|()| check_model(model, &request, tokens))
            .and_then(|()| check_endpoint(&model.endpoints[0], &request, tokens));
        assert_eq!(found.err().map(|e| e.to_string()).as_deref(), expected);
    }

    #[test]
    fn each_constraint_excludes_with_its_reason() {
        let one = |name: &'static str| -> Cow<'static, [Cow<'static, str>]> {
            Cow::Owned(vec![Cow::Borrowed(name)])
        };
        check(|_| (), 10, None);
        check(|r| r.constraints.deny_models = one("m"), 10, Some("on the request's deny list"));
        check(
            |r| r.constraints.allow_models = one("x"),
            10,
            Some("not on the request's allow list"),
        );
        check(|r| r.constraints.allow_models = one("m"), 10, None);
        check(|r| r.needs = Capabilities::IMAGES, 10, Some("cannot do images"));
        check(|r| r.needs = Capabilities::TOOLS, 10, None);
        check(|_| (), 1001, Some("needs 1001 tokens of context, has 1000"));
        check(|_| (), 501, Some("needs 501 tokens of context, has 500"));
        check(|r| r.max_tokens = Some(Tokens::new(90)), 410, None);
        check(
            |r| r.max_tokens = Some(Tokens::new(101)),
            10,
            Some("asked for up to 101 output tokens, gives 100"),
        );
        check(
            |r| r.constraints.deny_providers = one("p"),
            10,
            Some("no accepted provider serves it"),
        );
        check(
            |r| r.constraints.allow_providers = one("q"),
            10,
            Some("no accepted provider serves it"),
        );
        check(
            |r| r.constraints.data_policy = DataPolicy::ZeroRetention,
            10,
            Some("its strictest accepted provider keeps prompts"),
        );
        check(
            |r| {
                r.constraints.endpoints.order = one("q");
                r.constraints.endpoints.others = OtherProviders::Refused;
            },
            10,
            Some("no accepted provider serves it"),
        );
        check(|r| r.constraints.endpoints.order = one("q"), 10, None);
        check(|r| r.constraints.quantizations = one("fp8"), 10, None);
        check(
            |r| r.constraints.quantizations = one("bf16"),
            10,
            Some("no accepted provider has an accepted quantization"),
        );
        check(|r| r.constraints.parameters = one("seed"), 10, None);
        check(
            |r| r.constraints.parameters = one("logprobs"),
            10,
            Some("no accepted provider takes every required parameter"),
        );
        let dollars = |dollars| Price::from_dollars_per_million(dollars).ok();
        check(|r| r.constraints.max_input_price = dollars(1.0), 10, None);
        check(
            |r| r.constraints.max_input_price = dollars(0.5),
            10,
            Some("costs $1 per million tokens, over $0.5"),
        );
        check(
            |r| r.constraints.max_output_price = dollars(1.5),
            10,
            Some("costs $2 per million tokens, over $1.5"),
        );
    }
}
