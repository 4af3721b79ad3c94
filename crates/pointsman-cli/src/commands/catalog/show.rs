//! `pointsman catalog show`: what a catalog holds, also on another day.

use super::{
    diff::{dollars, policy_name},
    merge::name,
    selection::Selection,
};
use crate::{
    files,
    screen::{self, Screen},
    wording,
};
use anyhow::{Context, Result};
use pointsman_core::{
    catalog::{Catalog, Date, Endpoint, Model},
    units::Tokens,
};
use std::path::PathBuf;

/// Flags of `catalog show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The catalog.
    catalog: PathBuf,
    #[command(flatten)]
    selection: Selection,
    /// The prices of that day, from the catalog's price history.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// Also write the models that are shown as a catalog in JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    files::check_apart(&[&args.catalog], &[args.json.as_deref()])?;
    let catalog = files::read_catalog(&args.catalog)?;
    let place = args.catalog.display().to_string();
    let known: Vec<&str> = catalog.models().iter().map(|model| model.id.as_str()).collect();
    let chosen = args.selection.among(&known, &place)?;
    let meant = catalog.models().iter().filter(|model| chosen.takes(&model.id)).cloned().collect();
    let meant = Catalog::from_models(meant, catalog.dated())?;
    let shown = args.as_of.map_or_else(|| meant.clone(), |day| meant.as_of(day));
    let rows = shown
        .models()
        .iter()
        .flat_map(|model| model.endpoints.iter().map(move |endpoint| row(model, endpoint)));
    let header =
        ["model", "provider", "input", "output", "cached", "context", "answer", "policy", "can"];
    screen.table(header, rows)?;
    screen.say("prices in dollars per million tokens; context and longest answer in tokens")?;
    if let Some(dated) = shown.dated() {
        screen.say(&format!("as of {}", args.as_of.unwrap_or(dated)))?;
    }
    if let Some(day) = args.as_of {
        for (model, endpoint) in meant.not_priced_on(day) {
            let name = name(&model.id, endpoint);
            screen.say(&format!(
                "the price of {name} on {day} is not known; its earliest one is shown"
            ))?;
        }
    }
    let value: serde_json::Value =
        serde_json::from_str(&shown.to_json()?).context("the catalog as JSON")?;
    screen::json(args.json.as_deref(), &value)
}

fn row(model: &Model, endpoint: &Endpoint) -> [String; 9] {
    let none = || "-".to_owned();
    let count =
        |tokens: Option<Tokens>| tokens.map_or_else(none, |tokens| wording::count(tokens.get()));
    let can: Vec<&str> = model.capabilities.names().collect();
    let provider = match &endpoint.quantization {
        Some(quantization) => format!("{} ({quantization})", endpoint.provider),
        None => endpoint.provider.clone(),
    };
    [
        model.id.clone(),
        provider,
        dollars(endpoint.input),
        dollars(endpoint.output),
        endpoint.cached_input.map_or_else(none, dollars),
        count(endpoint.context_window.or(model.context_window)),
        count(model.max_output_tokens),
        policy_name(endpoint.data_policy).to_owned(),
        can.join(" "),
    ]
}
