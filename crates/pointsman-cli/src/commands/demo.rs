//! `pointsman demo`: everything once, on the sample: learn, evaluate, report, decide, escalate.
//!
//! The sample is simulated, so what a policy would have done is known for every model and the
//! estimate from the log can be held against it.

mod escalation;

use super::train;
use crate::{
    dictionary::DictionaryFlags,
    estimated::EstimateFlags,
    evaluation::{self, Largest, RewardModel, Settings},
    files,
    point_flags::PointFlags,
    policy_flags::{LoadedPolicy, PolicyFlags},
    report::{Candidate, Report, SampleDecision, TermContribution, ValueRow, render_html},
    screen::{self, Screen},
    what_if::WhatIf,
    wording,
};
use anyhow::{Result, bail};
use pointsman_core::{
    artifact::Artifact,
    catalog::Catalog,
    explain::explain,
    policy::Workspace,
    request::Request,
    units::{Probability, Usd},
};
use pointsman_data::{
    LogOptions, LoggerKind, ReadOptions, SimulateOptions, SimulatedPart, simulate,
};
use pointsman_eval::interval::ConfidenceLevel;
use std::path::{Path, PathBuf};

/// Flags of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder with `outcomes.parquet`, `catalog.toml` and perhaps `answers.parquet`; the
    /// project's own where not given.
    #[arg(long, value_name = "FOLDER")]
    sample: Option<PathBuf>,
    /// Where everything goes.
    #[arg(long, value_name = "FOLDER", default_value = "reports/demo")]
    out: PathBuf,
    /// Seeds the simulated draws.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What is routed at the end.
const PROMPTS: [&str; 4] = [
    "Thanks a lot for your help yesterday! How was your weekend?",
    "Fix this Rust function so that it compiles, and explain the borrow checker's complaint: \
     fn first(v: &Vec<String>) -> String { v[0] }",
    "Translate into German and keep the polite form: Could you please send me the invoice again?",
    "A train leaves at 08:15 with 72 km/h, another at 08:40 with 96 km/h on the same line. After \
     how many minutes does the second one catch up? Show each step and check the result.",
];

/// The operating points that are compared.
const POINTS: [&str; 3] = ["balanced", "quality", "economy"];

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    files::check_folder(&args.out)?;
    let sample = sample_folder(args.sample.as_deref())?;
    let (table, catalog_path) = (sample.join("outcomes.parquet"), sample.join("catalog.toml"));
    let catalog = files::read_catalog(&catalog_path)?;
    let at = |name: &str| args.out.join(name);
    screen.say("Simulated data: the prompts, models and prices of this demo do not exist.\n")?;

    screen.say("1. A log, as a gateway that explores a little would write it")?;
    write_log(&table, (args.seed, SimulatedPart::TrainOf(0)), &at("log.parquet"), screen)?;
    write_log(&table, (args.seed + 1, SimulatedPart::All), &at("later-log.parquet"), screen)?;

    screen.say("\n2. A policy, learned from that log alone")?;
    let policy = at("policy.safetensors");
    train::run(&train_args(&at("log.parquet"), &catalog_path, &policy), screen)?;

    screen.say("\n3. What it would have done, on prompts it has not seen")?;
    let report = evaluate(args, &table, &catalog, &policy, screen)?;
    screen.say(&super::evaluate::text_of_values(&report))?;
    screen.say(&format!("\n{}", coverage(&report)))?;
    files::write(&at("report.html"), render_html(&report)?.as_bytes())?;
    screen::json(Some(&at("report.json")), &serde_json::to_value(&report)?)?;

    screen.say("\n4. A few decisions, with what moved them")?;
    for decision in &report.decisions {
        screen.say(&format!("  {}\n    → {}", decision.prompt_excerpt, decision.reason))?;
    }
    screen.say("\n5. After an answer: accept it, or call another model")?;
    let places = escalation::Places { sample: &sample, catalog: &catalog_path, out: &args.out };
    escalation::show(&places, &catalog, screen)?;
    screen.say(&format!(
        "\nThe report is {}; beside it lie the logs, the truth that was kept aside, the\n\
         policies, report.json and escalation.json. Next: pointsman inspect {}",
        at("report.html").display(),
        policy.display(),
    ))
}

/// Which of the log's intervals hold the truth that stands above them.
fn coverage(report: &Report) -> String {
    let truth = |name: &str| report.values.iter().find(|row| row.policy == name)?.value;
    let held = |name: &str| {
        let row = report.values.iter().find(|row| row.policy == from_log(name))?;
        Some((row.lower?..=row.upper?).contains(&truth(name)?))
    };
    let outcome = |name: &&str| match held(name) {
        Some(true) => format!("{name} yes"),
        Some(false) => format!("{name} no"),
        None => format!("{name} not known"),
    };
    let all: Vec<String> = POINTS.iter().map(outcome).collect();
    format!("Does the log's interval hold the truth? {} (95 of 100 should).", all.join(", "))
}

/// The name of a policy's estimate from the log.
fn from_log(policy: &str) -> String {
    format!("{policy}, from a log")
}

/// The sample below the current folder, or else where this binary was built.
fn sample_folder(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let built_at = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample");
    let places = [PathBuf::from("datasets/sample"), built_at];
    match places.into_iter().find(|place| place.join("outcomes.parquet").is_file()) {
        Some(place) => Ok(place),
        None => {
            bail!("datasets/sample is not here; run this in the project's folder, or pass --sample")
        }
    }
}

fn write_log(
    table: &Path,
    (seed, part): (u64, SimulatedPart),
    out: &Path,
    screen: &Screen,
) -> Result<()> {
    let options = SimulateOptions {
        logger: LoggerKind::Softmax { temperature: 0.1, uniform_share: 0.1 },
        seed,
        part,
        read: ReadOptions::default(),
    };
    let summary = simulate(&[table.to_owned()], &options, out, &mut || ())?;
    screen.say(&format!(
        "  {}: {} decisions, one outcome each, drawn by softmax over the models' means\n  \
         and 10 % uniform; as logged, quality is {:.4}",
        out.display(),
        wording::length(summary.n_prompts),
        summary.logger_quality,
    ))
}

fn train_args(log: &Path, catalog: &Path, out: &Path) -> train::Args {
    train::Args {
        log: vec![log.to_owned()],
        table: Vec::new(),
        catalog: Some(catalog.to_owned()),
        out: out.to_owned(),
        name: Some("demo".to_owned()),
        pruning: train::PruneFlags::default(),
        points: PointFlags::default(),
        estimates: EstimateFlags::default(),
        answers: train::AnswerFlags::default(),
        dictionary: DictionaryFlags::default(),
        learning: train::LearningFlags {
            seed: 0,
            penalty: None,
            loss: train::Loss::Squared,
            doubly_robust: false,
            words_only: false,
            buckets: 18,
            schema_version: None,
            max_mb: None,
        },
        quality_range: None,
        quality_metric: None,
        json: None,
    }
}

/// The truth first, then what the log alone would have said of the same prompts.
fn evaluate(
    args: &Args,
    table: &Path,
    catalog: &Catalog,
    policy: &Path,
    screen: &Screen,
) -> Result<Report> {
    let artifact = files::read_artifact(policy)?;
    let settings = Settings {
        policies: at_points(&artifact, catalog)?,
        against: None,
        level: ConfidenceLevel::P95,
        include_trained: false,
        width: evaluation::WIDTH,
        estimating: None,
        reward_model: RewardModel::Policy,
        largest: Largest::default(),
        slices: Vec::new(),
        what_if: WhatIf::default(),
        catalog: None,
        command: "pointsman demo".to_owned(),
    };
    let mut report = evaluation::table::evaluate(
        (&[table.to_owned()], &[]),
        &ReadOptions::default(),
        &settings,
        screen,
    )?;
    let later = args.out.join("later-log.parquet");
    let estimated =
        evaluation::logged::evaluate(&[later], &LogOptions::default(), &settings, screen)?;
    let estimated_row = |mut row: ValueRow| {
        row.policy = from_log(&row.policy);
        "estimated from one outcome per prompt; the truth stands above".clone_into(&mut row.note);
        row
    };
    let is_policy = |row: &ValueRow| settings.policies.iter().any(|p| p.name == row.policy);
    let is_default = |row: &ValueRow| is_policy(row) && row.estimator != "IPS";
    report.values.splice(
        settings.policies.len()..settings.policies.len(),
        estimated.values.into_iter().filter(is_default).map(estimated_row),
    );
    report.diagnostics.extend(estimated.diagnostics);
    "Pointsman demo: learned from a log, held against the truth".clone_into(&mut report.title);
    report.simulated = true;
    report.decisions = sample_decisions(&settings.policies[0])?;
    Ok(report)
}

fn at_points(artifact: &Artifact, catalog: &Catalog) -> Result<Vec<LoadedPolicy>> {
    let load = |name: &str| {
        let flags = PolicyFlags { objective: Some(name.to_owned()), ..PolicyFlags::default() };
        flags.apply(artifact.clone(), name.to_owned(), Some(catalog))
    };
    POINTS.into_iter().map(load).collect()
}

fn sample_decisions(loaded: &LoadedPolicy) -> Result<Vec<SampleDecision>> {
    let mut workspace = Workspace::new(&loaded.policy);
    PROMPTS.into_iter().map(|prompt| sample_decision(loaded, prompt, &mut workspace)).collect()
}

fn sample_decision(
    loaded: &LoadedPolicy,
    prompt: &str,
    workspace: &mut Workspace,
) -> Result<SampleDecision> {
    let request = Request::from_prompt(prompt);
    let decision = loaded.policy.decide(&request, Probability::ZERO, workspace)?;
    let made = (workspace.candidates(), workspace.scores());
    let explanation = explain(&loaded.policy, &request, decision.model, made);
    let names: Vec<&str> = loaded.policy.models().collect();
    let chosen = names[decision.model];
    let expected = workspace.candidates()[decision.model].expected;
    let words: Vec<String> = explanation
        .terms
        .iter()
        .filter(|effect| 0.0 < effect.quality)
        .take(3)
        .map(|effect| format!("“{}”", wording::excerpt(&effect.source, 30)))
        .collect();
    let cost = expected.cost.map_or(0.0, Usd::as_dollars);
    let moved = if words.is_empty() {
        "no word speaks for it".to_owned()
    } else {
        format!("spoken for by {}", words.join(", "))
    };
    let reason = format!(
        "{chosen}: predicted quality {} at {} per 1,000 requests; {moved}",
        wording::predicted(expected.quality),
        wording::per_thousand(cost),
    );
    let candidate = |(model, name): (usize, &&str)| {
        let candidate = &workspace.candidates()[model];
        Candidate {
            model: (*name).to_owned(),
            quality: Some(candidate.expected.quality.clamp(0.0, 1.0)),
            cost_usd: candidate.expected.cost.map(Usd::as_dollars),
            probability: candidate.probability,
            excluded_by: candidate.excluded_by.map(|reason| reason.to_string()),
        }
    };
    let term = |effect: &pointsman_core::explain::Effect| TermContribution {
        text: wording::excerpt(&effect.source, 40),
        contribution: effect.quality,
    };
    Ok(SampleDecision {
        prompt_excerpt: wording::excerpt(prompt, 110),
        chosen: chosen.to_owned(),
        reason,
        candidates: names.iter().enumerate().map(candidate).collect(),
        terms: explanation.terms.iter().take(6).map(term).collect(),
    })
}
