//! What one decision leaves behind: each model's chances, the draw, and the buffers that make
//! decisions free of allocation.

use super::{ASSUMED_OUTPUT_TOKENS, Policy, whole_tokens};
use crate::{
    eligibility::Exclusion,
    explorer,
    features::{Extractor, Features},
    objective::Expected,
    scorer::Scores,
    units::{Probability, Propensity, Tokens, as_float},
};

/// One model's chances in one decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Why it may not answer; `None` for the eligible.
    pub excluded_by: Option<Exclusion>,
    /// The cheapest endpoint that may be used, by its place in the catalog.
    pub endpoint: Option<usize>,
    /// What is expected of its answer.
    pub expected: Expected,
    /// Expected output tokens, where they could be learned.
    pub output_tokens: Option<f64>,
    /// In quality points; negative infinity for the excluded. Of the whole cascade, where one is
    /// foreseen.
    pub utility: f64,
    /// The probability with which it is drawn.
    pub probability: f64,
    /// What is foreseen after its answer, where anything is.
    pub cascade: Option<CascadeAhead>,
}

/// A model's answer and perhaps another one after it, as they are expected before the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CascadeAhead {
    /// Of the answer that is given, and the cost and time of all answers.
    pub expected: Expected,
    /// The next model that is best by the request alone.
    pub next: usize,
    /// How likely another model is called.
    pub escalates: f64,
}

/// One draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The drawn model, by its place in [`Policy::models`].
    pub model: usize,
    /// The probability with which it had been drawn.
    pub propensity: Propensity,
    /// Bytes of the request that were not read because it was too long.
    pub n_bytes_cut: usize,
}

/// The buffers of one deciding thread. After the first decisions nothing in it grows.
#[derive(Debug)]
pub struct Workspace {
    pub(super) extractor: Extractor,
    pub(super) scores: Scores,
    pub(super) output_tokens: Vec<f64>,
    pub(super) cost_usd: Vec<f64>,
    pub(super) candidates: Vec<Candidate>,
    pub(super) utilities: Vec<f64>,
    pub(super) probabilities: Vec<f64>,
    pub(super) input_tokens: Tokens,
}

impl Candidate {
    /// Nothing is known of it yet.
    pub(super) const UNKNOWN: Self = Self {
        excluded_by: None,
        endpoint: None,
        expected: Expected { quality: 0.0, cost: None, latency_ms: None },
        output_tokens: None,
        utility: f64::NEG_INFINITY,
        probability: 0.0,
        cascade: None,
    };
}

impl Workspace {
    /// What has read the last request.
    pub(crate) fn extractor(&self) -> &Extractor {
        &self.extractor
    }

    /// Buffers for a policy's decisions, large enough for any request.
    pub fn new(policy: &Policy) -> Self {
        let mut extractor = Extractor::new(policy.scorer.schema());
        extractor.reserve();
        let n_models = policy.models.len();
        Self {
            extractor,
            scores: Scores::default(),
            output_tokens: Vec::with_capacity(n_models),
            cost_usd: Vec::with_capacity(n_models),
            candidates: Vec::with_capacity(n_models),
            utilities: Vec::with_capacity(n_models),
            probabilities: Vec::with_capacity(n_models),
            input_tokens: Tokens::default(),
        }
    }

    /// The prompt's length in the last decision: the caller's count, or the estimate.
    pub fn input_tokens(&self) -> Tokens {
        self.input_tokens
    }

    /// The tokens of the prompt and of a model's answer that the catalog's prices were multiplied
    /// with in the last decision: [`ASSUMED_OUTPUT_TOKENS`] stand for the answer where no lengths
    /// were learned.
    pub fn expected_tokens(&self, model: usize) -> Tokens {
        let answer = self.candidates.get(model).and_then(|candidate| candidate.output_tokens);
        let answer = whole_tokens(answer.unwrap_or(as_float(ASSUMED_OUTPUT_TOKENS)));
        Tokens::new(self.input_tokens.get().saturating_add(answer.get()))
    }

    /// The model at quantile `draw` of the distribution that was made last; `n_bytes_cut` is what
    /// [`Policy::distribute`] returned.
    ///
    /// # Panics
    /// If no distribution was made: a bug in the caller.
    pub fn draw(&self, draw: Probability, n_bytes_cut: usize) -> Decision {
        let model = explorer::model_at(&self.probabilities, draw);
        let Ok(propensity) = Propensity::new(self.probabilities[model].min(1.0)) else {
            unreachable!("a drawn model had a probability")
        };
        Decision { model, propensity, n_bytes_cut }
    }

    /// All models' chances in the last decision, in the order of [`Policy::models`].
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The features of the last request whose text was read, by the schema of the policy's scorer.
    pub fn features(&self) -> Features<'_> {
        self.extractor.last()
    }

    /// The scores of the last decision.
    pub fn scores(&self) -> &Scores {
        &self.scores
    }
}
