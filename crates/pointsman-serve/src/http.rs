//! The paths of the two listeners: one for callers, one for operators.

use crate::{
    decide::Told,
    keys::{Caller, Plane},
    problem::{Code, Problem},
    service::Service,
    settings::Durability,
};
use axum::{
    BoxError, Router,
    body::{Body, Bytes, HttpBody},
    extract::State,
    http::{HeaderValue, Method, Request, StatusCode, Uri, Version, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use pointsman_core::units::len_as_float;
use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

mod about;
mod admin;
mod console;
mod status;

pub use admin::{OPENAPI_ADMIN, Reload, admin};

/// The description of every path, as `OpenAPI` 3.1.
pub const OPENAPI: &str = include_str!("openapi.json");

/// The longest path with its query, in bytes.
const MOST_URI_BYTES: usize = 8 << 10;

/// The paths of a call that is to be decided, and of one with an answer to it.
const ROUTE: [&str; 2] = ["/route", "/v1/route"];
const ESCALATE: [&str; 2] = ["/escalate", "/v1/escalate"];

/// The paths of callers.
pub fn callers(service: Arc<Service>) -> Router {
    Router::new()
        .route(ROUTE[0], post(route))
        .route(ROUTE[1], post(route))
        .route("/route/batch", post(route_batch))
        .route(ESCALATE[0], post(escalate))
        .route(ESCALATE[1], post(escalate))
        .route("/outcome", post(outcome))
        .route("/feedback", post(outcome))
        .route("/v1/models", get(about::models))
        .route("/policy", get(about::policy))
        .route("/healthz", get(about::healthz))
        .route("/readyz", get(about::readyz))
        .route("/openapi.json", get(about::openapi))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(service)
}

/// The refusal of a call that no path takes: of another version of HTTP, or of a path that is too long
/// to be one.
pub(crate) fn unfit<B>(service: &Service, request: &Request<B>) -> Option<Response> {
    if request.version() != Version::HTTP_11 {
        let message = "this is HTTP/1.0; send HTTP/1.1 (in nginx: `proxy_http_version 1.1`)";
        return Some(refused(service, Problem::new(Code::HttpVersion, message)));
    }
    let n_bytes = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    (MOST_URI_BYTES < n_bytes).then(|| {
        let message = format!("the path has {n_bytes} bytes; send at most {MOST_URI_BYTES}");
        refused(service, Problem::new(Code::UriTooLong, message))
    })
}

async fn unknown_path(State(service): State<Arc<Service>>, uri: Uri) -> Response {
    let path: String = uri.path().chars().take(100).collect();
    let message = format!("there is no `{path}` here; `/openapi.json` lists what there is");
    refused(&service, Problem::new(Code::UnknownPath, message))
}

async fn wrong_method(State(service): State<Arc<Service>>, method: Method, uri: Uri) -> Response {
    let path: String = uri.path().chars().take(100).collect();
    let message = format!("`{path}` does not take {method}; `/openapi.json` says what it takes");
    refused(&service, Problem::new(Code::WrongMethod, message))
}

fn refused(service: &Service, problem: Problem) -> Response {
    service.metrics.problem(&problem);
    problem.into_response()
}

/// A reply that is JSON already.
fn ok(json: impl Into<Body>) -> Response {
    let mut response = Response::new(json.into());
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Answers a call, or says why not.
fn reply(service: &Service, answered: Result<Vec<u8>, Problem>) -> Response {
    match answered {
        Ok(json) => ok(json),
        Err(problem) => refused(service, problem),
    }
}

/// A call that counts as being answered until this is dropped.
struct InFlight<'a>(&'a Service);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn admit(service: &Service) -> Result<InFlight<'_>, Problem> {
    let n_before = service.metrics.in_flight.fetch_add(1, Ordering::Relaxed);
    let admitted = InFlight(service);
    if service.settings.limits.in_flight <= usize::try_from(n_before).unwrap_or(usize::MAX) {
        let message = "too many calls are being answered; try again in a second";
        return Err(Problem::new(Code::Overloaded, message));
    }
    Ok(admitted)
}

/// Reads a body, as long and for as long as the limits allow.
async fn read<B>(service: &Service, body: B) -> Result<Bytes, Problem>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let limits = &service.settings.limits;
    let mut limited = pin!(Limited::new(body, limits.body_bytes).collect());
    // Most bodies come with their headers; only for others there has to be a timer.
    let at_once = poll_fn(|context| Poll::Ready(limited.as_mut().poll(context))).await;
    let read = match at_once {
        Poll::Ready(read) => read,
        Poll::Pending => {
            let wait = Duration::from_millis(limits.body_ms);
            let Ok(read) = tokio::time::timeout(wait, limited).await else {
                let message = format!("the body did not arrive within {} ms", limits.body_ms);
                return Err(Problem::new(Code::BodyTimeout, message));
            };
            read
        }
    };
    match read {
        Ok(read) => Ok(read.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message =
                format!("the body is over {} bytes; send a shorter one", limits.body_bytes);
            Err(Problem::new(Code::BodyTooLarge, message))
        }
        Err(_) => Err(Problem::new(Code::InvalidRequest, "the body broke off")),
    }
}

/// Who calls, and what they sent.
async fn accept<B>(
    service: &Service,
    request: Request<B>,
) -> Result<(Option<Arc<Caller>>, Bytes), Problem>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let authorization = request.headers().get(header::AUTHORIZATION);
    let authorization = authorization.map(HeaderValue::as_bytes);
    let caller = service.keys.load().check(Plane::Callers, authorization)?;
    Ok((caller, read_declared(service, request).await?))
}

/// What an operator sent to be decided.
async fn accept_from_operator(service: &Service, request: Request<Body>) -> Result<Bytes, Problem> {
    let _in_flight = admit(service)?;
    read_from_operator(service, request).await
}

/// What an operator sent, however many calls are being answered. What is not read of a body ends its
/// connection.
async fn read_from_operator(service: &Service, request: Request<Body>) -> Result<Bytes, Problem> {
    admin::check(service, request.headers())?;
    read_declared(service, request).await
}

/// Reads a body, unless it declares itself too long.
async fn read_declared<B>(service: &Service, request: Request<B>) -> Result<Bytes, Problem>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let most = service.settings.limits.body_bytes;
    if declared.is_some_and(|declared| most < declared) {
        let message = format!("the body is over {most} bytes; send a shorter one");
        return Err(Problem::new(Code::BodyTooLarge, message));
    }
    read(service, request.into_body()).await
}

/// Waits until what was written is where it has to be before the answer.
async fn settle(
    service: &Arc<Service>,
    (durability, position): (Durability, Option<pointsman_log::journal::Position>),
) -> Result<(), Problem> {
    if durability == Durability::Os || position.is_none() {
        return Ok(());
    }
    let service = Arc::clone(service);
    let settled = tokio::task::spawn_blocking(move || service.settle(durability, position)).await;
    settled.unwrap_or_else(|_| Err(Problem::new(Code::Internal, "the journal's thread ended")))
}

/// Other calls that are ready decide now, and whoever is back first writes all the records.
async fn let_others_decide(service: &Service) {
    if 1 < service.metrics.in_flight.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
}

async fn route(State(service): State<Arc<Service>>, request: Request<Body>) -> Response {
    answer(&service, (Decides::Route, request)).await
}

async fn escalate(State(service): State<Arc<Service>>, request: Request<Body>) -> Response {
    answer(&service, (Decides::Step, request)).await
}

/// What a call wants to be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decides {
    /// Which model is to be called.
    Route,
    /// What to do with an answer.
    Step,
}

impl Decides {
    /// What a call wants to be decided, where it is one for [`answer`].
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        if request.method() != Method::POST {
            return None;
        }
        let path = request.uri().path();
        if ROUTE.contains(&path) {
            Some(Self::Route)
        } else {
            ESCALATE.contains(&path).then_some(Self::Step)
        }
    }
}

/// Answers a call of `/route` or of `/escalate`, as the paths of callers do.
pub(crate) async fn answer<B>(
    service: &Arc<Service>,
    (decides, request): (Decides, Request<B>),
) -> Response
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let answered = decided(service, (decides, request)).await;
    reply(service, answered)
}

async fn decided<B>(
    service: &Arc<Service>,
    (decides, request): (Decides, Request<B>),
) -> Result<Vec<u8>, Problem>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let _in_flight = admit(service)?;
    let (caller, bytes) = accept(service, request).await?;
    let caller = caller.as_deref();
    if let Some(caller) = caller {
        caller.admit(1.0, (service.effects.elapsed_ns)(), service.now_ms())?;
    }
    let Told { json, position } = match decides {
        Decides::Route => {
            let answer = service.guarded(|| service.route(&bytes, caller))?;
            if answer.ticket.is_some() {
                let_others_decide(service).await;
            }
            service.guarded(|| service.tell(answer, (&bytes[..], caller)))?
        }
        Decides::Step => {
            let taken = service.guarded(|| service.escalate(&bytes, caller))?;
            if taken.waits() {
                let_others_decide(service).await;
            }
            service.guarded(|| service.tell_step(taken, (&bytes[..], caller)))?
        }
    };
    match settle(service, (service.settings.journal.decisions, position)).await {
        Ok(()) => Ok(json),
        Err(problem) => service.guarded(|| match decides {
            Decides::Route => service.route_again(problem, (&bytes[..], caller)),
            Decides::Step => service.escalate_again(problem, (&bytes[..], caller)),
        }),
    }
}

async fn route_batch(State(service): State<Arc<Service>>, request: Request<Body>) -> Response {
    let answered = async {
        let _in_flight = admit(&service)?;
        let (caller, bytes) = accept(&service, request).await?;
        let caller = caller.as_deref();
        let Told { json, position } = service.guarded(|| service.route_batch(&bytes, caller))?;
        settle(&service, (service.settings.journal.decisions, position)).await?;
        Ok(json)
    };
    let answered = answered.await;
    reply(&service, answered)
}

async fn outcome(State(service): State<Arc<Service>>, request: Request<Body>) -> Response {
    let answered = async {
        let _in_flight = admit(&service)?;
        let (caller, bytes) = accept(&service, request).await?;
        let caller = caller.as_deref();
        let taken = service.guarded(|| service.take_outcomes(&bytes, caller))?;
        settle(&service, (service.settings.journal.outcomes, taken.position)).await?;
        Ok(taken.json)
    };
    let answered = answered.await;
    reply(&service, answered)
}

fn with_status(code: StatusCode, json: Vec<u8>) -> Response {
    let mut response = ok(json);
    *response.status_mut() = code;
    response
}
