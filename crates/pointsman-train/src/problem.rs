//! One training set and everything that its fits share: means, weights of the rows, lengths.

mod choice;

pub(crate) use choice::Choice;

use crate::{
    candidate::{Candidate, Family, Learner, Learning, clipped, families},
    columns::{Columns, Effort},
    cost::{Lines, length_target},
    factor::MOST_COLUMNS,
    fitted::Fitted,
    fold::N_FOLDS,
    kernel::Kernel,
    outcomes::narrow,
    train::{ExactTerms, Progress, TrainingSet},
};
use pointsman_core::{
    features::N_DENSE,
    scorer::{ScorerParts, TokenLength},
    units::len_as_float,
};
use rayon::prelude::*;

/// What is assumed where no row tells its input tokens.
const TOKENS_PER_BYTE: f64 = 0.25;

/// Rows' worth of the overall mean that each model's mean is drawn towards, in a log.
const PRIOR_ROWS: f64 = 5.0;

/// Some rows of a matrix of shape `(all rows, n_columns)`.
fn of_rows<T: Copy>(all: &[T], rows: &[u32], n_columns: usize) -> Vec<T> {
    let mut some = Vec::with_capacity(rows.len() * n_columns);
    for &row in rows {
        some.extend_from_slice(&all[row as usize * n_columns..][..n_columns]);
    }
    some
}

/// A training set with what all fits share.
pub(crate) struct Problem<'a> {
    pub(crate) set: TrainingSet<'a>,
    pub(crate) families: Vec<Family>,
    pub(crate) kernel: Kernel,
    pub(crate) n_models: usize,
    /// Weights of the fits, each of shape `(rows, n_models)`, for the used rows: first as they are,
    /// then, where families are compared or were before, clipped in the ways of
    /// [`crate::candidate::CLIPS`].
    pub(crate) weights: Vec<Vec<f32>>,
    pub(crate) mean_quality: Vec<f64>,
    pub(crate) mean_cost: Vec<f64>,
    /// Dollars and output tokens, shape `(rows, n_models)`, NaN where not known.
    pub(crate) costs: Option<Vec<f64>>,
    pub(crate) tokens: Option<Vec<f64>>,
    /// What the length column is fitted to, shape `(rows,)`.
    length_target: Option<Vec<f32>>,
    /// What a second one may be fitted to, for output tokens: where the first is that of costs.
    pub(crate) token_target: Option<Vec<f32>>,
}

/// Predictions of rows that the fits had not seen.
pub(crate) struct HeldOutFits {
    pub(crate) folds: Vec<usize>,
    /// Per candidate, shape `(rows, n_models + 1)`: quality less the fold's mean, and the length.
    pub(crate) predictions: Vec<Vec<f32>>,
    /// Per fold, each model's mean quality in the rows that were fitted.
    pub(crate) means: Vec<Vec<f64>>,
    pub(crate) effort: Effort,
}

impl<'a> Problem<'a> {
    pub(crate) fn new(set: &TrainingSet<'a>, learning: Learning) -> Self {
        let n_models = set.outcomes.n_models();
        let costs = set.outcomes.cost_usd().map(|all| of_rows(all, set.rows, n_models));
        let tokens = set
            .outcomes
            .output_tokens()
            .map(|all| of_rows(all, set.rows, n_models).into_iter().map(f64::from).collect());
        // In a log a row's length would come from the one model that was drawn; levels alone
        // estimate better from so little (docs/decisions/0003-learning.md).
        let has_length = learning.learns_lengths() && set.outcomes.draws().is_none();
        let target = |values: &Option<Vec<f64>>| {
            let values = values.as_ref().filter(|_| has_length);
            values.and_then(|values| length_target(values, n_models))
        };
        let (length_target, token_target) = match (target(&costs), target(&tokens)) {
            (Some(of_costs), of_tokens) => (Some(of_costs), of_tokens),
            (None, of_tokens) => (of_tokens, None),
        };
        let weights = of_rows(&set.outcomes.fit_weights(), set.rows, n_models);
        let (families, weights) = match learning {
            // It takes the weights as they are.
            Learning::Alone(family) => (vec![family], vec![weights]),
            Learning::Together(targets) => {
                let weights = clipped(weights, n_models);
                (families(set.outcomes.draws().map(|_| targets), &weights), weights)
            }
            Learning::Decided(candidates) => {
                let weights = clipped(weights, n_models);
                (vec![Family::of(&candidates, weights.len())], weights)
            }
        };
        let mut problem = Self {
            set: *set,
            families,
            kernel: Kernel::new(set.design, set.rows),
            n_models,
            weights,
            mean_quality: Vec::new(),
            mean_cost: vec![0.0; n_models],
            costs,
            tokens,
            length_target,
            token_target,
        };
        problem.mean_quality = problem.means(|_| true);
        if let Some(costs) = &problem.costs {
            for model in 0..n_models {
                let known = || costs.iter().skip(model).step_by(n_models).filter(|c| c.is_finite());
                problem.mean_cost[model] =
                    known().sum::<f64>() / len_as_float(known().count().max(1));
            }
        }
        problem
    }

    pub(crate) fn quality(&self, index: usize) -> &[f32] {
        self.set.outcomes.quality(self.set.rows[index] as usize)
    }

    /// Each model's mean quality over some of the rows; in a log, weighted and drawn a little
    /// towards the mean of all.
    pub(crate) fn means(&self, is_used: impl Fn(usize) -> bool) -> Vec<f64> {
        let (mut totals, mut weights) = (vec![0.0; self.n_models], vec![0.0; self.n_models]);
        let (mut all, mut n) = (0.0, 0.0);
        for index in (0..self.set.rows.len()).filter(|&index| is_used(index)) {
            for (model, &quality) in self.quality(index).iter().enumerate() {
                let weight = f64::from(self.weights[0][index * self.n_models + model]);
                if 0.0 < weight {
                    totals[model] += weight * f64::from(quality);
                    weights[model] += weight;
                    all += f64::from(quality);
                    n += 1.0;
                }
            }
        }
        let prior = if self.set.outcomes.draws().is_some() { PRIOR_ROWS } else { 0.0 };
        let overall = if n == 0.0 { 0.0 } else { all / n };
        let mean = |(total, weight): (&f64, &f64)| {
            let weight_and_prior = weight + prior;
            if weight_and_prior == 0.0 {
                overall
            } else {
                (total + prior * overall) / weight_and_prior
            }
        };
        totals.iter().zip(&weights).map(mean).collect()
    }

    /// Targets and weights of a fit on some of the rows: one column per model and the length.
    pub(crate) fn columns(
        &self,
        means: &[f64],
        family: &Family,
        is_used: impl Fn(usize) -> bool,
    ) -> Columns {
        let n_columns = self.n_models + 1;
        let n_entries = self.set.rows.len() * n_columns;
        let mut columns =
            Columns { n_columns, target: vec![0.0; n_entries], weights: vec![0.0; n_entries] };
        for index in (0..self.set.rows.len()).filter(|&index| is_used(index)) {
            let at = index * n_columns;
            for (model, &quality) in self.quality(index).iter().enumerate() {
                let weight = self.weights[family.weights][index * self.n_models + model];
                if 0.0 < weight {
                    columns.target[at + model] = quality - narrow(means[model]);
                    columns.weights[at + model] = weight;
                }
            }
            if let Some(length) = &self.length_target {
                columns.target[at + self.n_models] = length[index];
                columns.weights[at + self.n_models] = 1.0;
            }
        }
        columns
    }

    pub(crate) fn held_out_fits(
        &self,
        folds: Vec<usize>,
        progress: &dyn Fn(Progress),
    ) -> HeldOutFits {
        let n_columns = self.n_models + 1;
        let n_candidates = self.candidates().count();
        let mut predictions = vec![vec![0.0; folds.len() * n_columns]; n_candidates];
        let (mut means, mut effort) = (Vec::new(), Effort::default());
        let inner = self.inner_fits(&folds);
        for fold in 0..N_FOLDS {
            progress(Progress::HeldOutFit { index: fold, of: N_FOLDS });
            let is_used = |row: usize| folds[row] != fold;
            let mean = self.means(is_used);
            let mut predicted = Vec::with_capacity(n_candidates);
            for family in &self.families {
                let columns = match (family.learner, &inner) {
                    (Learner::Robust, Some(inner)) => {
                        self.robust_columns(&|row| inner.of(folds[row], fold, row), is_used)
                    }
                    _ => self.columns(&mean, family, is_used),
                };
                let (of_family, took) = self.predictions(family, &columns, &mean);
                predicted.extend(of_family);
                effort.add(took);
            }
            for (all, predicted) in predictions.iter_mut().zip(&predicted) {
                for row in (0..folds.len()).filter(|&row| folds[row] == fold) {
                    let span = row * n_columns..(row + 1) * n_columns;
                    all[span.clone()].copy_from_slice(&predicted[span]);
                }
            }
            means.push(mean);
        }
        HeldOutFits { folds, predictions, means, effort }
    }

    /// All candidates, family after family.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = Candidate> {
        self.families.iter().flat_map(Family::candidates)
    }

    /// Weights in single precision to the parts of a scorer, with 8-bit terms.
    pub(crate) fn parts(&self, mut fitted: Fitted, choice: &Choice) -> (ScorerParts, ExactTerms) {
        fitted.scale(self.n_models, choice.kinds.linear);
        if let Some(slopes) = &choice.kinds.slopes {
            fitted.slope(slopes);
        }
        for (offset, mean) in fitted.offsets.iter_mut().zip(&self.mean_quality) {
            *offset += narrow(*mean);
        }
        fitted.offsets[self.n_models] -= narrow(choice.length_centre);
        let factor = if MOST_COLUMNS < self.n_models {
            fitted.factor(&self.kernel, self.n_models)
        } else {
            None
        };
        let clusters = choice.kinds.clusters.clone();
        if let (Some(_), Some(projection)) = (&clusters, &choice.kinds.projection) {
            fitted.append(&self.kernel, &projection.weights);
        }
        if let Some(own) = choice.own_length {
            self.append_own_length(own, &mut fitted);
        }
        let lines = |found: Option<&Lines>| found.map(|found| found.lines.clone());
        let n_columns = fitted.offsets.len();
        let (term_weights, scales) = fitted.in_bytes(self.set.design.schema().n_buckets());
        debug_assert_eq!(fitted.dense.len(), N_DENSE * n_columns);
        let parts = ScorerParts {
            schema: self.set.design.schema(),
            n_models: self.n_models,
            term_weights,
            squared_idf: self.kernel.squared_idf.clone(),
            scales,
            intercepts: fitted.offsets,
            dense_weights: fitted.dense,
            dense_scaling: self.kernel.dense_scaling.clone(),
            factor,
            clusters,
            token_length: match choice.own_length {
                Some(_) => TokenLength::Own,
                None => TokenLength::Shared,
            },
            output_tokens: lines(choice.output_tokens.as_ref()),
            cost_usd: lines(choice.cost_usd.as_ref()),
            input_tokens_per_byte: self.input_tokens_per_byte(),
        };
        (parts, ExactTerms { buckets: fitted.buckets, weights: fitted.terms })
    }

    fn input_tokens_per_byte(&self) -> f64 {
        let known = self.set.rows.par_iter().filter_map(|&row| {
            let tokens = self.set.input_tokens[row as usize]?;
            Some((u64::from(tokens), self.set.design.n_bytes(row as usize) as u64))
        });
        let (tokens, bytes) = known.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        if tokens == 0 || bytes == 0 {
            return TOKENS_PER_BYTE;
        }
        pointsman_core::units::as_float(tokens) / pointsman_core::units::as_float(bytes)
    }
}
