//! A webhook's receiving end: proven, once, and as an axum handler.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use futures_util::{StreamExt, stream};
use openpod_sdk::api::Timestamp;
use openpod_sdk::clock::{Clock, ManualClock};
use openpod_sdk::webhook::{
    Delivery, Event, Received, Receiver, Refused, Remembering, ReplayGuard, ReplayStore, SigningKey,
    Verifier, WebhookTest, sign,
};
use tower::ServiceExt;

const SECRET: &str = "my-signing-secret";

fn now() -> Timestamp {
    "2026-03-12T10:30:00Z".parse().unwrap()
}

fn body() -> Vec<u8> {
    let event = Event::WebhookTest(WebhookTest { webhook_id: "w".into(), message: "Hello.".into() });
    Delivery::new(&event, now()).to_body()
}

fn headers(id: &str) -> http::HeaderMap {
    sign(&[SigningKey::parse(&SECRET.into()).unwrap()], id, now(), &body())
}

fn verifier() -> Verifier {
    Verifier::new([SECRET.into()]).unwrap()
}

fn receiver(clock: &ManualClock) -> Receiver {
    let seen = Mutex::new(ReplayGuard::new(Duration::from_secs(600), 100));
    Receiver::with(verifier(), seen, Arc::new(clock.clone()))
}

#[tokio::test]
async fn a_delivery_is_taken_once_and_again_only_after_its_work_failed() {
    let receiver = receiver(&ManualClock::new(now()));
    let taken = receiver.receive(&headers("m1"), &body()).await.unwrap();
    assert_eq!((taken.id.as_str(), taken.sent_at), ("m1", now()));
    let again = receiver.clone().receive(&headers("m1"), &body()).await.unwrap_err();
    assert!(matches!(again, Refused::Again) && again.status() == StatusCode::OK);
    assert!(receiver.receive(&headers("m2"), &body()).await.is_ok());
    receiver.forget("m1").await.unwrap();
    assert!(receiver.receive(&headers("m1"), &body()).await.is_ok());
}

#[tokio::test]
async fn what_is_refused_is_not_remembered() {
    let clock = ManualClock::new(now().minus(Duration::from_secs(301)));
    let receiver = receiver(&clock);
    let early = receiver.receive(&headers("m1"), &body()).await.unwrap_err();
    assert_eq!(early.status(), StatusCode::UNAUTHORIZED);
    clock.set(now());
    assert!(receiver.receive(&headers("m1"), &body()).await.is_ok());
}

/// A database that is away.
struct Away;

impl ReplayStore for Away {
    fn admit<'a>(&'a self, _: &'a str, _: Timestamp) -> Remembering<'a, bool> {
        Box::pin(async { Err("the database is away".into()) })
    }

    fn forget<'a>(&'a self, _: &'a str) -> Remembering<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn a_delivery_that_cannot_be_looked_up_is_to_be_sent_again() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(now()));
    let refused = Receiver::with(verifier(), Away, clock).receive(&headers("m1"), &body()).await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!refused.to_string().contains("database"));
}

async fn hook(delivery: Received) -> String {
    let Event::WebhookTest(test) = delivery.event else { return "another event".to_owned() };
    test.message
}

#[tokio::test]
async fn a_handler_sees_only_what_is_proven() {
    let verifier = verifier().body_limit(1000);
    let seen = Mutex::new(ReplayGuard::new(Duration::from_secs(600), 100));
    let receiver = Receiver::with(verifier, seen, Arc::new(ManualClock::new(now())));
    let app = Router::new().route("/", post(hook)).with_state(receiver);
    let send = async |headers: http::HeaderMap, body: Vec<u8>| {
        let mut request = Request::post("/").body(Body::from(body)).unwrap();
        *request.headers_mut() = headers;
        let answer = app.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        (
            status,
            String::from_utf8(axum::body::to_bytes(answer.into_body(), 1000).await.unwrap().to_vec())
                .unwrap(),
        )
    };
    assert_eq!(send(headers("m1"), body()).await, (200, "Hello.".to_owned()));
    assert_eq!(send(headers("m1"), body()).await, (200, "this delivery was taken before".to_owned()));
    assert_eq!(send(headers("m2"), b"{}".to_vec()).await.0, 401);
    assert_eq!(send(http::HeaderMap::new(), body()).await.0, 401);
    assert_eq!(send(headers("m3"), vec![b' '; 1001]).await.0, 413);
    let key = SigningKey::parse(&SECRET.into()).unwrap();
    assert_eq!(send(sign(&[key], "m4", now(), b"{}"), b"{}".to_vec()).await.0, 400);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read_to_its_end() {
    let seen = Mutex::new(ReplayGuard::new(Duration::from_secs(600), 100));
    let receiver = Receiver::with(verifier().body_limit(1000), seen, Arc::new(ManualClock::new(now())));
    let app = Router::new().route("/", post(hook)).with_state(receiver);
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let chunks = stream::repeat_with(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok::<_, std::io::Error>(vec![b' '; 100])
    });
    let request = Request::post("/").body(Body::from_stream(chunks.take(10_000))).unwrap();
    assert_eq!(app.oneshot(request).await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(read.load(Ordering::Relaxed) <= 12, "{read:?}");
}
