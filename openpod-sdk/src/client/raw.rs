//! An answer as it came.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

/// An answer as it came: status, headers and body. Its body may hold a key or token, so it does not print it.
#[derive(Clone)]
pub struct RawAnswer(pub(super) Response<Bytes>);

impl RawAnswer {
    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// Its headers.
    pub fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    /// The bytes of its body, in the words of the service: nothing is translated here.
    pub fn body(&self) -> &Bytes {
        self.0.body()
    }

    /// What names the request in the server's log.
    pub fn request_id(&self) -> Option<&str> {
        super::response::request_id(&self.0)
    }
}

impl fmt::Debug for RawAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawAnswer")
            .field("status", &self.0.status().as_u16())
            .field("body_bytes", &self.0.body().len())
            .finish_non_exhaustive()
    }
}
