//! What some choices were worth, one model a row: quality, cost, and both against what anyone could
//! have without a router.
//!
//! Intervals take rows as independent, though a conversation's are not quite.

use crate::{
    report::MixValue,
    select::{Yardstick, best},
};
use pointsman_core::objective::Favour;

/// What decides a choice, given predictions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Setting {
    pub(crate) per_dollar: f64,
    pub(crate) favour: Option<Favour>,
}

/// Means, each with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Worth {
    pub(crate) quality: (f64, f64),
    pub(crate) cost_usd: (f64, f64),
    /// Quality less that of the best single model.
    pub(crate) gain: (f64, f64),
    /// Cost as a share of the best single model's; `None` where costs are not known.
    pub(crate) cost_share: Option<(f64, f64)>,
    pub(crate) strong: usize,
    pub(crate) strong_share: (f64, f64),
    pub(crate) mix: Option<MixValue>,
}

/// Sums over rows, mergeable.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sums {
    n: f64,
    total: f64,
    squares: f64,
}

impl Setting {
    /// The model with the highest utility; ties go to the first.
    pub(crate) fn choose(&self, quality: &[f64], cost: &[f64]) -> usize {
        let unfavoured = best(quality, cost, self.per_dollar);
        let Some(Favour { model, quality_points }) = self.favour else { return unfavoured };
        let utility = |model: usize| quality[model] - self.per_dollar * cost[model];
        let (mut other, mut highest) = (model, f64::NEG_INFINITY);
        for rival in (0..quality.len()).filter(|&rival| rival != model) {
            if highest < utility(rival) {
                (other, highest) = (rival, utility(rival));
            }
        }
        let own = utility(model) + quality_points;
        let is_taken = highest < own || (highest == own && model < other);
        if is_taken { model } else { other }
    }
}

/// What the choices were worth against the best single model and the mix at their cost, and how
/// many took the strong one.
pub(crate) fn worth(
    yardstick: &Yardstick<'_>,
    choices: &[usize],
    (best_single, strong): (usize, usize),
) -> Worth {
    let sums_of = |value: &dyn Fn(usize, usize) -> f64| {
        let mut sums = Sums::default();
        for (index, &chosen) in choices.iter().enumerate() {
            sums.push(value(index, chosen));
        }
        sums.mean()
    };
    let quality = |index: usize, model: usize| yardstick.outcome(index, model).0;
    let cost = |index: usize, model: usize| yardstick.outcome(index, model).1;
    let cost_usd = sums_of(&cost);
    // Of the same rows by the same estimate: means of other rows would make one model's choices look
    // as if they cost other than that model.
    let single_costs: Vec<f64> =
        (0..yardstick.n_models()).map(|model| sums_of(&|index, _| cost(index, model)).0).collect();
    let single_cost = single_costs.get(best_single).copied().unwrap_or_default();
    let cost_share = (0.0 < single_cost).then(|| {
        let share = cost_usd.0 / single_cost;
        let residual = |index, chosen| cost(index, chosen) - share * cost(index, best_single);
        (share, sums_of(&residual).1 / single_cost)
    });
    let means = (yardstick.mean_quality.as_slice(), single_costs.as_slice());
    let mix = mix_at(means, cost_usd.0).map(|(models, share_of_dearer)| {
        let mixed = |index| {
            let [cheap, dear] = models.map(|model| quality(index, model));
            cheap + share_of_dearer * (dear - cheap)
        };
        MixValue { models, gain: sums_of(&|index, chosen| quality(index, chosen) - mixed(index)) }
    });
    Worth {
        quality: sums_of(&quality),
        cost_usd,
        gain: sums_of(&|index, chosen| quality(index, chosen) - quality(index, best_single)),
        cost_share,
        strong,
        strong_share: sums_of(&|_, chosen| if chosen == strong { 1.0 } else { 0.0 }),
        mix,
    }
}

/// Mean quality and mean cost of one model on all rows, by the estimate that [`worth`] values choices
/// by: means that a prior holds back would make a policy's share of its cost another's.
pub(crate) fn of_single(yardstick: &Yardstick<'_>, model: usize) -> (f64, f64) {
    let (mut quality, mut cost) = (Sums::default(), Sums::default());
    for index in 0..yardstick.rows.len() {
        let (quality_of_row, cost_of_row) = yardstick.outcome(index, model);
        quality.push(quality_of_row);
        cost.push(cost_of_row);
    }
    (quality.mean().0, cost.mean().0)
}

/// The best mix of two single models at a mean cost, and the dearer one's share; `None` where
/// that cost is not between two models of which the dearer is the better.
fn mix_at((quality, costs): (&[f64], &[f64]), cost: f64) -> Option<([usize; 2], f64)> {
    let mut found: Option<([usize; 2], f64, f64)> = None;
    for cheap in 0..costs.len() {
        for dear in 0..costs.len() {
            let is_between = costs[cheap] < cost && cost < costs[dear];
            if !is_between || quality[dear] <= quality[cheap] {
                continue;
            }
            let share = (cost - costs[cheap]) / (costs[dear] - costs[cheap]);
            let mixed = quality[cheap] + share * (quality[dear] - quality[cheap]);
            if found.is_none_or(|(_, _, most)| most < mixed) {
                found = Some(([cheap, dear], share, mixed));
            }
        }
    }
    found.map(|(models, share, _)| (models, share))
}

impl Sums {
    pub(crate) fn push(&mut self, value: f64) {
        self.n += 1.0;
        self.total += value;
        self.squares += value * value;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.total += other.total;
        self.squares += other.squares;
    }

    /// The mean and its standard error.
    pub(crate) fn mean(&self) -> (f64, f64) {
        let n = self.n.max(1.0);
        let mean = self.total / n;
        (mean, ((self.squares / n - mean * mean).max(0.0) / n).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcomes::{LoggedOutcome, Outcomes};
    use pointsman_core::units::Propensity;

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

    #[test]
    fn a_favour_moves_one_model_and_ties_go_to_the_first() {
        let favour = |model, quality_points| Some(Favour { model, quality_points });
        for (favour, expected) in [
            (None, 1),
            (favour(0, 0.3), 0),
            (favour(0, 0.2), 0), // a tie
            (favour(0, 0.1), 1),
            (favour(2, 0.3), 1), // a tie, and the second comes first
            (favour(1, -0.5), 0),
        ] {
            let setting = Setting { per_dollar: 0.0, favour };
            assert_eq!(setting.choose(&[0.5, 0.7, 0.4], &[0.0; 3]), expected, "{favour:?}");
        }
    }

    /// Worked by hand: choices of cost 2 lie halfway between models of cost 1 and 3.
    #[test]
    fn choices_are_held_against_the_mix_at_their_cost() {
        let quality = vec![0.0, 1.0, 0.5, 0.5, 0.0, 1.0, 0.5, 0.5];
        let cost = [1.0, 3.0].repeat(4);
        let outcomes = Outcomes::full(2, quality, Some(cost), None).unwrap();
        let means = (vec![0.25, 0.75], vec![1.0, 3.0]);
        let yardstick = Yardstick::new(&outcomes, &[0, 1, 2, 3], means);
        let found = worth(&yardstick, &[1, 0, 1, 0], (1, 1));
        assert_eq!((found.quality.0, found.cost_usd.0, found.gain), (0.75, 2.0, (0.0, 0.0)));
        assert!((found.cost_share.unwrap().0 - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(found.strong_share.0, 0.5);
        let mix = found.mix.unwrap();
        assert_eq!((mix.models, mix.gain.0), ([0, 1], 0.25));
    }

    /// Worked by hand: rows weigh two and four, whatever the models' means are said to be.
    #[test]
    fn a_single_model_of_a_log_is_worth_what_its_rows_say() {
        let row = |(taken, propensity, quality, cost): (u16, f64, f32, f64)| LoggedOutcome {
            taken,
            propensity: Propensity::new(propensity).unwrap(),
            quality,
            cost_usd: Some(cost),
            output_tokens: None,
        };
        let rows = [(0, 0.5, 1.0, 1.0), (0, 0.25, 0.0, 4.0), (1, 0.5, 0.5, 2.0)].map(row);
        let outcomes = Outcomes::logged(2, &rows).unwrap();
        for means in [(vec![0.6, 0.5], vec![2.0, 2.2]), (vec![0.3, 0.5], vec![9.0, 2.0])] {
            let yardstick = Yardstick::new(&outcomes, &[0, 1, 2], means);
            let (quality, cost) = of_single(&yardstick, 0);
            assert!((quality - 1.0 / 3.0).abs() < 1e-9, "{quality}");
            assert!((cost - 3.0).abs() < 1e-9, "{cost}");
        }
    }

    /// Levels of cost are drawn towards the mean of all models, and so are not what the rows say.
    #[test]
    fn choices_of_one_model_in_a_log_are_no_mix() {
        let row = |(taken, cost): (u16, f64)| LoggedOutcome {
            taken,
            propensity: Propensity::new(0.5).unwrap(),
            quality: if taken == 0 { 0.25 } else { 0.75 },
            cost_usd: Some(cost),
            output_tokens: None,
        };
        let rows = [(0, 1.0), (1, 3.0), (0, 1.0), (1, 3.0)].map(row);
        let outcomes = Outcomes::logged(2, &rows).unwrap();
        let means = (vec![0.25, 0.75], vec![1.1, 3.3]);
        let yardstick = Yardstick::new(&outcomes, &[0, 1, 2, 3], means);
        let found = worth(&yardstick, &[1; 4], (1, 1));
        assert_eq!((found.cost_share.map(|(share, _)| share), found.gain.0), (Some(1.0), 0.0));
        assert_eq!(found.mix, None);
    }
}
