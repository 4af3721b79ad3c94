//! What truly came of the rows that routers are tested on, and how predictions are scored by it.

use super::{LESS_COST, MOST_LOSS, Predictions, Published, Saving, TableVerdict, first_best};
use crate::load::LoadedTable;
use anyhow::Result;
use pointsman_data::TrainTest;
use pointsman_eval::{
    baselines::{baselines, judge},
    frontier::{Figures, figures},
    full::{mean_value, paired_difference},
    interval::ConfidenceLevel,
    matrix::{CostQuality, Matrix, Outcomes},
    published::{PairFigures, aiq, cost_saving, pair_figures, performance_gain},
};

/// What truly came of the test rows, pooled over parts in their order; row-major.
#[derive(Debug, Clone)]
pub(crate) struct TestRows {
    /// Rows of the table's matrix.
    pub(crate) rows: Vec<u32>,
    pub(crate) n_models: usize,
    pub(crate) quality: Vec<f64>,
    pub(crate) cost: Option<Vec<f64>>,
    /// Where they were recorded.
    pub(crate) output_tokens: Vec<Option<u32>>,
}

impl TestRows {
    /// The test rows of all parts.
    pub(crate) fn new(loaded: &LoadedTable, parts: &[TrainTest]) -> Self {
        let n_models = loaded.matrix.models.len();
        let test: Vec<u32> = parts.iter().flat_map(|part| part.test.iter().copied()).collect();
        let quality = rows_of(&loaded.matrix.quality, &test, n_models);
        let cost = loaded.matrix.cost_usd.as_ref().map(|cost| rows_of(cost, &test, n_models));
        let output_tokens = rows_of(&loaded.matrix.output_tokens, &test, n_models);
        Self { rows: test, n_models, quality, cost, output_tokens }
    }

    /// As the evaluator takes them.
    pub(crate) fn outcomes(&self) -> Result<Outcomes<'_>> {
        self.view(&self.quality, self.cost.as_deref())
    }

    /// The figures of a router that makes these predictions.
    pub(crate) fn figures_of(&self, predictions: &Predictions) -> Result<Figures> {
        let cost = self.cost.is_some().then_some(&predictions.cost[..]);
        let predicted = self.view(&predictions.quality, cost)?;
        Ok(figures(&predicted, &self.outcomes()?)?)
    }

    /// What other benchmarks would say of a router with these figures.
    pub(super) fn published(
        &self,
        figures: &Figures,
        predictions: Option<&[f64]>,
    ) -> Result<Published> {
        let outcomes = self.outcomes()?;
        let singles = outcomes.quality().column_means();
        let best = singles.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let points: Vec<CostQuality> = figures.sweep.iter().map(|it| it.point).collect();
        Ok(Published {
            aiq: aiq(&points),
            performance_gain: performance_gain(figures.quality, best),
            cost_saving: cost_saving(figures.cost_to_match),
            pair: predictions.and_then(|predicted| self.pair(&singles, predicted)),
        })
    }

    /// The strong model is the one that is better on these rows.
    fn pair(&self, singles: &[f64], predicted: &[f64]) -> Option<PairFigures> {
        let [first, second] = *singles else { return None };
        let (weak, strong) = if first <= second { (0, 1) } else { (1, 0) };
        let column = |all: &[f64], model: usize| -> Vec<f64> {
            all.chunks_exact(2).map(|row| row[model]).collect()
        };
        let preference: Vec<f64> =
            predicted.chunks_exact(2).map(|row| row[strong] - row[weak]).collect();
        // Two models that are equally good have no gap to recover.
        pair_figures(&preference, &column(&self.quality, weak), &column(&self.quality, strong)).ok()
    }

    pub(super) fn verdict(&self, predictions: &Predictions) -> Result<TableVerdict> {
        let (actual, level) = (self.outcomes()?, ConfidenceLevel::P95);
        let best_single = baselines(&actual).best_single;
        let single = actual.of_picks(&vec![best_single.model_index; self.rows.len()])?;
        let rows = predictions.quality.chunks_exact(self.n_models);
        let by_quality: Vec<usize> = rows.map(|row| first_best(row.iter().copied())).collect();
        let by_quality = actual.of_picks(&by_quality)?;
        let policy = actual.of_picks(&predictions.picks)?;
        let difference = paired_difference(&policy.quality, &single.quality, level)?;
        let mut saving = None;
        if let (Some(costs), Some(single_cost)) = (&policy.cost_usd, best_single.cost_usd) {
            let (cost, mix) = (mean_value(costs, level)?, judge(&policy, &actual, level)?.mix);
            let is_worth_having = cost.interval.upper < LESS_COST * single_cost
                && -MOST_LOSS <= difference.interval.lower
                && mix.is_none_or(|mix| 0.0 < mix.difference.interval.lower);
            let cost_share = cost.value / single_cost;
            saving = is_worth_having.then_some(Saving { cost_share, difference, mix });
        }
        Ok(TableVerdict {
            best_single: best_single.model_index,
            by_quality: paired_difference(&by_quality.quality, &single.quality, level)?,
            saving,
        })
    }

    fn view<'v>(&self, quality: &'v [f64], cost: Option<&'v [f64]>) -> Result<Outcomes<'v>> {
        let matrix = |values: &'v [f64]| Matrix::new(values, self.rows.len(), self.n_models);
        Ok(Outcomes::new(matrix(quality)?, cost.map(matrix).transpose()?)?)
    }
}

/// Some rows of a matrix.
fn rows_of<T: Copy>(all: &[T], rows: &[u32], n_models: usize) -> Vec<T> {
    let row = |&row: &u32| all[row as usize * n_models..][..n_models].iter().copied();
    rows.iter().flat_map(row).collect()
}
