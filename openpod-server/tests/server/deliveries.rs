//! Events on their way to receivers of all kinds.

mod isolation;
mod log;
mod rotation;
pub(super) mod stage;
mod tls;
mod workers;

use std::time::Duration;

use openpod_sdk::api::EventKind;
use openpod_sdk::clock::Clock;
use openpod_sdk::webhook::{Event, Verifier};
use openpod_server::store::deliveries::{Lane, Leased};
use openpod_server::webhooks;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::world::{AGENT, text};
use stage::{SECRETS, Stage, Tell, answering, hook, received, ticket_of};

#[tokio::test]
async fn a_delivery_arrives_signed_in_both_schemes_for_either_kind_of_secret() {
    let stage = Stage::new().await;
    let receiver = answering(200).await;
    for secret in SECRETS {
        let body = json!({"url": hook(&receiver), "events": ["*"], "secret": secret});
        stage.world.post(&format!("{AGENT}/webhooks"), &stage.agent, body).await.expect(201);
    }
    let ticket = stage.assign().await;
    stage.worker().deliver_due().await.unwrap();

    let (requests, now) = (received(&receiver).await, stage.world.clock.now());
    assert_eq!(requests.len(), 2);
    for secret in SECRETS {
        let standard = Verifier::new([secret.into()]).unwrap();
        let proven = requests.iter().find_map(|r| standard.verify(&r.headers, &r.body, now).ok()).unwrap();
        let Event::TicketAssigned(event) = proven.delivery.event() else { panic!("{proven:?}") };
        assert_eq!(
            (event.ticket_id.as_str(), proven.delivery.kind),
            (ticket.as_str(), EventKind::TicketAssigned)
        );
        let older = standard.accept_legacy();
        let alone = requests.iter().map(|request| {
            let mut headers = request.headers.clone();
            headers.remove("webhook-signature");
            older.verify(&headers, &request.body, now)
        });
        assert_eq!(alone.filter(Result::is_ok).count(), 1);
    }
    for request in &requests {
        assert_eq!(request.headers["x-webhook-event"], "ticket_assigned");
        assert_eq!(request.headers["content-type"], "application/json");
    }
    assert_eq!(stage.outbox().await, vec![("delivered".to_owned(), 1, None); 2]);
}

#[tokio::test]
async fn what_failed_is_sent_again_after_its_pause_under_the_same_id() {
    let stage = Stage::new().await;
    let receiver = MockServer::start().await;
    Mock::given(path("/hook"))
        .respond_with(ResponseTemplate::new(500))
        .up_to_n_times(2)
        .mount(&receiver)
        .await;
    Mock::given(path("/hook")).respond_with(ResponseTemplate::new(204)).mount(&receiver).await;
    stage.register(&hook(&receiver)).await;
    stage.assign().await;
    let worker = stage.worker();
    for (seconds, sent) in [(0, 1), (3, 1), (4, 2), (200, 2), (200, 3), (1_000_000, 3)] {
        stage.world.clock.advance(Duration::from_secs(seconds));
        worker.deliver_due().await.unwrap();
        assert_eq!(received(&receiver).await.len(), sent, "after {seconds} s more");
    }
    let requests = received(&receiver).await;
    let first = &requests[0];
    for again in &requests[1..] {
        assert_eq!((&again.headers["webhook-id"], &again.body), (&first.headers["webhook-id"], &first.body));
        assert_ne!(again.headers["webhook-timestamp"], first.headers["webhook-timestamp"]);
    }
    assert_eq!(stage.outbox().await, [("delivered".to_owned(), 3, None)]);
}

#[tokio::test]
async fn after_ten_attempts_a_delivery_has_failed_and_the_next_one_is_still_made() {
    let stage = Stage::new().await;
    let receiver = answering(500).await;
    stage.register(&hook(&receiver)).await;
    stage.assign().await;
    let worker = stage.worker();
    for _ in 0..100 {
        stage.world.clock.advance(Duration::from_secs(3600));
        worker.deliver_due().await.unwrap();
    }
    assert_eq!(received(&receiver).await.len(), 10);
    let complaint = Some("the receiver answered 500".to_owned());
    assert_eq!(stage.outbox().await, [("failed".to_owned(), 10, complaint)]);
    assert_eq!(stage.webhook().await["is_active"], true);
    stage.assign().await;
    worker.deliver_due().await.unwrap();
    assert_eq!(received(&receiver).await.len(), 11);
}

#[tokio::test]
async fn five_days_without_a_success_disable_a_webhook() {
    let stage = Stage::new().await;
    let receiver = answering(500).await;
    stage.register(&hook(&receiver)).await;
    let worker = stage.worker();
    for day in 0..=5 {
        assert_eq!(stage.webhook().await["is_active"], true, "on day {day}");
        stage.assign().await;
        worker.deliver_due().await.unwrap();
        stage.world.clock.advance(Duration::from_secs(86_400));
    }
    let webhook = stage.webhook().await;
    assert_eq!(webhook["is_active"], false);
    assert!(text(&webhook["disabled_reason"]).contains("5 days"), "{webhook}");
    let after = json!({"is_active": false, "disabled_reason": webhook["disabled_reason"]});
    let deed = ("webhook disable".to_owned(), text(&webhook["id"]), json!({"is_active": true}), after);
    assert_eq!(stage.deeds_of_the_platform().await, [deed], "it was changed once");
    let sent = received(&receiver).await.len();
    stage.assign().await;
    worker.deliver_due().await.unwrap();
    assert_eq!(received(&receiver).await.len(), sent);
    assert!(stage.outbox().await.iter().all(|(status, ..)| status == "failed"));
}

#[tokio::test]
async fn one_success_makes_a_webhook_whole_again() {
    let stage = Stage::new().await;
    let receiver = MockServer::start().await;
    Mock::given(path("/hook"))
        .respond_with(ResponseTemplate::new(500))
        .up_to_n_times(1)
        .mount(&receiver)
        .await;
    Mock::given(path("/hook"))
        .respond_with(ResponseTemplate::new(200))
        .up_to_n_times(1)
        .mount(&receiver)
        .await;
    Mock::given(path("/hook")).respond_with(ResponseTemplate::new(500)).mount(&receiver).await;
    stage.register(&hook(&receiver)).await;
    let worker = stage.worker();
    stage.assign().await;
    worker.deliver_due().await.unwrap();
    stage.world.clock.advance(Duration::from_secs(4 * 86_400));
    worker.deliver_due().await.unwrap();
    stage.assign().await;
    worker.deliver_due().await.unwrap();
    stage.world.clock.advance(Duration::from_secs(4 * 86_400));
    worker.deliver_due().await.unwrap();
    assert_eq!(received(&receiver).await.len(), 4);
    assert_eq!(stage.webhook().await["is_active"], true);
}

#[tokio::test]
async fn gone_disables_a_webhook_and_ends_what_waits_for_it() {
    let stage = Stage::new().await;
    let receiver = answering(410).await;
    stage.register(&hook(&receiver)).await;
    stage.assign().await;
    stage.assign().await;
    stage.worker().deliver_due().await.unwrap();
    assert_eq!(received(&receiver).await.len(), 1);
    let webhook = stage.webhook().await;
    assert_eq!(webhook["is_active"], false);
    assert!(text(&webhook["disabled_reason"]).contains("410"), "{webhook}");
    let after = json!({"is_active": false, "disabled_reason": webhook["disabled_reason"]});
    let deed = ("webhook disable".to_owned(), text(&webhook["id"]), json!({"is_active": true}), after);
    assert_eq!(stage.deeds_of_the_platform().await, [deed]);
    stage.assign().await;
    stage.world.clock.advance(Duration::from_secs(86_400));
    stage.worker().deliver_due().await.unwrap();
    assert_eq!(received(&receiver).await.len(), 1);
    assert_eq!(stage.outbox().await.iter().filter(|(status, ..)| status == "failed").count(), 2);
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_pause_gets_it() {
    let stage = Stage::new().await;
    let receiver = MockServer::start().await;
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "3600");
    Mock::given(path("/hook")).respond_with(busy).up_to_n_times(1).mount(&receiver).await;
    Mock::given(path("/hook")).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
    stage.register(&hook(&receiver)).await;
    stage.assign().await;
    for (seconds, sent) in [(0, 1), (3599, 1), (1, 2)] {
        stage.world.clock.advance(Duration::from_secs(seconds));
        stage.worker().deliver_due().await.unwrap();
        assert_eq!(received(&receiver).await.len(), sent);
    }
}

#[tokio::test]
async fn deliveries_keep_their_order_where_nothing_failed() {
    let stage = Stage::new().await;
    let receiver = answering(200).await;
    stage.register(&hook(&receiver)).await;
    let mut tickets = Vec::new();
    for _ in 0..20 {
        tickets.push(stage.assign().await);
        stage.world.clock.advance(Duration::from_micros(1));
    }
    let (one, other) = (stage.worker(), stage.worker());
    let (one, other) = tokio::join!(one.deliver_due(), other.deliver_due());
    one.and(other).unwrap();
    stage.worker().deliver_due().await.unwrap();
    let arrived: Vec<_> = received(&receiver).await.iter().map(ticket_of).collect();
    assert_eq!(arrived, tickets);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_nothing_follows_it() {
    let stage = Stage::new().await;
    let receiver = MockServer::start().await;
    let elsewhere = ResponseTemplate::new(307).insert_header("location", "/elsewhere");
    Mock::given(path("/hook")).respond_with(elsewhere).mount(&receiver).await;
    stage.register(&hook(&receiver)).await;
    stage.assign().await;
    stage.worker().deliver_due().await.unwrap();
    assert_eq!(received(&receiver).await.len(), 1);
    let complaint = "the receiver answered 307, and redirects are not followed".to_owned();
    assert_eq!(stage.outbox().await, [("pending".to_owned(), 1, Some(complaint))]);
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_nobody_else() {
    let stage = Stage::new().await;
    // The machine accepts for it, and nobody ever answers.
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    stage.register(&format!("http://{}/hook", hanging.local_addr().unwrap())).await;
    let receiver = MockServer::start().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    Mock::given(path("/hook")).respond_with(Tell(tell)).mount(&receiver).await;
    stage.register(&hook(&receiver)).await;

    let running = tokio::spawn(webhooks::run(stage.worker(), std::future::pending()));
    for _ in 0..3 {
        stage.assign().await;
        told.recv().await.unwrap();
    }
    running.abort();
    let hung = stage
        .outbox()
        .await
        .iter()
        .filter(|(status, attempts, _)| status == "pending" && *attempts == 0)
        .count();
    assert!(hung >= 3, "{:?}", stage.outbox().await);
}

#[tokio::test]
async fn webhooks_that_fail_take_no_places_from_those_that_work() {
    let stage = Stage::new().await;
    let (dead, receiver) = (answering(500).await, answering(200).await);
    stage.register(&hook(&dead)).await;
    stage.register(&hook(&receiver)).await;
    stage.assign().await;
    stage.worker().deliver_due().await.unwrap();
    stage.assign().await;
    let urls = |leased: Vec<Leased>| leased.into_iter().map(|leased| leased.url).collect::<Vec<_>>();
    assert_eq!(urls(stage.lease(Lane::Working).await), [hook(&receiver)]);
    assert_eq!(urls(stage.lease(Lane::Struggling).await), [hook(&dead)]);
}

#[tokio::test]
async fn names_are_judged_by_where_they_lead_and_connected_to_there() {
    let stage = Stage::new().await;
    let receiver = answering(200).await;
    let port = receiver.address().port();
    for (name, expected) in [
        ("http://receiver.test", None),
        (
            "http://private.test",
            Some("plain http goes only to networks that the operator of this platform allows"),
        ),
        (
            "http://mixed.test",
            Some("plain http goes only to networks that the operator of this platform allows"),
        ),
        ("https://private.test", Some("lead to the public internet, not to 10.0.0.1")),
        ("http://nowhere.test", Some("")),
        ("http://unknown.test", Some("there is no such name")),
    ] {
        let webhook = stage.register(&format!("{name}:{port}/hook")).await;
        stage.assign().await;
        stage.worker().deliver_due().await.unwrap();
        let (status, _, complaint) = stage.outbox().await.pop().unwrap();
        assert_eq!(status == "delivered", expected.is_none(), "{name}: {complaint:?}");
        let complaint = complaint.unwrap_or_default();
        assert!(complaint.contains(expected.unwrap_or_default()), "{name}: {complaint}");
        assert!(!complaint.contains("/hook"), "{complaint}");
        let one = format!("{AGENT}/webhooks/{}", text(&webhook["id"]));
        stage.world.call(http::Method::DELETE, &one, Some(&stage.agent), None).await.expect(200);
    }
    assert_eq!(received(&receiver).await.len(), 1);
}

#[tokio::test]
async fn what_waits_for_a_deleted_webhook_is_deleted_with_it() {
    let stage = Stage::new().await;
    let receiver = answering(200).await;
    let webhook = stage.register(&hook(&receiver)).await;
    stage.assign().await;
    let one = format!("{AGENT}/webhooks/{}", text(&webhook["id"]));
    stage.world.call(http::Method::DELETE, &one, Some(&stage.agent), None).await.expect(200);
    stage.worker().deliver_due().await.unwrap();
    assert_eq!((received(&receiver).await.len(), stage.outbox().await.len()), (0, 0));
}

#[tokio::test]
async fn an_event_reaches_those_who_asked_for_it_and_never_its_author() {
    let stage = Stage::new().await;
    let receiver = answering(200).await;
    let lead = stage.world.member(&stage.project, "leo", "lead").await;
    stage.register_for(&lead, &format!("{}?lead", hook(&receiver))).await;
    stage.register(&format!("{}?worker", hook(&receiver))).await;
    let other = json!({"url": format!("{}?other", hook(&receiver)), "events": ["message_received"]});
    stage.world.post(&format!("{AGENT}/webhooks"), &stage.agent, other).await.expect(201);
    let body = json!({
        "project_id": stage.project.id, "title": "Mine", "assignee_agent_key_id": lead.id,
        "description": "It is broken in a way that takes thirty characters to say.",
    });
    stage.world.post(&format!("{AGENT}/tickets"), &lead, body.clone()).await.expect(201);
    stage.worker().deliver_due().await.unwrap();
    assert_eq!(received(&receiver).await.len(), 0);
    stage.world.post(&format!("{AGENT}/tickets"), &stage.project.owner, body).await.expect(201);
    stage.assign().await;
    stage.worker().deliver_due().await.unwrap();
    let mut asked: Vec<_> =
        received(&receiver).await.iter().map(|r| r.url.query().unwrap().to_owned()).collect();
    asked.sort();
    assert_eq!(asked, ["lead", "worker"]);
}

#[tokio::test]
async fn a_delivery_that_ended_is_forgotten_after_a_month() {
    let stage = Stage::new().await;
    let receiver = answering(200).await;
    stage.register(&hook(&receiver)).await;
    stage.assign().await;
    let worker = stage.worker();
    worker.deliver_due().await.unwrap();
    for (days, left) in [(29, 1), (2, 0)] {
        stage.world.clock.advance(Duration::from_secs(days * 86_400));
        assert!(!worker.sweep().await.unwrap());
        assert_eq!(stage.outbox().await.len(), left);
    }
}
