//! What a report draws of an outcome table: cost against quality, and calibration.

use super::Settings;
use crate::report::{Calibration, CostQuality, Frontier, OperatingPoint, SingleModel, ValueRow};
use anyhow::Result;
use pointsman_data::OutcomeMatrix;
use pointsman_eval::{
    baselines::Baselines,
    frontier::figures,
    matrix::{Matrix, Outcomes},
    reliability::reliability,
};

/// The predicted quality of a model that the policy does not know.
pub(super) const UNKNOWN: f64 = -1e9;

/// One policy on the rows of a table that take part.
pub(super) struct OnRows {
    /// How likely each model's answer is the one that is given.
    pub(super) shares: Vec<f64>,
    /// How often each model is called, where one may be called after another.
    pub(super) calls: Option<Vec<f64>>,
    pub(super) predicted_quality: Vec<f64>,
    pub(super) predicted_cost: Vec<f64>,
}

/// What quality each amount of money buys, with a point for each policy; `None` without costs.
pub(super) fn frontier(
    (matrix, actual): (&OutcomeMatrix, &Outcomes<'_>),
    on_rows: &OnRows,
    known: &Baselines,
    policies: &[ValueRow],
) -> Result<Option<Frontier>> {
    let n_rows = actual.quality().n_rows();
    if actual.cost_usd().is_none() {
        return Ok(None);
    }
    let n_models = matrix.models.len();
    let predicted = Outcomes::new(
        Matrix::new(&on_rows.predicted_quality, n_rows, n_models)?,
        Some(Matrix::new(&on_rows.predicted_cost, n_rows, n_models)?),
    )?;
    let point = |cost_usd, quality| CostQuality { cost_usd, quality };
    let mut sweep: Vec<CostQuality> = figures(&predicted, actual)?
        .sweep
        .iter()
        .map(|at| point(at.point.cost_usd, at.point.quality))
        .collect();
    sweep.sort_by(|a, b| a.cost_usd.total_cmp(&b.cost_usd));
    sweep.dedup();
    let singles = known.singles.iter().map(|single| SingleModel {
        model: matrix.models[single.model_index].clone(),
        cost_usd: single.cost_usd.unwrap_or(0.0),
        quality: single.quality,
    });
    Ok(Some(Frontier {
        cost_source: "costs recorded in the table".to_owned(),
        sweep,
        singles: singles.collect(),
        oracle: known.oracle.cost_usd.map(|cost| point(cost, known.oracle.quality)),
        operating_points: policies.iter().filter_map(point_of).collect(),
        truth: None,
        by_request: None,
    }))
}

/// How far each policy's predictions may be taken at their word.
pub(super) fn calibrations(
    on_rows: &[OnRows],
    quality: &[f64],
    settings: &Settings,
) -> Result<Vec<Calibration>> {
    let policies = on_rows.iter().zip(&settings.policies);
    policies.map(|(on_rows, policy)| calibration(&policy.name, on_rows, quality)).collect()
}

/// Over the models that the policy knows.
fn calibration(name: &str, on_rows: &OnRows, quality: &[f64]) -> Result<Calibration> {
    let pairs = on_rows.predicted_quality.iter().zip(quality);
    let known = pairs.filter(|(predicted, _)| **predicted != UNKNOWN);
    let (predicted, outcome): (Vec<f64>, Vec<f64>) = known.unzip();
    Ok(Calibration::of(name, &reliability(&predicted, &outcome, 0)?))
}

fn point_of(row: &ValueRow) -> Option<OperatingPoint> {
    Some(OperatingPoint {
        name: row.policy.clone(),
        cost_usd: row.cost_usd?,
        quality: row.value?,
        quality_lower: row.lower?,
        quality_upper: row.upper?,
    })
}
