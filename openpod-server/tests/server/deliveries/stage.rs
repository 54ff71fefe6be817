//! A platform that delivers, somebody to deliver to, and receivers of all kinds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use openpod_sdk::api::Timestamp;
use openpod_server::store::deliveries::{self, Lane, Leased};
use openpod_server::store::{Json, StoreError, Tx};
use openpod_server::webhooks::sender::Names;
use openpod_server::webhooks::{Means, Sender, TargetPolicy, Worker};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::server::world::{AGENT, Person, Project, World, text};

pub(super) const SECRETS: [&str; 2] =
    ["my-signing-secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="];
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A platform that delivers to this machine, a project, a worker of it, and whoever delivers.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) project: Project,
    pub(super) agent: Person,
}

/// Names and where they lead, for tests.
pub(super) struct Book(HashMap<&'static str, Vec<IpAddr>>);

impl Names for Book {
    fn look_up(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let found = self.0.get(name.as_str()).cloned();
        Box::pin(async move { found.ok_or_else(|| std::io::Error::other("there is no such name")) })
    }
}

pub(super) fn local() -> TargetPolicy {
    TargetPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()] }
}

pub(super) fn book() -> Arc<Book> {
    let lead = |to: &[&str]| to.iter().map(|ip| ip.parse().unwrap()).collect();
    Arc::new(Book(HashMap::from([
        ("receiver.test", lead(&["127.0.0.1"])),
        ("other.test", lead(&["127.0.0.1"])),
        ("private.test", lead(&["10.0.0.1"])),
        ("mixed.test", lead(&["127.0.0.1", "93.184.216.34"])),
        ("nowhere.test", lead(&[])),
    ])))
}

impl Stage {
    pub(super) async fn new() -> Stage {
        let world = World::with_targets(local()).await;
        let owner = world.register("olga").await;
        let project = world.project(&owner).await;
        let agent = world.member(&project, "wanda", "worker").await;
        Stage { world, project, agent }
    }

    pub(super) fn worker(&self) -> Worker {
        self.worker_within(PATIENCE)
    }

    pub(super) fn worker_within(&self, deadline: Duration) -> Worker {
        let means = Means { names: book(), deadline, ..Means::of(local()) };
        self.worker_with(Sender::new(means).unwrap())
    }

    pub(super) fn worker_with(&self, sender: Sender) -> Worker {
        Worker::new(self.world.app.store().clone(), sender)
    }

    pub(super) async fn register(&self, url: &str) -> Value {
        self.register_for(&self.agent, url).await
    }

    pub(super) async fn register_for(&self, agent: &Person, url: &str) -> Value {
        let body = json!({"url": url, "events": ["ticket_assigned"], "secret": SECRETS[1]});
        self.world.post(&format!("{AGENT}/webhooks"), agent, body).await.expect(201)
    }

    /// Causes an event for the worker.
    pub(super) async fn assign(&self) -> String {
        self.world.ticket(&self.project, Some(&self.agent)).await
    }

    pub(super) async fn webhook(&self) -> Value {
        self.world.get(&format!("{AGENT}/webhooks"), &self.agent).await.expect(200)[0].clone()
    }

    /// Status, count of attempts and last complaint of each delivery, in the order they came.
    pub(super) async fn outbox(&self) -> Vec<(String, u32, Option<String>)> {
        let sql = "SELECT d.status, d.attempts, (SELECT a.error FROM delivery_attempts a \
                   WHERE a.delivery_id = d.id AND a.attempt = d.attempts) AS error FROM deliveries d ORDER BY d.id";
        let read = self.world.app.store().read(move |tx| {
            Box::pin(async move {
                tx.all(sql, &[], |row| Ok((row.get("status")?, row.get("attempts")?, row.get("error")?)))
                    .await
            })
        });
        read.await.map_err(|error: StoreError| error).unwrap()
    }

    /// What the platform did by itself, as the audit log tells it: operation, webhook, before and after.
    pub(super) async fn deeds_of_the_platform(&self) -> Vec<(String, String, Value, Value)> {
        let sql =
            "SELECT * FROM audit_log WHERE actor_kind = 'platform' AND target_kind = 'webhook' ORDER BY id";
        let read = self.world.app.store().read(move |tx| {
            Box::pin(async move {
                tx.all(sql, &[], |row| {
                    let (before, after): (Json<_>, Json<_>) =
                        (row.get("before_json")?, row.get("after_json")?);
                    Ok((row.get("operation")?, row.get("target_id")?, before.0, after.0))
                })
                .await
            })
        });
        read.await.map_err(|error: StoreError| error).unwrap()
    }

    pub(super) async fn lease(&self, lane: Lane) -> Vec<Leased> {
        let write = self.world.app.store().write(move |tx| {
            let until = tx.now().plus(PATIENCE);
            Box::pin(take(tx, lane, 10, until))
        });
        write.await.unwrap()
    }
}

/// Leases webhooks, as a worker does, and reads what is due to them.
pub(crate) async fn take(
    tx: &mut Tx<'_>,
    lane: Lane,
    count: usize,
    until: Timestamp,
) -> Result<Vec<Leased>, StoreError> {
    let asked = deliveries::lease(tx, lane, count, until).await?;
    let mut leased = tx.answer(asked).await?;
    deliveries::read_due(tx, leased.iter_mut()).await?;
    Ok(leased)
}

pub(super) async fn answering(status: u16) -> MockServer {
    let receiver = MockServer::start().await;
    Mock::given(path("/hook")).respond_with(ResponseTemplate::new(status)).mount(&receiver).await;
    receiver
}

pub(super) fn hook(receiver: &MockServer) -> String {
    format!("{}/hook", receiver.uri())
}

pub(super) async fn received(receiver: &MockServer) -> Vec<Request> {
    receiver.received_requests().await.unwrap()
}

pub(super) fn ticket_of(request: &Request) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    text(&body["data"]["ticket_id"])
}

/// Tells a test of each request, then answers 200.
pub(super) struct Tell(pub(super) mpsc::UnboundedSender<()>);

impl Respond for Tell {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        self.0.send(()).unwrap();
        ResponseTemplate::new(200)
    }
}
