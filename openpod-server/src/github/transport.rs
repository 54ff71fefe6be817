//! Requests to GitHub's API, each within one deadline, with answers of bounded size.
//!
//! The client library brings connections, the base address and the App's signature. Retries are switched off, because
//! its own would send again what was done already; its models are not used, because one field that is missing would
//! refuse a whole list.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Limited};
use octocrab::service::middleware::retry::RetryConfig;
use octocrab::{DefaultOctocrabBuilderConfig, NoAuth, NoSvc, NotLayerReady, Octocrab, OctocrabBuilder};
use openpod_sdk::Secret;
use serde::de::DeserializeOwned;
use url::Url;

use super::{GithubError, GithubSetupError};

/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

type Builder = OctocrabBuilder<NoSvc, DefaultOctocrabBuilderConfig, NoAuth, NotLayerReady>;

/// A client that asks with whatever token it is given.
pub(super) struct Transport {
    client: Octocrab,
    deadline: Duration,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    what: &'static str,
}

/// A client for this API that nobody has signed in to.
pub(super) fn builder(api_url: &Url, deadline: Duration) -> Result<Builder, GithubSetupError> {
    let builder = Octocrab::builder()
        .add_retry_config(RetryConfig::None)
        .set_connect_timeout(Some(CONNECT.min(deadline)))
        .set_read_timeout(Some(deadline))
        .set_write_timeout(Some(deadline))
        .add_header(header::ACCEPT, "application/vnd.github+json".to_owned());
    builder.base_uri(api_url.as_str()).map_err(|_| GithubSetupError::ApiUrl(api_url.clone()))
}

impl Transport {
    pub(super) fn new(api_url: &Url, deadline: Duration) -> Result<Self, GithubSetupError> {
        let client =
            builder(api_url, deadline)?.build().map_err(|error| GithubSetupError::Client(text(&error)))?;
        Ok(Self { client, deadline })
    }

    /// Asks for a path with a token. `what` is the word for it in errors.
    pub(super) async fn get(
        &self,
        what: &'static str,
        path: &str,
        token: &Secret,
    ) -> Result<Reply, GithubError> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .map_err(|_| upstream(what, "gave out a token that no header can carry"))?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
        within(self.deadline, what, self.client._get_with_headers(path, Some(headers))).await
    }
}

/// Waits for an answer and reads it, both within one deadline.
pub(super) async fn within(
    deadline: Duration,
    what: &'static str,
    request: impl Future<Output = octocrab::Result<http::Response<BoxBody<Bytes, octocrab::Error>>>>,
) -> Result<Reply, GithubError> {
    let exchange = async {
        let (head, body) = request.await.map_err(|error| unanswered(what, &error))?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
        let body =
            body.map_err(|_| upstream(what, "gave an answer that broke off or was too long"))?.to_bytes();
        Ok(Reply { status: head.status, headers: head.headers, body, what })
    };
    let late = || Err(upstream(what, format!("did not answer within {} s", deadline.as_secs_f32())));
    tokio::time::timeout(deadline, exchange).await.unwrap_or_else(|_| late())
}

/// The text of the error names causes and no addresses; its debug form would fill pages.
fn unanswered(what: &'static str, error: &octocrab::Error) -> GithubError {
    upstream(what, format!("did not answer ({})", text(error)))
}

impl Reply {
    /// What the answer says, if it is a success.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, GithubError> {
        if !self.status.is_success() {
            return Err(self.unexpected());
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let why = format!(
                "gave an answer that cannot be read (line {}, column {})",
                error.line(),
                error.column()
            );
            upstream(self.what, why)
        })
    }

    /// The error of an answer that nobody knows what to do with.
    pub(super) fn unexpected(&self) -> GithubError {
        let why = match self.status {
            _ if self.is_exhausted() => "refuses more requests for a while".to_owned(),
            status => format!("answered {}", status.as_u16()),
        };
        upstream(self.what, why)
    }

    /// Whether the rate limit is spent.
    pub(super) fn is_exhausted(&self) -> bool {
        let spent = self.headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::FORBIDDEN => spent || self.headers.contains_key(header::RETRY_AFTER),
            _ => false,
        }
    }

    /// Whether there is another page.
    pub(super) fn has_next(&self) -> bool {
        let links = self.headers.get_all(header::LINK).iter().filter_map(|value| value.to_str().ok());
        links.flat_map(|links| links.split(',')).any(|link| link.contains("rel=\"next\""))
    }
}

pub(super) fn upstream(what: &'static str, why: impl Into<String>) -> GithubError {
    GithubError::Upstream { what, why: why.into() }
}

/// The error with its causes, in one line.
pub(super) fn text(error: &octocrab::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
