//! What speaks for each model and against it, whatever the request: the learned weights themselves.
//!
//! All weights are less the mean over the models, because what lifts all of them changes no
//! choice. A dense feature's points are those of one standard deviation. A term's depend on the
//! request it stands in; they are given for a request of a hundred terms, all as rare as this one,
//! and terms are ranked by them times the square root of the share of training requests that hold
//! the term, so that neither a word of one prompt nor one of all comes first by that alone.
//! Weakness: a linear model spreads what it learned over words that occur together.

use crate::dictionary::Dictionary;
use pointsman_core::{
    artifact::Artifact,
    features::{DENSE_NAMES, N_DENSE},
    scorer::SQUARED_IDF_STEPS,
    units::{as_float, len_as_float},
};
use serde_json::{Value, json};

/// Terms of the request that a term's points are given for.
const TYPICAL_TERMS: f64 = 100.0;

/// One thing that lifts a model above the mean of all models, or lowers it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Speaks {
    pub(super) name: String,
    bucket: Option<u32>,
    /// Quality points.
    pub(super) points: f64,
    /// The share of training requests that hold it; `None` for a dense feature.
    pub(super) share: Option<f64>,
    rank: f64,
}

/// Everything that is said of one model, strongest first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OfModel {
    pub(super) model: String,
    pub(super) dense: Vec<Speaks>,
    /// At most so many for it as were asked for, then as many against it.
    pub(super) terms: Vec<Speaks>,
}

/// What speaks for every model and against it: all dense features, and `n_terms` terms each way.
pub(super) fn speaks(
    artifact: &Artifact,
    n_terms: usize,
    dictionary: Option<&Dictionary>,
) -> Vec<OfModel> {
    let models = artifact.card().models.iter().enumerate();
    let of_model = |(column, model): (usize, &String)| OfModel {
        model: model.clone(),
        dense: dense(artifact, column),
        terms: terms(artifact, column, n_terms, dictionary),
    };
    models.map(of_model).collect()
}

fn dense(artifact: &Artifact, column: usize) -> Vec<Speaks> {
    let parts = artifact.scorer().parts();
    let n_columns = parts.n_columns();
    let mut all: Vec<Speaks> = (0..N_DENSE)
        .map(|index| {
            let row = &parts.dense_weights[index * n_columns..][..n_columns];
            let values: Vec<f64> = row.iter().map(|weight| f64::from(*weight)).collect();
            let values = artifact.scorer().of_models(&values);
            let points = against_mean(&values, column);
            let name = DENSE_NAMES[index].to_owned();
            Speaks { name, bucket: None, points, share: None, rank: points }
        })
        .filter(|one| one.points != 0.0)
        .collect();
    all.sort_by(|a, b| b.rank.abs().total_cmp(&a.rank.abs()).then_with(|| a.name.cmp(&b.name)));
    all
}

fn terms(
    artifact: &Artifact,
    column: usize,
    n_terms: usize,
    dictionary: Option<&Dictionary>,
) -> Vec<Speaks> {
    let parts = artifact.scorer().parts();
    let n_requests = as_float(artifact.card().provenance.n_requests);
    let mut values = vec![0.0; parts.n_columns()];
    let rows = parts.term_weights.chunks_exact(parts.n_columns()).zip(&parts.squared_idf);
    let mut all: Vec<(f64, f64, f64, u32)> = Vec::new();
    for (bucket, (weights, &squared)) in (0_u32..).zip(rows) {
        if weights.iter().all(|&weight| weight == 0) {
            continue;
        }
        for ((value, weight), scale) in values.iter_mut().zip(weights).zip(&parts.scales) {
            *value = f64::from(*weight) * f64::from(*scale);
        }
        let squared = f64::from(squared) / SQUARED_IDF_STEPS;
        let points = against_mean(&artifact.scorer().of_models(&values), column)
            / (TYPICAL_TERMS * squared).sqrt();
        let share = share_of_requests(squared.sqrt(), n_requests);
        all.push((points * share.sqrt(), points, share, bucket));
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.3.cmp(&b.3)));
    let speaks = |&(rank, points, share, bucket): &(f64, f64, f64, u32)| {
        let name = dictionary.and_then(|dictionary| dictionary.name(bucket));
        let name = name.unwrap_or_else(|| format!("bucket {bucket}"));
        Speaks { name, bucket: Some(bucket), points, share: Some(share), rank }
    };
    let in_favour = all.iter().take_while(|one| 0.0 < one.0).take(n_terms);
    let against = all.iter().rev().take_while(|one| one.0 < 0.0).take(n_terms);
    in_favour.chain(against).map(speaks).collect()
}

/// The share of requests that a term's inverse document frequency tells of.
fn share_of_requests(idf: f64, n_requests: f64) -> f64 {
    let n_with = (1.0 + n_requests) * libm::exp(1.0 - idf) - 1.0;
    (n_with / n_requests.max(1.0)).clamp(0.0, 1.0)
}

fn against_mean(values: &[f64], column: usize) -> f64 {
    values[column] - values.iter().sum::<f64>() / len_as_float(values.len())
}

impl Speaks {
    fn json(&self) -> Value {
        match self.bucket {
            Some(bucket) => json!({
                "name": self.name,
                "bucket": bucket,
                "points": self.points,
                "share_of_requests": self.share,
            }),
            None => json!({"name": self.name, "points": self.points}),
        }
    }
}

/// By model, as JSON.
pub(super) fn json(all: &[OfModel]) -> Value {
    let list = |of: &[Speaks]| -> Vec<Value> { of.iter().map(Speaks::json).collect() };
    let of_model = |one: &OfModel| {
        let value = json!({"dense": list(&one.dense), "terms": list(&one.terms)});
        (one.model.clone(), value)
    };
    all.iter().map(of_model).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_core::features::inverse_document_frequency;

    #[test]
    fn the_frequency_is_read_back_from_its_logarithm() {
        for (n, n_with) in [(1000, 1), (1000, 300), (1000, 1000), (7, 3)] {
            let idf = inverse_document_frequency(n, n_with);
            let found = share_of_requests(idf, len_as_float(n));
            assert!((found - len_as_float(n_with) / len_as_float(n)).abs() < 1e-9, "{found}");
        }
        assert_eq!(share_of_requests(30.0, 10.0), 0.0);
    }

    #[test]
    fn what_lifts_all_models_speaks_for_none() {
        assert_eq!(against_mean(&[0.5, 0.5, 0.5], 1), 0.0);
        assert!((against_mean(&[0.0, 0.4], 1) - 0.2).abs() < 1e-12);
    }
}
