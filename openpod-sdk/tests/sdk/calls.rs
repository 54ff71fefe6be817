//! A call from all sides: its time, its traces, what is added to it, what is left of it when nobody waits.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use openpod_sdk::api::me::GetMe;
use openpod_sdk::api::tickets::NewTicket;
use openpod_sdk::api::{Idempotency, Nothing};
use openpod_sdk::client::{Attempt, Boxed, CallOptions, Middleware, Outcome, RetryPolicy, Timer};
use openpod_sdk::{Client, ErrorKind, api};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::patience::ends;

const KEY: &str = "opk_do_not_print_me";
const SOON: Duration = Duration::from_millis(50);

async fn always(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

/// Three times in trouble, then well.
async fn recovering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let trouble = ResponseTemplate::new(503).insert_header("x-request-id", "r-trouble");
    Mock::given(any()).respond_with(trouble).up_to_n_times(3).mount(&server).await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

fn builder(address: &str) -> openpod_sdk::client::ClientBuilder {
    Client::builder(address).key(KEY).retry(RetryPolicy { base: Duration::ZERO, ..RetryPolicy::default() })
}

fn me() -> ResponseTemplate {
    let key = json!({"id": "a", "name": "ada", "capabilities": [], "is_active": true,
        "created_at": "2026-03-12T10:30:00Z"});
    let body = json!({"data": {"agent_key": key, "memberships": [], "active_ticket_count": 0}});
    ResponseTemplate::new(200).set_body_json(body).insert_header("x-request-id", "r-1")
}

fn ticket() -> NewTicket {
    NewTicket::task("p".into(), "Fix it", "There is something to be fixed here.")
}

/// Answers each connection with this, and then stands still without closing it.
async fn stalling(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(answer).await;
            open.push(socket);
        }
    });
    address
}

#[tokio::test]
async fn an_answer_that_stands_still_is_given_up() {
    let address = stalling(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"data\":").await;
    let client = builder(&address).stall_timeout(SOON).retry(RetryPolicy::never()).build().unwrap();
    let error = ends("the rest of the answer never comes", client.me()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(error.to_string().contains("stood still"), "{error}");
    let doubt = ends("nor of a creation's", client.create_ticket(&ticket())).await.unwrap_err();
    assert_eq!(doubt.kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn a_whole_call_has_its_time_whatever_its_attempts_take() {
    let address = stalling(b"").await;
    let client = builder(&address).operation_timeout(SOON).build().unwrap();
    let error = ends("a whole call has its time", client.me()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Interrupted, 1));
    let doubt = ends("a creation too", client.create_ticket(&ticket())).await.unwrap_err();
    assert_eq!(doubt.kind(), ErrorKind::OutcomeUnknown);

    let slow = builder(&address).build().unwrap().with(CallOptions::new().timeout(SOON));
    let error = ends("a single call has its own", slow.me()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Interrupted, 1), "its own limit holds");

    let busy = always(ResponseTemplate::new(429).insert_header("retry-after", "30")).await;
    let patient = builder(&busy.uri()).build().unwrap();
    let hurried = patient.with(CallOptions::new().timeout(SOON));
    let error = ends("a pause that does not fit is not made", hurried.me()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::RateLimited, 1),
        "the wait would not fit: {error}"
    );
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_was_sent_once_and_harms_no_other() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(me().set_delay(SOON)).up_to_n_times(1).mount(&server).await;
    Mock::given(any()).respond_with(me()).mount(&server).await;
    let client = builder(&server.uri()).requests_per_minute(2).build().unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(20), client.me()).await;
    assert!(given_up.is_err());
    client.me().await.unwrap();
    let sent = server.received_requests().await.unwrap().len();
    assert!((1..=2).contains(&sent), "{sent}");
    let hurried = client.with(CallOptions::new().timeout(SOON));
    let held = ends("there is no turn in time", hurried.me()).await.unwrap_err();
    assert_eq!(held.attempts(), 0, "the call that was dropped had taken its turn: {held}");
}

/// Time stands still, and what is waited for never comes; it is told.
struct Standstill(mpsc::UnboundedSender<Duration>);

impl Timer for Standstill {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, pause: Duration) -> Boxed<()> {
        let _ = self.0.send(pause);
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_waits_has_nothing_under_way_and_holds_nothing() {
    let server = always(ResponseTemplate::new(429).insert_header("retry-after", "30")).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let client = builder(&server.uri()).timer(Standstill(tell)).requests_per_minute(9).build().unwrap();
    let mut waits = async || while told.recv().await.unwrap() != Duration::from_secs(30) {};
    // The first one was refused and rests; the second one waits for its turn.
    let (mut resting, mut waiting) = (Box::pin(client.me()), Box::pin(client.me()));
    tokio::select! {
        () = ends("the first one rests", waits()) => {}
        answer = &mut resting => panic!("{answer:?}"),
    }
    tokio::select! {
        () = ends("the second one waits", waits()) => {}
        answer = &mut waiting => panic!("{answer:?}"),
    }
    drop((resting, waiting));
    let hurried = client.with(CallOptions::new().timeout(SOON));
    let held = ends("there is no turn in time", hurried.me()).await.unwrap_err();
    assert_eq!((held.kind(), held.attempts()), (ErrorKind::RateLimited, 0), "it is told at once");
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_stream_that_is_dropped_cancels_the_call_that_is_under_way() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let client = builder(&address).build().unwrap();
    let mut heartbeats = client.heartbeats();
    let asked = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        assert!(socket.read(&mut [0; 4096]).await.unwrap() > 0);
        socket
    };
    let mut socket = tokio::select! {
        socket = ends("the service is asked", asked) => socket,
        beat = heartbeats.next() => panic!("nobody answered, and yet {beat:?}"),
    };
    drop(heartbeats);
    let mut byte = [0];
    let rest = ends("the connection of a dropped call is closed", socket.read(&mut byte)).await;
    assert!(matches!(rest, Ok(0) | Err(_)), "the connection is closed: {rest:?}");
}

#[tokio::test]
async fn a_call_in_doubt_is_asked_for_once_more_under_its_own_name() {
    let server = MockServer::start().await;
    let html = ResponseTemplate::new(502).set_body_string("<html>");
    Mock::given(any()).respond_with(html).up_to_n_times(1).mount(&server).await;
    let created = include_str!("../fixtures/tickets.create.documented.json");
    Mock::given(any()).respond_with(ResponseTemplate::new(201).set_body_string(created)).mount(&server).await;
    let client = builder(&server.uri()).build().unwrap();
    let doubt = client.create_ticket(&ticket()).await.unwrap_err();
    assert_eq!(doubt.kind(), ErrorKind::OutcomeUnknown);
    assert!(!client.honours_idempotency_keys());
    client.with(CallOptions::again(&doubt)).create_ticket(&ticket()).await.unwrap();
    let received = server.received_requests().await.unwrap();
    let names: Vec<_> = received.iter().map(|request| &request.headers["idempotency-key"]).collect();
    assert_eq!(names, [doubt.idempotency_key().unwrap(); 2]);
}

#[tokio::test]
async fn what_is_set_for_a_call_travels_with_it_and_with_no_other() {
    let created = include_str!("../fixtures/tickets.create.documented.json");
    let server = always(ResponseTemplate::new(201).set_body_string(created)).await;
    let client = builder(&server.uri()).build().unwrap();
    let options = CallOptions::new()
        .idempotency_key("ticket-7")
        .if_match(3)
        .payment("proof-of-payment")
        .body_field("colour", "green")
        .body_field("title", "Fix it now");
    client.with(options).create_ticket(&ticket()).await.unwrap();
    client.create_ticket(&ticket()).await.unwrap();
    let received = server.received_requests().await.unwrap();
    let header = |n: usize, name: &str| received[n].headers.get(name).map(|value| value.to_str().unwrap());
    let body = |n: usize| received[n].body_json::<serde_json::Value>().unwrap();
    assert_eq!(header(0, "idempotency-key"), Some("ticket-7"));
    assert_eq!((header(0, "if-match"), header(0, "x-payment")), (Some("\"3\""), Some("proof-of-payment")));
    assert_eq!((&body(0)["colour"], &body(0)["title"]), (&json!("green"), &json!("Fix it now")));
    assert_ne!(header(1, "idempotency-key"), Some("ticket-7"), "it got a name of its own");
    assert_eq!((header(1, "if-match"), header(1, "x-payment")), (None, None));
    assert_eq!((body(1).get("colour"), &body(1)["title"]), (None, &json!("Fix it")));
}

#[tokio::test]
async fn a_name_that_no_header_can_carry_is_refused_before_anything_is_sent() {
    let server = always(me()).await;
    let client = builder(&server.uri()).build().unwrap();
    for name in [String::new(), "x".repeat(256), "a\nb".to_owned()] {
        let named = client.with(CallOptions::new().idempotency_key(name));
        assert_eq!(named.create_ticket(&ticket()).await.unwrap_err().kind(), ErrorKind::InvalidRequest);
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_can_be_had_as_it_came() {
    let server = always(me().insert_header("x-ratelimit-remaining", "41")).await;
    let client = builder(&server.uri()).build().unwrap();
    let (me, raw) = client.call_raw(GetMe, &Nothing {}, &Nothing {}, &Nothing {}).await.unwrap();
    assert_eq!((me.agent_key.name.as_str(), raw.status().as_u16()), ("ada", 200));
    assert_eq!(
        (&raw.headers()["x-ratelimit-remaining"], raw.request_id()),
        (&"41".parse().unwrap(), Some("r-1"))
    );
    assert!(raw.body().starts_with(b"{\"data\""));
    assert!(!format!("{raw:?}").contains("ada"), "a body may hold a key");

    let refusing = always(ResponseTemplate::new(403).set_body_string("<html>no</html>")).await;
    let error = builder(&refusing.uri()).build().unwrap().me().await.unwrap_err();
    assert_eq!(error.raw().unwrap().body().as_ref(), b"<html>no</html>");
    assert!(!format!("{error:?}").contains("html"));
}

/// What no middleware may say: who asks, under which name, on which terms, and in which form the answer is wanted.
const OURS: [&str; 19] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "range",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-payment",
];

/// Adds what it may and what it may not, and writes down what it sees.
#[derive(Clone, Default)]
struct Nosy(Arc<Mutex<Vec<String>>>);

impl Middleware for Nosy {
    fn before(&self, attempt: &Attempt, headers: &mut HeaderMap) {
        assert!(headers.is_empty());
        headers.insert("traceparent", "00-1".parse().unwrap());
        headers.append("baggage", "a=1".parse().unwrap());
        headers.append("baggage", "b=2".parse().unwrap());
        for ours in OURS {
            headers.insert(ours, HeaderValue::from_static("forged"));
        }
        self.0.lock().unwrap().push(format!("{attempt:?}"));
    }

    fn after(&self, attempt: &Attempt, outcome: &Outcome<'_>) {
        let line = format!("{} {:?} {:?}", attempt.number, outcome.status, outcome.error);
        self.0.lock().unwrap().push(line);
    }
}

#[tokio::test]
async fn a_middleware_sees_every_attempt_and_changes_nothing_that_is_ours() {
    let created = include_str!("../fixtures/tickets.create.documented.json");
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(429);
    Mock::given(any()).respond_with(busy).up_to_n_times(1).mount(&server).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(201).set_body_string(created)).mount(&server).await;
    let nosy = Nosy::default();
    let client = builder(&server.uri()).middleware(nosy.clone()).build().unwrap();
    client.create_ticket(&ticket()).await.unwrap();
    let seen = nosy.0.lock().unwrap().clone();
    assert_eq!((seen[1].as_str(), seen[3].as_str()), ("1 Some(429) Some(RateLimited)", "2 Some(201) None"));
    assert!(!seen.concat().contains(KEY));
    let received = server.received_requests().await.unwrap();
    assert_eq!(received.len(), 2);
    for request in &received {
        assert_eq!(request.headers["traceparent"], "00-1");
        assert_eq!(request.headers.get_all("baggage").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
        assert_eq!(request.headers["authorization"], format!("Bearer {KEY}"));
        assert_eq!(request.headers["content-type"], "application/json");
        assert!(!request.headers.values().any(|value| value == "forged"));
    }
    assert_eq!(received[0].headers["idempotency-key"], received[1].headers["idempotency-key"]);
}

/// What a log holds of it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn spans_tell_operation_attempts_and_request_and_no_secret() {
    use tracing_subscriber::fmt::format::FmtSpan;
    let log = Log::default();
    let writer = {
        let log = log.clone();
        move || log.clone()
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(writer)
        .finish();
    let server = recovering(me()).await;
    let client = builder(&server.uri()).build().unwrap();
    let told = tracing::subscriber::set_default(subscriber);
    client.me().await.unwrap();
    drop(told);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let call =
        text.lines().find(|line| line.contains("openpod{") && line.contains("attempts=4")).expect(&text);
    assert!(call.contains("operation=\"GetMe\"") && call.contains("request_id=\"r-1\""), "{call}");
    for attempt in [
        "attempt{number=1 status=503 request_id=\"r-trouble\"}",
        "attempt{number=4 status=200 request_id=\"r-1\"}",
    ] {
        assert!(text.contains(attempt), "{attempt} in {text}");
    }
    assert!(!text.contains(KEY), "{text}");
}

#[test]
fn every_operation_says_whether_it_may_be_sent_twice() {
    for row in api::ENDPOINTS.iter().chain(&api::EXTENSIONS).chain(&api::owner::ENDPOINTS) {
        let expected = match row.method.as_str() {
            "GET" => [Idempotency::Safe; 2],
            "PATCH" | "DELETE" => [Idempotency::Idempotent; 2],
            // A check changes nothing although it is a POST, and enabling twice is enabling once.
            "POST" if row.name == "VerifyDeliverable" => [Idempotency::Safe; 2],
            _ => [Idempotency::Keyed, Idempotency::Idempotent],
        };
        assert!(expected.contains(&row.idempotency), "{}: {:?}", row.name, row.idempotency);
    }
    let twice_is_once: Vec<_> = api::EXTENSIONS
        .iter()
        .chain(&api::owner::ENDPOINTS)
        .filter(|row| row.method == "POST" && row.idempotency == Idempotency::Idempotent)
        .map(|row| row.name)
        .collect();
    assert_eq!(twice_is_once, ["EnableWebhook", "OwnerEnableWebhook"]);
}
