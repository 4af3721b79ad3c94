//! What held-out rows say of the candidates: their shares, the kinds of requests, costs and lengths.

use super::{HeldOutFits, Problem};
use crate::{
    blend::{Judged, Stacked},
    candidate::Candidate,
    clusters::{ClusterSums, Grouping, sizes},
    columns::Effort,
    cost::{Length, Lines},
    demands::Demands,
    kinds::Kinds,
    lengths::{LengthValue, Lengths, OwnLength},
    outcomes::narrow,
    projection::Projection,
    report::{self, HeldOutReport},
    select::{CandidateValue, HeldOut, Yardstick, gain, shares},
    train::TrainError,
};
use pointsman_core::units::len_as_float;

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

impl Problem<'_> {
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
        let kinds = Kinds::of(stacks, &groupings, projection, &self.mean_quality);
        // What is not even put to scale for all needs no finer scale.
        match kinds.deviations.as_deref().map(|kept| judged.sloped(kept)) {
            Some(sloped) => kinds.with_slopes(sloped),
            None => kinds,
        }
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

    /// Mean outcomes of a model: what is left to compare candidates by where each row has one.
    fn outcomes_per_model(&self) -> f64 {
        let n = len_as_float(self.set.rows.len());
        if self.set.outcomes.draws().is_some() { n / len_as_float(self.n_models) } else { n }
    }
}
