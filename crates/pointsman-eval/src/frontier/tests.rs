//! Worked examples, the laws of the hull, and the sweep against its plain definition.

use super::*;
use proptest::prelude::*;

fn points(pairs: &[(f64, f64)]) -> Vec<CostQuality> {
    pairs.iter().map(|&(cost_usd, quality)| CostQuality { cost_usd, quality }).collect()
}

#[track_caller]
fn check_hull(given: &[(f64, f64)], expected: &[(f64, f64)]) {
    assert_eq!(hull(&points(given)), points(expected));
}

#[test]
fn the_hull_is_what_money_can_buy() {
    check_hull(&[], &[]);
    check_hull(&[(1.0, 0.5)], &[(1.0, 0.5)]);
    // Given dearest first, and a point below the line.
    check_hull(&[(4.0, 1.0), (2.0, 0.3), (0.0, 0.0)], &[(0.0, 0.0), (4.0, 1.0)]);
    // A point above the line stays; one that costs more for less goes.
    check_hull(
        &[(0.0, 0.0), (1.0, 0.6), (3.0, 0.6), (4.0, 1.0), (5.0, 0.9)],
        &[(0.0, 0.0), (1.0, 0.6), (4.0, 1.0)],
    );
    // On the line counts as below it.
    check_hull(&[(0.0, 0.0), (1.0, 0.5), (2.0, 1.0)], &[(0.0, 0.0), (2.0, 1.0)]);
    // Of two at the least cost both stay, as in the reference; of two elsewhere only the better.
    check_hull(&[(1.0, 0.5), (1.0, 0.2)], &[(1.0, 0.2), (1.0, 0.5)]);
    check_hull(&[(0.0, 0.1), (1.0, 0.2), (1.0, 0.5)], &[(0.0, 0.1), (1.0, 0.5)]);
}

#[track_caller]
fn check_height(hull: &[(f64, f64)], cost_usd: f64, expected: Option<f64>) {
    assert_eq!(interp(&points(hull), cost_usd), expected, "at {cost_usd}");
}

#[test]
fn heights_are_straight_between_and_level_beyond() {
    let hull = [(1.0, 0.25), (3.0, 0.75), (7.0, 1.0)];
    check_height(&[], 1.0, None);
    check_height(&hull, 0.0, Some(0.25));
    check_height(&hull, 1.0, Some(0.25));
    check_height(&hull, 2.0, Some(0.5));
    check_height(&hull, 5.0, Some(0.875));
    check_height(&hull, 7.0, Some(1.0));
    check_height(&hull, 9.0, Some(1.0));
    // Where the hull starts straight up, its top counts.
    check_height(&[(1.0, 0.25), (1.0, 0.75)], 1.0, Some(0.75));
}

#[test]
fn lambdas_are_zero_and_then_even_in_the_exponent() {
    let lambdas = lambdas();
    assert_eq!(lambdas.len(), 162);
    for (index, expected) in [(0, 0.0), (1, 1e-4), (21, 1e-3), (81, 1.0), (101, 10.0), (161, 1e4)] {
        assert!((lambdas[index] - expected).abs() <= 1e-12 * expected, "lambda {index}");
    }
}

/// Two prompts, a cheap and a dear model. The dear one is worth it on the second prompt only.
const QUALITY: [f64; 4] = [1.0, 1.0, 0.0, 1.0];
const COST: [f64; 4] = [1.0, 4.0, 1.0, 4.0];

fn outcomes<'a>(quality: &'a [f64], cost: &'a [f64], n_models: usize) -> Outcomes<'a> {
    let view = |values| Matrix::new(values, quality.len() / n_models, n_models).unwrap();
    Outcomes::new(view(quality), Some(view(cost))).unwrap()
}

/// Ignoring cost, the tie on the first prompt goes to the first model: mean cost 2.5, quality 1.
/// At large weights everything goes to the cheap model: (1, 0.5). The frontier rises from there
/// to (2.5, 1) and stays: its mean over [1, 4] is (0.75 * 1.5 + 1 * 1.5) / 3. The
/// mean of 1,001 heights counts both ends fully: the ends' mean is 0.75.
#[test]
fn figures_of_the_oracle_by_hand() {
    let actual = outcomes(&QUALITY, &COST, 2);
    let found = figures(&actual, &actual).unwrap();
    assert!((found.quality - 1.0).abs() < 1e-12);
    assert!((found.frontier_area.unwrap() - (875.0 + 0.75) / 1001.0).abs() < 1e-12);
    assert!((found.cost_to_match.unwrap() - 2.5 / 4.0).abs() < 1e-12);
    assert_eq!(found.sweep.len(), 162);
    assert_eq!(found.sweep[0].quality_per_usd, Some(0.0));
    assert_eq!(found.sweep[161].point, CostQuality { cost_usd: 1.0, quality: 0.5 });
    assert!((found.sweep[161].quality_per_usd.unwrap() - 2500.0).abs() < 1e-9);
}

/// A router that sees no difference takes the first model and never matches the second; its
/// frontier is that of the single models.
#[test]
fn an_indifferent_router_buys_no_more_than_single_models() {
    let blind = outcomes(&[0.5; 4], &[1.0; 4], 2);
    let found = figures(&blind, &outcomes(&QUALITY, &COST, 2)).unwrap();
    assert!((found.quality - 0.5).abs() < 1e-12);
    assert!((found.frontier_area.unwrap() - 0.75).abs() < 1e-9);
    assert_eq!(found.cost_to_match, None);
}

#[test]
fn without_costs_only_quality_has_a_value() {
    let quality = Matrix::new(&QUALITY, 2, 2).unwrap();
    let free = Outcomes::new(quality, None).unwrap();
    let found = figures(&free, &free).unwrap();
    assert_eq!(found, without_costs(1.0));
    let priced = outcomes(&QUALITY, &COST, 2);
    assert_eq!(figures(&free, &priced), Err(MatrixError::CostOnOneSide));
    assert_eq!(figures(&priced, &free), Err(MatrixError::CostOnOneSide));
}

#[test]
fn free_models_have_figures() {
    let actual = outcomes(&QUALITY, &[0.0; 4], 2);
    let found = figures(&actual, &actual).unwrap();
    assert!((found.frontier_area.unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(found.cost_to_match, None);
}

#[test]
fn picks_have_the_figures_of_the_scores_that_made_them() {
    let actual = outcomes(&QUALITY, &COST, 2);
    let scored = figures(&actual, &actual).unwrap();
    let picked = figures_of_picks(&[0, 1], &[vec![0, 1], vec![0, 0]], &actual).unwrap();
    assert_eq!((picked.quality, picked.frontier_area), (scored.quality, scored.frontier_area));
    assert_eq!(picked.cost_to_match, scored.cost_to_match);
    assert_eq!(picked.sweep[0].quality_per_usd, None);
    assert!(figures_of_picks(&[0], &[], &actual).is_err());
    assert!(figures_of_picks(&[0, 1], &[vec![0, 2]], &actual).is_err());
}

fn any_points() -> impl Strategy<Value = Vec<CostQuality>> {
    prop::collection::vec((0.0..10.0_f64, 0.0..1.0_f64), 1..40).prop_map(|pairs| points(&pairs))
}

/// Quality and cost of a few prompts and models, in steps so coarse that ties are common.
fn any_outcomes() -> impl Strategy<Value = (usize, Vec<f64>, Vec<f64>)> {
    (1..5_usize, 1..12_usize).prop_flat_map(|(n_models, n_rows)| {
        let cells = n_models * n_rows;
        let coarse =
            |top: u8| prop::collection::vec((0..=top).prop_map(|it| f64::from(it) / 4.0), cells);
        (Just(n_models), coarse(4), coarse(16))
    })
}

proptest! {
    /// More money never buys less, and each dollar buys less than the one before.
    #[test]
    fn the_hull_rises_and_flattens(given in any_points()) {
        let upper = hull(&given);
        for pair in upper.windows(2) {
            prop_assert!(pair[0].cost_usd <= pair[1].cost_usd && pair[0].quality < pair[1].quality);
        }
        for triple in upper.windows(3) {
            prop_assert!(is_above(triple[1], triple[0], triple[2]));
        }
    }

    /// No point lies above the hull, and the hull of a hull is itself.
    #[test]
    fn the_hull_covers_its_points(given in any_points()) {
        let upper = hull(&given);
        for point in &given {
            prop_assert!(point.quality <= interp(&upper, point.cost_usd).unwrap() + 1e-9);
        }
        prop_assert_eq!(hull(&upper), upper);
    }

    /// One more way to spend money cannot lower the frontier.
    #[test]
    fn the_area_grows_with_its_points(given in any_points(), more in any_points()) {
        let low = given.iter().map(|it| it.cost_usd).fold(f64::INFINITY, f64::min);
        let before = area(&hull(&given), low, 10.0);
        let after = area(&hull(&[given, more].concat()), low, 10.0);
        prop_assert!(before <= after + 1e-9);
    }

    /// The sweep is argmax of `predicted - weight * predicted_cost` at each weight, to the bit.
    #[test]
    fn the_sweep_is_its_definition((n_models, quality, cost) in any_outcomes()) {
        let mirrored: Vec<f64> = quality.iter().rev().copied().collect();
        let predicted = outcomes(&mirrored, &cost, n_models);
        let actual = outcomes(&quality, &cost, n_models);
        let found = figures(&predicted, &actual).unwrap();
        for point in &found.sweep {
            let weight = point.quality_per_usd.unwrap();
            let rows = mirrored.chunks(n_models).zip(cost.chunks(n_models));
            let picks: Vec<usize> = rows
                .map(|(quality, cost)| {
                    let pairs = quality.iter().zip(cost);
                    first_best(&pairs.map(|(q, c)| q - weight * c).collect::<Vec<f64>>())
                })
                .collect();
            prop_assert_eq!(Some(point.point), actual.of_picks(&picks).unwrap().point());
        }
    }

    /// Nothing beats the best answer to every prompt, and no router does worse than a mixture.
    #[test]
    fn figures_are_bounded((n_models, quality, cost) in any_outcomes()) {
        let mirrored: Vec<f64> = quality.iter().rev().copied().collect();
        let actual = outcomes(&quality, &cost, n_models);
        let found = figures(&outcomes(&mirrored, &cost, n_models), &actual).unwrap();
        let best = figures(&actual, &actual).unwrap();
        prop_assert!(found.quality <= best.quality + 1e-12);
        let mix = figures_of_points(0.0, Vec::new(), &actual);
        prop_assert!(mix.frontier_area <= found.frontier_area.map(|area| area + 1e-9));
        if let Some(share) = found.cost_to_match {
            prop_assert!(0.0 <= share);
        }
    }
}
