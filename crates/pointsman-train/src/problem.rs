//! One training set and everything that its fits share: means, weights of the rows, lengths.

use crate::{
    columns::{Columns, Effort, Fitted},
    cost::{Length, length_target},
    demands::Demands,
    fold::N_FOLDS,
    kernel::Kernel,
    outcomes::narrow,
    report::{self, HeldOutReport},
    select::{HeldOut, StrengthValue, Yardstick, gain, shares},
    train::{Progress, STRENGTHS, TrainError, TrainingSet},
};
use pointsman_core::{
    features::N_DENSE,
    scorer::{LogLine, ScorerParts},
    units::len_as_float,
};
use rayon::prelude::*;

/// What is assumed where no row tells its input tokens.
const TOKENS_PER_BYTE: f64 = 0.25;

/// Rows' worth of the overall mean that each model's mean is drawn towards, in a log.
const PRIOR_ROWS: f64 = 5.0;

/// A training set with what all fits share.
pub(crate) struct Problem<'a> {
    set: TrainingSet<'a>,
    pub(crate) kernel: Kernel,
    n_models: usize,
    /// Weights of the fit, shape `(rows, n_models)`, for the used rows.
    fit_weights: Vec<f32>,
    pub(crate) mean_quality: Vec<f64>,
    pub(crate) mean_cost: Vec<f64>,
    /// Dollars and output tokens, shape `(rows, n_models)`, NaN where not known.
    costs: Option<Vec<f64>>,
    tokens: Option<Vec<f64>>,
    /// What the length column is fitted to, shape `(rows,)`.
    length_target: Option<Vec<f32>>,
}

/// Predictions of rows that the fits had not seen.
pub(crate) struct HeldOutFits {
    folds: Vec<u64>,
    /// Per strength, shape `(rows, n_models + 1)`: quality less the fold's mean, and the length.
    predictions: Vec<Vec<f32>>,
    /// Per fold, each model's mean quality in the rows that were fitted.
    means: Vec<Vec<f64>>,
    pub(crate) effort: Effort,
}

/// How the strengths share the weights, and what follows from it.
pub(crate) struct Choice {
    pub(crate) strengths: Vec<StrengthValue>,
    /// Shape `(strengths, n_models + 1)`.
    pub(crate) shares: Vec<Vec<f64>>,
    output_tokens: Option<Vec<LogLine>>,
    cost_usd: Option<Vec<LogLine>>,
    length_centre: f64,
    pub(crate) report: Option<HeldOutReport>,
}

impl<'a> Problem<'a> {
    pub(crate) fn new(set: &TrainingSet<'a>) -> Self {
        let n_models = set.outcomes.n_models();
        let used = |all: &[f32]| -> Vec<f32> {
            let row = |&row: &u32| all[row as usize * n_models..][..n_models].iter().copied();
            set.rows.iter().flat_map(row).collect()
        };
        let costs: Option<Vec<f64>> = set.outcomes.cost_usd().map(|all| {
            let row = |&row: &u32| all[row as usize * n_models..][..n_models].iter().copied();
            set.rows.iter().flat_map(row).collect()
        });
        let tokens: Option<Vec<f64>> =
            set.outcomes.output_tokens().map(|all| used(all).into_iter().map(f64::from).collect());
        // In a log a row's length would come from the one model that was drawn; levels alone
        // estimate better from so little (docs/decisions/0003-learning.md).
        let length_target = if set.outcomes.draws().is_some() {
            None
        } else {
            let target = |values: &Option<Vec<f64>>| {
                values.as_ref().and_then(|values| length_target(values, n_models))
            };
            target(&costs).or_else(|| target(&tokens))
        };
        let mut problem = Self {
            set: *set,
            kernel: Kernel::new(set.design, set.rows),
            n_models,
            fit_weights: used(&set.outcomes.fit_weights()),
            mean_quality: Vec::new(),
            mean_cost: vec![0.0; n_models],
            costs,
            tokens,
            length_target,
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

    fn quality(&self, index: usize) -> &[f32] {
        self.set.outcomes.quality(self.set.rows[index] as usize)
    }

    /// Each model's mean quality over some of the rows; in a log, weighted and drawn a little
    /// towards the mean of all.
    fn means(&self, is_used: impl Fn(usize) -> bool) -> Vec<f64> {
        let (mut totals, mut weights) = (vec![0.0; self.n_models], vec![0.0; self.n_models]);
        let (mut all, mut n) = (0.0, 0.0);
        for index in (0..self.set.rows.len()).filter(|&index| is_used(index)) {
            for (model, &quality) in self.quality(index).iter().enumerate() {
                let weight = f64::from(self.fit_weights[index * self.n_models + model]);
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
    fn columns(&self, means: &[f64], is_used: impl Fn(usize) -> bool) -> Columns {
        let n_columns = self.n_models + 1;
        let n_entries = self.set.rows.len() * n_columns;
        let mut columns =
            Columns { n_columns, target: vec![0.0; n_entries], weights: vec![0.0; n_entries] };
        for index in (0..self.set.rows.len()).filter(|&index| is_used(index)) {
            let at = index * n_columns;
            for (model, &quality) in self.quality(index).iter().enumerate() {
                let weight = self.fit_weights[index * self.n_models + model];
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

    pub(crate) fn final_columns(&self) -> Columns {
        self.columns(&self.mean_quality, |_| true)
    }

    pub(crate) fn held_out_fits(
        &self,
        folds: Vec<u64>,
        progress: &dyn Fn(Progress),
    ) -> HeldOutFits {
        let n_columns = self.n_models + 1;
        let of = usize::try_from(N_FOLDS).unwrap_or(usize::MAX);
        let mut predictions = vec![vec![0.0; folds.len() * n_columns]; STRENGTHS.len()];
        let (mut means, mut effort) = (Vec::new(), Effort::default());
        for (index, fold) in (0..N_FOLDS).enumerate() {
            progress(Progress::HeldOutFit { index, of });
            let is_used = |row: usize| folds[row] != fold;
            let mean = self.means(is_used);
            let columns = self.columns(&mean, is_used);
            let (predicted, took) = columns.predictions(&self.kernel, &STRENGTHS);
            effort.n_iterations += took.n_iterations;
            effort.n_unconverged += took.n_unconverged;
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

    /// Lets the strengths share the weights by what they were worth on held-out rows.
    pub(crate) fn choose(
        &self,
        fits: &HeldOutFits,
        demands: &Demands,
    ) -> Result<Choice, TrainError> {
        let n_columns = self.n_models + 1;
        let length_strength = self.length_strength(fits);
        let length = match length_strength {
            Some(strength) => {
                let all = &fits.predictions[strength];
                let column = all.iter().skip(self.n_models).step_by(n_columns);
                Length::new(&column.map(|value| f64::from(*value)).collect::<Vec<_>>())
            }
            None => Length::none(self.set.rows.len()),
        };
        let lines = |values: &Option<Vec<f64>>| {
            values.as_ref().and_then(|values| length.lines(values, self.n_models))
        };
        let (output_tokens, cost_usd) = (lines(&self.tokens), lines(&self.costs));
        let cost = |index: usize, out: &mut [f64]| {
            for (model, out) in out.iter_mut().enumerate() {
                *out = cost_usd
                    .as_ref()
                    .map_or(0.0, |lines| lines[model].at(narrow(length.values[index])));
            }
        };
        let means = (self.mean_quality.clone(), self.mean_cost.clone());
        let yardstick = Yardstick::new(self.set.outcomes, self.set.rows, means);
        let fold_mean = |index: usize| &fits.means[usize::try_from(fits.folds[index]).unwrap_or(0)];
        let gains: Vec<(f64, f64)> = fits
            .predictions
            .iter()
            .map(|predicted| {
                let quality = |index: usize, out: &mut [f64]| {
                    let row = &predicted[index * n_columns..];
                    for ((out, mean), value) in out.iter_mut().zip(fold_mean(index)).zip(row) {
                        *out = mean + f64::from(*value);
                    }
                };
                gain(&yardstick, &HeldOut { quality: &quality, cost: &cost })
            })
            .collect();
        let strengths = shares(&STRENGTHS, &gains, self.set.rows.len());
        let shares: Vec<Vec<f64>> = (0..STRENGTHS.len())
            .map(|index| {
                let mut row = vec![strengths[index].share; self.n_models];
                row.push(if length_strength == Some(index) { 1.0 } else { 0.0 });
                row
            })
            .collect();
        let mixed = |index: usize, out: &mut [f64]| {
            out.copy_from_slice(fold_mean(index));
            for (predicted, shares) in fits.predictions.iter().zip(&shares) {
                for (model, out) in out.iter_mut().enumerate() {
                    *out += shares[model] * f64::from(predicted[index * n_columns + model]);
                }
            }
        };
        let mixed = HeldOut { quality: &mixed, cost: &cost };
        let report = report::held_out(&yardstick, &mixed, &fits.folds, demands)?;
        Ok(Choice {
            strengths,
            shares,
            output_tokens,
            cost_usd,
            length_centre: length.centre,
            report: Some(report),
        })
    }

    /// The strength whose length column is nearest to the truth on held-out rows.
    fn length_strength(&self, fits: &HeldOutFits) -> Option<usize> {
        let target = self.length_target.as_ref()?;
        let n_columns = self.n_models + 1;
        let error = |predicted: &Vec<f32>| -> f64 {
            let column = predicted.iter().skip(self.n_models).step_by(n_columns);
            target.iter().zip(column).map(|(t, p)| f64::from(t - p).powi(2)).sum()
        };
        let errors: Vec<f64> = fits.predictions.iter().map(error).collect();
        (0..errors.len()).min_by(|&a, &b| errors[a].total_cmp(&errors[b]))
    }

    /// All on one strength, and levels alone for costs and tokens.
    pub(crate) fn without_choice(&self, strength: f64) -> Choice {
        let length = Length::none(self.set.rows.len());
        let lines = |values: &Option<Vec<f64>>| {
            values.as_ref().and_then(|values| length.lines(values, self.n_models))
        };
        let mut shares = vec![1.0; self.n_models];
        shares.push(0.0);
        let strengths =
            vec![StrengthValue { strength: Some(strength), gain: 0.0, std_error: 0.0, share: 1.0 }];
        Choice {
            strengths,
            shares: vec![shares],
            output_tokens: lines(&self.tokens),
            cost_usd: lines(&self.costs),
            length_centre: 0.0,
            report: None,
        }
    }

    /// Weights in single precision to the parts of a scorer, with 8-bit terms.
    pub(crate) fn parts(&self, fitted: &Fitted, choice: &Choice) -> ScorerParts {
        let n_columns = self.n_models + 1;
        let n_buckets = self.set.design.schema().n_buckets();
        let mut largest = vec![0.0_f32; n_columns];
        for row in fitted.terms.chunks_exact(n_columns) {
            for (largest, value) in largest.iter_mut().zip(row) {
                *largest = largest.max(value.abs());
            }
        }
        let scales: Vec<f32> =
            largest.iter().map(|&value| if value == 0.0 { 1.0 } else { value / 127.0 }).collect();
        let mut term_weights = vec![0_i8; n_buckets * n_columns];
        for (&bucket, row) in fitted.buckets.iter().zip(fitted.terms.chunks_exact(n_columns)) {
            let out = &mut term_weights[bucket as usize * n_columns..][..n_columns];
            for ((out, value), scale) in out.iter_mut().zip(row).zip(&scales) {
                *out = rounded(value / scale);
            }
        }
        let mut intercepts = fitted.offsets.clone();
        for (intercept, mean) in intercepts.iter_mut().zip(&self.mean_quality) {
            *intercept += narrow(*mean);
        }
        intercepts[self.n_models] -= narrow(choice.length_centre);
        debug_assert_eq!(fitted.dense.len(), N_DENSE * n_columns);
        ScorerParts {
            schema: self.set.design.schema(),
            n_models: self.n_models,
            term_weights,
            squared_idf: self.kernel.squared_idf.clone(),
            scales,
            intercepts,
            dense_weights: fitted.dense.clone(),
            dense_scaling: self.kernel.dense_scaling.clone(),
            output_tokens: choice.output_tokens.clone(),
            cost_usd: choice.cost_usd.clone(),
            input_tokens_per_byte: self.input_tokens_per_byte(),
        }
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

#[expect(clippy::cast_possible_truncation, reason = "within 127 by the choice of the scale")]
fn rounded(value: f32) -> i8 {
    value.round().clamp(-127.0, 127.0) as i8
}
