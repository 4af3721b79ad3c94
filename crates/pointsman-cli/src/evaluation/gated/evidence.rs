//! One column of outcomes for each condition, with the weights they share.

use super::{
    super::{Recorder, Used, target::Target},
    Question, stated,
};
use crate::load;
use anyhow::{Context, Result, bail};
use pointsman_core::units::len_as_float;
use pointsman_data::{LoggedRow, TrafficLog};
use pointsman_eval::{
    bounds::{Evidence, Predicted, Rival, ValueRange},
    gate::Wanted,
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
}

/// What all conditions share, a row for each used row of the log.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) weights: Vec<f64>,
    pub(super) rival_weights: Option<Vec<f64>>,
    /// The larger of both policies' mean mass on models that could not be drawn.
    pub(super) unsupported_share: f64,
    predictions: Option<PredictedQuality>,
}

#[derive(Debug)]
struct PredictedQuality {
    taken: Vec<f64>,
    expected: Vec<f64>,
    expected_by_rival: Vec<f64>,
}

impl Columns {
    pub(super) fn of(log: &TrafficLog, used: &Used, recorders: &[Recorder<'_>]) -> Result<Self> {
        let [policy, rivals @ ..] = recorders else { bail!("no policy to judge") };
        let own = Target::of_policy(policy, log);
        let rival = rivals.first().map(|rival| (rival, Target::of_policy(rival, log)));
        let gather = |all: &[f64]| -> Vec<f64> { used.rows.iter().map(|&row| all[row]).collect() };
        let weights = |target: &Target| -> Vec<f64> {
            let weight = |&row: &usize| target.of_drawn[row] / log.rows[row].propensity;
            used.rows.iter().map(weight).collect()
        };
        let missing = |target: &Target| {
            let sum: f64 = used.rows.iter().map(|&row| target.unsupported[row]).sum();
            sum / len_as_float(used.rows.len())
        };
        let share = rival.as_ref().map_or(0.0, |(_, target)| missing(target)).max(missing(&own));
        let predictions = own.predictions.as_ref().map(|(taken, expected)| {
            let by_rival = rival.as_ref().map(|(rival, _)| expected_by(rival, policy, used));
            PredictedQuality {
                taken: within(gather(taken)),
                expected: within(gather(expected)),
                expected_by_rival: within(by_rival.unwrap_or_default()),
            }
        });
        Ok(Self {
            weights: weights(&own),
            rival_weights: rival.as_ref().map(|(_, target)| weights(target)),
            unsupported_share: if share <= ROUNDING { 0.0 } else { share },
            predictions,
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
        if let Some(predicted) = self.predictions.as_ref()
            && measured.metric == Metric::Quality
        {
            let PredictedQuality { taken, expected, expected_by_rival } = predicted;
            evidence =
                evidence.with_predictions(Predicted { taken, expected, expected_by_rival })?;
        }
        evidence = evidence.with_unsupported_share(self.unsupported_share)?;
        if let Some(smallest) = smallest_propensity {
            evidence =
                evidence.with_full_support(1.0 / smallest).context("--smallest-propensity")?;
        }
        Ok(Some(evidence))
    }
}

/// The policy's predictions, averaged over the rival's distribution.
fn expected_by(rival: &Recorder<'_>, policy: &Recorder<'_>, used: &Used) -> Vec<f64> {
    let names: Vec<String> = rival.policy.models().map(str::to_owned).collect();
    let places = policy.places(&names);
    let of_row = |&row: &usize| {
        let quality = &policy.quality[policy.span(row)];
        let shares = rival.probability[rival.span(row)].iter().zip(&places);
        shares.map(|(share, place)| place.map_or(0.0, |place| share * quality[place])).sum()
    };
    used.rows.iter().map(of_row).collect()
}

/// A prediction beyond the scale of quality is only a worse one; the estimate stays right.
fn within(predictions: Vec<f64>) -> Vec<f64> {
    predictions.into_iter().map(|quality| quality.clamp(0.0, 1.0)).collect()
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
    let mut all = vec![Measured {
        metric: Metric::Quality,
        wanted: Wanted::AtLeast(margins.quality),
        values: Ok((quality, 1.0)),
    }];
    if let Some(margin) = margins.cost_usd {
        let values = costs(log, used, question, most_answers)?;
        all.push(Measured { metric: Metric::CostUsd, wanted: Wanted::AtMost(margin), values });
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
        all.push(Measured { metric: Metric::LatencyMs, wanted: Wanted::AtMost(margin), values });
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

/// All values, or how many are missing.
fn complete(column: &[Option<f64>]) -> Result<Vec<f64>, usize> {
    let all: Option<Vec<f64>> = column.iter().copied().collect();
    all.ok_or_else(|| column.iter().filter(|value| value.is_none()).count())
}

/// Refuses a stated largest value that a row exceeds.
fn check_largest(
    log: &TrafficLog,
    used: &Used,
    values: &[f64],
    (unit, largest): (&str, f64),
) -> Result<()> {
    if let Some(at) = values.iter().position(|&value| largest < value) {
        bail!(
            "decision `{}` took {} {unit}, above the stated largest {largest}; state what one \
             request can take, not what it did",
            log.rows[used.rows[at]].id,
            values[at]
        );
    }
    Ok(())
}
