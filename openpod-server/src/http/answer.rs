//! Answers: wrapped as the contract says, and kept as bytes so that an idempotent call can be answered again.

use std::marker::PhantomData;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use openpod_sdk::api::{Data, Endpoint, Envelope};

use crate::domain::audit::Change;

/// How many headers an answer has at most, with those of the layers around.
const HEADERS: usize = 10;

/// For how many bytes room is made at once: an idle heartbeat has half as many.
const USUAL_LENGTH: usize = 512;

static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A successful answer to `E`.
#[derive(Debug, Clone)]
pub struct Answer<E> {
    pub(super) status: StatusCode,
    pub(super) version: Option<u64>,
    pub(super) body: Bytes,
    pub(super) replayed: bool,
    /// What the audit log will say; `None` when the handler did not tell.
    pub(super) changes: Option<Vec<Change>>,
    operation: PhantomData<fn() -> E>,
}

impl<E: Endpoint> Answer<E> {
    /// 200.
    pub fn ok(value: E::Response) -> Self {
        Self::with_status(StatusCode::OK, value)
    }

    /// 201: something was made.
    pub fn created(value: E::Response) -> Self {
        Self::with_status(StatusCode::CREATED, value)
    }

    /// Sends `version` as the `ETag`, for a later `If-Match`.
    pub fn etag(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    /// Says what was changed, for the audit log. Every write has to, or it does not happen.
    pub fn changing(mut self, change: Change) -> Self {
        self.changes.get_or_insert_default().push(change);
        self
    }

    /// Says that nothing was changed: all was as the caller wanted it.
    pub fn unchanged(mut self) -> Self {
        self.changes.get_or_insert_default();
        self
    }

    /// The answer that was given before, once more.
    pub(super) fn replay(status: StatusCode, version: Option<u64>, body: Bytes) -> Self {
        Self { status, version, body, replayed: true, changes: None, operation: PhantomData }
    }

    fn with_status(status: StatusCode, value: E::Response) -> Self {
        let mut body = Vec::with_capacity(USUAL_LENGTH);
        let written = match E::ENVELOPE {
            Envelope::Data => serde_json::to_writer(&mut body, &Data { data: value }),
            Envelope::Page | Envelope::Bare => serde_json::to_writer(&mut body, &value),
        };
        written.expect("the contract's types always become JSON");
        Self {
            status,
            version: None,
            body: body.into(),
            replayed: false,
            changes: None,
            operation: PhantomData,
        }
    }
}

impl<E: Endpoint> IntoResponse for Answer<E> {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body.into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(version) = self.version {
            let etag = HeaderValue::try_from(format!("\"{version}\""));
            headers.insert(header::ETAG, etag.expect("digits in quotes are a header value"));
        }
        if self.replayed {
            headers.insert(REPLAYED.clone(), HeaderValue::from_static("true"));
        }
        response
    }
}
