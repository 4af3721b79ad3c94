//! Why a decision came out as it did: which terms and dense features moved the chosen model's
//! score, against the mean of the eligible models.
//!
//! Not for the hot path: explaining reads the request again and allocates.

use crate::{
    features::{self, DENSE_NAMES, Extractor},
    policy::{Candidate, Policy},
    request::Request,
    scorer::Scores,
    units::len_as_float,
};

/// One thing that moved a score, in quality points.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// The words as they stand in the request, or the name of a dense feature.
    pub source: String,
    /// By how much it lifts the chosen model above the mean of the eligible ones.
    pub quality: f64,
}

/// Everything that moved one model's score; the parts sum to its lead.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The model's predicted quality less the mean of the eligible models'.
    pub lead: f64,
    /// What it leads by on every request, whatever is in it.
    pub standing: f64,
    /// Terms, the largest effect first.
    pub terms: Vec<Effect>,
    /// Dense features, the largest effect first.
    pub dense: Vec<Effect>,
    /// What it leads by on requests of this kind, if the scorer knows kinds: the cluster, counted
    /// from zero, and its effect.
    pub cluster: Option<(usize, f64)>,
}

/// Explains one model's score in a decision that was just made with `candidates` and `scores`.
pub fn explain(
    policy: &Policy,
    request: &Request<'_>,
    model: usize,
    (candidates, scores): (&[Candidate], &Scores),
) -> Explanation {
    let eligible: Vec<usize> =
        (0..candidates.len()).filter(|&m| candidates[m].excluded_by.is_none()).collect();
    let against_mean = |value: &dyn Fn(usize) -> f64| {
        let total: f64 = eligible.iter().map(|&other| value(other)).sum();
        value(model) - total / len_as_float(eligible.len())
    };
    let scorer = policy.scorer();
    let parts = scorer.parts();
    let n_columns = parts.n_columns();
    // A model that nothing was learned about finds hard what the learned ones find hard.
    let or_mean = |model: usize, of_learned: &dyn Fn(usize) -> f64| {
        if model < parts.n_models {
            return of_learned(model);
        }
        (0..parts.n_models).map(of_learned).sum::<f64>() / len_as_float(parts.n_models)
    };

    let mut extractor = Extractor::new(scorer.schema());
    let dense = parts.dense_scaling.apply(extractor.extract(request).dense);
    let dense = DENSE_NAMES.iter().enumerate().map(|(index, name)| {
        let weights = &parts.dense_weights[index * n_columns..][..n_columns];
        let of_columns: Vec<f64> =
            weights.iter().map(|weight| f64::from(dense[index]) * f64::from(*weight)).collect();
        let of_models = scorer.of_models(&of_columns);
        Effect {
            source: (*name).to_owned(),
            quality: against_mean(&|m| or_mean(m, &|m| of_models[m])),
        }
    });

    let mut seen = std::collections::BTreeSet::new();
    let mut terms = Vec::new();
    features::for_each_piece(&request.messages, |part, text| {
        features::for_each_term_of(scorer.schema(), part, text, |bucket, span| {
            if !seen.insert(bucket) {
                return;
            }
            let of_models = scorer.of_models(&scorer.term_effects(bucket, scores));
            let quality = against_mean(&|m| or_mean(m, &|m| of_models[m]));
            terms.push(Effect { source: text[span].to_owned(), quality });
        });
    });
    let difficulty = |m: usize| or_mean(m, &|m| f64::from(scores.quality()[m]));
    let level = |m: usize| candidates[m].expected.quality - difficulty(m); // zero for the learned
    let standing = scorer.standing();
    let cluster = scores.cluster().zip(parts.clusters.as_ref()).map(|(cluster, clusters)| {
        let offsets = clusters.offsets_of(cluster);
        (cluster, against_mean(&|m| or_mean(m, &|m| f64::from(offsets[m]))))
    });
    Explanation {
        lead: against_mean(&|m| candidates[m].expected.quality),
        standing: against_mean(&|m| or_mean(m, &|m| standing[m]) + level(m)),
        terms: largest_first(terms),
        dense: largest_first(dense.collect()),
        cluster,
    }
}

pub(crate) fn largest_first(mut effects: Vec<Effect>) -> Vec<Effect> {
    effects.retain(|effect| effect.quality != 0.0);
    effects.sort_by(|a, b| {
        b.quality.abs().total_cmp(&a.quality.abs()).then_with(|| a.source.cmp(&b.source))
    });
    effects
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        policy::Workspace,
        scorer::{
            Scorer,
            tests::{clustered, factored, patterned},
        },
        units::Probability,
    };

    #[test]
    fn the_parts_sum_to_the_lead() {
        let names: Vec<String> = (0..4).map(|index| format!("m{index}")).collect();
        for parts in [patterned(4, 10), clustered(4, 10), factored(4, 3, 10)] {
            check_sum(&Policy::new(Scorer::new(parts).unwrap(), &names, None).unwrap());
        }
        let policy = Policy::new(Scorer::new(clustered(4, 10)).unwrap(), &names, None).unwrap();
        let catalog = crate::catalog::Catalog::from_toml(
            "[[models]]\nid = \"new\"\nprior_quality = 0.9\n[[models.endpoints]]\nprovider = \"p\"\n\
             input_usd_per_million = 1.0\noutput_usd_per_million = 1.0",
        )
        .unwrap();
        let which = crate::newcomers::Newcomers::Stated;
        check_sum(&policy.with_newcomers(&catalog, None, which));
    }

    #[track_caller]
    fn check_sum(policy: &Policy) {
        let mut workspace = Workspace::new(policy);
        for prompt in ["", "Sort these: 3, 1, 2.", &"many different words and more ".repeat(50)] {
            let request = Request::from_prompt(prompt);
            let decision = policy.decide(&request, Probability::ZERO, &mut workspace).unwrap();
            let made = (workspace.candidates(), workspace.scores());
            let explanation = explain(policy, &request, decision.model, made);
            let Explanation { lead, standing, terms, dense, cluster } = explanation;
            let sum: f64 = terms.iter().chain(&dense).map(|effect| effect.quality).sum();
            let sum = sum + cluster.map_or(0.0, |(_, effect)| effect);
            assert!(
                (standing + sum - lead).abs() < 1e-5,
                "{prompt:.20}: {standing} + {sum} != {lead}"
            );
        }
    }
}
