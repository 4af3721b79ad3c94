//! Operating points that are asked for by a share: of the best single model's cost, or of the
//! requests that go to one model.

use crate::{report::Predicted, select::Yardstick, train::TrainError, worth::Setting};
use pointsman_core::{objective::Favour, units::len_as_float};

/// Weights on cost, over the dearest model's mean cost, between which a cost share is looked for.
const LEAST_WEIGHT: f64 = 1e-4;
const MOST_WEIGHT: f64 = 1e6;

/// Halvings of the logarithm of the weight.
const N_HALVINGS: usize = 40;

/// How far from what was asked a share of requests may come to lie.
const TOLERANCE: f64 = 0.05;

/// The least weight on cost (the best quality) at which the policy costs at most `share` of the
/// best single model. Where no weight does, the nearest, and why.
pub(crate) fn at_cost_share(
    (yardstick, predicted): (&Yardstick<'_>, &Predicted<'_>),
    rows: &[usize],
    (share, best_single): (f64, usize),
) -> (Setting, Result<(), TrainError>) {
    let dearest = yardstick.mean_cost.iter().copied().fold(0.0, f64::max);
    let single: f64 = rows.iter().map(|&index| yardstick.outcome(index, best_single).1).sum();
    let at = |per_dollar: f64| Setting { per_dollar, favour: None };
    let share_at = |per_dollar: f64| {
        let choose = |&index: &usize| {
            let (quality, cost) = predicted.row(index);
            yardstick.outcome(index, at(per_dollar).choose(quality, cost)).1
        };
        rows.iter().map(choose).sum::<f64>() / single
    };
    let (highest, lowest) = (share_at(0.0), share_at(MOST_WEIGHT / dearest));
    if share < lowest || highest < share {
        let nearest = if highest < share { 0.0 } else { MOST_WEIGHT / dearest };
        return (at(nearest), Err(TrainError::CostShare { asked: share, lowest, highest }));
    }
    let (mut low, mut high) = (libm::log(LEAST_WEIGHT / dearest), libm::log(MOST_WEIGHT / dearest));
    if share_at(libm::exp(low)) <= share {
        return (at(if highest <= share { 0.0 } else { libm::exp(low) }), Ok(()));
    }
    for _ in 0..N_HALVINGS {
        let middle = f64::midpoint(low, high);
        if share_at(libm::exp(middle)) <= share { high = middle } else { low = middle }
    }
    (at(libm::exp(high)), Ok(()))
}

/// The favour of one model that gives it `share` of the requests, at a weight on cost.
pub(crate) fn at_strong_share(
    predicted: &Predicted<'_>,
    rows: &[usize],
    (share, strong): (f64, usize),
    per_dollar: f64,
) -> (Setting, Result<(), TrainError>) {
    // The favour from which on a row takes the strong model.
    let mut needed: Vec<f64> = rows
        .iter()
        .map(|&index| {
            let (quality, cost) = predicted.row(index);
            let utility = |model: usize| quality[model] - per_dollar * cost[model];
            let others = (0..quality.len()).filter(|&model| model != strong).map(utility);
            others.fold(f64::NEG_INFINITY, f64::max) - utility(strong)
        })
        .collect();
    needed.sort_by(f64::total_cmp);
    let n = needed.len();
    let (asked, total) = (share, len_as_float(n.max(1)));
    // Between two rows that need the same there is no favour; of the gaps on either side, the
    // nearer one.
    let is_gap = |taken: usize| taken == 0 || taken == n || needed[taken - 1] < needed[taken];
    let distance = |taken: usize| (len_as_float(taken) / total - share).abs();
    let nearest = |gaps: &mut dyn Iterator<Item = usize>| {
        gaps.filter(|&taken| is_gap(taken)).min_by(|&a, &b| distance(a).total_cmp(&distance(b)))
    };
    let taken = nearest(&mut (0..=n)).unwrap_or(0);
    let quality_points = match (taken.checked_sub(1).map(|last| needed[last]), needed.get(taken)) {
        (Some(last), Some(next)) => f64::midpoint(last, *next),
        (Some(last), None) => last + 1.0,
        (None, Some(next)) => next - 1.0,
        (None, None) => 0.0,
    };
    let setting = Setting { per_dollar, favour: Some(Favour { model: strong, quality_points }) };
    if distance(taken) <= TOLERANCE {
        return (setting, Ok(()));
    }
    let is_below = |taken: &usize| len_as_float(*taken) / total <= share;
    let below = nearest(&mut (0..=n).filter(|taken| is_below(taken))).unwrap_or(0);
    let above = nearest(&mut (0..=n).filter(|taken| !is_below(taken))).unwrap_or(n);
    let (below, above) = (len_as_float(below) / total, len_as_float(above) / total);
    (setting, Err(TrainError::StrongShare { asked, below, above }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcomes::Outcomes;

    /// Ten rows; the first model leads by one tenth more from row to row, and costs four times as
    /// much as the second.
    fn predicted(folds: &[usize]) -> Predicted<'_> {
        let quality = (0..10).flat_map(|row| [0.5 + f64::from(row) / 20.0, 0.6]).collect();
        Predicted { n_models: 2, quality, cost: [4.0, 1.0].repeat(10), folds }
    }

    #[test]
    fn a_strong_share_is_reached_by_favour() {
        let (folds, rows): (Vec<usize>, Vec<usize>) = (vec![0; 10], (0..10).collect());
        let predicted = predicted(&folds);
        for (share, expected) in [(0.0, 0), (0.3, 3), (0.5, 5), (0.77, 8), (1.0, 10)] {
            let (setting, reach) = at_strong_share(&predicted, &rows, (share, 0), 0.01);
            let taken = predicted.choices(&setting).iter().filter(|&&model| model == 0).count();
            assert_eq!((taken, reach), (expected, Ok(())), "{share}");
        }
    }

    #[test]
    fn a_share_that_ties_cannot_give_is_refused() {
        let (folds, rows): (Vec<usize>, Vec<usize>) = (vec![0; 10], (0..10).collect());
        let mut predicted = predicted(&folds);
        predicted.quality = [0.5, 0.6].repeat(10);
        let (_, reach) = at_strong_share(&predicted, &rows, (0.5, 0), 0.0);
        assert_eq!(reach, Err(TrainError::StrongShare { asked: 0.5, below: 0.0, above: 1.0 }));
    }

    #[test]
    fn a_cost_share_is_reached_by_weight_or_its_range_is_said() {
        let (folds, rows): (Vec<usize>, Vec<usize>) = (vec![0; 10], (0..10).collect());
        let predicted = predicted(&folds);
        let cost = predicted.cost.clone();
        let outcomes = Outcomes::full(2, vec![0.5; 20], Some(cost), None).unwrap();
        let used: Vec<u32> = (0..10).collect();
        let yardstick = Yardstick::new(&outcomes, &used, (vec![0.7, 0.6], vec![4.0, 1.0]));
        let share_of = |setting: &Setting| {
            let costs = predicted.choices(setting).into_iter().map(|m| [4.0, 1.0][m]);
            costs.sum::<f64>() / 40.0
        };
        for (share, expected) in [(0.25, 0.25), (0.4, 0.4), (0.62, 0.55)] {
            let (setting, reach) = at_cost_share((&yardstick, &predicted), &rows, (share, 0));
            assert!((share_of(&setting) - expected).abs() < 1e-9, "{share}: {setting:?}");
            assert_eq!(reach, Ok(()));
        }
        let (_, reach) = at_cost_share((&yardstick, &predicted), &rows, (0.1, 0));
        let message = reach.unwrap_err().to_string();
        assert!(message.contains("from 0.250 to "), "{message}");
    }
}
