//! What is true of the world a log was drawn from.

use std::path::{Path, PathBuf};

use pointsman_core::units::len_as_float;
use serde_json::json;

use super::{Plan, as_index};

/// What was simulated, and what an estimator should find.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationSummary {
    /// By model, sorted by name.
    pub models: Vec<ModelTruth>,
    /// Prompts in the log.
    pub n_prompts: usize,
    /// Steps after answers in the log.
    pub n_steps: usize,
    /// The expected quality of the logger, over the logged prompts.
    pub logger_quality: f64,
    /// Its expected cost in dollars, where costs are known.
    pub logger_cost_usd: Option<f64>,
    /// The mean quality of the best model for each prompt.
    pub oracle_quality: f64,
    /// Its mean cost in dollars; among the best models the cheapest counts.
    pub oracle_cost_usd: Option<f64>,
    /// The logger, in words.
    pub logger: String,
    /// What fixed the draws.
    pub seed: u64,
    /// The digest of the outcome table.
    pub table_digest: String,
    /// Where the truth file is.
    pub truth_path: PathBuf,
}

/// One model of a simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelTruth {
    /// Its name.
    pub model: String,
    /// Mean quality over the logged prompts.
    pub quality: f64,
    /// Mean cost in dollars over the logged prompts.
    pub cost_usd: Option<f64>,
    /// The probability with which the logger draws it.
    pub probability: f64,
    /// How often it was drawn.
    pub n_drawn: u64,
}

/// Column means over some rows of a row-major matrix.
pub(super) fn means(cells: &[f64], rows: &[u32], n_columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; n_columns];
    for &row in rows {
        for (sum, cell) in sums.iter_mut().zip(row_of(cells, row, n_columns)) {
            *sum += cell;
        }
    }
    sums.into_iter().map(|sum| sum / len_as_float(rows.len())).collect()
}

fn row_of(cells: &[f64], row: u32, n_columns: usize) -> &[f64] {
    let start = as_index(row) * n_columns;
    cells.get(start..start + n_columns).unwrap_or_default()
}

pub(super) fn summarize(plan: &Plan<'_>, n_drawn: &[u64], out: &Path) -> SimulationSummary {
    let (matrix, n_models) = (plan.matrix, plan.matrix.models.len());
    let costs = matrix.cost_usd.as_ref().map(|cells| means(cells, plan.rows, n_models));
    let expected = |values: &[f64]| -> f64 {
        values.iter().zip(&plan.distribution).map(|(value, probability)| value * probability).sum()
    };
    let (oracle_quality, oracle_cost_usd) = oracle(plan);
    let models = matrix
        .models
        .iter()
        .enumerate()
        .map(|(index, model)| ModelTruth {
            model: model.clone(),
            quality: plan.means.get(index).copied().unwrap_or_default(),
            cost_usd: costs.as_ref().and_then(|costs| costs.get(index).copied()),
            probability: plan.distribution.get(index).copied().unwrap_or_default(),
            n_drawn: n_drawn.get(index).copied().unwrap_or_default(),
        })
        .collect();
    SimulationSummary {
        models,
        n_prompts: plan.rows.len(),
        n_steps: 0,
        logger_quality: expected(&plan.means),
        logger_cost_usd: costs.as_deref().map(expected),
        oracle_quality,
        oracle_cost_usd,
        logger: plan.options.logger.to_string(),
        seed: plan.options.seed,
        table_digest: plan.table.digest.clone(),
        truth_path: out.with_extension("truth.json"),
    }
}

/// Mean quality and cost of the best model for each prompt, the cheapest among equals.
fn oracle(plan: &Plan<'_>) -> (f64, Option<f64>) {
    let (matrix, n_models) = (plan.matrix, plan.matrix.models.len());
    let (mut quality, mut cost) = (0.0, 0.0);
    for &row in plan.rows {
        let qualities = row_of(&matrix.quality, row, n_models);
        let best = qualities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        quality += best;
        if let Some(costs) = &matrix.cost_usd {
            let of_best = qualities.iter().zip(row_of(costs, row, n_models));
            let of_best = of_best.filter(|(quality, _)| best <= **quality);
            cost += of_best.map(|(_, &cost)| cost).fold(f64::INFINITY, f64::min);
        }
    }
    let n = len_as_float(plan.rows.len());
    (quality / n, matrix.cost_usd.as_ref().map(|_| cost / n))
}

impl SimulationSummary {
    /// The truth file's text; keys are sorted, so that equal runs give equal bytes.
    pub(super) fn to_json(&self) -> String {
        let models: Vec<_> = self
            .models
            .iter()
            .map(|truth| {
                json!({
                    "model": truth.model,
                    "quality": truth.quality,
                    "cost_usd": truth.cost_usd,
                    "probability": truth.probability,
                    "n_drawn": truth.n_drawn,
                })
            })
            .collect();
        let value = json!({
            "v": 1,
            "logger": { "name": self.logger, "quality": self.logger_quality, "cost_usd": self.logger_cost_usd },
            "oracle": { "quality": self.oracle_quality, "cost_usd": self.oracle_cost_usd },
            "models": models,
            "n_prompts": self.n_prompts,
            "seed": self.seed,
            "table_digest": self.table_digest,
        });
        format!("{value:#}\n")
    }
}
