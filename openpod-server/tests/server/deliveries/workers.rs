//! Those who deliver: several at once, one that died, one that stops, one that runs.

use std::time::Duration;

use openpod_sdk::api::Timestamp;
use openpod_sdk::clock::Clock;
use openpod_server::domain::delivery::Fate;
use openpod_server::store::deliveries::{Lane, Leased};
use openpod_server::store::turns::{self, Attempt, Turn};
use openpod_server::webhooks::{self, Worker};
use tokio::sync::{mpsc, oneshot};
use wiremock::matchers::{header, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::stage::{PATIENCE, Stage, Tell, answering, hook, received};

#[tokio::test]
async fn several_workers_deliver_each_event_once() {
    let stage = Stage::new().await;
    let receiver = answering(200).await;
    for n in 0..10 {
        stage.register(&format!("{}?n={n}", hook(&receiver))).await;
    }
    stage.assign().await;
    let workers: Vec<_> = (0..4).map(|_| stage.worker()).collect();
    let done = futures_util::future::join_all(workers.iter().map(Worker::deliver_due)).await;
    assert!(done.iter().all(Result::is_ok));
    assert_eq!(received(&receiver).await.len(), 10);
}

#[tokio::test]
async fn the_lease_of_a_dead_process_runs_out_and_its_late_verdict_counts_for_nothing() {
    let stage = Stage::new().await;
    let receiver = answering(200).await;
    stage.register(&hook(&receiver)).await;
    stage.assign().await;
    let [leased] = stage.lease(Lane::Working).await.try_into().unwrap();
    stage.worker().deliver_due().await.unwrap();
    assert_eq!(received(&receiver).await.len(), 0);

    stage.world.clock.advance(PATIENCE);
    stage.worker().deliver_due().await.unwrap();
    assert_eq!(received(&receiver).await.len(), 1);

    let now: Timestamp = stage.world.clock.now();
    let late = Attempt {
        delivery: leased.due[0].id.clone(),
        number: 1,
        begun_at: now,
        ended_at: now,
        http_status: Some(500),
        error: Some("late".to_owned()),
        fate: Fate::Again { at: now, failing_since: now },
    };
    let Leased { lease, webhook, failing_since, .. } = leased;
    let turn = Turn { lease, webhook: webhook.clone(), failing_since, is_slow: false, attempts: vec![late] };
    let write = stage
        .world
        .app
        .store()
        .write(move |tx| Box::pin(async move { turns::note(tx, std::slice::from_ref(&turn)).await }));
    assert_eq!(write.await.unwrap(), [webhook]);
    assert_eq!(stage.outbox().await, [("delivered".to_owned(), 1, None)]);
}

#[tokio::test]
async fn who_stops_finishes_the_attempts_in_flight_and_begins_no_more() {
    /// Tells of the request, and answers when it is allowed to.
    struct Held(mpsc::UnboundedSender<()>, std::sync::Mutex<std::sync::mpsc::Receiver<()>>);
    impl Respond for Held {
        fn respond(&self, _: &Request) -> ResponseTemplate {
            self.0.send(()).unwrap();
            self.1.lock().unwrap().recv().unwrap();
            ResponseTemplate::new(200)
        }
    }

    let stage = Stage::new().await;
    let receiver = MockServer::start().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let (release, held) = std::sync::mpsc::channel();
    Mock::given(path("/hook")).respond_with(Held(tell, held.into())).mount(&receiver).await;
    stage.register(&hook(&receiver)).await;
    stage.assign().await;
    stage.world.clock.advance(Duration::from_micros(1));
    stage.assign().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(webhooks::run(stage.worker(), async {
        let _ = stopped.await;
    }));
    told.recv().await.unwrap();
    stop.send(()).unwrap();
    release.send(()).unwrap();
    running.await.unwrap();
    let states: Vec<_> =
        stage.outbox().await.into_iter().map(|(status, attempts, _)| (status, attempts)).collect();
    assert_eq!(states, [("delivered".to_owned(), 1), ("pending".to_owned(), 0)]);
}

#[tokio::test]
async fn a_worker_that_runs_wakes_up_for_each_event() {
    let stage = Stage::new().await;
    let receiver = MockServer::start().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    Mock::given(header("x-webhook-event", "ticket_assigned")).respond_with(Tell(tell)).mount(&receiver).await;
    stage.register(&hook(&receiver)).await;
    let running = tokio::spawn(webhooks::run(stage.worker(), std::future::pending()));
    for _ in 0..5 {
        stage.assign().await;
        told.recv().await.unwrap();
    }
    running.abort();
}
