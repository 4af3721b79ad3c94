//! Eligibility, scorer, objective and explorer together: from a request to a distribution over
//! models, and one draw from it.
//!
//! ```
//! # use pointsman_core::{artifact::Artifact, catalog::Catalog, units::Probability};
//! # use pointsman_core::{policy::{Policy, Workspace}, request::Request};
//! # fn decide(file: &[u8], prices: &str) -> Result<String, Box<dyn std::error::Error>> {
//! let artifact = Artifact::from_bytes(file)?;
//! let catalog = Catalog::from_toml(prices)?;
//! let models = &artifact.card().models;
//! let policy = Policy::new(artifact.scorer().clone(), models, Some(&catalog))?;
//! let mut workspace = Workspace::new(&policy); // one for each thread
//! let request = Request::from_prompt("Write a haiku about rain.");
//! let decision = policy.decide(&request, Probability::ZERO, &mut workspace)?;
//! Ok(models[decision.model].clone())
//! # }
//! # let file = include_bytes!("../../../tests/golden/artifact-v1.safetensors");
//! # let names = Artifact::from_bytes(file).unwrap().card().models.clone();
//! # let list = |name: &String| format!("[[models]]\nid = {name:?}\n[[models.endpoints]]\n\
//! #     provider = \"p\"\ninput_usd_per_million = 1.0\noutput_usd_per_million = 2.0\n");
//! # let prices: String = names.iter().map(list).collect();
//! # assert!(names.contains(&decide(file, &prices).unwrap()));
//! ```

mod ahead;
mod endpoints;
mod expect;
mod new_models;
mod offers;
mod weigh;
mod workspace;

pub(crate) use expect::Wanted;
pub use workspace::{Candidate, CascadeAhead, Decision, Workspace};

use crate::{
    catalog::{Catalog, Model},
    circumstances::{Circumstances, Held, Outlook, Switch},
    escalation::{Foresight, Reader},
    explorer::Explorer,
    features::Features,
    objective::{Favour, Objective, OperatingPoint, WeightError, Weights},
    request::Request,
    scorer::Scorer,
    simd,
    units::{Probability, Tokens, as_float, len_as_float},
};
use ahead::Ahead;
use endpoints::Asked;
use new_models::NewModel;
use offers::Offers;
use weigh::Weighing;

/// Output tokens assumed where none could be learned; [`CostBasis`] says so.
pub const ASSUMED_OUTPUT_TOKENS: u64 = 500;

/// Decides. Pure: the random number is an argument and the buffers are the caller's.
#[derive(Debug, Clone)]
pub struct Policy {
    scorer: Scorer,
    models: Vec<PolicyModel>,
    /// What the catalog says of `models`, in their order.
    offers: Offers,
    cost_basis: CostBasis,
    objective: Objective,
    /// What is expected of models that stand behind the learned ones in `models`.
    expected_of_new: Vec<NewModel>,
    /// The mean quality of the learned models.
    mean_quality: f64,
    /// What one model's utility is raised by.
    favour: Option<Favour>,
    /// What is foreseen of the models whose answers are read, in their order.
    ahead: Vec<Ahead>,
    explorer: Explorer,
}

#[derive(Debug, Clone)]
struct PolicyModel {
    id: String,
    listed: Option<Model>,
}

/// Where expected costs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostBasis {
    /// The catalog's prices, input tokens and learned output tokens.
    CatalogAndTokens,
    /// The catalog's prices and [`ASSUMED_OUTPUT_TOKENS`]: no lengths were in the training data.
    CatalogAndAssumedTokens,
    /// Learned from the costs in the training data.
    Learned,
    /// Costs are not known; every model counts as free.
    Unknown,
}

/// A catalog that does not go with the scorer.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A learned model that cannot be called.
    #[error(
        "model `{model}` of the policy is not in the catalog; add it there, or train without it"
    )]
    NotInCatalog { model: String },
    /// Names and scores do not go together.
    #[error("{n_names} model names for a scorer of {n_scored} models")]
    Names { n_names: usize, n_scored: usize },
}

/// No model may answer the request; the workspace's candidates hold each one's reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("none of the {n_models} models may answer this request")]
pub struct NoEligibleModel {
    n_models: usize,
}

impl Policy {
    /// Puts a scorer to work for the models it was trained on.
    ///
    /// # Errors
    /// [`PolicyError`] where a model is not in the catalog, or the names do not fit the scorer.
    pub fn new(
        scorer: Scorer,
        models: &[String],
        catalog: Option<&Catalog>,
    ) -> Result<Self, PolicyError> {
        let parts = scorer.parts();
        if models.len() != parts.n_models {
            let (n_names, n_scored) = (models.len(), parts.n_models);
            return Err(PolicyError::Names { n_names, n_scored });
        }
        let put_to_work = |id: &String| {
            let listed = match catalog {
                Some(catalog) => Some(
                    catalog
                        .find(id)
                        .cloned()
                        .ok_or_else(|| PolicyError::NotInCatalog { model: id.clone() })?,
                ),
                None => None,
            };
            Ok(PolicyModel { id: id.clone(), listed })
        };
        let cost_basis = match (catalog, &parts.output_tokens, &parts.cost_usd) {
            (Some(_), Some(_), _) => CostBasis::CatalogAndTokens,
            (Some(_), None, None) => CostBasis::CatalogAndAssumedTokens,
            (Some(_), None, Some(_)) | (None, _, Some(_)) => CostBasis::Learned,
            (None, _, None) => CostBasis::Unknown,
        };
        let models: Vec<PolicyModel> =
            models.iter().map(put_to_work).collect::<Result<_, PolicyError>>()?;
        let mut offers = Offers::default();
        for model in &models {
            offers.push(model.listed.as_ref());
        }
        Ok(Self {
            scorer,
            models,
            offers,
            cost_basis,
            objective: Objective::default(),
            expected_of_new: Vec::new(),
            mean_quality: 0.0,
            favour: None,
            ahead: Vec::new(),
            explorer: Explorer::GREEDY,
        })
    }

    /// The same policy with another objective, which favours no model.
    #[must_use]
    pub fn with_objective(mut self, objective: Objective) -> Self {
        self.objective = objective;
        self.favour = None;
        self
    }

    /// The same policy at an operating point of its artifact.
    ///
    /// # Errors
    /// [`WeightError`] for a weight on cost that is negative or not finite.
    pub fn at_point(mut self, point: &OperatingPoint) -> Result<Self, WeightError> {
        self.objective = Objective::Tradeoff(Weights::new(point.per_dollar, 0.0)?);
        self.favour = point.favour;
        Ok(self)
    }

    /// The same policy with another worth of a second, in quality points; a floor or a cap, which
    /// looks at no second, stays as it is.
    ///
    /// # Errors
    /// [`WeightError`] for a worth that is negative or not finite.
    pub fn with_per_second(mut self, per_second: f64) -> Result<Self, WeightError> {
        if let Objective::Tradeoff(weights) = self.objective {
            self.objective = Objective::Tradeoff(Weights::new(weights.per_dollar(), per_second)?);
        }
        Ok(self)
    }

    /// The same policy with another explorer.
    #[must_use]
    pub fn with_explorer(mut self, explorer: Explorer) -> Self {
        self.explorer = explorer;
        self
    }

    /// The same policy, whose first decision foresees that an answer may be followed by another one,
    /// where both a reader and what is foreseen of it are given.
    #[must_use]
    pub fn foreseeing(mut self, readers: &[Reader], foresight: &[Foresight]) -> Self {
        self.ahead = ahead::of_readers(readers, foresight);
        self
    }

    /// What the policy strives for.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// The names of the models, in the order of every per-model slice.
    pub fn models(&self) -> impl ExactSizeIterator<Item = &str> {
        self.models.iter().map(|model| model.id.as_str())
    }

    /// Where expected costs come from.
    pub fn cost_basis(&self) -> CostBasis {
        self.cost_basis
    }

    /// The learned part.
    pub fn scorer(&self) -> &Scorer {
        &self.scorer
    }

    /// The provider of a candidate's endpoint.
    pub fn provider(&self, model: usize, candidate: &Candidate) -> Option<&str> {
        let listed = self.models[model].listed.as_ref()?;
        Some(listed.endpoints[candidate.endpoint?].provider.as_str())
    }

    /// Decides one request: the model at quantile `draw` of the policy's distribution.
    ///
    /// The workspace's candidates afterwards hold every model's prediction, exclusion and
    /// probability. Allocates nothing once the workspace has served a request.
    ///
    /// # Errors
    /// [`NoEligibleModel`] where the constraints leave nothing; each candidate has its reason.
    pub fn decide(
        &self,
        request: &Request<'_>,
        draw: Probability,
        workspace: &mut Workspace,
    ) -> Result<Decision, NoEligibleModel> {
        let n_bytes_cut = self.distribute(request, workspace)?;
        Ok(workspace.draw(draw, n_bytes_cut))
    }

    /// The distribution over models for one request, left in the workspace's candidates; returns
    /// how many bytes of the request were not read.
    ///
    /// # Errors
    /// As [`Self::decide`].
    pub fn distribute(
        &self,
        request: &Request<'_>,
        workspace: &mut Workspace,
    ) -> Result<usize, NoEligibleModel> {
        self.distribute_in(&self.circumstances(), request, workspace)
    }

    /// The circumstances of a decision about which nothing else is known: the policy's own aims.
    pub fn circumstances(&self) -> Circumstances<'static> {
        let (objective, explorer) = (self.objective, self.explorer);
        let (favour, outlook) = (self.favour, Outlook::Cascade);
        Circumstances { objective, favour, explorer, live: None, held: None, outlook }
    }

    /// As [`Self::distribute`], in given circumstances.
    ///
    /// # Errors
    /// As [`Self::decide`].
    pub fn distribute_in(
        &self,
        circumstances: &Circumstances<'_>,
        request: &Request<'_>,
        workspace: &mut Workspace,
    ) -> Result<usize, NoEligibleModel> {
        let rows = self.scorer.rows();
        let features =
            workspace.extractor.extract_announcing(request, move |term| rows.announce(term));
        let (n_bytes, n_bytes_cut) = (features.n_bytes, features.n_bytes_cut);
        self.scorer.score(&features, &mut workspace.scores);
        self.weigh(circumstances, (request, n_bytes), workspace)?;
        Ok(n_bytes_cut)
    }

    /// As [`Self::distribute_in`], for a request whose text was read before: the same distribution
    /// from the features alone. Of the request itself only needs and limits count.
    ///
    /// `features` must have been read by the schema of [`Self::scorer`].
    ///
    /// # Errors
    /// As [`Self::decide`].
    pub fn distribute_read(
        &self,
        circumstances: &Circumstances<'_>,
        (request, features): (&Request<'_>, &Features<'_>),
        workspace: &mut Workspace,
    ) -> Result<(), NoEligibleModel> {
        self.scorer.score(features, &mut workspace.scores);
        self.weigh(circumstances, (request, features.n_bytes), workspace)
    }

    /// From the scores in the workspace to a distribution.
    fn weigh(
        &self,
        circumstances: &Circumstances<'_>,
        (request, n_bytes): (&Request<'_>, usize),
        workspace: &mut Workspace,
    ) -> Result<(), NoEligibleModel> {
        let input_tokens = self.input_tokens(request, n_bytes);
        workspace.input_tokens = input_tokens;
        let asked = Asked::new(request, input_tokens, circumstances);
        let mut weighed = simd::at_best(Weighing { policy: self, asked, workspace });
        if let (Err(_), Some(held)) = (&weighed, circumstances.held)
            && held.switch == Switch::InToolLoop
        {
            let held = Some(Held { switch: Switch::Allowed, ..held });
            let circumstances = &Circumstances { held, ..*circumstances };
            let asked = Asked::new(request, input_tokens, circumstances);
            weighed = simd::at_best(Weighing { policy: self, asked, workspace });
        }
        weighed
    }

    /// Every endpoint of a model that might have been used in the last decision, the best first,
    /// by their places in the catalog; none where there is no catalog.
    pub fn endpoints_in(
        &self,
        circumstances: &Circumstances<'_>,
        request: &Request<'_>,
        (model, workspace): (usize, &Workspace),
    ) -> Vec<usize> {
        let Some(listed) = &self.models[model].listed else { return Vec::new() };
        let expected = workspace.candidates[model].output_tokens;
        let asked = Asked::new(request, workspace.input_tokens, circumstances);
        asked.accepted(model, listed, expected.unwrap_or(as_float(ASSUMED_OUTPUT_TOKENS)))
    }

    /// What the catalog says of a model; `None` where there is no catalog.
    pub fn listed(&self, model: usize) -> Option<&Model> {
        self.models[model].listed.as_ref()
    }

    fn input_tokens(&self, request: &Request<'_>, n_bytes: usize) -> Tokens {
        request.input_tokens.unwrap_or_else(|| {
            let estimate = len_as_float(n_bytes) * self.scorer.parts().input_tokens_per_byte;
            whole_tokens(estimate)
        })
    }
}

/// Rounded up; without `ceil`, which is a call where the machine is not known to round in one
/// instruction.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates at both ends"
)]
fn whole_tokens(estimate: f64) -> Tokens {
    let below = estimate as u64;
    Tokens::new(below.saturating_add(u64::from(as_float(below) < estimate)))
}

#[cfg(test)]
mod tests;
