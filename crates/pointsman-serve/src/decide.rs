//! One call, from its body to its reply: decided, written down, and only then answered.
//!
//! What the reply and the record have in common is put into JSON once. The circumstances of a draw
//! are settled before it: whether it may explore depends on the caller, the journal and the budget,
//! all of which are known by then, so that the logged propensity is the number that was drawn with.

use crate::{
    desk::{self, Desk},
    json,
    keys::Caller,
    loaded::Strived,
    metrics::up,
    problem::{Code, Problem},
    service::{InForce, Service},
    sessions::Turn,
    settings::WhenFull,
};
use pointsman_core::{
    circumstances::{Circumstances, Held, Switch},
    explain::explain,
    explorer::Explorer,
    policy::{Candidate, Decision, Workspace},
    request::{OtherProviders, Request},
    units::{Probability, Usd},
};
use pointsman_log::{
    body::{ChatBody, Explain, Explore},
    ids::DecisionId,
    journal::{AppendError, Position},
};
use std::sync::atomic::Ordering;

mod counted;
mod record;
mod reply;
mod trial;

/// An answer, and where its record is.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) json: Vec<u8>,
    pub(crate) position: Option<Position>,
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
    /// Decides one call and writes the decision down.
    ///
    /// # Errors
    /// [`Problem`] for a body that is no request, an objective that is not known, a request that no
    /// model may answer, and a journal that takes no record where that is to be refused.
    pub(crate) fn route(&self, bytes: &[u8], caller: Option<&Caller>) -> Result<Answer, Problem> {
        let started_ns = (self.effects.elapsed_ns)();
        let body = ChatBody::from_json(bytes)?;
        let force = self.force.load();
        let (objective, aim) = force.loaded.objective(body.asks.aim.as_ref())?;
        let request = body.to_request();
        let now_ms = self.now_ms();
        let turn =
            body.asks.session_id.as_deref().and_then(|id| self.sessions.last(&scoped(caller, id)));
        let held = turn.as_ref().map(|turn| {
            let switch = if body.is_in_tool_loop() { Switch::InToolLoop } else { Switch::Allowed };
            (turn, self.sessions.held(turn, &force.loaded, (switch, now_ms)))
        });
        desk::with(|desk| {
            let mut workspace = desk.take(&force.loaded);
            let around = Around {
                service: self,
                force: &force,
                request: &request,
                aim,
                held: held.and_then(|(_, held)| held),
                now_ms,
            };
            let answer = around.choose(&mut workspace, body.asks.explore).and_then(|chosen| {
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
                self.finish(made, &around, (desk, &mut workspace), caller)
            });
            desk.put_back(&force.loaded, workspace);
            answer
        })
    }

    /// Writes the decision down and puts the reply together.
    fn finish(
        &self,
        mut made: Made<'_, '_>,
        around: &Around<'_, '_>,
        (desk, workspace): (&mut Desk, &mut Workspace),
        caller: Option<&Caller>,
    ) -> Result<Answer, Problem> {
        made.write_candidates(desk, workspace);
        made.write_shared(desk, workspace);
        let shadows = self.shadows(&made, desk);
        let took_ns = (self.effects.elapsed_ns)().saturating_sub(made.started_ns);
        let position = match &self.journal {
            None => None,
            Some(journal) => {
                let record = made.record(self, desk, (took_ns, &shadows));
                let appended = journal.append_made(record, made.id, made.now_ms);
                self.is_degraded.store(appended.is_err(), Ordering::Relaxed);
                match appended {
                    Ok(position) => Some(position),
                    Err(error) => {
                        self.not_logged(&error)?;
                        if made.chosen.explored == Explored::Possible {
                            made.chosen = around.choose(workspace, Explore::Refused)?;
                            made.write_candidates(desk, workspace);
                            made.write_shared(desk, workspace);
                        }
                        None
                    }
                }
            }
        };
        if position.is_none() {
            up(&self.metrics.n_unlogged);
        }
        let Chosen { decision, best, .. } = made.chosen;
        if decision.model != best {
            up(&self.metrics.n_explored);
        }
        up(&made.force.drawn[decision.model]);
        let candidate = workspace.candidates()[decision.model];
        if let (Some(caller), Some(cost)) = (caller, candidate.expected.cost) {
            caller.spend(cost, made.now_ms);
        }
        self.remember(&made, &candidate, (workspace, caller));
        self.tally.paid(candidate.expected.cost, made.best_single_cost(workspace));
        let took_ns = (self.effects.elapsed_ns)().saturating_sub(made.started_ns);
        self.metrics.decision(took_ns);
        desk.drawn_endpoint = candidate.endpoint;
        self.tally.keep(|out| made.write_latest(out, self, (desk, position.is_some())));
        let fallbacks = made.fallbacks(desk, workspace, around);
        let explanation = (made.body.asks.explain == Explain::Yes).then(|| {
            let of = (workspace.candidates(), workspace.scores());
            explain(&made.force.loaded.policy, made.request, decision.model, of)
        });
        let json =
            made.reply(desk, (&fallbacks, explanation.as_ref()), (took_ns, position.is_some()));
        Ok(Answer { json, position })
    }

    /// What becomes of a call whose record the journal did not take.
    fn not_logged(&self, error: &AppendError) -> Result<(), Problem> {
        match self.settings.journal.when_full {
            WhenFull::Serve => Ok(()),
            WhenFull::Refuse => Err(Problem::new(Code::JournalUnavailable, error.to_string())),
        }
    }

    fn remember(
        &self,
        made: &Made<'_, '_>,
        candidate: &Candidate,
        (workspace, caller): (&Workspace, Option<&Caller>),
    ) {
        let Some(id) = made.body.asks.session_id.as_deref() else { return };
        let policy = &made.force.loaded.policy;
        let model = made.chosen.decision.model;
        let turn = Turn {
            model: made.force.loaded.models[model].name.clone(),
            provider: policy.provider(model, candidate).map(str::to_owned),
            input_tokens: workspace.input_tokens(),
            at_ms: made.now_ms,
            decision_id: made.id.to_string(),
        };
        self.sessions.remember(&scoped(caller, id), turn);
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
    now_ms: u64,
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

    /// Draws a model; explores only where the caller, the journal and the budget allow it.
    fn choose(&self, workspace: &mut Workspace, explore: Explore) -> Result<Chosen, Problem> {
        let service = self.service;
        let may_explore = service.explorer.explores()
            && explore == Explore::Allowed
            && service.journal.is_some()
            && !service.is_degraded.load(Ordering::Relaxed);
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

/// By how much one candidate is expected to cost more than another.
fn extra(candidates: &[Candidate], of: usize, than: usize) -> Usd {
    let cost = |index: usize| candidates[index].expected.cost.unwrap_or(Usd::ZERO).nanos();
    Usd::from_nanos(cost(of).saturating_sub(cost(than)))
}

fn most_extra(candidates: &[Candidate], best: usize) -> Usd {
    let possible = (0..candidates.len()).filter(|&index| 0.0 < candidates[index].probability);
    possible.map(|index| extra(candidates, index, best)).max().unwrap_or(Usd::ZERO)
}

impl Made<'_, '_> {
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
        desk.order.extend(
            (0..candidates.len())
                .filter(|&index| index != drawn && candidates[index].excluded_by.is_none()),
        );
        desk.order.sort_unstable_by(|&a, &b| {
            candidates[b].utility.total_cmp(&candidates[a].utility).then(a.cmp(&b))
        });
        all.extend(desk.order.iter().map(|&index| (index, candidates[index].endpoint)));
        all
    }
}
