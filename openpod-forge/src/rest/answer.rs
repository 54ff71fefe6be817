//! Answers and errors, before they become HTTP.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::documentation;
use crate::auth::AuthError;
use crate::forge::FollowError;
use crate::git::{GitError, NotMoved};
use crate::store::StoreError;

/// What an operation answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, String)>,
    pub content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    None,
    Json(Value),
    /// Something else, with its media type.
    Raw(&'static str, Vec<u8>),
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), content: Content::Json(body) }
    }

    /// 201, and where the new thing is.
    pub(crate) fn created(body: Value) -> Self {
        let location = body["url"].as_str().map(|url| (header::LOCATION, url.to_owned()));
        let headers = location.into_iter().collect();
        Self { status: StatusCode::CREATED, headers, content: Content::Json(body) }
    }

    pub(crate) fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: Vec::new(), content: Content::None }
    }

    pub(crate) fn raw(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), content: Content::Raw(media_type, bytes) }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What went wrong, in the form that clients of GitHub know.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub status: StatusCode,
    pub message: String,
    pub errors: Vec<Value>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: Vec::new(), headers: Vec::new() }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    /// 422 with one error about a field.
    pub(crate) fn invalid(resource: &str, field: &str, code: &str) -> Self {
        Self::validation(json!({"resource": resource, "field": field, "code": code}))
    }

    /// 422 with one error in words.
    pub(crate) fn custom(resource: &str, message: impl Into<String>) -> Self {
        Self::validation(json!({"resource": resource, "code": "custom", "message": message.into()}))
    }

    fn validation(error: Value) -> Self {
        let mut refusal = Self::unprocessable("Validation Failed");
        refusal.errors.push(error);
        refusal
    }

    /// 422 without further errors.
    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// 422 for a member of the body that has to be there.
    pub(crate) fn not_supplied(name: &str) -> Self {
        Self::unprocessable(format!("Invalid request.\n\n\"{name}\" wasn't supplied."))
    }

    fn server_error(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a request to the forge failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Server Error")
    }

    pub(crate) fn body(&self) -> Value {
        let mut body = json!({
            "message": self.message,
            "documentation_url": documentation::REST,
            "status": self.status.as_u16().to_string(),
        });
        if !self.errors.is_empty() {
            body["errors"] = self.errors.clone().into();
        }
        body
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::server_error(&error)
    }
}

impl From<rusqlite::Error> for ApiError {
    fn from(error: rusqlite::Error) -> Self {
        Self::server_error(&error)
    }
}

impl From<GitError> for ApiError {
    fn from(error: GitError) -> Self {
        Self::server_error(&error)
    }
}

impl From<FollowError> for ApiError {
    fn from(error: FollowError) -> Self {
        Self::server_error(&error)
    }
}

impl From<NotMoved> for ApiError {
    fn from(error: NotMoved) -> Self {
        match error {
            NotMoved::Changed => Self::new(StatusCode::CONFLICT, "Reference cannot be updated"),
            NotMoved::Git(error) => error.into(),
        }
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Store(error) => error.into(),
            AuthError::UnknownApp => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            _ => Self::new(StatusCode::UNAUTHORIZED, error.to_string()),
        }
    }
}
