//! The dense part of an outcome table: the models and prompts without holes.
//!
//! Means over models can only be compared on the same prompts. The rule is that of the reference
//! baselines, so that figures can be laid side by side; what it leaves out is named and counted.

use pointsman_core::units::len_as_float;

use crate::{error::DataError, table::OutcomeTable};

/// A model has to have answered more than this share of the prompts.
const MIN_COVERAGE: f64 = 0.95;

/// Quality, cost and tokens of every kept model on every kept prompt.
///
/// Matrices are dense and row-major, shape `(n_prompts, n_models)`.
#[derive(Debug, Clone, PartialEq)]
pub struct OutcomeMatrix {
    /// The kept models' names, sorted.
    pub models: Vec<String>,
    /// The kept prompts, as indices into [`OutcomeTable::prompts`], ascending.
    pub prompts: Vec<u32>,
    /// In `[0, 1]`.
    pub quality: Vec<f64>,
    /// In dollars; `None` unless every kept model has some cost. A single missing cost is its
    /// model's mean over the kept prompts.
    pub cost_usd: Option<Vec<f64>>,
    /// Tokens of the answers, where they are known.
    pub output_tokens: Vec<Option<u32>>,
    /// Tokens of the prompts, where they are known.
    pub input_tokens: Vec<Option<u32>>,
    /// Models that answered too few prompts.
    pub models_left_out: Vec<String>,
    /// Prompts that some kept model did not answer.
    pub n_prompts_left_out: usize,
}

impl OutcomeTable {
    /// The models that answered more than 95 % of the prompts, on the prompts that all of these
    /// answered.
    ///
    /// # Errors
    /// [`DataError::TooFewModels`] where fewer than two models are left, or no prompt.
    pub fn matrix(&self) -> Result<OutcomeMatrix, DataError> {
        if let [only] = self.models.as_slice() {
            return Err(DataError::TooFewModels(format!("the table has one model (`{only}`)")));
        }
        let model_column = self.model_columns();
        let is_kept = |model: usize| model_column.get(model).copied().flatten().is_some();
        let (kept, left_out): (Vec<usize>, Vec<usize>) =
            (0..self.models.len()).partition(|&model| is_kept(model));
        let names = |indices: &[usize]| -> Vec<String> {
            indices.iter().filter_map(|&index| self.models.get(index).cloned()).collect()
        };
        let (models, models_left_out) = (names(&kept), names(&left_out));
        if models.len() < 2 {
            let some =
                models.first().map_or("no model".to_owned(), |m| format!("one model (`{m}`)"));
            let text =
                format!("the table has {some} with answers to more than 95 % of its prompts");
            return Err(DataError::TooFewModels(text));
        }
        let (prompts, row_of_prompt) = self.complete_prompts(&model_column, models.len());
        if prompts.is_empty() {
            let text = "the table has no prompt that all its models answered".to_owned();
            return Err(DataError::TooFewModels(text));
        }
        let n_prompts_left_out = self.prompts.len() - prompts.len();
        let n_cells = prompts.len() * models.len();
        let mut matrix = OutcomeMatrix {
            quality: vec![0.0; n_cells],
            cost_usd: None,
            output_tokens: vec![None; n_cells],
            input_tokens: vec![None; n_cells],
            models,
            prompts,
            models_left_out,
            n_prompts_left_out,
        };
        let mut costs = vec![None; n_cells];
        for outcome in &self.outcomes {
            let row = row_of_prompt.get(as_index(outcome.prompt)).copied().flatten();
            let column = model_column.get(usize::from(outcome.model)).copied().flatten();
            let (Some(row), Some(column)) = (row, column) else { continue };
            let cell = row * matrix.models.len() + column;
            set(&mut matrix.quality, cell, outcome.quality);
            set(&mut matrix.output_tokens, cell, outcome.output_tokens);
            set(&mut matrix.input_tokens, cell, outcome.input_tokens);
            set(&mut costs, cell, outcome.cost_usd);
        }
        matrix.cost_usd = filled(&costs, matrix.models.len());
        Ok(matrix)
    }

    /// By model, its column in the matrix, if it is kept.
    fn model_columns(&self) -> Vec<Option<usize>> {
        let mut n_answers = vec![0usize; self.models.len()];
        for outcome in &self.outcomes {
            if let Some(n) = n_answers.get_mut(usize::from(outcome.model)) {
                *n += 1;
            }
        }
        let n_prompts = len_as_float(self.prompts.len());
        let mut next = 0..;
        n_answers
            .iter()
            .map(|&n| (MIN_COVERAGE < len_as_float(n) / n_prompts).then(|| next.next()).flatten())
            .collect()
    }

    /// The prompts that all kept models answered, and by prompt its row in the matrix.
    fn complete_prompts(
        &self,
        model_column: &[Option<usize>],
        n_models: usize,
    ) -> (Vec<u32>, Vec<Option<usize>>) {
        let mut n_answers = vec![0usize; self.prompts.len()];
        for outcome in &self.outcomes {
            let is_kept = model_column.get(usize::from(outcome.model)).copied().flatten().is_some();
            if let (true, Some(n)) = (is_kept, n_answers.get_mut(as_index(outcome.prompt))) {
                *n += 1;
            }
        }
        let mut prompts = Vec::new();
        let rows = (0u32..)
            .zip(&n_answers)
            .map(|(prompt, &n)| {
                (n == n_models).then(|| {
                    prompts.push(prompt);
                    prompts.len() - 1
                })
            })
            .collect();
        (prompts, rows)
    }
}

/// Costs with the holes of a model filled by its mean; `None` where a model has no cost at all.
fn filled(costs: &[Option<f64>], n_models: usize) -> Option<Vec<f64>> {
    let mut means = Vec::with_capacity(n_models);
    for model in 0..n_models {
        let known = costs.iter().skip(model).step_by(n_models).flatten();
        let (sum, n) = known.fold((0.0, 0usize), |(sum, n), cost| (sum + cost, n + 1));
        if n == 0 {
            return None;
        }
        means.push(sum / len_as_float(n));
    }
    let with_means = costs.iter().zip(means.iter().cycle());
    Some(with_means.map(|(cost, &mean)| cost.unwrap_or(mean)).collect())
}

fn set<T>(cells: &mut [T], cell: usize, value: T) {
    if let Some(slot) = cells.get_mut(cell) {
        *slot = value;
    }
}

fn as_index(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
