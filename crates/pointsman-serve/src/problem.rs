//! What a caller is told when a call cannot be answered: an error object of `OpenAI`'s shape, with
//! a code that programs can match.
//!
//! Source: <https://platform.openai.com/docs/guides/error-codes>.

use crate::json;
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use pointsman_log::body::BodyError;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// The key of the body that is at fault.
    pub(crate) param: Option<String>,
    /// Every model and why it may not answer.
    pub(crate) excluded: Vec<(String, String)>,
    /// When to come again, where that is not soon.
    pub(crate) retry_after_s: Option<u64>,
}

/// What kind of refusal it is; programs match on its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is described in `/openapi.json` by its name")]
pub enum Code {
    InvalidHttp,
    InvalidJson,
    InvalidRequest,
    MissingKey,
    UnknownKey,
    WrongListener,
    UnknownDecision,
    UnknownPath,
    WrongMethod,
    BodyTimeout,
    OutcomeConflict,
    BodyTooLarge,
    UriTooLong,
    HttpVersion,
    HeadersTooLarge,
    UnknownObjective,
    NoEligibleModel,
    NoReaders,
    InvalidOutcome,
    RateLimited,
    BudgetSpent,
    Internal,
    Overloaded,
    JournalUnavailable,
    ReloadRefused,
}

impl Code {
    /// Every code, for the tests of the documents.
    pub const ALL: [Self; 25] = [
        Self::InvalidHttp,
        Self::InvalidJson,
        Self::InvalidRequest,
        Self::MissingKey,
        Self::UnknownKey,
        Self::WrongListener,
        Self::UnknownDecision,
        Self::UnknownPath,
        Self::WrongMethod,
        Self::BodyTimeout,
        Self::OutcomeConflict,
        Self::BodyTooLarge,
        Self::UriTooLong,
        Self::HttpVersion,
        Self::HeadersTooLarge,
        Self::UnknownObjective,
        Self::NoEligibleModel,
        Self::NoReaders,
        Self::InvalidOutcome,
        Self::RateLimited,
        Self::BudgetSpent,
        Self::Internal,
        Self::Overloaded,
        Self::JournalUnavailable,
        Self::ReloadRefused,
    ];

    /// Its name in replies and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidHttp => "invalid_http",
            Self::InvalidJson => "invalid_json",
            Self::InvalidRequest => "invalid_request",
            Self::MissingKey => "missing_key",
            Self::UnknownKey => "unknown_key",
            Self::WrongListener => "wrong_listener",
            Self::UnknownDecision => "unknown_decision",
            Self::UnknownPath => "unknown_path",
            Self::WrongMethod => "wrong_method",
            Self::BodyTimeout => "body_timeout",
            Self::OutcomeConflict => "outcome_conflict",
            Self::BodyTooLarge => "body_too_large",
            Self::UriTooLong => "uri_too_long",
            Self::HttpVersion => "http_version",
            Self::HeadersTooLarge => "headers_too_large",
            Self::UnknownObjective => "unknown_objective",
            Self::NoEligibleModel => "no_eligible_model",
            Self::NoReaders => "no_readers",
            Self::InvalidOutcome => "invalid_outcome",
            Self::RateLimited => "rate_limited",
            Self::BudgetSpent => "budget_spent",
            Self::Internal => "internal",
            Self::Overloaded => "overloaded",
            Self::JournalUnavailable => "journal_unavailable",
            Self::ReloadRefused => "reload_refused",
        }
    }

    /// The status of its replies.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::InvalidHttp | Self::InvalidJson | Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::MissingKey | Self::UnknownKey => StatusCode::UNAUTHORIZED,
            Self::WrongListener => StatusCode::FORBIDDEN,
            Self::UnknownDecision | Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::OutcomeConflict | Self::ReloadRefused => StatusCode::CONFLICT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::HttpVersion => StatusCode::UPGRADE_REQUIRED,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::UnknownObjective
            | Self::NoEligibleModel
            | Self::NoReaders
            | Self::InvalidOutcome => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimited | Self::BudgetSpent => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Overloaded | Self::JournalUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// `OpenAI`'s coarser kind.
    const fn kind(self) -> &'static str {
        match self {
            Self::MissingKey | Self::UnknownKey => "authentication_error",
            Self::WrongListener => "permission_error",
            Self::RateLimited => "rate_limit_error",
            Self::BudgetSpent => "insufficient_quota",
            Self::Internal | Self::Overloaded | Self::JournalUnavailable => "server_error",
            Self::InvalidHttp
            | Self::InvalidJson
            | Self::InvalidRequest
            | Self::UnknownDecision
            | Self::UnknownPath
            | Self::WrongMethod
            | Self::BodyTimeout
            | Self::OutcomeConflict
            | Self::BodyTooLarge
            | Self::UriTooLong
            | Self::HttpVersion
            | Self::HeadersTooLarge
            | Self::UnknownObjective
            | Self::NoEligibleModel
            | Self::NoReaders
            | Self::InvalidOutcome
            | Self::ReloadRefused => "invalid_request_error",
        }
    }
}

impl Problem {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message, param: None, excluded: Vec::new(), retry_after_s: None }
    }

    /// What kind of refusal it is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The error object.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"error\":{\"message\":");
        json::value(out, &self.message);
        out.extend_from_slice(b",\"type\":");
        json::value(out, &self.code.kind());
        out.extend_from_slice(b",\"param\":");
        json::value(out, &self.param);
        out.extend_from_slice(b",\"code\":");
        json::value(out, &self.code.name());
        if !self.excluded.is_empty() {
            out.extend_from_slice(b",\"excluded\":[");
            for (index, (model, reason)) in self.excluded.iter().enumerate() {
                let start: &[u8] = if index == 0 { b"{\"model\":" } else { b",{\"model\":" };
                out.extend_from_slice(start);
                json::value(out, model);
                out.extend_from_slice(b",\"reason\":");
                json::value(out, reason);
                out.push(b'}');
            }
            out.push(b']');
        }
        out.extend_from_slice(b"}}");
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let code = match &error {
            BodyError::NotJson { .. } => Code::InvalidJson,
            BodyError::Shape { .. }
            | BodyError::NoPrompt
            | BodyError::NoDecision
            | BodyError::NoAnswer
            | BodyError::Empty { .. }
            | BodyError::Number { .. }
            | BodyError::NoRole { .. }
            | BodyError::Objective { .. }
            | BodyError::Weight { .. }
            | BodyError::TooLong { .. }
            | BodyError::UnknownKey { .. } => Code::InvalidRequest,
        };
        let param = match &error {
            BodyError::Number { key, .. }
            | BodyError::Empty { key }
            | BodyError::TooLong { key, .. } => Some((*key).to_owned()),
            BodyError::UnknownKey { key, .. } => Some(key.clone()),
            BodyError::NoRole { .. } => Some("messages".to_owned()),
            BodyError::Objective { .. } | BodyError::Weight { .. } => Some("objective".to_owned()),
            BodyError::NoDecision => Some("decision_id".to_owned()),
            BodyError::NoAnswer => Some("answer".to_owned()),
            BodyError::NotJson { .. } | BodyError::Shape { .. } | BodyError::NoPrompt => None,
        };
        Self { param, ..Self::new(code, error.to_string()) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = Vec::new();
        self.write_json(&mut body);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.code {
            Code::Overloaded | Code::JournalUnavailable | Code::RateLimited | Code::BudgetSpent => {
                let seconds = self.retry_after_s.unwrap_or(1);
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            Code::MissingKey | Code::UnknownKey => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            // What is left of the body is not read.
            Code::InvalidHttp
            | Code::BodyTooLarge
            | Code::BodyTimeout
            | Code::UriTooLong
            | Code::HeadersTooLarge => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Code::HttpVersion => {
                headers.insert(header::UPGRADE, HeaderValue::from_static("HTTP/1.1"));
                headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade, close"));
            }
            Code::InvalidJson
            | Code::InvalidRequest
            | Code::WrongListener
            | Code::UnknownDecision
            | Code::UnknownPath
            | Code::WrongMethod
            | Code::OutcomeConflict
            | Code::UnknownObjective
            | Code::NoEligibleModel
            | Code::NoReaders
            | Code::InvalidOutcome
            | Code::Internal
            | Code::ReloadRefused => {}
        }
        response
    }
}
