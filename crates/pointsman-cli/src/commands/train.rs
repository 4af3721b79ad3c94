//! `pointsman train`: from a log or an outcome table to one policy file.

mod escalation;
mod learning;
mod pruning;
mod steps;
mod told;
mod verdict;

pub(crate) use escalation::AnswerFlags;
pub(crate) use learning::{LearningFlags, Loss};
pub(crate) use pruning::PruneFlags;

use crate::{
    dictionary::{DictionaryFlags, Reading},
    equal_prompts,
    estimated::{EstimateFlags, Estimated, Estimating},
    files,
    load::{self, QualityRange},
    point_flags::PointFlags,
    policy_flags::optional_catalog,
    screen::{self, Screen},
    standing::standing,
};
use anyhow::{Result, bail};
use pointsman_core::{
    artifact::{Artifact, Card, Origin, Provenance},
    catalog::Catalog,
    objective::OperatingPoint,
    policy::Policy,
    scorer::Scorer,
};
use pointsman_train::train::{HeldOutReport, Progress, TrainConfig, Trained, TrainingSet, train};
use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};
use told::{describe, settings, summary};

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
    pub(crate) dictionary: DictionaryFlags,
    #[command(flatten)]
    pub(crate) learning: LearningFlags,
    #[command(flatten)]
    pub(crate) pruning: PruneFlags,
    #[command(flatten)]
    pub(crate) points: PointFlags,
    #[command(flatten)]
    pub(crate) estimates: EstimateFlags,
    #[command(flatten)]
    pub(crate) answers: AnswerFlags,
    /// The scale that quality is logged in; `0..1` where not given.
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    pub(crate) quality_range: Option<QualityRange>,
    /// The metric of a log that is its quality; `quality` where not given.
    #[arg(long, value_name = "NAME", conflicts_with = "table")]
    pub(crate) quality_metric: Option<String>,
    /// Also write what was learned as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl Args {
    /// Every file that is read.
    fn inputs(&self) -> impl Iterator<Item = &PathBuf> {
        self.log.iter().chain(&self.table).chain(&self.catalog).chain(&self.answers.answers)
    }

    /// The data, and how to read it.
    fn reading(&self, estimating: Option<&Estimating>) -> Reading<'_> {
        let options = load::log_options(self.quality_range, self.quality_metric.as_deref());
        Reading {
            log: &self.log,
            table: &self.table,
            log_options: estimating.map_or_else(|| options.clone(), |it| it.options(&options)),
            table_options: load::read_options(self.quality_range),
        }
    }

    /// How propensities are estimated, if they are.
    fn estimating(&self) -> Result<Option<Estimating>> {
        let estimating = self.estimates.checked()?;
        if estimating.is_some() && self.points.asks_for_proof() {
            bail!(
                "--max-quality-loss is proved from propensities that are known; leave it out, or \
                 leave out --estimate-propensities"
            );
        }
        Ok(estimating)
    }
}

/// What a policy file says about its data.
#[derive(Clone)]
pub(crate) struct Source<'a> {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    pub(crate) data_digest: &'a str,
    pub(crate) seed: u64,
    /// The ids of the rows of the design; none where the policy goes into no file, so that nobody
    /// asks it what it was trained on.
    pub(crate) row_ids: Vec<&'a str>,
    pub(crate) models: &'a [String],
    /// What of the propensities is estimated.
    pub(crate) estimated: Option<&'a Estimated>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let inputs: Vec<&Path> = args.inputs().map(PathBuf::as_path).collect();
    let outputs = [Some(&*args.out), args.dictionary.path(), args.json.as_deref()];
    files::check_apart(&inputs, &outputs)?;
    args.dictionary.check()?;
    args.answers.check(&args.table)?;
    args.points.check()?;
    args.pruning.apply(args.learning.config()?)?;
    let estimating = args.estimating()?;
    let catalog = optional_catalog(args.catalog.as_deref())?;
    let (artifact, trained) = if args.log.is_empty() {
        from_table(args, catalog.as_ref(), screen)?
    } else {
        from_log(args, (catalog.as_ref(), estimating.as_ref()), screen)?
    };
    if catalog.is_some() {
        Policy::new(artifact.scorer().clone(), &artifact.card().models, catalog.as_ref())?;
    }
    files::write(&args.out, &artifact.to_bytes()?)?;
    args.dictionary.write(&args.reading(estimating.as_ref()), &artifact, screen)?;
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
        estimated: None,
    };
    let demands = args.points.demands(&loaded.matrix.models)?;
    let config = args.pruning.apply(args.learning.config()?.with_demands(demands)?)?;
    let (artifact, trained) = learn_within(&args.learning, &set, &config, &source, screen)?;
    let table = escalation::Table {
        loaded: &loaded,
        paths: &args.table,
        options: &options,
        catalog,
        seed: args.learning.seed,
    };
    Ok((args.answers.add_readers(artifact, &table, screen)?, trained))
}

fn from_log(
    args: &Args,
    (catalog, estimating): (Option<&Catalog>, Option<&Estimating>),
    screen: &Screen,
) -> Result<(Artifact, Trained)> {
    let options = load::log_options(args.quality_range, args.quality_metric.as_deref());
    let loaded = load::load_log(&args.log, &options, estimating, args.learning.schema()?, screen)?;
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
    let (own_groups, input_tokens) = loaded.groups_and_tokens();
    let groups = if loaded.has_features {
        equal_prompts::joined(&own_groups, &loaded.design)
    } else {
        own_groups.clone()
    };
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
        estimated: loaded.estimated.as_ref(),
    };
    let demands = args.points.demands(&models)?;
    let config = args.pruning.apply(args.learning.config()?.with_demands(demands)?)?;
    let (artifact, trained) = learn_within(&args.learning, &set, &config, &source, screen)?;
    // Where a log keeps such prompts as text alone, they are known by their own groups.
    let moved = own_groups.iter().zip(&groups).filter(|(own, joined)| own != joined);
    let own_ids: Vec<u64> =
        moved.map(|(own, _)| artifact.card().row_id(&load::group_id(*own))).collect();
    let artifact = if own_ids.is_empty() { artifact } else { artifact.with_rows(&own_ids)? };
    let artifact = match steps::of_log(args, &loaded.log, &options, screen)? {
        Some(steps) => {
            args.answers.add_logged_readers(&artifact, &steps, args.learning.seed, screen)?
        }
        None => artifact,
    };
    Ok((artifact, trained))
}

/// Learns from the features in as many buckets as `--max-mb` leaves room for. How many columns
/// clusters and lengths take is known after a fit only, so a file that is too large is made again of
/// half the buckets.
fn learn_within(
    flags: &LearningFlags,
    set: &TrainingSet<'_>,
    config: &TrainConfig,
    source: &Source<'_>,
    screen: &Screen,
) -> Result<(Artifact, Trained)> {
    let mut design = flags.fitting(set.design, source.models.len(), set.rows)?;
    loop {
        let set = TrainingSet { design: &design, ..*set };
        let learned = learn(&set, config, source.clone(), screen)?;
        match flags.smaller(&design, &learned.0)? {
            Some(smaller) => design = Cow::Owned(smaller),
            None => return Ok(learned),
        }
    }
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
            bar.set_message("comparing candidates");
            bar.set_position(4);
        }
        Progress::FinalFit => {
            bar.set_message("fit on all rows");
            bar.set_position(5);
        }
        Progress::Pruning => bar.set_message("measuring what pruning loses"),
        Progress::Done => bar.finish_and_clear(),
    })?;
    Ok((artifact_of(&trained, set, source)?, trained))
}

/// Puts what was learned into an artifact.
pub(crate) fn artifact_of(
    trained: &Trained,
    set: &TrainingSet<'_>,
    source: Source<'_>,
) -> Result<Artifact> {
    let Source { name, origin, data_digest, seed, row_ids, models, estimated } = source;
    let mut settings = settings(trained);
    settings.extend(estimated.map(|it| ("propensities".to_owned(), it.setting())));
    let mut standing = standing(models, trained);
    standing.sentence.push_str(estimated.map_or("", |_| Estimated::MARK));
    let operating_points = trained.held_out.as_ref().map_or_else(Vec::new, points);
    let card = Card {
        name,
        schema: trained.parts.schema,
        models: models.to_vec(),
        mean_quality: Some(trained.mean_quality.clone()),
        operating_points,
        standing,
        pruning: trained.pruned.as_ref().map(pruning::on_card).transpose()?,
        foresight: Vec::new(),
        provenance: Provenance {
            origin,
            data_digest: data_digest.to_owned(),
            n_requests: set.rows.len() as u64,
            n_outcomes: n_outcomes(origin, set.rows.len(), models.len()),
            seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings,
        },
    };
    let named = set.rows.iter().filter_map(|&row| Some((row, row_ids.get(row as usize)?)));
    let keyed = card.row_ids();
    let mut ids: Vec<u64> = named
        .flat_map(|(row, id)| {
            let group = load::group_id(set.groups[row as usize]);
            [keyed.id(id), keyed.id(&group)]
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(Artifact::new(&card, &Scorer::new(trained.parts.clone())?, &ids)?)
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
