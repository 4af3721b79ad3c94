//! `pointsman benchmark`: cross-validated routers on outcome tables, with baselines.

use crate::{
    cold_start, files,
    from_logs::{self, FromLogs},
    load::{self, QualityRange},
    routers::{self, Learner, Published, RouterResult, Saving, TableResult, TableVerdict},
    screen::{self, Screen},
    wording,
};
use anyhow::{Context, Result, bail};
use pointsman_core::features::FeatureSchema;
use pointsman_eval::full::MeanValue;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Flags of `benchmark`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Outcome tables (Parquet, CSV or NDJSON), each on its own.
    #[arg(required = true, value_name = "TABLE")]
    tables: Vec<PathBuf>,
    /// Routers to learn: `pointsman`, or `ridge-10` for one fixed strength.
    #[arg(long, num_args = 1.., value_name = "NAME", default_value = "pointsman")]
    learner: Vec<Learner>,
    /// Also learn from this many simulated logs: one outcome per training prompt, drawn by softmax
    /// at temperature 0.1 over the training part's means, mixed with 10 % uniform.
    #[arg(long, value_name = "LOGS", default_value_t = 0)]
    from_logs: u64,
    /// Also hold this model back, and see how it is predicted from 0 to 500 of its outcomes.
    #[arg(long, value_name = "MODEL")]
    cold_start: Option<String>,
    /// Seeds every random choice of the learner.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The scale that quality is given in; `0..1` where not given.
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    quality_range: Option<QualityRange>,
    /// Also write the figures as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let inputs: Vec<&Path> = args.tables.iter().map(PathBuf::as_path).collect();
    files::check_apart(&inputs, &[args.json.as_deref()])?;
    let options = load::read_options(args.quality_range);
    if args.from_logs == 1 {
        bail!("--from-logs 1: one log has no interval; ask for 2 or more (20 is usual)");
    }
    let mut tables = Map::new();
    for path in &args.tables {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let stem = stem.with_context(|| format!("{} names no file", path.display()))?;
        if tables.contains_key(&stem) {
            bail!("two tables are called `{stem}`; results are named by file, so rename one");
        }
        screen.say(&format!("{stem}:"))?;
        let paths = std::slice::from_ref(path);
        let loaded = load::load_table(paths, &options, FeatureSchema::default(), screen)?;
        loaded.describe(screen)?;
        let result = routers::run(&loaded, &args.learner, args.seed, screen)
            .with_context(|| path.display().to_string())?;
        describe(&result, &loaded.matrix.models, screen)?;
        let mut value = table_json(&result, &loaded.matrix.models);
        if let Some(model) = &args.cold_start {
            let found = cold_start::run(&loaded, model, args.seed, screen)
                .with_context(|| path.display().to_string())?;
            cold_start::describe(&found, screen)?;
            value["cold_start"] = cold_start::json(&found);
        }
        if 0 < args.from_logs {
            let found = from_logs::run(&loaded, args.from_logs, screen)
                .with_context(|| path.display().to_string())?;
            describe_from_logs(&found, screen)?;
            value["from_logs"] = from_logs_json(&found);
        }
        tables.insert(stem, value);
    }
    screen::json(args.json.as_deref(), &json!({ "tables": tables }))
}

fn describe(result: &TableResult, models: &[String], screen: &Screen) -> Result<()> {
    let TableResult { n_test, n_models, has_cost, n_leaked, routers, verdict } = result;
    screen.say(&format!("{} test rows, {n_models} models", wording::length(*n_test)))?;
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
                || if *has_cost { "never" } else { "-" }.to_owned(),
                |share| format!("{:.1} %", 100.0 * share),
            ),
            number(router.losses.map(|(log_loss, _)| log_loss)),
            number(router.losses.map(|(_, brier)| brier)),
        ]
    };
    let header =
        ["router", "quality", "frontier area", "cost to match best single", "log loss", "Brier"];
    screen.table(header, routers.iter().map(row))?;
    describe_published(routers, screen)?;
    screen.say(&format!("\n{}\n", sentence(verdict, models)))
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

fn describe_from_logs(found: &FromLogs, screen: &Screen) -> Result<()> {
    screen.say(&format!(
        "learned from {} simulated logs, against the log's best single model:",
        found.n_logs
    ))?;
    let rows = found.differences().into_iter().map(|(figure, difference)| {
        let interval = &difference.interval;
        [
            figure.to_owned(),
            format!("{:+.4} [{:+.4}, {:+.4}]", difference.value, interval.lower, interval.upper),
        ]
    });
    screen.table(["figure", "difference (95 % over logs)"], rows)?;
    screen.say("")
}

fn from_logs_json(found: &FromLogs) -> Value {
    let differences: Map<String, Value> = found
        .differences()
        .into_iter()
        .map(|(figure, difference)| {
            let (lower, upper) = (difference.interval.lower, difference.interval.upper);
            let value =
                json!({"value": difference.value, "lower": lower, "upper": upper, "level": 0.95});
            (figure.to_owned(), value)
        })
        .collect();
    json!({"n_logs": found.n_logs, "differences": differences})
}

fn table_json(result: &TableResult, models: &[String]) -> Value {
    let routers: Map<String, Value> = result
        .routers
        .iter()
        .map(|router| {
            let figures = &router.figures;
            let value = json!({
                "quality": figures.quality,
                "frontier_area": figures.frontier_area,
                "cost_to_match": figures.cost_to_match,
                "log_loss": router.losses.map(|(log_loss, _)| log_loss),
                "brier": router.losses.map(|(_, brier)| brier),
                "published": published_json(&router.published),
            });
            (router.name.clone(), value)
        })
        .collect();
    json!({
        "n_test": result.n_test,
        "n_models": result.n_models,
        "has_cost": result.has_cost,
        "n_leaked": result.n_leaked,
        "routers": routers,
        "verdict": {
            "kind": if result.verdict.is_to_route() { "route" } else { "use_one_model" },
            "best_single": models[result.verdict.best_single],
            "sentence": sentence(&result.verdict, models),
        },
    })
}
