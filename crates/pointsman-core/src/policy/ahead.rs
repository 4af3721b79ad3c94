//! The first decision of a cascade: a model whose answers are read is worth what its answer and a
//! better one after it are expected to be worth together.
//!
//! The step after the answer has the objective, the favour and the hard constraints of the first,
//! and only what is still to be paid counts there, as in [`crate::escalation`]. Next models that
//! would break a cap together with the first are none, so that a cap holds whatever is called.
//! Weakness: one step is looked ahead; under a floor on quality, none.

use super::{Candidate, CascadeAhead, Policy, endpoints::Asked};
use crate::{
    circumstances::{Circumstances, Outlook},
    escalation::{Foresight, Reader, StepAhead, remaining},
    objective::{Expected, Objective},
    request::Constraints,
    units::Usd,
};

/// What is foreseen of one model's answers.
#[derive(Debug, Clone)]
pub(super) struct Ahead {
    /// The models that may be called after them, by their places in the policy.
    next: Vec<usize>,
    foresight: Foresight,
}

/// What is foreseen, of the readers that there are.
pub(super) fn of_readers(readers: &[Reader], foresight: &[Foresight]) -> Vec<Ahead> {
    let of_reader = |reader: &Reader| {
        let foresight = foresight.iter().find(|it| it.model() == reader.model)?.clone();
        Some(Ahead { next: reader.next.clone(), foresight })
    };
    readers.iter().filter_map(of_reader).collect()
}

impl Policy {
    /// Raises the utilities of models whose answers are read by what may come after them.
    pub(super) fn look_ahead(
        &self,
        asked: Asked<'_, '_>,
        dearest: Usd,
        (candidates, utilities): (&mut [Candidate], &mut [f64]),
    ) {
        if asked.circumstances.outlook == Outlook::FinalAnswer {
            return;
        }
        let per_dollar = match asked.circumstances.objective {
            Objective::Tradeoff(weights) => weights.per_dollar(),
            Objective::CostCap(_) => 0.0,
            Objective::QualityFloor(_) => return,
        };
        for Ahead { next, foresight } in &self.ahead {
            let place = foresight.model();
            let Some(first) = candidates.get(place) else { continue };
            if first.excluded_by.is_some() {
                continue;
            }
            let looking = Looking {
                circumstances: asked.circumstances,
                constraints: &asked.request.constraints,
                dearest,
                place,
                first,
            };
            let found = looking.ahead(next, candidates, |gap| foresight.ahead(per_dollar, gap));
            let Some((cascade, value)) = found else { continue };
            let candidate = &mut candidates[place];
            candidate.cascade = Some(cascade);
            candidate.utility += value;
            utilities[place] = candidate.utility;
        }
    }
}

/// A model that may answer first.
struct Looking<'a, 'r> {
    circumstances: &'a Circumstances<'a>,
    constraints: &'a Constraints<'r>,
    dearest: Usd,
    place: usize,
    first: &'a Candidate,
}

impl Looking<'_, '_> {
    /// The cascade, and what it adds to the utility of the first answer alone; `None` where no other
    /// model may be called, or nothing is foreseen to come of it.
    fn ahead(
        &self,
        next: &[usize],
        candidates: &[Candidate],
        foreseen: impl Fn(f64) -> Option<StepAhead>,
    ) -> Option<(CascadeAhead, f64)> {
        let first = &self.first.expected;
        let spent = first.cost.unwrap_or(Usd::ZERO);
        let objective = remaining(self.circumstances.objective, spent);
        let in_hand =
            Expected { quality: first.quality, cost: Some(Usd::ZERO), latency_ms: Some(0.0) };
        let accept = objective.utility(&in_hand, self.dearest) + self.raise(self.place);
        let mut best: Option<(usize, f64)> = None;
        for &place in next {
            let Some(candidate) = candidates.get(place) else { continue };
            if candidate.excluded_by.is_some() || self.breaks_a_cap(&candidate.expected) {
                continue;
            }
            let utility = objective.utility(&candidate.expected, self.dearest) + self.raise(place);
            if best.is_none_or(|(_, highest)| highest < utility) {
                best = Some((place, utility));
            }
        }
        let (place, utility) = best?;
        let StepAhead { value, escalates } = foreseen(utility - accept)?;
        let other = &candidates[place].expected;
        // The value is of qualities less what is paid for them, and of favours.
        let paid = (other.quality - utility) - (first.quality - accept);
        let expected = Expected {
            quality: first.quality + value + escalates * paid,
            cost: together(first.cost, other.cost, escalates),
            latency_ms: first
                .latency_ms
                .zip(other.latency_ms)
                .map(|(first, other)| first + escalates * other),
        };
        Some((CascadeAhead { expected, next: place, escalates }, value))
    }

    fn raise(&self, place: usize) -> f64 {
        let favour = self.circumstances.favour.filter(|favour| favour.model == place);
        favour.map_or(0.0, |favour| favour.quality_points)
    }

    /// Whether the first answer and this one together would cost or last more than they may.
    fn breaks_a_cap(&self, other: &Expected) -> bool {
        let first = &self.first.expected;
        let of_both = first.cost.zip(other.cost).map(|(first, other)| first.saturating_add(other));
        let of_objective = match self.circumstances.objective {
            Objective::CostCap(cap) => Some(cap),
            Objective::Tradeoff(_) | Objective::QualityFloor(_) => None,
        };
        let is_dear = |cap: Option<Usd>| cap.zip(of_both).is_some_and(|(cap, cost)| cap < cost);
        let lasting = first.latency_ms.zip(other.latency_ms).map(|(first, other)| first + other);
        let is_slow =
            self.constraints.max_latency_ms.zip(lasting).is_some_and(|(cap, it)| cap < it);
        is_dear(self.constraints.max_cost) || is_dear(of_objective) || is_slow
    }
}

/// The cost of the first answer and that of the other, as likely as it is; no more than both.
fn together(first: Option<Usd>, other: Option<Usd>, escalates: f64) -> Option<Usd> {
    let (first, other) = first.zip(other)?;
    let share = Usd::from_dollars(escalates * other.as_dollars()).unwrap_or(other);
    Some(first.saturating_add(share.min(other)))
}

#[cfg(test)]
mod tests;
