//! From an HTTP request to a call, and from its answer back: the same for every operation.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::BodyExt;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use super::answer::{Answer, ApiError, Content};
use super::call::Call;
use super::routes::{self, Need, Route};
use crate::auth::{self, Caller};
use crate::forge::{Forge, blocking};
use crate::store::Repository;

/// The longest body that is read.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
/// How much of a longer body is read and thrown away: a sender that is cut off while it writes never sees the answer.
const MAX_DISCARDED_BYTES: usize = 64 * 1024 * 1024;
/// The versions of the API that are spoken.
const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];
/// What an installation may ask in an hour. It is shown, never counted; faults play its end.
pub(super) const HOURLY_LIMIT: i64 = 5000;

const JSON: &str = "application/json; charset=utf-8";

/// Serves one request below `/api/v3`.
pub(crate) async fn handle(State(forge): State<Forge>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let method = parts.method.clone();
    let headers = parts.headers.clone();
    let bytes = read_body(body).await;
    let now = forge.now();
    let result = blocking(move || serve(forge, &parts, bytes?, now)).await;
    let mut response = match result {
        Ok(answer) => respond(&method, &headers, answer),
        Err(error) => refuse(&error),
    };
    common_headers(&mut response, &headers, now);
    response
}

async fn read_body(mut body: Body) -> Result<Bytes, ApiError> {
    let mut bytes = Vec::new();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let broken = |_| ApiError::new(StatusCode::BAD_REQUEST, "The body ended before it was complete");
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        read += data.len();
        if read <= MAX_BODY_BYTES {
            bytes.extend_from_slice(&data);
        } else if read <= MAX_BODY_BYTES + MAX_DISCARDED_BYTES {
            bytes = Vec::new();
        } else {
            break;
        }
    }
    match read {
        0..=MAX_BODY_BYTES => Ok(bytes.into()),
        _ => Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large")),
    }
}

fn serve(forge: Forge, parts: &Parts, body: Bytes, now: i64) -> Result<Answer, ApiError> {
    in_order(&parts.headers)?;
    let caller = auth::authenticate(&forge.inner().store, &parts.headers, now)?;
    let query: Vec<(String, String)> =
        serde_html_form::from_str(parts.uri.query().unwrap_or_default()).unwrap_or_default();
    if query.iter().any(|(_, value)| value.contains('\0')) {
        return Err(ApiError::unprocessable("Invalid request.\n\nA parameter has a null byte."));
    }
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let target = target.strip_prefix("/api/v3").unwrap_or(target).to_owned();
    let mut segments = decode(target.split('?').next().unwrap_or_default())?;
    if segments.first().is_some_and(|first| first == "repositories") && segments.len() > 1 {
        segments = by_name(&forge, &segments)?;
    }
    if segments.get(3).is_some_and(|name| name == "contents") && segments.get(4).is_some_and(String::is_empty)
    {
        // The empty path is the root directory, and clients write it with its slash.
        segments.truncate(4);
    }
    let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
    let (route, mut path) = routes::find(method, &segments).ok_or_else(|| unknown(&caller))?;
    let repository = match route.is_about_repository() {
        true => Some(visible(&forge, &caller, &path)?),
        false => None,
    };
    if repository.is_some() {
        path.drain(..2);
    }
    permitted(&caller, route)?;
    let headers = parts.headers.clone();
    (route.handler)(&Call { forge, caller, now, target, query, headers, body, path, repository })
}

fn in_order(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers.get(header::USER_AGENT).is_none_or(HeaderValue::is_empty) {
        let text = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, text));
    }
    match headers.get("x-github-api-version") {
        Some(version) if !VERSIONS.iter().any(|known| version == known) => {
            let text =
                format!("The API version is not supported. Supported versions: {}", VERSIONS.join(", "));
            Err(ApiError::new(StatusCode::BAD_REQUEST, text))
        }
        _ => Ok(()),
    }
}

/// The parts of a path. An encoded slash stays within its part, so that a branch's name can be one part.
fn decode(path: &str) -> Result<Vec<String>, ApiError> {
    let Some(path) = path.strip_prefix('/').filter(|path| !path.is_empty()) else { return Ok(Vec::new()) };
    let part = |part: &str| percent_decode_str(part).decode_utf8().map(|text| text.into_owned());
    let parts: Option<Vec<String>> = path.split('/').map(|text| part(text).ok()).collect();
    parts.filter(|parts| !parts.iter().any(|part| part.contains('\0'))).ok_or_else(ApiError::not_found)
}

/// `/repositories/{id}/…` is `/repos/{owner}/{repo}/…`.
fn by_name(forge: &Forge, segments: &[String]) -> Result<Vec<String>, ApiError> {
    let id = segments[1].parse().map_err(|_| ApiError::not_found())?;
    let found = forge.inner().store.read(|tx| Repository::by_id(tx, id))?.ok_or_else(ApiError::not_found)?;
    let head = ["repos".to_owned(), found.owner.login, found.name];
    Ok(head.into_iter().chain(segments[2..].iter().cloned()).collect())
}

fn unknown(caller: &Caller) -> ApiError {
    match caller {
        Caller::Nobody => ApiError::new(StatusCode::UNAUTHORIZED, "Requires authentication"),
        _ => ApiError::not_found(),
    }
}

/// The repository that the path names. One that the caller may not see does not exist.
fn visible(forge: &Forge, caller: &Caller, path: &[String]) -> Result<Repository, ApiError> {
    let [owner, name, ..] = path else { return Err(ApiError::not_found()) };
    let found = forge.inner().store.read(|tx| Repository::by_name(tx, owner, name))?;
    let found = found.ok_or_else(ApiError::not_found)?;
    let installable = matches!(caller, Caller::App(_));
    if caller.sees(&found) || installable { Ok(found) } else { Err(ApiError::not_found()) }
}

fn permitted(caller: &Caller, route: &Route) -> Result<(), ApiError> {
    let forbidden = |message: &str| Err(ApiError::new(StatusCode::FORBIDDEN, message));
    match (route.need, caller) {
        (Need::Nothing, _) => Ok(()),
        (_, Caller::Nobody) => Err(ApiError::new(StatusCode::UNAUTHORIZED, "Requires authentication")),
        (Need::AppJwt, Caller::App(_)) => Ok(()),
        (Need::AppJwt, _) => {
            Err(ApiError::new(StatusCode::UNAUTHORIZED, "A JSON web token could not be decoded"))
        }
        (_, Caller::App(_)) => forbidden("Resource not accessible by integration"),
        (Need::Installation, Caller::Installation(_)) => Ok(()),
        (Need::Installation, _) => forbidden(
            "You must authenticate with an installation access token in order to list repositories for an installation.",
        ),
        (Need::Person, Caller::Person(_)) => Ok(()),
        (Need::Person, _) => forbidden("Resource not accessible by integration"),
        (Need::AnyOf(options), caller) => {
            if options.iter().any(|(area, level)| caller.may(area, *level)) {
                return Ok(());
            }
            let mut error = ApiError::new(StatusCode::FORBIDDEN, "Resource not accessible by integration");
            if let Ok(value) = HeaderValue::try_from(routes::accepted(options)) {
                error.headers.push((HeaderName::from_static("x-accepted-github-permissions"), value));
            }
            Err(error)
        }
    }
}

fn respond(method: &Method, request: &HeaderMap, answer: Answer) -> Response<Body> {
    let (media_type, bytes) = match answer.content {
        Content::None => (None, Vec::new()),
        Content::Json(value) => (Some(JSON), value.to_string().into_bytes()),
        Content::Raw(media_type, bytes) => (Some(media_type), bytes),
    };
    let looks = *method == Method::GET || *method == Method::HEAD;
    let tag = (looks && answer.status == StatusCode::OK).then(|| etag(&bytes));
    let unchanged = tag.as_ref().is_some_and(|tag| names(request, tag));
    let mut response = Response::new(if unchanged { Body::empty() } else { Body::from(bytes) });
    *response.status_mut() = if unchanged { StatusCode::NOT_MODIFIED } else { answer.status };
    let headers = response.headers_mut();
    let own = answer.headers.into_iter();
    let media = media_type.filter(|_| !unchanged).map(|text| (header::CONTENT_TYPE, text.to_owned()));
    for (name, value) in own.chain(media).chain(tag.map(|tag| (header::ETAG, tag))) {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    if looks {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=60, s-maxage=60"));
        headers.insert(header::VARY, HeaderValue::from_static("Accept, Authorization, Cookie"));
    }
    response
}

fn refuse(error: &ApiError) -> Response<Body> {
    let mut response = Response::new(Body::from(error.body().to_string()));
    *response.status_mut() = error.status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    for (name, value) in &error.headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

fn etag(bytes: &[u8]) -> String {
    format!("W/\"{}\"", hex::encode(Sha256::digest(bytes)))
}

fn names(request: &HeaderMap, tag: &str) -> bool {
    let strip = |text: &str| text.trim().trim_start_matches("W/").to_owned();
    let seen = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    seen.is_some_and(|text| text.split(',').any(|one| one.trim() == "*" || strip(one) == strip(tag)))
}

fn common_headers(response: &mut Response<Body>, request: &HeaderMap, now: i64) {
    let id = auth::random(10).map(hex::encode).unwrap_or_default().to_uppercase();
    let media = match request.get(header::ACCEPT).and_then(|value| value.to_str().ok()) {
        Some(accept) if accept.contains("raw") => "github.v3; param=raw",
        Some(accept) if accept.contains(".diff") => "github.v3; param=diff",
        Some(accept) if accept.contains(".patch") => "github.v3; param=patch",
        _ => "github.v3; format=json",
    };
    let version = request.get("x-github-api-version").and_then(|value| value.to_str().ok());
    let reset = (now / 3600 + 1) * 3600;
    let values = [
        ("x-github-media-type", media.to_owned()),
        ("x-github-request-id", id),
        ("x-github-api-version-selected", version.unwrap_or(VERSIONS[0]).to_owned()),
        ("x-ratelimit-limit", HOURLY_LIMIT.to_string()),
        ("x-ratelimit-remaining", (HOURLY_LIMIT - 1).to_string()),
        ("x-ratelimit-used", "1".to_owned()),
        ("x-ratelimit-reset", reset.to_string()),
        ("x-ratelimit-resource", "core".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
    ];
    for (name, value) in values {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().entry(HeaderName::from_static(name)).or_insert(value);
        }
    }
}
