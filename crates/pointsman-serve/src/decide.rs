//! One call, from its body to its reply: decided, written down, and only then answered.
//!
//! That is two steps, [`Service::route`] and [`Service::tell`], so that the records of calls that
//! come together are written together between them. Should the journal not take a record after
//! all, the call is decided again without one, and without exploring.
//!
//! What the reply and the record have in common is put into JSON once. The circumstances of a draw
//! are settled before it: whether it may explore depends on the caller, the journal and the budget,
//! all of which are known by then, so that the logged propensity is the number that was drawn with.

use crate::{
    desk::{self, Desk},
    effects::NANOS_PER_MS,
    json,
    keys::Caller,
    loaded::Strived,
    problem::{Code, Problem},
    service::{InForce, Service},
    sessions::Turn,
    traces::Span,
};
use gambled::{extra, most_extra};
use pointsman_core::{
    circumstances::{Circumstances, Held, Outlook, Switch},
    explain::explain,
    explorer::Explorer,
    policy::{Candidate, Decision, Workspace},
    request::{OtherProviders, Request},
    units::Probability,
};
use pointsman_log::{
    body::{ChatBody, Explain, Explore},
    ids::DecisionId,
    journal::Ticket,
};
use std::sync::{Arc, atomic::Ordering};
use tell::Counted;

mod batch;
mod counted;
mod gambled;
mod record;
mod reply;
mod step;
mod tell;
mod trial;

pub(crate) use tell::Told;

/// An answer that must not be given before its record is written: see [`Service::tell`].
#[derive(Debug)]
pub(crate) struct Answer {
    json: Vec<u8>,
    /// Of its record; `None` where none is kept.
    pub(crate) ticket: Option<Ticket>,
    counted: Counted,
}

/// Whether a decision is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Where there is a journal.
    Record,
    /// The journal has just refused its record.
    Nothing,
}

/// Everything about one call that its reply and its record say.
pub(crate) struct Made<'a, 'b> {
    body: &'a ChatBody<'b>,
    request: &'a Request<'a>,
    force: &'a InForce,
    tenant: Option<&'a str>,
    objective: &'a str,
    id: DecisionId,
    now_ms: u64,
    started_ns: u64,
    chosen: Chosen,
    session: Option<(&'a Turn, Option<Held>)>,
}

/// What was drawn, and how.
#[derive(Debug, Clone, Copy)]
struct Chosen {
    decision: Decision,
    draw: Probability,
    /// The model of highest utility.
    best: usize,
    explored: Explored,
}

/// Whether a draw could have come out otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Explored {
    /// Another model might have been drawn.
    Possible,
    /// The best model was taken, as it would have been again.
    No,
}

impl Service {
    /// Decides one call and hands its record to the journal.
    ///
    /// # Errors
    /// [`Problem`] for a body that is no request, an objective that is not known, and a request
    /// that no model may answer.
    pub(crate) fn route(&self, bytes: &[u8], caller: Option<&Caller>) -> Result<Answer, Problem> {
        self.answer(bytes, caller, Keep::Record)
    }

    fn answer(&self, bytes: &[u8], caller: Option<&Caller>, keep: Keep) -> Result<Answer, Problem> {
        let started_ns = (self.effects.elapsed_ns)();
        let body = ChatBody::from_json(bytes)?;
        if keep == Keep::Record {
            self.note_unknown_keys(&body);
        }
        let force = self.force.load();
        let (objective, aim) = force.loaded.objective(body.asks.aim.as_ref())?;
        let request = body.to_request();
        let now_ms = self.now_ms();
        let conversation = body.asks.session_id.as_deref().map(|id| scoped(caller, id));
        let turn = conversation.as_deref().and_then(|id| self.sessions.last(id));
        let held = turn.as_ref().map(|turn| {
            let switch = if body.is_in_tool_loop() { Switch::InToolLoop } else { Switch::Allowed };
            (turn, self.sessions.held(turn, &force.loaded, (switch, started_ns / NANOS_PER_MS)))
        });
        desk::with(|desk| {
            let mut workspace = desk.take(&force.loaded);
            let around = Around {
                service: self,
                force: &force,
                request: &request,
                aim,
                held: held.and_then(|(_, held)| held),
                outlook: body.asks.outlook,
                now_ms,
                keep,
            };
            let answer = around.choose(&mut workspace, body.asks.explore).map(|chosen| {
                let made = Made {
                    body: &body,
                    request: &request,
                    force: &force,
                    tenant: caller.map(|caller| caller.key.name.as_str()),
                    objective: &objective,
                    id: self.ids.next(now_ms, (self.effects.random)()),
                    now_ms,
                    started_ns,
                    chosen,
                    session: held,
                };
                self.finish(&made, &around, (desk, &mut workspace), conversation)
            });
            desk.put_back(&force.loaded, workspace);
            answer
        })
    }

    /// Hands the record to the journal and puts the reply together.
    fn finish(
        &self,
        made: &Made<'_, '_>,
        around: &Around<'_, '_>,
        (desk, workspace): (&mut Desk, &mut Workspace),
        conversation: Option<String>,
    ) -> Answer {
        made.write_candidates(desk, workspace);
        made.write_shared(desk, workspace);
        let took_ns = || (self.effects.elapsed_ns)().saturating_sub(made.started_ns);
        let journal = self.journal.as_ref().filter(|_| around.keep == Keep::Record);
        let ticket = journal.map(|journal| {
            let shadows = self.shadows(made, desk);
            let mut record = std::mem::take(&mut desk.record);
            made.record(&mut record, self, (desk, workspace), (took_ns(), &shadows));
            let ticket = journal.gather_made(&record, made.id, made.now_ms);
            desk.put_back_record(record);
            ticket
        });
        let Chosen { decision, best, .. } = made.chosen;
        let candidate = workspace.candidates()[decision.model];
        let turn = conversation.map(|id| (id, made.turn(&candidate, workspace)));
        desk.drawn_endpoint = candidate.endpoint;
        self.tally
            .keep(made.started_ns, |out| made.write_latest(out, self, (desk, ticket.is_some())));
        let fallbacks = made.fallbacks(desk, workspace, around);
        let explanation = (made.body.asks.explain == Explain::Yes).then(|| {
            let of = (workspace.candidates(), workspace.scores());
            explain(&made.force.loaded.policy, made.request, decision.model, of)
        });
        let cascades = reply::cascades(&made.force.loaded.models, workspace.candidates());
        let of = (&fallbacks[..], explanation.as_ref(), &cascades[..]);
        let json = made.reply(desk, of, (took_ns(), ticket.is_some()));
        let counted = Counted {
            drawn: Arc::clone(&made.force.drawn[decision.model]),
            is_explored: decision.model != best,
            cost: candidate.expected.cost,
            tokens: workspace.expected_tokens(decision.model),
            cost_of_best_single: made.best_single_cost(workspace),
            started_ns: made.started_ns,
            now_ms: made.now_ms,
            turn,
            span: self.traces.as_ref().map(|_| Box::new(made.span(&candidate))),
        };
        Answer { json, ticket, counted }
    }

    /// What the shadow policies would have decided, as JSON; empty where there are none.
    fn shadows(&self, made: &Made<'_, '_>, desk: &mut Desk) -> Vec<u8> {
        let mut out = Vec::new();
        for (index, shadow) in self.shadows.iter().enumerate() {
            let mut workspace = desk.take(shadow);
            let around = Circumstances {
                objective: shadow.objective.1.objective,
                favour: shadow.objective.1.favour,
                explorer: Explorer::GREEDY,
                outlook: made.body.asks.outlook,
                ..shadow.policy.circumstances()
            };
            let drawn = shadow.policy.distribute_in(&around, made.request, &mut workspace);
            let start: &[u8] = if out.is_empty() { b"[{\"policy\":" } else { b",{\"policy\":" };
            out.extend_from_slice(start);
            out.extend_from_slice(&shadow.policy_json);
            json::raw_key(&mut out, "model");
            let own = drawn.ok().map(|n_cut| workspace.draw(Probability::ZERO, n_cut).model);
            match own {
                Some(model) => out.extend_from_slice(&shadow.models[model].json),
                None => out.extend_from_slice(b"null"),
            }
            out.push(b'}');
            made.count_beside(self, (index, shadow), (own, workspace.candidates()));
            desk.put_back(shadow, workspace);
        }
        if !out.is_empty() {
            out.push(b']');
        }
        out
    }
}

/// The name under which a conversation is remembered: callers cannot see each other's.
pub(crate) fn scoped(caller: Option<&Caller>, session_id: &str) -> String {
    format!("{}/{session_id}", caller.map_or("", |caller| &caller.key.name))
}

/// What a draw is made from.
struct Around<'a, 'r> {
    service: &'a Service,
    force: &'a InForce,
    request: &'a Request<'r>,
    aim: Strived,
    held: Option<Held>,
    outlook: Outlook,
    now_ms: u64,
    keep: Keep,
}

impl Around<'_, '_> {
    fn with<T>(&self, explorer: Explorer, work: impl FnOnce(&Circumstances<'_>) -> T) -> T {
        let live = self.force.live.load();
        work(&Circumstances {
            objective: self.aim.objective,
            favour: self.aim.favour,
            explorer,
            live: live.as_deref(),
            held: self.held,
            outlook: self.outlook,
        })
    }

    fn distribute(&self, explorer: Explorer, workspace: &mut Workspace) -> Result<usize, Problem> {
        let policy = &self.force.loaded.policy;
        let made =
            self.with(explorer, |around| policy.distribute_in(around, self.request, workspace));
        made.map_err(|error| {
            let names = self.force.loaded.models.iter();
            let reason = |(model, candidate): (&crate::loaded::ModelJson, &Candidate)| {
                Some((model.name.clone(), candidate.excluded_by?.to_string()))
            };
            Problem {
                excluded: names.zip(workspace.candidates()).filter_map(reason).collect(),
                ..Problem::new(Code::NoEligibleModel, error.to_string())
            }
        })
    }

    /// Whether the caller and the journal allow it; the budget is asked for each draw.
    fn may_explore(&self, explore: Explore) -> bool {
        let service = self.service;
        service.explorer.explores()
            && explore == Explore::Allowed
            && self.keep == Keep::Record
            && service.journal.is_some()
            && !service.is_degraded.load(Ordering::Relaxed)
    }

    /// Draws a model; explores only where the caller, the journal and the budget allow it.
    fn choose(&self, workspace: &mut Workspace, explore: Explore) -> Result<Chosen, Problem> {
        let service = self.service;
        let may_explore = self.may_explore(explore);
        let explorer = if may_explore { service.explorer } else { Explorer::GREEDY };
        let mut n_cut = self.distribute(explorer, workspace)?;
        let best = best_of(workspace.candidates());
        let mut reserved = None;
        if may_explore {
            let most = most_extra(workspace.candidates(), best);
            reserved = service.budget.reserve(most, self.now_ms);
            if reserved.is_none() {
                n_cut = self.distribute(Explorer::GREEDY, workspace)?;
            }
        }
        let draw = service.effects.draw();
        let decision = workspace.draw(draw, n_cut);
        let explored = if reserved.is_some() { Explored::Possible } else { Explored::No };
        if let Some(reserved) = reserved {
            let extra = extra(workspace.candidates(), decision.model, best);
            service.budget.settle(reserved, (decision.model != best).then_some(extra));
        }
        Ok(Chosen { decision, draw, best, explored })
    }
}

/// The first of the candidates with the highest utility.
fn best_of(candidates: &[Candidate]) -> usize {
    let mut best = 0;
    for (index, candidate) in candidates.iter().enumerate() {
        if candidates[best].utility < candidate.utility {
            best = index;
        }
    }
    best
}

impl Made<'_, '_> {
    /// What the next turn of the conversation has to know of this one.
    fn turn(&self, candidate: &Candidate, workspace: &Workspace) -> Turn {
        let loaded = &self.force.loaded;
        let model = self.chosen.decision.model;
        Turn {
            model: loaded.models[model].name.clone(),
            provider: loaded.policy.provider(model, candidate).map(str::to_owned),
            input_tokens: workspace.input_tokens(),
            at_ms: self.started_ns / NANOS_PER_MS,
            decision_id: self.id.to_string(),
        }
    }

    /// The decision for its trace; what is not yet known of it is told later.
    fn span(&self, candidate: &Candidate) -> Span {
        let (loaded, decision) = (&self.force.loaded, &self.chosen.decision);
        Span {
            id: self.id.number(),
            started_ms: self.now_ms,
            took_ns: 0,
            model: loaded.models[decision.model].name.clone(),
            provider: loaded.policy.provider(decision.model, candidate).map(str::to_owned),
            policy: loaded.digest().to_owned(),
            propensity: decision.propensity.get(),
            is_explored: decision.model != self.chosen.best,
            is_logged: false,
        }
    }

    /// Every other way to have the call answered, the best first: the drawn model elsewhere, then
    /// the other models; none where the caller refuses other providers.
    fn fallbacks(
        &self,
        desk: &mut Desk,
        workspace: &Workspace,
        around: &Around<'_, '_>,
    ) -> Vec<(usize, Option<usize>)> {
        if self.request.constraints.endpoints.others == OtherProviders::Refused {
            return Vec::new();
        }
        let drawn = self.chosen.decision.model;
        let candidates = workspace.candidates();
        let policy = &self.force.loaded.policy;
        let mut all = Vec::with_capacity(candidates.len());
        if policy.listed(drawn).is_some_and(|listed| 1 < listed.endpoints.len()) {
            let elsewhere = around.with(Explorer::GREEDY, |around| {
                policy.endpoints_in(around, self.request, (drawn, workspace))
            });
            let others = elsewhere.into_iter().filter(|&at| Some(at) != candidates[drawn].endpoint);
            all.extend(others.map(|endpoint| (drawn, Some(endpoint))));
        }
        desk.order.clear();
        let others = candidates
            .iter()
            .enumerate()
            .filter(|&(index, candidate)| index != drawn && candidate.excluded_by.is_none());
        desk.order.extend(others.map(|(index, candidate)| (candidate.utility, index)));
        desk.order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        all.extend(desk.order.iter().map(|&(_, index)| (index, candidates[index].endpoint)));
        all
    }
}
