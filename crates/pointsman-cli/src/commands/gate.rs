//! `pointsman gate`: whether a policy may take over, as an exit code.

use crate::{
    estimated::Estimating,
    evaluation::{
        RewardFlags,
        gated::{self, Inexact, Margins, Question, Stated},
    },
    files,
    load::{self, QualityRange},
    policy_flags::{PolicyFlags, optional_catalog},
    screen::{self, Screen},
};
use anyhow::{Context, Result, bail};
use pointsman_eval::{gate::Verdict, interval::ConfidenceLevel};
use std::path::{Path, PathBuf};

/// Flags of `gate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Traffic logs (NDJSON or Parquet; files or patterns), or the folder of a journal.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    log: Vec<PathBuf>,
    /// The policy file that may ship.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// What it is held against: `logged`, or another policy file on the same rows.
    #[arg(long, value_name = "logged|FILE")]
    against: PathBuf,
    /// The least that quality may change by, on a scale from 0 to 1; `-0.01` allows a loss of 0.01.
    #[arg(long, value_name = "QUALITY", allow_hyphen_values = true)]
    min_quality_delta: f64,
    /// The most that cost may change by, in dollars per request; not tested where not given.
    #[arg(long, value_name = "USD", allow_hyphen_values = true)]
    max_cost_delta: Option<f64>,
    /// The most that latency may change by; not tested where not given.
    #[arg(long, value_name = "MS", allow_hyphen_values = true)]
    max_latency_delta_ms: Option<f64>,
    /// How often a verdict to ship must be right, and one to hold.
    #[arg(long, default_value_t = 0.95)]
    confidence: f64,
    /// Models, prices and token limits (TOML or JSON): together the most that a request can cost.
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// The most that one request can cost, where the catalog's limits are too generous.
    #[arg(long, value_name = "USD")]
    largest_cost_usd: Option<f64>,
    /// The most that one answer can take: the timeout, say.
    #[arg(long, value_name = "MS")]
    largest_latency_ms: Option<f64>,
    /// The least probability that the logger gives a model it may draw, known beforehand; narrows
    /// the bounds. With --estimate-propensities, the least that an estimate may be.
    #[arg(long, value_name = "PROBABILITY")]
    smallest_propensity: Option<f64>,
    /// Estimate propensities that the log does not know, by a model of the logger; always marked.
    #[arg(long)]
    estimate_propensities: bool,
    /// Where decisions name the drawn model alone: the tag whose values have candidates of their
    /// own, or `tenant` or `none`; `model_group` where not given.
    #[arg(long, value_name = "TAG", requires = "estimate_propensities")]
    candidates_by: Option<String>,
    /// Let estimated propensities ship or hold, as if they had been drawn with.
    #[arg(long)]
    accept_estimated: bool,
    /// Judge by the decisions that were drawn alone, and count the others: those of a service whose
    /// budget for exploring was spent, say. The verdict is then about the drawn ones.
    #[arg(long)]
    drawn_only: bool,
    #[command(flatten)]
    rewards: RewardFlags,
    #[command(flatten)]
    flags: PolicyFlags,
    /// The scale that quality is given in; `0..1` where not given.
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    quality_range: Option<QualityRange>,
    /// The metric of a log that is its quality; `quality` where not given.
    #[arg(long, value_name = "NAME")]
    quality_metric: Option<String>,
    /// Also write the verdict as Markdown, for a pull request.
    #[arg(long, value_name = "FILE")]
    md: Option<PathBuf>,
    /// Also write the verdict as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<Verdict> {
    screen.make_way_for(args.json.as_deref());
    let rival = (args.against != Path::new("logged")).then_some(args.against.as_path());
    if let Some(path) = rival.filter(|path| !path.exists()) {
        bail!(
            "cannot read {}: there is no such file; --against takes `logged` or a policy file",
            path.display()
        );
    }
    let inputs = args.log.iter().chain([&args.policy]).chain(&args.catalog);
    let inputs: Vec<&Path> = inputs.map(PathBuf::as_path).chain(rival).collect();
    files::check_apart(&inputs, &[args.md.as_deref(), args.json.as_deref()])?;
    let catalog = optional_catalog(args.catalog.as_deref())?;
    let question = Question {
        policy: args.flags.load(&args.policy, catalog.as_ref())?,
        rival: rival.map(|path| args.flags.load(path, catalog.as_ref())).transpose()?,
        margins: margins(args)?,
        stated: stated(args)?,
        estimating: estimating(args)?,
        reward_model: args.rewards.checked()?,
        inexact: if args.accept_estimated { Inexact::Accepted } else { Inexact::Doubted },
        drawn_only: args.drawn_only,
        catalog,
        level: ConfidenceLevel::new(args.confidence).context("--confidence")?,
    };
    let options = load::log_options(args.quality_range, args.quality_metric.as_deref());
    let report = gated::judge(&args.log, &options, &question, screen)?;
    if let Some(path) = &args.md {
        files::write(path, report.markdown().as_bytes())?;
    }
    if let Some(path) = args.json.as_deref().filter(|path| *path != Path::new("-")) {
        screen::json(Some(path), &serde_json::to_value(&report)?)?;
    }
    // Whoever stops reading must not turn a verdict into another exit code.
    unless_closed(screen.say(&report.text()))?;
    if args.json.as_deref() == Some(Path::new("-")) {
        unless_closed(screen::json(args.json.as_deref(), &serde_json::to_value(&report)?))?;
    }
    Ok(report.verdict())
}

fn unless_closed(said: Result<()>) -> Result<()> {
    match said {
        Err(error) if !screen::is_closed_pipe(&error) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn margins(args: &Args) -> Result<Margins> {
    let quality = args.min_quality_delta;
    if !(-1.0 < quality && quality < 1.0) {
        bail!(
            "--min-quality-delta: {quality} is not between -1 and 1; quality is on a scale from \
             0 to 1, so that a loss of one percent of it is -0.01"
        );
    }
    let finite = |flag: &str, found: Option<f64>| match found {
        Some(found) if !found.is_finite() => bail!("{flag}: {found} is not a finite number"),
        Some(_) | None => Ok(found),
    };
    Ok(Margins {
        quality,
        cost_usd: finite("--max-cost-delta", args.max_cost_delta)?,
        latency_ms: finite("--max-latency-delta-ms", args.max_latency_delta_ms)?,
    })
}

fn stated(args: &Args) -> Result<Stated> {
    for (flag, is_given, margin, is_tested) in [
        (
            "--largest-cost-usd",
            args.largest_cost_usd.is_some(),
            "--max-cost-delta",
            args.max_cost_delta.is_some(),
        ),
        (
            "--largest-latency-ms",
            args.largest_latency_ms.is_some(),
            "--max-latency-delta-ms",
            args.max_latency_delta_ms.is_some(),
        ),
    ] {
        if is_given && !is_tested {
            bail!("{flag} is for {margin}, which is not given; add that, or leave {flag} out");
        }
    }
    let positive = |flag: &str, found: Option<f64>| match found {
        Some(found) if !(found.is_finite() && 0.0 < found) => {
            bail!("{flag}: {found} is not a finite number above 0")
        }
        Some(_) | None => Ok(found),
    };
    let smallest_propensity = positive("--smallest-propensity", args.smallest_propensity)?;
    if let Some(found) = smallest_propensity.filter(|found| 1.0 < *found) {
        bail!("--smallest-propensity: {found} is above 1; it is a probability");
    }
    // Nothing is known beforehand of propensities that are estimated.
    let smallest_propensity = smallest_propensity.filter(|_| !args.estimate_propensities);
    Ok(Stated {
        largest_cost_usd: positive("--largest-cost-usd", args.largest_cost_usd)?,
        largest_latency_ms: positive("--largest-latency-ms", args.largest_latency_ms)?,
        smallest_propensity,
    })
}

fn estimating(args: &Args) -> Result<Option<Estimating>> {
    if !args.estimate_propensities {
        return Ok(None);
    }
    Estimating::new(args.smallest_propensity, args.candidates_by.as_deref()).map(Some)
}
