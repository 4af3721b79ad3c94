//! The paths of operators: what the service counts, and which policy is in force.

use super::{about, console, ok, read_from_operator, refused, status, unknown_path, wrong_method};
use crate::{
    aside, json,
    keys::Plane,
    problem::{Code, Problem},
    service::Service,
};
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Request, header},
    response::Response,
    routing::{get, post},
};
use pointsman_core::units::as_float;
use std::sync::{Arc, atomic::Ordering};

/// The description of every path of operators, as `OpenAPI` 3.1.
pub const OPENAPI_ADMIN: &str = include_str!("../openapi_admin.json");

/// Reads the policy and the catalog again and puts them in force: the digest that is in force
/// then, or a sentence that says why the old ones stay.
pub type Reload = Arc<dyn Fn(&Service) -> Result<String, String> + Send + Sync>;

/// The paths of operators.
pub fn admin(service: Arc<Service>, reload: Reload) -> Router {
    let again = move |State(service): State<Arc<Service>>, request: Request<Body>| {
        let reload = Arc::clone(&reload);
        async move {
            if let Err(problem) = read_from_operator(&service, request).await {
                return refused(&service, problem);
            }
            let at = Arc::clone(&service);
            let done = aside::run(move || reload(&at)).await;
            let done = done.unwrap_or_else(|| Err("a bug ended the reload".to_owned()));
            match done {
                Ok(digest) => in_force(&digest),
                Err(why) => refused(&service, Problem::new(Code::ReloadRefused, why)),
            }
        }
    };
    Router::new()
        .route("/admin/reload", post(again))
        .route("/admin/rollback", post(roll_back))
        .route("/admin/status", get(status::status))
        .route("/admin/try", post(status::try_out))
        .route("/console", get(console::console))
        .route("/openapi.json", get(openapi))
        .route("/endpoints", get(endpoints))
        .route("/metrics", get(metrics))
        .route("/healthz", get(about::healthz))
        .route("/readyz", get(about::readyz))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(service)
}

pub(super) fn check(service: &Service, headers: &HeaderMap) -> Result<(), Problem> {
    let authorization = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    service.keys.load().check(Plane::Operators, authorization).map(|_caller| ())
}

fn in_force(digest: &str) -> Response {
    let mut out = b"{\"digest\":".to_vec();
    json::value(&mut out, digest);
    out.push(b'}');
    ok(out)
}

/// The description of every path of this listener.
async fn openapi() -> Response {
    ok(Body::from(OPENAPI_ADMIN))
}

async fn roll_back(State(service): State<Arc<Service>>, request: Request<Body>) -> Response {
    let read = read_from_operator(&service, request).await;
    match read.and_then(|_body| service.roll_back()) {
        Ok(digest) => in_force(&digest),
        Err(problem) => refused(&service, problem),
    }
}

/// How every endpoint does right now.
async fn endpoints(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    match check(&service, &headers) {
        Ok(()) => ok(service.signals.to_json(service.elapsed_ms())),
        Err(problem) => refused(&service, problem),
    }
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let mut gauges = vec![
        (
            "sessions",
            "Conversations that are remembered.",
            super::len_as_float(service.sessions.len()),
        ),
        (
            "explored_usd_today",
            "What exploration was expected to cost today, above the best models.",
            service.budget.spent_today().as_dollars(),
        ),
        (
            "journal_degraded",
            "Whether the journal took no record the last time.",
            f64::from(u8::from(service.is_degraded.load(Ordering::Relaxed))),
        ),
    ];
    let state = service.journal.as_ref().map(pointsman_log::journal::Journal::state);
    if let Some(state) = &state {
        gauges.extend([
            ("journal_segments", "Segments of the journal.", as_float(state.n_segments)),
            ("journal_bytes", "Bytes of the journal.", as_float(state.n_bytes)),
            ("journal_records", "Records of the journal.", as_float(state.n_records)),
        ]);
    }
    if let Some(traces) = &service.traces {
        let n_dropped = as_float(traces.n_dropped());
        gauges.push(("trace_spans_dropped", "Spans that no collector took.", n_dropped));
    }
    let mut response = Response::new(Body::from(service.metrics.write(&gauges)));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
