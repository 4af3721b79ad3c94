//! `pointsman inspect`: the model card of a policy file, and what it learned about each model.

mod terms;

use crate::{
    dictionary::Dictionary,
    files,
    policy_flags::optional_catalog,
    screen::{self, Screen},
    wording,
};
use anyhow::Result;
use pointsman_core::{
    artifact::{Artifact, Card, Pruning},
    catalog::Catalog,
    escalation::Reader,
    features::Bigrams,
    newcomers::{Newcomers, Prior},
    objective::Band,
    policy::Policy,
    units::as_float,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use terms::OfModel;

/// Flags of `inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The policy file.
    policy: PathBuf,
    /// Models and prices (TOML or JSON): also show what is expected of those that the policy has
    /// learned nothing about.
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// What speaks for each model and against it: the dense features and so many terms each way.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10")]
    terms: Option<usize>,
    /// Names of terms, written by `train --dictionary` with this policy.
    #[arg(long, value_name = "FILE", requires = "terms")]
    dictionary: Option<PathBuf>,
    /// Also write the card as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let inputs: Vec<&Path> = [&args.policy]
        .into_iter()
        .chain(&args.catalog)
        .chain(&args.dictionary)
        .map(PathBuf::as_path)
        .collect();
    files::check_apart(&inputs, &[args.json.as_deref()])?;
    let catalog = optional_catalog(args.catalog.as_deref())?;
    let artifact = files::read_artifact(&args.policy)?;
    let card = artifact.card();
    let Card { name, schema, models, operating_points, standing, provenance, .. } = card;
    let parts = artifact.scorer().parts();
    let bigrams = match schema.bigrams() {
        Bigrams::With => "words and pairs of words",
        Bigrams::Without => "words",
    };
    let terms = format!("{bigrams} in 2^{} buckets", schema.log2_buckets());
    let known = |is_known: bool| if is_known { "learned" } else { "not known" };
    let lines = [
        ("policy", name.clone()),
        ("sha256", artifact.digest().to_owned()),
        ("models", models.join(", ")),
        ("features", format!("schema {}, {terms}", schema.version().number())),
        ("output tokens", known(parts.output_tokens.is_some()).to_owned()),
        ("costs", known(parts.cost_usd.is_some()).to_owned()),
        (
            "trained on",
            format!(
                "{}, {} ({})",
                wording::counted(provenance.n_requests, "request", "requests"),
                wording::counted(provenance.n_outcomes, "outcome", "outcomes"),
                match provenance.origin {
                    pointsman_core::artifact::Origin::OutcomeTable => "outcome table",
                    pointsman_core::artifact::Origin::TrafficLog => "traffic log",
                },
            ),
        ),
        ("data sha256", provenance.data_digest.clone()),
        ("seed", provenance.seed.to_string()),
        ("version", provenance.version.clone()),
        ("best single", standing.best_single.clone()),
    ];
    for (key, value) in lines {
        screen.say(&format!("{key:>14}  {value}"))?;
    }
    describe_pruning(card, screen)?;
    screen.say(&format!("\n{}", standing.sentence))?;
    if !operating_points.is_empty() {
        screen.say("\noperating points, on held-out rows (95 %, asymptotic):")?;
        describe_points(card, screen)?;
    }
    describe_readers(&artifact, screen)?;
    let mut value = card_json(&artifact);
    if let Some(catalog) = &catalog {
        value["newcomers"] = describe_newcomers(&artifact, catalog, screen)?;
    }
    screen.say("\nhow it was learned:")?;
    for (key, value) in &provenance.settings {
        screen.say(&format!("  {key} = {value}"))?;
    }
    if let Some(n_terms) = args.terms {
        value["terms"] = inspect_terms(args, &artifact, n_terms, screen)?;
    }
    screen::json(args.json.as_deref(), &value)
}

/// What was left out of a policy and what that loses; nothing where nothing was.
pub(super) fn describe_pruning(card: &Card, screen: &Screen) -> Result<()> {
    let Some(Pruning { n_terms, n_kept, loss, n_requests }) = &card.pruning else { return Ok(()) };
    let Band { value, lower, upper, level: _ } = loss;
    let share = 100.0 * as_float(*n_kept) / as_float((*n_terms).max(1));
    screen.say(&format!(
        "\npruned: {} of {} terms ({share:.1} %) have weights still; that loses {} [{}, {}] in \
         quality points, averaged over weights on cost (95 %, on {} held-out requests)",
        wording::count(*n_kept),
        wording::count(*n_terms),
        wording::signed(*value),
        wording::signed(*lower),
        wording::signed(*upper),
        wording::count(*n_requests),
    ))
}

/// Whose answers the policy reads, and whom it may call after them; nothing where it reads none.
fn describe_readers(artifact: &Artifact, screen: &Screen) -> Result<()> {
    let readers = readers(artifact);
    if readers.is_empty() {
        return Ok(());
    }
    screen.say("\nafter an answer of one of these models, another one may be called:")?;
    for (model, next) in readers {
        screen.say(&format!("  {model} -> {}", next.join(", ")))?;
    }
    describe_foresight(artifact.card(), screen)
}

/// How far answers are expected to move what is best, on which first decisions count.
fn describe_foresight(card: &Card, screen: &Screen) -> Result<()> {
    if card.foresight.is_empty() {
        return screen.say("first models are chosen as if their answers were final");
    }
    screen.say(
        "first models are chosen for what may follow their answers; reading those moves the lead of the \
         next model by this standard deviation, in quality points (at quality points per dollar):",
    )?;
    for foresight in &card.foresight {
        let name = card.models.get(foresight.model()).map_or("?", String::as_str);
        let points = foresight.per_dollar().iter().zip(foresight.spreads());
        let shown: Vec<String> = points
            .step_by(FORESIGHT_STEP)
            .map(|(per_dollar, spread)| format!("{spread:.3} at {per_dollar:.4}"))
            .collect();
        screen.say(&format!("  {name}: {}", shown.join(", ")))?;
    }
    Ok(())
}

/// Every so many weights on cost are shown.
const FORESIGHT_STEP: usize = 6;

/// The models whose answers are read, each with its next models, by name.
fn readers(artifact: &Artifact) -> Vec<(&str, Vec<&str>)> {
    let models = &artifact.card().models;
    let name = |model: usize| models.get(model).map_or("?", String::as_str);
    let of_reader = |reader: &Reader| {
        let next: Vec<&str> = reader.next.iter().map(|&next| name(next)).collect();
        (name(reader.model), next)
    };
    artifact.readers().iter().map(of_reader).collect()
}

/// The operating points as a table, and what is guaranteed of them.
pub(super) fn describe_points(card: &Card, screen: &Screen) -> Result<()> {
    let has_cost = card.operating_points.iter().any(|point| 0.0 < point.cost_usd.value);
    let percent = |band: Option<&Band>| {
        band.map_or_else(|| "-".to_owned(), |band| format!("{:.1} %", 100.0 * band.value))
    };
    let rows = card.operating_points.iter().map(|point| {
        let Band { value, lower, upper, level: _ } = point.quality;
        let cost = wording::per_thousand(point.cost_usd.value);
        [
            point.name.clone(),
            wording::with_interval(value, lower, upper),
            if has_cost { cost } else { "-".to_owned() },
            percent(point.cost_share.as_ref()),
            percent(point.strong_share.as_ref().map(|strong| &strong.share)),
        ]
    });
    let header =
        ["operating point", "quality", "per 1,000 requests", "of best single's cost", "to strong"];
    screen.table(header, rows)?;
    let strong = card.operating_points.iter().find_map(|point| point.strong_share);
    if let Some(name) = strong.and_then(|strong| card.models.get(strong.model)) {
        screen.say(&format!("strong is `{name}`"))?;
    }
    for point in &card.operating_points {
        if let Some(guarantee) = &point.guarantee {
            let sentence = guarantee.sentence(&card.models);
            screen.say(&format!("`{}`: {sentence}", point.name))?;
        }
    }
    Ok(())
}

/// What is expected of the catalog's models that nothing was learned about.
fn describe_newcomers(artifact: &Artifact, catalog: &Catalog, screen: &Screen) -> Result<Value> {
    let card = artifact.card();
    let policy = Policy::new(artifact.scorer().clone(), &card.models, Some(catalog))?;
    let policy = policy.with_newcomers(catalog, card.mean_quality.as_deref(), Newcomers::All);
    let priors: Vec<(&str, &Prior)> = policy
        .models()
        .enumerate()
        .filter_map(|(index, name)| Some((name, policy.prior(index)?)))
        .collect();
    if priors.is_empty() {
        screen.say("\nevery model of the catalog was learned")?;
    } else {
        screen.say(
            "\nmodels of the catalog that nothing was learned about (those with a stated score may be \
             taken, the others with --newcomers all):",
        )?;
        let rows = priors.iter().map(|(name, prior)| {
            let Band { value, lower, upper, level: _ } = prior.band();
            [
                (*name).to_owned(),
                wording::with_interval(value, lower, upper),
                prior.basis.to_string(),
            ]
        });
        screen.table(["model", "expected mean quality (95 %)", "from"], rows)?;
    }
    Ok(priors.iter().map(|(name, prior)| prior_json(name, prior)).collect())
}

/// A prior as JSON.
pub(super) fn prior_json(model: &str, prior: &Prior) -> Value {
    let Band { value, lower, upper, level } = prior.band();
    json!({
        "model": model,
        "quality": {"value": value, "lower": lower, "upper": upper, "level": level.get()},
        "from": prior.basis.to_string(),
    })
}

/// Says what speaks for each model; the JSON of it.
fn inspect_terms(
    args: &Args,
    artifact: &Artifact,
    n_terms: usize,
    screen: &Screen,
) -> Result<Value> {
    let Card { schema, provenance, .. } = artifact.card();
    let read = |path: &PathBuf| Dictionary::read(path, *schema, &provenance.data_digest);
    let dictionary = args.dictionary.as_ref().map(read).transpose()?;
    let found = terms::speaks(artifact, n_terms, dictionary.as_ref());
    describe_terms(&found, dictionary.as_ref(), screen)?;
    Ok(terms::json(&found))
}

fn describe_terms(all: &[OfModel], dictionary: Option<&Dictionary>, screen: &Screen) -> Result<()> {
    screen.say(
        "\nwhat speaks for a model (+) and against it (-), against the mean of the models; quality \
         points per standard deviation of a dense feature, and of a term in a request of 100 terms:",
    )?;
    for OfModel { model, dense, terms } in all {
        let rows = dense.iter().chain(terms).map(|one| {
            let share = one.share.map(|share| format!("{:.1} %", 100.0 * share));
            [one.name.clone(), format!("{:+.4}", one.points), share.unwrap_or_default()]
        });
        screen.say("")?;
        screen.table([model, "points", "in requests"], rows)?;
    }
    screen.say(&match dictionary {
        Some(dictionary) => format!(
            "\na bucket without a name holds no term of {} or more different prompts or \
             conversations",
            dictionary.least_groups
        ),
        None => "\nterms are hashed, so they have numbers and no names; `train --dictionary FILE` \
                 keeps the names of frequent ones beside a policy, and `inspect --terms \
                 --dictionary FILE` shows them"
            .to_owned(),
    })
}

/// The card as JSON, with what else is in the file.
pub(crate) fn card_json(artifact: &Artifact) -> Value {
    let card = artifact.card();
    let mut value = card.told();
    value["sha256"] = json!(artifact.digest());
    value["feature_schema"] = json!({
        "version": card.schema.version().number(),
        "log2_buckets": card.schema.log2_buckets(),
        "bigrams": card.schema.bigrams() == Bigrams::With,
    });
    let readers = readers(artifact).into_iter();
    let readers: Vec<Value> =
        readers.map(|(model, next)| json!({"model": model, "next": next})).collect();
    if !readers.is_empty() {
        value["readers"] = Value::Array(readers);
    }
    value
}
