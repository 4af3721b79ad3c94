//! A policy on the rows of a log, as columns that estimators take.

use super::{Recorder, Used, cascades, rewards::Predictor};
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
    /// Predicted quality of the first decision, where there is a prediction for every model of the log.
    pub(super) predictions: Option<Predictions>,
}

impl Target {
    pub(super) fn of_policy(recorder: &Recorder<'_>, log: &TrafficLog) -> Self {
        let places = recorder.places(&log.models);
        let n_models = log.models.len();
        let mut target = Self {
            of_drawn: Vec::with_capacity(log.rows.len()),
            unsupported: Vec::with_capacity(log.rows.len()),
            predictions: None,
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
        }
        target
    }

    /// The same policy with predictions of quality.
    pub(super) fn predicted_by(
        self,
        predictor: &Predictor<'_>,
        recorder: &Recorder<'_>,
        log: &TrafficLog,
    ) -> Self {
        let all: Vec<usize> = (0..log.rows.len()).collect();
        Self { predictions: predictions(predictor, recorder, log, &all), ..self }
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

/// What is predicted of the drawn model and, on average, of a policy's choice on some rows of the
/// log; `None` where the predictor lacks a model of the log.
pub(super) fn predictions(
    predictor: &Predictor<'_>,
    recorder: &Recorder<'_>,
    log: &TrafficLog,
    rows: &[usize],
) -> Option<Predictions> {
    let places = predictor.places(&log.models);
    if places.iter().any(Option::is_none) {
        return None;
    }
    let drawn = |&row: &usize| predictor.at(row, places[usize::from(log.rows[row].taken)]);
    let taken = rows.iter().map(drawn).collect();
    Some(Predictions { taken, expected: expected(predictor, recorder, rows) })
}

/// What is predicted of a policy's choice, on average, on some rows of the log.
pub(super) fn expected(
    predictor: &Predictor<'_>,
    recorder: &Recorder<'_>,
    rows: &[usize],
) -> Vec<f64> {
    let models: Vec<String> = recorder.policy.models().map(str::to_owned).collect();
    let places = predictor.places(&models);
    let of_row = |&row: &usize| -> f64 {
        let shares = recorder.probability[recorder.span(row)].iter().zip(&places);
        shares.map(|(share, place)| share * predictor.at(row, *place)).sum()
    };
    rows.iter().map(of_row).collect()
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
            (Reward::Quality, Some(Predictions { taken, expected })) => {
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

#[cfg(test)]
mod tests {
    use super::{
        super::fixtures::{self, MODELS},
        *,
    };

    /// What models truly earn, what a policy predicts, partly beyond the scale, and its choices.
    const EARNED: [f64; 3] = [0.3, 0.9, 0.6];
    const PREDICTED: [f64; 3] = [-0.8, 1.7, 0.4];
    const TARGET: [f64; 3] = [0.5, 0.2, 0.3];
    const LOGGER: [f32; 3] = [0.25, 0.25, 0.5];

    /// Over all draws of the logger, in their proportion, a doubly robust value is the true one,
    /// whatever is predicted: what is taken off for the drawn model is what was put on for it.
    #[test]
    fn a_doubly_robust_value_is_right_whatever_is_predicted() {
        let loaded = fixtures::policy();
        let mut recorder = Recorder::new(&loaded);
        let rows: Vec<LoggedRow> = (0..3_u16)
            .map(|taken| {
                let model = usize::from(taken);
                fixtures::row(model, taken, (f64::from(LOGGER[model]), EARNED[model]))
            })
            .collect();
        for _ in &rows {
            recorder.probability.extend(TARGET);
            recorder.quality.extend(PREDICTED);
        }
        let log = fixtures::log(rows, LOGGER);
        let found =
            predictions(&Predictor::Policy(&recorder), &recorder, &log, &[0, 1, 2]).unwrap();
        let of_row = |row: usize| {
            let weight = TARGET[row] / f64::from(LOGGER[row]);
            let value = found.expected[row] + weight * (EARNED[row] - found.taken[row]);
            f64::from(LOGGER[row]) * value
        };
        let value: f64 = (0..3).map(of_row).sum();
        let truth: f64 = TARGET.iter().zip(EARNED).map(|(share, earned)| share * earned).sum();
        assert!((value - truth).abs() < 1e-12, "{value} is not {truth}");
        assert!(found.taken.iter().chain(&found.expected).all(|it| (0.0..=1.0).contains(it)));
    }

    /// A policy that lacks a model of the log predicts nothing; one that has more does.
    #[test]
    fn predictions_need_every_model_of_the_log() {
        let loaded = fixtures::policy();
        let mut recorder = Recorder::new(&loaded);
        recorder.probability.extend(TARGET);
        recorder.quality.extend(PREDICTED);
        let mut log = fixtures::log(vec![fixtures::row(0, 0, (0.25, 1.0))], LOGGER);
        let of = |log: &TrafficLog| {
            predictions(&Predictor::Policy(&recorder), &recorder, log, &[0]).is_some()
        };
        assert!(of(&log));
        log.models = vec![MODELS[0].to_owned(), MODELS[2].to_owned()];
        assert!(of(&log));
        log.models[1] = "another".to_owned();
        assert!(!of(&log));
    }
}
