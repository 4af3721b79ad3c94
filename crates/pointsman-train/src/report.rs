//! What the policy was worth on rows that its fits had not seen: a sweep of the weight on cost,
//! and the operating points on it.
//!
//! An operating point that is chosen and valued on the same rows looks better than it is. So each
//! point's value is cross-fitted: for every fold the point is chosen on the other folds and valued
//! on this one. (How the strengths share the weights was still chosen on all of them; an
//! evaluation on other data is free of that too.)

use crate::{
    demands::Demands,
    select::{HeldOut, Yardstick, best},
    shares,
    train::TrainError,
    worth::{Setting, Sums, Worth, of_single, worth},
};
use pointsman_core::{
    objective::{Band, OperatingPoint},
    units::{Probability, len_as_float},
};
use rayon::prelude::*;

/// Two-sided 95 % in standard errors of a normal distribution.
pub(crate) const NORMAL_95: f64 = 1.959_963_984_540_054;

/// How many quality points below the best single model a point may be, with 95 % confidence.
const BALANCED_LOSS: f64 = 0.01;
const ECONOMY_LOSS: f64 = 0.05;

/// Weights on cost in the sweep, over the dearest model's mean cost: `10^-2` to `10^2`.
const SWEEP_POINTS: usize = 81;

/// Mean quality and cost of the policy at one weight on cost, each with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SweepValue {
    /// Quality points per dollar.
    pub per_dollar: f64,
    /// Mean quality per request.
    pub quality: (f64, f64),
    /// Mean dollars per request.
    pub cost_usd: (f64, f64),
    /// Quality less that of the best single model on the same rows.
    pub gain: (f64, f64),
}

/// An operating point with what it was worth where it was not chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct PointValue {
    /// The point, as artifacts store it.
    pub point: OperatingPoint,
    /// Quality less that of the best single model on the same rows, and its standard error.
    pub gain: (f64, f64),
    /// The mix of two single models that costs the same, where it is a better comparison than the
    /// best single model.
    pub mix: Option<MixValue>,
}

/// Two single models, drawn without looking at the request, at a policy's mean cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixValue {
    /// The cheaper model and the dearer one.
    pub models: [usize; 2],
    /// The policy's quality less the mix's on the same rows, and its standard error.
    pub gain: (f64, f64),
}

/// The policy on held-out rows.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOutReport {
    /// From the best quality to the lowest cost; one entry where costs are not known.
    pub sweep: Vec<SweepValue>,
    /// The model with the best mean quality.
    pub best_single: usize,
    /// Its mean quality on the held-out rows; of a log, each row that it answered weighs one over
    /// the propensity.
    pub best_single_quality: f64,
    /// Its mean dollars per request, the same.
    pub best_single_cost: f64,
    /// `balanced`, `quality` and `economy`, or `quality` alone where costs are not known; then
    /// those that were asked for.
    pub operating_points: Vec<PointValue>,
}

/// Which sweep value an operating point takes.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// Cost is ignored.
    Quality,
    /// The cheapest that, with 95 % confidence, loses at most this much against the best single
    /// model; where none does, as [`Rule::Quality`].
    AtMostLoses(f64),
    /// The least weight on cost at which the policy costs this share of the best single model.
    CostShare(f64),
    /// That share of the requests goes to one model; the others are divided as `balanced` would.
    StrongShare(f64, usize),
}

/// Sums of one weight on cost in one fold.
#[derive(Debug, Clone, Copy, Default)]
struct FoldSums {
    quality: Sums,
    cost: Sums,
    gain: Sums,
}

/// Predictions on held-out rows, each of shape `(n_rows, n_models)`, and the fold of each row.
pub(crate) struct Predicted<'f> {
    pub(crate) n_models: usize,
    pub(crate) quality: Vec<f64>,
    pub(crate) cost: Vec<f64>,
    pub(crate) folds: &'f [usize],
}

/// Held-out predictions with what the sweep makes of them.
struct Swept<'s> {
    yardstick: &'s Yardstick<'s>,
    predicted: Predicted<'s>,
    best_single: usize,
    weights: Vec<f64>,
    /// Per weight and fold.
    sums: Vec<Vec<FoldSums>>,
}

impl<'f> Predicted<'f> {
    fn of(policy: &HeldOut<'_>, n_models: usize, folds: &'f [usize]) -> Self {
        let fill = |row: &(dyn Fn(usize, &mut [f64]) + Sync)| {
            let mut all = vec![0.0; folds.len() * n_models];
            all.par_chunks_exact_mut(n_models).enumerate().for_each(|(index, out)| row(index, out));
            all
        };
        Self { n_models, quality: fill(policy.quality), cost: fill(policy.cost), folds }
    }

    /// Predicted quality and cost of every model on one row.
    pub(crate) fn row(&self, index: usize) -> (&[f64], &[f64]) {
        let span = index * self.n_models..(index + 1) * self.n_models;
        (&self.quality[span.clone()], &self.cost[span])
    }

    /// The model that each row takes at one setting.
    pub(crate) fn choices(&self, setting: &Setting) -> Vec<usize> {
        let choose = |index: usize| {
            let (quality, cost) = self.row(index);
            setting.choose(quality, cost)
        };
        (0..self.folds.len()).into_par_iter().map(choose).collect()
    }
}

/// Values the mixed policy; `folds` names the fold of each row, from zero.
///
/// # Errors
/// [`TrainError`] for a demand that is out of reach.
pub(crate) fn held_out(
    yardstick: &Yardstick<'_>,
    policy: &HeldOut<'_>,
    folds: &[usize],
    demands: &Demands,
) -> Result<HeldOutReport, TrainError> {
    let best_single = best(&yardstick.mean_quality, &yardstick.mean_cost, 0.0);
    let weights = weights(yardstick);
    let predicted = Predicted::of(policy, yardstick.n_models(), folds);
    let n_folds = folds.iter().max().map_or(0, |last| last + 1);
    let sums: Vec<Vec<FoldSums>> = weights
        .iter()
        .map(|&weight| sums_at(yardstick, &predicted, (weight, best_single), n_folds))
        .collect();
    let swept = Swept { yardstick, predicted, best_single, weights, sums };
    let strong = demands.strong_model.unwrap_or(best_single);
    let mut rules = vec![("quality".to_owned(), Rule::Quality)];
    if swept.has_cost() {
        rules.insert(0, ("balanced".to_owned(), Rule::AtMostLoses(BALANCED_LOSS)));
        rules.push(("economy".to_owned(), Rule::AtMostLoses(ECONOMY_LOSS)));
    }
    if let Some(share) = demands.target_cost_share {
        if !swept.has_cost() {
            return Err(TrainError::NoCosts { asked: share });
        }
        rules.push((format!("target-cost-share-{share}"), Rule::CostShare(share)));
    }
    if let Some(share) = demands.strong_share {
        rules.push((format!("strong-share-{share}"), Rule::StrongShare(share, strong)));
    }
    let operating_points = rules
        .into_iter()
        .map(|(name, rule)| swept.point(name, rule, strong))
        .collect::<Result<_, _>>()?;
    let (best_single_quality, best_single_cost) = of_single(yardstick, best_single);
    Ok(HeldOutReport {
        sweep: swept.values(|_| true),
        best_single,
        best_single_quality,
        best_single_cost,
        operating_points,
    })
}

fn weights(yardstick: &Yardstick<'_>) -> Vec<f64> {
    let dearest = yardstick.mean_cost.iter().copied().fold(0.0, f64::max);
    let mut weights = vec![0.0];
    if 0.0 < dearest {
        for point in 0..SWEEP_POINTS {
            let share = len_as_float(point) / len_as_float(SWEEP_POINTS - 1);
            weights.push(libm::exp10(-2.0 + 4.0 * share) / dearest);
        }
    }
    weights
}

fn sums_at(
    yardstick: &Yardstick<'_>,
    predicted: &Predicted<'_>,
    (weight, best_single): (f64, usize),
    n_folds: usize,
) -> Vec<FoldSums> {
    let choices = predicted.choices(&Setting { per_dollar: weight, favour: None });
    let mut sums = vec![FoldSums::default(); n_folds];
    for (index, (chosen, fold)) in choices.into_iter().zip(predicted.folds).enumerate() {
        let (quality, cost) = yardstick.outcome(index, chosen);
        let fold = &mut sums[*fold];
        fold.quality.push(quality);
        fold.cost.push(cost);
        fold.gain.push(quality - yardstick.outcome(index, best_single).0);
    }
    sums
}

impl Swept<'_> {
    fn has_cost(&self) -> bool {
        1 < self.weights.len()
    }

    /// The sweep on some of the folds.
    fn values(&self, is_used: impl Fn(usize) -> bool) -> Vec<SweepValue> {
        let of_folds = |sums: &Vec<FoldSums>| {
            merged((0_usize..).zip(sums).filter(|(fold, _)| is_used(*fold)).map(|(_, sums)| sums))
        };
        let all = self.weights.iter().zip(&self.sums);
        all.map(|(weight, sums)| of_folds(sums).value(*weight)).collect()
    }

    fn point(&self, name: String, rule: Rule, strong: usize) -> Result<PointValue, TrainError> {
        let (chosen, reach) = self.setting(rule, |_| true);
        reach?;
        let n_folds = self.sums.first().map_or(0, Vec::len);
        let mut choices = vec![0; self.predicted.folds.len()];
        for fold in 0..n_folds {
            // What is within reach on all folds may not be quite on some; the nearest then counts.
            let (setting, _) = self.setting(rule, |other| other != fold);
            for index in (0..choices.len()).filter(|&index| self.predicted.folds[index] == fold) {
                let (quality, cost) = self.predicted.row(index);
                choices[index] = setting.choose(quality, cost);
            }
        }
        let worth = worth(self.yardstick, &choices, (self.best_single, strong));
        Ok(point_value(name, &chosen, &worth))
    }

    /// What a rule takes on some of the folds, and whether it is what was asked for.
    fn setting(
        &self,
        rule: Rule,
        is_used: impl Fn(usize) -> bool,
    ) -> (Setting, Result<(), TrainError>) {
        let at = |rule: Rule| {
            let values = self.values(&is_used);
            Setting { per_dollar: values[rule.choose(&values)].per_dollar, favour: None }
        };
        let rows: Vec<usize> = (0..self.predicted.folds.len())
            .filter(|&index| is_used(self.predicted.folds[index]))
            .collect();
        match rule {
            Rule::Quality | Rule::AtMostLoses(_) => (at(rule), Ok(())),
            Rule::CostShare(share) => shares::at_cost_share(
                (self.yardstick, &self.predicted),
                &rows,
                (share, self.best_single),
            ),
            Rule::StrongShare(share, strong) => {
                let base = at(Rule::AtMostLoses(BALANCED_LOSS)).per_dollar;
                shares::at_strong_share(&self.predicted, &rows, (share, strong), base)
            }
        }
    }
}

/// A point as artifacts store it.
pub(crate) fn point_value(name: String, setting: &Setting, worth: &Worth) -> PointValue {
    let point = OperatingPoint {
        name,
        per_dollar: setting.per_dollar,
        favour: setting.favour,
        quality: band(worth.quality),
        cost_usd: band(worth.cost_usd),
        cost_share: worth.cost_share.map(band),
        strong_share: Some(pointsman_core::objective::StrongShare {
            model: worth.strong,
            share: band(worth.strong_share),
        }),
        guarantee: None,
    };
    PointValue { point, gain: worth.gain, mix: worth.mix }
}

impl Rule {
    fn choose(self, sweep: &[SweepValue]) -> usize {
        let Self::AtMostLoses(loss) = self else { return 0 };
        let keeps = |value: &SweepValue| -loss <= value.gain.0 - NORMAL_95 * value.gain.1;
        (0..sweep.len())
            .filter(|&index| keeps(&sweep[index]))
            .min_by(|&a, &b| sweep[a].cost_usd.0.total_cmp(&sweep[b].cost_usd.0))
            .unwrap_or(0)
    }
}

impl FoldSums {
    fn value(&self, per_dollar: f64) -> SweepValue {
        let Self { quality, cost, gain } = self;
        SweepValue { per_dollar, quality: quality.mean(), cost_usd: cost.mean(), gain: gain.mean() }
    }
}

fn merged<'s>(all: impl Iterator<Item = &'s FoldSums>) -> FoldSums {
    let mut sums = FoldSums::default();
    for FoldSums { quality, cost, gain } in all {
        sums.quality.merge(quality);
        sums.cost.merge(cost);
        sums.gain.merge(gain);
    }
    sums
}

fn band((value, error): (f64, f64)) -> Band {
    let Ok(level) = Probability::new(0.95) else { unreachable!("0.95 is a probability") };
    let reach = NORMAL_95 * error;
    Band { value, lower: value - reach, upper: value + reach, level }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(per_dollar: f64, cost: f64, gain: f64) -> SweepValue {
        SweepValue { per_dollar, quality: (0.8, 0.0), cost_usd: (cost, 0.0), gain: (gain, 0.002) }
    }

    #[test]
    fn points_are_the_cheapest_that_keep_their_word() {
        let sweep =
            [at(0.0, 9.0, 0.01), at(1.0, 5.0, -0.002), at(2.0, 3.0, -0.008), at(3.0, 1.0, -0.06)];
        for (rule, expected) in [
            (Rule::Quality, 0),
            (Rule::AtMostLoses(0.01), 1), // the third might lose more than it may
            (Rule::AtMostLoses(0.05), 2),
            (Rule::AtMostLoses(0.001), 0),
            (Rule::AtMostLoses(-0.02), 0), // none keeps it: quality
        ] {
            assert_eq!(rule.choose(&sweep), expected, "{rule:?}");
        }
    }
}
