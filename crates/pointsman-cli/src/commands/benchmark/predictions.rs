//! What every router predicted, row by row, for whoever wants to measure something else.

use crate::{load::LoadedTable, routers::TableResult};
use anyhow::{Context, Result, bail};
use pointsman_data::PredictionWriter;
use std::path::Path;

/// Adds every prediction of one table's routers to the file.
pub(super) fn write(
    (table, loaded): (&str, &LoadedTable),
    result: &TableResult,
    out: &mut PredictionWriter,
) -> Result<()> {
    let test = &result.test;
    for router in &result.routers {
        let Some(predictions) = &router.predictions else { continue };
        for (index, &row) in test.rows.iter().enumerate() {
            let prompt = loaded.matrix.prompts[row as usize] as usize;
            let id = &loaded.table.prompts[prompt].id;
            for (model, name) in loaded.matrix.models.iter().enumerate() {
                let at = index * test.n_models + model;
                let numbers = (predictions.quality[at], predictions.cost.get(at).copied());
                out.push([table, &router.name, id, name], numbers)?;
            }
        }
    }
    Ok(())
}

/// Begins the file, where one was asked for.
pub(super) fn begin(path: Option<&Path>) -> Result<Option<PredictionWriter>> {
    let Some(path) = path else { return Ok(None) };
    if path == Path::new("-") {
        bail!("`-` is standard output for --json only; name a file for --predictions");
    }
    Ok(Some(PredictionWriter::create(path).context("--predictions")?))
}
