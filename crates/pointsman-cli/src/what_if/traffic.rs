//! Another mix of traffic, drawn from the rows that there are.
//!
//! Each row is kept with its weight over the largest weight of any row as its probability, so the
//! rows that are left come as often as was asked, and are as independent as all were before.

use anyhow::{Result, bail};
use pointsman_data::keyed_draw;
use std::collections::BTreeSet;

/// Seeds the draws; the same rows are kept in every run.
const SEED: u64 = 0x6d69_7865_6421;

/// How often requests of each task come, against how often they came; those not named weigh one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Mix {
    weights: Vec<(String, f64)>,
}

impl Mix {
    pub(super) fn new(weights: impl Iterator<Item = (String, f64)>) -> Result<Self> {
        let weights: Vec<(String, f64)> = weights.collect();
        for (index, (task, _)) in weights.iter().enumerate() {
            if weights[..index].iter().any(|(known, _)| known == task) {
                bail!("--traffic: `{task}` is given twice");
            }
        }
        Ok(Self { weights })
    }

    pub(super) fn is_as_logged(&self) -> bool {
        self.weights.is_empty()
    }

    /// Whether a row is kept.
    pub(super) fn keeps(&self, id: &str, task: Option<&str>) -> bool {
        if self.is_as_logged() {
            return true;
        }
        let largest = self.weights.iter().map(|(_, weight)| *weight).fold(1.0, f64::max);
        let named = self.weights.iter().find(|(name, _)| Some(name.as_str()) == task);
        let weight = named.map_or(1.0, |(_, weight)| *weight);
        keyed_draw(SEED, id) < weight / largest
    }

    /// Refuses a task that no row has.
    pub(super) fn check<'t>(&self, tasks: impl Iterator<Item = Option<&'t str>>) -> Result<()> {
        if self.is_as_logged() {
            return Ok(());
        }
        let known: BTreeSet<&str> = tasks.flatten().collect();
        let Some((task, _)) = self.weights.iter().find(|(task, _)| !known.contains(task.as_str()))
        else {
            return Ok(());
        };
        if known.is_empty() {
            bail!("--traffic {task}: no request is tagged with its task");
        }
        let known: Vec<&str> = known.into_iter().collect();
        bail!("--traffic {task}: no request has that task; the tasks are {}", known.join(", "))
    }

    pub(super) fn note(&self) -> Option<String> {
        let words: Vec<String> =
            self.weights.iter().map(|(task, weight)| format!("{weight} × `{task}`")).collect();
        (!words.is_empty()).then(|| {
            format!(
                "what if the traffic were {}: rows are drawn from the log in that proportion; \
                 people who ask more of a thing may ask other things",
                words.join(", ")
            )
        })
    }
}
