//! What would be decided, for operators who try: nothing is drawn, counted or written down.

use super::{Around, Keep, best_of, record};
use crate::{desk, json, problem::Problem, service::Service};
use pointsman_core::{explain::explain, policy::Workspace};
use pointsman_log::body::ChatBody;

impl Service {
    /// The model of highest utility for a call, with every candidate as it would be drawn with the
    /// service's explorer, budget or not. It is a call of its own: no conversation is looked up.
    ///
    /// # Errors
    /// [`Problem`] for a body that is no request, an objective that is not known, and a request
    /// that no model may answer.
    pub(crate) fn try_out(&self, bytes: &[u8]) -> Result<Vec<u8>, Problem> {
        let body = ChatBody::from_json(bytes)?;
        let force = self.force.load();
        let (objective, aim) = force.loaded.objective(body.asks.aim.as_ref())?;
        let request = body.to_request();
        let around = Around {
            service: self,
            force: &force,
            request: &request,
            aim,
            held: None,
            outlook: body.asks.outlook,
            now_ms: self.now_ms(),
            keep: Keep::Nothing,
        };
        let mut workspace = desk::with(|desk| desk.take(&force.loaded));
        let tried = around
            .distribute(self.explorer, &mut workspace)
            .map(|n_bytes_cut| around.tried(&objective, &workspace, n_bytes_cut));
        desk::with(|desk| desk.put_back(&force.loaded, workspace));
        tried
    }
}

impl Around<'_, '_> {
    /// What would be decided, as JSON.
    fn tried(&self, objective: &str, workspace: &Workspace, n_bytes_cut: usize) -> Vec<u8> {
        let loaded = &self.force.loaded;
        let candidates = workspace.candidates();
        let best = best_of(candidates);
        let mut out = b"{\"model\":".to_vec();
        out.extend_from_slice(&loaded.models[best].json);
        json::field(&mut out, "provider", &loaded.policy.provider(best, &candidates[best]));
        json::field(&mut out, "objective", objective);
        json::raw_key(&mut out, "policy");
        out.extend_from_slice(&loaded.policy_json);
        json::field(&mut out, "input_tokens", &workspace.input_tokens().get());
        json::field(&mut out, "n_bytes_cut", &n_bytes_cut);
        json::raw_key(&mut out, "candidates");
        for (index, (model, candidate)) in loaded.models.iter().zip(candidates).enumerate() {
            let start: &[u8] = if index == 0 { b"[{\"model\":" } else { b",{\"model\":" };
            out.extend_from_slice(start);
            out.extend_from_slice(&model.json);
            json::field(&mut out, "provider", &loaded.policy.provider(index, candidate));
            // That of the excluded is no number, and becomes null.
            json::field(&mut out, "utility", &candidate.utility);
            record::write_chances(&mut out, candidate);
        }
        out.push(b']');
        let cascades = super::reply::cascades(&loaded.models, candidates);
        if !cascades.is_empty() {
            json::raw_key(&mut out, "cascades");
            out.extend_from_slice(&cascades);
        }
        let of = (candidates, workspace.scores());
        let explanation = explain(&loaded.policy, self.request, best, of);
        super::reply::write_explanation(&mut out, &explanation);
        out.push(b'}');
        out
    }
}
