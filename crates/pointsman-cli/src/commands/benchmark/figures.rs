//! The benchmark's figures, for people and as JSON.

use crate::{
    from_logs::FromLogs,
    routers::{Honesty, Published, RouterResult, Saving, TableResult, TableVerdict},
    screen::Screen,
    wording,
};
use anyhow::Result;
use pointsman_eval::{full::MeanValue, reliability::Bin};
use serde_json::{Map, Value, json};

/// One table's figures.
pub(super) fn describe(result: &TableResult, models: &[String], screen: &Screen) -> Result<()> {
    let TableResult { test, n_leaked, routers, verdict } = result;
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
    screen.table(header, routers.iter().map(row))?;
    describe_published(routers, screen)?;
    screen.say(&format!("\n{}", sentence(verdict, models)))
}

/// The verdict in words.
fn sentence(verdict: &TableVerdict, models: &[String]) -> String {
    let TableVerdict { best_single, by_quality, saving } = verdict;
    let best = &models[*best_single];
    let numbers = |difference: &MeanValue| {
        let interval = &difference.interval;
        format!("{:+.4} [{:+.4}, {:+.4}]", difference.value, interval.lower, interval.upper)
    };
    let by_quality = numbers(by_quality);
    match saving {
        Some(Saving { cost_share, difference, mix }) => {
            let against_mix = mix.as_ref().map_or_else(String::new, |mix| {
                let [cheap, dear] = mix.models.map(|model| &models[model]);
                let numbers = numbers(&mix.difference);
                format!(", and {numbers} against mixing `{cheap}` and `{dear}` at the same cost")
            });
            format!(
                "Route: on test rows the default point costs {:.0} % of `{best}`; its quality is {} \
                 against it{against_mix}; ignoring cost, quality is {by_quality} against it.",
                100.0 * cost_share,
                numbers(difference),
            )
        }
        None if verdict.is_to_route() => {
            format!("Route: on test rows the quality is {by_quality} against `{best}`.")
        }
        None => format!(
            "Use one model, `{best}`: on test rows routing did not beat it, or a mix of two models at \
             the same cost, with confidence, in quality ({by_quality}) or in cost."
        ),
    }
}

/// Figures as other benchmarks define them; those of two models only where there are two.
fn describe_published(routers: &[RouterResult], screen: &Screen) -> Result<()> {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}"));
    let percent = |value: Option<f64>| {
        value.map_or_else(|| "-".to_owned(), |v| format!("{:.1} %", 100.0 * v))
    };
    if routers.iter().all(|router| router.published.pair.is_none()) {
        return Ok(());
    }
    screen.say("as RouteLLM, RouterBench and LLMRouterBench define them:")?;
    let row = |router: &RouterResult| {
        let Published { aiq, performance_gain, cost_saving, pair } = &router.published;
        let pair = pair.as_ref();
        [
            router.name.clone(),
            number(pair.map(|pair| pair.mean_gap_recovered)),
            percent(pair.map(|pair| pair.share_for_half)),
            percent(pair.map(|pair| pair.share_for_four_fifths)),
            number(*aiq),
            percent(*performance_gain),
            percent(*cost_saving),
        ]
    };
    let header = ["router", "APGR", "CPT(50 %)", "CPT(80 %)", "AIQ", "PerfGain", "CostSave"];
    screen.table(header, routers.iter().map(row))
}

fn published_json(published: &Published) -> Value {
    let Published { aiq, performance_gain, cost_saving, pair } = published;
    let pair = pair.as_ref().map(|pair| {
        let pgr = pair
            .points
            .iter()
            .map(|point| json!({"strong_share": point.strong_share, "pgr": point.gap_recovered}));
        json!({
            "apgr": pair.mean_gap_recovered,
            "cpt_50": pair.share_for_half,
            "cpt_80": pair.share_for_four_fifths,
            "pgr": pgr.collect::<Vec<_>>(),
        })
    });
    json!({
        "routellm": pair,
        "routerbench": { "aiq": aiq },
        "llmrouterbench": { "perf_gain": performance_gain, "cost_save": cost_saving },
    })
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

fn calibration_json(honesty: &Honesty, models: &[String]) -> Value {
    let Honesty { log_loss: _, brier: _, reliability: found, by_model } = honesty;
    let bin = |bin: &Bin| {
        json!({
            "n_pairs": bin.n_pairs,
            "predicted": bin.predicted,
            "observed": bin.observed,
            "std_error": bin.std_error,
        })
    };
    let bins: Vec<Value> = found.bins.iter().map(bin).collect();
    let by_model: Map<String, Value> =
        models.iter().zip(by_model).map(|(name, ece)| (name.clone(), json!(ece))).collect();
    json!({
        "ece": found.ece,
        "ece_raw": found.raw,
        "ece_noise": found.noise,
        "bins": bins,
        "by_model": by_model,
    })
}

/// One table's figures as JSON.
pub(super) fn table_json(result: &TableResult, models: &[String]) -> Value {
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
                "published": published_json(&router.published),
                "calibration": router.honesty.as_ref().map(|it| calibration_json(it, models)),
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
        "verdict": {
            "kind": if result.verdict.is_to_route() { "route" } else { "use_one_model" },
            "best_single": models[result.verdict.best_single],
            "sentence": sentence(&result.verdict, models),
        },
    })
}
