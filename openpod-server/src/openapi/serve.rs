//! `GET /openapi.json`, `GET /docs` and its style: made once, cacheable, and free of anything from elsewhere.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{document, page};
use crate::app::App;

/// Nothing is loaded but the style, nothing is sent anywhere, nobody frames it.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A text that never changes while the server runs.
struct Published {
    body: Bytes,
    etag: HeaderValue,
    content_type: &'static str,
}

static DOCUMENT: LazyLock<Published> =
    LazyLock::new(|| Published::new(document().to_string(), "application/json"));
static PAGE: LazyLock<Published> =
    LazyLock::new(|| Published::new(page::render(&document()), "text/html; charset=utf-8"));
static STYLE: LazyLock<Published> =
    LazyLock::new(|| Published::new(include_str!("style.css").to_owned(), "text/css; charset=utf-8"));

/// Answers [`super::DOCUMENT_PATH`].
pub fn document_route() -> MethodRouter<App> {
    get(async |headers: HeaderMap| DOCUMENT.answer(&headers))
}

/// Answers [`super::PAGE_PATH`].
pub fn page_route() -> MethodRouter<App> {
    get(async |headers: HeaderMap| PAGE.answer(&headers))
}

/// Answers [`super::STYLE_PATH`].
pub fn style_route() -> MethodRouter<App> {
    get(async |headers: HeaderMap| STYLE.answer(&headers))
}

impl Published {
    fn new(body: String, content_type: &'static str) -> Self {
        let digest = hex::encode(Sha256::digest(&body));
        let etag = HeaderValue::try_from(format!("\"{}\"", &digest[..32]));
        Self { body: body.into(), etag: etag.expect("digits in quotes are a header value"), content_type }
    }

    /// The text, or 304 for who has it already.
    fn answer(&self, asked: &HeaderMap) -> Response {
        let is_known = asked.get_all(header::IF_NONE_MATCH).iter().any(|seen| self.is_named_by(seen));
        let mut response = if is_known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let body = self.body.clone();
            ([(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type))], body).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }

    fn is_named_by(&self, seen: &HeaderValue) -> bool {
        let seen = seen.to_str().unwrap_or_default();
        seen.split(',')
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == self.etag || tag == "*")
    }
}
