//! Evaluation from a log: one model's outcome is known per request, with the probability that it
//! had been drawn with.

use super::{
    Recorder, Settings, Used,
    cascades::{self, ReadTrajectories},
    check_what_if, decide_all, generated_by, joined,
    language::language,
    logged_diagnostics,
    logged_interval::{self, With},
    logged_verdict::{self, PolicyOnLog, SingleOnLog},
    moves, overlap, provenance, shared_schema,
    slices::{self, Slice},
    target::{Reward, Target, rounds},
    undrawn, used_rows, value_row,
};
use crate::{
    estimated::{self, Estimated},
    policy_flags::LoadedPolicy,
    report::{Calibration, Report, ValueRow},
    screen::Screen,
    trajectories, wording,
};
use anyhow::{Result, bail};
use pointsman_core::units::len_as_float;
use pointsman_data::{LogOptions, LoggedRow, TrafficLog, Undrawn};
use pointsman_eval::{
    bounds::Rival,
    diagnostics::{Diagnostics, diagnose},
    estimators::{Estimator, estimate},
    full::mean_value,
    reliability::reliability,
    rounds::LoggedRounds,
};
use pointsman_log::record::PropensityKind;
use std::path::PathBuf;

/// Evaluates policies on a log.
pub(crate) fn evaluate(
    paths: &[PathBuf],
    options: &LogOptions,
    settings: &Settings,
    screen: &Screen,
) -> Result<Report> {
    check_what_if(settings)?;
    let mut recorders: Vec<Recorder<'_>> = settings.all_policies().map(Recorder::new).collect();
    let mut unused_steps = None;
    let found = match read(paths, options, &mut recorders, (settings, screen)) {
        Ok(found) if !trajectories::are_in(&found.log) => found,
        Err(error) if !trajectories::may_help(&error) => return Err(error),
        first => match (evaluate_trajectories(paths, options, settings, screen), first) {
            (Err(error), Ok(found)) if trajectories::is_unusable(&error) => {
                unused_steps = Some(format!("steps after answers are left out: {error}"));
                found
            }
            (report, _) => return report,
        },
    };
    let (ReadLog { log, languages, estimated }, used, mut asked) =
        in_use(found, &recorders, settings)?;
    match unused_steps {
        Some(sentence) => asked.push(sentence),
        None => asked.extend(cascades::unread_answers(&recorders)),
    }
    asked.extend(estimated::in_use(&log.in_use));
    asked.extend(wording::thinned(log.n_thinned));
    if undrawn::is_undrawn(&log) {
        let mut report = undrawn::report(paths, &log, &used, &recorders, settings)?;
        report.warnings.splice(0..0, asked);
        return Ok(report);
    }
    let (log, used) = drawn_only(log, used)?;
    let kinds = slices::of_log(&log, &used, &languages, settings);
    let mut report = report(paths, (&log, &used), &kinds, &recorders, settings)?;
    report.warnings.splice(0..0, asked);
    if let Some(estimated) = estimated {
        estimated.mark(&mut report);
    }
    Ok(report)
}

/// Evaluates policies on a log with steps after answers, a row for each trajectory.
fn evaluate_trajectories(
    paths: &[PathBuf],
    options: &LogOptions,
    settings: &Settings,
    screen: &Screen,
) -> Result<Report> {
    cascades::check_estimating(settings.estimating.as_ref())?;
    let mut recorders: Vec<Recorder<'_>> = settings.all_policies().map(Recorder::new).collect();
    let ReadTrajectories { log, languages, notes } =
        cascades::read(paths, options, &mut recorders, screen)?;
    let found = ReadLog { log, languages, estimated: None };
    let (ReadLog { log, languages, .. }, used, mut asked) = in_use(found, &recorders, settings)?;
    asked.extend(notes);
    asked.extend(wording::thinned(log.n_thinned));
    let kinds = slices::of_log(&log, &used, &languages, settings);
    let mut report = report(paths, (&log, &used), &kinds, &recorders, settings)?;
    report.subtitle = format!(
        "{} logged trajectories, estimated off-policy by the weights of all their steps",
        wording::length(used.rows.len())
    );
    report.warnings.splice(0..0, asked);
    Ok(report)
}

/// A log, and what was found while it was read.
struct ReadLog {
    log: TrafficLog,
    /// Of each row.
    languages: Vec<&'static str>,
    estimated: Option<Estimated>,
}

fn report(
    paths: &[PathBuf],
    (log, used): (&TrafficLog, &Used),
    kinds: &[Slice],
    recorders: &[Recorder<'_>],
    settings: &Settings,
) -> Result<Report> {
    let logged = logged_row(log, used, settings)?;
    let (single_rows, singles) = singles(log, used, settings)?;
    let mut values = Vec::new();
    let (mut diagnostics, mut warnings) = (logged_diagnostics::of_log(log, used), used.sentences());
    warnings.extend(wording::damaged(log.n_damaged_lines, log.n_missing_segments));
    let (mut verdict, mut slices) = (None, Vec::new());
    let (mut calibration, mut overlap) = (Vec::new(), Vec::new());
    for (index, (loaded, recorder)) in settings.policies.iter().zip(recorders).enumerate() {
        let target = Target::of_policy(recorder, log);
        let rounds = rounds(log, used, &target, Reward::Quality)?;
        let found = diagnose(&rounds, None);
        warnings.extend(found.warnings.iter().map(|w| format!("`{}`: {w}", loaded.name)));
        diagnostics.extend(logged_diagnostics::of_policy(&loaded.name, &found));
        let cost = mean_cost(log, used, &target, settings);
        let mut rows = estimates(loaded, &rounds, &found, cost, settings)?;
        rows.extend(cascades::per_step(recorder, (log, &used.rows), &target, settings.level)?);
        diagnostics
            .extend(rows.first().map(|row| logged_diagnostics::of_interval(&loaded.name, row)));
        values.append(&mut rows);
        calibration.extend(calibrated(recorder, &rounds)?);
        overlap.push(overlap::overlap(&loaded.name, &rounds));
        let name = (loaded.name.as_str(), &target);
        slices.append(&mut slices::on_log(name, kinds, (log, used), settings)?);
        if index == 0 {
            let policy = PolicyOnLog {
                name: &loaded.name,
                rounds: &rounds,
                found: &found,
                cost_usd: cost,
                logged_cost_usd: logged.cost_usd,
            };
            verdict = Some(logged_verdict::verdict(&policy, &singles, settings)?);
        }
    }
    values.extend(std::iter::once(logged).chain(single_rows));
    let Some(verdict) = verdict else { bail!("no policy to evaluate") };
    warnings.extend(settings.shared_words());
    Ok(Report {
        title: "What the policy would have done".to_owned(),
        subtitle: format!(
            "{} logged decisions, estimated off-policy",
            wording::length(used.rows.len())
        ),
        simulated: false,
        generated_by: generated_by(settings),
        verdict: used.fair(verdict),
        warnings,
        frontier: None,
        confidence: settings.level.get(),
        values,
        calibration,
        overlap,
        slices,
        moves: moves::of_log(log, used, recorders, settings)?,
        diagnostics,
        decisions: Vec::new(),
        provenance: provenance(
            settings,
            &[("log", joined(paths)), ("log sha256", log.digest.clone())],
        ),
    })
}

/// The most rows that calibration is measured on; its noise is simulated many times over.
const MOST_CALIBRATED: usize = 200_000;

/// How far a policy's predictions of what was logged may be taken at their word, by rows spread
/// evenly where there are too many; `None` where it does not know every model of the log.
fn calibrated(recorder: &Recorder<'_>, rounds: &LoggedRounds) -> Result<Option<Calibration>> {
    // What is predicted of a first answer is not what the last one of a trajectory earned.
    let of_decisions = rounds.predictions().filter(|_| recorder.later.is_none());
    let Some(predictions) = of_decisions else { return Ok(None) };
    let step = rounds.n_rows().div_ceil(MOST_CALIBRATED).max(1);
    let spread = |all: &[f64]| -> Vec<f64> { all.iter().copied().step_by(step).collect() };
    let found = reliability(&spread(&predictions.taken), &spread(rounds.reward()), 0)?;
    Ok(Some(Calibration::of(recorder.name, &found)))
}

/// The rows of a log that take part, and what was asked beside what was.
fn in_use(
    mut found: ReadLog,
    recorders: &[Recorder<'_>],
    settings: &Settings,
) -> Result<(ReadLog, Used, Vec<String>)> {
    let mut asked = settings.what_if.notes().to_vec();
    asked.extend(reprice(&mut found.log, settings));
    let log = &found.log;
    settings.what_if.check_tasks(log.rows.iter().map(|row| row.task.as_deref()))?;
    let ids = log.rows.iter().enumerate().map(|(index, row)| (index, row.id.as_str(), row.group));
    let mut used = used_rows(recorders, ids, settings.include_trained);
    let of_row = |row: usize| (log.rows[row].id.as_str(), log.rows[row].task.as_deref());
    asked.extend(used.in_traffic(&settings.what_if, of_row));
    if used.rows.len() < 2 {
        bail!(
            "{} of {} decisions are left to evaluate on: the rest were in a policy's training data; \
             use later decisions, or pass --include-trained",
            used.rows.len(),
            log.rows.len()
        );
    }
    Ok((found, used, asked))
}

/// Reads the log with what was not drawn in it, every recorder deciding each request, and estimates
/// propensities where that is asked for.
fn read(
    paths: &[PathBuf],
    options: &LogOptions,
    recorders: &mut [Recorder<'_>],
    (settings, screen): (&Settings, &Screen),
) -> Result<ReadLog> {
    let features = shared_schema(recorders);
    let options = LogOptions { undrawn: Undrawn::Keep, features, ..options.clone() };
    let estimating = settings.estimating.as_ref();
    let mut languages = Vec::new();
    let (log, estimated) = decide_all(recorders, screen, |decide| {
        estimated::read(paths, &options, estimating, &mut |asked| {
            languages.push(asked.text().map_or("(no text)", language));
            decide(asked);
        })
    })?;
    Ok(ReadLog { log, languages, estimated })
}

/// Counts costs at changed prices; says where tokens are missing to do so.
fn reprice(log: &mut TrafficLog, settings: &Settings) -> Option<String> {
    let n = settings.what_if.reprice_log(log, settings.catalog.as_ref());
    (0 < n).then(|| {
        format!(
            "{} decisions have a changed price and no logged tokens, so their cost is unknown, and              with it every mean cost",
            wording::count(n)
        )
    })
}

/// Leaves out decisions that were not drawn, where others were.
fn drawn_only(mut log: TrafficLog, mut used: Used) -> Result<(TrafficLog, Used)> {
    let is_drawn = |row: &LoggedRow| row.propensity_kind != PropensityKind::Deterministic;
    let n_undrawn = log.rows.iter().filter(|row| !is_drawn(row)).count() as u64;
    if 0 < n_undrawn {
        used.rows.retain(|&row| is_drawn(&log.rows[row]));
        log.dropped.insert("the propensity is deterministic".to_owned(), n_undrawn);
    }
    if used.rows.len() < 2 {
        bail!("{} decisions that were drawn are left to evaluate on", used.rows.len());
    }
    Ok((log, used))
}

/// The policy's mean cost by SNIPS, where every row has one.
fn mean_cost(log: &TrafficLog, used: &Used, target: &Target, settings: &Settings) -> Option<f64> {
    let is_known = used.rows.iter().all(|&row| log.rows[row].cost_usd.is_some());
    let rounds = is_known.then(|| rounds(log, used, target, Reward::CostUsd))?.ok()?;
    estimate(&rounds, Estimator::Snips, settings.level).ok().map(|estimate| estimate.value)
}

/// Doubly robust first, since it is the tightest where predictions are any good. It and the
/// self-normalised value have the default interval, at a level that all policies share.
fn estimates(
    loaded: &LoadedPolicy,
    rounds: &LoggedRounds,
    found: &Diagnostics,
    cost_usd: Option<f64>,
    settings: &Settings,
) -> Result<Vec<ValueRow>> {
    let (name, shared) = (&loaded.name, settings.shared());
    let missing = found.unsupported_mass_share;
    let plain = [
        (Estimator::Dr { clip: None }, Some(With::Predictions)),
        (Estimator::Snips, Some(With::WeightsAlone)),
        (Estimator::Ips { clip: None }, None),
    ];
    let mut rows = Vec::with_capacity(plain.len());
    for (estimator, with) in plain {
        rows.push(match (estimate(rounds, estimator, settings.level), with) {
            (Ok(found), None) => {
                value_row(name, &estimator.to_string(), (found.value, &found.interval), None)
            }
            (Ok(plain), Some(with)) => {
                let chosen =
                    logged_interval::of_quality(rounds, missing, Rival::Nothing, with, shared)?;
                let value = (chosen.value.unwrap_or(plain.value), &chosen.interval);
                let mut row = value_row(name, &estimator.to_string(), value, None);
                row.note = logged_interval::described(&chosen);
                row
            }
            (Err(reason), _) => ValueRow {
                policy: name.clone(),
                estimator: estimator.to_string(),
                value: None,
                lower: None,
                upper: None,
                interval_kind: crate::report::IntervalKind::Absent,
                interval_method: String::new(),
                cost_usd: None,
                effective_n: None,
                note: reason.to_string(),
            },
        });
    }
    for row in &mut rows {
        row.effective_n = Some(found.effective_n);
        row.cost_usd = row.value.and(cost_usd);
        let notes = [loaded.objective.as_str(), row.note.as_str()];
        row.note = notes.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("; ");
    }
    Ok(rows)
}

/// The value that the log itself realised.
fn logged_row(log: &TrafficLog, used: &Used, settings: &Settings) -> Result<ValueRow> {
    let quality: Vec<f64> = used.rows.iter().map(|&row| log.rows[row].quality).collect();
    let value = mean_value(&quality, settings.level)?;
    let costs: Option<Vec<f64>> = used.rows.iter().map(|&row| log.rows[row].cost_usd).collect();
    let cost = costs.map(|costs| costs.iter().sum::<f64>() / len_as_float(costs.len()));
    Ok(value_row("as logged", "mean", (value.value, &value.interval), cost))
}

/// Each single model of which the log knows enough for a value.
fn singles(
    log: &TrafficLog,
    used: &Used,
    settings: &Settings,
) -> Result<(Vec<ValueRow>, Vec<SingleOnLog>)> {
    let (mut rows, mut singles) = (Vec::new(), Vec::new());
    for (model, name) in log.models.iter().enumerate() {
        let target = Target::of_model(log, model);
        let rounds = rounds(log, used, &target, Reward::Quality)?;
        let Ok(found) = estimate(&rounds, Estimator::Snips, settings.level) else { continue };
        let cost_usd = mean_cost(log, used, &target, settings);
        let (label, value) = (format!("always {name}"), (found.value, &found.interval));
        let mut row = value_row(&label, "SNIPS", value, cost_usd);
        let diagnostics = diagnose(&rounds, None);
        row.effective_n = Some(diagnostics.effective_n);
        let unsupported_share = diagnostics.unsupported_mass_share;
        rows.push(row);
        let (model, quality, weight) = (name.clone(), found.value, rounds.weight().to_vec());
        singles.push(SingleOnLog { model, quality, cost_usd, weight, unsupported_share });
    }
    Ok((rows, singles))
}
