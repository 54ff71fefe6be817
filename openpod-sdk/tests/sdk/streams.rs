//! Lists and heartbeats as streams: to the end, and no further.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use openpod_sdk::api::agents::AgentFilter;
use openpod_sdk::api::projects::ProjectFilter;
use openpod_sdk::api::tickets::TicketFilter;
use openpod_sdk::api::{TicketStatus, Timestamp};
use openpod_sdk::client::{Boxed, RetryPolicy, Timer};
use openpod_sdk::{Client, Dialect, ErrorKind};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::patience::ends;

/// A service that answers the nth request with what `answer` says, and a client that waits for nothing.
async fn service(
    answer: impl Fn(usize, &Request) -> ResponseTemplate + Send + Sync + 'static,
) -> (MockServer, Client) {
    let server = MockServer::start().await;
    let count = AtomicUsize::new(0);
    let respond = move |request: &Request| answer(count.fetch_add(1, Ordering::Relaxed), request);
    Mock::given(any()).respond_with(respond).mount(&server).await;
    let client = client(&server, NoTime::default());
    (server, client)
}

fn client(server: &MockServer, time: NoTime) -> Client {
    let builder = Client::builder(server.uri()).key("opk_a").retry(RetryPolicy::never()).timer(time);
    let patient = builder.operation_timeout(Duration::MAX).stall_timeout(Duration::MAX);
    patient.random(|| u64::MAX / 2).build().unwrap()
}

/// Nothing takes any time; what was waited for is written down. What is as good as for ever never comes.
#[derive(Clone, Default)]
struct NoTime(Arc<Mutex<Vec<Duration>>>);

impl Timer for NoTime {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, pause: Duration) -> Boxed<()> {
        if pause == Duration::MAX {
            return Box::pin(std::future::pending());
        }
        self.0.lock().unwrap().push(pause);
        Box::pin(async {})
    }
}

/// What rests rests for ever.
struct Standstill;

impl Timer for Standstill {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> Boxed<()> {
        Box::pin(std::future::pending())
    }
}

async fn queries(server: &MockServer) -> Vec<String> {
    let received = server.received_requests().await.unwrap();
    received.iter().map(|request| request.url.query().unwrap_or_default().to_owned()).collect()
}

fn ticket(n: usize) -> Value {
    json!({"id": format!("t{n}"), "title": "A ticket", "status": "todo"})
}

fn page(numbers: std::ops::Range<usize>, next: Option<&str>) -> ResponseTemplate {
    let items: Vec<Value> = numbers.map(ticket).collect();
    ResponseTemplate::new(200).set_body_json(json!({"data": items, "next_cursor": next}))
}

fn three_pages(n: usize, _: &Request) -> ResponseTemplate {
    match n {
        0 => page(0..2, Some("b")),
        // A page may be empty and yet not be the last one.
        1 => page(0..0, Some("c")),
        _ => page(2..3, None),
    }
}

fn todo_of(project: &str) -> TicketFilter {
    TicketFilter { status: Some(TicketStatus::Todo), ..TicketFilter::of(project.into()) }
}

#[tokio::test]
async fn every_item_comes_once_and_every_page_is_asked_for_with_the_same_filter() {
    let (server, client) = service(three_pages).await;
    let all = client.tickets(todo_of("p")).map(|ticket| ticket.unwrap().id).collect::<Vec<_>>();
    let found = ends("three pages have an end", all).await;
    assert_eq!(found, ["t0", "t1", "t2"].map(Into::into));
    let asked = "project_id=p&status=todo&limit=100";
    assert_eq!(
        queries(&server).await,
        [asked.to_owned(), format!("{asked}&cursor=b"), format!("{asked}&cursor=c")]
    );
}

#[tokio::test]
async fn pages_are_asked_for_as_they_are_wanted() {
    let (server, client) = service(three_pages).await;
    let mut tickets = client.tickets(TicketFilter { limit: Some(2), ..todo_of("p") });
    assert!(queries(&server).await.is_empty());
    for _ in 0..2 {
        tickets.next().await.unwrap().unwrap();
    }
    assert_eq!(queries(&server).await, ["project_id=p&status=todo&limit=2"]);
    let sizes = tickets.into_pages().map(|page| page.unwrap().data.len()).collect::<Vec<_>>();
    let sizes = ends("the pages that are left have an end", sizes).await;
    assert_eq!(sizes, [0, 1]);
}

#[tokio::test]
async fn an_error_comes_once_and_is_the_end() {
    let (server, client) =
        service(|n, _| if n == 0 { page(0..2, Some("b")) } else { ResponseTemplate::new(503) }).await;
    let mut tickets = client.tickets(todo_of("p"));
    assert_eq!(tickets.by_ref().take(2).filter(|ticket| std::future::ready(ticket.is_ok())).count().await, 2);
    assert_eq!(tickets.next().await.unwrap().unwrap_err().kind(), ErrorKind::ServiceFailed);
    assert!(tickets.next().await.is_none() && tickets.next().await.is_none());
    assert_eq!(queries(&server).await.len(), 2);
    // A server that is let go serves another test.
    let (_server, client) = service(|_, _| ResponseTemplate::new(503)).await;
    assert!(ends("an error is the end", client.tickets(todo_of("p")).into_vec()).await.is_err());
}

#[tokio::test]
async fn a_service_that_leads_in_a_circle_is_not_asked_for_ever() {
    // After so many pages in a line, so many in a circle.
    for (line, circle) in [(0, 1), (0, 2), (3, 1), (5, 7)] {
        let at = move |n: usize| if n < line { n } else { line + (n - line) % circle };
        let lead = move |n: usize, _: &Request| page(n..n + 1, Some(&format!("c{}", at(n))));
        let (server, client) = service(lead).await;
        let last = ends("a circle is seen", client.tickets(todo_of("p")).into_vec()).await.unwrap_err();
        assert_eq!(last.kind(), ErrorKind::Malformed, "{last}");
        let asked = queries(&server).await.len();
        assert!((line + circle..=3 * (line + circle) + 1).contains(&asked), "{line} {circle}: {asked}");
    }
}

#[tokio::test]
async fn who_stops_waiting_for_an_item_loses_none() {
    let (server, client) = service(|_, _| page(0..2, None)).await;
    let mut tickets = client.tickets(todo_of("p"));
    assert!(tickets.next().now_or_never().is_none());
    assert_eq!(ends("the call goes on", tickets.into_vec()).await.unwrap().len(), 2);
    assert_eq!(queries(&server).await.len(), 1);
}

#[tokio::test]
async fn an_offset_holds_for_the_first_page_alone() {
    let agents = |n: usize, _: &Request| {
        let next = (n == 0).then_some("b");
        ResponseTemplate::new(200).set_body_json(json!({"data": [], "next_cursor": next}))
    };
    let (server, client) = service(agents).await;
    let agents = client.agents(AgentFilter { offset: Some(7), ..AgentFilter::default() });
    ends("two pages have an end", agents.into_vec()).await.unwrap();
    assert_eq!(queries(&server).await, ["limit=100&offset=7", "limit=100&cursor=b"]);
}

#[tokio::test]
async fn the_deployed_service_is_followed_by_its_offsets() {
    let projects = |_: usize, request: &Request| {
        let number = |wanted: &str| {
            request
                .url
                .query_pairs()
                .find(|(name, _)| name == wanted)
                .and_then(|(_, number)| number.parse().ok())
        };
        let (from, limit) = (number("offset").unwrap_or(0), number("limit").unwrap_or(20));
        let project = |n: usize| json!({"id": format!("p{n}"), "title": "A project", "status": "open"});
        let items: Vec<Value> = (from..(from + limit).min(120)).map(project).collect();
        ResponseTemplate::new(200).set_body_json(json!({"data": items}))
    };
    let (server, client) = service(projects).await;
    let projects = client.speaking(Dialect::Deployed).projects(ProjectFilter::default());
    let found = ends("offsets have an end", projects.into_vec()).await.unwrap();
    let ids: std::collections::BTreeSet<_> = found.iter().map(|project| project.id.clone()).collect();
    assert_eq!((found.len(), ids.len()), (120, 120), "{:?}", queries(&server).await);
    assert_eq!(queries(&server).await.len(), 3, "{:?}", queries(&server).await);
}

fn heartbeat(time: &str, has_changes: bool) -> ResponseTemplate {
    let mut body: Value =
        serde_json::from_str(include_str!("../fixtures/heartbeat.documented.json")).unwrap();
    body["data"]["timestamp"] = time.into();
    body["data"]["has_changes"] = has_changes.into();
    ResponseTemplate::new(200).set_body_json(body)
}

#[tokio::test]
async fn a_failed_heartbeat_loses_no_change() {
    let (server, client) = service(|n, _| match n {
        0 => heartbeat("2026-03-12T10:30:00Z", false),
        1 | 2 => ResponseTemplate::new(503),
        _ => heartbeat("2026-03-12T10:40:00Z", true),
    })
    .await;
    let mut beats = client.heartbeats();
    let came = beats.by_ref().take(5).map(|beat| beat.is_ok()).collect::<Vec<_>>();
    let came = ends("failures do not end it", came).await;
    assert_eq!(came, [true, false, false, true, true]);
    let since = |at: &str| format!("changes_since=2026-03-12T{at}Z").replace(':', "%3A");
    let [first, again] = [since("10:30:00.000000"), since("10:40:00.000000")];
    assert_eq!(queries(&server).await, ["", &first, &first, &first, &again]);
    assert_eq!(beats.position(), Some("2026-03-12T10:40:00Z".parse().unwrap()));
}

#[tokio::test]
async fn who_stops_waiting_for_a_heartbeat_loses_none() {
    let (server, client) = service(|_, _| heartbeat("2026-03-12T10:30:00Z", true)).await;
    let mut beats = client.heartbeats();
    assert!(beats.next().now_or_never().is_none());
    assert!(ends("the call goes on", beats.next()).await.unwrap().is_ok());
    assert_eq!(queries(&server).await, [""], "the call went on and was not made again");
}

#[tokio::test]
async fn who_hears_that_there_is_something_does_not_rest_first_and_loses_nothing() {
    let (server, _) = service(|n, _| match n {
        0 => heartbeat("2026-03-12T10:30:00Z", false),
        1 => ResponseTemplate::new(401).set_body_json(json!({"error": "No.", "code": "unauthenticated"})),
        _ => heartbeat("2026-03-12T10:40:00Z", true),
    })
    .await;
    let restful = Client::builder(server.uri()).key("opk_a").timer(Standstill).build().unwrap();
    let mut beats = restful.heartbeats();
    ends("the first one comes at once", beats.next()).await.unwrap().unwrap();
    assert!(beats.next().now_or_never().is_none(), "it rests");
    beats.at_once();
    let refused = ends("it does not rest", beats.next()).await.unwrap().unwrap_err();
    assert_eq!(refused.status(), Some(401));
    beats.at_once();
    assert!(ends("what is over stays over", beats.next()).await.is_none());
    assert_eq!(queries(&server).await, ["", "changes_since=2026-03-12T10%3A30%3A00.000000Z"]);
}

#[tokio::test]
async fn a_jitter_that_is_no_number_is_none() {
    let (server, _) = service(|_, _| heartbeat("2026-03-12T10:30:00Z", true)).await;
    let time = NoTime::default();
    let pause = Duration::from_secs(10);
    let beats = client(&server, time.clone()).heartbeats().every(pause..=pause).jitter(f64::NAN);
    ends("two heartbeats come", beats.take(2).collect::<Vec<_>>()).await;
    assert!(time.0.lock().unwrap().iter().all(|rest| *rest == pause));
}

#[tokio::test]
async fn it_asks_less_often_while_nothing_changes_and_never_sooner_than_asked_to() {
    let (server, _) = service(|n, _| match n {
        0..3 => heartbeat("2026-03-12T10:30:00Z", false),
        3 => ResponseTemplate::new(429).insert_header("retry-after", "90"),
        _ => heartbeat("2026-03-12T10:30:00Z", true),
    })
    .await;
    let (time, secs) = (NoTime::default(), Duration::from_secs);
    let beats = client(&server, time.clone()).heartbeats().every(secs(10)..=secs(40));
    ends("six heartbeats come", beats.take(6).collect::<Vec<_>>()).await;
    let waited: Vec<_> = time.0.lock().unwrap().iter().map(|pause| pause.as_secs_f64().round()).collect();
    assert_eq!(waited, [20.0, 40.0, 40.0, 130.0, 10.0, 10.0]);
}

#[tokio::test]
async fn a_key_that_is_no_longer_good_ends_it() {
    let refusal = json!({"error": "No.", "code": "unauthenticated"});
    let (server, client) = service(move |_, _| ResponseTemplate::new(401).set_body_json(&refusal)).await;
    let all = client.heartbeats().since(Timestamp::from_micros(0)).collect::<Vec<_>>();
    let all = ends("a final refusal is the end", all).await;
    assert_eq!((all.len(), all[0].as_ref().unwrap_err().status()), (1, Some(401)));
    assert_eq!(queries(&server).await, ["changes_since=1970-01-01T00%3A00%3A00.000000Z"]);
}
