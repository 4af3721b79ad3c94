//! What anyone could do without a router, and whether the router is worth having.
//!
//! A router has to beat what its money buys without it: the best single model at no more than
//! its cost, and the best mix of two single models at its cost. [`judge`] says so, says the opposite,
//! or says that it cannot tell.

use crate::{
    error::{JudgeError, MatrixError, ValuesError},
    frontier::{Figures, SweepPoint, figures_of_points, hull, single_points},
    full::{MeanValue, paired_difference},
    interval::ConfidenceLevel,
    matrix::{CostQuality, Outcomes, PolicyOutcomes, first_best, ordered_mean},
    moments::float_of,
};

mod mix;

pub use mix::MixRival;

/// Two sums of the same costs may differ by this share.
const SAME_COST: f64 = 1e-9;

/// One model for every prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SingleModel {
    /// The model's column.
    pub model_index: usize,
    /// Its mean quality per prompt.
    pub quality: f64,
    /// Its mean cost per prompt in dollars, where it is known.
    pub cost_usd: Option<f64>,
}

/// A policy that no one would call a router, by its means per prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Means {
    /// Mean quality per prompt.
    pub quality: f64,
    /// Mean cost per prompt in dollars, where it is known.
    pub cost_usd: Option<f64>,
}

/// The policies every router is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Baselines {
    /// Each single model, in column order.
    pub singles: Vec<SingleModel>,
    /// The single model with the best mean quality; the first one on a tie.
    pub best_single: SingleModel,
    /// The single model with the least mean cost; the first one on a tie. `None` without costs.
    pub cheapest: Option<SingleModel>,
    /// A uniform draw among all models.
    pub random: Means,
    /// The best mixtures of single models, from the cheapest to the best; empty without costs.
    pub mix: Vec<CostQuality>,
    /// The best model for each prompt, known beforehand; the cheaper, then the first, on a tie.
    pub oracle: Means,
}

/// A baseline with the benchmark's figures that is not a scorer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// The cheapest single model for every prompt.
    Cheapest,
    /// A uniform draw among all models.
    Random,
    /// The hull of the single models, and nothing else.
    Mix,
}

/// Computes the policies every router is compared with.
pub fn baselines(outcomes: &Outcomes<'_>) -> Baselines {
    let singles = singles(outcomes);
    let mean_over_models = |values: Vec<f64>| ordered_mean(&values);
    let points = outcomes.cost_usd().map(|cost| single_points(outcomes.quality(), cost));
    Baselines {
        best_single: best_of(&singles),
        cheapest: cheapest_of(&singles),
        random: Means {
            quality: mean_over_models(outcomes.quality().column_means()),
            cost_usd: outcomes.cost_usd().map(|cost| mean_over_models(cost.column_means())),
        },
        mix: points.map_or_else(Vec::new, |points| hull(&points)),
        oracle: oracle(outcomes),
        singles,
    }
}

/// The benchmark's figures of a baseline; `None` for one that costs define, without costs.
pub fn figures_of_baseline(baseline: Baseline, outcomes: &Outcomes<'_>) -> Option<Figures> {
    let Baselines { singles, best_single, cheapest, random, mix: _, oracle: _ } =
        baselines(outcomes);
    let as_sweep = |quality: f64, cost_usd: Option<f64>| {
        cost_usd.map(|cost_usd| SweepPoint {
            quality_per_usd: None,
            point: CostQuality { cost_usd, quality },
        })
    };
    let (quality, sweep) = match baseline {
        Baseline::Cheapest => {
            let cheapest = cheapest?;
            (cheapest.quality, vec![as_sweep(cheapest.quality, cheapest.cost_usd)?])
        }
        Baseline::Random => {
            (random.quality, as_sweep(random.quality, random.cost_usd).into_iter().collect())
        }
        Baseline::Mix => {
            outcomes.cost_usd()?;
            let points = singles.iter().filter_map(|it| as_sweep(it.quality, it.cost_usd));
            (best_single.quality, points.collect())
        }
    };
    Some(figures_of_points(quality, sweep, outcomes))
}

/// Whether to route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The policy is better than what its money buys without it.
    Route,
    /// One model does as well or better for no more money.
    UseOneModel {
        /// That model's column.
        model_index: usize,
    },
    /// These prompts do not decide it.
    CannotTell,
}

/// A verdict with the comparison that it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// Whether to route.
    pub verdict: Verdict,
    /// The single model the policy was compared with.
    pub rival: SingleModel,
    /// The policy's quality minus the rival's, prompt by prompt.
    pub difference: MeanValue,
    /// The mix of two models at the policy's cost, where one is a better comparison than `rival`.
    pub mix: Option<MixRival>,
}

/// Compares a policy with the best single model that costs no more than it does.
///
/// The rule:
///
/// 1. The rival is the single model with the best mean quality among those whose mean cost is at
///    most the policy's; the cheaper, then the first, on a tie. Without costs all models are
///    candidates. If every single model costs more, the rival is the cheapest one.
/// 2. `difference` is the mean over prompts of the policy's quality minus the rival's, with its
///    paired normal interval.
/// 3. The whole interval above zero, and that of the difference to the best mix of two models at
///    the policy's cost as well: [`Verdict::Route`]. No part of the first above zero, and the rival
///    costs no more than the policy: [`Verdict::UseOneModel`]. All else: [`Verdict::CannotTell`].
///
/// A policy that always takes the rival has the difference zero, exactly, and needs no router.
/// Mean costs are compared as they are, without an interval. The rival is chosen on the prompts
/// it is judged on, which favours it: the rule errs against routing.
///
/// # Errors
/// [`JudgeError`] for a policy about other prompts, costs on one side only, values that are not
/// finite, or fewer than two prompts.
pub fn judge(
    policy: &PolicyOutcomes,
    outcomes: &Outcomes<'_>,
    level: ConfidenceLevel,
) -> Result<Judgement, JudgeError> {
    let policy_cost = mean_cost(policy, outcomes)?;
    let singles = singles(outcomes);
    let is_affordable = |single: &SingleModel| match (single.cost_usd, policy_cost) {
        (Some(cost), Some(limit)) => cost <= limit + SAME_COST * limit.abs(),
        (None, _) | (_, None) => true,
    };
    let affordable = singles.iter().copied().filter(is_affordable);
    let rival = affordable
        .reduce(|best, it| if is_better(&it, &best) { it } else { best })
        .or_else(|| cheapest_of(&singles))
        .unwrap_or_else(|| best_of(&singles));
    let picks = vec![rival.model_index; outcomes.quality().n_rows()];
    let rival_quality = outcomes.of_picks(&picks)?.quality;
    let difference = paired_difference(&policy.quality, &rival_quality, level)?;
    let mix = mix::mix_at(policy, policy_cost, &singles, (outcomes, level))?;
    let beats_mix = mix.as_ref().is_none_or(|mix| 0.0 < mix.difference.interval.lower);
    let verdict = if 0.0 < difference.interval.lower && beats_mix {
        Verdict::Route
    } else if difference.interval.upper <= 0.0 && is_affordable(&rival) {
        Verdict::UseOneModel { model_index: rival.model_index }
    } else {
        Verdict::CannotTell
    };
    Ok(Judgement { verdict, rival, difference, mix })
}

fn mean_cost(policy: &PolicyOutcomes, outcomes: &Outcomes<'_>) -> Result<Option<f64>, JudgeError> {
    let expected = outcomes.quality().n_rows();
    let lengths = [Some(policy.quality.len()), policy.cost_usd.as_ref().map(Vec::len)];
    if let Some(found) = lengths.into_iter().flatten().find(|&found| found != expected) {
        return Err(MatrixError::Rows { found, expected }.into());
    }
    if policy.cost_usd.is_some() != outcomes.cost_usd().is_some() {
        return Err(MatrixError::CostOnOneSide.into());
    }
    let Some(costs) = &policy.cost_usd else {
        return Ok(None);
    };
    match costs.iter().position(|cost| !cost.is_finite()) {
        Some(row) => Err(ValuesError::NotFinite { row, found: costs[row] }.into()),
        None => Ok(Some(ordered_mean(costs))),
    }
}

fn singles(outcomes: &Outcomes<'_>) -> Vec<SingleModel> {
    let costs = outcomes.cost_usd().map(|cost| cost.column_means());
    let qualities = outcomes.quality().column_means().into_iter().enumerate();
    qualities
        .map(|(model_index, quality)| SingleModel {
            model_index,
            quality,
            cost_usd: costs.as_ref().map(|costs| costs[model_index]),
        })
        .collect()
}

fn best_of(singles: &[SingleModel]) -> SingleModel {
    let qualities: Vec<f64> = singles.iter().map(|single| single.quality).collect();
    singles[first_best(&qualities)]
}

fn cheapest_of(singles: &[SingleModel]) -> Option<SingleModel> {
    let priced = singles.iter().copied().filter(|single| single.cost_usd.is_some());
    priced.reduce(|best, it| if it.cost_usd < best.cost_usd { it } else { best })
}

/// Whether `left` has more quality than `right`, or as much for less money.
fn is_better(left: &SingleModel, right: &SingleModel) -> bool {
    left.quality > right.quality
        || (left.quality >= right.quality && left.cost_usd < right.cost_usd)
}

fn oracle(outcomes: &Outcomes<'_>) -> Means {
    let n_rows = float_of(outcomes.quality().n_rows());
    let Some(cost_usd) = outcomes.cost_usd() else {
        let best = |row: &[f64]| row[first_best(row)];
        let sum: f64 = outcomes.quality().rows().map(best).sum();
        return Means { quality: sum / n_rows, cost_usd: None };
    };
    let (mut quality_sum, mut cost_sum) = (0.0, 0.0);
    for (qualities, costs) in outcomes.quality().rows().zip(cost_usd.rows()) {
        let mut best = first_best(qualities);
        for (index, quality) in qualities.iter().enumerate() {
            if *quality >= qualities[best] && costs[index] < costs[best] {
                best = index;
            }
        }
        quality_sum += qualities[best];
        cost_sum += costs[best];
    }
    Means { quality: quality_sum / n_rows, cost_usd: Some(cost_sum / n_rows) }
}

#[cfg(test)]
mod tests;
