//! Worked examples of the baselines, and one case per way to a verdict.

use super::*;
use crate::matrix::Matrix;

/// Four prompts, three models: cheap, good, and dear but no better.
const QUALITY: [f64; 12] = [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0];
const COST: [f64; 12] = [1.0, 2.0, 9.0, 1.0, 2.0, 9.0, 1.0, 2.0, 9.0, 1.0, 2.0, 9.0];

fn priced<'a>(quality: &'a [f64], cost: &'a [f64], n_models: usize) -> Outcomes<'a> {
    let view = |values| Matrix::new(values, quality.len() / n_models, n_models).unwrap();
    Outcomes::new(view(quality), Some(view(cost))).unwrap()
}

fn unpriced(quality: &[f64], n_models: usize) -> Outcomes<'_> {
    Outcomes::new(Matrix::new(quality, quality.len() / n_models, n_models).unwrap(), None).unwrap()
}

#[test]
fn baselines_match_the_worked_example() {
    let found = baselines(&priced(&QUALITY, &COST, 3));
    let single =
        |model_index, quality, cost| SingleModel { model_index, quality, cost_usd: Some(cost) };
    assert_eq!(found.singles, [single(0, 0.25, 1.0), single(1, 0.75, 2.0), single(2, 0.75, 9.0)]);
    assert_eq!(found.best_single, single(1, 0.75, 2.0));
    assert_eq!(found.cheapest, Some(single(0, 0.25, 1.0)));
    assert!((found.random.quality - 1.75 / 3.0).abs() < 1e-12);
    assert_eq!(found.random.cost_usd, Some(4.0));
    let mix: Vec<(f64, f64)> = found.mix.iter().map(|it| (it.cost_usd, it.quality)).collect();
    assert_eq!(mix, [(1.0, 0.25), (2.0, 0.75)]);
    // The cheap model, the good one twice, and the dear one once.
    assert_eq!(found.oracle, Means { quality: 1.0, cost_usd: Some(3.5) });
}

#[test]
fn baselines_do_without_costs() {
    let found = baselines(&unpriced(&QUALITY, 3));
    assert_eq!(found.best_single.model_index, 1);
    assert_eq!((found.cheapest, found.mix), (None, Vec::new()));
    assert_eq!(found.oracle, Means { quality: 1.0, cost_usd: None });
}

/// Over costs 1 to 9 the hull rises from 0.25 to 0.75 at cost 2: (0.5 * 1 + 0.75 * 7) / 8. The
/// mean of 1,001 heights counts both ends fully: the ends' mean is 0.5.
#[test]
fn baselines_have_figures() {
    let outcomes = priced(&QUALITY, &COST, 3);
    let figures = |baseline| figures_of_baseline(baseline, &outcomes).unwrap();
    let (mix, random, cheapest) =
        (figures(Baseline::Mix), figures(Baseline::Random), figures(Baseline::Cheapest));
    assert!((mix.frontier_area.unwrap() - (1000.0 * 5.75 / 8.0 + 0.5) / 1001.0).abs() < 1e-12);
    assert_eq!((mix.quality, mix.cost_to_match), (0.75, Some(1.0)));
    assert_eq!(random.frontier_area, mix.frontier_area);
    assert_eq!(random.cost_to_match, None);
    assert_eq!((cheapest.quality, cheapest.cost_to_match), (0.25, None));
    let without = unpriced(&QUALITY, 3);
    assert_eq!(figures_of_baseline(Baseline::Cheapest, &without), None);
    assert_eq!(figures_of_baseline(Baseline::Mix, &without), None);
    assert_eq!(figures_of_baseline(Baseline::Random, &without).unwrap().frontier_area, None);
}

/// A hundred prompts of two kinds and three models: each kind has its own expert at cost 1, and
/// the third model, at cost 0.5, is right on every tenth prompt.
fn two_experts() -> (Vec<f64>, Vec<f64>) {
    let row = |prompt: usize| {
        let is_first_kind = prompt.is_multiple_of(2);
        let right = |is_right: bool| if is_right { 1.0 } else { 0.0 };
        [right(is_first_kind), right(!is_first_kind), right(prompt.is_multiple_of(10))]
    };
    ((0..100).flat_map(row).collect(), [1.0, 1.0, 0.5].repeat(100))
}

#[track_caller]
fn check_verdict(pick: impl Fn(usize) -> usize, verdict: Verdict, rival: usize) {
    let (quality, cost) = two_experts();
    let outcomes = priced(&quality, &cost, 3);
    let policy = outcomes.of_picks(&(0..100).map(pick).collect::<Vec<usize>>()).unwrap();
    let found = judge(&policy, &outcomes, ConfidenceLevel::P95).unwrap();
    assert_eq!((found.verdict, found.rival.model_index), (verdict, rival), "{found:?}");
}

#[test]
fn the_verdict_follows_the_rule() {
    // Each prompt to its expert, at the price of either.
    check_verdict(|prompt| prompt % 2, Verdict::Route, 0);
    // Always the first expert: it is the rival, exactly.
    check_verdict(|_| 0, Verdict::UseOneModel { model_index: 0 }, 0);
    // Each prompt to the wrong expert.
    check_verdict(|prompt| 1 - prompt % 2, Verdict::UseOneModel { model_index: 0 }, 0);
    // As good as the rival on other prompts.
    check_verdict(|_| 1, Verdict::CannotTell, 0);
    // Too cheap for an expert: the cheap model is what the money buys.
    check_verdict(|prompt| if prompt < 50 { prompt % 2 } else { 2 }, Verdict::Route, 2);
}

/// A policy below every model's cost is worse than the cheapest, yet no model can replace it.
#[test]
fn cheaper_than_all_is_never_replaced() {
    let (quality, cost) = ([1.0, 0.0].repeat(50), [1.0, 2.0, 2.0, 1.0].repeat(25));
    let outcomes = priced(&quality, &cost, 2);
    let wrong = PolicyOutcomes { quality: vec![0.0; 50], cost_usd: Some(vec![0.5; 50]) };
    let found = judge(&wrong, &outcomes, ConfidenceLevel::P95).unwrap();
    assert_eq!((found.verdict, found.rival.model_index), (Verdict::CannotTell, 0));
    assert!(found.difference.interval.upper < 0.0);
    let right = PolicyOutcomes { quality: vec![2.0; 50], cost_usd: Some(vec![0.5; 50]) };
    let found = judge(&right, &outcomes, ConfidenceLevel::P95).unwrap();
    assert_eq!(found.verdict, Verdict::Route);
}

#[test]
fn of_two_equal_rivals_the_cheaper_is_named() {
    let (quality, cost) = ([1.0, 1.0].repeat(10), [2.0, 1.0].repeat(10));
    let outcomes = priced(&quality, &cost, 2);
    let policy = outcomes.of_picks(&[0; 10]).unwrap();
    let found = judge(&policy, &outcomes, ConfidenceLevel::P95).unwrap();
    assert_eq!(found.verdict, Verdict::UseOneModel { model_index: 1 });
}

#[test]
fn a_verdict_needs_a_policy_for_these_prompts() {
    let outcomes = priced(&QUALITY, &COST, 3);
    let judged = |quality: Vec<f64>, cost_usd: Option<Vec<f64>>| {
        judge(&PolicyOutcomes { quality, cost_usd }, &outcomes, ConfidenceLevel::P95).unwrap_err()
    };
    let rows = MatrixError::Rows { found: 3, expected: 4 };
    assert_eq!(judged(vec![0.0; 3], None), rows.into());
    assert_eq!(judged(vec![0.0; 4], Some(vec![0.0; 3])), rows.into());
    assert_eq!(judged(vec![0.0; 4], None), MatrixError::CostOnOneSide.into());
    let nan = judged(vec![0.0; 4], Some(vec![0.0, f64::NAN, 0.0, 0.0]));
    assert!(matches!(nan, JudgeError::Values(ValuesError::NotFinite { row: 1, .. })));
    let one_prompt = unpriced(&[1.0, 0.0], 2);
    let policy = one_prompt.of_picks(&[0]).unwrap();
    let error = judge(&policy, &one_prompt, ConfidenceLevel::P95).unwrap_err();
    assert_eq!(error, ValuesError::TooFew { n_rows: 1 }.into());
}

/// A policy between a cheap and a dear model in cost has to beat tossing a coin between them.
#[test]
fn a_policy_no_better_than_a_mix_is_not_worth_routing() {
    let (quality, cost): (Vec<f64>, Vec<f64>) = (
        (0..200).flat_map(|row| [f64::from(row % 4 / 3), 1.0]).collect(),
        (0..200).flat_map(|_| [1.0, 3.0]).collect(),
    );
    let outcomes = priced(&quality, &cost, 2);
    let judged = |picks: &[usize]| {
        let policy = outcomes.of_picks(picks).unwrap();
        judge(&policy, &outcomes, ConfidenceLevel::P95).unwrap()
    };
    // A coin: the dear model on every other pair of prompts, whatever they are.
    let coin = judged(&(0..200).map(|row| row / 2 % 2).collect::<Vec<_>>());
    assert_eq!(coin.verdict, Verdict::CannotTell);
    let mix = coin.mix.unwrap();
    assert_eq!(mix.models, [0, 1]);
    assert!((mix.share_of_dearer - 0.5).abs() < 1e-12);
    assert!((mix.point.quality - 0.625).abs() < 1e-12);
    // The dear model where the cheap one fails.
    let router = judged(&(0..200).map(|row| usize::from(row % 4 < 2)).collect::<Vec<_>>());
    assert_eq!(router.verdict, Verdict::Route);
    assert!(0.0 < router.mix.unwrap().difference.interval.lower);
}
