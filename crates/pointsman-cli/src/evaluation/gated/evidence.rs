//! One column of outcomes for each condition, with the weights they share.

use super::{
    super::{
        Recorder, Used,
        measures::{check_largest, complete},
        rewards::{CrossFitted, Predictor},
        target::{Target, expected, predictions},
    },
    Question, stated,
};
use crate::load;
use anyhow::{Context, Result, bail};
use pointsman_core::units::len_as_float;
use pointsman_data::{LoggedRow, TrafficLog};
use pointsman_eval::{
    bounds::{Evidence, Predicted, Rival, ValueRange},
    gate::Wanted,
    rounds::Predictions,
};

/// Mass on models that could not be drawn below this is rounding.
const ROUNDING: f64 = 1e-9;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Metric {
    Quality,
    CostUsd,
    LatencyMs,
}

/// One condition and its outcomes, or why the log cannot measure it.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) metric: Metric,
    pub(super) wanted: Wanted,
    /// The outcomes of the used rows, and the largest there can be.
    pub(super) values: Result<(Vec<f64>, f64), String>,
    /// What is predicted of them, where there is a prediction for every model of the log.
    pub(super) predicted: Option<PredictedOutcomes>,
}

/// What is predicted on the used rows.
#[derive(Debug)]
pub(super) struct PredictedOutcomes {
    taken: Vec<f64>,
    expected: Vec<f64>,
    /// Empty against what was logged.
    expected_by_rival: Vec<f64>,
    /// Whether they were learned from other rows of the log.
    is_cross_fitted: bool,
}

/// What all conditions share, a row for each used row of the log.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) weights: Vec<f64>,
    pub(super) rival_weights: Option<Vec<f64>>,
    /// The larger of both policies' mean mass on models that could not be drawn.
    pub(super) unsupported_share: f64,
}

impl Columns {
    pub(super) fn of(log: &TrafficLog, used: &Used, recorders: &[Recorder<'_>]) -> Result<Self> {
        let [policy, rivals @ ..] = recorders else { bail!("no policy to judge") };
        let own = Target::of_policy(policy, log);
        let rival = rivals.first().map(|rival| Target::of_policy(rival, log));
        let weights = |target: &Target| -> Vec<f64> {
            let weight = |&row: &usize| target.of_drawn[row] / log.rows[row].propensity;
            used.rows.iter().map(weight).collect()
        };
        let missing = |target: &Target| {
            let sum: f64 = used.rows.iter().map(|&row| target.unsupported[row]).sum();
            sum / len_as_float(used.rows.len())
        };
        let share = rival.as_ref().map_or(0.0, missing).max(missing(&own));
        Ok(Self {
            weights: weights(&own),
            rival_weights: rival.as_ref().map(weights),
            unsupported_share: if share <= ROUNDING { 0.0 } else { share },
        })
    }

    /// The outcomes with everything that is known of them.
    pub(super) fn evidence<'a>(
        &'a self,
        measured: &'a Measured,
        smallest_propensity: Option<f64>,
    ) -> Result<Option<Evidence<'a>>> {
        let Ok((values, largest)) = &measured.values else { return Ok(None) };
        let range = ValueRange::new(0.0, *largest)?;
        let rival = self.rival_weights.as_deref().map_or(Rival::Logged, Rival::Policy);
        let mut evidence = Evidence::new(&self.weights, values, range)?.against(rival)?;
        if let Some(predicted) = &measured.predicted {
            let PredictedOutcomes { taken, expected, expected_by_rival, is_cross_fitted } =
                predicted;
            let columns = Predicted { taken, expected, expected_by_rival };
            evidence = if *is_cross_fitted {
                evidence.with_cross_fitted_predictions(columns)?
            } else {
                evidence.with_predictions(columns)?
            };
        }
        evidence = evidence.with_unsupported_share(self.unsupported_share)?;
        if let Some(smallest) = smallest_propensity {
            evidence =
                evidence.with_full_support(1.0 / smallest).context("--smallest-propensity")?;
        }
        Ok(Some(evidence))
    }
}

impl Measured {
    fn new(metric: Metric, wanted: Wanted, values: Result<(Vec<f64>, f64), String>) -> Self {
        Self { metric, wanted, values, predicted: None }
    }

    /// Adds what is predicted, by one predictor for the policy and its rival: quality by the reward
    /// model that was learned or else by the policy, cost and latency by what was learned alone.
    pub(super) fn predict(
        &mut self,
        (log, used): (&TrafficLog, &Used),
        recorders: &[Recorder<'_>],
        fitted: Option<&CrossFitted>,
    ) -> Result<()> {
        let [policy, rivals @ ..] = recorders else { bail!("no policy to judge") };
        let Ok((values, largest)) = &self.values else { return Ok(()) };
        let levels;
        let predictor = match (self.metric, fitted) {
            (Metric::Quality, _) => Predictor::of_quality(fitted, policy),
            (Metric::CostUsd | Metric::LatencyMs, Some(fitted)) => {
                levels = fitted.levels(log, (&used.rows[..], &values[..]), *largest);
                Predictor::Levels(&levels)
            }
            (Metric::CostUsd | Metric::LatencyMs, None) => return Ok(()),
        };
        let rival = rivals.first().map(|rival| expected(&predictor, rival, &used.rows));
        let found = predictions(&predictor, policy, log, &used.rows);
        let largest = *largest;
        self.predicted = found.map(|Predictions { taken, expected }| PredictedOutcomes {
            taken: within(taken, largest),
            expected: within(expected, largest),
            expected_by_rival: within(rival.unwrap_or_default(), largest),
            is_cross_fitted: fitted.is_some(),
        });
        Ok(())
    }
}

/// Each prediction is within its range; shares may add up to a little more than one.
fn within(predicted: Vec<f64>, largest: f64) -> Vec<f64> {
    predicted.into_iter().map(|it| it.clamp(0.0, largest)).collect()
}

/// The conditions that were asked, quality first; of requests that may ask for so many answers.
pub(super) fn measure(
    log: &TrafficLog,
    used: &Used,
    question: &Question,
    most_answers: u32,
) -> Result<Vec<Measured>> {
    let rows = || used.rows.iter().map(|&row| &log.rows[row]);
    let margins = question.margins;
    let quality = rows().map(|row| row.quality).collect();
    let wanted = Wanted::AtLeast(margins.quality);
    let mut all = vec![Measured::new(Metric::Quality, wanted, Ok((quality, 1.0)))];
    if let Some(margin) = margins.cost_usd {
        let values = costs(log, used, question, most_answers)?;
        all.push(Measured::new(Metric::CostUsd, Wanted::AtMost(margin), values));
    }
    if let Some(margin) = margins.latency_ms {
        let column: Vec<Option<f64>> = rows().map(|row| row.latency_ms).collect();
        let values = match (complete(&column), question.stated.largest_latency_ms) {
            (Err(n), _) => Err(format!(
                "{n} of {} decisions have no latency_ms; log it for every answer",
                column.len()
            )),
            (Ok(_), None) => {
                Err("no largest latency of one answer is stated; give --largest-latency-ms, the \
                     timeout say"
                    .to_owned())
            }
            (Ok(values), Some(largest)) => {
                let largest = largest * f64::from(most_answers);
                check_largest(log, used, &values, ("ms", largest))?;
                Ok((values, largest))
            }
        };
        all.push(Measured::new(Metric::LatencyMs, Wanted::AtMost(margin), values));
    }
    Ok(all)
}

/// Costs as logged, else by the catalog's prices; an inner error where the log cannot tell.
fn costs(
    log: &TrafficLog,
    used: &Used,
    question: &Question,
    most_answers: u32,
) -> Result<Result<(Vec<f64>, f64), String>> {
    let catalog = question.catalog.as_ref();
    let cost = |row: &LoggedRow| {
        row.cost_usd.or_else(|| {
            let model = catalog?.find(&log.models[usize::from(row.taken)])?;
            Some(load::cheapest(model, row.input_tokens?, row.output_tokens?))
        })
    };
    let column: Vec<Option<f64>> = used.rows.iter().map(|&row| cost(&log.rows[row])).collect();
    let values = match complete(&column) {
        Ok(values) => values,
        Err(n) => {
            return Ok(Err(format!(
                "{n} of {} decisions have no cost; log it, or log tokens and give --catalog",
                column.len()
            )));
        }
    };
    let stated = question.stated.largest_cost_usd;
    // A catalog says what one answer can cost.
    let by_catalog = || {
        let of_answer = stated::largest_cost(&log.models, catalog);
        of_answer.map(|largest| largest * f64::from(most_answers))
    };
    let largest = stated.map_or_else(by_catalog, Ok);
    if let Ok(largest) = &largest {
        check_largest(log, used, &values, ("dollars", *largest))?;
    }
    Ok(largest.map(|largest| (values, largest)))
}
