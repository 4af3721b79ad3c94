//! Evaluation from a log: one model's outcome is known per request, with the probability that it
//! had been drawn with.

use super::{
    Recorder, Settings, Used, check_what_if, decide_all, diagnostic, generated_by, joined,
    logged_interval::{self, With},
    logged_verdict::{self, PolicyOnLog, SingleOnLog},
    provenance, slices, undrawn, used_rows, value_row,
};
use crate::{
    load,
    policy_flags::LoadedPolicy,
    report::{Diagnostic, Report, ValueRow},
    screen::Screen,
    wording,
};
use anyhow::{Result, bail};
use pointsman_core::units::len_as_float;
use pointsman_data::{LogOptions, LoggedRow, TrafficLog, Undrawn, read_log};
use pointsman_eval::{
    bounds::Rival,
    diagnostics::{Diagnostics, diagnose},
    estimators::{Estimator, estimate},
    full::mean_value,
    rounds::{LoggedRounds, Predictions, RoundColumns},
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
    let mut recorders: Vec<Recorder<'_>> = settings.policies.iter().map(Recorder::new).collect();
    let (log, used, asked) = read_used(paths, options, settings, &mut recorders, screen)?;
    if undrawn::is_undrawn(&log) {
        let mut report = undrawn::report(paths, &log, &used, &recorders, settings)?;
        report.warnings.splice(0..0, asked);
        return Ok(report);
    }
    let (log, used) = drawn_only(log, used)?;
    let logged = logged_row(&log, &used, settings)?;
    let (mut single_rows, singles) = singles(&log, &used, settings)?;
    let mut values = Vec::new();
    let (mut diagnostics, mut warnings) = (log_diagnostics(&log, &used), asked);
    warnings.extend(used.sentences());
    warnings.extend(wording::damaged(log.n_damaged_lines, log.n_missing_segments));
    let (mut verdict, mut slices) = (None, Vec::new());
    for (index, (loaded, recorder)) in settings.policies.iter().zip(&recorders).enumerate() {
        let target = Target::of_policy(recorder, &log);
        let rounds = rounds(&log, &used, &target, Reward::Quality)?;
        let found = diagnose(&rounds, None);
        warnings.extend(found.warnings.iter().map(|w| format!("`{}`: {w}", loaded.name)));
        diagnostics.extend(policy_diagnostics(&loaded.name, &found));
        let cost = mean_cost(&log, &used, &target, settings);
        let mut rows = estimates(loaded, &rounds, &found, cost, settings)?;
        diagnostics.extend(rows.first().map(|row| interval_diagnostic(&loaded.name, row)));
        values.append(&mut rows);
        slices.append(&mut slices::slices(&loaded.name, &log, &used, &target, settings)?);
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
    values.push(logged);
    values.append(&mut single_rows);
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
        calibration: Vec::new(),
        slices,
        diagnostics,
        decisions: Vec::new(),
        provenance: provenance(
            settings,
            &[("log", joined(paths)), ("log sha256", log.digest.clone())],
        ),
    })
}

/// Reads the log; the rows that take part, and what was asked beside what was.
fn read_used(
    paths: &[PathBuf],
    options: &LogOptions,
    settings: &Settings,
    recorders: &mut [Recorder<'_>],
    screen: &Screen,
) -> Result<(TrafficLog, Used, Vec<String>)> {
    let mut log = read(paths, options, recorders, screen)?;
    let mut asked = settings.what_if.notes().to_vec();
    asked.extend(reprice(&mut log, settings));
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
    Ok((log, used, asked))
}

/// Reads the log with what was not drawn in it, every recorder deciding each request.
fn read(
    paths: &[PathBuf],
    options: &LogOptions,
    recorders: &mut [Recorder<'_>],
    screen: &Screen,
) -> Result<TrafficLog> {
    let options = LogOptions { undrawn: Undrawn::Keep, ..options.clone() };
    let log = decide_all(recorders, screen, |decide| {
        Ok(read_log(paths, &options, &mut |_, request| decide(request))?)
    })?;
    load::check_metric(&log, &options)?;
    Ok(log)
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

/// What is averaged.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reward {
    Quality,
    CostUsd,
}

/// A policy's probabilities over the log's models, per row of the log.
pub(super) struct Target {
    /// Of the model that was drawn.
    pub(super) of_drawn: Vec<f64>,
    /// On models that the logger could not have drawn.
    pub(super) unsupported: Vec<f64>,
    /// Predicted quality of the drawn model and of the policy's choice, where the policy knows
    /// every model of the log.
    pub(super) predictions: Option<(Vec<f64>, Vec<f64>)>,
}

impl Target {
    pub(super) fn of_policy(recorder: &Recorder<'_>, log: &TrafficLog) -> Self {
        let places = recorder.places(&log.models);
        let n_models = log.models.len();
        let knows_all = places.iter().all(Option::is_some);
        let mut target = Self {
            of_drawn: Vec::with_capacity(log.rows.len()),
            unsupported: Vec::with_capacity(log.rows.len()),
            predictions: knows_all.then(|| (Vec::new(), Vec::new())),
        };
        for (index, row) in log.rows.iter().enumerate() {
            let probability = &recorder.probability[recorder.span(index)];
            let logger = &log.probabilities[index * n_models..][..n_models];
            let of = |model: usize| places[model].map_or(0.0, |place| probability[place]);
            let supported: f64 = (0..n_models).filter(|&model| 0.0 < logger[model]).map(of).sum();
            let total: f64 = probability.iter().sum();
            target.of_drawn.push(of(usize::from(row.taken)));
            target.unsupported.push((total - supported).clamp(0.0, 1.0));
            if let Some((drawn, expected)) = &mut target.predictions {
                let quality = &recorder.quality[recorder.span(index)];
                drawn.push(places[usize::from(row.taken)].map_or(0.0, |place| quality[place]));
                expected.push(probability.iter().zip(quality).map(|(p, q)| p * q).sum());
            }
        }
        target
    }

    fn of_model(log: &TrafficLog, model: usize) -> Self {
        let n_models = log.models.len();
        let is_drawn = |row: &pointsman_data::LoggedRow| usize::from(row.taken) == model;
        let could = |row: &[f32]| if 0.0 < row[model] { 0.0 } else { 1.0 };
        Self {
            of_drawn: log.rows.iter().map(|row| if is_drawn(row) { 1.0 } else { 0.0 }).collect(),
            unsupported: log.probabilities.chunks_exact(n_models).map(could).collect(),
            predictions: None,
        }
    }
}

pub(super) fn rounds(
    log: &TrafficLog,
    used: &Used,
    target: &Target,
    reward: Reward,
) -> Result<LoggedRounds> {
    let gather = |all: &[f64]| -> Vec<f64> { used.rows.iter().map(|&row| all[row]).collect() };
    let rows = || used.rows.iter().map(|&row| &log.rows[row]);
    let columns = RoundColumns {
        propensity: rows().map(|row| row.propensity).collect(),
        target: gather(&target.of_drawn),
        reward: match reward {
            Reward::Quality => rows().map(|row| row.quality).collect(),
            Reward::CostUsd => rows().map(|row| row.cost_usd.unwrap_or(f64::NAN)).collect(),
        },
        predictions: match (reward, &target.predictions) {
            (Reward::Quality, Some((taken, expected))) => {
                Some(Predictions { taken: gather(taken), expected: gather(expected) })
            }
            (Reward::Quality | Reward::CostUsd, Some(_) | None) => None,
        },
        unsupported_mass: Some(gather(&target.unsupported)),
        dropped: log.dropped.clone(),
        ..RoundColumns::default()
    };
    Ok(LoggedRounds::new(columns)?)
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

fn log_diagnostics(log: &TrafficLog, used: &Used) -> Vec<Diagnostic> {
    let mut all = vec![
        diagnostic("decisions read", wording::count(log.n_decisions_read), "in all files"),
        diagnostic(
            "decisions used",
            wording::length(used.rows.len()),
            "with outcome and propensity",
        ),
        diagnostic(
            "without outcome",
            wording::count(log.n_without_outcome),
            "missing, not counted as failures",
        ),
    ];
    for (reason, n) in &log.dropped {
        all.push(diagnostic("rows dropped", wording::count(*n), reason));
    }
    all
}

/// Which interval the first value of a policy has.
fn interval_diagnostic(name: &str, row: &ValueRow) -> Diagnostic {
    diagnostic(
        &format!("`{name}`: interval of {}", row.estimator),
        row.interval_method.clone(),
        &row.note,
    )
}

fn policy_diagnostics(name: &str, found: &Diagnostics) -> Vec<Diagnostic> {
    let named = |what: &str| format!("`{name}`: {what}");
    let mut all = vec![
        diagnostic(
            &named("effective rows"),
            format!("{:.0}", found.effective_n),
            "rows' worth of information about this policy (Kish)",
        ),
        diagnostic(
            &named("largest weight"),
            format!("{:.2}", found.largest_weight),
            "how much one row can count",
        ),
    ];
    if let Some(weight) = &found.mean_weight {
        let value = format!("{:.4} (z = {:+.2})", weight.mean, weight.z_score);
        all.push(diagnostic(&named("mean weight"), value, "1 where propensities are right"));
    }
    if let Some(share) = found.unsupported_mass_share {
        let value = format!("{:.2} %", 100.0 * share);
        all.push(diagnostic(
            &named("unsupported"),
            value,
            "of its choices, models the log could not have drawn",
        ));
    }
    all
}
