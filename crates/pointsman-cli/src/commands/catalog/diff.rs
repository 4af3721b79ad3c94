//! `pointsman catalog diff`: what is different in a newer catalog.

use super::merge::{is_same, name};
use crate::{
    files,
    screen::{self, Screen},
    wording,
};
use anyhow::Result;
use pointsman_core::{
    catalog::{Catalog, Endpoint, Model},
    request::{Capabilities, DataPolicy},
    units::{Price, Tokens},
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Flags of `catalog diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The older catalog.
    old: PathBuf,
    /// The newer catalog.
    new: PathBuf,
    /// Also write the differences as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    files::check_apart(&[&args.old, &args.new], &[args.json.as_deref()])?;
    let (old, new) = (files::read_catalog(&args.old)?, files::read_catalog(&args.new)?);
    let changes = changes(&old, &new);
    if changes.is_empty() {
        screen.say("the catalogs have the same models at the same prices and limits")?;
    } else {
        screen.say(&wording::counted_length(changes.len(), "difference", "differences"))?;
        let rows = changes.iter().map(|change| {
            let Change { of, what, old, new, per_cent } = change;
            let shown = |side: Option<&str>| side.unwrap_or("-").to_owned();
            let per_cent =
                per_cent.map_or_else(String::new, |per_cent| format!("{per_cent:+.1} %"));
            [of.clone(), (*what).to_owned(), shown(old.as_deref()), shown(new.as_deref()), per_cent]
        });
        screen.table(["of", "what", "old", "new", "change"], rows)?;
    }
    let value: Vec<Value> = changes.iter().map(Change::as_json).collect();
    screen::json(args.json.as_deref(), &json!({ "changes": value }))
}

/// One difference.
#[derive(Debug, PartialEq)]
struct Change {
    /// The model, or the endpoint.
    of: String,
    what: &'static str,
    /// What it was, for people; `None` where it was nothing.
    old: Option<String>,
    new: Option<String>,
    /// Of prices.
    per_cent: Option<f64>,
}

impl Change {
    fn as_json(&self) -> Value {
        let Self { of, what, old, new, per_cent } = self;
        json!({"of": of, "what": what, "old": old, "new": new, "per_cent": per_cent})
    }
}

/// Every difference: what went in the order of the old catalog, then what is new or other in the
/// order of the new one.
fn changes(old: &Catalog, new: &Catalog) -> Vec<Change> {
    let mut found = Found::default();
    for model in old.models().iter().filter(|model| new.find(&model.id).is_none()) {
        found.push(&model.id, "model", Some("listed".to_owned()), None);
    }
    for model in new.models() {
        match old.find(&model.id) {
            None => found.push(&model.id, "model", None, Some("listed".to_owned())),
            Some(before) => found.model(before, model),
        }
    }
    found.changes
}

#[derive(Default)]
struct Found {
    changes: Vec<Change>,
}

impl Found {
    fn push(&mut self, of: &str, what: &'static str, old: Option<String>, new: Option<String>) {
        if old != new {
            self.changes.push(Change { of: of.to_owned(), what, old, new, per_cent: None });
        }
    }

    fn model(&mut self, old: &Model, new: &Model) {
        let id = &new.id;
        self.push(id, "context window", limit(old.context_window), limit(new.context_window));
        let longest = |model: &Model| limit(model.max_output_tokens);
        self.push(id, "longest answer", longest(old), longest(new));
        let abilities = |model: &Model| listed(model.capabilities);
        self.push(id, "capabilities", abilities(old), abilities(new));
        let prior = |model: &Model| model.prior_quality.map(|quality| quality.get().to_string());
        self.push(id, "prior quality", prior(old), prior(new));
        let is_in = |one: &Endpoint, all: &[Endpoint]| all.iter().any(|other| is_same(one, other));
        for gone in old.endpoints.iter().filter(|one| !is_in(one, &new.endpoints)) {
            self.push(&name(id, gone), "endpoint", Some("listed".to_owned()), None);
        }
        for endpoint in &new.endpoints {
            let of = name(id, endpoint);
            match old.endpoints.iter().find(|known| is_same(known, endpoint)) {
                None => self.push(&of, "endpoint", None, Some("listed".to_owned())),
                Some(before) => self.endpoint(&of, before, endpoint),
            }
        }
    }

    fn endpoint(&mut self, of: &str, old: &Endpoint, new: &Endpoint) {
        self.price(of, "input price", Some(old.input), Some(new.input));
        self.price(of, "output price", Some(old.output), Some(new.output));
        self.price(of, "cached input price", old.cached_input, new.cached_input);
        self.push(of, "context window", limit(old.context_window), limit(new.context_window));
        let policy = |endpoint: &Endpoint| Some(policy_name(endpoint.data_policy).to_owned());
        self.push(of, "data policy", policy(old), policy(new));
        let number = |value: Option<f64>| value.map(|value| value.to_string());
        self.push(of, "time to first token, ms", number(old.ttft_ms), number(new.ttft_ms));
        let speed = |endpoint: &Endpoint| number(endpoint.tokens_per_second);
        self.push(of, "tokens per second", speed(old), speed(new));
        let parameters =
            |endpoint: &Endpoint| endpoint.parameters.as_ref().map(|names| names.join(", "));
        self.push(of, "parameters", parameters(old), parameters(new));
    }

    fn price(&mut self, of: &str, what: &'static str, old: Option<Price>, new: Option<Price>) {
        if old == new {
            return;
        }
        let per_cent = match (old, new) {
            (Some(old), Some(new)) if Price::from_nanos_per_million(0) < old => {
                let (old, new) = (old.dollars_per_million(), new.dollars_per_million());
                Some(100.0 * (new - old) / old)
            }
            (Some(_) | None, Some(_) | None) => None,
        };
        let (old, new) = (old.map(dollars), new.map(dollars));
        self.changes.push(Change { of: of.to_owned(), what, old, new, per_cent });
    }
}

/// A price per million tokens, all its digits.
pub(super) fn dollars(price: Price) -> String {
    format!("${}", price.dollars_per_million())
}

pub(super) const fn policy_name(policy: DataPolicy) -> &'static str {
    match policy {
        DataPolicy::MayTrain => "may_train",
        DataPolicy::NoTraining => "no_training",
        DataPolicy::ZeroRetention => "zero_retention",
    }
}

fn limit(tokens: Option<Tokens>) -> Option<String> {
    tokens.map(|tokens| wording::count(tokens.get()))
}

fn listed(capabilities: Capabilities) -> Option<String> {
    let names: Vec<&str> = capabilities.names().collect();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"
        [[models]]
        id = "owl"
        [[models.endpoints]]
        provider = "north"
        input_usd_per_million = 1.0
        output_usd_per_million = 1.0
        [[models]]
        id = "swift"
        context_window = 1000
        capabilities = ["tools"]
        [[models.endpoints]]
        provider = "north"
        input_usd_per_million = 0.2
        output_usd_per_million = 0.0
        [[models.endpoints]]
        provider = "south"
        input_usd_per_million = 1.0
        output_usd_per_million = 1.0
    "#;
    const NEW: &str = r#"
        [[models]]
        id = "heron"
        [[models.endpoints]]
        provider = "north"
        input_usd_per_million = 1.0
        output_usd_per_million = 1.0
        [[models]]
        id = "swift"
        context_window = 2000
        capabilities = ["tools", "images"]
        [[models.endpoints]]
        provider = "north"
        input_usd_per_million = 0.15
        output_usd_per_million = 0.6
        cached_input_usd_per_million = 0.1
        data_policy = "no_training"
        [[models.endpoints]]
        provider = "west"
        input_usd_per_million = 1.0
        output_usd_per_million = 1.0
    "#;

    #[test]
    fn every_difference_is_named_once() {
        let (old, new) = (Catalog::from_toml(OLD).unwrap(), Catalog::from_toml(NEW).unwrap());
        let said: Vec<String> = changes(&old, &new)
            .iter()
            .map(|change| {
                let Change { of, what, old, new, per_cent } = change;
                let (old, new) = (old.as_deref(), new.as_deref());
                let side = |side: Option<&str>| side.unwrap_or_default().to_owned();
                let per_cent = per_cent.map_or_else(String::new, |share| format!("{share:+.1}"));
                format!("{of} | {what} | {} | {} | {per_cent}", side(old), side(new))
            })
            .collect();
        assert_eq!(
            said,
            [
                "owl | model | listed |  | ",
                "heron | model |  | listed | ",
                "swift | context window | 1,000 | 2,000 | ",
                "swift | capabilities | tools | tools, images | ",
                "swift at south | endpoint | listed |  | ",
                "swift at north | input price | $0.2 | $0.15 | -25.0",
                "swift at north | output price | $0 | $0.6 | ",
                "swift at north | cached input price |  | $0.1 | ",
                "swift at north | data policy | may_train | no_training | ",
                "swift at west | endpoint |  | listed | ",
            ]
        );
        assert!(changes(&new, &new).is_empty());
    }
}
