//! The values of a log's report: each policy by its estimators, what was logged, each single model;
//! all with their intervals of quality, cost and latency.

use super::{
    Recorder, Settings, Used, logged_diagnostics,
    logged_interval::{self, Shared, With},
    logged_verdict::SingleOnLog,
    measures::{self, Carried, Means, Measures},
    rewards::{CrossFitted, Predictor},
    target::{Reward, Target, predictions, rounds},
    value_row,
};
use crate::{
    policy_flags::LoadedPolicy,
    report::{Diagnostic, IntervalKind, ValueRow},
};
use anyhow::Result;
use pointsman_data::TrafficLog;
use pointsman_eval::{
    bounds::Rival,
    diagnostics::{Diagnostics, diagnose},
    estimators::{Estimator, estimate},
    full::mean_value,
    rounds::LoggedRounds,
};

/// A log whose decisions were drawn, with what is known of its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnLog<'a> {
    pub(super) log: &'a TrafficLog,
    pub(super) used: &'a Used,
    /// The reward model that was learned from the log, if one was.
    pub(super) fitted: Option<&'a CrossFitted>,
    pub(super) measures: &'a Measures,
}

impl OnLog<'_> {
    /// Mean cost and latency of what has these weights, by the weights alone.
    fn means(
        &self,
        rounds: &LoggedRounds,
        unsupported_share: Option<f64>,
        shared: Shared,
    ) -> Result<Means> {
        let predicted = [None, None];
        self.measures.means(&Carried {
            weights: rounds.weight(),
            unsupported_share,
            predicted,
            shared,
        })
    }

    /// The same doubly robust, by each model's level, where a reward model was learned.
    fn robust_means(
        &self,
        (recorder, rounds): (&Recorder<'_>, &LoggedRounds),
        unsupported_share: Option<f64>,
        shared: Shared,
    ) -> Result<Means> {
        let Some(fitted) = self.fitted else {
            return self.means(rounds, unsupported_share, shared);
        };
        let levels = self.measures.levels(fitted, (self.log, self.used));
        let predicted = levels.each_ref().map(|levels| {
            let predictor = Predictor::Levels(levels.as_ref()?);
            predictions(&predictor, recorder, self.log, &self.used.rows)
        });
        let predicted = predicted.each_ref().map(Option::as_ref);
        self.measures.means(&Carried {
            weights: rounds.weight(),
            unsupported_share,
            predicted,
            shared,
        })
    }
}

/// Doubly robust first, since it is the tightest where predictions are any good. It and the
/// self-normalised value have the default interval, at a level that all policies share. Costs and
/// latencies are self-normalised, but doubly robust in the first row where a reward model was learned.
pub(super) fn estimates(
    (loaded, recorder): (&LoadedPolicy, &Recorder<'_>),
    (rounds, found): (&LoggedRounds, &Diagnostics),
    on_log: &OnLog<'_>,
    settings: &Settings,
) -> Result<Vec<ValueRow>> {
    let (name, shared, missing) = (&loaded.name, settings.shared(), found.unsupported_mass_share);
    let plain = on_log.means(rounds, missing, shared)?;
    let robust = on_log.robust_means((recorder, rounds), missing, shared)?;
    let all = [
        (Estimator::Dr { clip: None }, Some(With::Predictions), &robust),
        (Estimator::Snips, Some(With::WeightsAlone), &plain),
        (Estimator::Ips { clip: None }, None, &plain),
    ];
    let mut rows = Vec::with_capacity(all.len());
    for (estimator, with, means) in all {
        let mut row = match (estimate(rounds, estimator, settings.level), with) {
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
            (Err(reason), _) => without_value(name, estimator, reason.to_string()),
        };
        if row.value.is_some() {
            means.put(&mut row);
        }
        row.effective_n = Some(found.effective_n);
        let objective = loaded.objective.to_string();
        let notes = [objective.as_str(), row.note.as_str()];
        row.note = notes.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("; ");
        rows.push(row);
    }
    Ok(rows)
}

fn without_value(policy: &str, estimator: Estimator, note: String) -> ValueRow {
    ValueRow {
        policy: policy.to_owned(),
        estimator: estimator.to_string(),
        value: None,
        lower: None,
        upper: None,
        interval_kind: IntervalKind::Absent,
        interval_method: String::new(),
        cost_usd: None,
        cost_interval: None,
        latency_ms: None,
        latency_interval: None,
        effective_n: None,
        note,
    }
}

/// The value that the log itself realised.
pub(super) fn as_logged(on_log: &OnLog<'_>, settings: &Settings) -> Result<ValueRow> {
    let OnLog { log, used, measures, .. } = *on_log;
    let quality: Vec<f64> = used.rows.iter().map(|&row| log.rows[row].quality).collect();
    let value = mean_value(&quality, settings.level)?;
    let mut row = value_row("as logged", "mean", (value.value, &value.interval), None);
    let means = measures.means(&Carried {
        weights: &vec![1.0; used.rows.len()],
        unsupported_share: None,
        predicted: [None, None],
        shared: alone(settings),
    })?;
    means.put(&mut row);
    Ok(row)
}

/// Each single model of which the log knows enough for a value.
pub(super) fn singles(
    on_log: &OnLog<'_>,
    settings: &Settings,
) -> Result<(Vec<ValueRow>, Vec<SingleOnLog>)> {
    let OnLog { log, used, .. } = *on_log;
    let (mut rows, mut singles) = (Vec::new(), Vec::new());
    for (model, name) in log.models.iter().enumerate() {
        let target = Target::of_model(log, model);
        let rounds = rounds(log, used, &target, Reward::Quality)?;
        let Ok(found) = estimate(&rounds, Estimator::Snips, settings.level) else { continue };
        let diagnostics = diagnose(&rounds, None);
        let unsupported_share = diagnostics.unsupported_mass_share;
        let means = on_log.means(&rounds, unsupported_share, alone(settings))?;
        let label = format!("always {name}");
        let mut row = value_row(&label, "SNIPS", (found.value, &found.interval), None);
        means.put(&mut row);
        row.effective_n = Some(diagnostics.effective_n);
        rows.push(row);
        let (model, quality, weight) = (name.clone(), found.value, rounds.weight().to_vec());
        let cost_usd = means.cost_usd();
        singles.push(SingleOnLog { model, quality, cost_usd, weight, unsupported_share });
    }
    Ok((rows, singles))
}

/// An interval that shares its level with no other.
fn alone(settings: &Settings) -> Shared {
    Shared { level: settings.level, n_candidates: 1 }
}

/// What to know of one policy's rows before they are believed.
pub(super) fn diagnostics(name: &str, found: &Diagnostics, rows: &[ValueRow]) -> Vec<Diagnostic> {
    let mut all = logged_diagnostics::of_policy(name, found);
    all.extend(rows.first().map(|row| logged_diagnostics::of_interval(name, row)));
    let measured =
        rows.iter().find(|it| it.cost_interval.is_some() || it.latency_interval.is_some());
    all.extend(measured.into_iter().flat_map(measures::interval_diagnostics));
    all
}
