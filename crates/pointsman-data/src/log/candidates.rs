//! What the candidates of a decision must be, and the draw from them.

use pointsman_core::units::Propensity;
use pointsman_log::record::PropensityKind;

use super::cell::DecisionCell;
use crate::{error::DataError, model_names::ModelNames};

/// How far probabilities may be from one in sum: columns may be single precision.
const SUM_TOLERANCE: f64 = 1e-5;
/// How far an exact propensity may be from the drawn candidate's probability.
const PROPENSITY_TOLERANCE: f64 = 1e-6;

/// Refuses what is no distribution or no draw from it; the drawn model's index.
pub(super) fn checked_candidates(
    candidates: &[(u16, f64)],
    models: &ModelNames,
    decision: &DecisionCell<'_>,
) -> Result<u16, DataError> {
    let wrong = |problem| decision.wrong(problem);
    let total: f64 = candidates.iter().map(|&(_, probability)| probability).sum();
    let is_wrong = |&(_, probability): &(u16, f64)| !(0.0..=1.0).contains(&probability);
    if let Some((_, probability)) = candidates.iter().find(|one| is_wrong(one)) {
        return Err(wrong(format!(
            "gives a candidate the probability {probability}, which is not in [0, 1]"
        )));
    }
    let mut drawn: Option<(u16, f64)> = None;
    for &(model, probability) in candidates {
        // Once one is found, an index tells as much as a name.
        let is_drawn = drawn.map_or_else(
            || models.name(model) == Some(decision.drawn),
            |(taken, _)| taken == model,
        );
        if is_drawn {
            if drawn.is_some() {
                return Err(wrong(format!("lists the candidate `{}` twice", decision.drawn)));
            }
            drawn = Some((model, probability));
        }
    }
    let Some((taken, probability)) = drawn else {
        return Err(wrong(format!("drew `{}`, which is not among its candidates", decision.drawn)));
    };
    let is_known = match decision.kind {
        PropensityKind::Exact | PropensityKind::Estimated => true,
        PropensityKind::Deterministic | PropensityKind::Unknown => false,
    };
    let (true, Some(value)) = (is_known, decision.propensity) else { return Ok(taken) };
    if Propensity::new(value).is_err() {
        return Err(decision.wrong_propensity(value));
    }
    if SUM_TOLERANCE < (total - 1.0).abs() {
        return Err(wrong(format!("has candidate probabilities that sum to {total} instead of 1")));
    }
    let is_exact = decision.kind == PropensityKind::Exact;
    if is_exact && PROPENSITY_TOLERANCE < (value - probability).abs() {
        return Err(wrong(format!(
            "has the exact propensity {value}, but drew with probability {probability}"
        )));
    }
    Ok(taken)
}
