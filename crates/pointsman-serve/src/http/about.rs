//! What a service says of itself.

use super::{OPENAPI, ok, refused, with_status};
use crate::{json, keys::Plane, problem::Problem, service::Service};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use std::sync::{Arc, atomic::Ordering};

fn check(service: &Service, headers: &HeaderMap) -> Result<(), Problem> {
    let authorization = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    service.keys.load().check(Plane::Callers, authorization).map(|_caller| ())
}

/// The process answers.
pub(super) async fn healthz() -> Response {
    ok(Body::from("{\"status\":\"ok\"}"))
}

/// Whether new calls should come here, and what is in force.
pub(super) async fn readyz(State(service): State<Arc<Service>>) -> Response {
    let is_draining = service.is_draining.load(Ordering::Relaxed);
    let mut out = b"{\"ready\":".to_vec();
    json::value(&mut out, &!is_draining);
    json::raw_key(&mut out, "policy");
    out.extend_from_slice(&service.force.load().loaded.policy_json);
    json::field(&mut out, "last_load_error", &service.last_load_error());
    json::field(&mut out, "logging", &service.is_logging());
    out.push(b'}');
    with_status(if is_draining { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }, out)
}

/// The description of every path.
pub(super) async fn openapi() -> Response {
    ok(Body::from(OPENAPI))
}

/// The models that may be drawn, in the shape of `OpenAI`'s list.
pub(super) async fn models(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    if let Err(problem) = check(&service, &headers) {
        return refused(&service, problem);
    }
    let force = service.force.load();
    let mut out = b"{\"object\":\"list\",\"data\":[".to_vec();
    for (index, model) in force.loaded.models.iter().enumerate() {
        let start: &[u8] = if index == 0 { b"{\"id\":" } else { b",{\"id\":" };
        out.extend_from_slice(start);
        out.extend_from_slice(&model.json);
        json::field(&mut out, "object", "model");
        json::field(&mut out, "created", &0);
        json::field(&mut out, "owned_by", "catalog");
        let listed = force.loaded.policy.listed(index);
        let window = listed.and_then(|listed| listed.context_window);
        json::field(&mut out, "context_length", &window.map(pointsman_core::units::Tokens::get));
        json::raw_key(&mut out, "providers");
        out.push(b'[');
        out.extend_from_slice(&model.providers.join(&b','));
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]}");
    ok(out)
}

/// The policy in force: what people and programs want to know of it.
pub(super) async fn policy(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    if let Err(problem) = check(&service, &headers) {
        return refused(&service, problem);
    }
    let force = service.force.load();
    let card = force.loaded.artifact.card();
    let mut out = b"{\"name\":".to_vec();
    json::value(&mut out, &card.name);
    json::field(&mut out, "digest", force.loaded.artifact.digest());
    json::field(&mut out, "models", &card.models);
    json::field(&mut out, "objective", &force.loaded.objective.0);
    json::raw_key(&mut out, "operating_points");
    for (index, point) in card.operating_points.iter().enumerate() {
        let start: &[u8] = if index == 0 { b"[{\"name\":" } else { b",{\"name\":" };
        out.extend_from_slice(start);
        json::value(&mut out, &point.name);
        json::field(&mut out, "quality_points_per_usd", &point.per_dollar);
        json::field(&mut out, "quality", &point.quality.value);
        json::field(&mut out, "cost_usd", &point.cost_usd.value);
        out.push(b'}');
    }
    out.extend_from_slice(if card.operating_points.is_empty() { b"[]" } else { b"]" });
    json::field(&mut out, "standing", &card.standing.sentence);
    json::field(&mut out, "explore", &service.settings.explore.how);
    let shadows: Vec<&str> = service.shadows.iter().map(|one| one.artifact.digest()).collect();
    json::field(&mut out, "shadows", &shadows);
    out.push(b'}');
    ok(out)
}
