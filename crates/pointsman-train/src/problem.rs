//! One training set and everything that its fits share: means, weights of the rows, lengths.

use crate::{
    blend::{Judged, Stacked},
    candidate::{Candidate, Family, Learner, Learning, clipped, families},
    clusters::{ClusterSums, Grouping, sizes},
    columns::{Columns, Effort},
    cost::{Length, Lines, length_target},
    demands::Demands,
    factor::MOST_COLUMNS,
    fitted::Fitted,
    fold::N_FOLDS,
    kernel::Kernel,
    kinds::Kinds,
    lengths::{LengthValue, Lengths, OwnLength},
    outcomes::narrow,
    projection::Projection,
    report::{self, HeldOutReport},
    select::{CandidateValue, HeldOut, Yardstick, gain, shares},
    train::{ExactTerms, Progress, TrainError, TrainingSet},
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

/// A training set with what all fits share.
pub(crate) struct Problem<'a> {
    pub(crate) set: TrainingSet<'a>,
    pub(crate) families: Vec<Family>,
    pub(crate) kernel: Kernel,
    pub(crate) n_models: usize,
    /// Weights of the fits, each of shape `(rows, n_models)`, for the used rows: first as they are,
    /// then clipped in the ways of [`crate::candidate::CLIPS`].
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

/// How the candidates share the weights, and what follows from it.
pub(crate) struct Choice {
    pub(crate) candidates: Vec<CandidateValue>,
    /// Shape `(candidates, n_models + 1)`.
    pub(crate) shares: Vec<Vec<f64>>,
    pub(crate) kinds: Kinds,
    /// The candidate that says how hard a request is for all models alike. No choice depends on
    /// it; predictions do.
    pub(crate) direction: Option<usize>,
    pub(crate) output_tokens: Option<Lines>,
    pub(crate) cost_usd: Option<Lines>,
    pub(crate) length_centre: f64,
    pub(crate) own_length: Option<OwnLength>,
    pub(crate) own_length_value: Option<LengthValue>,
    /// What the choice took beside the fits.
    pub(crate) effort: Effort,
    pub(crate) report: Option<HeldOutReport>,
}

impl<'a> Problem<'a> {
    pub(crate) fn new(set: &TrainingSet<'a>, learning: Learning) -> Self {
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
        let target = |values: &Option<Vec<f64>>| {
            let values = values.as_ref().filter(|_| set.outcomes.draws().is_none());
            values.and_then(|values| length_target(values, n_models))
        };
        let (length_target, token_target) = match (target(&costs), target(&tokens)) {
            (Some(of_costs), of_tokens) => (Some(of_costs), of_tokens),
            (None, of_tokens) => (of_tokens, None),
        };
        let weights = clipped(used(&set.outcomes.fit_weights()), n_models);
        let families = match learning {
            Learning::Alone(family) => vec![family],
            Learning::Together(targets) => {
                families(set.outcomes.draws().map(|_| targets), &weights)
            }
            Learning::Decided(candidates) => vec![Family::of(&candidates, weights.len())],
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

    /// Mean outcomes of a model: what is left to compare candidates by where each row has one.
    fn outcomes_per_model(&self) -> f64 {
        let n = len_as_float(self.set.rows.len());
        if self.set.outcomes.draws().is_some() { n / len_as_float(self.n_models) } else { n }
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

    /// Lets the candidates share the weights by what they were worth on held-out rows.
    pub(crate) fn choose(
        &self,
        fits: &HeldOutFits,
        demands: &Demands,
    ) -> Result<Choice, TrainError> {
        let n_columns = self.n_models + 1;
        let length_strength = self.length_strength(fits);
        let lengths = self.lengths(fits, length_strength);
        let Lengths { shared: length, output_tokens, cost_usd, own, own_value, effort } = lengths;
        let cost = |index: usize, out: &mut [f64]| {
            for (model, out) in out.iter_mut().enumerate() {
                *out = cost_usd
                    .as_ref()
                    .map_or(0.0, |found| found.lines[model].at(narrow(length.values[index])));
            }
        };
        let means = (self.mean_quality.clone(), self.mean_cost.clone());
        let yardstick = Yardstick::new(self.set.outcomes, self.set.rows, means);
        let fold_mean = |index: usize| &fits.means[fits.folds[index]][..];
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
                gain(&yardstick, &HeldOut { quality: &quality, cost: &cost }, &fold_mean)
            })
            .collect();
        let all: Vec<Candidate> = self.candidates().collect();
        let candidates = shares(&all, &gains, self.outcomes_per_model());
        let shares: Vec<Vec<f64>> = (0..all.len())
            .map(|index| {
                let mut row = vec![candidates[index].share; self.n_models];
                row.push(if length_strength == Some(index) { 1.0 } else { 0.0 });
                row
            })
            .collect();
        let (linear, direction) = self.mixed(fits, &shares);
        let judged = Judged {
            yardstick: &yardstick,
            folds: &fits.folds,
            means: &fits.means,
            linear: &linear,
            cost: &cost,
        };
        let kinds = self.kinds(&judged);
        let deviations = kinds.deviations.as_ref().unwrap_or(&linear);
        let quality = |index: usize, out: &mut [f64]| judged.quality(deviations, index, out);
        let stacked = HeldOut { quality: &quality, cost: &cost };
        let report = report::held_out(&yardstick, &stacked, &fits.folds, demands)?;
        Ok(Choice {
            candidates,
            shares,
            direction,
            kinds,
            output_tokens,
            cost_usd,
            length_centre: length.centre,
            own_length: own,
            own_length_value: own_value,
            effort,
            report: Some(report),
        })
    }

    /// Finds kinds of requests, and whether they are worth having.
    fn kinds(&self, judged: &Judged<'_>) -> Kinds {
        let mut stacks: Vec<Stacked> = judged.scaled().into_iter().collect();
        let mut groupings = Vec::new();
        let sizes: Vec<usize> = sizes(self.set.rows.len()).collect();
        let projection = if sizes.is_empty() { None } else { Projection::new(&self.kernel) };
        for (projection, &n_clusters) in
            projection.iter().flat_map(|one| sizes.iter().map(move |n| (one, n)))
        {
            let Some(grouping) = Grouping::new(projection, n_clusters, 0) else { continue };
            let sums = self.cluster_sums(&grouping, judged);
            stacks.extend(judged.with_clusters(&grouping, &sums));
            groupings.push((grouping, sums));
        }
        Kinds::of(stacks, &groupings, projection, &self.mean_quality)
    }

    fn cluster_sums(&self, grouping: &Grouping, judged: &Judged<'_>) -> ClusterSums {
        let mut sums = ClusterSums::new(judged.means.len(), grouping.n_clusters, self.n_models);
        for (index, (&fold, &cluster)) in judged.folds.iter().zip(&grouping.cluster_of).enumerate()
        {
            for (model, &quality) in self.quality(index).iter().enumerate() {
                let weight = self.weights[0][index * self.n_models + model];
                if 0.0 < weight {
                    sums.push((fold, cluster, model), f64::from(quality), f64::from(weight));
                }
            }
        }
        sums
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
    pub(crate) fn without_choice(&self) -> Choice {
        let length = Length::none(self.set.rows.len());
        let lines = |values: &Option<Vec<f64>>| {
            values.as_ref().and_then(|values| length.lines(values, self.n_models, None))
        };
        let mut shares = vec![1.0; self.n_models];
        shares.push(0.0);
        let candidate = self.candidates().next();
        let candidates = vec![CandidateValue { candidate, gain: 0.0, std_error: 0.0, share: 1.0 }];
        Choice {
            candidates,
            shares: vec![shares],
            kinds: Kinds::none(),
            direction: None,
            output_tokens: lines(&self.tokens),
            cost_usd: lines(&self.costs),
            length_centre: 0.0,
            own_length: None,
            own_length_value: None,
            effort: Effort::default(),
            report: None,
        }
    }

    /// Weights in single precision to the parts of a scorer, with 8-bit terms.
    pub(crate) fn parts(&self, mut fitted: Fitted, choice: &Choice) -> (ScorerParts, ExactTerms) {
        fitted.scale(self.n_models, choice.kinds.linear);
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
