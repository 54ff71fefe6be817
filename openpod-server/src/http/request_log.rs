//! The outermost layer: gives each request its id and what every answer has, writes the bodies of errors, logs, and turns a
//! panic into a 500.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};

use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, header};
use tower::layer::layer_fn;
use tower::{Layer, Service};
use tracing::{Instrument, error, info, info_span};

use super::{ApiError, unread};
use crate::app::App;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static IDEMPOTENCY_SUPPORTED: HeaderName = HeaderName::from_static("idempotency-supported");

/// What the request is called in the log and in its answer.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

/// Carries each request through the server, whatever happens in there. It is one service and no middleware function,
/// which would copy the routes and box what they do once more for each request.
#[derive(Clone)]
pub struct Carry<S> {
    app: App,
    routes: S,
}

/// Around all routes.
pub fn carry<S>(app: App) -> impl Layer<S, Service = Carry<S>> + Clone {
    layer_fn(move |routes| Carry { app: app.clone(), routes })
}

impl<S> Service<Request> for Carry<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.routes.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let id = self.app.new_id();
        let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let span = info_span!("request", %id, method = %request.method(), path);
        let mut request = request.map(unread::taken_in);
        request.extensions_mut().insert(RequestId(id.clone()));
        let answer = self.routes.call(request);
        Box::pin(carried(self.app.clone(), id, answer).instrument(span))
    }
}

async fn carried(
    app: App,
    id: String,
    answer: impl Future<Output = Result<Response, Infallible>>,
) -> Result<Response, Infallible> {
    let begun = app.now();
    let outcome = AssertUnwindSafe(answer).catch_unwind().await;
    let mut response = match outcome {
        Ok(Ok(response)) => response,
        Err(panic) => ApiError::internal(words_of(&*panic)).into_response(),
    };
    if let Some(refusal) = response.extensions_mut().remove::<ApiError>() {
        write_body(&mut response, &refusal, &id);
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(id) {
        headers.insert(REQUEST_ID.clone(), value);
    }
    // Also where nothing is changed: who reads first knows then that what it changes next may be sent twice.
    headers.insert(IDEMPOTENCY_SUPPORTED.clone(), HeaderValue::from_static("true"));
    info!(
        status = response.status().as_u16(),
        micros = app.now().since(begun).as_micros() as u64,
        "answered"
    );
    Ok(response)
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
