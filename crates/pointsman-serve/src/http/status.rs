//! What operators see of a service at a glance, as one JSON object, and what it would decide.

use super::{accept_from_operator, ok};
use crate::{json, service::Service};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Request},
    response::{IntoResponse, Response},
};
use pointsman_core::{
    circumstances::Health,
    units::{Tokens, Usd},
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Everything that the console shows.
pub(super) async fn status(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    if let Err(problem) = super::admin::check(&service, &headers) {
        return super::refused(&service, problem);
    }
    let mut out = b"{\"now_ms\":".to_vec();
    json::count(&mut out, service.now_ms());
    for (key, value) in [
        ("ready", json!(!service.is_draining.load(Ordering::Relaxed))),
        ("last_load_error", json!(service.last_load_error())),
        ("decisions", decisions(&service)),
        ("drawn", drawn(&service)),
        ("money", money(&service)),
        ("exploration", exploration(&service)),
        ("keys", keys(&service)),
        ("endpoints", endpoints(&service)),
        ("journal", journal(&service)),
        ("shadows", shadows(&service)),
        ("card", card(&service)),
    ] {
        json::field(&mut out, key, &value);
    }
    json::raw_key(&mut out, "latest");
    service.tally.write_latest(&mut out);
    out.push(b'}');
    ok(out)
}

/// What a call would be decided as; nothing is drawn, counted or written down.
pub(super) async fn try_out(
    State(service): State<Arc<Service>>,
    request: Request<Body>,
) -> Response {
    match accept_from_operator(&service, request).await {
        Ok(bytes) => match service.guarded(|| service.try_out(&bytes)) {
            Ok(json) => ok(json),
            // That no model may answer a call that nobody made is not counted either.
            Err(problem) => problem.into_response(),
        },
        Err(problem) => super::refused(&service, problem),
    }
}

fn decisions(service: &Service) -> Value {
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let metrics = &service.metrics;
    let refused: serde_json::Map<String, Value> =
        metrics.all_problems().into_iter().map(|(code, n)| (code.to_owned(), json!(n))).collect();
    json!({
        "made": of(&metrics.n_decisions),
        "steps": of(&metrics.n_steps),
        "escalated": of(&metrics.n_escalated),
        "explored": of(&metrics.n_explored),
        "not_logged": of(&metrics.n_unlogged),
        "total_ns": metrics.all_decision_ns(),
        "in_flight": of(&metrics.in_flight),
        "refused": refused,
        "unknown_fields": of(&metrics.n_unknown_fields),
        "outcomes": of(&metrics.n_outcomes),
        "outcomes_again": of(&metrics.n_outcomes_again),
        "outcomes_late": of(&metrics.n_outcomes_late),
        "reloads": of(&metrics.n_reloads),
        "reloads_refused": of(&metrics.n_reloads_refused),
        "panics": of(&metrics.n_panics),
    })
}

fn drawn(service: &Service) -> Value {
    let all = service.metrics.all_drawn().into_iter();
    all.map(|(model, n)| json!({"model": model, "decisions": n})).collect()
}

fn money(service: &Service) -> Value {
    let money = service.tally.money();
    let force = service.force.load();
    json!({
        "best_single": force.loaded.artifact.card().standing.best_single,
        "n_compared": money.n_compared,
        "n_not_compared": money.n_not_compared,
        "expected_cost_usd": money.drawn.as_dollars(),
        "best_single_cost_usd": money.best_single.as_dollars(),
        "escalated_cost_usd": money.escalated.as_dollars(),
    })
}

fn exploration(service: &Service) -> Value {
    let explore = &service.settings.explore;
    json!({
        "how": explore.how,
        "most_share": explore.share,
        "most_usd_per_day": explore.usd_per_day,
        "usd_today": service.budget.spent_today().as_dollars(),
    })
}

/// What every caller's decisions of today are expected to take, against their budgets.
fn keys(service: &Service) -> Value {
    let now_ms = service.now_ms();
    let keys = service.keys.load();
    let all = keys.callers().iter().map(|caller| {
        let spent = caller.spent_today(now_ms);
        json!({
            "name": caller.key.name,
            "most_usd_per_day": caller.key.usd_per_day.map(Usd::as_dollars),
            "usd_today": spent.cost.as_dollars(),
            "most_tokens_per_day": caller.key.tokens_per_day.map(Tokens::get),
            "tokens_today": spent.tokens.get(),
        })
    });
    all.collect()
}

fn endpoints(service: &Service) -> Value {
    let force = service.force.load();
    let live = force.live.load();
    let loaded = &force.loaded;
    let mut all = Vec::new();
    for (place, model) in loaded.policy.models().enumerate() {
        let listed = loaded.policy.listed(place).map_or(&[][..], |model| &model.endpoints[..]);
        for (at, endpoint) in listed.iter().enumerate() {
            let now = live.as_deref().map(|live| live.of(place, at)).unwrap_or_default();
            let health = match now.health {
                Health::Failing => "failing",
                Health::Up if service.signals.knows(model, &endpoint.provider) => "up",
                Health::Up => "unknown",
            };
            all.push(json!({
                "model": model,
                "provider": endpoint.provider,
                "health": health,
                "ttft_ms": now.ttft_ms,
                "tokens_per_second": now.tokens_per_second,
                "input_usd_per_million": endpoint.input.dollars_per_million(),
                "output_usd_per_million": endpoint.output.dollars_per_million(),
            }));
        }
    }
    Value::Array(all)
}

fn journal(service: &Service) -> Value {
    let Some(journal) = &service.journal else { return Value::Null };
    let state = journal.state();
    json!({
        "logging": service.is_logging(),
        "prompts": service.settings.journal.prompts.name(),
        "segments": state.n_segments,
        "bytes": state.n_bytes,
        "records": state.n_records,
        "appended": state.n_appended,
        "refused": state.n_refused,
        "removed_segments": state.n_removed_segments,
        "removed_bytes": state.n_removed_bytes,
        "removed_records": state.n_removed_records,
        "degraded": state.is_degraded,
        "last_error": state.last_error,
    })
}

fn shadows(service: &Service) -> Value {
    let counted = service.tally.shadows();
    let all = service.shadows.iter().zip(counted).map(|(shadow, beside)| {
        let predicted = |of: &crate::tally::Predicted| {
            json!({"quality": of.quality, "cost_usd": of.cost.as_dollars()})
        };
        json!({
            "name": shadow.artifact.card().name,
            "digest": shadow.artifact.digest(),
            "objective": shadow.objective.0,
            "decisions": beside.n_decisions,
            "refused": beside.n_refused,
            "same": beside.n_same,
            "compared": beside.n_compared,
            "own": predicted(&beside.own),
            "drawn": predicted(&beside.drawn),
        })
    });
    all.collect()
}

/// The card of the policy in force; of a guarantee only its sentence.
fn card(service: &Service) -> Value {
    let force = service.force.load();
    let artifact = &force.loaded.artifact;
    let mut card = artifact.card().told();
    card["digest"] = json!(artifact.digest());
    card["objective"] = json!(force.loaded.objective.0);
    for point in card["operating_points"].as_array_mut().into_iter().flatten() {
        point["guarantee"] = point["guarantee"]["sentence"].take();
    }
    card
}
