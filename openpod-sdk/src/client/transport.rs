//! Sends requests. The only file that knows the HTTP library.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};

use super::error::Fault;

#[derive(Clone)]
pub(super) struct Transport {
    client: reqwest::Client,
    body_limit: usize,
}

impl Transport {
    pub(super) fn new(
        user_agent: &str,
        connect: Duration,
        attempt: Duration,
        body_limit: usize,
    ) -> Result<Self, reqwest::Error> {
        // A redirect could carry the key elsewhere, and the API has none.
        let client = reqwest::Client::builder()
            .user_agent(user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(connect)
            .timeout(attempt)
            .build()?;
        Ok(Self { client, body_limit })
    }

    /// `timeout`: for this one, in the place of the one for all.
    pub(super) async fn send(
        &self,
        request: Request<Bytes>,
        timeout: Option<Duration>,
    ) -> Result<Response<Bytes>, Fault> {
        let mut request = reqwest::Request::try_from(request).map_err(|error| Fault::request(text(error)))?;
        if timeout.is_some() {
            *request.timeout_mut() = timeout;
        }
        let mut answer = self.client.execute(request).await.map_err(|error| {
            if error.is_connect() || error.is_builder() {
                Fault::NeverSent(text(error))
            } else {
                Fault::Interrupted(text(error))
            }
        })?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| Fault::Interrupted(text(error)))? {
            if body.len() + chunk.len() > self.body_limit {
                return Err(Fault::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        *response.body_mut() = body.freeze();
        Ok(response)
    }
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
