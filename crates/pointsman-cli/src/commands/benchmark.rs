//! `pointsman benchmark`: cross-validated routers on outcome tables, with baselines.

use crate::{
    files,
    from_logs::{self, FromLogs},
    load::{self, QualityRange},
    log_curve,
    routers::{self, Learner, RouterResult, TableResult},
    screen::{self, Screen},
    wording,
};
use anyhow::{Context, Result, bail};
use pointsman_core::features::FeatureSchema;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Flags of `benchmark`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Outcome tables (Parquet, CSV or NDJSON), each on its own.
    #[arg(required = true, value_name = "TABLE")]
    tables: Vec<PathBuf>,
    /// Routers to learn: `pointsman`, or `ridge-10` or `logistic-10` for one fixed strength.
    #[arg(long, num_args = 1.., value_name = "NAME", default_value = "pointsman")]
    learner: Vec<Learner>,
    /// Also learn from this many simulated logs: one outcome per training prompt, drawn by softmax
    /// at temperature 0.1 over the training part's means, mixed with 10 % uniform.
    #[arg(long, value_name = "LOGS", default_value_t = 0)]
    from_logs: u64,
    /// Also learn from logs of 250, 500, 1,000, … outcomes under three logging policies, as many of
    /// each as `--from-logs` says (5 where it does not), and show what is lost against full
    /// information.
    #[arg(long)]
    log_curve: bool,
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

/// Logs of each kind in a curve, where the flag does not say.
const CURVE_LOGS: u64 = 5;

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
        describe(&result, screen)?;
        let mut value = table_json(&result);
        if 0 < args.from_logs {
            let found = from_logs::run(&loaded, args.from_logs, screen)
                .with_context(|| path.display().to_string())?;
            describe_from_logs(&found, screen)?;
            value["from_logs"] = from_logs_json(&found);
        }
        if args.log_curve {
            let n_logs = if args.from_logs == 0 { CURVE_LOGS } else { args.from_logs };
            let curve = log_curve::run(&loaded, n_logs, screen)
                .with_context(|| path.display().to_string())?;
            curve.describe(screen)?;
            value["log_curve"] = curve.json();
        }
        tables.insert(stem, value);
    }
    screen::json(args.json.as_deref(), &json!({ "tables": tables }))
}

fn describe(result: &TableResult, screen: &Screen) -> Result<()> {
    let TableResult { n_test, n_models, has_cost, n_leaked, routers } = result;
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
    screen.say("")
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

fn table_json(result: &TableResult) -> Value {
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
    })
}
