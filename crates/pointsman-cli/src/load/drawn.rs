//! What came of the model that was drawn for each row of a log, as training takes it.

use super::{cheapest, listed, narrow};
use anyhow::{Context, Result, bail};
use pointsman_core::{catalog::Catalog, units::Propensity};
use pointsman_data::LoggedRow;
use pointsman_train::outcomes::{LoggedOutcome, Outcomes};

/// A model that was drawn, and what came of it: a [`LoggedRow`] without its texts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Drawn {
    /// An index into the names of the log's models.
    pub(crate) taken: u16,
    pub(crate) propensity: f64,
    pub(crate) quality: f64,
    pub(crate) cost_usd: Option<f64>,
    pub(crate) input_tokens: Option<u32>,
    pub(crate) output_tokens: Option<u32>,
}

impl From<&LoggedRow> for Drawn {
    fn from(row: &LoggedRow) -> Self {
        Self {
            taken: row.taken,
            propensity: row.propensity,
            quality: row.quality,
            cost_usd: row.cost_usd,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
        }
    }
}

/// The models that some rows of a log drew at least once, and their outcomes; a model that was never
/// drawn cannot be learned about. A cost that was not recorded follows from the catalog's prices,
/// where there is a catalog and the tokens were recorded.
pub(crate) fn outcomes_of(
    names: &[String],
    rows: impl ExactSizeIterator<Item = Drawn> + Clone,
    catalog: Option<&Catalog>,
) -> Result<(Vec<String>, Outcomes)> {
    let mut n_drawn = vec![0_u64; names.len()];
    for row in rows.clone() {
        n_drawn[usize::from(row.taken)] += 1;
    }
    let mut places = Vec::with_capacity(n_drawn.len());
    let mut models = Vec::new();
    for (name, &n) in names.iter().zip(&n_drawn) {
        places.push(u16::try_from(models.len()).context("more models than 65,535")?);
        if 0 < n {
            models.push(name.clone());
        }
    }
    if let [only] = &models[..] {
        bail!("the log only ever drew `{only}`; routing needs at least two models with outcomes");
    }
    let names: Vec<&str> = models.iter().map(String::as_str).collect();
    let listed = catalog.map(|catalog| listed(&names, catalog)).transpose()?;
    let outcome = |row: Drawn| -> Result<LoggedOutcome> {
        let taken = places[usize::from(row.taken)];
        let priced = || {
            let model = listed.as_ref()?[usize::from(taken)];
            Some(cheapest(model, row.input_tokens?, row.output_tokens?))
        };
        Ok(LoggedOutcome {
            taken,
            propensity: Propensity::new(row.propensity)?,
            quality: narrow(row.quality),
            cost_usd: row.cost_usd.or_else(priced),
            output_tokens: row.output_tokens,
        })
    };
    let mut of_rows = Vec::with_capacity(rows.len());
    for row in rows {
        of_rows.push(outcome(row)?);
    }
    let outcomes = Outcomes::logged(models.len(), &of_rows)?;
    Ok((models, outcomes))
}
