//! The mix of two single models that costs what a policy costs.

use super::{SingleModel, is_better};
use crate::{
    error::JudgeError,
    full::{MeanValue, paired_difference},
    interval::ConfidenceLevel,
    matrix::{CostQuality, Outcomes, PolicyOutcomes},
};

/// Two single models, drawn without looking at the prompt, at the policy's mean cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixRival {
    /// The cheaper model's column and the dearer one's.
    pub models: [usize; 2],
    /// How often the dearer one is drawn.
    pub share_of_dearer: f64,
    /// The mix's mean cost, the policy's, and its mean quality.
    pub point: CostQuality,
    /// The policy's quality minus the mix's, prompt by prompt.
    pub difference: MeanValue,
}

/// The best such mix; `None` where the policy costs no more than the cheapest model of the hull or
/// no less than its best one, so that a single model is the better comparison.
pub(super) fn mix_at(
    policy: &PolicyOutcomes,
    policy_cost: Option<f64>,
    singles: &[SingleModel],
    (outcomes, level): (&Outcomes<'_>, ConfidenceLevel),
) -> Result<Option<MixRival>, JudgeError> {
    let Some(cost) = policy_cost else { return Ok(None) };
    let at_cost = |cheap: &SingleModel, dear: &SingleModel| -> Option<(f64, f64)> {
        let (low, high) = (cheap.cost_usd?, dear.cost_usd?);
        if !(low < cost && cost < high && is_better(dear, cheap)) {
            return None;
        }
        let share = (cost - low) / (high - low);
        Some((share, cheap.quality + share * (dear.quality - cheap.quality)))
    };
    let mut best: Option<(usize, usize, f64, f64)> = None;
    for cheap in singles {
        for dear in singles {
            if let Some((share, quality)) = at_cost(cheap, dear)
                && best.is_none_or(|(_, _, _, most)| most < quality)
            {
                best = Some((cheap.model_index, dear.model_index, share, quality));
            }
        }
    }
    let Some((cheap, dear, share, quality)) = best else { return Ok(None) };
    let mixed: Vec<f64> = outcomes
        .quality()
        .rows()
        .map(|row| row[cheap] + share * (row[dear] - row[cheap]))
        .collect();
    Ok(Some(MixRival {
        models: [cheap, dear],
        share_of_dearer: share,
        point: CostQuality { cost_usd: cost, quality },
        difference: paired_difference(&policy.quality, &mixed, level)?,
    }))
}
