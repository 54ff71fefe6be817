//! Receives webhooks. What is proven becomes a hint; what is not is refused and changes nothing.
//!
//! | request | answer |
//! |---|---|
//! | signed with our secret, fresh, not taken before | 200, and a hint |
//! | the same delivery again | 200: its sender may not have heard our answer, and must not go on trying |
//! | wrong, missing or old signature | 401 |
//! | signed, but no delivery | 400 |
//! | a body over 256 KiB | 413 |
//! | anything but POST | 405 |
//! | for an agent that is not at work here | 503: the platform tries again |

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::post;
use openpod_sdk::clock::Clock;
use openpod_sdk::webhook::{self, Refused, ReplayGuard, Verifier};
use tokio::sync::mpsc;

use crate::event::Event;

/// The platform's bodies are a few hundred bytes.
const BODY_LIMIT: usize = 256 << 10;
/// Twice what the verifier tolerates: what is older does not verify any more.
const REMEMBERED: Duration = Duration::from_secs(700);

/// Receives for one agent.
pub struct Receiver {
    deliveries: webhook::Receiver,
    events: mpsc::Sender<Event>,
}

impl Receiver {
    /// Receives what this verifier proves.
    pub fn new(verifier: Verifier, clock: Arc<dyn Clock>, events: mpsc::Sender<Event>) -> Self {
        let seen = Mutex::new(ReplayGuard::new(REMEMBERED, 100_000));
        Self { deliveries: webhook::Receiver::with(verifier, seen, clock), events }
    }
}

/// The receivers of all agents. Clones open and close the same doors.
#[derive(Clone, Default)]
pub struct Doors(Arc<Mutex<HashMap<Option<String>, Arc<Receiver>>>>);

impl Doors {
    /// Receives for the agent of this name, at every path that ends with it; at every path for an agent without name.
    /// What an earlier call opened for it is closed.
    pub fn open(&self, name: Option<&str>, receiver: Receiver) {
        self.lock().insert(name.map(str::to_owned), Arc::new(receiver));
    }

    /// Receives for nobody.
    pub fn close_all(&self) {
        self.lock().clear();
    }

    fn behind(&self, path: &str) -> Option<Arc<Receiver>> {
        let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let doors = self.lock();
        doors.get(&Some(name.to_owned())).or_else(|| doors.get(&None)).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Option<String>, Arc<Receiver>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves them.
    pub fn router(&self) -> Router {
        let receive = post(receive);
        Router::new()
            .route("/", receive.clone())
            .route("/{*path}", receive)
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .with_state(self.clone())
    }
}

async fn receive(
    State(doors): State<Doors>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let Some(receiver) = doors.behind(uri.path()) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "no agent of that name is at work here\n");
    };
    let event = match receiver.deliveries.receive(&headers, &body).await {
        Ok(received) => received.event,
        Err(Refused::Again) => {
            tracing::debug!("a webhook came again");
            return (StatusCode::OK, "");
        }
        Err(refused) => {
            tracing::warn!(problem = %refused, "a webhook was refused");
            return (refused.status(), "the signature does not prove this request, or it is no delivery\n");
        }
    };
    let (kind, ticket) = (event.kind(), event.ticket());
    tracing::debug!(event = %kind, "a webhook hints to look");
    // With so many events waiting we look soon anyway.
    let _ = receiver.events.try_send(Event::Hint { kind, ticket });
    (StatusCode::OK, "")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use openpod_sdk::Secret;
    use openpod_sdk::api::{EventKind, TicketId, Timestamp};
    use openpod_sdk::clock::ManualClock;
    use openpod_sdk::webhook::{SigningKey, sign};
    use tower::ServiceExt;

    use super::*;

    const BODY: &str =
        r#"{"event":"deliverable_rejected","timestamp":"2026-03-12T10:30:00Z","data":{"ticket_id":"t5"}}"#;

    struct World {
        router: Router,
        clock: ManualClock,
        events: mpsc::Receiver<Event>,
    }

    fn world() -> World {
        let clock = ManualClock::new(at(0));
        let (sender, events) = mpsc::channel(8);
        let verifier = Verifier::new([Secret::new("a secret of ours")]).unwrap();
        let doors = Doors::default();
        doors.open(None, Receiver::new(verifier, Arc::new(clock.clone()), sender));
        World { router: doors.router(), clock, events }
    }

    fn at(seconds: u64) -> Timestamp {
        "2026-03-12T10:30:00Z".parse::<Timestamp>().unwrap().plus(Duration::from_secs(seconds))
    }

    impl World {
        async fn send(&self, secret: &str, id: &str, sent_at: Timestamp, body: &str) -> u16 {
            let key = SigningKey::parse(&Secret::new(secret)).unwrap();
            let headers = sign(&[key], id, sent_at, body.as_bytes());
            self.send_raw(headers, body.to_owned()).await
        }

        async fn send_raw(&self, headers: HeaderMap, body: impl Into<Body>) -> u16 {
            let mut request = Request::post("/hooks/openpod").body(body.into()).unwrap();
            *request.headers_mut() = headers;
            self.router.clone().oneshot(request).await.unwrap().status().as_u16()
        }

        fn hints(&mut self) -> Vec<(EventKind, Option<TicketId>)> {
            std::iter::from_fn(|| self.events.try_recv().ok())
                .map(|event| match event {
                    Event::Hint { kind, ticket } => (kind, ticket),
                    other => panic!("{other:?}"),
                })
                .collect()
        }
    }

    #[tokio::test]
    async fn a_proven_webhook_is_a_hint() {
        let mut world = world();
        assert_eq!(world.send("a secret of ours", "msg_1", at(0), BODY).await, 200);
        assert_eq!(world.hints(), [(EventKind::DeliverableRejected, Some("t5".into()))]);
    }

    #[tokio::test]
    async fn a_wrong_or_old_webhook_is_refused_and_changes_nothing() {
        let mut world = world();
        assert_eq!(world.send("another secret", "msg_1", at(0), BODY).await, 401);
        assert_eq!(world.send_raw(HeaderMap::new(), BODY).await, 401);
        let key = SigningKey::parse(&Secret::new("a secret of ours")).unwrap();
        let headers = sign(&[key], "msg_1", at(0), BODY.as_bytes());
        assert_eq!(world.send_raw(headers, BODY.replace("t5", "t6")).await, 401, "the body was changed");
        assert_eq!(world.send("a secret of ours", "msg_1", at(0), "{}").await, 400, "it says nothing");
        world.clock.advance(Duration::from_secs(301));
        assert_eq!(world.send("a secret of ours", "msg_1", at(0), BODY).await, 401, "it is old");
        assert_eq!(world.hints(), []);
    }

    #[tokio::test]
    async fn a_sender_that_did_not_hear_our_answer_is_told_once_more_that_all_is_well() {
        let mut world = world();
        assert_eq!(world.send("a secret of ours", "msg_1", at(0), BODY).await, 200);
        assert_eq!(world.send("a secret of ours", "msg_1", at(0), BODY).await, 200, "byte for byte");
        world.clock.advance(Duration::from_secs(5));
        assert_eq!(world.send("a secret of ours", "msg_1", at(5), BODY).await, 200, "the platform's retry");
        assert_eq!(world.hints().len(), 1, "one hint is enough to look");
        assert_eq!(world.send("a secret of ours", "msg_2", at(5), BODY).await, 200);
        assert_eq!(world.hints().len(), 1);
    }

    #[tokio::test]
    async fn a_webhook_reaches_the_agent_whose_name_ends_its_path() {
        let mut crab = world();
        let doors = Doors::default();
        let (sender, mut eel) = mpsc::channel(8);
        let verifier = Verifier::new([Secret::new("a secret of ours")]).unwrap();
        doors.open(Some("eel"), Receiver::new(verifier, Arc::new(crab.clock.clone()), sender));
        crab.router = doors.router();
        assert_eq!(
            crab.send("a secret of ours", "msg_1", at(0), BODY).await,
            503,
            "nobody is /hooks/openpod"
        );
        let key = SigningKey::parse(&Secret::new("a secret of ours")).unwrap();
        let mut request = Request::post("/hooks/openpod/eel").body(Body::from(BODY)).unwrap();
        *request.headers_mut() = sign(&[key], "msg_1", at(0), BODY.as_bytes());
        assert_eq!(crab.router.clone().oneshot(request).await.unwrap().status(), 200);
        assert!(matches!(eel.try_recv(), Ok(Event::Hint { .. })) && crab.hints().is_empty());
    }

    #[tokio::test]
    async fn a_large_body_is_refused_before_it_is_read() {
        let mut world = world();
        let large = format!("{{\"event\":\"{}\"}}", "x".repeat(BODY_LIMIT));
        assert_eq!(world.send("a secret of ours", "msg_1", at(0), &large).await, 413);
        assert_eq!(world.hints(), []);
    }

    #[tokio::test]
    async fn when_nobody_has_time_hints_are_dropped_and_the_sender_is_not_kept_waiting() {
        let world = world();
        for n in 0..20 {
            assert_eq!(world.send("a secret of ours", &format!("msg_{n}"), at(0), BODY).await, 200);
        }
    }
}
