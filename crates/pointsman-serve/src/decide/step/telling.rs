//! A step as the caller gets it, and as the journal keeps it.

use super::{
    Called, Hand, Taken,
    drawing::{Drawn, best_next},
};
use crate::{
    decide::{
        Around, Keep,
        record::{write_chances, write_features, write_numbers, write_request},
        reply::write_effects,
    },
    desk::Desk,
    effects::NANOS_PER_MS,
    json, prompts,
    sessions::Turn,
    settings::Prompts,
};
use pointsman_core::{
    escalation::{EscalationOption, EscalationWorkspace, GainExplanation, Settled, Step},
    policy::{Candidate, Workspace},
};
use pointsman_log::{body::ChatBody, ids::DecisionId};
use std::borrow::Cow;

/// Everything about one step that its reply and its record say.
pub(super) struct Telling<'a, 'w, 'r, 't> {
    pub(super) around: &'a Around<'w, 'r>,
    pub(super) hand: &'a Hand<'a, 't>,
    pub(super) drawn: &'a Drawn,
    pub(super) id: DecisionId,
    pub(super) objective: &'a str,
    pub(super) started_ns: u64,
    pub(super) workspaces: (&'a Workspace, &'a EscalationWorkspace),
}

impl Telling<'_, '_, '_, '_> {
    /// Hands the record to the journal and puts the reply together, in the desk's buffers.
    pub(super) fn finish(
        &self,
        desk: &mut Desk,
        body: &ChatBody<'_>,
        explanation: Option<&GainExplanation>,
        conversation: Option<String>,
    ) -> Taken {
        let service = self.around.service;
        self.write_options(&mut desk.candidates);
        let took_ns = || (service.effects.elapsed_ns)().saturating_sub(self.started_ns);
        let journal = service.journal.as_ref().filter(|_| self.around.keep == Keep::Record);
        let ticket = journal.map(|journal| {
            let mut record = std::mem::take(&mut desk.record);
            self.write_record(&mut record, body, &desk.candidates, took_ns());
            let ticket = journal.gather_made(&record, self.id, self.around.now_ms);
            desk.put_back_record(record);
            ticket
        });
        let mut json = self.reply(&desk.candidates, ticket.is_some());
        if !body.unknown_keys().is_empty() {
            json::field(&mut json, "unknown_keys", body.unknown_keys());
        }
        if let Some(explanation) = explanation {
            write_gain(&mut json, explanation);
        }
        json::raw_key(&mut json, "decision_us");
        json::count(&mut json, took_ns() / 1000);
        json.push(b'}');
        let called = match self.drawn.decision.step {
            Step::Accept => None,
            Step::Escalate(model) => Some(Called {
                model,
                cost: self.drawn_option().and_then(|it| it.expected.cost),
                tokens: self.workspaces.0.expected_tokens(model),
            }),
        };
        let turn =
            called.as_ref().and_then(|called| Some((conversation?, self.turn(called.model)?)));
        let (started_ns, is_explored) = (self.started_ns, self.drawn.is_explored);
        Taken { json, ticket, started_ns, called, is_explored, turn }
    }

    fn drawn_option(&self) -> Option<&EscalationOption> {
        let step = self.drawn.decision.step;
        self.workspaces.1.options().iter().find(|option| option.step == step)
    }

    /// Appends the model that answers after a step, as JSON.
    fn write_model(&self, out: &mut Vec<u8>, step: Step) {
        match step {
            Step::Accept => json::value(out, self.hand.name),
            Step::Escalate(model) => {
                out.extend_from_slice(&self.around.force.loaded.models[model].json);
            }
        }
    }

    fn model_name(&self, model: usize) -> &str {
        self.around.force.loaded.models.get(model).map_or("", |model| &model.name)
    }

    /// Where a next model would be called.
    fn provider(&self, step: Step) -> Option<&str> {
        let Step::Escalate(model) = step else { return None };
        let candidate = self.workspaces.0.candidates().get(model)?;
        self.around.force.loaded.policy.provider(model, candidate)
    }

    /// The same as JSON.
    fn provider_json(&self, step: Step) -> Option<&[u8]> {
        let Step::Escalate(model) = step else { return None };
        let endpoint = self.workspaces.0.candidates().get(model)?.endpoint?;
        Some(&self.around.force.loaded.models[model].providers[endpoint])
    }

    /// What the next turn of the conversation has to know.
    fn turn(&self, model: usize) -> Option<Turn> {
        Some(Turn {
            model: self.around.force.loaded.models.get(model)?.name.clone(),
            provider: self.provider(Step::Escalate(model)).map(str::to_owned),
            input_tokens: self.workspaces.0.input_tokens(),
            at_ms: self.started_ns / NANOS_PER_MS,
            decision_id: self.id.to_string(),
        })
    }

    /// Writes everything that might have been done, as a list of candidates: accepting bears the name of
    /// the model that has answered.
    fn write_options(&self, out: &mut Vec<u8>) {
        out.clear();
        for option in self.workspaces.1.options() {
            out.push(if out.is_empty() { b'[' } else { b',' });
            out.extend_from_slice(b"{\"model\":");
            self.write_model(out, option.step);
            json::field(out, "decision", name_of(option.step));
            if let Some(provider) = self.provider_json(option.step) {
                json::raw_key(out, "provider");
                out.extend_from_slice(provider);
            }
            if !self.drawn.is_read() {
                // Nothing is predicted of an answer that was not read.
                json::field(out, "probability", &option.probability);
                out.push(b'}');
                continue;
            }
            let candidate = Candidate {
                excluded_by: option.excluded_by,
                endpoint: None,
                expected: option.expected,
                output_tokens: None,
                utility: option.utility,
                probability: option.probability,
                cascade: None,
            };
            write_chances(out, &candidate);
        }
        out.push(b']');
    }

    fn reply(&self, options: &[u8], is_logged: bool) -> Vec<u8> {
        let Drawn { decision, is_explored, .. } = self.drawn;
        let mut out = Vec::with_capacity(options.len() + 1024);
        out.extend_from_slice(b"{\"decision_id\":\"");
        out.extend_from_slice(&self.id.text());
        out.push(b'"');
        json::field(&mut out, "previous", &self.hand.earlier.id);
        json::field(&mut out, "decision", name_of(decision.step));
        json::raw_key(&mut out, "model");
        self.write_model(&mut out, decision.step);
        json::raw_key(&mut out, "provider");
        out.extend_from_slice(self.provider_json(decision.step).unwrap_or(b"null"));
        json::field(&mut out, "propensity", &decision.propensity.get());
        json::field(&mut out, "explored", is_explored);
        json::field(&mut out, "logged", &is_logged);
        let in_hand = self.workspaces.1.options().first().filter(|_| self.drawn.is_read());
        json::field(&mut out, "quality", &in_hand.map(|option| option.expected.quality));
        json::field(&mut out, "n_answers", &self.hand.n_answers());
        json::raw_key(&mut out, "spent_usd");
        json::dollars(&mut out, self.hand.spent);
        json::field(&mut out, "spent_from", self.hand.spent_from);
        json::field(&mut out, "reasons", &[self.reason()]);
        json::field(&mut out, "objective", self.objective);
        json::raw_key(&mut out, "policy");
        out.extend_from_slice(&self.around.force.loaded.policy_json);
        json::raw_key(&mut out, "candidates");
        out.extend_from_slice(options);
        if 0 < decision.n_bytes_cut {
            json::field(&mut out, "n_bytes_cut", &decision.n_bytes_cut);
        }
        out
    }

    /// Why, in a sentence.
    fn reason(&self) -> String {
        match self.drawn.decision.settled {
            Some(Settled::LastStep) => {
                return format!("a cascade ends at {} answers", self.hand.n_answers());
            }
            Some(Settled::NoReader) => {
                return format!("nothing was learned about the answers of {}", self.hand.name);
            }
            Some(Settled::NoneEligible) => return "no other model may answer".to_owned(),
            None => {}
        }
        let gain = |option: &EscalationOption| {
            let in_hand = self.workspaces.1.options().first();
            let gain = option.expected.quality - in_hand.map_or(0.0, |it| it.expected.quality);
            let cost = option.expected.cost.map_or_else(String::new, |cost| format!(" for {cost}"));
            format!("{gain:+.4} in quality{cost}")
        };
        let explored = if self.drawn.is_explored { "explored: " } else { "" };
        match (self.drawn.decision.step, best_next(self.workspaces.1.options())) {
            (Step::Escalate(model), _) => {
                let gain = self.drawn_option().map(gain).unwrap_or_default();
                format!("{explored}{} is expected to add {gain}", self.model_name(model))
            }
            (Step::Accept, Some((model, option))) => {
                let (name, gain) = (self.model_name(model), gain(option));
                format!("{explored}the best of the others, {name}, is expected to add {gain}")
            }
            (Step::Accept, None) => "no other model may answer".to_owned(),
        }
    }

    /// Appends the whole record, without its checksum.
    fn write_record(&self, out: &mut Vec<u8>, body: &ChatBody<'_>, options: &[u8], took_ns: u64) {
        let (earlier, decision) = (self.hand.earlier, &self.drawn.decision);
        out.reserve(options.len() + 1024);
        out.extend_from_slice(b"{\"v\":1,\"kind\":\"decision\",\"id\":\"");
        out.extend_from_slice(&self.id.text());
        out.extend_from_slice(b"\",\"ts_ms\":");
        json::count(out, self.around.now_ms);
        if let Some(session) = &earlier.session_id {
            json::field(out, "session_id", session);
        }
        if let Some(turn) = body.asks.turn.or(earlier.turn) {
            json::field(out, "turn", &turn);
        }
        if let Some(tenant) = &earlier.tenant {
            json::field(out, "tenant", tenant);
        }
        if !earlier.tags.is_empty() {
            json::field(out, "tags", &earlier.tags);
        }
        json::raw_key(out, "request");
        // What was read of the request stands in the record of the first decision, with its hash.
        write_request(out, self.around.request, self.around.service, None);
        json::raw_key(out, "candidates");
        out.extend_from_slice(options);
        json::raw_key(out, "drawn");
        self.write_model(out, decision.step);
        json::raw_key(out, "propensity");
        out.extend_from_slice(b"{\"value\":");
        json::value(out, &decision.propensity.get());
        let kind = if self.drawn.is_random { "exact" } else { "deterministic" };
        json::field(out, "kind", kind);
        out.push(b'}');
        json::field(out, "draw", &self.drawn.draw.get());
        json::field(out, "objective", self.objective);
        json::raw_key(out, "policy");
        out.extend_from_slice(&self.around.force.loaded.policy_json);
        json::raw_key(out, "decision_ns");
        json::count(out, took_ns);
        json::field(out, "step", &self.hand.n_answers());
        json::field(out, "previous", &earlier.id);
        json::raw_key(out, "spent_usd");
        json::dollars(out, self.hand.spent);
        self.write_answer(out);
        out.push(b'}');
    }

    /// What was read of the answer, as far as the settings let it be kept; nothing of one that was
    /// not read.
    fn write_answer(&self, out: &mut Vec<u8>) {
        let answer = self.hand.answer;
        let text = match self.around.service.settings.journal.prompts {
            Prompts::HashOnly => return,
            Prompts::Hash => None,
            Prompts::Redact => Some(prompts::redact(&answer.text)),
            Prompts::Full => Some(Cow::Borrowed(&*answer.text)),
        };
        if !self.drawn.is_read() {
            return;
        }
        let read = self.workspaces.1.answer();
        json::raw_key(out, "answer");
        out.extend_from_slice(b"{\"signs\":");
        write_numbers(out, read.signs);
        if let Some(reason) = answer.finish.name() {
            json::field(out, "finish_reason", reason);
        }
        if let Some(text) = text {
            json::field(out, "text", &text);
        } else {
            let schema = self.around.force.loaded.policy.scorer().schema();
            write_features(out, schema, &read.text);
        }
        out.push(b'}');
    }
}

fn name_of(step: Step) -> &'static str {
    match step {
        Step::Accept => "accept",
        Step::Escalate(_) => "escalate",
    }
}

/// What moved the gain of the next model, as the key `explanation`.
fn write_gain(out: &mut Vec<u8>, explanation: &GainExplanation) {
    let GainExplanation { gain, standing, answer_terms, prompt_terms, inputs } = explanation;
    json::raw_key(out, "explanation");
    out.extend_from_slice(b"{\"gain\":");
    json::value(out, gain);
    json::field(out, "standing", standing);
    write_effects(out, "answer_terms", answer_terms);
    write_effects(out, "prompt_terms", prompt_terms);
    write_effects(out, "inputs", inputs);
    out.push(b'}');
}
