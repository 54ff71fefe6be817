//! A seam for what an author wants to add to every attempt: a trace's header, a counter, a log of one's own.

use std::time::Duration;

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, RANGE, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, Method};

use super::request::{IDEMPOTENCY_KEY, X_PAYMENT};
use super::{Dialect, ErrorKind};

/// Sees every attempt of every call, those that are tried again included. Neither method may wait.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use openpod_sdk::{Client, client::{Attempt, Middleware, Outcome}};
///
/// #[derive(Default)]
/// struct Count(AtomicU64);
///
/// impl Middleware for Count {
///     fn before(&self, attempt: &Attempt, headers: &mut http::HeaderMap) {
///         headers.insert("x-attempt", attempt.number.into());
///     }
///     fn after(&self, _: &Attempt, _: &Outcome<'_>) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///     }
/// }
/// # let client = Client::builder("https://openpod.work").middleware(Count::default()).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It sees no key, no body and no value of a path or query, and cannot change what decides about retries: headers that
/// the client sets itself, those of the connection, and those that ask for an answer of another form (conditions, ranges,
/// encodings) stay as they are. Of two middlewares that add the same header the first one has its way.
pub trait Middleware: Send + Sync + 'static {
    /// Before an attempt is sent. What is put into `headers`, which is empty, goes with it.
    fn before(&self, attempt: &Attempt, headers: &mut HeaderMap) {
        let _ = (attempt, headers);
    }

    /// After an attempt, whatever came of it. An attempt whose call was dropped has no end.
    fn after(&self, attempt: &Attempt, outcome: &Outcome<'_>) {
        let _ = (attempt, outcome);
    }
}

/// An attempt of a call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attempt {
    /// The operation's name, such as `UpdateTicket`.
    pub operation: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path with the names of its values, such as `/tickets/{ticket_id}`.
    pub path: &'static str,
    /// How the service is spoken to.
    pub dialect: Dialect,
    /// Which attempt it is, from 1.
    pub number: u32,
}

/// What came of an attempt.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome<'a> {
    /// The status of the answer, if one came.
    pub status: Option<u16>,
    /// What names the request in the server's log, as far as the answer's headers tell.
    pub request_id: Option<&'a str>,
    /// What went wrong with it, seen alone: it may be tried again.
    pub error: Option<ErrorKind>,
    /// How long it took.
    pub took: Duration,
}

/// Adds what a middleware wants sent, but for what is ours.
pub(super) fn add(headers: &mut HeaderMap, wanted: &HeaderMap) {
    for name in wanted.keys() {
        if !is_ours(name) && !headers.contains_key(name) {
            for value in wanted.get_all(name) {
                headers.append(name, value.clone());
            }
        }
    }
}

fn is_ours(name: &HeaderName) -> bool {
    let known = [
        ACCEPT_ENCODING,
        AUTHORIZATION,
        CONNECTION,
        CONTENT_LENGTH,
        COOKIE,
        EXPECT,
        HOST,
        RANGE,
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    known.contains(name) || name.as_str().starts_with("if-") || [IDEMPOTENCY_KEY, X_PAYMENT].contains(name)
}
