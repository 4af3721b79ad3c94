//! A decision as the journal keeps it: the traffic record, version 1.

use super::{Explored, Made};
use crate::{desk::Desk, json, prompts, service::Service, settings::Prompts};
use pointsman_core::{
    features::{FeatureSchema, Features},
    policy::{Candidate, Workspace},
    request::{Capabilities, Request, Role},
    units::Tokens,
};
use std::borrow::Cow;

/// About as many bytes as a candidate takes.
const N_CANDIDATE_BYTES: usize = 160;

impl Made<'_, '_> {
    /// What the reply and the record say of every candidate.
    pub(super) fn write_candidates(&self, desk: &mut Desk, workspace: &Workspace) {
        let out = &mut desk.candidates;
        out.clear();
        out.reserve(N_CANDIDATE_BYTES * workspace.candidates().len());
        for (model, candidate) in self.force.loaded.models.iter().zip(workspace.candidates()) {
            out.extend_from_slice(if out.is_empty() { b"[{" } else { b",{" });
            out.extend_from_slice(model.members(candidate.endpoint));
            write_chances(out, candidate);
        }
        out.push(b']');
    }

    /// What else the reply and the record have in common, from the drawn model's name on.
    pub(super) fn write_shared(&self, desk: &mut Desk, workspace: &Workspace) {
        let out = &mut desk.shared;
        out.clear();
        json::field(out, "objective", self.objective);
        json::raw_key(out, "policy");
        out.extend_from_slice(&self.force.loaded.policy_json);
        if let Some(id) = &self.body.asks.session_id {
            json::field(out, "session_id", id);
        }
        let Some((turn, held)) = &self.session else { return };
        let is_held = held.is_some_and(|held| held.model == self.chosen.decision.model);
        json::raw_key(out, "session");
        out.extend_from_slice(b"{\"model_before\":");
        json::value(out, &turn.model);
        json::field(out, "held", &is_held);
        let cached =
            held.map_or(Tokens::default(), |held| held.cached.min(workspace.input_tokens()));
        json::field(out, "cached_tokens", &cached.get());
        let listed = held.and_then(|held| {
            let listed = self.force.loaded.policy.listed(held.model)?;
            listed.endpoints.get(held.endpoint)
        });
        if let Some((endpoint, price)) = listed.and_then(|one| Some((one, one.cached_input?))) {
            let lost = endpoint.input.of(cached).nanos().saturating_sub(price.of(cached).nanos());
            json::raw_key(out, "switch_cost_usd");
            json::dollars(out, pointsman_core::units::Usd::from_nanos(lost));
        }
        out.push(b'}');
    }

    /// Appends the whole record, without its checksum.
    pub(super) fn record(
        &self,
        out: &mut Vec<u8>,
        service: &Service,
        (desk, workspace): (&Desk, &Workspace),
        (took_ns, shadows): (u64, &[u8]),
    ) {
        out.reserve(desk.candidates.len() + desk.shared.len() + 1024);
        out.extend_from_slice(b"{\"v\":1,\"kind\":\"decision\",\"id\":\"");
        out.extend_from_slice(&self.id.text());
        out.extend_from_slice(b"\",\"ts_ms\":");
        json::count(out, self.now_ms);
        if let Some(turn) = self.body.asks.turn {
            json::field(out, "turn", &turn);
        }
        if let Some(tenant) = self.tenant {
            json::field(out, "tenant", tenant);
        }
        if !self.body.asks.tags.is_empty() {
            json::raw_key(out, "tags");
            for (index, (name, tag)) in self.body.asks.tags.iter().enumerate() {
                out.push(if index == 0 { b'{' } else { b',' });
                json::value(out, name);
                out.push(b':');
                json::value(out, tag);
            }
            out.push(b'}');
        }
        json::raw_key(out, "request");
        let schema = self.force.loaded.policy.scorer().schema();
        let read = Some((schema, workspace.features()));
        write_request(out, self.request, service, read);
        json::raw_key(out, "candidates");
        out.extend_from_slice(&desk.candidates);
        json::raw_key(out, "drawn");
        out.extend_from_slice(&self.force.loaded.models[self.chosen.decision.model].json);
        json::raw_key(out, "propensity");
        out.extend_from_slice(b"{\"value\":");
        json::value(out, &self.chosen.decision.propensity.get());
        json::field(
            out,
            "kind",
            match self.chosen.explored {
                Explored::Possible => "exact",
                Explored::No => "deterministic",
            },
        );
        out.push(b'}');
        json::field(out, "draw", &self.chosen.draw.get());
        out.extend_from_slice(&desk.shared);
        if !shadows.is_empty() {
            json::raw_key(out, "shadows");
            out.extend_from_slice(shadows);
        }
        json::raw_key(out, "decision_ns");
        json::count(out, took_ns);
        out.push(b'}');
    }
}

/// What was asked, as far as the settings let it be kept; what was `read` of it stands in for its text,
/// beside a hash. Without it neither is written: the record of an earlier decision has both.
pub(super) fn write_request(
    out: &mut Vec<u8>,
    request: &Request<'_>,
    service: &Service,
    read: Option<(FeatureSchema, Features<'_>)>,
) {
    let messages = &request.messages;
    let n_chars: usize = messages.iter().map(|message| message.text.chars().count()).sum();
    out.extend_from_slice(b"{\"chars\":");
    json::value(out, &n_chars);
    if let Some(tokens) = request.input_tokens {
        json::field(out, "input_tokens", &tokens.get());
    }
    json::field(out, "tools", &request.n_tools);
    if !request.needs.missing_from(Capabilities::TOOLS).is_empty() {
        let needs = request.needs.missing_from(Capabilities::TOOLS);
        let names: Vec<&str> = needs.names().map(modality).collect();
        json::field(out, "modalities", &names);
    }
    if let Some(tokens) = request.max_tokens {
        json::field(out, "max_tokens", &tokens.get());
    }
    let kept = service.settings.journal.prompts;
    let text = |text| match kept {
        Prompts::Hash | Prompts::HashOnly => None,
        Prompts::Redact => Some(prompts::redact(text)),
        Prompts::Full => Some(Cow::Borrowed(text)),
    };
    if let (Prompts::Hash | Prompts::HashOnly, Some((schema, features))) = (kept, read) {
        let hash = service.hash_key.hash(messages);
        json::raw_key(out, "prompt_hash");
        out.push(b'"');
        out.extend_from_slice(&hash);
        out.push(b'"');
        if kept == Prompts::Hash {
            write_features(out, schema, &features);
        }
    }
    for (index, message) in messages.iter().enumerate() {
        let Some(text) = text(&message.text) else { break };
        let start: &[u8] = if index == 0 { b",\"messages\":[" } else { b"," };
        out.extend_from_slice(start);
        out.extend_from_slice(match message.role {
            Role::System => b"{\"role\":\"system\",\"content\":",
            Role::User => b"{\"role\":\"user\",\"content\":",
            Role::Assistant => b"{\"role\":\"assistant\",\"content\":",
            Role::Tool => b"{\"role\":\"tool\",\"content\":",
        });
        json::value(out, &text);
        let end: &[u8] = if index + 1 == messages.len() { b"}]" } else { b"}" };
        out.extend_from_slice(end);
    }
    out.push(b'}');
}

/// What the decision was made from, as the record keeps it in place of the text.
pub(super) fn write_features(out: &mut Vec<u8>, schema: FeatureSchema, features: &Features<'_>) {
    json::raw_key(out, "features");
    out.extend_from_slice(b"{\"schema\":");
    json::value(out, &format_args!("{schema}"));
    json::raw_key(out, "terms");
    out.push(b'"');
    features.write_terms(schema, out);
    out.push(b'"');
    json::raw_key(out, "dense");
    write_numbers(out, features.dense);
    json::field(out, "bytes", &features.n_bytes);
    json::field(out, "cut", &features.n_bytes_cut);
    out.push(b'}');
}

/// Numbers as a list, of which there is at least one.
pub(super) fn write_numbers(out: &mut Vec<u8>, numbers: &[f32]) {
    const ZERO: u32 = 0.0_f32.to_bits();
    const ONE: u32 = 1.0_f32.to_bits();
    for (index, &number) in numbers.iter().enumerate() {
        out.push(if index == 0 { b'[' } else { b',' });
        match number.to_bits() {
            // As most signs are.
            ZERO => out.extend_from_slice(b"0.0"),
            ONE => out.extend_from_slice(b"1.0"),
            // Digits of double precision give the same bits however they are read.
            _ => json::value(out, &f64::from(number)),
        }
    }
    out.push(b']');
}

fn modality(capability: &'static str) -> &'static str {
    match capability {
        "images" => "image",
        "files" => "file",
        other => other,
    }
}

pub(super) fn write_chances(out: &mut Vec<u8>, candidate: &Candidate) {
    let probability = candidate.probability.min(1.0);
    if probability == 0.0 {
        out.extend_from_slice(b",\"probability\":0,\"quality\":");
    } else {
        out.extend_from_slice(b",\"probability\":");
        json::value(out, &probability);
        out.extend_from_slice(b",\"quality\":");
    }
    // Predicted in single precision: these digits say all of it.
    #[expect(clippy::cast_possible_truncation, reason = "it was widened from single precision")]
    json::value(out, &(candidate.expected.quality as f32));
    if let Some(cost) = candidate.expected.cost {
        out.extend_from_slice(b",\"cost_usd\":");
        json::dollars(out, cost);
    }
    if let Some(latency_ms) = candidate.expected.latency_ms {
        out.extend_from_slice(b",\"latency_ms\":");
        json::value(out, &latency_ms);
    }
    if let Some(reason) = candidate.excluded_by {
        json::field(out, "excluded_by", &reason.to_string());
    }
    out.push(b'}');
}
