//! `pointsman train`: from a log or an outcome table to one policy file.

use crate::{
    files,
    load::{self, QualityRange},
    policy_flags::optional_catalog,
    screen::{self, Screen},
    wording,
};
use anyhow::{Context, Result};
use pointsman_core::{
    artifact::{Artifact, Card, Origin, Provenance, Standing},
    catalog::Catalog,
    features::{Bigrams, FeatureSchema},
    objective::OperatingPoint,
    policy::Policy,
    scorer::Scorer,
};
use pointsman_train::train::{
    HeldOutReport, Progress, Regularisation, TrainConfig, Trained, TrainingSet, train,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Flags of `train`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["log", "table"])))]
pub(crate) struct Args {
    /// Traffic logs (NDJSON or Parquet; files or patterns), or the folder of a journal.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub(crate) log: Vec<PathBuf>,
    /// Outcome tables (Parquet, CSV or NDJSON; files or patterns).
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub(crate) table: Vec<PathBuf>,
    /// Models and prices (TOML or JSON); every model of the data must be in it.
    #[arg(long, value_name = "FILE")]
    pub(crate) catalog: Option<PathBuf>,
    /// Where the policy goes.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The policy's name; the file's stem where not given.
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) learning: LearningFlags,
    /// The scale that quality is logged in; `0..1` where not given.
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    pub(crate) quality_range: Option<QualityRange>,
    /// The metric of a log that is its quality; `quality` where not given.
    #[arg(long, value_name = "NAME")]
    pub(crate) quality_metric: Option<String>,
    /// Also write what was learned as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// Flags that decide what is learned.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LearningFlags {
    /// Seeds every random choice.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// A fixed strength of regularisation, instead of averaging by held-out policy value.
    #[arg(long, value_name = "STRENGTH")]
    pub(crate) penalty: Option<f64>,
    /// Words alone, without pairs of words.
    #[arg(long)]
    pub(crate) words_only: bool,
    /// The binary logarithm of the number of buckets that terms are hashed into, 8 to 20.
    #[arg(long, default_value_t = 18, value_name = "LOG2")]
    pub(crate) buckets: u8,
}

impl LearningFlags {
    /// The feature schema that was asked for.
    pub(crate) fn schema(&self) -> Result<FeatureSchema> {
        let bigrams = if self.words_only { Bigrams::Without } else { Bigrams::With };
        FeatureSchema::new(self.buckets, bigrams).context("--buckets")
    }

    /// The settings of the learner.
    pub(crate) fn config(&self) -> Result<TrainConfig> {
        let regularisation = self.penalty.map_or(Regularisation::HeldOut, Regularisation::Fixed);
        TrainConfig::new(self.seed, regularisation).context("--penalty")
    }
}

/// What a policy file says about its data.
pub(crate) struct Source<'a> {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    pub(crate) data_digest: &'a str,
    pub(crate) seed: u64,
    /// The ids of the rows of the design.
    pub(crate) row_ids: Vec<&'a str>,
    pub(crate) models: &'a [String],
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let inputs: Vec<&Path> =
        args.log.iter().chain(&args.table).chain(&args.catalog).map(PathBuf::as_path).collect();
    files::check_apart(&inputs, &[Some(&args.out), args.json.as_deref()])?;
    let catalog = optional_catalog(args.catalog.as_deref())?;
    let (artifact, trained) = if args.log.is_empty() {
        from_table(args, catalog.as_ref(), screen)?
    } else {
        from_log(args, catalog.as_ref(), screen)?
    };
    if catalog.is_some() {
        Policy::new(artifact.scorer().clone(), &artifact.card().models, catalog.as_ref())?;
    }
    files::write(&args.out, &artifact.to_bytes()?)?;
    describe(&artifact, &trained, &args.out, screen)?;
    screen::json(args.json.as_deref(), &summary(&artifact, &trained))
}

fn name(args: &Args) -> String {
    let stem = || args.out.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    args.name.clone().or_else(stem).unwrap_or_else(|| "policy".to_owned())
}

fn from_table(
    args: &Args,
    catalog: Option<&Catalog>,
    screen: &Screen,
) -> Result<(Artifact, Trained)> {
    let options = load::read_options(args.quality_range);
    let loaded = load::load_table(&args.table, &options, args.learning.schema()?, screen)?;
    loaded.describe(screen)?;
    if let Some(catalog) = catalog {
        let names: Vec<&str> = loaded.matrix.models.iter().map(String::as_str).collect();
        load::listed(&names, catalog)?;
    }
    let outcomes = loaded.outcomes(catalog)?;
    let rows: Vec<u32> = (0..u32::try_from(loaded.design.n_rows())?).collect();
    let set = TrainingSet {
        design: &loaded.design,
        outcomes: &outcomes,
        groups: &loaded.groups,
        input_tokens: &loaded.input_tokens,
        rows: &rows,
    };
    let id = |&prompt: &u32| loaded.table.prompts[prompt as usize].id.as_str();
    let source = Source {
        name: name(args),
        origin: Origin::OutcomeTable,
        data_digest: &loaded.table.digest,
        seed: args.learning.seed,
        row_ids: loaded.matrix.prompts.iter().map(id).collect(),
        models: &loaded.matrix.models,
    };
    learn(&set, &args.learning.config()?, source, screen)
}

fn from_log(
    args: &Args,
    catalog: Option<&Catalog>,
    screen: &Screen,
) -> Result<(Artifact, Trained)> {
    let options = load::log_options(args.quality_range, args.quality_metric.as_deref());
    let loaded = load::load_log(&args.log, &options, args.learning.schema()?, screen)?;
    loaded.describe(screen)?;
    let (models, outcomes) = loaded.outcomes(catalog)?;
    if let Some(catalog) = catalog {
        load::listed(&models.iter().map(String::as_str).collect::<Vec<_>>(), catalog)?;
    }
    let never: Vec<&str> = loaded
        .log
        .models
        .iter()
        .filter(|name| !models.contains(name))
        .map(String::as_str)
        .collect();
    if !never.is_empty() {
        screen.say(&format!("left out, never drawn in the log: {}", never.join(", ")))?;
    }
    let (groups, input_tokens) = loaded.groups_and_tokens();
    let rows: Vec<u32> = (0..u32::try_from(loaded.design.n_rows())?).collect();
    let set = TrainingSet {
        design: &loaded.design,
        outcomes: &outcomes,
        groups: &groups,
        input_tokens: &input_tokens,
        rows: &rows,
    };
    let source = Source {
        name: name(args),
        origin: Origin::TrafficLog,
        data_digest: &loaded.log.digest,
        seed: args.learning.seed,
        row_ids: loaded.log.rows.iter().map(|row| row.id.as_str()).collect(),
        models: &models,
    };
    learn(&set, &args.learning.config()?, source, screen)
}

/// Learns, and puts the result into an artifact.
pub(crate) fn learn(
    set: &TrainingSet<'_>,
    config: &TrainConfig,
    source: Source<'_>,
    screen: &Screen,
) -> Result<(Artifact, Trained)> {
    let bar = screen.progress("learning", 6);
    let trained = train(set, config, &|step| match step {
        Progress::HeldOutFit { index, of } => {
            bar.set_message(format!("fit {} of {of} with rows held out", index + 1));
            bar.set_position(index as u64);
        }
        Progress::Comparing => {
            bar.set_message("comparing strengths");
            bar.set_position(4);
        }
        Progress::FinalFit => {
            bar.set_message("fit on all rows");
            bar.set_position(5);
        }
        Progress::Done => bar.finish_and_clear(),
    })?;
    let Source { name, origin, data_digest, seed, row_ids, models } = source;
    let operating_points = trained.held_out.as_ref().map_or_else(Vec::new, points);
    let card = Card {
        name,
        schema: trained.parts.schema,
        models: models.to_vec(),
        operating_points,
        standing: standing(models, &trained),
        provenance: Provenance {
            origin,
            data_digest: data_digest.to_owned(),
            n_requests: set.rows.len() as u64,
            n_outcomes: n_outcomes(origin, set.rows.len(), models.len()),
            seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: settings(&trained),
        },
    };
    let mut ids: Vec<u64> = set
        .rows
        .iter()
        .flat_map(|&row| {
            let group = load::group_id(set.groups[row as usize]);
            [card.row_id(row_ids[row as usize]), card.row_id(&group)]
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let artifact = Artifact::new(&card, &Scorer::new(trained.parts.clone())?, &ids)?;
    Ok((artifact, trained))
}

fn points(report: &HeldOutReport) -> Vec<OperatingPoint> {
    report.operating_points.iter().map(|value| value.point.clone()).collect()
}

fn n_outcomes(origin: Origin, n_rows: usize, n_models: usize) -> u64 {
    match origin {
        Origin::OutcomeTable => (n_rows * n_models) as u64,
        Origin::TrafficLog => n_rows as u64,
    }
}

/// What held-out rows say about routing at all: it has to beat the best single model with
/// confidence, in quality or in cost, or one model is the honest answer.
fn standing(models: &[String], trained: &Trained) -> Standing {
    let best = trained.held_out.as_ref().map_or_else(
        || {
            let quality = &trained.mean_quality;
            (0..quality.len()).max_by(|&a, &b| quality[a].total_cmp(&quality[b])).unwrap_or(0)
        },
        |report| report.best_single,
    );
    let best_single = models[best].clone();
    let Some(report) = &trained.held_out else {
        let sentence =
            "Nothing was held out, so nothing is known about what routing is worth here.";
        return Standing { best_single, sentence: sentence.to_owned() };
    };
    let interval = |(gain, error): (f64, f64)| {
        format!("{gain:+.4} [{:+.4}, {:+.4}]", gain - 1.96 * error, gain + 1.96 * error)
    };
    let (gain, error) = report.sweep[0].gain;
    let saving = report.operating_points.iter().find(|value| {
        value.point.name == "balanced"
            && value.point.cost_usd.upper < 0.98 * report.best_single_cost
            && -0.01 <= value.gain.0 - 1.96 * value.gain.1
    });
    let sentence = match saving {
        Some(value) => format!(
            "Route: on held-out rows `balanced` costs {:.0} % of `{best_single}` at a quality of {} \
             against it; ignoring cost, quality is {} against it.",
            100.0 * value.point.cost_usd.value / report.best_single_cost,
            interval(value.gain),
            interval((gain, error)),
        ),
        None if 0.0 < gain - 1.96 * error => format!(
            "Route: on held-out rows its quality is {} against `{best_single}`.",
            interval((gain, error))
        ),
        None => format!(
            "Use one model, `{best_single}`: on held-out rows routing did not beat it with \
             confidence, in quality ({}) or in cost.",
            interval((gain, error))
        ),
    };
    Standing { best_single, sentence }
}

fn settings(trained: &Trained) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::from([
        ("solver.iterations".to_owned(), trained.n_iterations.to_string()),
        ("solver.unconverged_columns".to_owned(), trained.n_unconverged.to_string()),
    ]);
    for value in &trained.strengths {
        let name = match value.strength {
            Some(strength) => format!("share.strength_{strength:03}"),
            None => "share.constant".to_owned(),
        };
        settings.insert(name, format!("{:.4}", value.share));
    }
    settings
}

fn describe(artifact: &Artifact, trained: &Trained, out: &Path, screen: &Screen) -> Result<()> {
    let card = artifact.card();
    let has_cost = trained.mean_cost.iter().any(|&cost| 0.0 < cost);
    let cost = |model: usize| {
        if has_cost { wording::per_thousand(trained.mean_cost[model]) } else { "-".to_owned() }
    };
    let rows = card.models.iter().enumerate().map(|(model, name)| {
        [name.clone(), wording::quality(trained.mean_quality[model]), cost(model)]
    });
    screen.say("")?;
    screen.table(["model", "quality", "per 1,000 requests"], rows)?;
    if !card.operating_points.is_empty() {
        screen.say("\nheld-out value of the policy (95 %, asymptotic):")?;
        let rows = card.operating_points.iter().map(|point| {
            let band = point.quality;
            [
                point.name.clone(),
                wording::with_interval(band.value, band.lower, band.upper),
                if has_cost { wording::per_thousand(point.cost_usd.value) } else { "-".to_owned() },
            ]
        });
        screen.table(["operating point", "quality", "per 1,000 requests"], rows)?;
    }
    if 0 < trained.n_unconverged {
        let n = trained.n_unconverged;
        screen.say(&format!("{n} columns of the fit had not converged; the policy may be off"))?;
    }
    screen.say(&format!("\n{}", card.standing.sentence))?;
    screen.say(&format!("wrote {} (sha256 {})", out.display(), artifact.digest()))
}

fn summary(artifact: &Artifact, trained: &Trained) -> Value {
    let mut value = super::inspect::card_json(artifact);
    value["models"] = artifact
        .card()
        .models
        .iter()
        .enumerate()
        .map(|(model, name)| {
            json!({
                "model": name,
                "mean_quality": trained.mean_quality[model],
                "mean_cost_usd": trained.mean_cost[model],
            })
        })
        .collect();
    value["strengths"] = trained
        .strengths
        .iter()
        .map(|s| {
            json!({"strength": s.strength, "gain": s.gain, "std_error": s.std_error, "share": s.share})
        })
        .collect();
    value
}
