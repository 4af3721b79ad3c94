//! A pair of models as a cascade, all answers paid: what it costs, and its figures for people and
//! as JSON.
//!
//! Before an answer, a model's cost is expected on the least-squares line of its costs on the
//! prompt's length: the same for the cascade and for what it is held against.

use super::mean;
use crate::{screen::Screen, wording};
use anyhow::Result;
use pointsman_data::TableOutcome;
use pointsman_eval::{cascade::Cascade, full::MeanValue};
use serde_json::{Map, Value, json};

/// Both models' costs; `None` where a model has none.
pub(super) fn costs(outcomes: impl Iterator<Item = [TableOutcome; 2]>) -> Option<Vec<[f64; 2]>> {
    let known: Vec<[Option<f64>; 2]> =
        outcomes.map(|both| both.map(|outcome| outcome.cost_usd)).collect();
    let mut means = [0.0; 2];
    for (column, of_model) in means.iter_mut().enumerate() {
        let costs: Vec<f64> = known.iter().filter_map(|both| both[column]).collect();
        if costs.is_empty() {
            return None;
        }
        *of_model = mean(&costs);
    }
    let filled =
        |both: [Option<f64>; 2]| [both[0].unwrap_or(means[0]), both[1].unwrap_or(means[1])];
    Some(known.into_iter().map(filled).collect())
}

/// The least-squares line of `y` on `x`, at each `x`; never below zero.
pub(super) fn line(x: &[f64], y: &[f64]) -> Vec<f64> {
    let (centre, level) = (mean(x), mean(y));
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        covariance += (x - centre) * (y - level);
        variance += (x - centre) * (x - centre);
    }
    let slope = if variance <= 0.0 { 0.0 } else { covariance / variance };
    x.iter().map(|x| (level + slope * (x - centre)).max(0.0)).collect()
}

/// The cascade with all its costs, against its rivals.
pub(super) fn describe(cascade: &Cascade, screen: &Screen) -> Result<()> {
    let Cascade { points, over } = cascade;
    screen
        .say("all answers paid, at each weight on cost (utility: quality less weighted cost):")?;
    let rows = points.iter().map(|point| {
        let MeanValue { value, interval, .. } = point.over_routing;
        [
            format!("{:.3}", point.per_dollar),
            wording::quality(point.quality),
            wording::per_thousand(point.cost_usd),
            format!("{:.1} %", 100.0 * point.direct_share),
            format!("{:.1} %", 100.0 * point.escalated_share),
            wording::with_interval(value, interval.lower, interval.upper),
        ]
    });
    let header = [
        "points per dollar",
        "quality",
        "per 1,000",
        "next at once",
        "escalated",
        "utility over routing (95 %)",
    ];
    screen.table(header, rows)?;
    let rows = over.iter().map(|(rival, MeanValue { value, interval, .. })| {
        let name = rival.name().replace('_', " ");
        [name, wording::with_interval(*value, interval.lower, interval.upper)]
    });
    screen.table(["against", "utility gained, mean over weights (95 %)"], rows)
}

pub(super) fn json(cascade: &Cascade) -> Value {
    let Cascade { points, over } = cascade;
    let points: Vec<Value> = points
        .iter()
        .map(|point| {
            json!({
                "per_dollar": point.per_dollar,
                "quality": point.quality,
                "cost_usd": point.cost_usd,
                "direct_share": point.direct_share,
                "escalated_share": point.escalated_share,
                "over_prompt_routing": super::super::interval_json(&point.over_routing),
            })
        })
        .collect();
    let over: Map<String, Value> = over
        .iter()
        .map(|(rival, value)| (rival.name().to_owned(), super::super::interval_json(value)))
        .collect();
    json!({"points": points, "over": over})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_through_what_lies_on_one() {
        for (x, y) in [
            (vec![1.0, 2.0, 4.0], vec![3.0, 5.0, 9.0]),
            (vec![2.0, 2.0], vec![3.0, 3.0]),
            (vec![], vec![]),
        ] {
            let found = line(&x, &y);
            assert_eq!(found.len(), y.len());
            assert!(found.iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        }
        assert_eq!(line(&[0.0, 1.0, 2.0], &[4.0, 0.0, -1.0])[2], 0.0);
    }

    #[test]
    fn a_missing_cost_is_its_models_mean() {
        let outcome = |cost_usd| TableOutcome {
            prompt: 0,
            model: 0,
            quality: 1.0,
            cost_usd,
            input_tokens: None,
            output_tokens: None,
            latency_ms: None,
        };
        let pair = |first, next| [outcome(first), outcome(next)];
        let known = [pair(Some(1.0), Some(2.0)), pair(None, Some(4.0)), pair(Some(3.0), None)];
        let expected = vec![[1.0, 2.0], [2.0, 4.0], [3.0, 3.0]];
        assert_eq!(costs(known.into_iter()), Some(expected));
        assert_eq!(costs([pair(Some(1.0), None)].into_iter()), None);
    }
}
