//! A policy on the rows of a log, as columns that estimators take.

use super::{Recorder, Used};
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

    pub(super) fn of_model(log: &TrafficLog, model: usize) -> Self {
        let n_models = log.models.len();
        let is_drawn = |row: &LoggedRow| usize::from(row.taken) == model;
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
