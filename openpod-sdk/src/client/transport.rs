//! Sends requests. The only file that knows the HTTP library.

use std::time::Duration;

use bytes::Bytes;
#[cfg(not(target_family = "wasm"))]
use bytes::BytesMut;
use http::Response;

use super::Timer;
use super::error::Fault;
use super::request::Outgoing;
use super::timer::within;

#[derive(Clone)]
pub(super) struct Transport {
    client: reqwest::Client,
    limits: Limits,
}

/// How long and how large.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    #[cfg_attr(target_family = "wasm", expect(dead_code, reason = "a browser connects in its own way"))]
    pub(super) connect: Duration,
    pub(super) attempt: Duration,
    pub(super) stall: Duration,
    pub(super) body: usize,
}

impl Transport {
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn new(user_agent: &str, limits: Limits) -> Result<Self, reqwest::Error> {
        // A redirect could carry the key elsewhere, and the API has none.
        let client = reqwest::Client::builder()
            .user_agent(user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(limits.connect)
            .build()?;
        Ok(Self { client, limits })
    }

    /// A browser connects and follows redirects in its own way: without the key where they lead to another origin.
    #[cfg(target_family = "wasm")]
    pub(super) fn new(user_agent: &str, limits: Limits) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().user_agent(user_agent).build()?;
        Ok(Self { client, limits })
    }

    /// `timeout`: for this one, in the place of the one for all; `left`: it takes no longer than that in any case.
    pub(super) async fn send(
        &self,
        outgoing: Outgoing,
        timeout: Option<Duration>,
        left: Duration,
        timer: &dyn Timer,
    ) -> Result<Response<Bytes>, Fault> {
        let Outgoing { method, url, headers, body } = outgoing;
        let mut request = reqwest::Request::new(method, url);
        *request.headers_mut() = headers;
        *request.body_mut() = body.map(reqwest::Body::from);
        *request.timeout_mut() = Some(timeout.unwrap_or(self.limits.attempt).min(left));
        let mut answer = self.client.execute(request).await.map_err(|error| {
            if was_never_sent(&error) {
                Fault::NeverSent(text(error))
            } else {
                Fault::Interrupted(text(error))
            }
        })?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        *response.body_mut() = self.body(answer, timer).await?;
        Ok(response)
    }

    #[cfg(not(target_family = "wasm"))]
    async fn body(&self, mut answer: reqwest::Response, timer: &dyn Timer) -> Result<Bytes, Fault> {
        let Limits { stall, body: limit, .. } = self.limits;
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        while let Some(chunk) = within(timer, stall, answer.chunk())
            .await
            .ok_or_else(|| stood_still(stall))?
            .map_err(|error| Fault::Interrupted(text(error)))?
        {
            if first.len() + rest.len() + chunk.len() > limit {
                return Err(Fault::TooLarge);
            }
            // Most answers are one chunk, which needs no copy.
            if first.is_empty() && rest.is_empty() {
                first = chunk;
            } else {
                rest.extend_from_slice(&std::mem::take(&mut first));
                rest.extend_from_slice(&chunk);
            }
        }
        Ok(if first.is_empty() { rest.freeze() } else { first })
    }

    /// A browser gives a body as a whole.
    #[cfg(target_family = "wasm")]
    async fn body(&self, answer: reqwest::Response, timer: &dyn Timer) -> Result<Bytes, Fault> {
        let Limits { stall, body: limit, .. } = self.limits;
        let body = within(timer, stall, answer.bytes()).await.ok_or_else(|| stood_still(stall))?;
        let body = body.map_err(|error| Fault::Interrupted(text(error)))?;
        if body.len() > limit { Err(Fault::TooLarge) } else { Ok(body) }
    }
}

fn stood_still(limit: Duration) -> Fault {
    Fault::Interrupted(format!("the answer stood still for {limit:?}"))
}

#[cfg(not(target_family = "wasm"))]
fn was_never_sent(error: &reqwest::Error) -> bool {
    error.is_connect() || error.is_builder()
}

/// A browser does not say how far it came.
#[cfg(target_family = "wasm")]
fn was_never_sent(error: &reqwest::Error) -> bool {
    error.is_builder()
}

/// The error with all its causes, in one line and without the address.
fn text(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
