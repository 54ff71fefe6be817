//! What may go wrong between an agent and the platform, by script.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{Method, StatusCode, header};
use openpod_sdk::api::{ENDPOINTS, EXTENSIONS, Operation, owner};

/// Something that befalls a call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Fault {
    /// It is done, and the connection is cut before its answer came: the caller does not know.
    CutAfterCommit,
    /// It is not done: 429, with the wish to wait so long, in whole seconds.
    RateLimited(Duration),
    /// It is not done, and what stands before the platform says so in HTML.
    Refused(StatusCode),
    /// It is done, and its answer comes so much later.
    Slow(Duration),
    /// It is done, and its answer is 200 with bytes that mean nothing.
    Garbage,
}

/// The faults to come and the calls that were made.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    to_come: HashMap<&'static str, VecDeque<Fault>>,
    calls: HashMap<&'static str, usize>,
}

impl Faults {
    pub(super) fn add(&self, operation: &'static str, fault: Fault) {
        self.script().to_come.entry(operation).or_default().push_back(fault);
    }

    pub(super) fn calls_of(&self, operation: &'static str) -> usize {
        self.script().calls.get(operation).copied().unwrap_or_default()
    }

    fn next(&self, operation: &'static str) -> Option<Fault> {
        let mut script = self.script();
        *script.calls.entry(operation).or_default() += 1;
        script.to_come.get_mut(operation)?.pop_front()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The layer around the routes that has things go wrong.
pub(super) async fn interfere(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let operation = path.and_then(|path| operation(request.method(), path));
    match operation.and_then(|operation| faults.next(operation.name)) {
        None => next.run(request).await,
        Some(Fault::CutAfterCommit) => {
            next.run(request).await;
            let cut = stream::once(async { Err::<Vec<u8>, _>(std::io::Error::other("cut by a test")) });
            Body::from_stream(cut).into_response()
        }
        Some(Fault::RateLimited(wait)) => {
            let body = r#"{"error": "too many requests, says a test", "code": "rate_limited"}"#;
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, wait.as_secs().to_string())], body)
                .into_response()
        }
        Some(Fault::Refused(status)) => (status, "<html>no, says a test</html>").into_response(),
        Some(Fault::Slow(by)) => {
            let answer = next.run(request).await;
            tokio::time::sleep(by).await;
            answer
        }
        Some(Fault::Garbage) => {
            next.run(request).await;
            "\u{fffd} this means nothing".into_response()
        }
    }
}

fn operation(method: &Method, path: &str) -> Option<&'static Operation> {
    let is_it = |row: &&Operation| {
        row.method == *method
            && path.strip_prefix(row.access.base_path()).is_some_and(|rest| rest == row.path)
    };
    ENDPOINTS.iter().chain(&EXTENSIONS).chain(&owner::ENDPOINTS).find(is_it)
}
