//! What was learned, as it is told: on the card, on the screen, and as JSON.

use crate::{commands::inspect, screen::Screen, wording};
use anyhow::Result;
use pointsman_core::artifact::Artifact;
use pointsman_train::train::{CalibrationValue, LengthValue, SlopeValue, StackValue, Trained};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};

/// What the card says of the fit.
pub(super) fn settings(trained: &Trained) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::from([
        ("solver.iterations".to_owned(), trained.n_iterations.to_string()),
        ("solver.unconverged_columns".to_owned(), trained.n_unconverged.to_string()),
    ]);
    for value in &trained.candidates {
        let name = match value.candidate {
            Some(candidate) => format!("share.{candidate}"),
            None => "share.constant".to_owned(),
        };
        settings.insert(name, format!("{:.4}", value.share));
    }
    if let Some(value) = trained.token_length {
        let LengthValue { shared, own } = value;
        let verdict = if value.is_kept() { "kept" } else { "left out" };
        settings.insert(
            "length.output_tokens".to_owned(),
            format!(
                "own length {verdict}; squared error of held-out logarithms {own:.5}, by the \
                 length of costs {shared:.5}"
            ),
        );
    }
    for (name, slopes) in [
        ("slopes.output_tokens", trained.output_token_slopes),
        ("slopes.cost", trained.cost_slopes),
    ] {
        settings.extend(slopes.map(|slopes| (name.to_owned(), slopes_setting(slopes))));
    }
    settings.extend(
        trained
            .calibration
            .map(|value| ("stack.own_slopes".to_owned(), calibration_setting(value))),
    );
    for stack in &trained.stacks {
        let StackValue { n_clusters, gain, std_error, linear, clusters, is_kept } = stack;
        let name = match n_clusters {
            0 => "stack.linear".to_owned(),
            _ => format!("stack.clusters_{n_clusters:02}"),
        };
        let verdict = match (is_kept, n_clusters) {
            (true, 0) => "kept: it loses nothing on held-out rows".to_owned(),
            (true, _) => "kept: the gain is above one standard error".to_owned(),
            (false, _) => "left out".to_owned(),
        };
        settings.insert(
            name,
            format!(
                "{verdict}; gain {gain:+.5} (standard error {std_error:.5}), linear x {:.3}, clusters x {:.3}",
                linear.own, clusters.own
            ),
        );
    }
    settings
}

/// What slopes of their own are worth to the models' predicted quality, for the card.
fn calibration_setting(value: CalibrationValue) -> String {
    let CalibrationValue { squared_error, gain, std_error, worth } = value;
    let verdict = if value.is_kept() { "kept" } else { "left out" };
    format!(
        "own slopes {verdict}; squared error of held-out quality {squared_error:.5}, less by \
         {gain:.6} with them (standard error {std_error:.6}), choices {worth:+.5}"
    )
}

/// What slopes of their own are worth to the models, for the card.
fn slopes_setting(slopes: SlopeValue) -> String {
    let SlopeValue { common, own } = slopes;
    let verdict = if slopes.is_kept() { "kept" } else { "left out" };
    format!(
        "own slopes {verdict}; squared error of held-out logarithms {own:.5}, with one slope for \
         all {common:.5}"
    )
}

/// Says what was learned, and where it was written.
pub(super) fn describe(
    artifact: &Artifact,
    trained: &Trained,
    out: &Path,
    screen: &Screen,
) -> Result<()> {
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
        inspect::describe_points(card, screen)?;
    }
    inspect::describe_pruning(card, screen)?;
    if 0 < trained.n_unconverged {
        let n = wording::counted_length(trained.n_unconverged, "column", "columns");
        screen.say(&format!("{n} of the fit had not converged; the policy may be off"))?;
    }
    screen.say(&format!("\n{}", card.standing.sentence))?;
    if !card.foresight.is_empty() {
        screen.say(
            "first models are chosen for what may follow their answers; whoever does not ask after \
             an answer sends `\"escalate\": false` with the request",
        )?;
    }
    screen.say(&format!("wrote {} (sha256 {})", out.display(), artifact.digest()))
}

/// What was learned, as JSON.
pub(super) fn summary(artifact: &Artifact, trained: &Trained) -> Value {
    let mut value = inspect::card_json(artifact);
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
    value["candidates"] = trained
        .candidates
        .iter()
        .map(|one| {
            let name = one.candidate.map(|candidate| candidate.to_string());
            json!({"candidate": name, "gain": one.gain, "std_error": one.std_error, "share": one.share})
        })
        .collect();
    value["calibration"] = trained.calibration.map_or(Value::Null, |found| {
        json!({
            "squared_error": found.squared_error,
            "gain": found.gain,
            "std_error": found.std_error,
            "worth": found.worth,
            "is_kept": found.is_kept(),
        })
    });
    value["stacks"] = trained
        .stacks
        .iter()
        .map(|s| {
            json!({
                "n_clusters": s.n_clusters,
                "gain": s.gain,
                "std_error": s.std_error,
                "linear": {"shared": s.linear.shared, "own": s.linear.own},
                "clusters": {"shared": s.clusters.shared, "own": s.clusters.own},
                "is_kept": s.is_kept,
            })
        })
        .collect();
    value
}
