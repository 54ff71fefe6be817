//! Receivers that are dead, slow or chatty, and what others notice of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use openpod_server::store::StoreError;
use openpod_server::store::deliveries::Lane;
use openpod_server::store::turns::{self, Turn};
use openpod_server::webhooks::sender::Names;
use openpod_server::webhooks::{self, Means, Sender, TargetPolicy};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::stage::{PATIENCE, Stage, Tell, answering, hook, local, received, take};
use crate::server::world::{AGENT, text};

/// A receiver that answers with these bytes and then says nothing more, and keeps the connection open.
async fn saying(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.write_all(answer).await;
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    url
}

#[tokio::test]
async fn of_a_hundred_receivers_one_that_is_dead_slows_no_other() {
    let stage = Stage::new().await;
    // The machine accepts for it, and nobody ever answers.
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let receiver = MockServer::start().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    Mock::given(path("/hook")).respond_with(Tell(tell)).mount(&receiver).await;
    let mut agents = vec![stage.agent.clone()];
    for n in 1..5 {
        agents.push(stage.world.member(&stage.project, &format!("wanda-{n}"), "worker").await);
    }
    for (n, agent) in agents.iter().flat_map(|agent| (0..20).map(move |n| (n, agent))) {
        let is_dead = n == 0 && agent.id == stage.agent.id;
        let url =
            if is_dead { format!("http://{}/hook", dead.local_addr().unwrap()) } else { hook(&receiver) };
        stage.register_for(agent, &url).await;
    }
    let running = tokio::spawn(webhooks::run(stage.worker(), std::future::pending()));
    for _ in 0..3 {
        for agent in &agents {
            stage.world.ticket(&stage.project, Some(agent)).await;
        }
        for _ in 0..99 {
            told.recv().await.unwrap();
        }
    }
    running.abort();
    let hung = stage.outbox().await.iter().filter(|(status, ..)| status == "pending").count();
    assert!(hung >= 3, "the dead one has answered nothing");
}

#[tokio::test]
async fn a_webhook_has_one_attempt_in_flight_whatever_waits_for_it() {
    /// Counts who is there at once.
    #[derive(Clone, Default)]
    struct Crowd(Arc<AtomicUsize>, Arc<AtomicUsize>);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let crowd = Crowd::default();
    let counting = crowd.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Crowd(now, most) = counting.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
                }
            });
        }
    });
    let stage = Stage::new().await;
    stage.register(&url).await;
    for _ in 0..40 {
        stage.assign().await;
    }
    let workers = [stage.worker(), stage.worker()];
    let done = futures_util::future::join_all(workers.iter().map(webhooks::Worker::deliver_due)).await;
    assert!(done.iter().all(Result::is_ok));
    stage.worker().deliver_due().await.unwrap();
    assert_eq!(stage.outbox().await, vec![("delivered".to_owned(), 1, None); 40]);
    assert_eq!(crowd.1.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_deadline_covers_headers_and_body_alike() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nand then it drips",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
    ] {
        let stage = Stage::new().await;
        stage.register(&saying(answer).await).await;
        stage.assign().await;
        stage.worker_within(Duration::from_millis(50)).deliver_due().await.unwrap();
        let [(status, attempts, complaint)] = stage.outbox().await.try_into().unwrap();
        let said = String::from_utf8_lossy(answer);
        assert_eq!((status.as_str(), attempts), ("pending", 1), "{said}");
        assert!(complaint.unwrap().contains("did not answer in full within 0.05 s"), "{said}");
    }
}

#[tokio::test]
async fn of_an_answer_64_kib_are_read_and_then_it_counts() {
    let stage = Stage::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    stage.register(&format!("http://{}/hook", listener.local_addr().unwrap())).await;
    let endless = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
        let mut sent = 0_usize;
        let chunk = [b"1000\r\n".to_vec(), vec![b'x'; 0x1000], b"\r\n".to_vec()].concat();
        while stream.write_all(&chunk).await.is_ok() {
            sent += 0x1000;
        }
        sent
    });
    stage.assign().await;
    stage.worker().deliver_due().await.unwrap();
    assert_eq!(stage.outbox().await, [("delivered".to_owned(), 1, None)]);
    // What lay in the buffers between the two was sent, too; and no more, because the connection was closed.
    assert!(endless.await.unwrap() >= 64 * 1024);
}

#[tokio::test]
async fn a_slow_receiver_is_known_as_one_and_leaves_the_others_their_places() {
    let stage = Stage::new().await;
    let receiver = MockServer::start().await;
    let (clock, answer) = (stage.world.clock.clone(), ResponseTemplate::new(200));
    // While it answers, two seconds go by.
    let slow = move |_: &wiremock::Request| {
        clock.advance(Duration::from_secs(2));
        answer.clone()
    };
    Mock::given(path("/slow")).respond_with(slow).mount(&receiver).await;
    stage.register(&format!("{}/slow", receiver.uri())).await;
    stage.assign().await;
    stage.worker().deliver_due().await.unwrap();
    assert_eq!(stage.outbox().await, [("delivered".to_owned(), 1, None)]);
    stage.assign().await;
    assert!(stage.lease(Lane::Working).await.is_empty());
    assert_eq!(stage.lease(Lane::Struggling).await.len(), 1);
}

#[tokio::test]
async fn who_has_much_waiting_takes_turns_with_the_others() {
    let stage = Stage::new().await;
    let other = stage.world.member(&stage.project, "otis", "worker").await;
    let (busy, quiet) = ("http://127.0.0.1:9/busy", "http://127.0.0.1:9/quiet");
    stage.register(busy).await;
    stage.register_for(&other, quiet).await;
    for _ in 0..40 {
        stage.assign().await;
    }
    stage.world.clock.advance(Duration::from_secs(60));
    stage.world.ticket(&stage.project, Some(&other)).await;
    stage.world.clock.advance(Duration::from_secs(1));
    let (store, until) = (stage.world.app.store(), stage.world.app.now().plus(PATIENCE));
    let mut turns = Vec::new();
    for _ in 0..4 {
        let script = store.write(move |tx| {
            Box::pin(async move {
                let [leased] = <[_; 1]>::try_from(take(tx, Lane::Working, 1, until).await?).unwrap();
                let (url, webhook) = (leased.url, leased.webhook);
                let turn = Turn {
                    lease: leased.lease,
                    webhook,
                    failing_since: None,
                    is_slow: false,
                    attempts: Vec::new(),
                };
                turns::note(tx, &[turn]).await?;
                Ok::<_, StoreError>((url, leased.due.len()))
            })
        });
        turns.push(script.await.unwrap());
        stage.world.clock.advance(Duration::from_secs(1));
    }
    let turn = |url: &str, due| (url.to_owned(), due);
    assert_eq!(turns, [turn(busy, 40), turn(quiet, 1), turn(busy, 40), turn(quiet, 1)]);
}

#[tokio::test]
async fn a_pause_that_is_asked_for_by_a_date_is_kept_and_none_is_longer_than_a_day() {
    for (asked, expected) in [
        ("Thu, 12 Mar 2026 11:30:00 GMT", Duration::from_secs(3600)),
        ("99999999", Duration::from_secs(86_400)),
    ] {
        let stage = Stage::new().await;
        let receiver = MockServer::start().await;
        let busy = ResponseTemplate::new(429).insert_header("retry-after", asked);
        Mock::given(path("/hook")).respond_with(busy).mount(&receiver).await;
        stage.register(&hook(&receiver)).await;
        let webhook = stage.webhook().await;
        stage.assign().await;
        stage.worker().deliver_due().await.unwrap();
        let log = format!("{AGENT}/webhooks/{}/deliveries", text(&webhook["id"]));
        let log = stage.world.get(&log, &stage.agent).await.expect(200);
        assert_eq!(log[0]["next_attempt_at"], json!(stage.world.clock_in(expected)), "{asked}");
    }
}

/// A name that leads somewhere harmless when it is first asked for, and inside ever after.
#[derive(Default)]
struct Rebinding(Mutex<HashMap<String, usize>>);

impl Names for Rebinding {
    fn look_up(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let mut asked = self.0.lock().unwrap();
        let count = asked.entry(name).or_default();
        *count += 1;
        let ip: IpAddr = if *count == 1 { [127, 0, 0, 1] } else { [169, 254, 169, 254] }.into();
        Box::pin(async move { Ok(vec![ip]) })
    }
}

#[tokio::test]
async fn a_name_is_asked_for_once_and_connected_to_where_it_led_then() {
    let stage = Stage::new().await;
    let receiver = answering(200).await;
    let names = Arc::new(Rebinding::default());
    let policy = TargetPolicy { allow: local().allow };
    let means =
        || Means { policy: policy.clone(), names: names.clone(), deadline: PATIENCE, extra_ca: Vec::new() };
    stage.register(&format!("http://rebinding.test:{}/hook", receiver.address().port())).await;
    stage.assign().await;
    stage.worker_with(Sender::new(means()).unwrap()).deliver_due().await.unwrap();
    assert_eq!(
        (received(&receiver).await.len(), stage.outbox().await),
        (1, vec![("delivered".to_owned(), 1, None)])
    );
    assert_eq!(
        names.0.lock().unwrap()["rebinding.test"],
        1,
        "no second look-up between check and connection"
    );

    stage.assign().await;
    stage.worker_with(Sender::new(means()).unwrap()).deliver_due().await.unwrap();
    let (status, _, complaint) = stage.outbox().await.pop().unwrap();
    assert_eq!((status.as_str(), received(&receiver).await.len()), ("pending", 1));
    assert!(
        complaint
            .unwrap()
            .contains("plain http goes only to networks that the operator of this platform allows")
    );
}
