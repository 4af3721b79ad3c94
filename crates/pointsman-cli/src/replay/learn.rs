//! A policy from some rows of the past, by the same steps as `train` takes, or with what held-out
//! rows decided at an earlier fit.
//!
//! Most of what `train` takes is comparing ways to learn on held-out rows. A fit may take over what an
//! earlier one of the same models decided, so that a replay asks held-out rows now and then and not
//! before every window. Of many rows, some are asked, drawn evenly.

use super::{
    logged::Logged,
    setting::Setting,
    stream::{Known, Stream, Table},
};
use crate::{
    commands::train::{Source, artifact_of},
    load::{self, Drawn},
    policy_flags::LoadedPolicy,
    what_if::WhatIf,
};
use anyhow::Result;
use pointsman_core::{artifact::Origin, catalog::Catalog, units::len_as_float};
use pointsman_data::keyed_draw;
use pointsman_train::{
    design::Design,
    outcomes::Outcomes,
    train::{
        Decided, LEAST_ROWS, TrainConfig, TrainError, Trained, TrainingSet, decide, train, train_as,
    },
};
use std::ops::Range;

/// Of more rows than this, so many are asked how to learn; all are learned from.
pub(super) const MOST_ASKED: usize = 40_000;

/// What a fit is made with, besides its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct With<'a> {
    pub(super) setting: &'a Setting,
    pub(super) catalog: Option<&'a Catalog>,
    pub(super) what_if: &'a WhatIf,
    /// What may be taken over, where it is about the same models.
    pub(super) selection: Option<&'a Selection>,
}

/// What held-out rows decided, and about which models.
#[derive(Debug)]
pub(super) struct Selection {
    models: Vec<String>,
    decided: Decided,
}

/// What came of a fit.
pub(super) struct Learned {
    pub(super) loaded: LoadedPolicy,
    pub(super) how: How,
}

/// Where a fit has its strengths from.
#[derive(Debug)]
pub(super) enum How {
    /// Held-out rows were asked; what they decided, where a later fit may take it over.
    Selected(Option<Box<Selection>>),
    /// They had been asked before.
    TakenOver,
    /// They stand in a flag.
    Given,
}

/// The rows of a stretch that are fitted: all, or the newest that may be.
pub(super) fn remembered(rows: Range<usize>, most: usize) -> Range<usize> {
    rows.start.max(rows.end.saturating_sub(most))..rows.end
}

/// Learns from some rows; `None` where they are too few, or of too few models or groups.
pub(super) fn learned(
    stream: &mut Stream,
    rows: Range<usize>,
    with: With<'_>,
) -> Result<Option<Learned>> {
    if rows.len() < LEAST_ROWS {
        return Ok(None);
    }
    let rows: Vec<u32> = rows.map(u32::try_from).collect::<Result<_, _>>()?;
    let design = stream.features.select(&rows)?;
    let stream = &*stream;
    let found = match &stream.known {
        Known::Log(log) => from_log(stream, log, (&rows, &design), with),
        Known::Table(table) => from_table(stream, table, (&rows, &design), with),
    };
    match found {
        Err(error) if error.downcast_ref().is_some_and(is_too_little) => Ok(None),
        other => other,
    }
}

fn is_too_little(error: &TrainError) -> bool {
    matches!(error, TrainError::TooFewRows { .. } | TrainError::TooFewGroups { .. })
}

fn from_log(
    stream: &Stream,
    log: &Logged,
    (rows, design): (&[u32], &Design),
    with: With<'_>,
) -> Result<Option<Learned>> {
    let picked: Vec<Drawn> = rows.iter().map(|&row| log.rows[row as usize].drawn()).collect();
    let Some(first) = picked.first() else { return Ok(None) };
    if picked.iter().all(|row| row.taken == first.taken) {
        return Ok(None);
    }
    let (models, outcomes) = load::outcomes_of(&log.models, picked.iter().copied(), with.catalog)?;
    fit(stream, (rows, design, Origin::TrafficLog), (&models, &outcomes), with).map(Some)
}

fn from_table(
    stream: &Stream,
    table: &Table,
    (rows, design): (&[u32], &Design),
    with: With<'_>,
) -> Result<Option<Learned>> {
    let n_models = stream.models.len();
    let picked = |row: &u32| {
        let start = *row as usize * n_models;
        start..start + n_models
    };
    let quality =
        rows.iter().flat_map(|row| &table.quality[picked(row)]).map(|&q| load::narrow(q)).collect();
    let costs = table.cost_usd.as_ref();
    let costs =
        costs.map(|all| rows.iter().flat_map(|row| &all[picked(row)]).copied().collect::<Vec<_>>());
    let has_tokens = table.output_tokens.iter().any(Option::is_some);
    let tokens = has_tokens.then(|| {
        let cells = rows.iter().flat_map(|row| &table.output_tokens[picked(row)]);
        cells
            .map(|tokens| tokens.map_or(f32::NAN, |count| load::narrow(f64::from(count))))
            .collect()
    });
    let outcomes = Outcomes::full(n_models, quality, costs, tokens)?;
    fit(stream, (rows, design, Origin::OutcomeTable), (&stream.models, &outcomes), with).map(Some)
}

fn fit(
    stream: &Stream,
    (rows, design, origin): (&[u32], &Design, Origin),
    (models, outcomes): (&[String], &Outcomes),
    with: With<'_>,
) -> Result<Learned> {
    let With { setting, catalog, what_if, selection } = with;
    let of_stream = || rows.iter().map(|&row| row as usize);
    let groups: Vec<u64> = of_stream().map(|row| stream.group(row)).collect();
    let input_tokens: Vec<Option<u32>> = of_stream().map(|row| stream.input_tokens(row)).collect();
    let all: Vec<u32> = (0..u32::try_from(rows.len())?).collect();
    let set =
        TrainingSet { design, outcomes, groups: &groups, input_tokens: &input_tokens, rows: &all };
    let config = setting.learning.config()?;
    let known = selection.filter(|selection| selection.models == models);
    let (trained, how) = if let Some(selection) = known {
        (train_as(&set, &selection.decided, &|_| ())?, How::TakenOver)
    } else {
        let seed = setting.learning.seed;
        let asked = asked(rows.len(), |at| keyed_draw(seed, stream.id(rows[at] as usize)));
        let (trained, decided) = selected(&set, &config, &asked)?;
        let about = |decided| Box::new(Selection { models: models.to_vec(), decided });
        let is_given = setting.learning.penalty.is_some();
        (trained, if is_given { How::Given } else { How::Selected(decided.map(about)) })
    };
    let source = Source {
        name: setting.name.clone(),
        origin,
        data_digest: &stream.digest,
        seed: setting.learning.seed,
        row_ids: Vec::new(),
        models,
        estimated: None,
    };
    let artifact = artifact_of(&trained, &set, source)?;
    let loaded = setting.flags.apply(artifact, setting.name.clone(), catalog)?;
    Ok(Learned { loaded: what_if.apply(loaded)?, how })
}

/// Which of so many rows are asked how to learn: all, or some by what `draw` gives in `[0, 1)`.
fn asked(n_rows: usize, draw: impl Fn(usize) -> f64) -> Vec<u32> {
    let share = len_as_float(MOST_ASKED) / len_as_float(n_rows.max(1));
    let is_asked = |at: &usize| 1.0 <= share || draw(*at) < share;
    (0..n_rows).filter(is_asked).filter_map(|at| u32::try_from(at).ok()).collect()
}

/// Learns with held-out rows to decide how; what they decided, where a later fit may take it over.
fn selected(
    set: &TrainingSet<'_>,
    config: &TrainConfig,
    asked: &[u32],
) -> Result<(Trained, Option<Decided>)> {
    if asked.len() < set.rows.len() && config.decides_once() {
        let found = decide(&TrainingSet { rows: asked, ..*set }, config, &|_| ());
        // Some of the rows may have too little of a model of which all have enough.
        let is_rare = |error: &TrainError| {
            is_too_little(error) || matches!(error, TrainError::NoOutcome { .. })
        };
        match found {
            Ok(Some(decided)) => {
                return Ok((train_as(set, &decided, &|_| ())?, Some(decided)));
            }
            Err(error) if !is_rare(&error) => return Err(error.into()),
            Ok(None) | Err(_) => {}
        }
    }
    let trained = train(set, config, &|_| ())?;
    let decided = trained.decided.clone();
    Ok((trained, decided))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_large_memory_the_newest_rows_are_fitted() {
        assert_eq!(remembered(20..60, 40), 20..60);
        assert_eq!(remembered(20..60, 99), 20..60);
        assert_eq!(remembered(0..100, 30), 70..100);
        assert!(remembered(7..7, 50).is_empty());
    }

    #[test]
    fn many_rows_are_asked_evenly() {
        let draw = |at: usize| len_as_float(at * 37 % 100) / 100.0;
        assert_eq!(asked(60, draw).len(), 60);
        assert_eq!(asked(MOST_ASKED, draw).len(), MOST_ASKED);
        let half = asked(2 * MOST_ASKED, draw);
        assert_eq!(half.len(), MOST_ASKED);
        assert!(half.is_sorted());
    }
}
