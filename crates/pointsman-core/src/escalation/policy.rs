//! The second step of a cascade: accept the answer in hand, or call another model.
//!
//! Accepting is an option like each next model, of the quality that is predicted for the answer in
//! hand and of no further cost: what was spent is spent, and only what is still to be paid counts.
//! Objective, eligibility and explorer are those of the first step, so that a cascade is one
//! policy with one propensity for each of its steps. It stops after a given number of answers, and
//! where nothing was learned about the answers of the model in hand.

use super::scorer::{EscalationScorer, EscalationScores};
use crate::{
    answer::{Answer, AnswerExtractor, AnswerFeatures},
    circumstances::Circumstances,
    eligibility::Exclusion,
    explorer,
    features::{FeatureSchema, Features},
    objective::{Expected, Favour, Objective},
    policy::{Policy, Wanted, Workspace},
    request::Request,
    scorer::LengthScorer,
    units::{Probability, Propensity, Usd},
};

/// A cascade ends at so many answers where nothing else is asked for.
pub const MOST_ANSWERS: u32 = 3;

/// What was learned about one model's answers.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The model whose answers it reads, by its place in the policy.
    pub model: usize,
    /// The models that it may be escalated to, by their places in the policy; one for each column
    /// of the scorer but the first.
    pub next: Vec<usize>,
    /// What predicts.
    pub scorer: EscalationScorer,
}

/// Decides after an answer; goes with one [`Policy`].
#[derive(Debug, Clone)]
pub struct EscalationPolicy {
    readers: Vec<Reader>,
    /// Of the policy, since costs come from them.
    lengths: LengthScorer,
    schema: FeatureSchema,
    most_answers: u32,
}

/// Readers that do not go with a policy.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EscalationPolicyError {
    /// Nothing was learned.
    #[error("there is no model whose answers could be read")]
    NoReader,
    /// Two readers of one model's answers.
    #[error("model number {model} has two readers of its answers; leave one out")]
    TwoReaders { model: usize },
    /// A model that the policy does not have, or one that is escalated to itself.
    #[error("model number {model} cannot be escalated to from model number {from}")]
    Next { model: usize, from: usize },
    /// Predictions for more or fewer models than are named.
    #[error("{n_names} next models for a scorer that predicts {n_scored}")]
    Columns { n_names: usize, n_scored: usize },
    /// Features that are not those of the policy.
    #[error("requests and answers are read by different schemas; train both together")]
    Schema,
}

/// An answer that may be accepted.
#[derive(Debug, Clone, Copy)]
pub struct InHand<'a, 'r, 't> {
    /// What was asked.
    pub request: &'a Request<'r>,
    /// What is in force.
    pub circumstances: &'a Circumstances<'a>,
    /// The answer.
    pub answer: &'a Answer<'t>,
    /// Who gave it, by its place in the policy.
    pub model: usize,
    /// Answers so far, with this one.
    pub n_answers: u32,
    /// What they cost.
    pub spent: Usd,
}

/// What may be done with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is given to the caller.
    Accept,
    /// The model of this place in the policy is called.
    Escalate(usize),
}

/// One thing that may be done, and its chances.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EscalationOption {
    /// What is done.
    pub step: Step,
    /// Why the model may not be called; `None` for what is possible.
    pub excluded_by: Option<Exclusion>,
    /// What is expected of it; cost and latency are those still to come.
    pub expected: Expected,
    /// In quality points; negative infinity for the excluded.
    pub utility: f64,
    /// The probability with which it is drawn.
    pub probability: f64,
}

/// Why there was nothing to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// There have been as many answers as are allowed.
    LastStep,
    /// Nothing was learned about this model's answers.
    NoReader,
    /// No next model may answer.
    NoneEligible,
}

/// One draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EscalationDecision {
    /// What was drawn.
    pub step: Step,
    /// The probability with which it had been drawn.
    pub propensity: Propensity,
    /// Why it could only be accepted, if so.
    pub settled: Option<Settled>,
    /// Bytes of the answer that were not read because it was too long.
    pub n_bytes_cut: usize,
}

/// The buffers of one deciding thread. After the first decisions nothing in it grows.
#[derive(Debug)]
pub struct EscalationWorkspace {
    pub(super) extractor: AnswerExtractor,
    pub(super) scores: EscalationScores,
    options: Vec<EscalationOption>,
    utilities: Vec<f64>,
    probabilities: Vec<f64>,
}

impl EscalationWorkspace {
    /// Buffers for a policy's decisions, large enough for any answer.
    pub fn new(escalation: &EscalationPolicy) -> Self {
        let mut extractor = AnswerExtractor::new(escalation.schema);
        extractor.reserve();
        let most = 1 + escalation.readers.iter().map(|it| it.next.len()).max().unwrap_or(0);
        Self {
            extractor,
            scores: EscalationScores::default(),
            options: Vec::with_capacity(most),
            utilities: Vec::with_capacity(most),
            probabilities: Vec::with_capacity(most),
        }
    }

    /// What might have been done in the last decision: accepting first, then each next model.
    pub fn options(&self) -> &[EscalationOption] {
        &self.options
    }

    /// The step at quantile `draw` of the distribution that [`distribute_escalation`] just made, with
    /// what it returned.
    pub fn draw(
        &self,
        draw: Probability,
        (settled, n_bytes_cut): (Option<Settled>, usize),
    ) -> EscalationDecision {
        let drawn = explorer::model_at(&self.probabilities, draw);
        let option = &self.options[drawn];
        let Ok(propensity) = Propensity::new(option.probability.min(1.0)) else {
            unreachable!("a drawn step had a probability")
        };
        EscalationDecision { step: option.step, propensity, settled, n_bytes_cut }
    }

    /// The scores of the last decision.
    pub fn scores(&self) -> &EscalationScores {
        &self.scores
    }

    /// The features of the last answer whose text was read.
    pub fn answer(&self) -> AnswerFeatures<'_> {
        self.extractor.last()
    }
}

impl EscalationPolicy {
    /// Puts readers to work beside a policy; a cascade ends at `most_answers` answers.
    ///
    /// # Errors
    /// [`EscalationPolicyError`] where they do not go with it.
    pub fn new(
        readers: Vec<Reader>,
        policy: &Policy,
        most_answers: u32,
    ) -> Result<Self, EscalationPolicyError> {
        let n_models = policy.models().len();
        for (index, Reader { model, next, scorer }) in readers.iter().enumerate() {
            let (model, n_scored) = (*model, scorer.parts().n_columns - 1);
            if readers[..index].iter().any(|other| other.model == model) {
                return Err(EscalationPolicyError::TwoReaders { model });
            }
            if next.len() != n_scored {
                return Err(EscalationPolicyError::Columns { n_names: next.len(), n_scored });
            }
            if let Some(&other) = next.iter().find(|&&it| it == model || n_models <= it) {
                return Err(EscalationPolicyError::Next { model: other, from: model });
            }
            if n_models <= model {
                return Err(EscalationPolicyError::Next { model, from: model });
            }
            if scorer.parts().schema != policy.scorer().schema() {
                return Err(EscalationPolicyError::Schema);
            }
        }
        if readers.is_empty() {
            return Err(EscalationPolicyError::NoReader);
        }
        let (scorer, schema) = (policy.scorer(), policy.scorer().schema());
        Ok(Self { readers, lengths: LengthScorer::new(scorer), schema, most_answers })
    }

    /// What reads a model's answers, if anything does.
    pub fn reader(&self, model: usize) -> Option<&Reader> {
        self.readers.iter().find(|reader| reader.model == model)
    }
}

/// Decides what to do with an answer: the step at quantile `draw` of the distribution.
///
/// The workspace's options afterwards hold every step's prediction, exclusion and probability.
/// Allocates nothing once both workspaces have served a request.
pub fn decide_escalation(
    (policy, escalation): (&Policy, &EscalationPolicy),
    in_hand: &InHand<'_, '_, '_>,
    draw: Probability,
    workspaces: (&mut Workspace, &mut EscalationWorkspace),
) -> EscalationDecision {
    let (first, second) = workspaces;
    let made = distribute_escalation((policy, escalation), in_hand, (first, &mut *second));
    second.draw(draw, made)
}

/// The distribution over steps, left in the workspace's options; returns why there was nothing to
/// choose, if so, and how many bytes of the answer were not read. Among the candidates of the policy's
/// own workspace, next models alone are known afterwards.
pub fn distribute_escalation(
    (policy, escalation): (&Policy, &EscalationPolicy),
    in_hand: &InHand<'_, '_, '_>,
    workspaces: (&mut Workspace, &mut EscalationWorkspace),
) -> (Option<Settled>, usize) {
    let (first, second) = workspaces;
    let (reader, wanted) = match escalation.reader_of(in_hand) {
        Ok(both) => both,
        Err(settled) => return (Some(second.accept(settled)), 0),
    };
    let InHand { request, circumstances, answer, .. } = *in_hand;
    let (of_prompt, of_answer) = reader.scorer.rows();
    let announce = move |term| of_prompt.announce(term);
    policy.expect_announcing(circumstances, request, (wanted, &mut *first), announce);
    let EscalationWorkspace { extractor, scores, .. } = &mut *second;
    let (read, announce) = (Some(first.extractor()), move |term| of_answer.announce(term));
    let answer = extractor.extract_beside(read, (request, answer), announce);
    let n_bytes_cut = answer.text.n_bytes_cut;
    reader.scorer.score(&first.features(), &answer, scores);
    (second.spread(reader, in_hand, first), n_bytes_cut)
}

/// As [`distribute_escalation`], of a request and an answer whose features were read before, by the
/// policy's schema. The texts of both do not count.
pub fn distribute_escalation_read(
    (policy, escalation): (&Policy, &EscalationPolicy),
    in_hand: &InHand<'_, '_, '_>,
    (prompt, answer): (&Features<'_>, &AnswerFeatures<'_>),
    workspaces: (&mut Workspace, &mut EscalationWorkspace),
) -> Option<Settled> {
    let (first, second) = workspaces;
    let (reader, wanted) = match escalation.reader_of(in_hand) {
        Ok(both) => both,
        Err(settled) => return Some(second.accept(settled)),
    };
    let asked = (in_hand.request, prompt);
    policy.expect_read(in_hand.circumstances, asked, (wanted, &mut *first));
    reader.scorer.score(prompt, answer, &mut second.scores);
    second.spread(reader, in_hand, first)
}

impl EscalationPolicy {
    /// What reads the answer in hand, and what is wanted of next models; or why nothing is to be chosen.
    fn reader_of(&self, in_hand: &InHand<'_, '_, '_>) -> Result<(&Reader, Wanted<'_>), Settled> {
        let reader = self.reader(in_hand.model).ok_or(Settled::NoReader)?;
        let both = (reader, Wanted { models: &reader.next, lengths: &self.lengths });
        if self.most_answers <= in_hand.n_answers { Err(Settled::LastStep) } else { Ok(both) }
    }
}

impl EscalationWorkspace {
    /// Leaves accepting as the only option, of an answer that was not read.
    fn accept(&mut self, settled: Settled) -> Settled {
        let expected = Expected { quality: 0.0, cost: Some(Usd::ZERO), latency_ms: Some(0.0) };
        self.options.clear();
        self.options.push(EscalationOption {
            step: Step::Accept,
            excluded_by: None,
            expected,
            utility: 0.0,
            probability: 1.0,
        });
        self.probabilities.clear();
        self.probabilities.push(1.0);
        settled
    }

    /// The distribution over what may be done with an answer that was just scored; why there was
    /// nothing to choose, if so.
    fn spread(
        &mut self,
        reader: &Reader,
        in_hand: &InHand<'_, '_, '_>,
        first: &Workspace,
    ) -> Option<Settled> {
        let Self { extractor: _, scores, options, utilities, probabilities } = self;
        weigh(reader, in_hand, (first, &*scores), options);
        let is_next = |it: &&EscalationOption| it.step != Step::Accept && it.excluded_by.is_none();
        let n_next = options.iter().filter(is_next).count();
        utilities.clear();
        utilities.extend(options.iter().map(|option| option.utility));
        probabilities.clear();
        probabilities.resize(utilities.len(), 0.0);
        in_hand.circumstances.explorer.distribute(utilities, probabilities);
        for (option, probability) in options.iter_mut().zip(probabilities) {
            option.probability = *probability;
        }
        (n_next == 0).then_some(Settled::NoneEligible)
    }
}

/// Fills in the options and their utilities.
fn weigh(
    reader: &Reader,
    in_hand: &InHand<'_, '_, '_>,
    (first, scores): (&Workspace, &EscalationScores),
    options: &mut Vec<EscalationOption>,
) {
    let quality = |column: usize| scores.quality().get(column).map_or(0.0, |&it| f64::from(it));
    let option = |step, excluded_by, expected| EscalationOption {
        step,
        excluded_by,
        expected,
        utility: f64::NEG_INFINITY,
        probability: 0.0,
    };
    options.clear();
    let nothing_more =
        Expected { quality: quality(0), cost: Some(Usd::ZERO), latency_ms: Some(0.0) };
    options.push(option(Step::Accept, None, nothing_more));
    let mut dearest = Usd::ZERO;
    for (column, &model) in (1..).zip(&reader.next) {
        let Some(candidate) = first.candidates().get(model) else { continue };
        let expected = Expected { quality: quality(column), ..candidate.expected };
        let excluded_by = candidate.excluded_by.or_else(|| over_cap(in_hand, &expected));
        if excluded_by.is_none() {
            dearest = dearest.max(expected.cost.unwrap_or(Usd::ZERO));
        }
        options.push(option(Step::Escalate(model), excluded_by, expected));
    }
    let objective = remaining(in_hand.circumstances.objective, in_hand.spent);
    for option in options.iter_mut().filter(|option| option.excluded_by.is_none()) {
        let favoured = match option.step {
            Step::Accept => in_hand.model,
            Step::Escalate(model) => model,
        };
        let raise = match in_hand.circumstances.favour {
            Some(Favour { model, quality_points }) if model == favoured => quality_points,
            Some(_) | None => 0.0,
        };
        option.utility = objective.utility(&option.expected, dearest) + raise;
    }
}

/// The caller's cap on cost holds for all answers together.
fn over_cap(in_hand: &InHand<'_, '_, '_>, expected: &Expected) -> Option<Exclusion> {
    let cap = in_hand.request.constraints.max_cost?;
    let total = in_hand.spent.saturating_add(expected.cost?);
    (cap < total).then_some(Exclusion::Cost { expected: total, cap })
}

/// What is strived for in what is left: of a cap, what was not spent.
pub(crate) fn remaining(objective: Objective, spent: Usd) -> Objective {
    match objective {
        Objective::CostCap(cap) => {
            Objective::CostCap(Usd::from_nanos(cap.nanos().saturating_sub(spent.nanos())))
        }
        Objective::Tradeoff(_) | Objective::QualityFloor(_) => objective,
    }
}

#[cfg(test)]
mod tests;
