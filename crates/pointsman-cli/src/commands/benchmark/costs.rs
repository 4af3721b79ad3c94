//! What predicting costs and output tokens prompt by prompt is worth, against a constant for each
//! model: its mean in the training rows, which is all that a price list and a habit can give.
//!
//! Both are compared on test rows by the distance of logarithms, so that dear models do not drown
//! cheap ones, and by the frontier that a router gets when it is told the one or the other cost.
//! Weakness: means are right on average and so are a little too high for logarithms, both alike.

use crate::{
    routers::{RouterResult, TableResult},
    screen::Screen,
    wording,
};
use anyhow::Result;
use pointsman_core::units::len_as_float;
use pointsman_eval::{
    full::{MeanValue, mean_value, paired_difference},
    interval::ConfidenceLevel,
};
use serde_json::{Value, json};

/// Costs, or output tokens, prompt by prompt against constants.
#[derive(Debug, Clone)]
struct Comparison {
    what: &'static str,
    /// Pairs of prompt and model whose value is known and above zero.
    n_pairs: usize,
    /// The mean distance of logarithms, predictions first.
    log_errors: [f64; 2],
    /// By how much predictions lower it, over prompts.
    gain: MeanValue,
    /// The share of the constants' squared error of logarithms that predictions take away; `None`
    /// where constants make none.
    r2: Option<f64>,
    /// The frontier area with predicted costs and with constant ones.
    areas: Option<[f64; 2]>,
}

/// Says what the first learner's costs and lengths are worth; `null` where neither is known.
pub(super) fn report(result: &TableResult, screen: &Screen) -> Result<Value> {
    let constant = result.routers.iter().find(|router| router.name == "best_single");
    let (Some(learned), Some(constant)) = (result.routers.first(), constant) else {
        return Ok(Value::Null);
    };
    let found = compare(result, learned, constant)?;
    if found.is_empty() {
        return Ok(Value::Null);
    }
    screen.say(&format!("\n`{}`, prompt by prompt against a constant per model:", learned.name))?;
    let rows = found.iter().map(|it| {
        let area = |at: usize| it.areas.map_or_else(|| "-".to_owned(), |a| format!("{:.4}", a[at]));
        let MeanValue { value, interval, .. } = it.gain;
        [
            it.what.to_owned(),
            format!("{:.4}", it.log_errors[0]),
            format!("{:.4}", it.log_errors[1]),
            wording::with_interval(value, interval.lower, interval.upper),
            it.r2.map_or_else(|| "-".to_owned(), |r2| format!("{r2:.3}")),
            area(0),
            area(1),
        ]
    });
    let header = [
        "",
        "log error",
        "of constants",
        "gain (95 % over prompts)",
        "R2",
        "frontier area",
        "with constants",
    ];
    screen.table(header, rows)?;
    Ok(found.iter().map(|it| (it.what.to_owned(), comparison_json(it))).collect())
}

fn compare(
    result: &TableResult,
    learned: &RouterResult,
    constant: &RouterResult,
) -> Result<Vec<Comparison>> {
    let (Some(predicted), Some(constants)) = (&learned.predictions, &constant.predictions) else {
        return Ok(Vec::new());
    };
    let test = &result.test;
    let mut all = Vec::new();
    if let Some(actual) = &test.cost {
        let columns = [&predicted.cost[..], &constants.cost, actual];
        let mut told = predicted.clone();
        told.cost.clone_from(&constants.cost);
        let areas = learned.figures.frontier_area.zip(test.figures_of(&told)?.frontier_area);
        let areas = areas.map(<[f64; 2]>::from);
        all.extend(comparison("cost", columns, test.n_models, areas)?);
    }
    let tokens = test.output_tokens.iter().map(|tokens| tokens.map_or(0.0, f64::from));
    let tokens: Vec<f64> = tokens.collect();
    if predicted.output_tokens.len() == tokens.len() {
        let columns = [&predicted.output_tokens[..], &constants.output_tokens, &tokens];
        all.extend(comparison("output tokens", columns, test.n_models, None)?);
    }
    Ok(all)
}

/// `None` where fewer than two prompts have a value.
fn comparison(
    what: &'static str,
    [predicted, constant, actual]: [&[f64]; 3],
    n_models: usize,
    areas: Option<[f64; 2]>,
) -> Result<Option<Comparison>> {
    let (mut errors, mut squares, mut n_pairs) = ([Vec::new(), Vec::new()], [0.0; 2], 0);
    for row in 0..actual.len() / n_models {
        let (mut sums, mut n) = ([0.0; 2], 0);
        for at in row * n_models..(row + 1) * n_models {
            if !(0.0 < actual[at] && 0.0 < predicted[at] && 0.0 < constant[at]) {
                continue;
            }
            n += 1;
            for (side, guess) in [predicted[at], constant[at]].into_iter().enumerate() {
                let error = libm::log(guess) - libm::log(actual[at]);
                sums[side] += error.abs();
                squares[side] += error * error;
            }
        }
        if 0 < n {
            n_pairs += n;
            for (errors, sum) in errors.iter_mut().zip(sums) {
                errors.push(sum / len_as_float(n));
            }
        }
    }
    if errors[0].len() < 2 {
        return Ok(None);
    }
    let level = ConfidenceLevel::P95;
    let mean = |values: &[f64]| Ok::<_, anyhow::Error>(mean_value(values, level)?.value);
    Ok(Some(Comparison {
        what,
        n_pairs,
        log_errors: [mean(&errors[0])?, mean(&errors[1])?],
        gain: paired_difference(&errors[1], &errors[0], level)?,
        r2: (0.0 < squares[1]).then(|| 1.0 - squares[0] / squares[1]),
        areas,
    }))
}

fn comparison_json(it: &Comparison) -> Value {
    json!({
        "n_pairs": it.n_pairs,
        "log_error": it.log_errors[0],
        "log_error_of_constants": it.log_errors[1],
        "gain": super::interval_json(&it.gain),
        "r2": it.r2,
        "frontier_area": it.areas.map(|areas| areas[0]),
        "frontier_area_with_constants": it.areas.map(|areas| areas[1]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two prompts, one model: predictions are right, the constant is off by a factor of two.
    #[test]
    fn a_right_prediction_takes_all_error_away() {
        let found = comparison("cost", [&[2.0, 8.0], &[4.0, 4.0], &[2.0, 8.0]], 1, None);
        let found = found.unwrap().unwrap();
        assert_eq!((found.n_pairs, found.r2), (2, Some(1.0)));
        assert!(found.log_errors[0].abs() < 1e-12);
        assert!((found.log_errors[1] - 2.0_f64.ln()).abs() < 1e-12);
        assert!((found.gain.value - 2.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_known_is_not_counted() {
        let found = comparison("cost", [&[1.0; 4], &[1.0; 4], &[0.0, 0.0, 1.0, 0.0]], 2, None);
        assert!(found.unwrap().is_none());
        let found = comparison("cost", [&[1.0; 4], &[1.0; 4], &[1.0, 0.0, 1.0, 1.0]], 2, None);
        let found = found.unwrap().unwrap();
        assert_eq!((found.n_pairs, found.r2), (3, None));
    }
}
