//! What the policy was worth on rows that its fits had not seen: a sweep of the weight on cost,
//! and the operating points on it.

use crate::select::{HeldOut, Yardstick, best, mean_and_error};
use pointsman_core::{
    objective::{Band, OperatingPoint},
    units::{Probability, len_as_float},
};
use rayon::prelude::*;

/// Two-sided 95 % in standard errors of a normal distribution.
const NORMAL_95: f64 = 1.959_963_984_540_054;

/// How much of the best single model's quality the economy point keeps.
const ECONOMY_SHARE: f64 = 0.97;

/// Weights on cost in the sweep, over the dearest model's mean cost: `10^-2` to `10^2`.
const SWEEP_POINTS: usize = 81;

/// Mean quality and cost of the policy at one weight on cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SweepValue {
    /// Quality points per dollar.
    pub per_dollar: f64,
    /// Mean quality per request, and its standard error.
    pub quality: (f64, f64),
    /// Mean dollars per request, and its standard error.
    pub cost_usd: (f64, f64),
}

/// The policy on held-out rows. Its choices were averaged over strengths by these same rows, so it
/// is a little optimistic; an evaluation on other data is not.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOutReport {
    /// From the best quality to the lowest cost; one entry where costs are not known.
    pub sweep: Vec<SweepValue>,
    /// The model with the best mean quality.
    pub best_single: usize,
    /// Its mean quality.
    pub best_single_quality: f64,
    /// Its mean dollars per request.
    pub best_single_cost: f64,
    /// Quality of the policy that ignores cost, less the best single model's, and its standard
    /// error.
    pub gain: (f64, f64),
    /// `balanced`, `quality` and `economy`; `quality` alone where costs are not known.
    pub operating_points: Vec<OperatingPoint>,
}

/// Values the mixed policy.
pub(crate) fn held_out(yardstick: &Yardstick<'_>, policy: &HeldOut<'_>) -> HeldOutReport {
    let best_single = best(&yardstick.mean_quality, &yardstick.mean_cost, 0.0);
    let dearest = yardstick.mean_cost.iter().copied().fold(0.0, f64::max);
    let mut weights = vec![0.0];
    if 0.0 < dearest {
        for point in 0..SWEEP_POINTS {
            let share = len_as_float(point) / len_as_float(SWEEP_POINTS - 1);
            weights.push(libm::exp10(-2.0 + 4.0 * share) / dearest);
        }
    }
    let sweep: Vec<SweepValue> = weights.iter().map(|&w| value_at(yardstick, policy, w)).collect();
    let gains: Vec<f64> = choices(yardstick, policy, 0.0)
        .iter()
        .enumerate()
        .map(|(index, &chosen)| {
            yardstick.outcome(index, chosen).0 - yardstick.outcome(index, best_single).0
        })
        .collect();
    let best_single_quality = yardstick.mean_quality[best_single];
    let operating_points = operating_points(&sweep, best_single_quality);
    HeldOutReport {
        sweep,
        best_single,
        best_single_quality,
        best_single_cost: yardstick.mean_cost[best_single],
        gain: mean_and_error(&gains),
        operating_points,
    }
}

fn choices(yardstick: &Yardstick<'_>, policy: &HeldOut<'_>, weight: f64) -> Vec<usize> {
    let n_models = yardstick.n_models();
    (0..yardstick.rows.len())
        .into_par_iter()
        .map(|index| {
            let (mut quality, mut cost) = (vec![0.0; n_models], vec![0.0; n_models]);
            (policy.quality)(index, &mut quality);
            (policy.cost)(index, &mut cost);
            best(&quality, &cost, weight)
        })
        .collect()
}

fn value_at(yardstick: &Yardstick<'_>, policy: &HeldOut<'_>, per_dollar: f64) -> SweepValue {
    let outcomes: Vec<(f64, f64)> = choices(yardstick, policy, per_dollar)
        .iter()
        .enumerate()
        .map(|(index, &chosen)| yardstick.outcome(index, chosen))
        .collect();
    let quality: Vec<f64> = outcomes.iter().map(|(quality, _)| *quality).collect();
    let cost: Vec<f64> = outcomes.iter().map(|(_, cost)| *cost).collect();
    SweepValue { per_dollar, quality: mean_and_error(&quality), cost_usd: mean_and_error(&cost) }
}

/// `balanced` is the cheapest point that matches the best single model, `economy` the cheapest
/// that keeps [`ECONOMY_SHARE`] of it, `quality` ignores cost.
fn operating_points(sweep: &[SweepValue], best_single_quality: f64) -> Vec<OperatingPoint> {
    let quality = &sweep[0];
    let mut points = vec![("quality", quality)];
    if 1 < sweep.len() {
        let cheapest = |least: f64| {
            sweep
                .iter()
                .filter(|value| least <= value.quality.0)
                .min_by(|a, b| a.cost_usd.0.total_cmp(&b.cost_usd.0))
                .unwrap_or(quality)
        };
        points.insert(0, ("balanced", cheapest(best_single_quality)));
        points.push(("economy", cheapest(ECONOMY_SHARE * best_single_quality)));
    }
    let point = |(name, value): (&str, &SweepValue)| OperatingPoint {
        name: name.to_owned(),
        per_dollar: value.per_dollar,
        quality: band(value.quality),
        cost_usd: band(value.cost_usd),
    };
    points.into_iter().map(point).collect()
}

fn band((value, error): (f64, f64)) -> Band {
    let Ok(level) = Probability::new(0.95) else { unreachable!("0.95 is a probability") };
    let reach = NORMAL_95 * error;
    Band { value, lower: value - reach, upper: value + reach, level }
}
