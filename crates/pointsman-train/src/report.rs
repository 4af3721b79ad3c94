//! What the policy was worth on rows that its fits had not seen: a sweep of the weight on cost,
//! and the operating points on it.
//!
//! An operating point that is chosen and valued on the same rows looks better than it is. So each
//! point's value is cross-fitted: for every fold the point is chosen on the other folds and valued
//! on this one. (How the strengths share the weights was still chosen on all of them; an
//! evaluation on other data is free of that too.)

use crate::select::{HeldOut, Yardstick, best};
use pointsman_core::{
    objective::{Band, OperatingPoint},
    units::{Probability, len_as_float},
};
use rayon::prelude::*;

/// Two-sided 95 % in standard errors of a normal distribution.
const NORMAL_95: f64 = 1.959_963_984_540_054;

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
}

/// The policy on held-out rows.
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
    /// `balanced`, `quality` and `economy`; `quality` alone where costs are not known.
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
}

/// Sums over rows, mergeable.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n: f64,
    total: f64,
    squares: f64,
}

/// Sums of one weight on cost in one fold.
#[derive(Debug, Clone, Copy, Default)]
struct FoldSums {
    quality: Sums,
    cost: Sums,
    gain: Sums,
}

/// Values the mixed policy; `folds` names the fold of each row, from zero.
pub(crate) fn held_out(
    yardstick: &Yardstick<'_>,
    policy: &HeldOut<'_>,
    folds: &[usize],
) -> HeldOutReport {
    let best_single = best(&yardstick.mean_quality, &yardstick.mean_cost, 0.0);
    let weights = weights(yardstick);
    let n_folds = folds.iter().max().map_or(0, |last| last + 1);
    let sums: Vec<Vec<FoldSums>> = weights
        .iter()
        .map(|&weight| sums_at(yardstick, policy, (weight, best_single), (folds, n_folds)))
        .collect();
    let value = |(per_dollar, sums): (&f64, &Vec<FoldSums>)| merged(sums.iter()).value(*per_dollar);
    let sweep: Vec<SweepValue> = weights.iter().zip(&sums).map(value).collect();
    let mut rules = vec![("quality", Rule::Quality)];
    if 1 < sweep.len() {
        rules.insert(0, ("balanced", Rule::AtMostLoses(BALANCED_LOSS)));
        rules.push(("economy", Rule::AtMostLoses(ECONOMY_LOSS)));
    }
    let operating_points = rules
        .into_iter()
        .map(|(name, rule)| point(name, rule, &sweep, (&weights, &sums)))
        .collect();
    HeldOutReport {
        sweep,
        best_single,
        best_single_quality: yardstick.mean_quality[best_single],
        best_single_cost: yardstick.mean_cost[best_single],
        operating_points,
    }
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
    policy: &HeldOut<'_>,
    (weight, best_single): (f64, usize),
    (folds, n_folds): (&[usize], usize),
) -> Vec<FoldSums> {
    let n_models = yardstick.n_models();
    let choices: Vec<usize> = (0..yardstick.rows.len())
        .into_par_iter()
        .map_init(
            || (vec![0.0; n_models], vec![0.0; n_models]),
            |(quality, cost), index| {
                (policy.quality)(index, quality);
                (policy.cost)(index, cost);
                best(quality, cost, weight)
            },
        )
        .collect();
    let mut sums = vec![FoldSums::default(); n_folds];
    for (index, (chosen, fold)) in choices.into_iter().zip(folds).enumerate() {
        let (quality, cost) = yardstick.outcome(index, chosen);
        let fold = &mut sums[*fold];
        fold.quality.push(quality);
        fold.cost.push(cost);
        fold.gain.push(quality - yardstick.outcome(index, best_single).0);
    }
    sums
}

fn point(
    name: &str,
    rule: Rule,
    sweep: &[SweepValue],
    (weights, sums): (&[f64], &[Vec<FoldSums>]),
) -> PointValue {
    let n_folds = sums.first().map_or(0, Vec::len);
    let mut cross_fitted = FoldSums::default();
    for fold in 0..n_folds {
        let others = |sums: &Vec<FoldSums>| {
            merged(sums.iter().enumerate().filter(|(other, _)| *other != fold).map(|(_, s)| s))
        };
        let values: Vec<SweepValue> =
            weights.iter().zip(sums).map(|(weight, sums)| others(sums).value(*weight)).collect();
        cross_fitted = merged([&cross_fitted, &sums[rule.choose(&values)][fold]].into_iter());
    }
    let chosen = sweep[rule.choose(sweep)].per_dollar;
    let value = cross_fitted.value(chosen);
    let point = OperatingPoint {
        name: name.to_owned(),
        per_dollar: chosen,
        quality: band(value.quality),
        cost_usd: band(value.cost_usd),
    };
    PointValue { point, gain: value.gain }
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

impl Sums {
    fn push(&mut self, value: f64) {
        self.n += 1.0;
        self.total += value;
        self.squares += value * value;
    }

    fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.total += other.total;
        self.squares += other.squares;
    }

    /// The mean and its standard error.
    fn mean(&self) -> (f64, f64) {
        let n = self.n.max(1.0);
        let mean = self.total / n;
        (mean, ((self.squares / n - mean * mean).max(0.0) / n).sqrt())
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

    #[test]
    fn merged_sums_have_the_mean_of_all() {
        let (mut left, mut right) = (Sums::default(), Sums::default());
        for (sums, values) in [(&mut left, [1.0, 2.0]), (&mut right, [3.0, 6.0])] {
            for value in values {
                sums.push(value);
            }
        }
        left.merge(&right);
        let (mean, error) = left.mean();
        assert!((mean - 3.0).abs() < 1e-12);
        assert!((error - (3.5_f64 / 4.0).sqrt()).abs() < 1e-12);
    }
}
