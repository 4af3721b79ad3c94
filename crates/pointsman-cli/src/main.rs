//! The command line: hands columns from one crate to the next, and speaks to people.
//!
//! Exit codes: 0 fine; 1 the gate says hold or cannot tell; 2 could not run, with one sentence
//! that says what to do.

#[cfg(feature = "learn")]
mod answer_texts;
#[cfg(feature = "learn")]
mod cold_start;
mod commands;
#[cfg(feature = "learn")]
mod cross_fit;
mod dictionary;
#[cfg(feature = "learn")]
mod equal_prompts;
#[cfg(feature = "learn")]
mod estimated;
#[cfg(feature = "learn")]
mod evaluation;
mod files;
#[cfg(feature = "learn")]
mod from_logs;
#[cfg(feature = "learn")]
mod load;
#[cfg(feature = "learn")]
mod log_curve;
mod nearest;
#[cfg(feature = "learn")]
mod off_policy;
#[cfg(feature = "learn")]
mod point_flags;
mod policy_flags;
#[cfg(feature = "learn")]
mod replay;
#[cfg(feature = "learn")]
mod report;
#[cfg(feature = "learn")]
mod routers;
mod screen;
#[cfg(feature = "serve")]
mod settings_flags;
#[cfg(feature = "learn")]
mod standing;
#[cfg(feature = "learn")]
mod trajectories;
mod usage;
#[cfg(feature = "learn")]
mod what_if;
#[cfg_attr(not(feature = "learn"), expect(dead_code, reason = "learning uses the rest"))]
mod wording;

use clap::{CommandFactory, Parser, Subcommand};
#[cfg(feature = "learn")]
use pointsman_eval::gate::Verdict;
use screen::Screen;
use std::{env, panic, process::ExitCode};

/// Gives memory back to the system seldom: matrices come and go in every step of a fit.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Learns from your own LLM traffic which model should answer which prompt, says offline what that
/// would be worth, and decides in microseconds.
#[derive(Debug, Parser)]
#[command(name = "pointsman", version = env!("POINTSMAN_VERSION"), max_term_width = 100)]
struct Cli {
    /// No progress on standard error.
    #[arg(long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything once, on the sample: learn, evaluate, report, decide.
    #[cfg(feature = "learn")]
    Demo(commands::demo::Args),
    /// A bandit log from an outcome table, with exact propensities.
    #[cfg(feature = "learn")]
    Simulate(commands::simulate::Args),
    /// Learns a policy from a log or an outcome table.
    #[cfg(feature = "learn")]
    Train(commands::train::Args),
    /// Cross-validated routers on outcome tables, with baselines.
    #[cfg(feature = "learn")]
    Benchmark(commands::benchmark::Args),
    /// What policies would have done, on an outcome table or a log.
    #[cfg(feature = "learn")]
    Evaluate(commands::evaluate::Args),
    /// Whether a policy may ship, by a log: exit code 0 ship, 1 hold or cannot tell.
    #[cfg(feature = "learn")]
    Gate(commands::gate::Args),
    /// A log or a table walked through in time: learn, decide the next window, go on.
    #[cfg(feature = "learn")]
    Replay(Box<commands::replay::Args>),
    /// Off-policy estimates from any logged-bandit columns.
    #[cfg(feature = "learn")]
    Ope(commands::ope::Args),
    /// The segments of a journal as Parquet, outcomes joined to their decisions.
    #[cfg(feature = "learn")]
    Compact(commands::compact::Args),
    /// Takes everything out of a journal that is of one subject.
    Forget(commands::forget::Args),
    /// Result files of benchmarks as an outcome table.
    Results(commands::results::Args),
    /// Catalogs of models and prices, from price lists of others.
    Catalog(commands::catalog::Args),
    /// Logs of gateways, tracers and files of columns, as traffic records.
    #[cfg(feature = "learn")]
    Import(commands::import::Args),
    /// One decision; the request on standard input.
    Route(commands::route::Args),
    /// Decides over HTTP, keeps a journal, and stops when told to.
    #[cfg(feature = "serve")]
    Serve(commands::serve::Args),
    /// The settings that `serve` would run on, and where each comes from.
    #[cfg(feature = "serve")]
    Config(commands::config::Args),
    /// The model card of a policy file.
    Inspect(commands::inspect::Args),
    /// A script by which a shell completes this command line.
    Completions(commands::completions::Args),
    /// Manual pages.
    Man(commands::man::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::refuse(&error, &Cli::command(), env::args_os()),
    };
    // A library may panic on a file that is damaged in a way it did not foresee; that too is one
    // sentence and exit code 2.
    panic::set_hook(Box::new(|info| {
        let what = info.payload_as_str().unwrap_or("no reason given").replace('\n', " ");
        let at = info.location().map_or_else(String::new, |at| format!(" at {at}"));
        screen::error(&format!(
            "cannot go on: {what}{at}; is an input file damaged? if not, this is a bug, please report it"
        ));
    }));
    panic::catch_unwind(|| run(cli)).unwrap_or(ExitCode::from(2))
}

fn run(cli: Cli) -> ExitCode {
    let screen = Screen::new(cli.quiet);
    let done = match cli.command {
        #[cfg(feature = "learn")]
        Command::Demo(args) => commands::demo::run(&args, &screen),
        #[cfg(feature = "learn")]
        Command::Simulate(args) => commands::simulate::run(&args, &screen),
        #[cfg(feature = "learn")]
        Command::Train(args) => commands::train::run(&args, &screen),
        #[cfg(feature = "learn")]
        Command::Benchmark(args) => commands::benchmark::run(&args, &screen),
        #[cfg(feature = "learn")]
        Command::Evaluate(args) => commands::evaluate::run(&args, &screen),
        #[cfg(feature = "learn")]
        Command::Gate(args) => return gate(&args, &screen),
        #[cfg(feature = "learn")]
        Command::Replay(args) => commands::replay::run(&args, &screen),
        #[cfg(feature = "learn")]
        Command::Ope(args) => commands::ope::run(&args, &screen),
        #[cfg(feature = "learn")]
        Command::Compact(args) => commands::compact::run(&args, &screen),
        Command::Forget(args) => commands::forget::run(&args, &screen),
        Command::Results(args) => commands::results::run(&args, &screen),
        Command::Catalog(args) => commands::catalog::run(&args, &screen),
        #[cfg(feature = "learn")]
        Command::Import(args) => commands::import::run(&args, &screen),
        Command::Route(args) => commands::route::run(&args, &screen),
        #[cfg(feature = "serve")]
        Command::Serve(args) => commands::serve::run(&args),
        #[cfg(feature = "serve")]
        Command::Config(args) => commands::config::run(&args, &screen),
        Command::Inspect(args) => commands::inspect::run(&args, &screen),
        Command::Completions(args) => commands::completions::run(&args, &screen),
        Command::Man(args) => commands::man::run(&args, &screen),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if screen::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            screen::error(&told(&error));
            ExitCode::from(2)
        }
    }
}

/// The sentence of a refusal.
fn told(error: &anyhow::Error) -> String {
    format!("{error:#}{}", nearest_column(error))
}

/// Where a column is not there: the one that is nearest, if one is near.
#[cfg(feature = "learn")]
fn nearest_column(error: &anyhow::Error) -> String {
    let refusal = error.chain().find_map(|cause| cause.downcast_ref::<pointsman_data::DataError>());
    let Some(pointsman_data::DataError::MissingColumn { column, found, .. }) = refusal else {
        return String::new();
    };
    let near = nearest::nearest(column, found.split(", "));
    near.map_or_else(String::new, |near| format!("; the nearest of them is `{near}`"))
}

/// Nothing reads columns in this build.
#[cfg(not(feature = "learn"))]
fn nearest_column(_error: &anyhow::Error) -> String {
    String::new()
}

/// The verdict as an exit code; only a verdict to ship is 0, whatever becomes of the output.
#[cfg(feature = "learn")]
fn gate(args: &commands::gate::Args, screen: &Screen) -> ExitCode {
    match commands::gate::run(args, screen) {
        Ok(Verdict::Ship) => ExitCode::SUCCESS,
        Ok(Verdict::Hold | Verdict::CannotTell) => ExitCode::from(1),
        Err(error) => {
            screen::error(&told(&error));
            ExitCode::from(2)
        }
    }
}
