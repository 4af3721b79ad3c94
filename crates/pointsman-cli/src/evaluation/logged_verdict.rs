//! The verdict from a log: a policy has to beat what was logged, and then the best single model
//! that costs no more than it does.

use super::{
    Settings,
    logged_interval::{self, With},
};
use crate::{
    report::{Verdict, VerdictKind},
    wording,
};
use anyhow::Result;
use pointsman_eval::{
    bounds::Rival,
    choice::Chosen,
    diagnostics::{Diagnostics, FAR_MEAN_WEIGHT_Z},
    estimators::Estimator,
    rounds::LoggedRounds,
};

/// One model for every request, as the log estimates it.
pub(super) struct SingleOnLog {
    pub(super) model: String,
    /// By SNIPS.
    pub(super) quality: f64,
    /// Mean dollars per request, where every row has a cost.
    pub(super) cost_usd: Option<f64>,
    /// Its importance weight of every row.
    pub(super) weight: Vec<f64>,
    /// The share of requests for which the log could not have drawn it.
    pub(super) unsupported_share: Option<f64>,
}

/// The first policy, as the log estimates it.
pub(super) struct PolicyOnLog<'a> {
    pub(super) name: &'a str,
    pub(super) rounds: &'a LoggedRounds,
    pub(super) found: &'a Diagnostics,
    /// Mean dollars per request by the estimator that the verdict rests on.
    pub(super) cost_usd: Option<f64>,
    /// The same by weights alone, as the costs of single models are.
    pub(super) weighted_cost_usd: Option<f64>,
    pub(super) logged_cost_usd: Option<f64>,
}

/// The verdict in words. What the log cannot support is never a verdict to route.
pub(super) fn verdict(
    policy: &PolicyOnLog<'_>,
    singles: &[SingleOnLog],
    settings: &Settings,
) -> Result<Verdict> {
    let PolicyOnLog { name, rounds, found, .. } = policy;
    let cannot_tell = |sentence: String| Ok(Verdict { kind: VerdictKind::CannotTell, sentence });
    if let Some(share) = found.unsupported_mass_share.filter(|share| 1e-9 < *share) {
        return cannot_tell(format!(
            "Cannot tell: {:.1} % of what `{name}` would choose are models that the log could not have drawn.",
            100.0 * share
        ));
    }
    let estimator = match rounds.predictions() {
        Some(_) => Estimator::Dr { clip: None },
        None => Estimator::Snips,
    };
    if rounds.weight().iter().all(|&weight| weight == 0.0) {
        return cannot_tell(format!("Cannot tell: the log never drew what `{name}` would choose."));
    }
    let against = |rival: Rival<'_>, missing: Option<f64>, with: With| {
        logged_interval::of_quality(rounds, missing, rival, with, settings.shared())
    };
    let missing = found.unsupported_mass_share;
    let against_log = against(Rival::Logged, missing, With::Predictions)?;
    let numbers = format!(
        "quality {} against what was logged ({estimator}){}",
        interval(&against_log),
        costs(policy)
    );
    let far = |z_score: f64| FAR_MEAN_WEIGHT_Z < z_score.abs();
    if let Some(weight) = found.mean_weight.filter(|weight| far(weight.z_score)) {
        return cannot_tell(format!(
            "Cannot tell: {numbers}, but the mean weight is {:.3} where right propensities give 1.",
            weight.mean
        ));
    }
    if against_log.interval.upper < 0.0 {
        return cannot_tell(format!("Keep what you have: `{name}` is worse, {numbers}."));
    }
    if against_log.interval.lower <= 0.0 {
        return cannot_tell(format!("Cannot tell yet: {numbers}."));
    }
    let Some(rival) = rival(policy, singles) else {
        return Ok(Verdict {
            kind: VerdictKind::Route,
            sentence: format!("Route with `{name}`: {numbers}."),
        });
    };
    let against_rival =
        against(Rival::Policy(&rival.weight), rival.unsupported_share, With::WeightsAlone)?;
    let both = format!(
        "{numbers}; {} against always `{}`, the best single model for no more money (SNIPS)",
        interval(&against_rival),
        rival.model
    );
    let (kind, sentence) = if 0.0 < against_rival.interval.lower {
        (VerdictKind::Route, format!("Route with `{name}`: {both}."))
    } else if against_rival.interval.upper <= 0.0 {
        let sentence = format!("Use one model, `{}`: routing gives {both}.", rival.model);
        (VerdictKind::UseOneModel, sentence)
    } else {
        let sentence =
            format!("Cannot tell whether routing beats one model: `{name}` gives {both}.");
        (VerdictKind::CannotTell, sentence)
    };
    Ok(Verdict { kind, sentence })
}

/// The best single model that costs no more than the policy.
fn rival<'s>(policy: &PolicyOnLog<'_>, singles: &'s [SingleOnLog]) -> Option<&'s SingleOnLog> {
    let is_affordable = |single: &&SingleOnLog| match (single.cost_usd, policy.weighted_cost_usd) {
        (Some(cost), Some(limit)) => cost <= limit * (1.0 + 1e-9),
        (Some(_) | None, Some(_) | None) => true,
    };
    singles.iter().filter(is_affordable).max_by(|a, b| a.quality.total_cmp(&b.quality))
}

fn costs(policy: &PolicyOnLog<'_>) -> String {
    match (policy.cost_usd, policy.logged_cost_usd) {
        (Some(policy), Some(logged)) => format!(
            ", for {} instead of {} per 1,000 requests",
            wording::per_thousand(policy),
            wording::per_thousand(logged)
        ),
        (Some(_) | None, Some(_) | None) => String::new(),
    }
}

fn interval(difference: &Chosen) -> String {
    let (lower, upper) = (difference.interval.lower, difference.interval.upper);
    let value = difference.value.map_or_else(|| "unknown".to_owned(), |it| format!("{it:+.4}"));
    format!("{value} [{lower:+.4}, {upper:+.4}]")
}
