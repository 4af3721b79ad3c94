//! The interval that a quality estimated from a log deserves, with its kind and its reasons.
//!
//! Support is never stated here, since nothing but the log says what the logger can draw; mass
//! that it could not draw counts at its worst. So no bound that holds at every number of rows rests
//! on predictions, whoever made them.

use anyhow::Result;
use pointsman_eval::{
    bounds::{Evidence, Predicted, Rival, ValueRange},
    choice::{Chosen, default_interval},
    interval::ConfidenceLevel,
    rounds::LoggedRounds,
};

/// Mass on models that could not be drawn below this is rounding.
const ROUNDING: f64 = 1e-9;

/// Whether the reward model takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum With {
    /// As doubly robust values do, where there are predictions.
    Predictions,
    /// As self-normalised ones do.
    WeightsAlone,
}

/// A level that several intervals hold together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared {
    pub(super) level: ConfidenceLevel,
    pub(super) n_candidates: usize,
}

/// The default interval of quality, or of its difference to a rival on the same rows; of both
/// policies' shares on models that could not be drawn, the larger.
pub(super) fn of_quality(
    rounds: &LoggedRounds,
    unsupported_share: Option<f64>,
    rival: Rival<'_>,
    with: With,
    shared: Shared,
) -> Result<Chosen> {
    let evidence = Evidence::new(rounds.weight(), rounds.reward(), ValueRange::QUALITY)?;
    let mut evidence = evidence.against(rival)?;
    let predictions = rounds.predictions().filter(|_| with == With::Predictions);
    // Each prediction is on the scale of quality; shares may add up to a little more than one.
    let within = |all: &[f64]| -> Vec<f64> { all.iter().map(|it| it.clamp(0.0, 1.0)).collect() };
    let columns = predictions.map(|it| (within(&it.taken), within(&it.expected)));
    if let Some((taken, expected)) = &columns {
        let predicted = Predicted { taken, expected, expected_by_rival: &[] };
        evidence = evidence.with_predictions(predicted)?;
    }
    let evidence = evidence.with_unsupported_share(beyond_rounding(unsupported_share))?;
    Ok(default_interval(&evidence, shared.level, shared.n_candidates)?)
}

/// The default interval of what two ways to choose differ by in quality on the same rows, doubly
/// robust with predictions that the log itself taught, if there are any.
pub(super) fn of_move(
    (to, from): (&LoggedRounds, &LoggedRounds),
    unsupported_share: Option<f64>,
    predicted: Option<Predicted<'_>>,
    shared: Shared,
) -> Result<Chosen> {
    let evidence = Evidence::new(to.weight(), to.reward(), ValueRange::QUALITY)?;
    let mut evidence = evidence.against(Rival::Policy(from.weight()))?;
    if let Some(predicted) = predicted {
        evidence = evidence.with_cross_fitted_predictions(predicted)?;
    }
    let evidence = evidence.with_unsupported_share(beyond_rounding(unsupported_share))?;
    Ok(default_interval(&evidence, shared.level, shared.n_candidates)?)
}

/// A share of models that could not be drawn, without what is rounding.
pub(super) fn beyond_rounding(unsupported_share: Option<f64>) -> f64 {
    unsupported_share.filter(|share| ROUNDING < *share).unwrap_or(0.0)
}

/// The default interval of the mean of differences in quality that are all known.
pub(super) fn of_known(differences: &[f64], shared: Shared) -> Result<Chosen> {
    let ones = vec![1.0; differences.len()];
    let evidence = Evidence::new(&ones, differences, ValueRange::new(-1.0, 1.0)?)?;
    Ok(default_interval(&evidence, shared.level, shared.n_candidates)?)
}

/// Which interval it is, and why it is not a narrower one.
pub(super) fn described(chosen: &Chosen) -> String {
    let interval = &chosen.interval;
    let mut text = format!("{}, {}", interval.method.name(), interval.kind.name());
    let reasons: Vec<String> = chosen.reasons.iter().map(ToString::to_string).collect();
    if !reasons.is_empty() {
        text.push_str(&format!(": {}", reasons.join("; ")));
    }
    text
}
