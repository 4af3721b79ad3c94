//! What differs between policies and what they are held against, on an outcome table: by kind of
//! request and by pair of models.

use super::{
    Recorder, Settings, Used,
    moves::{self, Outcomes},
    slices::{self, Kind},
};
use crate::report::{Moves, SliceRow};
use anyhow::Result;
use pointsman_data::{OutcomeMatrix, OutcomeTable};

/// A table, the requests of it that take part, and what was decided on them.
pub(super) struct Tabled<'a> {
    pub(super) table: &'a OutcomeTable,
    pub(super) matrix: &'a OutcomeMatrix,
    pub(super) used: &'a Used,
    /// The language of each prompt of the table.
    pub(super) languages: &'a [&'static str],
    /// On the requests that take part, row after row.
    pub(super) quality: &'a [f64],
    pub(super) cost_usd: Option<&'a [f64]>,
    pub(super) best_single: usize,
    /// Of each policy, that which they are held against last.
    pub(super) recorders: &'a [Recorder<'a>],
    pub(super) shares: Vec<&'a [f64]>,
}

/// Slices, where any are asked for, and moves.
pub(super) fn differences(
    on: &Tabled<'_>,
    settings: &Settings,
) -> Result<(Vec<SliceRow>, Vec<Moves>)> {
    let known = Outcomes::Known { quality: on.quality, cost_usd: on.cost_usd };
    let requests = (&on.matrix.models[..], &on.used.rows[..], on.best_single);
    let moves = moves::of_table(&known, requests, on.recorders, settings)?;
    Ok((in_slices(on, settings)?, moves))
}

fn in_slices(on: &Tabled<'_>, settings: &Settings) -> Result<Vec<SliceRow>> {
    if settings.slices.is_empty() {
        return Ok(Vec::new());
    }
    let all = slices::slices(&kinds(on), settings);
    let n_models = on.matrix.models.len();
    let of_shares = |shares: &[f64]| -> Vec<f64> {
        let rows = shares.chunks_exact(n_models).zip(on.quality.chunks_exact(n_models));
        rows.map(|(shares, quality)| shares.iter().zip(quality).map(|(p, q)| p * q).sum::<f64>())
            .collect()
    };
    let rival = settings.against.as_ref().zip(on.shares.get(settings.policies.len()));
    let (against, theirs) = match rival {
        Some((loaded, shares)) => (format!("`{}`", loaded.name), of_shares(shares)),
        None => (
            format!("always `{}`", on.matrix.models[on.best_single]),
            on.quality.iter().skip(on.best_single).step_by(n_models).copied().collect(),
        ),
    };
    let mut found = Vec::new();
    for (loaded, shares) in settings.policies.iter().zip(&on.shares) {
        let quality = of_shares(shares);
        let (policy, rival) = ((&*loaded.name, &quality[..]), (&*against, &theirs[..]));
        found.append(&mut slices::on_table(policy, rival, &all, settings)?);
    }
    Ok(found)
}

/// What slices go by, of each request that takes part.
fn kinds<'a>(on: &Tabled<'a>) -> Vec<Kind<'a>> {
    let n_models = on.matrix.models.len();
    let mut used = on.used.rows.iter().copied().peekable();
    let mut kinds = Vec::with_capacity(on.used.rows.len());
    // Both are in the order of the table's prompts.
    for (&prompt, tokens) in on.matrix.prompts.iter().zip(on.matrix.input_tokens.chunks(n_models)) {
        let prompt = prompt as usize;
        if used.next_if_eq(&prompt).is_some() {
            kinds.push(Kind {
                task: on.table.prompts[prompt].task.as_deref(),
                tenant: None,
                tags: &[],
                input_tokens: tokens.iter().flatten().next().copied(),
                language: on.languages[prompt],
            });
        }
    }
    kinds
}
