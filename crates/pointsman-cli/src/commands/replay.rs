//! `pointsman replay`: what learning on the way would have been worth, window by window.

use super::train::LearningFlags;
use crate::{
    files,
    load::{self, QualityRange},
    policy_flags::{PolicyFlags, optional_catalog},
    replay::{
        Gate, Question, replay,
        setting::{AgainstFlag, Retrain, Setting},
        stream::{self, Order, Stream},
        windows::{Memory, Span},
        words,
    },
    report::render_replay,
    screen::{self, Screen},
    what_if::WhatIfFlags,
};
use anyhow::{Context, Result, anyhow, bail};
use pointsman_eval::interval::ConfidenceLevel;
use std::path::{Path, PathBuf};

/// Flags of `replay`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["log", "table"])))]
pub(crate) struct Args {
    /// Traffic logs (NDJSON or Parquet; files or patterns), or the folder of a journal.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    log: Vec<PathBuf>,
    /// Outcome tables (Parquet, CSV or NDJSON; files or patterns); they come by their column
    /// `ts_ms`, else as they stand.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    table: Vec<PathBuf>,
    /// Models and prices (TOML or JSON); every model of the data must be in it.
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// How long a window is: days, hours or minutes as `1d`, `6h`, `30m`, or so many rows.
    #[arg(long, default_value = "1d", value_name = "SPAN")]
    window: Span,
    /// Learn anew every so many windows, or `never` after the first time.
    #[arg(long, default_value = "1", value_name = "N|never")]
    retrain: Retrain,
    /// What of the past is learned from: `all`, the last `30d`, or so many rows.
    #[arg(long, default_value = "all", value_name = "SPAN")]
    memory: Memory,
    /// A fit takes at most so many rows of what is remembered, the newest.
    #[arg(long, default_value_t = 150_000, value_name = "ROWS")]
    most_rows: usize,
    /// Ask held-out rows how to learn at every so many fits, and where rows have doubled; fits in
    /// between take it over. `1` asks at each, as `train` does.
    #[arg(long, default_value_t = 10, value_name = "FITS")]
    select_every: usize,
    /// Another setting on the same rows, by what is other about it: `frozen`,
    /// `objective=economy,memory=7d`, `doubly-robust`.
    #[arg(long, value_name = "CHANGE,…")]
    against: Option<AgainstFlag>,
    /// The prompts of a table come by lot, seeded by `--seed`.
    #[arg(long, conflicts_with = "log")]
    shuffle: bool,
    /// The prompts of a table come at the times of this file, one a line in its first cell.
    #[arg(long, value_name = "FILE", conflicts_with = "log")]
    arrivals: Option<PathBuf>,
    /// What a gate on each window would ask: the least that quality may change by.
    #[arg(
        long,
        default_value_t = -0.01,
        value_name = "QUALITY",
        allow_hyphen_values = true,
        conflicts_with = "table"
    )]
    min_quality_delta: f64,
    /// The most that cost may change by, in dollars per request; not asked where not given.
    #[arg(
        long,
        value_name = "USD",
        allow_hyphen_values = true,
        requires = "largest_cost_usd",
        conflicts_with = "table"
    )]
    max_cost_delta: Option<f64>,
    /// The most that one request can cost; intervals of cost rest on it.
    #[arg(long, value_name = "USD")]
    largest_cost_usd: Option<f64>,
    #[command(flatten)]
    learning: LearningFlags,
    #[command(flatten)]
    flags: PolicyFlags,
    /// The nominal coverage of intervals.
    #[arg(long, default_value_t = 0.95)]
    confidence: f64,
    /// The scale that quality is given in; `0..1` where not given.
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    quality_range: Option<QualityRange>,
    /// The metric of a log that is its quality; `quality` where not given.
    #[arg(long, value_name = "NAME", conflicts_with = "table")]
    quality_metric: Option<String>,
    /// Also write the replay as one HTML page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Also write the replay as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    what_if: WhatIfFlags,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let inputs = args.log.iter().chain(&args.table).chain(&args.catalog).chain(&args.arrivals);
    let inputs: Vec<&Path> = inputs.map(PathBuf::as_path).collect();
    files::check_apart(&inputs, &[args.html.as_deref(), args.json.as_deref()])?;
    let question = question(args)?;
    let replayed = replay(read(args, &question, screen)?, &question, screen)?;
    screen.say(&words::text(&replayed))?;
    if let Some(path) = &args.html {
        files::write(path, render_replay(&replayed)?.as_bytes())?;
        screen.say(&format!("wrote {}", path.display()))?;
    }
    screen::json(args.json.as_deref(), &serde_json::to_value(&replayed)?)
}

fn question(args: &Args) -> Result<Question> {
    if args.learning.max_mb.is_some() {
        bail!("--max-mb says how large a policy file may be, and a replay writes none");
    }
    if args.most_rows == 0 {
        bail!("--most-rows 0: nothing would be learned from");
    }
    if args.select_every == 0 {
        bail!("--select-every 0: write 1 to ask held-out rows at each fit, or a larger number");
    }
    let (what_if, catalog) = args.what_if.checked(optional_catalog(args.catalog.as_deref())?)?;
    let own = Setting {
        name: "replayed".to_owned(),
        retrain: args.retrain,
        memory: args.memory,
        learning: args.learning.clone(),
        flags: args.flags.clone(),
    };
    let other = args.against.as_ref().map(|flag| flag.of(&own)).transpose();
    let other = other.map_err(|reason| anyhow!("--against: {reason}"))?;
    let is_robust = other.as_ref().is_some_and(|other| other.learning.doubly_robust);
    if is_robust && args.log.is_empty() {
        bail!("--against: `doubly-robust` is about a log; leave it out beside --table");
    }
    Ok(Question {
        window: args.window,
        settings: std::iter::once(own).chain(other).collect(),
        most_rows: args.most_rows,
        select_every: args.select_every,
        level: ConfidenceLevel::new(args.confidence).context("--confidence")?,
        gate: gate(args)?,
        catalog,
        what_if,
        command: std::env::args().collect::<Vec<_>>().join(" "),
    })
}

fn gate(args: &Args) -> Result<Gate> {
    let quality = args.min_quality_delta;
    if !(-1.0 < quality && quality < 1.0) {
        bail!("--min-quality-delta: {quality} is not between -1 and 1, the scale of quality");
    }
    if let Some(found) = args.max_cost_delta.filter(|found| !found.is_finite()) {
        bail!("--max-cost-delta: {found} is not a finite number");
    }
    let is_positive = |found: &f64| found.is_finite() && 0.0 < *found;
    if let Some(found) = args.largest_cost_usd.filter(|found| !is_positive(found)) {
        bail!("--largest-cost-usd: {found} is not a finite number above 0");
    }
    Ok(Gate { quality, cost_usd: args.max_cost_delta, largest_cost_usd: args.largest_cost_usd })
}

fn read(args: &Args, question: &Question, screen: &Screen) -> Result<Stream> {
    let schema = args.learning.schema()?;
    let changes = (&question.what_if, question.catalog.as_ref());
    if args.log.is_empty() {
        let options = load::read_options(args.quality_range);
        let order = Order {
            shuffled: args.shuffle.then_some(args.learning.seed),
            arrivals: args.arrivals.as_deref(),
        };
        return stream::of_table(&args.table, (&options, schema), changes, &order, screen);
    }
    let options = load::log_options(args.quality_range, args.quality_metric.as_deref());
    stream::of_log(&args.log, (&options, schema), changes, screen)
}
