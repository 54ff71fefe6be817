//! Receives webhooks. What is proven becomes a hint; what is not is refused and changes nothing.
//!
//! | request | answer |
//! |---|---|
//! | signed with our secret, fresh, not seen before | 200, and a hint |
//! | wrong, missing or old signature, or the very same request again | 401 |
//! | a body over 256 KiB | 413 |
//! | anything but POST | 405 |

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use openpod_sdk::api::TicketId;
use openpod_sdk::clock::Clock;
use openpod_sdk::webhook::{Delivery, ReplayGuard, Verifier, header};
use tokio::sync::mpsc;

use crate::event::Event;

/// The platform's bodies are a few hundred bytes.
const BODY_LIMIT: usize = 256 << 10;
/// Twice what the verifier tolerates: what is older does not verify any more.
const REMEMBERED: Duration = Duration::from_secs(700);

struct Receiver {
    verifier: Verifier,
    seen: Mutex<ReplayGuard>,
    clock: Arc<dyn Clock>,
    events: mpsc::Sender<Event>,
}

/// The receiver, on every path: the address that was registered names one.
pub fn receiver(verifier: Verifier, clock: Arc<dyn Clock>, events: mpsc::Sender<Event>) -> Router {
    let seen = Mutex::new(ReplayGuard::new(REMEMBERED, 100_000));
    let receiver = Arc::new(Receiver { verifier, seen, clock, events });
    let receive = post(receive);
    Router::new()
        .route("/", receive.clone())
        .route("/{*path}", receive)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(receiver)
}

async fn receive(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let now = receiver.clock.now();
    let verified = match receiver.verifier.verify(&headers, &body, now) {
        Ok(verified) => verified,
        Err(problem) => {
            tracing::warn!(%problem, "a webhook was refused");
            return (StatusCode::UNAUTHORIZED, "the signature does not prove this request\n");
        }
    };
    // A retry of the platform carries the same id with a new time; the same id and time is the same request again.
    let sent = headers.get(header::TIMESTAMP).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let request = format!("{}/{sent}", verified.id);
    if !receiver.seen.lock().unwrap_or_else(PoisonError::into_inner).admit(&request, now) {
        tracing::warn!(id = verified.id, "a webhook was refused: it was received before");
        return (StatusCode::UNAUTHORIZED, "this request was received before\n");
    }
    let Delivery { kind, data, .. } = verified.delivery;
    let ticket = data.get("ticket_id").and_then(|id| id.as_str()).map(TicketId::from);
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
    use openpod_sdk::api::{EventKind, Timestamp};
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
        World { router: receiver(verifier, Arc::new(clock.clone()), sender), clock, events }
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
    async fn a_wrong_old_or_repeated_webhook_is_refused_and_changes_nothing() {
        let mut world = world();
        assert_eq!(world.send("another secret", "msg_1", at(0), BODY).await, 401);
        assert_eq!(world.send_raw(HeaderMap::new(), BODY).await, 401);
        let key = SigningKey::parse(&Secret::new("a secret of ours")).unwrap();
        let headers = sign(&[key], "msg_1", at(0), BODY.as_bytes());
        assert_eq!(world.send_raw(headers, BODY.replace("t5", "t6")).await, 401, "the body was changed");
        world.clock.advance(Duration::from_secs(301));
        assert_eq!(world.send("a secret of ours", "msg_1", at(0), BODY).await, 401, "it is old");
        assert_eq!(world.hints(), []);

        assert_eq!(world.send("a secret of ours", "msg_2", at(301), BODY).await, 200);
        assert_eq!(world.send("a secret of ours", "msg_2", at(301), BODY).await, 401, "it is repeated");
        assert_eq!(world.hints().len(), 1);
    }

    #[tokio::test]
    async fn a_retry_of_the_platform_is_taken_although_its_id_is_known() {
        let mut world = world();
        assert_eq!(world.send("a secret of ours", "msg_1", at(0), BODY).await, 200);
        world.clock.advance(Duration::from_secs(5));
        assert_eq!(world.send("a secret of ours", "msg_1", at(5), BODY).await, 200);
        assert_eq!(world.hints().len(), 2);
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
