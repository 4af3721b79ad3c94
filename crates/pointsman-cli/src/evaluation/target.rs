//! A policy on the rows of a log, as columns that estimators take.

use super::{Recorder, Used, cascades};
use anyhow::Result;
use pointsman_data::{LoggedRow, TrafficLog};
use pointsman_eval::rounds::{LoggedRounds, Predictions, RoundColumns};

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
            let taken = usize::from(row.taken);
            let later = recorder.later.as_ref().map_or(&[][..], |later| &later[index][..]);
            let (of_steps, missing) = cascades::of_later(later);
            let of_drawn = of(taken) * of_steps;
            let unsupported = (total - supported).clamp(0.0, 1.0);
            // Steps that are missing count as often as the policy gets to them.
            let reached = if 0.0 < missing { of(taken) / f64::from(logger[taken]) } else { 0.0 };
            target.of_drawn.push(of_drawn);
            target.unsupported.push((unsupported + reached * missing).min(1.0 - of_drawn).max(0.0));
            if let Some((drawn, expected)) = &mut target.predictions {
                let quality = &recorder.quality[recorder.span(index)];
                drawn.push(places[usize::from(row.taken)].map_or(0.0, |place| quality[place]));
                expected.push(probability.iter().zip(quality).map(|(p, q)| p * q).sum());
            }
        }
        target
    }

    /// One model for every request, whose answer is given as it is.
    pub(super) fn of_model(log: &TrafficLog, model: usize) -> Self {
        let n_models = log.models.len();
        let is_drawn = |row: &LoggedRow| usize::from(row.taken) == model && row.n_answers == 1;
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
