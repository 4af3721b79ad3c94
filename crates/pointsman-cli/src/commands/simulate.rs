//! `pointsman simulate`: a bandit log from an outcome table, under a stated logging policy.

use crate::{
    files,
    load::{self, QualityRange},
    screen::{self, Screen},
    wording,
};
use anyhow::{Result, bail};
use clap::ValueEnum;
use pointsman_data::{
    LoggerKind, SimulateOptions, SimulatedPart, SimulatedSteps, SimulationSummary, prompts_ahead,
    simulate, simulate_steps,
};
use serde_json::json;
use std::path::{Path, PathBuf};

/// How many times the table is read.
const N_READINGS: u64 = 2;

/// Flags of `simulate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Outcome tables (Parquet, CSV or NDJSON; files or patterns).
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    table: Vec<PathBuf>,
    /// The policy that draws the models, by their mean quality.
    #[arg(long, value_enum, default_value_t = Logger::Softmax)]
    logger: Logger,
    /// How fast softmax falls with quality.
    #[arg(long, default_value_t = 0.1, value_name = "QUALITY")]
    temperature: f64,
    /// The share of uniform draws, of softmax and epsilon-greedy alike.
    #[arg(long, default_value_t = 0.1)]
    epsilon: f64,
    /// Log only the training part of this test part (by `split`, or by `fold`), counted from zero.
    #[arg(long, value_name = "PART")]
    train_of: Option<usize>,
    /// Seeds the draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The scale that quality is given in; `0..1` where not given.
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    quality_range: Option<QualityRange>,
    /// What the models of --table answered, as `train --answers` takes it: also write a step after each
    /// drawn model's answer.
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "escalate_to")]
    answers: Vec<PathBuf>,
    /// The models that answers are escalated to, all alike.
    #[arg(long, num_args = 1.., value_name = "MODEL", requires = "answers")]
    escalate_to: Vec<String>,
    /// The probability of escalating an answer.
    #[arg(long, default_value_t = 0.5, value_name = "SHARE", requires = "answers")]
    escalate_share: f64,
    /// Where the log goes: `.ndjson` or `.parquet`; the truth goes beside it.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also write what was simulated as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A logging policy, as the flag spells it.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Logger {
    /// Probabilities follow the models' means.
    Softmax,
    /// The best model, but for a share of uniform draws.
    EpsilonGreedy,
    /// Every model alike.
    Uniform,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let inputs: Vec<&Path> = args.table.iter().chain(&args.answers).map(PathBuf::as_path).collect();
    files::check_apart(&inputs, &[Some(&args.out), args.json.as_deref()])?;
    if !(args.temperature.is_finite() && 0.0 < args.temperature) {
        bail!("--temperature {}: it must be a finite number above zero", args.temperature);
    }
    if !(0.0..=1.0).contains(&args.epsilon) {
        bail!("--epsilon {}: it must be a share from 0 to 1", args.epsilon);
    }
    let logger = match args.logger {
        Logger::Softmax => {
            LoggerKind::Softmax { temperature: args.temperature, uniform_share: args.epsilon }
        }
        Logger::EpsilonGreedy => LoggerKind::EpsilonGreedy { epsilon: args.epsilon },
        Logger::Uniform => LoggerKind::Uniform,
    };
    let options = SimulateOptions {
        logger,
        seed: args.seed,
        part: args.train_of.map_or(SimulatedPart::All, SimulatedPart::TrainOf),
        read: load::read_options(args.quality_range),
    };
    let n_about = || Some(prompts_ahead(&args.table)?.saturating_mul(N_READINGS));
    let bar = screen.progress_about("simulating", n_about);
    let on_prompt = &mut || bar.inc(1);
    let summary = if args.answers.is_empty() {
        simulate(&args.table, &options, &args.out, on_prompt)
    } else {
        let (answers, next) = (&args.answers[..], &args.escalate_to[..]);
        let steps = SimulatedSteps { answers, next, share: args.escalate_share };
        simulate_steps(&args.table, &options, &steps, &args.out, on_prompt)
    };
    bar.finish_and_clear();
    let summary = summary?;
    describe(&summary, args, screen)?;
    screen::json(
        args.json.as_deref(),
        &json!({
            "log": args.out,
            "truth": summary.truth_path,
            "n_decisions": summary.n_prompts,
            "n_steps": summary.n_steps,
        }),
    )
}

fn describe(summary: &SimulationSummary, args: &Args, screen: &Screen) -> Result<()> {
    screen.say(&format!(
        "simulated {} among {} with exact propensities",
        wording::counted_length(summary.n_prompts, "decision", "decisions"),
        wording::counted_length(summary.models.len(), "model", "models"),
    ))?;
    let rows = summary.models.iter().map(|model| {
        [
            model.model.clone(),
            format!("{:.4}", model.probability),
            wording::quality(model.quality),
            wording::count(model.n_drawn),
        ]
    });
    screen.table(["model", "probability", "true quality", "drawn"], rows)?;
    if !args.answers.is_empty() {
        screen.say(&format!(
            "{} after answers, each escalated with probability {}",
            wording::counted_length(summary.n_steps, "step", "steps"),
            args.escalate_share
        ))?;
        let n_without = summary.n_prompts.saturating_sub(summary.n_steps);
        if 0 < n_without {
            screen.say(&format!(
                "{} without a step: --answers has none of the drawn model, or --escalate-to names no other",
                wording::counted_length(n_without, "decision", "decisions"),
            ))?;
        }
    }
    screen.say(&format!(
        "wrote {} and, kept aside, the truth in {}",
        args.out.display(),
        summary.truth_path.display()
    ))
}
