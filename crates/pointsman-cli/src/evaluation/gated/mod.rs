//! Whether a policy may take over, by a log that it was not trained on: the columns that the
//! gate's conditions are tested on, and what is said about them.
//!
//! Differences are paired: the policy and what it is held against are valued on the same rows.
//! Quality takes the policy's own predictions where it knows every model of the log, or those of a
//! reward model that is learned from the log where one is asked for; both of two policies are then
//! valued with the same. Weakness: what a log says of costs and latency ends at the largest that is
//! stated, and turns of one conversation count as independent.

mod condition;
mod evidence;
mod stated;
mod words;

pub(crate) use self::{
    stated::{Margins, Stated},
    words::GateReport,
};

use self::evidence::{Columns, Measured};
use super::{
    Recorder, RewardModel, Used,
    cascades::{self, ReadTrajectories},
    decide_all,
    rewards::{self, CrossFitted, FeatureReader},
    shared_schema, used_rows,
};
use crate::{
    estimated::{self, Estimated, Estimating},
    policy_flags::LoadedPolicy,
    screen::Screen,
    trajectories, wording,
};
use anyhow::{Result, bail};
use pointsman_core::{catalog::Catalog, units::as_float};
use pointsman_data::{LogOptions, LoggedRow, TrafficLog, Undrawn, decisions_ahead};
use pointsman_eval::{
    gate::{Condition, Decision, decide},
    interval::ConfidenceLevel,
};
use pointsman_log::record::PropensityKind;
use pointsman_train::design::Design;
use std::path::PathBuf;

/// Milliseconds of the mean month.
const MONTH_MS: f64 = 30.4375 * 24.0 * 3600.0 * 1000.0;

/// A log over less time says nothing of a month: ten minutes.
const LEAST_SPAN_MS: u64 = 600_000;

/// How far a logged probability may be below the stated least by rounding.
const SINGLE_PRECISION: f64 = 1e-6;

/// What is asked of the log.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) policy: LoadedPolicy,
    /// What it is held against; `None` for what was logged.
    pub(crate) rival: Option<LoadedPolicy>,
    pub(crate) margins: Margins,
    pub(crate) stated: Stated,
    /// How unknown propensities are estimated, if they are.
    pub(crate) estimating: Option<Estimating>,
    pub(crate) inexact: Inexact,
    /// Whether decisions that were made without a draw are left out, and not in doubt.
    pub(crate) drawn_only: bool,
    /// Who predicts quality.
    pub(crate) reward_model: RewardModel,
    pub(crate) catalog: Option<Catalog>,
    pub(crate) level: ConfidenceLevel,
}

/// What estimated propensities are worth to the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inexact {
    /// No verdict rests on them.
    Doubted,
    /// They count as if they had been drawn with, since someone answers for it.
    Accepted,
}

/// What the gate found, before it is put into words.
struct Judged<'a> {
    question: &'a Question,
    paths: &'a [PathBuf],
    log: &'a TrafficLog,
    used: &'a Used,
    columns: &'a Columns,
    measured: &'a [Measured],
    decision: &'a Decision,
    estimated: Option<Estimated>,
    undrawn: NotDrawn,
    /// The reward model that was learned from the log, if one was.
    fitted: Option<&'a CrossFitted>,
    /// What is to be said of steps after answers; empty where the log has none.
    steps: Vec<String>,
    /// By the timestamps; `None` where the log has none, or is too short.
    requests_per_month: Option<f64>,
}

/// A log that was read for a question.
struct ReadLog<'q> {
    recorders: Vec<Recorder<'q>>,
    log: TrafficLog,
    /// Where a reward model is to be learned.
    design: Option<Design>,
    estimated: Option<Estimated>,
    /// What is to be said of steps after answers; empty where the log has none.
    steps: Vec<String>,
}

/// Reads the log and decides.
pub(crate) fn judge(
    paths: &[PathBuf],
    options: &LogOptions,
    question: &Question,
    screen: &Screen,
) -> Result<GateReport> {
    let ReadLog { recorders, mut log, design, estimated, steps } =
        read(paths, options, question, screen)?;
    let ids = log.rows.iter().enumerate().map(|(index, row)| (index, row.id.as_str(), row.group));
    let mut used = used_rows(&recorders, ids, false);
    leave_out_without_choice(&mut log, &mut used);
    let undrawn = NotDrawn::of(&log, &used, question.drawn_only);
    if undrawn.are_left_out {
        used.leave_out_undrawn(&mut log, TrafficLog::UNDRAWN);
    }
    if used.rows.len() < 2 {
        bail!(
            "{} of {} decisions are left to judge by: a policy was trained on {}, and {} have no \
             eligible model; use later decisions",
            used.rows.len(),
            wording::length(log.rows.len()),
            wording::count(used.n_trained_on),
            wording::count(used.n_unanswerable)
        );
    }
    check_smallest(&log, &used, question.stated.smallest_propensity)?;
    let fitted = rewards::learn(question.reward_model, design.as_ref(), &log, screen)?;
    let columns = Columns::of(&log, &used, &recorders)?;
    let most_answers = cascades::most_answers(&recorders, &log);
    let mut measured = evidence::measure(&log, &used, question, most_answers)?;
    for one in &mut measured {
        one.predict((&log, &used), &recorders, fitted.as_ref())?;
    }
    let mut conditions = Vec::with_capacity(measured.len());
    for one in &measured {
        let evidence = columns.evidence(one, question.stated.smallest_propensity)?;
        conditions.push(Condition { wanted: one.wanted, evidence });
    }
    let decision = decide(&conditions, n_inexact(&log, &used, question.inexact), question.level)?;
    Ok(GateReport::new(&Judged {
        question,
        paths,
        log: &log,
        used: &used,
        columns: &columns,
        measured: &measured,
        decision: &decision,
        estimated,
        undrawn,
        fitted: fitted.as_ref(),
        steps,
        requests_per_month: requests_per_month(&log),
    }))
}

/// Reads the log, every recorder deciding each request, and each step after an answer where the log
/// has some.
fn read<'q>(
    paths: &[PathBuf],
    options: &LogOptions,
    question: &'q Question,
    screen: &Screen,
) -> Result<ReadLog<'q>> {
    let mut recorders: Vec<Recorder<'q>> = policies(question).map(Recorder::new).collect();
    let features = shared_schema(&recorders);
    let options = LogOptions { undrawn: Undrawn::Keep, features, ..options.clone() };
    let mut reader = FeatureReader::new(question.reward_model, &recorders);
    let found = decide_all(&mut recorders, (screen, || decisions_ahead(paths)), |decide| {
        estimated::read(paths, &options, question.estimating.as_ref(), &mut |asked| {
            reader.push(asked);
            decide(asked);
        })
    });
    match found {
        Ok((log, estimated)) if !trajectories::are_in(&log) => {
            if let Some(sentence) = cascades::unread_answers(&recorders).first() {
                bail!("{sentence}; log steps after answers, or judge a policy without readers");
            }
            let design = reader.finish();
            Ok(ReadLog { recorders, log, design, estimated, steps: Vec::new() })
        }
        Err(error) if !trajectories::may_help(&error) => Err(error),
        Ok(_) | Err(_) => {
            cascades::check_estimating(question.estimating.as_ref())?;
            if question.stated.smallest_propensity.is_some() {
                bail!(
                    "--smallest-propensity: the log has steps after answers, and the weight of a \
                     trajectory is a product of as many probabilities as it has decisions; leave \
                     it out"
                );
            }
            let mut recorders: Vec<Recorder<'q>> = policies(question).map(Recorder::new).collect();
            let ReadTrajectories { log, design, notes, languages: _ } =
                cascades::read(paths, &options, &mut recorders, screen)?;
            let design = Some(design);
            Ok(ReadLog { recorders, log, design, estimated: None, steps: notes })
        }
    }
}

/// The policy, and the one that it is held against.
fn policies(question: &Question) -> impl Iterator<Item = &LoadedPolicy> {
    std::iter::once(&question.policy).chain(&question.rival)
}

/// Decisions that were made without a draw.
#[derive(Debug, Clone, Copy)]
struct NotDrawn {
    n_rows: u64,
    /// They are where that is asked for and there are others to judge by.
    are_left_out: bool,
    /// Whether leaving them out was not asked for, and would leave something.
    may_be_left_out: bool,
}

impl NotDrawn {
    fn of(log: &TrafficLog, used: &Used, drawn_only: bool) -> Self {
        let n_drawn = used.rows.iter().filter(|&&row| log.rows[row].is_drawn()).count();
        let n_rows = (used.rows.len() - n_drawn) as u64;
        let can_be = 0 < n_rows && 1 < n_drawn;
        Self { n_rows, are_left_out: drawn_only && can_be, may_be_left_out: !drawn_only && can_be }
    }
}

/// Leaves out decisions for which the log shows one model in use alone, where others had a choice.
/// Where the log itself calls a decision deterministic, all of them stay, and are in doubt, but for
/// [`Question::drawn_only`].
fn leave_out_without_choice(log: &mut TrafficLog, used: &mut Used) {
    let n_without = log.rows.iter().filter(|row| !row.is_drawn()).count();
    let is_shown = n_without as u64 == log.in_use.n_alone;
    if 0 < n_without && n_without < log.rows.len() && is_shown {
        used.leave_out_undrawn(log, "one model alone was in use");
    }
}

/// Decisions whose propensity is not the number that was sampled from, those among them that can
/// not be used at all.
fn n_inexact(log: &TrafficLog, used: &Used, inexact: Inexact) -> u64 {
    let is_enough = |row: &LoggedRow| match row.propensity_kind {
        PropensityKind::Exact => true,
        PropensityKind::Estimated => inexact == Inexact::Accepted,
        PropensityKind::Deterministic | PropensityKind::Unknown => false,
    };
    let n_used = used.rows.iter().filter(|&&row| !is_enough(&log.rows[row])).count() as u64;
    let reasons = [
        "the propensity is unknown",
        "the propensity is missing",
        "a step's propensity is unknown",
        "a step's propensity is deterministic",
    ];
    n_used + reasons.iter().filter_map(|reason| log.dropped.get(*reason)).sum::<u64>()
}

/// Refuses a stated least probability that the log contradicts.
fn check_smallest(log: &TrafficLog, used: &Used, smallest: Option<f64>) -> Result<()> {
    let Some(smallest) = smallest else { return Ok(()) };
    let n_models = log.models.len();
    for &row in &used.rows {
        let probabilities = &log.probabilities[row * n_models..][..n_models];
        let is_below = |found: &&f32| {
            0.0 < **found && f64::from(**found) < smallest * (1.0 - SINGLE_PRECISION)
        };
        if let Some(found) = probabilities.iter().find(is_below) {
            bail!(
                "decision `{}` gave a model the probability {found}, below the stated \
                 --smallest-propensity {smallest}; state the least that the logger can give",
                log.rows[row].id
            );
        }
    }
    Ok(())
}

/// Decisions per month, by the times of all that were read; unknown of a log that is too short to tell.
fn requests_per_month(log: &TrafficLog) -> Option<f64> {
    let (first, last) = log.times_ms?;
    if last - first < LEAST_SPAN_MS {
        return None;
    }
    Some((as_float(log.n_decisions_read) - 1.0) / as_float(last - first) * MONTH_MS)
}
