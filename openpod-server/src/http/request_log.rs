//! The outermost layer: gives each request its id and what every answer has, writes the bodies of errors, logs, and turns a
//! panic into a 500.

use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, header};
use tracing::{Instrument, error, info, info_span};

use super::{ApiError, unread};
use crate::app::App;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static IDEMPOTENCY_SUPPORTED: HeaderName = HeaderName::from_static("idempotency-supported");

/// What the request is called in the log and in its answer.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

/// Carries a request through the server, whatever happens in there.
pub async fn carry(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = app.new_id();
    let mut request = request.map(unread::taken_in);
    request.extensions_mut().insert(RequestId(id.clone()));
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let span = info_span!("request", %id, method = %request.method(), path = path.unwrap_or_default());
    async {
        let begun = app.now();
        let outcome = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let mut response =
            outcome.unwrap_or_else(|panic| ApiError::internal(words_of(&*panic)).into_response());
        if let Some(refusal) = response.extensions_mut().remove::<ApiError>() {
            write_body(&mut response, &refusal, &id);
        }
        if let Ok(value) = HeaderValue::try_from(&id) {
            response.headers_mut().insert(REQUEST_ID.clone(), value);
        }
        // Also where nothing is changed: who reads first knows then that what it changes next may be sent twice.
        response.headers_mut().insert(IDEMPOTENCY_SUPPORTED.clone(), HeaderValue::from_static("true"));
        info!(
            status = response.status().as_u16(),
            micros = app.now().since(begun).as_micros() as u64,
            "answered"
        );
        response
    }
    .instrument(span)
    .await
}

fn write_body(response: &mut Response, refusal: &ApiError, id: &str) {
    let body = serde_json::to_vec(&refusal.body(id)).expect("text and maps of text always become JSON");
    *response.body_mut() = body.into();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cause) = refusal.cause() {
        let mut chain = cause.to_string();
        let mut next = cause.source();
        while let Some(deeper) = next {
            chain.push_str(": ");
            chain.push_str(&deeper.to_string());
            next = deeper.source();
        }
        if refusal.status().is_server_error() {
            error!(code = %refusal.code(), cause = chain, "failed");
        } else {
            info!(code = %refusal.code(), cause = chain, "refused");
        }
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a handler panicked: {}", words.unwrap_or_else(|| "no words".to_owned()))
}
