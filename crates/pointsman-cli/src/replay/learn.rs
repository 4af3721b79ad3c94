//! A policy from some rows of the past, by the same steps as `train` takes.

use super::{
    setting::Setting,
    stream::{Known, Stream, Table},
};
use crate::{
    commands::train::{Source, learn},
    load,
    policy_flags::LoadedPolicy,
    screen::Screen,
    what_if::WhatIf,
};
use anyhow::Result;
use pointsman_core::{artifact::Origin, catalog::Catalog};
use pointsman_data::{LoggedRow, TrafficLog};
use pointsman_train::{
    outcomes::Outcomes,
    train::{LEAST_ROWS, TrainError, TrainingSet},
};
use std::ops::Range;

/// What a fit is made with, besides its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct With<'a> {
    pub(super) setting: &'a Setting,
    pub(super) catalog: Option<&'a Catalog>,
    pub(super) what_if: &'a WhatIf,
}

/// The rows of a stretch that are fitted: all, or as many as may be, drawn by `draws`, one number in
/// `[0, 1)` for each row of the stream.
pub(super) fn remembered(rows: Range<usize>, most: usize, draws: &[f64]) -> Vec<u32> {
    let share = pointsman_core::units::len_as_float(most)
        / pointsman_core::units::len_as_float(rows.len().max(1));
    let is_kept = |row: &usize| 1.0 <= share || draws.get(*row).is_none_or(|draw| *draw < share);
    rows.filter(is_kept).filter_map(|row| u32::try_from(row).ok()).collect()
}

/// Learns from some rows; `None` where they are too few, or of too few models or groups.
pub(super) fn learned(
    stream: &Stream,
    rows: &[u32],
    with: With<'_>,
) -> Result<Option<LoadedPolicy>> {
    if rows.len() < LEAST_ROWS {
        return Ok(None);
    }
    let found = match &stream.known {
        Known::Log(log) => from_log(stream, log, rows, with),
        Known::Table(table) => from_table(stream, table, rows, with),
    };
    match found {
        Err(error) if is_too_little(&error) => Ok(None),
        other => other,
    }
}

fn is_too_little(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<TrainError>();
    error.is_some_and(|error| {
        matches!(error, TrainError::TooFewRows { .. } | TrainError::TooFewGroups { .. })
    })
}

fn from_log(
    stream: &Stream,
    log: &TrafficLog,
    rows: &[u32],
    with: With<'_>,
) -> Result<Option<LoadedPolicy>> {
    let picked: Vec<&LoggedRow> = rows.iter().map(|&row| &log.rows[row as usize]).collect();
    let Some(first) = picked.first() else { return Ok(None) };
    if picked.iter().all(|row| row.taken == first.taken) {
        return Ok(None);
    }
    let (models, outcomes) = load::outcomes_of(&log.models, &picked, with.catalog)?;
    fit(stream, (rows, Origin::TrafficLog), (&models, &outcomes), with).map(Some)
}

fn from_table(
    stream: &Stream,
    table: &Table,
    rows: &[u32],
    with: With<'_>,
) -> Result<Option<LoadedPolicy>> {
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
    fit(stream, (rows, Origin::OutcomeTable), (&stream.models, &outcomes), with).map(Some)
}

fn fit(
    stream: &Stream,
    (rows, origin): (&[u32], Origin),
    (models, outcomes): (&[String], &Outcomes),
    with: With<'_>,
) -> Result<LoadedPolicy> {
    let With { setting, catalog, what_if } = with;
    let of_stream = || rows.iter().map(|&row| row as usize);
    let design = stream.design.select(rows);
    let groups: Vec<u64> = of_stream().map(|row| stream.group(row)).collect();
    let input_tokens: Vec<Option<u32>> = of_stream().map(|row| stream.input_tokens(row)).collect();
    let all: Vec<u32> = (0..u32::try_from(rows.len())?).collect();
    let set = TrainingSet {
        design: &design,
        outcomes,
        groups: &groups,
        input_tokens: &input_tokens,
        rows: &all,
    };
    let source = Source {
        name: setting.name.clone(),
        origin,
        data_digest: &stream.digest,
        seed: setting.learning.seed,
        row_ids: of_stream().map(|row| stream.id(row)).collect(),
        models,
        estimated: None,
    };
    // One bar shows the whole walk; those of single fits stay hidden.
    let hushed = Screen::new(true);
    let (artifact, _) = learn(&set, &setting.learning.config()?, source, &hushed)?;
    what_if.apply(setting.flags.apply(artifact, setting.name.clone(), catalog)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_memory_is_drawn_from_evenly() {
        let draws: Vec<f64> = (0..100).map(|row| f64::from(row * 37 % 100) / 100.0).collect();
        assert_eq!(remembered(20..60, 40, &draws).len(), 40);
        assert_eq!(remembered(20..60, 99, &[]).len(), 40);
        let half = remembered(0..100, 50, &draws);
        assert_eq!(half.len(), 50);
        assert!(half.is_sorted());
        assert!(remembered(7..7, 50, &draws).is_empty());
    }
}
