//! `pointsman inspect`: the model card of a policy file, and what it learned about each model.

mod terms;

use crate::{
    dictionary::Dictionary,
    files,
    screen::{self, Screen},
    wording,
};
use anyhow::Result;
use pointsman_core::{
    artifact::{Artifact, Card},
    features::{Bigrams, SCHEMA_VERSION},
    objective::Band,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use terms::OfModel;

/// Flags of `inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The policy file.
    policy: PathBuf,
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
    let inputs: Vec<&Path> =
        [&args.policy].into_iter().chain(&args.dictionary).map(PathBuf::as_path).collect();
    files::check_apart(&inputs, &[args.json.as_deref()])?;
    let artifact = files::read_artifact(&args.policy)?;
    let Card { name, schema, models, operating_points, standing, provenance } = artifact.card();
    let parts = artifact.scorer().parts();
    let bigrams = match schema.bigrams() {
        Bigrams::With => "words and pairs of words",
        Bigrams::Without => "words",
    };
    let known = |is_known: bool| if is_known { "learned" } else { "not known" };
    let lines = [
        ("policy", name.clone()),
        ("sha256", artifact.digest().to_owned()),
        ("models", models.join(", ")),
        (
            "features",
            format!("schema {SCHEMA_VERSION}, {bigrams} in 2^{} buckets", schema.log2_buckets()),
        ),
        ("output tokens", known(parts.output_tokens.is_some()).to_owned()),
        ("costs", known(parts.cost_usd.is_some()).to_owned()),
        (
            "trained on",
            format!(
                "{} requests, {} outcomes ({})",
                wording::count(provenance.n_requests),
                wording::count(provenance.n_outcomes),
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
    screen.say(&format!("\n{}", standing.sentence))?;
    if !operating_points.is_empty() {
        screen.say("\noperating points, on held-out rows (95 %, asymptotic):")?;
        let rows = operating_points.iter().map(|point| {
            let Band { value, lower, upper, level: _ } = point.quality;
            [
                point.name.clone(),
                wording::with_interval(value, lower, upper),
                wording::per_thousand(point.cost_usd.value),
                format!("{:.4}", point.per_dollar),
            ]
        });
        let header = ["name", "quality", "per 1,000 requests", "quality points per dollar"];
        screen.table(header, rows)?;
    }
    screen.say("\nhow it was learned:")?;
    for (key, value) in &provenance.settings {
        screen.say(&format!("  {key} = {value}"))?;
    }
    let mut value = card_json(&artifact);
    if let Some(n_terms) = args.terms {
        value["terms"] = inspect_terms(args, &artifact, n_terms, screen)?;
    }
    screen::json(args.json.as_deref(), &value)
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

/// The card as JSON.
pub(crate) fn card_json(artifact: &Artifact) -> Value {
    let Card { name, schema, models, operating_points, standing, provenance } = artifact.card();
    let band = |band: &Band| json!({"value": band.value, "lower": band.lower, "upper": band.upper, "level": band.level.get()});
    let points: Vec<Value> = operating_points
        .iter()
        .map(|point| {
            json!({
                "name": point.name,
                "quality_points_per_usd": point.per_dollar,
                "quality": band(&point.quality),
                "cost_usd": band(&point.cost_usd),
            })
        })
        .collect();
    json!({
        "name": name,
        "sha256": artifact.digest(),
        "feature_schema": {
            "version": SCHEMA_VERSION,
            "log2_buckets": schema.log2_buckets(),
            "bigrams": schema.bigrams() == Bigrams::With,
        },
        "models": models,
        "operating_points": points,
        "standing": {"best_single": standing.best_single, "sentence": standing.sentence},
        "provenance": {
            "origin": provenance.origin,
            "data_sha256": provenance.data_digest,
            "n_requests": provenance.n_requests,
            "n_outcomes": provenance.n_outcomes,
            "seed": provenance.seed,
            "version": provenance.version,
            "settings": provenance.settings,
        },
    })
}
