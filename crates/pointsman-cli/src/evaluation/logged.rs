//! Evaluation from a log: one model's outcome is known per request, with the probability that it
//! had been drawn with.

use super::{
    Recorder, Settings, Used,
    cascades::{self, ReadTrajectories},
    check_what_if, decide_all, generated_by, joined,
    language::language,
    logged_diagnostics,
    logged_values::{self, OnLog},
    logged_verdict::{self, PolicyOnLog, SingleOnLog},
    measures::Measures,
    moves, overlap, provenance,
    rewards::{self, CrossFitted, FeatureReader, Predictor},
    shared_schema,
    slices::{self, Slice},
    target::{Reward, Target, rounds},
    undrawn, used_rows,
};
use crate::{
    estimated::{self, Estimated},
    report::{Calibration, Diagnostic, Overlap, Report, SliceRow, ValueRow, Verdict},
    screen::Screen,
    trajectories, wording,
};
use anyhow::{Result, bail};
use pointsman_data::{LogOptions, TrafficLog, Undrawn, decisions_ahead};
use pointsman_eval::{diagnostics::diagnose, reliability::reliability};
use pointsman_train::design::Design;
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
    let (ReadLog { log, languages, estimated, design }, used, mut asked) =
        in_use(found, &recorders, settings)?;
    match unused_steps {
        Some(sentence) => asked.push(sentence),
        None => asked.extend(cascades::unread_answers(&recorders)),
    }
    asked.extend(estimated::in_use(&log.in_use));
    asked.extend(wording::thinned(log.n_thinned));
    if undrawn::is_undrawn(&log) {
        asked.extend(rewards::unlearned(settings.reward_model));
        let mut report = undrawn::report(paths, &log, &used, &recorders, settings)?;
        report.warnings.splice(0..0, asked);
        return Ok(report);
    }
    let (log, used) = drawn_only(log, used)?;
    let kinds = slices::of_log(&log, &used, &languages, settings);
    let fitted = rewards::learn(settings.reward_model, design.as_ref(), &log, screen)?;
    let measures = Measures::of(&log, &used, settings.largest)?;
    let on_log = OnLog { log: &log, used: &used, fitted: fitted.as_ref(), measures: &measures };
    let mut report = report(paths, &on_log, &kinds, &recorders, settings)?;
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
    let ReadTrajectories { log, languages, design, notes } =
        cascades::read(paths, options, &mut recorders, screen)?;
    let found = ReadLog { log, languages, estimated: None, design: Some(design) };
    let (ReadLog { log, languages, design, .. }, used, mut asked) =
        in_use(found, &recorders, settings)?;
    asked.extend(notes);
    asked.extend(wording::thinned(log.n_thinned));
    let kinds = slices::of_log(&log, &used, &languages, settings);
    let fitted = rewards::learn(settings.reward_model, design.as_ref(), &log, screen)?;
    let largest = settings.largest.of_answers(cascades::most_answers(&recorders, &log));
    let measures = Measures::of(&log, &used, largest)?;
    let on_log = OnLog { log: &log, used: &used, fitted: fitted.as_ref(), measures: &measures };
    let mut report = report(paths, &on_log, &kinds, &recorders, settings)?;
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
    /// Where a reward model is to be learned.
    design: Option<Design>,
}

fn report(
    paths: &[PathBuf],
    on_log: &OnLog<'_>,
    kinds: &[Slice],
    recorders: &[Recorder<'_>],
    settings: &Settings,
) -> Result<Report> {
    let OnLog { log, used, fitted, measures } = *on_log;
    let logged = logged_values::as_logged(on_log, settings)?;
    let (single_rows, singles) = logged_values::singles(on_log, settings)?;
    let rivals = (logged.cost_usd, &singles[..]);
    let mut found = of_policies(on_log, kinds, recorders, rivals, settings)?;
    let mut diagnostics = logged_diagnostics::of_log(log, used);
    diagnostics.extend(measures.diagnostics());
    diagnostics.push(rewards::diagnostic(fitted));
    diagnostics.append(&mut found.diagnostics);
    let mut warnings = used.sentences();
    warnings.extend(wording::damaged(log.n_damaged_lines, log.n_missing_segments));
    warnings.append(&mut found.warnings);
    warnings.extend(settings.shared_words());
    found.values.extend(std::iter::once(logged).chain(single_rows));
    found.calibration.extend(calibrated_rewards(fitted, (log, used))?);
    let Some(verdict) = found.verdict else { bail!("no policy to evaluate") };
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
        reward_model: Some(rewards::used(fitted)),
        values: found.values,
        calibration: found.calibration,
        overlap: found.overlap,
        slices: found.slices,
        moves: moves::of_log(on_log, recorders, settings)?,
        diagnostics,
        decisions: Vec::new(),
        provenance: provenance(
            settings,
            &[("log", joined(paths)), ("log sha256", log.digest.clone())],
        ),
    })
}

/// What a report says of its policies; the verdict is about the first.
#[derive(Default)]
struct OfPolicies {
    verdict: Option<Verdict>,
    values: Vec<ValueRow>,
    diagnostics: Vec<Diagnostic>,
    warnings: Vec<String>,
    calibration: Vec<Calibration>,
    overlap: Vec<Overlap>,
    slices: Vec<SliceRow>,
}

fn of_policies(
    on_log: &OnLog<'_>,
    kinds: &[Slice],
    recorders: &[Recorder<'_>],
    (logged_cost_usd, singles): (Option<f64>, &[SingleOnLog]),
    settings: &Settings,
) -> Result<OfPolicies> {
    let OnLog { log, used, fitted, .. } = *on_log;
    let mut all = OfPolicies::default();
    for (loaded, recorder) in settings.policies.iter().zip(recorders) {
        let name = loaded.name.as_str();
        let predictor = Predictor::of_quality(fitted, recorder);
        let target = Target::of_policy(recorder, log).predicted_by(&predictor, recorder, log);
        let rounds = rounds(log, used, &target, Reward::Quality)?;
        let found = diagnose(&rounds, None);
        all.warnings.extend(found.warnings.iter().map(|it| format!("`{name}`: {it}")));
        let mut rows =
            logged_values::estimates((loaded, recorder), (&rounds, &found), on_log, settings)?;
        all.diagnostics.extend(logged_values::diagnostics(name, &found, &rows));
        if all.verdict.is_none() {
            let weighted_cost_usd = rows.last().and_then(|row| row.cost_usd);
            let policy = PolicyOnLog {
                name,
                rounds: &rounds,
                found: &found,
                cost_usd: rows.first().and_then(|row| row.cost_usd).or(weighted_cost_usd),
                weighted_cost_usd,
                logged_cost_usd,
            };
            all.verdict = Some(logged_verdict::verdict(&policy, singles, settings)?);
        }
        let rows_of = (log, &used.rows[..]);
        rows.extend(cascades::per_step(recorder, rows_of, &target, settings.level)?);
        all.values.append(&mut rows);
        all.calibration.extend(calibrated(name, recorder, (log, used))?);
        all.overlap.push(overlap::overlap(name, &rounds));
        let slices = slices::on_log((name, &target), kinds, (log, used), settings)?;
        all.slices.extend(slices);
    }
    Ok(all)
}

/// The most rows that calibration is measured on; its noise is simulated many times over.
const MOST_CALIBRATED: usize = 200_000;

/// How far a policy's predictions of what was logged may be taken at their word; `None` where it does
/// not know every model of the log, and of trajectories.
fn calibrated(
    name: &str,
    recorder: &Recorder<'_>,
    (log, used): (&TrafficLog, &Used),
) -> Result<Option<Calibration>> {
    // What is predicted of a first answer is not what the last one of a trajectory earned.
    if recorder.later.is_some() {
        return Ok(None);
    }
    let places: Option<Vec<usize>> = recorder.places(&log.models).into_iter().collect();
    let Some(places) = places else { return Ok(None) };
    let predicted = |row: usize| {
        let quality = &recorder.quality[recorder.span(row)];
        quality[places[usize::from(log.rows[row].taken)]]
    };
    calibration(name, &predicted, (log, used)).map(Some)
}

/// The same of a reward model that was learned from the log.
fn calibrated_rewards(
    fitted: Option<&CrossFitted>,
    (log, used): (&TrafficLog, &Used),
) -> Result<Option<Calibration>> {
    let Some(fitted) = fitted else { return Ok(None) };
    let predicted = |row: usize| fitted.of_drawn(row, &log.rows[row]);
    calibration("reward model, cross-fitted", &predicted, (log, used)).map(Some)
}

/// Predictions against what was logged, by rows spread evenly where there are too many.
fn calibration(
    name: &str,
    predicted: &dyn Fn(usize) -> f64,
    (log, used): (&TrafficLog, &Used),
) -> Result<Calibration> {
    let step = used.rows.len().div_ceil(MOST_CALIBRATED).max(1);
    let rows = || used.rows.iter().copied().step_by(step);
    let quality: Vec<f64> = rows().map(|row| log.rows[row].quality).collect();
    let predicted: Vec<f64> = rows().map(predicted).collect();
    Ok(Calibration::of(name, &reliability(&predicted, &quality, 0)?))
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
    used.check_enough((log.rows.len(), "decisions"), "later decisions")?;
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
    let mut features = FeatureReader::new(settings.reward_model, recorders);
    let (log, estimated) = decide_all(recorders, (screen, || decisions_ahead(paths)), |decide| {
        estimated::read(paths, &options, estimating, &mut |asked| {
            languages.push(asked.text().map_or("(no text)", language));
            features.push(asked);
            decide(asked);
        })
    })?;
    Ok(ReadLog { log, languages, estimated, design: features.finish() })
}

/// Counts costs at changed prices; says where tokens are missing to do so.
fn reprice(log: &mut TrafficLog, settings: &Settings) -> Option<String> {
    let n = settings.what_if.reprice_log(log, settings.catalog.as_ref());
    (0 < n).then(|| {
        format!(
            "{} decisions have a changed price and no logged tokens, so their cost is unknown, and \
             with it every mean cost",
            wording::count(n)
        )
    })
}

/// Leaves out decisions that were not drawn, where others were.
fn drawn_only(mut log: TrafficLog, mut used: Used) -> Result<(TrafficLog, Used)> {
    used.leave_out_undrawn(&mut log, TrafficLog::UNDRAWN);
    if used.rows.len() < 2 {
        bail!("{} decisions that were drawn are left to evaluate on", used.rows.len());
    }
    Ok((log, used))
}
