//! What a decision adds to what operators see.

use super::Made;
use crate::{desk::Desk, json, loaded::Loaded, prompts, service::Service, settings::Prompts};
use pointsman_core::{
    policy::{Candidate, Workspace},
    units::Usd,
};

impl Made<'_, '_> {
    /// What the best single model was expected to cost; `None` where it might not have answered.
    pub(super) fn best_single_cost(&self, workspace: &Workspace) -> Option<Usd> {
        let candidate = workspace.candidates().get(self.force.loaded.best_single?)?;
        candidate.excluded_by.is_none().then_some(candidate.expected.cost)?
    }

    /// Notes what a shadow would have done, its own choice being `None` where it had none.
    pub(super) fn count_beside(
        &self,
        service: &Service,
        (index, shadow): (usize, &Loaded),
        (own, candidates): (Option<usize>, &[Candidate]),
    ) {
        let drawn = &self.force.loaded.models[self.chosen.decision.model].name;
        let drawn = shadow.models.iter().position(|model| model.name == *drawn);
        service.tally.beside(index, |beside| {
            beside.n_decisions += 1;
            let Some(own) = own else {
                beside.n_refused += 1;
                return;
            };
            let Some(drawn) = drawn else { return };
            beside.n_same += u64::from(own == drawn);
            if candidates[drawn].excluded_by.is_some() {
                return;
            }
            beside.n_compared += 1;
            for (sum, of) in [(&mut beside.own, own), (&mut beside.drawn, drawn)] {
                let expected = &candidates[of].expected;
                sum.quality += expected.quality;
                sum.cost = sum.cost + expected.cost.unwrap_or(Usd::ZERO);
            }
        });
    }

    /// The decision in short, for operators; the beginning of its prompt only where the journal
    /// keeps that too.
    pub(super) fn write_latest(
        &self,
        out: &mut Vec<u8>,
        service: &Service,
        (desk, is_logged): (&Desk, bool),
    ) {
        let models = &self.force.loaded.models;
        let decision = &self.chosen.decision;
        out.extend_from_slice(b"{\"decision_id\":\"");
        out.extend_from_slice(self.id.to_string().as_bytes());
        out.extend_from_slice(b"\",\"ts_ms\":");
        json::count(out, self.now_ms);
        json::field(out, "tenant", &self.tenant);
        json::raw_key(out, "model");
        out.extend_from_slice(&models[decision.model].json);
        json::raw_key(out, "provider");
        let provider = desk.drawn_endpoint.map(|at| &models[decision.model].providers[at][..]);
        out.extend_from_slice(provider.unwrap_or(b"null"));
        json::field(out, "propensity", &decision.propensity.get());
        json::field(out, "explored", &(decision.model != self.chosen.best));
        json::field(out, "logged", &is_logged);
        let n_bytes: usize = self.request.messages.iter().map(|message| message.text.len()).sum();
        json::field(out, "prompt_bytes", &n_bytes);
        let kept = if is_logged { service.settings.journal.prompts } else { Prompts::Hash };
        let last = self.request.messages.last();
        let excerpt = last.and_then(|message| prompts::excerpt(&message.text, kept));
        json::field(out, "prompt", &excerpt);
        out.extend_from_slice(&desk.shared);
        json::raw_key(out, "candidates");
        out.extend_from_slice(&desk.candidates);
        out.push(b'}');
    }
}
