//! `pointsman ope`: off-policy estimates from any logged-bandit columns.

use crate::{
    files,
    load::QualityRange,
    off_policy::{
        Asked, Estimated, IntervalChoice, Intervals, KeptRows, LambdaChoice, Stated, as_json,
        as_text, asked,
    },
    screen::{self, Screen},
};
use anyhow::{Context, Result, bail};
use pointsman_data::{RoundNames, RoundsBatch, TargetNumbers, decisions_ahead, read_rounds};
use pointsman_eval::{
    bounds::ValueRange,
    diagnostics::{Diagnostics, PartialDiagnostics},
    distributions::{ActionRounds, TargetColumn},
    interval::ConfidenceLevel,
    rounds::{LoggedRounds, RoundColumns},
    support::{ActionCounts, Support},
};
use std::path::{Path, PathBuf};

/// Flags of `ope`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Logged rounds (Parquet; files or patterns).
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    rounds: Vec<PathBuf>,
    /// The column of taken actions, whole numbers from 0.
    #[arg(long, value_name = "COLUMN", default_value = "action")]
    action: String,
    /// The column of the logger's probabilities of the taken actions.
    #[arg(long, value_name = "COLUMN", default_value = "pscore")]
    propensity: String,
    /// The column of rewards.
    #[arg(long, value_name = "COLUMN", default_value = "reward")]
    reward: String,
    /// The column of the policy to value: lists with its probability of every action, or its
    /// probability of the taken one.
    #[arg(long, value_name = "COLUMN")]
    policy: String,
    /// The column of predicted rewards, lists with one for each action.
    #[arg(long, value_name = "COLUMN")]
    qhat: Option<String>,
    /// The column of predicted rewards that were fitted for MRDR.
    #[arg(long, value_name = "COLUMN")]
    qhat_mrdr: Option<String>,
    /// The column of estimated weights for b-ipw.
    #[arg(long, value_name = "COLUMN")]
    weights: Option<String>,
    /// The column of the logger's whole distributions; shows what it could not take.
    #[arg(long, value_name = "COLUMN")]
    logging: Option<String>,
    /// Estimators by name, separated by commas; all that the columns allow where not given.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    estimator: Vec<String>,
    /// Values of λ, separated by commas (`inf` is one), or a rule that chooses: `slope`, `mse`, or
    /// `mse-direct`; `inf`, and 0 for sg-*, where not given.
    #[arg(long, value_name = "LAMBDAS")]
    lambda: Option<LambdaChoice>,
    /// The nominal coverage of intervals.
    #[arg(long, default_value_t = 0.95)]
    confidence: f64,
    /// Which intervals to compute.
    #[arg(long, value_enum, default_value = "default", value_name = "WHICH")]
    intervals: IntervalChoice,
    /// The least and the greatest that one reward can be, known beforehand; finite-sample
    /// intervals rest on it.
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    reward_range: Option<QualityRange>,
    /// The least probability that the logger gives any action, known beforehand; narrows
    /// intervals.
    #[arg(long, value_name = "PROBABILITY")]
    smallest_propensity: Option<f64>,
    /// Also write the estimates as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let inputs: Vec<&Path> = args.rounds.iter().map(PathBuf::as_path).collect();
    files::check_apart(&inputs, &[args.json.as_deref()])?;
    let level = ConfidenceLevel::new(args.confidence).context("--confidence")?;
    let mut asked =
        asked(&names_of_estimators(args), args.lambda.as_ref()).context("--estimator")?;
    let stated = stated(args)?;
    let (log, rows) = read(args, &mut asked, screen)?;
    rows.check(&stated).context("what is stated (rows count from 0 here)")?;
    let support = Support::of(&log.diagnostics, log.never_taken_share);
    let mut intervals = Intervals::new(level, args.intervals, stated, &rows);
    let estimated: Vec<Estimated> =
        asked.into_iter().map(|asked| asked.finish(&mut intervals, support)).collect();
    screen.say(&as_text(&estimated, &log, support, level))?;
    screen::json(args.json.as_deref(), &as_json(&estimated, &log, support))
}

fn stated(args: &Args) -> Result<Stated> {
    let range = args.reward_range.map(|QualityRange(lowest, highest)| {
        ValueRange::new(lowest, highest).context("--reward-range")
    });
    let smallest_propensity = args.smallest_propensity;
    if let Some(found) = smallest_propensity.filter(|it| !(0.0 < *it && *it <= 1.0)) {
        bail!("--smallest-propensity: {found} is not in (0, 1]; it is a probability");
    }
    let states_any = args.reward_range.is_some() || smallest_propensity.is_some();
    if args.intervals == IntervalChoice::Normal && states_any {
        bail!(
            "--reward-range and --smallest-propensity say nothing to normal intervals; leave them \
             out, or ask for --intervals default or all"
        );
    }
    Ok(Stated { reward_range: range.transpose()?, smallest_propensity })
}

/// What one pass over the log leaves besides estimates.
#[derive(Debug)]
pub(crate) struct ReadLog {
    pub(crate) diagnostics: Diagnostics,
    /// The share of rows whose weight is zero.
    pub(crate) zero_weight_share: f64,
    /// The share of the policy on actions that were never taken, where that can be known.
    pub(crate) never_taken_share: Option<f64>,
}

fn names_of_estimators(args: &Args) -> Vec<String> {
    if !args.estimator.is_empty() {
        return args.estimator.clone();
    }
    let is_possible = |name: &&str| match *name {
        "dm" | "dr" | "sndr" | "switch-dr" | "dr-os" | "sg-dr" => args.qhat.is_some(),
        "mrdr" => args.qhat_mrdr.is_some(),
        "b-ipw" => args.weights.is_some(),
        _ => true,
    };
    let all = pointsman_eval::estimators::Estimator::NAMES;
    all.into_iter().filter(is_possible).map(str::to_owned).collect()
}

/// Reads the log once; rows are kept only for intervals that need them.
fn read(args: &Args, asked: &mut [Asked], screen: &Screen) -> Result<(ReadLog, KeptRows)> {
    let names = RoundNames {
        action: args.action.clone(),
        propensity: args.propensity.clone(),
        reward: args.reward.clone(),
        policy: args.policy.clone(),
        predictions: args.qhat.clone(),
        mrdr_predictions: args.qhat_mrdr.clone(),
        imitation_weight: args.weights.clone(),
        logging: args.logging.clone(),
    };
    let no_rows = LoggedRounds::new(RoundColumns {
        unsupported_mass: args.logging.as_ref().map(|_| Vec::new()),
        ..RoundColumns::default()
    })?;
    let mut diagnostics = PartialDiagnostics::of(&no_rows, None);
    let (mut counts, mut n_zero) = (ActionCounts::default(), 0_usize);
    let mut kept = KeptRows::default();
    let bar = screen.progress_about("reading", || decisions_ahead(&args.rounds));
    read_rounds(&args.rounds, &names, &mut |batch| {
        let rounds = columns(batch).rounds()?;
        for asked in &mut *asked {
            asked.push(&rounds);
        }
        if args.intervals != IntervalChoice::Normal {
            kept.push(&rounds);
        }
        diagnostics.merge(&PartialDiagnostics::of(&rounds, None));
        n_zero += rounds.weight().iter().filter(|weight| **weight == 0.0).count();
        if let TargetNumbers::Whole(target) = &batch.target {
            counts.push(&batch.action, target);
        }
        bar.inc(batch.action.len() as u64);
        Ok(())
    })?;
    bar.finish_and_clear();
    let diagnostics = diagnostics.finish();
    let count = pointsman_core::units::len_as_float;
    let log = ReadLog {
        zero_weight_share: count(n_zero) / count(diagnostics.n_rows.max(1)),
        never_taken_share: counts.never_taken_share(),
        diagnostics,
    };
    Ok((log, kept))
}

fn columns(batch: &RoundsBatch) -> ActionRounds<'_> {
    ActionRounds {
        first_row: batch.first_row,
        n_actions: batch.n_actions,
        action: &batch.action,
        propensity: &batch.propensity,
        reward: &batch.reward,
        target: match &batch.target {
            TargetNumbers::OfTaken(target) => TargetColumn::OfTaken(target),
            TargetNumbers::Whole(target) => TargetColumn::Whole(target),
        },
        predictions: batch.predictions.as_deref(),
        mrdr_predictions: batch.mrdr_predictions.as_deref(),
        imitation_weight: batch.imitation_weight.as_deref(),
        logging: batch.logging.as_deref(),
    }
}
