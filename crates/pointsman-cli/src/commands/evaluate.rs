//! `pointsman evaluate`: what policies would have done, on an outcome table or a log.

use crate::{
    estimated::EstimateFlags,
    evaluation::{self, Largest, RewardFlags, RewardModel, Settings},
    files,
    load::{self, QualityRange},
    policy_flags::{LoadedPolicy, PolicyFlags, optional_catalog},
    report::{
        Diagnostic, Gain, MeanInterval, MoveRow, Moves, Report, SliceRow, ValueRow, render_html,
    },
    screen::{self, Screen},
    what_if::WhatIfFlags,
    wording,
};
use anyhow::{Context, Result, bail};
use pointsman_data::LogOptions;
use pointsman_eval::interval::ConfidenceLevel;
use std::path::{Path, PathBuf};

/// Flags of `evaluate`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["log", "table"])))]
pub(crate) struct Args {
    /// Traffic logs (NDJSON or Parquet; files or patterns), or the folder of a journal.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    log: Vec<PathBuf>,
    /// Outcome tables (Parquet, CSV or NDJSON; files or patterns).
    #[arg(long, num_args = 1.., value_name = "FILE")]
    table: Vec<PathBuf>,
    /// What the models of --table answered, as `train --answers` takes it: value whole cascades of
    /// policies that read answers.
    #[arg(long, num_args = 1.., value_name = "FILE", conflicts_with = "log")]
    answers: Vec<PathBuf>,
    /// Policy files; the verdict is about the first.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// What requests move away from: another policy file; what was logged, or the best single model
    /// of a table, where not given.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Models and prices (TOML or JSON).
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    #[command(flatten)]
    flags: PolicyFlags,
    /// The nominal coverage of intervals.
    #[arg(long, default_value_t = 0.95)]
    confidence: f64,
    /// For a log that was not drawn: how narrow an interval of quality has to be to answer.
    #[arg(
        long,
        default_value_t = evaluation::WIDTH,
        value_name = "QUALITY",
        conflicts_with = "table"
    )]
    width: f64,
    /// Also differences by kind of request: task, tenant, length, language, tag:NAME; a table has
    /// no tenants and tags.
    #[arg(long, visible_alias = "slice", value_delimiter = ',', value_name = "BY,…")]
    slices: Vec<evaluation::SliceBy>,
    #[command(flatten)]
    estimates: EstimateFlags,
    #[command(flatten)]
    rewards: RewardFlags,
    /// The most that one request of a log can cost, for intervals of costs that hold at every number
    /// of rows.
    #[arg(long, value_name = "USD", conflicts_with = "table")]
    largest_cost_usd: Option<f64>,
    /// The most that one answer of a log can take: the timeout, say.
    #[arg(long, value_name = "MS", conflicts_with = "table")]
    largest_latency_ms: Option<f64>,
    /// Also use rows that a policy was trained on, which flatters it.
    #[arg(long)]
    include_trained: bool,
    /// The scale that quality is given in; `0..1` where not given.
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    quality_range: Option<QualityRange>,
    /// The metric of a log that is its quality; `quality` where not given.
    #[arg(long, value_name = "NAME", conflicts_with = "table")]
    quality_metric: Option<String>,
    /// Also write the report as one HTML page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Also write the report as Markdown.
    #[arg(long, value_name = "FILE")]
    md: Option<PathBuf>,
    /// Also write the report as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    what_if: WhatIfFlags,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let inputs = args.log.iter().chain(&args.table).chain(&args.policy).chain(&args.against);
    let inputs: Vec<&Path> =
        inputs.chain(&args.catalog).chain(&args.answers).map(PathBuf::as_path).collect();
    files::check_apart(&inputs, &[args.html.as_deref(), args.md.as_deref(), args.json.as_deref()])?;
    let (what_if, catalog) = args.what_if.checked(optional_catalog(args.catalog.as_deref())?)?;
    let load = |path: &PathBuf| what_if.apply(args.flags.load(path, catalog.as_ref())?);
    let mut policies: Vec<LoadedPolicy> = args.policy.iter().map(load).collect::<Result<_>>()?;
    let mut against = args.against.as_ref().map(load).transpose()?;
    name_apart(&mut policies, &args.policy);
    if let (Some(rival), Some(path)) = (&mut against, &args.against)
        && policies.iter().any(|policy| policy.name == rival.name)
    {
        rival.name = path.display().to_string();
    }
    let settings = Settings {
        policies,
        against,
        level: ConfidenceLevel::new(args.confidence).context("--confidence")?,
        include_trained: args.include_trained,
        width: width(args)?,
        estimating: args.estimates.checked()?,
        reward_model: reward_model(args)?,
        largest: Largest::new(args.largest_cost_usd, args.largest_latency_ms)?,
        slices: args.slices.clone(),
        what_if,
        catalog,
        command: std::env::args().collect::<Vec<_>>().join(" "),
    };
    let report = if args.log.is_empty() {
        let options = load::read_options(args.quality_range);
        evaluation::table::evaluate((&args.table, &args.answers), &options, &settings, screen)?
    } else {
        let options = load::log_options(args.quality_range, args.quality_metric.as_deref());
        let options = LogOptions { tags: evaluation::tags(&args.slices), ..options };
        evaluation::logged::evaluate(&args.log, &options, &settings, screen)?
    };
    screen.say(&text(&report))?;
    if let Some(path) = &args.html {
        files::write(path, render_html(&report)?.as_bytes())?;
        screen.say(&format!("wrote {}", path.display()))?;
    }
    if let Some(path) = &args.md {
        files::write(path, markdown(&report).as_bytes())?;
        screen.say(&format!("wrote {}", path.display()))?;
    }
    screen::json(args.json.as_deref(), &serde_json::to_value(&report)?)
}

fn reward_model(args: &Args) -> Result<RewardModel> {
    let reward_model = args.rewards.checked()?;
    if args.log.is_empty() && reward_model != RewardModel::Policy {
        bail!(
            "--reward-model cross-fitted is for a log; a table knows what every model would have \
             answered"
        );
    }
    Ok(reward_model)
}

fn width(args: &Args) -> Result<f64> {
    if 0.0 < args.width && args.width <= 1.0 {
        return Ok(args.width);
    }
    bail!("--width: {} is not above 0 and at most 1, the width of all there is", args.width)
}

/// Policies of one file name are told apart by their paths.
fn name_apart(policies: &mut [LoadedPolicy], paths: &[PathBuf]) {
    let names: Vec<String> = policies.iter().map(|policy| policy.name.clone()).collect();
    for (policy, path) in policies.iter_mut().zip(paths) {
        if 1 < names.iter().filter(|name| **name == policy.name).count() {
            policy.name = path.display().to_string();
        }
    }
}

/// The report on a terminal: verdict first.
pub(crate) fn text(report: &Report) -> String {
    let mut text = text_of_values(report);
    if !report.slices.is_empty() {
        let table = screen::table(SLICE_HEADER, report.slices.iter().map(slice_cells));
        text.push_str(&format!("\n\n{}:\n{table}\n", slices_title(report)));
    }
    for moves in &report.moves {
        text.push_str(&format!("\n\n{}", moves_title(moves)));
        if !moves.rows.is_empty() {
            let table = screen::table(MOVE_HEADER, moves.rows.iter().map(move_cells));
            text.push_str(&format!(":\n{table}"));
        }
        text.push('\n');
    }
    for diagnostic in &report.diagnostics {
        text.push_str(&format!("\n  {}", sentence(diagnostic)));
    }
    for warning in &report.warnings {
        text.push_str(&format!("\n! {warning}"));
    }
    text
}

/// Verdict and values, without the diagnostics.
pub(crate) fn text_of_values(report: &Report) -> String {
    let latency = Latency::of(report);
    let rows = report.values.iter().map(|row| cells(row, latency));
    let table = screen::columns(header(latency), rows);
    format!("{}\n\n{}:\n{table}", report.verdict.sentence, report.subtitle)
}

/// Whether the value table has a column of latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Latency {
    Shown,
    Unknown,
}

impl Latency {
    fn of(report: &Report) -> Self {
        let is_known = report.values.iter().any(|row| row.latency_ms.is_some());
        if is_known { Self::Shown } else { Self::Unknown }
    }
}

/// The columns of the value table.
fn header(latency: Latency) -> Vec<&'static str> {
    let mut header = vec!["policy", "estimator", "quality", "per 1,000 requests"];
    if latency == Latency::Shown {
        header.push("latency in ms");
    }
    header.push("effective rows");
    header
}

/// The columns of the table of slices.
const SLICE_HEADER: [&str; 5] = ["kind", "policy", "requests", "against", "difference"];

fn slices_title(report: &Report) -> String {
    let against = report.slices.first().map_or("", |row| row.against.as_str());
    format!(
        "quality against {against}, by kind of request; all {} intervals hold together",
        report.slices.len()
    )
}

/// The columns of a table of moves.
const MOVE_HEADER: [&str; 5] =
    ["from", "to", "requests", "adds to quality", "adds to $ per 1,000 requests"];

fn moves_title(moves: &Moves) -> String {
    let Moves { policy, against, moved_share, n_pairs_not_shown, .. } = moves;
    let mut title = format!(
        "what moves from {against} to `{policy}`: {} of requests change model",
        percent(*moved_share)
    );
    if 0 < *n_pairs_not_shown {
        title.push_str(&format!(
            ", {} of all between {} pairs of models not shown",
            percent(moves.not_shown_share),
            wording::length(*n_pairs_not_shown)
        ));
    }
    if 0 < moves.n_intervals {
        title.push_str(&format!("; all {} intervals hold together", moves.n_intervals));
    }
    title
}

fn move_cells(row: &MoveRow) -> [String; 5] {
    let cost = row.cost_usd.as_ref().map_or_else(|| "-".to_owned(), |it| gain(it, 1000.0));
    [row.from.clone(), row.to.clone(), percent(row.share), gain(&row.quality, 1.0), cost]
}

fn gain(gain: &Gain, scale: f64) -> String {
    let value = gain.value.map_or_else(|| "unknown".to_owned(), |it| format!("{:+.4}", scale * it));
    format!("{value} [{:+.4}, {:+.4}]", scale * gain.lower, scale * gain.upper)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn slice_cells(row: &SliceRow) -> [String; 5] {
    let value = row.difference.map_or_else(|| "unknown".to_owned(), |it| format!("{it:+.4}"));
    [
        format!("{}: {}", row.by, wording::excerpt(&row.slice, 40)),
        row.policy.clone(),
        wording::length(row.n_rows),
        wording::quality(row.against_quality),
        format!("{value} [{:+.4}, {:+.4}]", row.lower, row.upper),
    ]
}

fn sentence(diagnostic: &Diagnostic) -> String {
    format!("{}: {} ({})", diagnostic.name, diagnostic.value, diagnostic.meaning)
}

fn cells(row: &ValueRow, latency: Latency) -> Vec<String> {
    let value = match (row.value, row.lower, row.upper) {
        (Some(value), Some(lower), Some(upper)) => wording::with_interval(value, lower, upper),
        (None, Some(lower), Some(upper)) => format!("[{lower:.4}, {upper:.4}]"),
        (Some(_) | None, Some(_) | None, Some(_) | None) => "no value".to_owned(),
    };
    let cost = row.cost_usd.map_or_else(
        || "-".to_owned(),
        |cost| {
            let ends = ends(row.cost_interval.as_ref());
            let per_thousand = |(lower, upper): (f64, f64)| (1000.0 * lower, 1000.0 * upper);
            format!("{}{}", wording::per_thousand(cost), between(ends.map(per_thousand), 4))
        },
    );
    let mut cells = vec![row.policy.clone(), row.estimator.clone(), value, cost];
    if latency == Latency::Shown {
        let interval = between(ends(row.latency_interval.as_ref()), 1);
        cells
            .push(row.latency_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}{interval}")));
    }
    cells.push(row.effective_n.map_or_else(|| "-".to_owned(), |n| format!("{n:.0}")));
    cells
}

/// Both ends of an interval that has them.
fn ends(interval: Option<&MeanInterval>) -> Option<(f64, f64)> {
    let interval = interval?;
    interval.lower.zip(interval.upper)
}

/// An interval behind its value; nothing where there is none.
fn between(ends: Option<(f64, f64)>, decimals: usize) -> String {
    ends.map_or_else(String::new, |(lower, upper)| {
        format!(" [{lower:.decimals$}, {upper:.decimals$}]")
    })
}

/// The report as Markdown, for a pull request.
fn markdown(report: &Report) -> String {
    let mut text =
        format!("## {}\n\n**{}**\n\n{}\n", report.title, report.verdict.sentence, report.subtitle);
    let latency = Latency::of(report);
    let header = header(latency);
    text.push_str(&format!("\n| {} |\n{}|\n", header.join(" | "), "|---".repeat(header.len())));
    for row in &report.values {
        text.push_str(&format!("| {} |\n", cells(row, latency).join(" | ")));
    }
    if !report.slices.is_empty() {
        text.push_str(&format!("\n{}\n\n", slices_title(report)));
        text.push_str(&format!("| {} |\n{}|\n", SLICE_HEADER.join(" | "), "|---".repeat(5)));
        for row in &report.slices {
            let cells = slice_cells(row).map(|cell| cell.replace('|', "\\|"));
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
    }
    for moves in &report.moves {
        text.push_str(&format!("\n{}\n", moves_title(moves)));
        if !moves.rows.is_empty() {
            text.push_str(&format!("\n| {} |\n{}|\n", MOVE_HEADER.join(" | "), "|---".repeat(5)));
        }
        for row in &moves.rows {
            let cells = move_cells(row).map(|cell| cell.replace('|', "\\|"));
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
    }
    text.push('\n');
    for diagnostic in &report.diagnostics {
        text.push_str(&format!("* {}\n", sentence(diagnostic)));
    }
    for warning in &report.warnings {
        text.push_str(&format!("* ⚠ {warning}\n"));
    }
    let level = 100.0 * report.confidence;
    text.push_str(&format!(
        "\nIntervals are at {level} %, asymptotic where nothing else is said. `{}`\n",
        report.generated_by.command
    ));
    text
}
