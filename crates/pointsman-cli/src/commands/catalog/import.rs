//! `pointsman catalog import`: a price list of others as a catalog, or its prices into one.

use super::{
    merge::{Merged, Strangers, merge},
    selection::{Selection, check_names},
};
use crate::{
    files,
    screen::{self, Screen},
    wording,
};
use anyhow::{Context, Result, bail};
use pointsman_core::catalog::{Catalog, Date};
use pointsman_import::prices::{Free, Offer, PriceFormat, PriceList, assemble, offers};
use serde_json::{Value, json};
use std::path::PathBuf;

/// How many names stand behind a count.
const N_NAMED: usize = 3;

/// Flags of `catalog import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The price list, as it was downloaded.
    file: PathBuf,
    /// Whose list it is; its own shape says so where this does not.
    #[arg(long, value_enum, default_value_t = ListFormat::Auto)]
    from: ListFormat,
    #[command(flatten)]
    selection: Selection,
    /// Only these providers; what a model can do is then what these state.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    providers: Vec<String>,
    /// Also models that cost nothing; they would always be the cheapest.
    #[arg(long)]
    with_free: bool,
    /// The day of the list, from which its prices hold.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// The catalog to write; JSON where the name ends in `.json`, else TOML.
    #[arg(long, value_name = "FILE", required_unless_present = "into", conflicts_with = "into")]
    out: Option<PathBuf>,
    /// A catalog that takes over the list's prices and keeps its own as history.
    #[arg(long, value_name = "FILE", requires = "as_of")]
    into: Option<PathBuf>,
    /// Also write what was found as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Whose list it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ListFormat {
    Auto,
    Openrouter,
    #[value(name = "models.dev")]
    ModelsDev,
    Litellm,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let outputs = [args.out.as_deref(), args.into.as_deref(), args.json.as_deref()];
    files::check_apart(&[&args.file], &outputs)?;
    let old =
        args.into.as_deref().filter(|into| into.exists()).map(files::read_catalog).transpose()?;
    let name = || args.file.display().to_string();
    let text = files::read(&args.file)?;
    let (format, all) = offers(&text, args.from.format()).with_context(name)?;
    let n_offers = all.len();
    let known: Vec<&str> = all.iter().map(|offer| offer.model.as_str()).collect();
    let chosen = args.selection.among(&known, &name())?;
    let providers: Vec<&str> = all.iter().map(|offer| offer.provider.as_str()).collect();
    check_names("provider", &args.providers, &providers, &name())?;
    // A catalog that is there takes what it has already, unless more is asked for by name.
    let strangers = match &old {
        Some(_) if chosen.is_everything() => Strangers::PassedOver,
        Some(_) | None => Strangers::Added,
    };
    let is_meant = |model: &str, provider: &str| {
        let is_provider = || args.providers.iter().any(|name| name == provider);
        chosen.takes(model) && (args.providers.is_empty() || is_provider())
    };
    let meant: Vec<Offer> =
        all.iter().filter(|offer| is_meant(&offer.model, &offer.provider)).cloned().collect();
    let n_not_meant = n_offers - meant.len();
    let free = if args.with_free { Free::Kept } else { Free::LeftOut };
    let list = assemble(meant, free);
    let found = Found { format, n_offers, n_not_meant, list };
    found.describe(screen)?;
    if found.list.models.is_empty() {
        bail!("{}: no model of the list can be in a catalog", name());
    }
    let merged = args.write(&found.list, old, strangers, &is_meant)?;
    describe_written(args, merged.as_ref(), screen)?;
    let mut value = found.as_json();
    if let Some(merged) = &merged {
        value["merged"] = merged_json(merged);
    }
    screen::json(args.json.as_deref(), &value)
}

impl Args {
    /// Writes the catalog; what became of the one that was there, if there was one.
    fn write(
        &self,
        list: &PriceList,
        old: Option<Catalog>,
        strangers: Strangers,
        is_meant: &dyn Fn(&str, &str) -> bool,
    ) -> Result<Option<Merged>> {
        let models = list.models.clone();
        match (&self.into, self.as_of, &self.out) {
            (Some(into), Some(day), _) => {
                let merged = merge(old, models, day, strangers, is_meant)
                    .with_context(|| into.display().to_string())?;
                files::write_catalog(into, &merged.catalog)?;
                Ok(Some(merged))
            }
            (None, Some(day), Some(out)) => {
                let merged = merge(None, models, day, Strangers::Added, is_meant)?;
                files::write_catalog(out, &merged.catalog)?;
                Ok(None)
            }
            (None, None, Some(out)) => {
                files::write_catalog(out, &Catalog::from_models(models, None)?)?;
                Ok(None)
            }
            (Some(_), None, _) | (None, _, None) => {
                bail!("name a catalog to write with --out, or with --into and --as-of")
            }
        }
    }
}

impl ListFormat {
    const fn format(self) -> Option<PriceFormat> {
        match self {
            Self::Auto => None,
            Self::Openrouter => Some(PriceFormat::OpenRouter),
            Self::ModelsDev => Some(PriceFormat::ModelsDev),
            Self::Litellm => Some(PriceFormat::LiteLlm),
        }
    }
}

/// What a list held.
struct Found {
    format: PriceFormat,
    n_offers: usize,
    n_not_meant: usize,
    list: PriceList,
}

impl Found {
    fn n_endpoints(&self) -> usize {
        self.list.models.iter().map(|model| model.endpoints.len()).sum()
    }

    fn describe(&self, screen: &Screen) -> Result<()> {
        let Self { format, n_offers, n_not_meant, list } = self;
        screen.say(&format!(
            "read a list of {format}: {}; {} with {}",
            wording::counted_length(*n_offers, "entry", "entries"),
            wording::counted_length(list.models.len(), "model", "models"),
            wording::counted_length(self.n_endpoints(), "endpoint", "endpoints"),
        ))?;
        if 0 < *n_not_meant {
            let n = wording::length(*n_not_meant);
            screen.say(&format!("  not asked for: {n}"))?;
        }
        for (why, names) in &list.left_out {
            let n = wording::length(names.len());
            screen.say(&format!("  left out: {n} ({why}), such as {}", some(names)))?;
        }
        for (note, n) in &list.notes {
            screen.say(&format!("  note: {} {}", wording::count(*n), note.of(*n)))?;
        }
        Ok(())
    }

    fn as_json(&self) -> Value {
        let Self { format, n_offers, n_not_meant, list } = self;
        let left_out: Vec<Value> = list
            .left_out
            .iter()
            .map(|(why, names)| json!({"reason": why.to_string(), "names": names}))
            .collect();
        let notes: Vec<Value> =
            list.notes.iter().map(|(note, n)| json!({"note": note.to_string(), "n": n})).collect();
        json!({
            "format": format.to_string(),
            "n_entries": n_offers,
            "n_not_asked_for": n_not_meant,
            "n_models": list.models.len(),
            "n_endpoints": self.n_endpoints(),
            "left_out": left_out,
            "notes": notes,
        })
    }
}

fn describe_written(args: &Args, merged: Option<&Merged>, screen: &Screen) -> Result<()> {
    let path = args.into.as_ref().or(args.out.as_ref()).map(|path| path.display().to_string());
    let dated = args.as_of.map_or_else(String::new, |day| format!(", as of {day}"));
    screen.say(&format!("wrote {}{dated}", path.unwrap_or_default()))?;
    let Some(merged) = merged else { return Ok(()) };
    let Merged { catalog: _, changed, corrected, added, n_unchanged, not_listed, n_passed_over } =
        merged;
    let named = [
        ("another price since then", changed),
        ("a price of that day put right", corrected),
        ("added", added),
        ("not in the list, and left as they are", not_listed),
    ];
    for (what, names) in named.iter().filter(|(_, names)| !names.is_empty()) {
        let n = wording::length(names.len());
        screen.say(&format!("  {what}: {n}, such as {}", some(names)))?;
    }
    screen.say(&format!("  the same price: {}", wording::count(*n_unchanged)))?;
    if 0 < *n_passed_over {
        screen.say(&format!(
            "  in the list and not in the catalog: {}; --models or --like adds them",
            wording::counted(*n_passed_over, "endpoint", "endpoints")
        ))?;
    }
    Ok(())
}

fn merged_json(merged: &Merged) -> Value {
    let Merged { catalog: _, changed, corrected, added, n_unchanged, not_listed, n_passed_over } =
        merged;
    json!({
        "changed": changed,
        "corrected": corrected,
        "added": added,
        "n_unchanged": n_unchanged,
        "not_listed": not_listed,
        "n_passed_over": n_passed_over,
    })
}

/// The first few of some names.
fn some(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(N_NAMED).map(|name| format!("`{name}`")).collect();
    shown.join(", ")
}
