//! A decision as the caller gets it.

use super::Made;
use crate::{desk::Desk, json, loaded::ModelJson};
use pointsman_core::{
    explain::{Effect, Explanation},
    policy::{Candidate, CascadeAhead},
};

/// How many words an explanation shows.
const EFFECTS_SHOWN: usize = 8;

/// What a reply says beside the decision: where else the call may go, why it was decided so, and what
/// [`cascades`] wrote.
pub(super) type Said<'a> = (&'a [(usize, Option<usize>)], Option<&'a Explanation>, &'a [u8]);

impl Made<'_, '_> {
    /// The whole reply.
    pub(super) fn reply(
        &self,
        desk: &Desk,
        (fallbacks, explanation, cascades): Said<'_>,
        (took_ns, is_logged): (u64, bool),
    ) -> Vec<u8> {
        let models = &self.force.loaded.models;
        let decision = &self.chosen.decision;
        let n_bytes = desk.candidates.len() + desk.shared.len() + 64 * fallbacks.len() + 512;
        let mut out = Vec::with_capacity(n_bytes);
        out.extend_from_slice(b"{\"decision_id\":\"");
        out.extend_from_slice(&self.id.text());
        out.extend_from_slice(b"\",");
        write_place(&mut out, &models[decision.model], desk.drawn_endpoint);
        json::raw_key(&mut out, "fallbacks");
        out.push(b'[');
        for (index, &(model, endpoint)) in fallbacks.iter().enumerate() {
            let start: &[u8] = if index == 0 { b"{" } else { b",{" };
            out.extend_from_slice(start);
            write_place(&mut out, &models[model], endpoint);
            out.push(b'}');
        }
        out.push(b']');
        json::field(&mut out, "propensity", &decision.propensity.get());
        json::field(&mut out, "explored", &(decision.model != self.chosen.best));
        json::field(&mut out, "logged", &is_logged);
        out.extend_from_slice(&desk.shared);
        json::raw_key(&mut out, "candidates");
        out.extend_from_slice(&desk.candidates);
        if !cascades.is_empty() {
            json::raw_key(&mut out, "cascades");
            out.extend_from_slice(cascades);
        }
        if 0 < decision.n_bytes_cut {
            json::field(&mut out, "n_bytes_cut", &decision.n_bytes_cut);
        }
        if !self.body.unknown_keys().is_empty() {
            json::field(&mut out, "unknown_keys", self.body.unknown_keys());
        }
        if let Some(explanation) = explanation {
            write_explanation(&mut out, explanation);
        }
        json::raw_key(&mut out, "decision_us");
        json::count(&mut out, took_ns / 1000);
        out.push(b'}');
        out
    }
}

/// What is foreseen after each model's answer, as a list; empty where nothing is.
pub(super) fn cascades(models: &[ModelJson], candidates: &[Candidate]) -> Vec<u8> {
    let mut out = Vec::new();
    for (model, candidate) in models.iter().zip(candidates) {
        let Some(CascadeAhead { expected, next, escalates }) = candidate.cascade else { continue };
        let start: &[u8] = if out.is_empty() { b"[{\"model\":" } else { b",{\"model\":" };
        out.extend_from_slice(start);
        out.extend_from_slice(&model.json);
        json::raw_key(&mut out, "next");
        out.extend_from_slice(&models[next].json);
        json::field(&mut out, "escalates", &escalates);
        json::field(&mut out, "quality", &expected.quality);
        if let Some(cost) = expected.cost {
            json::raw_key(&mut out, "cost_usd");
            json::dollars(&mut out, cost);
        }
        if let Some(latency_ms) = expected.latency_ms {
            json::field(&mut out, "latency_ms", &latency_ms);
        }
        out.push(b'}');
    }
    if !out.is_empty() {
        out.push(b']');
    }
    out
}

/// Where a call may go, as members of an object.
fn write_place(out: &mut Vec<u8>, model: &ModelJson, endpoint: Option<usize>) {
    out.extend_from_slice(model.members(endpoint));
    if endpoint.is_none() {
        out.extend_from_slice(b",\"provider\":null");
    }
}

/// The words that moved a decision, as the key `explanation`.
pub(super) fn write_explanation(out: &mut Vec<u8>, explanation: &Explanation) {
    let Explanation { lead, standing, terms, dense, cluster } = explanation;
    json::raw_key(out, "explanation");
    out.extend_from_slice(b"{\"lead\":");
    json::value(out, lead);
    json::field(out, "standing", standing);
    write_effects(out, "terms", terms);
    write_effects(out, "dense", dense);
    if let Some((index, quality)) = cluster {
        json::raw_key(out, "cluster");
        out.extend_from_slice(b"{\"index\":");
        json::value(out, index);
        json::field(out, "quality", quality);
        out.push(b'}');
    }
    out.push(b'}');
}

pub(super) fn write_effects(out: &mut Vec<u8>, key: &str, effects: &[Effect]) {
    json::raw_key(out, key);
    for (index, Effect { source, quality }) in effects.iter().take(EFFECTS_SHOWN).enumerate() {
        let start: &[u8] = if index == 0 { b"[{\"source\":" } else { b",{\"source\":" };
        out.extend_from_slice(start);
        json::value(out, source);
        json::field(out, "quality", quality);
        out.push(b'}');
    }
    let end: &[u8] = if effects.is_empty() { b"[]" } else { b"]" };
    out.extend_from_slice(end);
}
