//! A request that was admitted, with everything its handler needs.

use axum::http::HeaderMap;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{Answer, ApiError};
use crate::auth::Caller;
use crate::forge::Forge;
use crate::git::{Bare, Oid};
use crate::store::{Account, Repository};

/// A request.
#[derive(Debug)]
pub(crate) struct Call {
    pub forge: Forge,
    pub caller: Caller,
    /// Seconds since 1970.
    pub now: i64,
    /// As the client wrote it, below `/api/v3`, with its query.
    pub target: String,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The values of the path's names, in its order, without owner and repository.
    pub path: Vec<String>,
    /// The repository of the path, which the caller sees.
    pub repository: Option<Repository>,
}

/// How a client wants a diff or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Diff,
    Patch,
    Raw,
}

impl Call {
    pub(crate) fn repository(&self) -> Result<&Repository, ApiError> {
        self.repository.as_ref().ok_or_else(ApiError::not_found)
    }

    pub(crate) fn bare(&self) -> Result<Bare, ApiError> {
        Ok(self.forge.bare(self.repository()?))
    }

    /// The caller's account. Routes that need it are closed to callers without one.
    pub(crate) fn account(&self) -> Result<&Account, ApiError> {
        self.caller.account().ok_or_else(ApiError::not_found)
    }

    /// A value of the path.
    pub(crate) fn segment(&self, n: usize) -> &str {
        self.path.get(n).map_or("", String::as_str)
    }

    /// A number of the path. What is no number names nothing.
    pub(crate) fn number(&self, n: usize) -> Result<i64, ApiError> {
        self.segment(n).parse().map_err(|_| ApiError::not_found())
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().rev().find(|(key, _)| key == name)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }

    /// The JSON body.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let bad = |message| ApiError::new(axum::http::StatusCode::BAD_REQUEST, message);
        let bytes: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        let value: Value = serde_json::from_slice(bytes).map_err(|_| bad("Problems parsing JSON"))?;
        if !value.is_object() {
            return Err(bad("Body should be a JSON object"));
        }
        if has_null_byte(&value) {
            // Neither git nor an environment can hold one.
            return Err(ApiError::unprocessable("Invalid request.\n\nA text has a null byte."));
        }
        serde_json::from_value(value)
            .map_err(|error| ApiError::unprocessable(format!("Invalid request.\n\n{error}")))
    }

    /// The commit that a branch, tag or id names; 422 when it names none, as GitHub says it for commits.
    pub(crate) fn commit(&self, bare: &Bare, name: &str) -> Result<Oid, ApiError> {
        let missing = || ApiError::unprocessable(format!("No commit found for SHA: {name}"));
        bare.commit_named(name)?.ok_or_else(missing)
    }

    pub(crate) fn media(&self) -> Media {
        let accepted = self.headers.get_all("accept").iter().filter_map(|value| value.to_str().ok());
        let all = accepted.collect::<Vec<_>>().join(",");
        let wants = |kind: &str| {
            all.split(',').map(|part| part.split(';').next().unwrap_or_default().trim()).any(|media| {
                media.strip_prefix("application/vnd.github.").is_some_and(|rest| {
                    let rest = rest.strip_suffix("+json").unwrap_or(rest);
                    rest == kind || rest.ends_with(&format!(".{kind}"))
                })
            })
        };
        if wants("diff") {
            Media::Diff
        } else if wants("patch") {
            Media::Patch
        } else if wants("raw") {
            Media::Raw
        } else {
            Media::Json
        }
    }

    /// Lets pull requests see what this call did to refs.
    pub(crate) fn refs_changed(&self) -> Result<(), ApiError> {
        let repository = self.repository()?;
        self.forge
            .inner()
            .store
            .write(|tx| Ok::<_, ApiError>(Repository::pushed(tx, repository.id, self.now)?))?;
        Ok(self.forge.follow_refs(repository)?)
    }
}

fn has_null_byte(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_null_byte),
        Value::Object(members) => members.values().any(has_null_byte),
        _ => false,
    }
}

/// What serves a route.
pub(crate) type Handler = fn(&Call) -> Result<Answer, ApiError>;
