//! `pointsman benchmark`: cross-validated routers on outcome tables, with baselines.

mod compact;
mod costs;
mod edits;
mod escalation;
mod figures;
mod page;
mod predictions;
mod robustness;

use crate::{
    cold_start, files, from_logs,
    load::{self, LoadedTable, QualityRange},
    log_curve,
    routers::{self, Learner, TableResult},
    screen::{self, Screen},
};
use anyhow::{Context, Result, bail};
use compact::CompactFlags;
use pointsman_core::features::FeatureSchema;
use pointsman_data::{PredictionWriter, ReadOptions};
use pointsman_eval::full::MeanValue;
use robustness::Robustness;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Flags of `benchmark`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Outcome tables (Parquet, CSV or NDJSON), each on its own.
    #[arg(required = true, value_name = "TABLE")]
    tables: Vec<PathBuf>,
    /// Routers to learn: `pointsman`, `logistic` for the same by logistic regression, or `ridge-10` or
    /// `logistic-10` for one fixed strength.
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
    /// Also hold this model back, and see how it is predicted from 0 to 500 of its outcomes.
    #[arg(long, value_name = "MODEL")]
    cold_start: Option<String>,
    /// Also edit the test prompts in ways that change nothing, and count changed choices.
    #[arg(long)]
    robustness: bool,
    #[command(flatten)]
    compact: CompactFlags,
    #[command(flatten)]
    escalation: escalation::EscalationFlags,
    /// Seeds every random choice of the learner, and typing errors.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The scale that quality is given in; `0..1` where not given.
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    quality_range: Option<QualityRange>,
    /// Also write what every router predicts for every test row (`.parquet` or `.ndjson`).
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Also write reliability diagrams, and frontiers of escalation, as one HTML page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Also write the figures as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Logs of each kind in a curve, where the flag does not say.
const CURVE_LOGS: u64 = 5;

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let inputs: Vec<&Path> =
        args.tables.iter().chain(&args.escalation.answers).map(PathBuf::as_path).collect();
    let outputs = [args.json.as_deref(), args.predictions.as_deref(), args.html.as_deref()];
    files::check_apart(&inputs, &outputs)?;
    args.escalation.check()?;
    if args.from_logs == 1 {
        bail!("--from-logs 1: one log has no interval; ask for 2 or more (20 is usual)");
    }
    let mut predictions = predictions::begin(args.predictions.as_deref())?;
    let (mut tables, mut escalation) = (Map::new(), Map::new());
    let (mut diagrams, mut plots) = (Vec::new(), Vec::new());
    for path in &args.tables {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let stem = stem.with_context(|| format!("{} names no file", path.display()))?;
        if tables.contains_key(&stem) {
            bail!("two tables are called `{stem}`; results are named by file, so rename one");
        }
        screen.say(&format!("{stem}:"))?;
        let (result, value, found) = measure(args, (path, &stem), &mut predictions, screen)
            .with_context(|| path.display().to_string())?;
        if let Some(pairs) = found.pairs {
            escalation.insert(stem.clone(), pairs);
        }
        plots.extend(found.plots);
        diagrams.extend(page::diagrams(&stem, &result));
        tables.insert(stem, value);
        screen.say("")?;
    }
    if let Some(predictions) = predictions {
        predictions.finish()?;
    }
    if let Some(path) = &args.html {
        files::write(path, page::render(&diagrams, &plots)?.as_bytes())?;
        screen.say(&format!("wrote {}", path.display()))?;
    }
    let mut all = json!({ "tables": tables });
    if !escalation.is_empty() {
        all["escalation"] = Value::Object(escalation);
    }
    screen::json(args.json.as_deref(), &all)
}

/// Everything that was asked for of one table.
fn measure(
    args: &Args,
    (path, stem): (&PathBuf, &str),
    predictions: &mut Option<PredictionWriter>,
    screen: &Screen,
) -> Result<(TableResult, Value, escalation::Reported)> {
    let options = load::read_options(args.quality_range);
    let paths = std::slice::from_ref(path);
    let loaded = load::load_table(paths, &options, FeatureSchema::default(), screen)?;
    loaded.describe(screen)?;
    if let Some(model) = &args.cold_start {
        cold_start::place(&loaded.matrix.models, model)?;
    }
    let again = Again { paths, options: &options, loaded: &loaded, screen };
    let mut robustness =
        args.robustness.then(|| Robustness::read(&again, args.seed)).transpose()?;
    let mut compact = args.compact.read(&again, (args.learner[0], args.seed))?;
    let result =
        routers::run(&loaded, (&args.learner, args.seed), screen, &mut |part, trained| {
            if let Some(robustness) = &mut robustness {
                robustness.add(&again, part, trained)?;
            }
            compact.as_mut().map_or(Ok(()), |compact| compact.add(&again, part, trained))
        })?;
    figures::describe(&result, &loaded.matrix.models, screen)?;
    let mut value = figures::table_json(&result, &loaded.matrix.models);
    value["costs"] = costs::report(&result, screen)?;
    if let Some(robustness) = robustness {
        value["robustness"] = robustness.report(&result, screen)?;
    }
    if let Some(compact) = compact {
        value["compact"] = compact.report(&again, &result)?;
    }
    if let Some(model) = &args.cold_start {
        let found = cold_start::run(&loaded, model, args.seed, screen)?;
        cold_start::describe(&found, screen)?;
        value["cold_start"] = cold_start::json(&found);
    }
    if 0 < args.from_logs {
        let found = from_logs::run(&loaded, args.from_logs, screen)?;
        figures::describe_from_logs(&found, screen)?;
        value["from_logs"] = figures::from_logs_json(&found);
    }
    if args.log_curve {
        let n_logs = if args.from_logs == 0 { CURVE_LOGS } else { args.from_logs };
        let curve = log_curve::run(&loaded, n_logs, screen)?;
        curve.describe(screen)?;
        value["log_curve"] = curve.json();
    }
    let mut found = escalation::report(&args.escalation, &again, (stem, &result), args.seed)?;
    if let Some(cascade) = found.cascade.take() {
        value["cascade"] = cascade;
    }
    if let Some(out) = predictions {
        predictions::write((stem, &loaded), &result, out)?;
    }
    Ok((result, value, found))
}

/// What it takes to read a table's prompts a second time.
struct Again<'a> {
    paths: &'a [PathBuf],
    options: &'a ReadOptions,
    loaded: &'a LoadedTable,
    screen: &'a Screen,
}

fn interval_json(found: &MeanValue) -> Value {
    let (lower, upper) = (found.interval.lower, found.interval.upper);
    json!({"value": found.value, "lower": lower, "upper": upper, "level": 0.95})
}
