//! Models that nothing was learned about, in a decision: their quality from their prior and the
//! pooled difficulty of the request, their cost from the catalog.

use super::{Candidate, CostBasis, Policy, PolicyModel, endpoints::Asked, weigh::check_caps};
use crate::{
    catalog::{Catalog, Model},
    eligibility::Exclusion,
    newcomers::{Newcomers, Prior, Traits},
    units::{Usd, len_as_float},
};

/// A model that nothing was learned about.
#[derive(Debug, Clone)]
pub(super) struct NewModel {
    basis: Basis,
    /// What a dollar of each learned model would cost with this one, by their prices, over their
    /// number; empty where a price is missing.
    price_ratios: Vec<f64>,
}

/// What the quality of a model that nothing was learned about is expected by.
#[derive(Debug, Clone)]
enum Basis {
    /// Its prior, and how hard the request is for the others.
    Prior(Prior),
    /// It answers as this learned model does, by its place.
    Like(usize),
}

impl Policy {
    /// The same policy, which may also take models of the catalog that nothing was learned about,
    /// by their priors; they stand behind the learned ones.
    ///
    /// `mean_quality` is the card's; where a card has none, the scores of a request without terms
    /// and with mean dense features stand in for it. Call once, with the catalog of
    /// [`Self::new`].
    #[must_use]
    pub fn with_newcomers(
        mut self,
        catalog: &Catalog,
        mean_quality: Option<&[f64]>,
        which: Newcomers,
    ) -> Self {
        let n_learned = self.scorer.n_models();
        let means: Vec<f64> = match mean_quality.filter(|means| means.len() == n_learned) {
            Some(means) => means.to_vec(),
            None => self.scorer.standing().iter().map(|level| level.clamp(0.0, 1.0)).collect(),
        };
        let traits_of = |model: &PolicyModel| {
            model.listed.as_ref().map_or_else(Traits::default, Traits::of_listed)
        };
        let learned: Vec<(Traits, f64)> =
            self.models[..n_learned].iter().map(traits_of).zip(means.iter().copied()).collect();
        self.mean_quality = means.iter().sum::<f64>() / len_as_float(n_learned);
        for listed in catalog.models() {
            let is_wanted = match which {
                Newcomers::Never => false,
                Newcomers::Stated => listed.prior_quality.is_some(),
                Newcomers::All => true,
            };
            if !is_wanted || self.models.iter().any(|model| model.id == listed.id) {
                continue;
            }
            let traits = Traits::of_listed(listed);
            self.expected_of_new.push(NewModel {
                basis: Basis::Prior(Prior::of(&traits, &learned)),
                price_ratios: price_ratios(&traits, &learned),
            });
            self.push_model(listed);
        }
        self
    }

    /// The same policy, which may also take a model that is said to answer as the learned model
    /// at place `like` does, at the prices and limits of `listed`; it stands behind all others.
    /// Call after [`Self::with_newcomers`]. As it is where no learned model stands at `like`.
    #[must_use]
    pub fn with_twin(mut self, listed: &Model, like: usize) -> Self {
        let n_learned = self.scorer.n_models();
        if n_learned <= like {
            return self;
        }
        let price = |model: &Model| Traits::of_listed(model).price.filter(|price| 0.0 < *price);
        let of_other = self.models[like].listed.as_ref().and_then(price);
        let ratio = price(listed).zip(of_other).map_or(1.0, |(own, other)| own / other);
        let mut price_ratios = vec![0.0; n_learned];
        price_ratios[like] = ratio;
        self.expected_of_new.push(NewModel { basis: Basis::Like(like), price_ratios });
        self.push_model(listed);
        self
    }

    /// Adds a model behind all others.
    fn push_model(&mut self, listed: &Model) {
        self.offers.push(Some(listed));
        self.models.push(PolicyModel { id: listed.id.clone(), listed: Some(listed.clone()) });
    }

    /// What is expected of a model that nothing was learned about; `None` for a learned one, and
    /// for one that is said to be like a learned one.
    pub fn prior(&self, model: usize) -> Option<&Prior> {
        let place = model.checked_sub(self.scorer.n_models())?;
        match &self.expected_of_new.get(place)?.basis {
            Basis::Prior(prior) => Some(prior),
            Basis::Like(_) => None,
        }
    }

    /// Fills in what is expected of the models that nothing was learned about, from quality, output
    /// tokens and dollars of the learned ones. Returns how many may answer, and what the dearest of
    /// them costs.
    #[inline(never)]
    pub(super) fn weigh_new(
        &self,
        asked: Asked<'_, '_>,
        (quality, output_tokens, dollars): (&[f32], &[f64], &[f64]),
        most_tokens: f64,
        candidates: &mut [Candidate],
    ) -> (usize, Usd) {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / len_as_float(values.len());
        let mean_score = quality.iter().map(|quality| f64::from(*quality)).sum::<f64>()
            / len_as_float(quality.len());
        let difficulty = mean_score - self.mean_quality;
        let tokens = (!output_tokens.is_empty()).then(|| mean(output_tokens).min(most_tokens));
        let (mut n_eligible, mut dearest) = (0, Usd::ZERO);
        let models = (quality.len()..).zip(&self.expected_of_new);
        for ((place, new), candidate) in models.zip(candidates) {
            *candidate = Candidate::UNKNOWN;
            match &new.basis {
                Basis::Prior(prior) => {
                    candidate.expected.quality = prior.level + difficulty;
                    candidate.output_tokens = tokens;
                }
                Basis::Like(like) => {
                    candidate.expected.quality = f64::from(quality[*like]);
                    let of_other = output_tokens.get(*like);
                    candidate.output_tokens = of_other.map(|tokens| tokens.min(most_tokens));
                }
            }
            match self.may_take_new((place, new), asked, dollars, candidate) {
                Ok(()) => {
                    n_eligible += 1;
                    dearest = dearest.max(candidate.expected.cost.unwrap_or(Usd::ZERO));
                }
                Err(reason) => candidate.excluded_by = Some(reason),
            }
        }
        (n_eligible, dearest)
    }

    fn may_take_new(
        &self,
        (place, new): (usize, &NewModel),
        asked: Asked<'_, '_>,
        dollars: &[f64],
        candidate: &mut Candidate,
    ) -> Result<(), Exclusion> {
        self.admit(place, asked, candidate)?;
        // Without ratios the catalog's price and assumed tokens stand: better than nothing.
        if self.cost_basis == CostBasis::Learned && !new.price_ratios.is_empty() {
            let pairs = new.price_ratios.iter().zip(dollars);
            let expected: f64 = pairs.map(|(ratio, dollars)| ratio * dollars).sum();
            candidate.expected.cost = Usd::from_dollars(expected).ok();
        }
        check_caps(asked.request, &candidate.expected)
    }
}

fn price_ratios(new: &Traits, learned: &[(Traits, f64)]) -> Vec<f64> {
    let n = len_as_float(learned.len());
    let ratio = |(traits, _): &(Traits, f64)| {
        let known = traits.price.filter(|price| 0.0 < *price)?;
        Some(new.price? / known / n)
    };
    learned.iter().map(ratio).collect::<Option<_>>().unwrap_or_default()
}
