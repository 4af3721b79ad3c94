//! How often edits that change nothing about a prompt change the choice, and what that costs.
//!
//! The choice is the one that ignores cost, since nothing but the prompt decides it. Policies are
//! the cross-fitted ones of the benchmark; a prompt is edited only where it tests. A flip among
//! models that are predicted alike does little harm, so what flips do to quality is reported
//! beside how many there are. Weakness: outcomes are those of the unedited prompt, which is what
//! "changes nothing" means.
//!
//! A margin lowers flips: the router leaves the model that is best over the training part only
//! for a lead of at least the margin, as it was predicted.

use super::{Again, edits::Edit};
use crate::{
    routers::{Predictions, TableResult},
    screen::Screen,
};
use anyhow::Result;
use pointsman_core::{
    request::{Request, Role},
    scorer::Scorer,
    units::len_as_float,
};
use pointsman_data::{TrainTest, read_outcomes};
use pointsman_eval::{
    full::{MeanValue, mean_value, paired_difference},
    interval::ConfidenceLevel,
};
use pointsman_train::{
    design::{Design, DesignBuilder},
    train::Trained,
};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Leads that the router is asked for before it leaves the best model, in quality points.
const MARGINS: [f64; 5] = [0.0, 0.005, 0.01, 0.02, 0.05];

/// A lead below this is a near tie.
const NEAR: f64 = 0.01;

/// The edited prompts and what is predicted for them.
pub(super) struct Robustness {
    edited: Vec<Edited>,
    original: Predictions,
    /// By test row, the model that is best over its training part.
    best: Vec<usize>,
}

/// One kind of edit on every prompt.
struct Edited {
    edit: Edit,
    design: Design,
    /// By row of the matrix, whether there was anything to edit.
    is_changed: Vec<bool>,
    predictions: Predictions,
    /// By test row.
    is_tested: Vec<bool>,
}

/// What one kind of edit does to the choices, with one margin.
struct Flips {
    n_prompts: usize,
    /// Prompts whose choice is another after the edit.
    n_changed: usize,
    /// Flips whose lead on the unedited prompt was a near tie.
    n_near: usize,
    /// The quality of the choice after the edit less that before, over prompts that were edited;
    /// `None` where these are fewer than two.
    change: Option<MeanValue>,
}

impl Robustness {
    /// Reads the table's prompts again and edits them.
    pub(super) fn read(again: &Again<'_>, seed: u64) -> Result<Self> {
        let Again { paths, options, loaded, screen } = again;
        let schema = loaded.design.schema();
        let mut builders: Vec<(DesignBuilder, Vec<bool>)> =
            Edit::ALL.iter().map(|_| (DesignBuilder::new(schema), Vec::new())).collect();
        let bar = screen.progress("editing prompts", loaded.table.prompts.len() as u64);
        read_outcomes(paths, options, &mut |_, request| {
            for (edit, (builder, is_changed)) in Edit::ALL.iter().zip(&mut builders) {
                let edited = edited(request, *edit, seed);
                is_changed.push(edited.is_some());
                builder.push(edited.as_ref().unwrap_or(request));
            }
            bar.inc(1);
        })?;
        bar.finish_and_clear();
        let prompts = &loaded.matrix.prompts;
        let edited = Edit::ALL.into_iter().zip(builders).map(|(edit, (builder, is_changed))| {
            let is_changed = prompts.iter().map(|&prompt| is_changed[prompt as usize]).collect();
            let design = builder.finish().select(prompts);
            let predictions = Predictions::default();
            Edited { edit, design, is_changed, predictions, is_tested: Vec::new() }
        });
        let edited = edited.collect();
        Ok(Self { edited, original: Predictions::default(), best: Vec::new() })
    }

    /// Predicts for the edited test prompts of one part, after those of the parts before.
    pub(super) fn add(
        &mut self,
        again: &Again<'_>,
        part: &TrainTest,
        trained: &Trained,
    ) -> Result<()> {
        let scorer = Scorer::new(trained.parts.clone())?;
        self.original.extend(&scorer, &again.loaded.design, &part.test);
        self.best.extend(part.test.iter().map(|_| first_best(&trained.mean_quality)));
        for edited in &mut self.edited {
            edited.predictions.extend(&scorer, &edited.design, &part.test);
            let is_changed = |&row: &u32| edited.is_changed[row as usize];
            edited.is_tested.extend(part.test.iter().map(is_changed));
        }
        Ok(())
    }

    /// Says what was found; the JSON of it.
    pub(super) fn report(&self, result: &TableResult, screen: &Screen) -> Result<Value> {
        screen.say(
            "\nedits of test prompts; the choice that ignores cost, 95 % intervals over prompts:",
        )?;
        let found: Vec<(Edit, Flips)> = self
            .edited
            .iter()
            .map(|edited| Ok((edited.edit, self.flips(edited, 0.0, result)?)))
            .collect::<Result<_>>()?;
        let rows = found.iter().map(|(edit, flips)| {
            let (lower, upper) = wilson(flips.n_changed, flips.n_prompts);
            let change = flips.change.as_ref().map_or_else(|| "-".to_owned(), signed);
            [
                edit.name().to_owned(),
                crate::wording::length(flips.n_prompts),
                format!(
                    "{:.2} % [{:.2}, {:.2}]",
                    100.0 * flips.rate(),
                    100.0 * lower,
                    100.0 * upper
                ),
                crate::wording::length(flips.n_near),
                change,
            ]
        });
        let near = format!("of {NEAR} or less");
        let header = ["edit", "prompts", "choices that flip", &near, "change of quality"];
        screen.table(header, rows)?;
        let margins = MARGINS.iter().map(|&margin| self.with_margin(margin, result));
        let margins: Vec<(f64, f64, MeanValue, MeanValue)> = margins.collect::<Result<_>>()?;
        screen.say("\nleaving the best model of the training part only for a predicted lead:")?;
        let rows = margins.iter().map(|(margin, rate, quality, difference)| {
            [
                format!("{margin}"),
                format!("{:.2} %", 100.0 * rate),
                format!("{:.4}", quality.value),
                signed(difference),
            ]
        });
        screen.table(["lead of", "flips, all edits", "quality", "against no margin"], rows)?;
        let edits: Map<String, Value> = found
            .iter()
            .map(|(edit, flips)| (edit.name().to_owned(), flips.json(edit.meaning())))
            .collect();
        let margins: Vec<Value> = margins
            .iter()
            .map(|(margin, rate, quality, difference)| {
                json!({
                    "margin": margin,
                    "flip_rate": rate,
                    "quality": super::interval_json(quality),
                    "difference": super::interval_json(difference),
                })
            })
            .collect();
        Ok(json!({"edits": edits, "margins": margins}))
    }

    /// Flips over all edits together, and the quality of the unedited choices.
    fn with_margin(
        &self,
        margin: f64,
        result: &TableResult,
    ) -> Result<(f64, f64, MeanValue, MeanValue)> {
        let (mut n_flips, mut n_prompts) = (0, 0);
        for edited in &self.edited {
            let flips = self.flips(edited, margin, result)?;
            n_flips += flips.n_changed;
            n_prompts += flips.n_prompts;
        }
        let level = ConfidenceLevel::P95;
        let (with, without) =
            (self.quality_of_choices(margin, result), self.quality_of_choices(0.0, result));
        let rate = len_as_float(n_flips) / len_as_float(n_prompts.max(1));
        let difference = paired_difference(&with, &without, level)?;
        Ok((margin, rate, mean_value(&with, level)?, difference))
    }

    fn quality_of_choices(&self, margin: f64, result: &TableResult) -> Vec<f64> {
        let n_models = result.test.n_models;
        let rows =
            result.test.quality.chunks_exact(n_models).zip(self.choices(&self.original, margin));
        rows.map(|(quality, choice)| quality[choice]).collect()
    }

    /// By test row.
    fn choices<'s>(
        &'s self,
        predictions: &'s Predictions,
        margin: f64,
    ) -> impl Iterator<Item = usize> + 's {
        let n_models = predictions.quality.len() / self.best.len().max(1);
        let rows = predictions.quality.chunks_exact(n_models.max(1)).zip(&self.best);
        rows.map(move |(row, &best)| {
            let first = first_best(row);
            if row[first] - row[best] < margin { best } else { first }
        })
    }

    fn flips(&self, edited: &Edited, margin: f64, result: &TableResult) -> Result<Flips> {
        let n_models = result.test.n_models;
        let before = self.choices(&self.original, margin);
        let after = self.choices(&edited.predictions, margin);
        let mut flips = Flips { n_prompts: 0, n_changed: 0, n_near: 0, change: None };
        let mut changes = Vec::new();
        for (row, (before, after)) in before.zip(after).enumerate() {
            if !edited.is_tested[row] {
                continue;
            }
            let at = |all: &[f64], model: usize| all[row * n_models + model];
            let quality = &result.test.quality;
            flips.n_prompts += 1;
            flips.n_changed += usize::from(before != after);
            let lead = at(&self.original.quality, before) - at(&self.original.quality, after);
            flips.n_near += usize::from(before != after && lead <= NEAR);
            changes.push(at(quality, after) - at(quality, before));
        }
        if 1 < changes.len() {
            flips.change = Some(mean_value(&changes, ConfidenceLevel::P95)?);
        }
        Ok(flips)
    }
}

impl Flips {
    fn rate(&self) -> f64 {
        len_as_float(self.n_changed) / len_as_float(self.n_prompts.max(1))
    }

    fn json(&self, meaning: &str) -> Value {
        let (lower, upper) = wilson(self.n_changed, self.n_prompts);
        json!({
            "meaning": meaning,
            "n_prompts": self.n_prompts,
            "n_flips": self.n_changed,
            "n_near_ties": self.n_near,
            "flip_rate": {"value": self.rate(), "lower": lower, "upper": upper, "level": 0.95},
            "quality_change": self.change.as_ref().map(super::interval_json),
        })
    }
}

/// The request with its last user message edited; `None` where that changes nothing.
fn edited<'r>(request: &Request<'r>, edit: Edit, seed: u64) -> Option<Request<'r>> {
    let at = request.messages.iter().rposition(|message| message.role == Role::User)?;
    let text = edit.apply(&request.messages[at].text, seed);
    if text == *request.messages[at].text {
        return None;
    }
    let mut messages = request.messages.clone().into_owned();
    messages[at].text = Cow::Owned(text);
    Some(Request { messages: Cow::Owned(messages), ..request.clone() })
}

/// The first of the largest.
fn first_best(values: &[f64]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if values[best] < *value {
            best = index;
        }
    }
    best
}

fn signed(found: &MeanValue) -> String {
    let interval = &found.interval;
    format!("{:+.4} [{:+.4}, {:+.4}]", found.value, interval.lower, interval.upper)
}

/// A 95 % interval of a share; the whole range where nothing was counted.
///
/// Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA
/// 22 (1927).
fn wilson(n_hits: usize, n: usize) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n_hits, n) = (len_as_float(n_hits), len_as_float(n));
    let share = n_hits / n;
    let shrunk = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / shrunk;
    let half = Z / shrunk * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against Wilson's formula worked by hand: 1 of 10.
    #[test]
    fn intervals_of_shares_keep_inside() {
        let (lower, upper) = wilson(1, 10);
        assert!((lower - 0.017_876).abs() < 1e-5 && (upper - 0.404_150).abs() < 1e-5);
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        let (lower, upper) = wilson(0, 50);
        assert!(lower < 1e-12 && 0.05 < upper && upper < 0.1);
    }

    #[test]
    fn the_last_question_is_edited_and_nothing_else() {
        let request = Request::from_prompt("What is colour?");
        let found = edited(&request, Edit::Spelling, 0).unwrap();
        assert_eq!(found.messages[0].text, "What is color?");
        assert!(edited(&Request::from_prompt("What now?"), Edit::Spelling, 0).is_none());
        assert!(edited(&Request::default(), Edit::Case, 0).is_none());
    }
}
