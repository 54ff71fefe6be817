//! Takes each delivery once: verifies it, and remembers which ones were taken.

use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::{Event, ReplayGuard, Verified, Verifier, VerifyError};
use crate::clock::{Clock, SystemClock};

/// What a [`ReplayStore`] answers with.
pub type Remembering<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, Box<dyn std::error::Error + Send + Sync>>> + Send + 'a>>;

/// Remembers the ids of deliveries that were taken. The one in memory forgets them with the process; where several
/// processes share a webhook's address, or a restart must not take one twice, put them into a database.
pub trait ReplayStore: Send + Sync + 'static {
    /// Whether this id is new. From now on it is not, for at least twice the verifier's tolerance.
    fn admit<'a>(&'a self, id: &'a str, now: crate::api::Timestamp) -> Remembering<'a, bool>;

    /// Makes the id new again.
    fn forget<'a>(&'a self, id: &'a str) -> Remembering<'a, ()>;
}

impl ReplayStore for Mutex<ReplayGuard> {
    fn admit<'a>(&'a self, id: &'a str, now: crate::api::Timestamp) -> Remembering<'a, bool> {
        let is_new = self.lock().unwrap_or_else(PoisonError::into_inner).admit(id, now);
        Box::pin(ready(Ok(is_new)))
    }

    fn forget<'a>(&'a self, id: &'a str) -> Remembering<'a, ()> {
        self.lock().unwrap_or_else(PoisonError::into_inner).forget(id);
        Box::pin(ready(Ok(())))
    }
}

/// The receiving end of a webhook. Clones share what is remembered.
///
/// ```
/// # use openpod_sdk::{Secret, webhook::{self, Received, Receiver, SigningKey, Verifier}};
/// # async fn example(headers: http::HeaderMap, body: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
/// let receiver = Receiver::new(Verifier::new([Secret::new("my-signing-secret")])?);
/// match receiver.receive(&headers, &body).await {
///     Ok(received) => println!("{:?}", received.event),
///     Err(refused) => println!("answer {}", refused.status()),
/// }
/// # Ok(())
/// # }
/// ```
///
/// With the feature `axum` a handler takes a [`Received`] as its argument; the router's state must give a `Receiver`.
///
/// A delivery counts as taken once [`Receiver::receive`] has answered with it. If its work fails, [`Receiver::forget`] it
/// before you answer with an error: otherwise it is refused as taken when it comes again. What is lost with the process
/// between the two is in the next heartbeat all the same.
#[derive(Clone)]
pub struct Receiver(Arc<Inner>);

struct Inner {
    verifier: Verifier,
    seen: Box<dyn ReplayStore>,
    clock: Arc<dyn Clock>,
}

/// A delivery that was proven and not taken before.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Received {
    /// The message's id, the same on every attempt.
    pub id: String,
    /// When it was sent, as its body says.
    pub sent_at: crate::api::Timestamp,
    /// What happened.
    pub event: Event,
}

/// Why a request is not taken, and what to answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It is not proven to come from the platform, or cannot be read.
    #[error(transparent)]
    Unproven(#[from] VerifyError),
    /// It was taken before. Nothing is wrong with that: the platform delivers at least once.
    #[error("this delivery was taken before")]
    Again,
    /// What was taken before could not be looked up.
    #[error("what was received before could not be looked up")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Refused {
    /// The status to answer with: 200 for what was taken before, so that it is not sent again; 401, 400 or 413 for what is
    /// not proven; 503 where the store failed, so that it is.
    pub fn status(&self) -> StatusCode {
        match self {
            Refused::Again => StatusCode::OK,
            Refused::Unproven(VerifyError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Refused::Unproven(VerifyError::MalformedBody) => StatusCode::BAD_REQUEST,
            Refused::Unproven(_) => StatusCode::UNAUTHORIZED,
            Refused::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Receiver {
    /// Remembers in memory, the last 100 000 ids for twice what the verifier tolerates, and reads the machine's clock.
    pub fn new(verifier: Verifier) -> Self {
        let window = verifier.tolerated().saturating_mul(2).saturating_add(Duration::from_secs(60));
        Self::with(verifier, Mutex::new(ReplayGuard::new(window, 100_000)), Arc::new(SystemClock))
    }

    /// Remembers there, and reads this clock.
    pub fn with(verifier: Verifier, seen: impl ReplayStore, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { verifier, seen: Box::new(seen), clock }))
    }

    /// Takes a request: `body` is what arrived, byte for byte.
    pub async fn receive(&self, headers: &HeaderMap, body: &[u8]) -> Result<Received, Refused> {
        let Inner { verifier, seen, clock } = &*self.0;
        let now = clock.now();
        let Verified { id, delivery } = verifier.verify(headers, body, now)?;
        match seen.admit(&id, now).await {
            Ok(true) => Ok(Received { id, sent_at: delivery.timestamp, event: delivery.event() }),
            Ok(false) => Err(Refused::Again),
            Err(source) => Err(Refused::Store(source)),
        }
    }

    /// Takes the delivery again when it comes once more: for one whose work failed and that is answered with an error.
    pub async fn forget(&self, id: &str) -> Result<(), Refused> {
        self.0.seen.forget(id).await.map_err(Refused::Store)
    }

    /// How large a body may be, in bytes.
    #[cfg(feature = "axum")]
    pub(super) fn body_limit(&self) -> usize {
        self.0.verifier.largest()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("verifier", &self.0.verifier).finish_non_exhaustive()
    }
}
