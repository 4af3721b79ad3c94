//! The benchmark's figures, for people and as JSON.

use crate::{
    from_logs::FromLogs,
    routers::{RouterResult, TableResult},
    screen::Screen,
    wording,
};
use anyhow::Result;
use pointsman_eval::reliability::{Bin, Reliability};
use serde_json::{Map, Value, json};

/// One table's figures.
pub(super) fn describe(result: &TableResult, screen: &Screen) -> Result<()> {
    let TableResult { test, n_leaked, routers } = result;
    let has_cost = test.cost.is_some();
    let n_test = wording::length(test.rows.len());
    screen.say(&format!("{n_test} test rows, {} models", test.n_models))?;
    if 0 < *n_leaked {
        let n = wording::length(*n_leaked);
        screen.say(&format!(
            "{n} training rows set aside: their prompt also stands in a test part"
        ))?;
    }
    if !has_cost {
        screen.say("no costs, so no frontier: routers are compared by quality")?;
    }
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}"));
    let row = |router: &RouterResult| {
        [
            router.name.clone(),
            number(Some(router.figures.quality)),
            number(router.figures.frontier_area),
            router.figures.cost_to_match.map_or_else(
                || if has_cost { "never" } else { "-" }.to_owned(),
                |share| format!("{:.1} %", 100.0 * share),
            ),
            number(router.honesty.as_ref().map(|honesty| honesty.log_loss)),
            number(router.honesty.as_ref().map(|honesty| honesty.brier)),
            number(router.honesty.as_ref().map(|honesty| honesty.reliability.ece)),
        ]
    };
    let header = [
        "router",
        "quality",
        "frontier area",
        "cost to match best single",
        "log loss",
        "Brier",
        "calibration error",
    ];
    screen.table(header, routers.iter().map(row))
}

/// What learning from logs was worth.
pub(super) fn describe_from_logs(found: &FromLogs, screen: &Screen) -> Result<()> {
    screen.say(&format!(
        "\nlearned from {} simulated logs, against the log's best single model:",
        found.n_logs
    ))?;
    let rows = found.differences().into_iter().map(|(figure, difference)| {
        let interval = &difference.interval;
        [
            figure.to_owned(),
            format!("{:+.4} [{:+.4}, {:+.4}]", difference.value, interval.lower, interval.upper),
        ]
    });
    screen.table(["figure", "difference (95 % over logs)"], rows)
}

/// The same as JSON.
pub(super) fn from_logs_json(found: &FromLogs) -> Value {
    let differences: Map<String, Value> = found
        .differences()
        .into_iter()
        .map(|(figure, difference)| (figure.to_owned(), super::interval_json(&difference)))
        .collect();
    json!({"n_logs": found.n_logs, "differences": differences})
}

fn calibration_json(found: &Reliability) -> Value {
    let bin = |bin: &Bin| {
        json!({
            "n_pairs": bin.n_pairs,
            "predicted": bin.predicted,
            "observed": bin.observed,
            "std_error": bin.std_error,
        })
    };
    let bins: Vec<Value> = found.bins.iter().map(bin).collect();
    json!({"ece": found.ece, "ece_raw": found.raw, "ece_noise": found.noise, "bins": bins})
}

/// One table's figures as JSON.
pub(super) fn table_json(result: &TableResult) -> Value {
    let routers: Map<String, Value> = result
        .routers
        .iter()
        .map(|router| {
            let figures = &router.figures;
            let value = json!({
                "quality": figures.quality,
                "frontier_area": figures.frontier_area,
                "cost_to_match": figures.cost_to_match,
                "log_loss": router.honesty.as_ref().map(|honesty| honesty.log_loss),
                "brier": router.honesty.as_ref().map(|honesty| honesty.brier),
                "calibration": router.honesty.as_ref().map(|it| calibration_json(&it.reliability)),
            });
            (router.name.clone(), value)
        })
        .collect();
    json!({
        "n_test": result.test.rows.len(),
        "n_models": result.test.n_models,
        "has_cost": result.test.cost.is_some(),
        "n_leaked": result.n_leaked,
        "routers": routers,
    })
}
