//! `pointsman catalog`: catalogs from the price lists of others, what changed in them, what they
//! hold.

mod diff;
mod import;
mod merge;
mod selection;
mod show;

use crate::screen::Screen;
use anyhow::Result;
use clap::Subcommand;

/// Flags of `catalog`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A catalog from a price list of OpenRouter, models.dev or LiteLLM, or its prices into one.
    Import(import::Args),
    /// What is different in a newer catalog: models, prices, limits, capabilities.
    Diff(diff::Args),
    /// Models, prices, limits and capabilities of a catalog, also of another day.
    Show(show::Args),
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    match &args.command {
        Command::Import(args) => import::run(args, screen),
        Command::Diff(args) => diff::run(args, screen),
        Command::Show(args) => show::run(args, screen),
    }
}
