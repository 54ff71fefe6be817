//! What a good server never does: garbage, truncation, HTML, silence, redirects, endless answers.

use std::time::Duration;

use openpod_sdk::api::ErrorCode;
use openpod_sdk::api::tickets::{NewTicket, TicketPatch};
use openpod_sdk::client::{CallOptions, RetryPolicy};
use openpod_sdk::{Client, ErrorKind};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::patience::ends;

const KEY: &str = "opk_do_not_print_me";

/// Retries at once, so that no test waits.
fn client(address: &str) -> Client {
    let retry = RetryPolicy { base: Duration::ZERO, ..RetryPolicy::default() };
    Client::builder(address).key(KEY).retry(retry).build().unwrap()
}

async fn always(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&server).await;
    server
}

async fn requests(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

fn ticket() -> NewTicket {
    NewTicket::task("p".into(), "Fix it", "There is something to be fixed here.")
}

/// Answers each connection with these bytes and closes it; tells how many connections there were.
async fn raw(answer: &'static [u8]) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(answer).await;
        }
    });
    (address, task)
}

#[tokio::test]
async fn a_refusal_tells_status_code_sentence_and_request() {
    let body = json!({"error": "Agent A holds it.", "code": "already_claimed", "request_id": "r1", "details": {"a": 1}});
    let server = always(ResponseTemplate::new(409).set_body_json(body)).await;
    let error = client(&server.uri()).update_ticket(&"t".into(), &TicketPatch::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.is(ErrorCode::AlreadyClaimed));
    assert_eq!((error.status(), error.request_id()), (Some(409), Some("r1")));
    assert_eq!(error.to_string(), "UpdateTicket: 409 already_claimed: Agent A holds it. [request r1]");
    assert_eq!(requests(&server).await, 1, "a refusal is final");
}

#[tokio::test]
async fn an_unknown_code_survives() {
    let body = json!({"error": "No.", "code": "moon_phase"});
    let server = always(ResponseTemplate::new(418).set_body_json(body)).await;
    let error = client(&server.uri()).me().await.unwrap_err();
    assert_eq!(error.code().unwrap().as_str(), "moon_phase");
}

#[tokio::test]
async fn reading_is_tried_again_when_the_service_is_in_trouble_and_then_reported() {
    let server = always(ResponseTemplate::new(503)).await;
    let error = client(&server.uri()).heartbeat(None).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::ServiceFailed, 4));
    assert_eq!(requests(&server).await, 4);
}

#[tokio::test]
async fn reading_succeeds_once_the_service_recovers() {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(500)).up_to_n_times(2).mount(&server).await;
    let heartbeat = include_str!("../fixtures/heartbeat.documented.json");
    Mock::given(path("/api/agent/v1/heartbeat"))
        .and(header("authorization", format!("Bearer {KEY}").as_str()))
        .respond_with(ResponseTemplate::new(200).set_body_string(heartbeat))
        .mount(&server)
        .await;
    let answer = client(&server.uri()).heartbeat(None).await.unwrap();
    assert_eq!(answer.messages.unread_count, 3);
}

#[tokio::test]
async fn creating_is_not_sent_twice_when_a_proxy_answers_with_html() {
    let server = always(ResponseTemplate::new(500).set_body_raw("<html>oops</html>", "text/html")).await;
    let error = client(&server.uri()).create_ticket(&ticket()).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::OutcomeUnknown, Some(500)));
    assert_eq!(requests(&server).await, 1);
}

#[tokio::test]
async fn a_proxy_that_speaks_json_is_not_taken_for_the_service() {
    let server = always(ResponseTemplate::new(502).set_body_json(json!({"error": "bad gateway"}))).await;
    let error = client(&server.uri()).create_ticket(&ticket()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_from_service()), (ErrorKind::OutcomeUnknown, false));
    let body = json!({"error": "A defect of the server.", "code": "internal", "request_id": "r"});
    let server = always(ResponseTemplate::new(500).set_body_json(body)).await;
    let error = client(&server.uri()).create_ticket(&ticket()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_from_service()), (ErrorKind::ServiceFailed, true));
}

#[tokio::test]
async fn creating_is_sent_again_with_the_same_key_once_the_service_said_that_it_honours_keys() {
    let server = MockServer::start().await;
    let broken = ResponseTemplate::new(503).insert_header("idempotency-supported", "true");
    Mock::given(method("POST")).respond_with(broken).up_to_n_times(2).mount(&server).await;
    let created = include_str!("../fixtures/tickets.create.documented.json");
    let answer = ResponseTemplate::new(201).set_body_string(created);
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;

    client(&server.uri()).create_ticket(&ticket()).await.unwrap();
    let received = server.received_requests().await.unwrap();
    let keys: Vec<_> = received.iter().map(|request| request.headers["idempotency-key"].clone()).collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[tokio::test]
async fn too_many_requests_are_tried_again_even_when_creating() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "0");
    Mock::given(method("POST")).respond_with(busy).up_to_n_times(1).mount(&server).await;
    let created = include_str!("../fixtures/tickets.create.documented.json");
    let answer = ResponseTemplate::new(201).set_body_string(created);
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    client(&server.uri()).create_ticket(&ticket()).await.unwrap();
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_left_to_the_caller() {
    let server = always(ResponseTemplate::new(429).insert_header("retry-after", "3600")).await;
    let error = ends("an hour is not waited for", client(&server.uri()).me()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::RateLimited, 1));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
}

#[tokio::test]
async fn a_wait_beyond_all_time_is_no_reason_to_panic() {
    let endless = ResponseTemplate::new(429).insert_header("retry-after", u64::MAX.to_string().as_str());
    let server = always(endless.insert_header("x-ratelimit-window", u64::MAX.to_string().as_str())).await;
    let client = Client::builder(server.uri()).key(KEY).requests_per_minute(60).build().unwrap();
    for _ in 0..2 {
        let error = ends("all time is not waited for", client.me()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
    }
    let beat = ends("nor by a heartbeat", client.heartbeats().next()).await.unwrap();
    assert_eq!(beat.unwrap_err().kind(), ErrorKind::RateLimited);
    assert_eq!(requests(&server).await, 1);
}

#[tokio::test]
async fn a_truncated_answer_to_a_creation_leaves_the_outcome_unknown() {
    let (address, task) = raw(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"data\":").await;
    let error = client(&address).create_ticket(&ticket()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::OutcomeUnknown, 1));
    let error = client(&address).me().await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Interrupted, 4), "reading is tried again");
    task.abort();
}

#[tokio::test]
async fn an_unreadable_answer_to_a_creation_leaves_the_outcome_unknown_and_tells_what_came() {
    let garbage = ResponseTemplate::new(201).set_body_string("not json").insert_header("x-request-id", "r-9");
    let server = always(garbage).await;
    let error = client(&server.uri()).create_ticket(&ticket()).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::OutcomeUnknown, Some(201)));
    assert_eq!((error.request_id(), error.raw().unwrap().body().as_ref()), (Some("r-9"), &b"not json"[..]));
    assert_eq!(requests(&server).await, 1);
}

#[tokio::test]
async fn a_claim_of_a_version_is_not_repeated_blindly() {
    let (address, task) = raw(b"").await;
    let claim = client(&address).with(CallOptions::new().if_match(3));
    let error = claim.update_ticket(&"t".into(), &TicketPatch::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::OutcomeUnknown, 1));
    task.abort();
}

#[tokio::test]
async fn garbage_is_reported_without_showing_it() {
    let garbage = format!("{{\"data\": \"{KEY}\"}}");
    for body in [garbage.as_str(), "not json", "", "[]", "{\"data\":{}}"] {
        let server = always(ResponseTemplate::new(200).set_body_string(body)).await;
        let error = client(&server.uri()).me().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{body}");
        assert!(!format!("{error} {error:?}").contains(KEY));
    }
}

#[tokio::test]
async fn an_answer_larger_than_the_limit_is_refused() {
    let server = always(ResponseTemplate::new(200).set_body_string("x".repeat(2000))).await;
    let small = Client::builder(server.uri()).key(KEY).body_limit(1000).build().unwrap();
    let error = small.me().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("larger than the limit"));
}

#[tokio::test]
async fn a_service_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let impatient = |address: &str| {
        let limit = Duration::from_millis(50);
        Client::builder(address).key(KEY).attempt_timeout(limit).retry(RetryPolicy::never()).build().unwrap()
    };
    let error = ends("an attempt has its time", impatient(&address).me()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let error = ends("a creation too", impatient(&address).create_ticket(&ticket())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn a_service_that_is_not_there_was_never_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&address).create_ticket(&ticket()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unreachable, 4));
}

#[tokio::test]
async fn a_single_call_may_be_more_patient_or_never_tried_again() {
    let server = always(ResponseTemplate::new(503)).await;
    let error = client(&server.uri()).with(CallOptions::new().without_retries()).me().await.unwrap_err();
    assert_eq!((error.attempts(), requests(&server).await), (1, 1));

    let slow = always(ResponseTemplate::new(404).set_delay(Duration::from_millis(200))).await;
    let hasty =
        Client::builder(slow.uri()).key(KEY).attempt_timeout(Duration::from_millis(20)).build().unwrap();
    let once = CallOptions::new().without_retries();
    let given_up = ends("the client's limit", hasty.with(once.clone()).me()).await.unwrap_err();
    assert_eq!(given_up.kind(), ErrorKind::Interrupted);
    let patient = hasty.with(once.attempt_timeout(Duration::from_secs(60)));
    assert_eq!(patient.me().await.unwrap_err().status(), Some(404));
}

#[tokio::test]
async fn clones_share_one_limit_and_what_does_not_fit_is_not_sent() {
    let server = always(ResponseTemplate::new(404)).await;
    let soon = RetryPolicy { deadline: Duration::from_secs(5), ..RetryPolicy::default() };
    let client = Client::builder(server.uri()).key(KEY).requests_per_minute(3).retry(soon).build().unwrap();
    for _ in 0..3 {
        assert_eq!(client.clone().me().await.unwrap_err().status(), Some(404));
    }
    let held = ends("a turn too far away", client.with(CallOptions::new()).me()).await.unwrap_err();
    assert_eq!((held.kind(), held.status(), held.attempts()), (ErrorKind::RateLimited, None, 0));
    assert!(held.retry_after().unwrap() > Duration::from_secs(5), "{held}");
    assert_eq!(requests(&server).await, 3);
    client.health().await.unwrap_err();
    assert_eq!(requests(&server).await, 4, "public operations are not counted by key");
}

#[tokio::test]
async fn a_service_that_says_that_nothing_is_left_is_not_asked_again_before_its_time() {
    let spent = ResponseTemplate::new(404).insert_header("x-ratelimit-remaining", "0");
    let server = always(spent.insert_header("x-ratelimit-window", "3600")).await;
    let client = Client::builder(server.uri()).key(KEY).requests_per_minute(60).build().unwrap();
    client.me().await.unwrap_err();
    let held = ends("an hour is not waited for", client.me()).await.unwrap_err();
    assert_eq!(held.kind(), ErrorKind::RateLimited);
    assert_eq!(requests(&server).await, 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = always(ResponseTemplate::new(200)).await;
    let server = always(ResponseTemplate::new(307).insert_header("location", elsewhere.uri().as_str())).await;
    let error = client(&server.uri()).me().await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Refused, Some(307)));
    assert_eq!(requests(&elsewhere).await, 0);
}

#[tokio::test]
async fn a_call_that_needs_a_key_is_not_sent_without_one() {
    let server = always(ResponseTemplate::new(200)).await;
    let error = Client::builder(server.uri()).build().unwrap().me().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(requests(&server).await, 0);
}

#[tokio::test]
async fn nothing_that_prints_shows_the_key() {
    let server = always(ResponseTemplate::new(401)).await;
    let client = client(&server.uri());
    let error = client.me().await.unwrap_err();
    assert!(!format!("{client:?} {error:?} {error}").contains(KEY));
}

#[tokio::test]
async fn a_service_that_takes_no_connection_is_given_up_as_not_reached() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    // What the system takes in for a listener that accepts nobody is filled, until it leaves out who comes.
    let moment = Duration::from_millis(50);
    let fill = || std::net::TcpStream::connect_timeout(&address, moment).ok();
    let taken_in: Vec<_> = std::iter::from_fn(fill).collect();
    let hour = Duration::from_secs(3_600);
    let retry = RetryPolicy { attempts: 2, base: Duration::ZERO, ..RetryPolicy::default() };
    let client = Client::builder(format!("http://{address}"))
        .key(KEY)
        .retry(retry)
        .connect_timeout(moment)
        .attempt_timeout(hour)
        .operation_timeout(hour)
        .build()
        .unwrap();
    let refused = ends("a call to nobody", client.create_ticket(&ticket())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unreachable);
    drop((listener, taken_in));
}
