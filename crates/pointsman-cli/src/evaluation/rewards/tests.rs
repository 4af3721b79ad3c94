//! A world of two kinds of requests, of which each of two models can answer one.

use super::*;
use crate::evaluation::fixtures;
use pointsman_core::{
    features::{Bigrams, FeatureSchema},
    request::Request,
};

const N_ROWS: usize = 600;
const CHANCES: [f32; 3] = [0.5, 0.5, 0.0];
const FITTED: RewardModel = RewardModel::CrossFitted { n_folds: 5, seed: 0 };

fn is_code(row: usize) -> bool {
    (row / 2).is_multiple_of(2)
}

/// Two rows to a group, one for each of the first two models; the third is drawn once.
fn log() -> TrafficLog {
    let row = |at: usize| {
        let taken = if at == 0 { 2 } else { u16::from(at % 2 == 1) };
        let is_right = is_code(at) == (taken == 0);
        let mut row = fixtures::row(at, taken, (0.5, if is_right { 1.0 } else { 0.0 }));
        row.group = (at / 2) as u64;
        row.cost_usd = Some(if taken == 0 { 0.25 } else { 0.5 });
        row
    };
    fixtures::log((0..N_ROWS).map(row).collect(), CHANCES)
}

fn design() -> Design {
    let mut builder = DesignBuilder::new(FeatureSchema::new(12, Bigrams::Without).unwrap());
    for row in 0..N_ROWS {
        let text = if is_code(row) {
            "Fix this function so that it compiles"
        } else {
            "Write a poem about the sea and the moon"
        };
        builder.push(&Request::from_prompt(text));
    }
    builder.finish()
}

fn fitted(reward_model: RewardModel, log: &TrafficLog) -> CrossFitted {
    learn(reward_model, Some(&design()), log, &Screen::new(true)).unwrap().unwrap()
}

#[test]
fn the_log_teaches_who_answers_what() {
    let found = fitted(FITTED, &log());
    for row in 0..N_ROWS {
        let (first, second) = (found.quality(row, Some(0)), found.quality(row, Some(1)));
        assert!((0.0..=1.0).contains(&first) && (0.0..=1.0).contains(&second));
        assert_eq!(is_code(row), second < first, "row {row}: {first} and {second}");
        // Of a model that one part alone drew, and of one that the log does not have.
        let mean = found.quality(row, None);
        assert!((mean - 0.5).abs() < 0.05, "{mean}");
        assert!((found.quality(row, Some(2)) - mean).abs() < 1e-6);
    }
    assert_eq!(found.n_unlearned, 1);
    assert!(found.described().contains("1 model that fewer than two parts drew is predicted"));
}

/// The law that makes a doubly robust value right: a row's outcome is in no prediction of its group.
#[test]
fn no_row_predicts_its_own_group() {
    let plain = log();
    let before = fitted(FITTED, &plain);
    let group = 7;
    let mut changed = plain.clone();
    for row in changed.rows.iter_mut().filter(|row| row.group == group) {
        row.quality = 1.0 - row.quality;
        row.cost_usd = Some(1.0);
    }
    let after = fitted(FITTED, &changed);
    let costs = |log: &TrafficLog| -> Vec<f64> {
        log.rows.iter().map(|row| row.cost_usd.unwrap()).collect()
    };
    let all: Vec<usize> = (0..N_ROWS).collect();
    let (costs_before, costs_after) = (costs(&plain), costs(&changed));
    let levels_before = before.levels(&plain, (&all[..], &costs_before[..]), 1.0);
    let levels_after = after.levels(&changed, (&all[..], &costs_after[..]), 1.0);
    let mut n_moved = 0;
    for (row, known) in plain.rows.iter().enumerate() {
        for model in [Some(0), Some(1), Some(2), None] {
            let there = (before.quality(row, model), levels_before.of(row, model));
            let then = (after.quality(row, model), levels_after.of(row, model));
            if known.group == group {
                assert_eq!(there, then, "row {row}");
            } else {
                n_moved += usize::from(there != then);
            }
        }
    }
    assert!(N_ROWS < n_moved, "{n_moved} predictions of the other groups moved");
}

#[test]
fn the_same_seed_gives_the_same_predictions() {
    let log = log();
    let quality = |seed| fitted(RewardModel::CrossFitted { n_folds: 3, seed }, &log).quality;
    assert_eq!(quality(1), quality(1));
    assert_ne!(quality(1), quality(2));
}

#[test]
fn levels_are_those_of_each_model() {
    let log = log();
    let found = fitted(FITTED, &log);
    let rows: Vec<usize> = (1..N_ROWS).collect();
    let costs: Vec<f64> = rows.iter().map(|&row| log.rows[row].cost_usd.unwrap()).collect();
    let levels = found.levels(&log, (&rows[..], &costs[..]), 0.45);
    for row in 0..N_ROWS {
        assert!((levels.of(row, Some(0)) - 0.25).abs() < 1e-12);
        // No level is above the most that there can be.
        assert!((levels.of(row, Some(1)) - 0.45).abs() < 1e-12);
        let of_all = levels.of(row, None);
        assert!((of_all - 0.375).abs() < 0.01, "{of_all}");
        assert_eq!(levels.of(row, Some(2)), of_all);
    }
}

#[test]
fn a_log_that_cannot_teach_is_refused() {
    let mut one_model = log();
    for row in &mut one_model.rows {
        row.taken = 0;
    }
    let refused = learn(FITTED, Some(&design()), &one_model, &Screen::new(true)).unwrap_err();
    assert!(format!("{refused:#}").contains("fewer than two models in two parts"), "{refused:#}");
    assert!(learn(RewardModel::Policy, None, &one_model, &Screen::new(true)).unwrap().is_none());
}

/// Over the draws of the logger, what is predicted of a move adds nothing to what it truly adds.
#[test]
fn a_move_is_worth_the_same_whatever_is_predicted() {
    let mut log = log();
    let found = fitted(FITTED, &log);
    let (row, share, earned) = (7, 0.4, [0.2, 0.9]);
    let mut value = 0.0;
    for (taken, chance) in [(0_u16, 0.25), (1, 0.75)] {
        log.rows[row].taken = taken;
        let moved = found.of_move(&log, &[row], (0, 1), &[share]);
        let Predicted { taken: drawn, expected, expected_by_rival } = moved.columns();
        // What is drawn is weighed by how much more of it there would be.
        let weight = if taken == 1 { share / chance } else { -share / chance };
        let beyond = weight * (earned[usize::from(taken)] - drawn[0]);
        value += chance * (expected[0] - expected_by_rival[0] + beyond);
    }
    assert!((value - share * (earned[1] - earned[0])).abs() < 1e-12, "{value}");
    let unknown = found.of_move(&log, &[row], (9, 0), &[share]);
    assert_eq!(unknown.from[0], share * found.quality(row, None));
}
