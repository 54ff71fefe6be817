//! What is served where, and what stands before it.

use std::future::Future;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::middleware::{self, Next};
use axum::routing::any;
use bytes::Bytes;

use crate::auth::{self, Credentials};
use crate::faults::{Limit, Lost};
use crate::forge::Forge;
use crate::transport::GitRequest;
use crate::{pages, rest, transport};

impl Forge {
    /// Everything below the forge's root. Nest it at the path of [`ForgeConfig::web_url`](crate::ForgeConfig::web_url).
    pub fn router(&self) -> Router {
        Router::new()
            .route("/api/v3", any(rest::handle))
            .route("/api/v3/", any(rest::handle))
            .route("/api/v3/{*path}", any(rest::handle))
            .fallback(web)
            .layer(middleware::from_fn_with_state(self.clone(), misbehave))
            .with_state(self.clone())
    }
}

/// Serves a forge alone, until `shutdown` is done. Requests that have begun are answered.
pub async fn serve(
    listener: tokio::net::TcpListener,
    forge: Forge,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let address = forge.web_url();
    let root = address.path().trim_end_matches('/');
    let router = if root.is_empty() { forge.router() } else { Router::new().nest(root, forge.router()) };
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

/// For git and for people.
async fn web(State(forge): State<Forge>, request: Request) -> Response<Body> {
    let uri = request.uri();
    match GitRequest::parse(request.method(), uri.path(), uri.query().unwrap_or_default()) {
        Some(asked) => transport::handle(&forge, asked, request).await,
        None => pages::handle(forge, request).await,
    }
}

/// Does what a test asked for; see [`crate::Faults`].
async fn misbehave(State(forge): State<Forge>, request: Request, next: Next) -> Response<Body> {
    let faults = forge.faults().clone();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    faults.pass_gates(&method, &path).await;
    if let Credentials::Token(token) = auth::presented(request.headers())
        && faults.refuses(&auth::hash(&token))
    {
        let mut response =
            plain(StatusCode::UNAUTHORIZED, "{\"message\":\"Bad credentials\",\"status\":\"401\"}");
        let challenge = HeaderValue::from_static("Basic realm=\"GitHub\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        return response;
    }
    if let Some(limit) = faults.limited(&method, &path) {
        return limited(limit, forge.now());
    }
    let response = next.run(request).await;
    match faults.lost(&method, &path) {
        None => response,
        Some(Lost::BadGateway) => plain(StatusCode::BAD_GATEWAY, "{\"message\":\"Server Error\"}"),
        Some(Lost::Cut) => cut(response).await,
    }
}

fn plain(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn limited(limit: Limit, now: i64) -> Response<Body> {
    let (mut response, headers) = match limit {
        Limit::Primary { reset_after } => (
            plain(
                StatusCode::FORBIDDEN,
                "{\"message\":\"API rate limit exceeded for installation.\",\"status\":\"403\"}",
            ),
            vec![
                ("x-ratelimit-limit", 5000),
                ("x-ratelimit-remaining", 0),
                ("x-ratelimit-used", 5000),
                ("x-ratelimit-reset", now + i64::from(reset_after)),
            ],
        ),
        Limit::Secondary { retry_after } => (
            plain(
                StatusCode::TOO_MANY_REQUESTS,
                "{\"message\":\"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.\",\"status\":\"429\"}",
            ),
            vec![("retry-after", i64::from(retry_after))],
        ),
    };
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from(value));
    }
    response
}

/// Promises the whole answer and breaks off after its first half.
async fn cut(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let length = whole.len().max(1);
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    let broken = [Ok(whole.slice(..whole.len() / 2)), Err(std::io::Error::other("lost on request"))];
    Response::from_parts(
        parts,
        Body::from_stream(futures_util::stream::iter::<[Result<Bytes, _>; 2]>(broken)),
    )
}
