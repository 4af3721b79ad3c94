//! From scores to a distribution: what is expected of each model, who may answer, utilities,
//! probabilities.

use super::{Candidate, CostBasis, NoEligibleModel, Policy, Workspace, endpoints::Asked};
use crate::{
    circumstances::Switch,
    eligibility::{self, Exclusion},
    objective::{Expected, Favour, Objective},
    request::Request,
    scorer::{LogLine, at_length},
    simd::Job,
    units::{Usd, as_float},
};

/// From scores to a distribution.
pub(super) struct Weighing<'a, 'r> {
    pub(super) policy: &'a Policy,
    pub(super) asked: Asked<'a, 'r>,
    pub(super) workspace: &'a mut Workspace,
}

impl Job for Weighing<'_, '_> {
    type Output = Result<(), NoEligibleModel>;

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) -> Result<(), NoEligibleModel> {
        let Self { policy, asked, workspace } = self;
        let objective = &asked.circumstances.objective;
        let most = lengths(policy, asked, workspace);
        let Workspace {
            extractor: _,
            scores,
            output_tokens,
            cost_usd,
            candidates,
            utilities,
            probabilities,
            input_tokens: _,
        } = workspace;
        candidates.resize(policy.models.len(), Candidate::UNKNOWN);
        let (mut n_eligible, mut dearest) = (0_usize, Usd::ZERO);
        let learned = (&output_tokens[..], &cost_usd[..]);
        let scored = scores.quality().iter().enumerate();
        for ((index, quality), candidate) in scored.zip(&mut *candidates) {
            match policy.expect_of((index, *quality), (asked, most), learned, candidate) {
                Ok(()) => {
                    n_eligible += 1;
                    dearest = dearest.max(candidate.expected.cost.unwrap_or(Usd::ZERO));
                }
                Err(reason) => candidate.excluded_by = Some(reason),
            }
        }
        if !policy.expected_of_new.is_empty() {
            let learned = (scores.quality(), &output_tokens[..], &cost_usd[..]);
            let behind = &mut candidates[scores.quality().len()..];
            let (n, most_of_new) = policy.weigh_new(asked, learned, most, behind);
            n_eligible += n;
            dearest = dearest.max(most_of_new);
        }
        if n_eligible == 0 {
            return Err(NoEligibleModel { n_models: policy.models.len() });
        }
        utilities.clear();
        let (lots, rest) = candidates.as_chunks_mut::<LANES>();
        for lot in lots {
            weigh_lot(objective, dearest, lot);
            utilities.extend(lot.iter().map(|candidate| candidate.utility));
        }
        for candidate in rest {
            let lot = std::array::from_mut(candidate);
            weigh_lot(objective, dearest, lot);
            utilities.extend(lot.iter().map(|candidate| candidate.utility));
        }
        if let Some(Favour { model, quality_points }) = asked.circumstances.favour
            && let Some(candidate) = candidates.get_mut(model)
        {
            candidate.utility += quality_points; // negative infinity stays what it is
            utilities[model] = candidate.utility;
        }
        if !policy.ahead.is_empty() {
            policy.look_ahead(asked, dearest, (&mut candidates[..], &mut utilities[..]));
        }
        probabilities.resize(utilities.len(), 0.0); // those of the last decision are overwritten
        asked.circumstances.explorer.distribute(utilities, probabilities);
        for (candidate, probability) in candidates.iter_mut().zip(probabilities) {
            candidate.probability = *probability;
        }
        Ok(())
    }
}

/// How many utilities are computed at once.
const LANES: usize = 4;

/// Fills in the utilities of the eligible among some candidates.
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
fn weigh_lot<const N: usize>(objective: &Objective, dearest: Usd, lot: &mut [Candidate; N]) {
    let expected = lot.each_ref().map(|candidate| &candidate.expected);
    let utilities = objective.utilities(expected, dearest);
    for (candidate, utility) in lot.iter_mut().zip(utilities) {
        if candidate.excluded_by.is_none() {
            candidate.utility = utility;
        }
    }
}

/// Fills in how long the answers of all learned models are expected to be, and what they cost where that
/// was learned; returns the most output tokens that one may have.
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
pub(super) fn lengths(policy: &Policy, asked: Asked<'_, '_>, workspace: &mut Workspace) -> f64 {
    let Workspace { scores, output_tokens, cost_usd, .. } = workspace;
    let parts = policy.scorer.parts();
    at_length(lines_of(parts.output_tokens.as_ref()), scores.token_length(), output_tokens);
    if policy.cost_basis == CostBasis::Learned {
        at_length(lines_of(parts.cost_usd.as_ref()), scores.length(), cost_usd);
    }
    asked.request.max_tokens.map_or(f64::INFINITY, |limit| as_float(limit.get()))
}

fn lines_of(lines: Option<&Vec<LogLine>>) -> &[LogLine] {
    lines.map_or(&[], Vec::as_slice)
}

pub(super) fn check_caps(request: &Request<'_>, expected: &Expected) -> Result<(), Exclusion> {
    if let (Some(cap), Some(cost)) = (request.constraints.max_cost, expected.cost)
        && cap < cost
    {
        return Err(Exclusion::Cost { expected: cost, cap });
    }
    match (request.constraints.max_latency_ms, expected.latency_ms) {
        (Some(cap_ms), Some(expected_ms)) if cap_ms < expected_ms => {
            Err(Exclusion::Latency { expected_ms, cap_ms })
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

impl Policy {
    /// Fills in what is expected of a learned model, or says why it may not answer; `most` is what
    /// [`lengths`] gave.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(super) fn expect_of(
        &self,
        (place, quality): (usize, f32),
        (asked, most): (Asked<'_, '_>, f64),
        (output_tokens, cost_usd): (&[f64], &[f64]),
        candidate: &mut Candidate,
    ) -> Result<(), Exclusion> {
        *candidate = Candidate::UNKNOWN;
        candidate.expected.quality = f64::from(quality);
        candidate.output_tokens = output_tokens.get(place).map(|expected| expected.min(most));
        let dollars = cost_usd.get(place).copied().unwrap_or(0.0);
        self.admit(place, asked, candidate)?;
        if self.cost_basis == CostBasis::Learned {
            candidate.expected.cost = Usd::from_dollars(dollars).ok();
        }
        check_caps(asked.request, &candidate.expected)
    }

    /// What must hold of any model before its cost is known: its name, the conversation, an
    /// endpoint, which is chosen here.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(super) fn admit(
        &self,
        place: usize,
        asked: Asked<'_, '_>,
        candidate: &mut Candidate,
    ) -> Result<(), Exclusion> {
        if asked.is_plain && self.offers.take(place, asked, candidate) {
            return Ok(());
        }
        let model = &self.models[place];
        eligibility::check_name(&model.id, &asked.request.constraints)?;
        if let Some(held) = asked.circumstances.held
            && held.switch == Switch::InToolLoop
            && held.model != place
        {
            return Err(Exclusion::HeldBySession);
        }
        if let Some(listed) = &model.listed {
            asked.choose((place, listed), candidate)?;
        }
        Ok(())
    }
}
