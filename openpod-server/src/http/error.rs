//! Errors as the caller sees them: `{"error", "code", "request_id", "details"?}`.

use std::error::Error;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use openpod_sdk::api::{ErrorBody, ErrorCode, Violations};
use serde_json::{Map, Value};

use crate::store::{StoreError, StoreErrorKind};

/// Why a request was refused. The status follows from the code.
///
/// As a response it has no body yet: [`super::request_log`] writes the body, because only there is the request's
/// id known, and the cause goes to the log under the same id.
#[derive(Debug, Clone)]
pub struct ApiError(Arc<Refusal>);

#[derive(Debug, Clone)]
struct Refusal {
    code: ErrorCode,
    sentence: String,
    details: Map<String, Value>,
    retry_after_seconds: Option<u64>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// A refusal with a sentence for a person: what was wrong, and what to do about it.
    pub fn new(code: ErrorCode, sentence: impl Into<String>) -> Self {
        Self(Arc::new(Refusal {
            code,
            sentence: sentence.into(),
            details: Map::new(),
            retry_after_seconds: None,
            cause: None,
        }))
    }

    /// 404 for a thing that is not there, or not the caller's to see: `no ticket with this id`.
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("there is no {what} with this id, or it is not yours to see"))
    }

    /// 400 for one field.
    pub fn field(name: &str, must: &str) -> Self {
        let mut violations = Violations::default();
        violations.add(name, must);
        Self::from(violations)
    }

    /// 500 with a sentence that gives nothing away; `cause` goes to the log.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorCode::Internal, "the server failed to do this; report the request id to its operator")
            .because(cause)
    }

    /// Says it in another sentence.
    pub fn saying(mut self, sentence: impl Into<String>) -> Self {
        self.inner().sentence = sentence.into();
        self
    }

    /// Adds a fact for the machine.
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.inner().details.insert(name.to_owned(), value.into());
        self
    }

    /// Says how long to wait before asking again.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.inner().retry_after_seconds = Some(seconds);
        self
    }

    /// Keeps what it came from, for the log only.
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.inner().cause = Some(Arc::from(cause.into()));
        self
    }

    /// The machine's word for it.
    pub fn code(&self) -> &ErrorCode {
        &self.0.code
    }

    /// The HTTP status that belongs to the code.
    pub fn status(&self) -> StatusCode {
        status_of(&self.0.code)
    }

    /// What the log shall say beyond the answer.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync)> {
        self.0.cause.as_deref()
    }

    /// The answer's body.
    pub fn body(&self, request_id: &str) -> ErrorBody {
        ErrorBody {
            error: self.0.sentence.clone(),
            code: Some(self.0.code.clone()),
            request_id: Some(request_id.to_owned()),
            details: (!self.0.details.is_empty()).then(|| self.0.details.clone()),
        }
    }

    fn inner(&mut self) -> &mut Refusal {
        Arc::make_mut(&mut self.0)
    }
}

fn status_of(code: &ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidRequest => StatusCode::BAD_REQUEST,
        ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::NotFound | ErrorCode::GithubNotConnected => StatusCode::NOT_FOUND,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::Conflict
        | ErrorCode::AlreadyApplied
        | ErrorCode::AlreadyClaimed
        | ErrorCode::AlreadyApproved
        | ErrorCode::IllegalTransition
        | ErrorCode::NameTaken
        | ErrorCode::BudgetExceeded
        | ErrorCode::PositionClosed => StatusCode::CONFLICT,
        ErrorCode::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorCode::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::UpstreamFailed => StatusCode::BAD_GATEWAY,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Violations> for ApiError {
    fn from(violations: Violations) -> Self {
        let fields: Map<String, Value> =
            violations.iter().map(|v| (v.field.clone(), Value::from(v.must.clone()))).collect();
        Self::new(ErrorCode::InvalidRequest, violations.to_string()).detail("fields", fields)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Busy
            | StoreErrorKind::Collided
            | StoreErrorKind::Lost
            | StoreErrorKind::Full
            | StoreErrorKind::Closed => Self::new(
                ErrorCode::Unavailable,
                "the server cannot save or read this now; try again in a moment",
            )
            .retry_after(1)
            .because(error),
            _ => Self::internal(error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        if let Some(seconds) = self.0.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.0.code == ErrorCode::Unauthenticated {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"openpod\""));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_contract_has_a_status_of_its_own_class() {
        for word in ErrorCode::KNOWN {
            let status = ApiError::new(ErrorCode::from(*word), "x").status();
            assert_eq!(status == StatusCode::INTERNAL_SERVER_ERROR, *word == "internal", "{word}");
        }
    }

    #[test]
    fn a_cause_never_reaches_the_body() {
        let error = ApiError::internal("disk /dev/sda1 on fire");
        let body = serde_json::to_string(&error.body("req")).unwrap();
        assert!(!body.contains("sda1"), "{body}");
        assert!(error.cause().is_some());
    }
}
