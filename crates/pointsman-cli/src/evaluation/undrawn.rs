//! Evaluation from a log whose decisions were not drawn: what it can still say, and what it would
//! take to say more.
//!
//! Only where a policy would have chosen what was logged is its outcome known. The rest may be
//! anything, so a value lies between all of it bad and all of it perfect (Manski's bounds), with
//! what chance does to the known part on top. Weakness: what exploring would cost is by the
//! policy's own predictions.

use super::{
    Recorder, Settings, Used, diagnostic, generated_by, joined,
    logged_interval::{self, With},
    provenance,
    target::{Reward, Target, rounds},
};
use crate::{
    policy_flags::LoadedPolicy,
    report::{IntervalKind, Report, ValueRow, Verdict, VerdictKind},
    wording,
};
use anyhow::Result;
use pointsman_core::units::len_as_float;
use pointsman_data::{LoggedRow, TrafficLog};
use pointsman_eval::{
    bounds::Rival,
    diagnostics::diagnose,
    exploration::{Exploration, Plan, smallest_rate},
};
use std::path::PathBuf;

/// Whether no usable decision of the log was drawn.
pub(super) fn is_undrawn(log: &TrafficLog) -> bool {
    !log.rows.iter().any(LoggedRow::is_drawn)
}

/// What one policy shares with the log.
struct Shared<'a> {
    loaded: &'a LoadedPolicy,
    agreeing_share: f64,
    /// Manski's bounds, and the same with what chance does to them.
    worst_case: (f64, f64),
    row: ValueRow,
    exploration: Exploration,
    /// Dollars for each request that is drawn evenly, beyond what was logged.
    extra_cost_usd: Option<f64>,
}

/// The report on such a log.
pub(super) fn report(
    paths: &[PathBuf],
    log: &TrafficLog,
    used: &Used,
    recorders: &[Recorder<'_>],
    settings: &Settings,
) -> Result<Report> {
    let mut shares = Vec::new();
    for (loaded, recorder) in settings.policies.iter().zip(recorders) {
        shares.push(shared(loaded, recorder, log, used, settings)?);
    }
    let sentences: Vec<String> =
        shares.iter().map(|shared| sentence(shared, used, settings)).collect();
    let (first, others) = sentences.split_first().map_or(("", &[][..]), |(a, b)| (a.as_str(), b));
    let mut warnings = others.to_vec();
    warnings.extend(used.sentences());
    warnings.extend(wording::damaged(log.n_damaged_lines, log.n_missing_segments));
    let mut diagnostics = vec![
        diagnostic("decisions read", wording::count(log.n_decisions_read), "in all files"),
        diagnostic("decisions used", wording::length(used.rows.len()), "with outcome, not drawn"),
    ];
    for (reason, n) in &log.dropped {
        diagnostics.push(diagnostic("rows dropped", wording::count(*n), reason));
    }
    for shared in &shares {
        let share = format!("{:.2} %", 100.0 * shared.agreeing_share);
        let name = format!("`{}`: identifiable", shared.loaded.name);
        diagnostics.push(diagnostic(&name, share, "of its choices are what was logged"));
    }
    Ok(Report {
        title: "What the policy would have done".to_owned(),
        subtitle: format!("{} decisions that were not drawn", wording::length(used.rows.len())),
        simulated: false,
        generated_by: generated_by(settings),
        verdict: Verdict { kind: VerdictKind::NotIdentifiable, sentence: first.to_owned() },
        warnings,
        frontier: None,
        calibration: Vec::new(),
        overlap: Vec::new(),
        confidence: settings.level.get(),
        reward_model: None,
        values: shares.into_iter().map(|shared| shared.row).collect(),
        slices: Vec::new(),
        moves: Vec::new(),
        diagnostics,
        decisions: Vec::new(),
        provenance: provenance(
            settings,
            &[("log", joined(paths)), ("log sha256", log.digest.clone())],
        ),
    })
}

fn shared<'a>(
    loaded: &'a LoadedPolicy,
    recorder: &Recorder<'_>,
    log: &TrafficLog,
    used: &Used,
    settings: &Settings,
) -> Result<Shared<'a>> {
    let target = Target::of_policy(recorder, log);
    let rounds = rounds(log, used, &target, Reward::Quality)?;
    let n_rows = len_as_float(rounds.n_rows());
    let agreeing_share = (rounds.target().iter().sum::<f64>() / n_rows).min(1.0);
    let known = rounds.target().iter().zip(rounds.reward()).map(|(p, r)| p * r).sum::<f64>();
    let worst_case = (known / n_rows, (known / n_rows + 1.0 - agreeing_share).min(1.0));
    let found = diagnose(&rounds, None);
    let missing = found.unsupported_mass_share;
    let (alone, level) = (With::WeightsAlone, settings.shared());
    let chosen = logged_interval::of_quality(&rounds, missing, Rival::Nothing, alone, level)?;
    let row = ValueRow {
        policy: loaded.name.clone(),
        estimator: "worst case".to_owned(),
        value: None,
        lower: Some(chosen.interval.lower),
        upper: Some(chosen.interval.upper),
        interval_kind: IntervalKind::of(chosen.interval.kind),
        interval_method: chosen.interval.method.name().to_owned(),
        cost_usd: None,
        cost_interval: None,
        latency_ms: None,
        latency_interval: None,
        effective_n: Some(found.effective_n),
        note: format!("{}; {}", loaded.objective, logged_interval::described(&chosen)),
    };
    let exploration = smallest_rate(&Plan {
        n_rows: used.rows.len(),
        n_models: recorder.n_models,
        agreeing_share,
        width: settings.width,
        level: settings.level,
    });
    let extra_cost_usd = extra_cost(recorder, log, used);
    Ok(Shared { loaded, agreeing_share, worst_case, row, exploration, extra_cost_usd })
}

/// What an even draw is predicted to cost beyond what was logged; `None` where a cost of some
/// model is not known.
fn extra_cost(recorder: &Recorder<'_>, log: &TrafficLog, used: &Used) -> Option<f64> {
    let places = recorder.places(&log.models);
    let mut total = 0.0;
    for &row in &used.rows {
        let costs = &recorder.cost_usd[recorder.span(row)];
        // A model that may not answer, or whose price is not known, has none.
        let known: Vec<f64> = costs.iter().copied().filter(|cost| 0.0 < *cost).collect();
        let logged = costs[places[usize::from(log.rows[row].taken)]?];
        if known.is_empty() || logged == 0.0 {
            return None;
        }
        total += known.iter().sum::<f64>() / len_as_float(known.len()) - logged;
    }
    Some(total / len_as_float(used.rows.len()))
}

fn sentence(shared: &Shared<'_>, used: &Used, settings: &Settings) -> String {
    let Shared { loaded, agreeing_share, worst_case: (lower, upper), row, .. } = shared;
    let bounds = |lower: f64, upper: f64| format!("{lower:.4} and {upper:.4}");
    let mut text = format!(
        "Not identifiable: the log's decisions were not drawn, so it knows only the {:.1} % of \
         `{}`'s choices that were logged; whatever the others earn, its quality is between {}",
        100.0 * agreeing_share,
        loaded.name,
        bounds(*lower, *upper)
    );
    if let (Some(lower), Some(upper)) = (row.lower, row.upper) {
        text.push_str(&format!(" (with chance, between {})", bounds(lower, upper)));
    }
    let (width, n) = (settings.width, wording::length(used.rows.len()));
    match shared.exploration {
        Exploration::Rate(rate) => {
            let price = shared.extra_cost_usd.map_or_else(
                || "its price is unknown without costs of every model; give --catalog".to_owned(),
                |extra| price(rate * extra * len_as_float(used.rows.len())),
            );
            text.push_str(&format!(
                ". Drawing {:.2} % of {n} requests evenly among the models would tell it to a \
                 width of {width}; {price}.",
                100.0 * rate
            ));
        }
        Exploration::MoreRows { rate, n_rows } => text.push_str(&format!(
            ". No exploration of {n} requests tells it to a width of {width}; {} would, drawing \
             {:.1} % of them evenly among the models.",
            wording::grouped(&format!("{n_rows:.0}")),
            100.0 * rate
        )),
    }
    text
}

fn price(dollars: f64) -> String {
    let verb = if dollars < 0.0 { "saves" } else { "costs" };
    format!("that {verb} about ${:.2}, by the policy's predictions", dollars.abs())
}
