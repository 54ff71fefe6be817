//! What a caller sent, parsed at the door: nothing behind it checks shapes, lengths or ranges again.
//!
//! A handler that changes something does it through [`Call::once`], which makes the change and remembers its answer in
//! one transaction:
//!
//! ```text
//! pub async fn create(State(app): State<App>, call: Call<CreateTicket>) -> Result<Answer<CreateTicket>, ApiError> {
//!     let Call { actor, body, once, .. } = call;
//!     once.write(&app, move |tx| Box::pin(async move { … Ok(Answer::created(ticket)) })).await
//! }
//! ```

use std::any::TypeId;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use openpod_sdk::api::{Endpoint, ErrorCode, Nothing, Validate};
use serde::de::DeserializeOwned;

use super::admission::Caller;
use super::request_log::RequestId;
use super::{ApiError, ClientAddress, Once};
use crate::app::App;
use crate::domain::audit::Author;
use crate::domain::key_grant::CallerKey;
use crate::domain::permission::Actor;
use crate::store::Moment;

/// The largest body that is read.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A call of an operation by somebody who has proven who they are.
#[derive(Debug)]
pub struct Call<E: Endpoint> {
    /// Who calls.
    pub actor: Actor,
    /// With which key.
    pub key: CallerKey,
    /// When the key was looked up.
    pub moment: Moment,
    /// Where from.
    pub client: ClientAddress,
    /// The values of the path.
    pub path: E::Path,
    /// The query string.
    pub query: E::Query,
    /// The JSON body.
    pub body: E::Body,
    /// The version that the caller saw, from `If-Match`.
    pub if_match: Option<u64>,
    /// What makes a repeated call have one effect.
    pub once: Once,
}

/// A call of an operation that needs no key.
#[derive(Debug)]
pub struct PublicCall<E: Endpoint> {
    /// Where from.
    pub client: ClientAddress,
    /// The values of the path.
    pub path: E::Path,
    /// The query string.
    pub query: E::Query,
    /// The JSON body.
    pub body: E::Body,
    /// What makes a repeated call have one effect.
    pub once: Once,
}

impl<E: Endpoint> FromRequest<App> for Call<E> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &App) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let Caller { actor, key, moment } = extension(&mut parts)?;
        let client = extension::<ClientAddress>(&mut parts)?;
        let if_match = if_match(&parts.headers)?;
        let (path, query) = path_and_query::<E>(&mut parts).await?;
        let bytes = read_body(body).await?;
        let author = Author::caller(&actor, key.id.clone()).during(request_id(&parts));
        let caller = || format!("{}:{}", actor.kind(), actor.id());
        let once = Once::of::<E>(caller, author, &parts, &bytes)?;
        Ok(Self { actor, key, moment, client, path, query, body: parse_body::<E>(&bytes)?, if_match, once })
    }
}

impl<E: Endpoint> FromRequest<App> for PublicCall<E> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &App) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let client = extension::<ClientAddress>(&mut parts)?;
        let (path, query) = path_and_query::<E>(&mut parts).await?;
        let bytes = read_body(body).await?;
        let author = Author::anybody().during(request_id(&parts));
        let once = Once::of::<E>(|| format!("anybody:{client}"), author, &parts, &bytes)?;
        Ok(Self { client, path, query, body: parse_body::<E>(&bytes)?, once })
    }
}

/// What [`super::request_log`] called the request.
fn request_id(parts: &Parts) -> Option<String> {
    parts.extensions.get::<RequestId>().map(|RequestId(id)| id.clone())
}

/// What [`super::admission`] left in the request.
fn extension<T: Clone + Send + Sync + 'static>(parts: &mut Parts) -> Result<T, ApiError> {
    let found = parts.extensions.remove::<T>();
    found.ok_or_else(|| ApiError::internal("the operation is not served behind admission"))
}

async fn path_and_query<E: Endpoint>(parts: &mut Parts) -> Result<(E::Path, E::Query), ApiError> {
    let Path(path) = Path::<E::Path>::from_request_parts(parts, &())
        .await
        .map_err(|error| ApiError::new(ErrorCode::InvalidRequest, "the path is malformed").because(error))?;
    path.check()?;
    let query = parse_query::<E::Query>(parts.uri.query().unwrap_or_default())?;
    query.check()?;
    Ok((path, query))
}

fn parse_query<Q: DeserializeOwned + 'static>(text: &str) -> Result<Q, ApiError> {
    let takes_nothing = TypeId::of::<Q>() == TypeId::of::<Nothing>();
    if takes_nothing && !text.is_empty() {
        return Err(ApiError::new(ErrorCode::InvalidRequest, "this operation takes no query parameters"));
    }
    // An empty value would read as none, and a filter that came out empty would return everything.
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    if let Some((name, _)) = pairs.find(|(_, value)| value.is_empty()) {
        return Err(ApiError::field(&name, "have a value, or be left out"));
    }
    let deserializer = serde_html_form::Deserializer::from_bytes(text.as_bytes());
    serde_path_to_error::deserialize(deserializer).map_err(|error| malformed("query", &error))
}

fn parse_body<E: Endpoint>(bytes: &[u8]) -> Result<E::Body, ApiError> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::new(ErrorCode::InvalidRequest, "the body must be one JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let body: E::Body =
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| malformed("body", &error))?;
    deserializer.end().map_err(|_| {
        ApiError::new(ErrorCode::InvalidRequest, "the body must be one JSON object and nothing after it")
    })?;
    body.check()?;
    Ok(body)
}

/// Names the field where reading stopped. The reason comes from the reader and may quote the value, which the caller
/// knows already.
fn malformed<X: std::fmt::Display>(part: &str, error: &serde_path_to_error::Error<X>) -> ApiError {
    let (path, reason) = (error.path().to_string(), error.inner().to_string());
    let place = if path == "." { part.to_owned() } else { format!("{part} field {path}") };
    let refused = ApiError::new(ErrorCode::InvalidRequest, format!("the {place} cannot be read: {reason}"));
    let field = if path == "." { part.to_owned() } else { path };
    let mut fields = serde_json::Map::new();
    fields.insert(field, reason.into());
    refused.detail("fields", fields)
}

async fn read_body(body: Body) -> Result<Bytes, ApiError> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            let sentence = format!("the body is larger than {MAX_BODY_BYTES} bytes");
            return ApiError::new(ErrorCode::PayloadTooLarge, sentence);
        }
        ApiError::new(ErrorCode::InvalidRequest, "the body ended before it was complete").because(error)
    })?;
    Ok(body.to_bytes())
}

/// The version in `If-Match: "<version>"`; `*` asks for nothing.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let version = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(|v| v.parse().ok());
    version.map(Some).ok_or_else(|| {
        ApiError::new(
            ErrorCode::InvalidRequest,
            "If-Match must be the ETag of an earlier answer, such as \"3\"",
        )
    })
}

#[cfg(test)]
mod tests {
    use openpod_sdk::api::heartbeat::HeartbeatQuery;

    use super::*;

    #[test]
    fn a_version_is_read_from_if_match() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, value.parse().unwrap());
            if_match(&headers).ok()
        };
        assert_eq!(read("\"3\""), Some(Some(3)));
        assert_eq!(read("*"), Some(None));
        assert_eq!(if_match(&HeaderMap::new()).ok(), Some(None));
        for bad in ["3", "W/\"3\"", "\"x\"", "\"1\", \"2\"", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_query_parameter_that_nobody_named_is_refused() {
        assert!(parse_query::<HeartbeatQuery>("changes_since=2026-03-12T10:30:00Z").is_ok());
        assert!(parse_query::<HeartbeatQuery>("changes_sinse=2026-03-12T10:30:00Z").is_err());
        assert!(parse_query::<HeartbeatQuery>("changes_since=").is_err());
        assert!(parse_query::<Nothing>("").is_ok());
        assert!(parse_query::<Nothing>("limit=1").is_err());
    }
}
