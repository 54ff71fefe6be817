//! Work on the platform that does not give up: each call is repeated with the same idempotency key until it is answered.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use openpod_sdk::api::applications::{ApplicationDecision, NewApplication};
use openpod_sdk::api::messages::NewMessage;
use openpod_sdk::api::positions::NewPosition;
use openpod_sdk::api::projects::NewProject;
use openpod_sdk::api::register::NewAgent;
use openpod_sdk::api::tickets::{Deliverable, Judgement, NewTicket, TicketPatch};
use openpod_sdk::api::webhooks::NewWebhook;
use openpod_sdk::api::{AgentKeyId, Cents, ChannelId, ErrorCode, EventKind, ProjectId, TicketStatus};
use openpod_sdk::client::{CallOptions, OwnerClient, RetryPolicy};
use openpod_sdk::{Client, Error, ErrorKind, Secret};
use serde_json::json;
use tokio::sync::watch;

use super::receiver::Fact;

/// An agent at work.
#[derive(Clone)]
pub(super) struct Member {
    pub name: String,
    id: AgentKeyId,
    client: Client,
}

/// Everybody, and what they know of the server.
#[derive(Clone)]
pub(super) struct Crew {
    owner: OwnerClient,
    pm: Member,
    pub workers: Vec<Member>,
    project: ProjectId,
    channel: ChannelId,
    /// Whether the server is said to be up.
    up: watch::Receiver<bool>,
    pub acknowledged: Arc<watch::Sender<usize>>,
    pub unanswered: Arc<AtomicUsize>,
    pub stop: Arc<AtomicBool>,
}

/// What the server acknowledged.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    pub tickets: Vec<Deed>,
    /// Id and content.
    pub messages: Vec<(String, String)>,
    /// What the receiver must be told.
    pub facts: BTreeSet<Fact>,
}

/// A ticket's whole way, as it was acknowledged.
#[derive(Debug)]
pub(super) struct Deed {
    pub ticket: String,
    pub title: String,
    pub payout: i64,
    pub transaction: String,
    /// Id and content.
    pub comment: (String, String),
}

fn client(address: &str, key: &Secret) -> Client {
    Client::builder(address).key(key.clone()).retry(RetryPolicy::never()).build().unwrap()
}

impl Crew {
    /// Hires everybody on a server that is up, and has each told of everything at the receiver.
    pub(super) async fn hire(
        address: &str,
        owner: &Secret,
        up: watch::Receiver<bool>,
        receiver: (&str, &Secret),
    ) -> Crew {
        let policy = RetryPolicy::never();
        let owner = Client::builder(address).key(owner.clone()).retry(policy).build_owner().unwrap();
        let made =
            owner.create_project(&NewProject::new("Endure", "It goes on whatever happens.")).await.unwrap();
        let project = made.project.id;
        let mut members = Vec::new();
        for (name, role) in [("paul", "pm"), ("wanda", "worker"), ("will", "worker"), ("wim", "worker")] {
            let guest = Client::builder(address).build().unwrap();
            let registered = guest.register_agent(&NewAgent::new(name, ["rust"])).await.unwrap();
            let client = client(address, &registered.api_key);
            let position: NewPosition = serde_json::from_value(
                json!({"project_id": project, "title": format!("{role} wanted"), "role_level": role}),
            )
            .unwrap();
            let position = owner.create_position(&position).await.unwrap();
            let letter = NewApplication { position_id: position.id, cover_letter: "I can.".to_owned() };
            let application = client.apply(&letter).await.unwrap();
            let accept: ApplicationDecision = serde_json::from_value(json!({"decision": "accept"})).unwrap();
            owner.decide_application(&application.id, &accept).await.unwrap();
            let webhook = NewWebhook {
                url: format!("{}/{name}", receiver.0),
                events: vec![EventKind::All],
                secret: Some(receiver.1.clone()),
            };
            client.create_webhook(&webhook).await.unwrap();
            members.push(Member { name: name.to_owned(), id: registered.id.into(), client });
        }
        let pm = members.remove(0);
        Crew {
            owner,
            pm,
            workers: members,
            project,
            channel: made.channel.id,
            up,
            acknowledged: Arc::new(watch::Sender::new(0)),
            unanswered: Arc::default(),
            stop: Arc::default(),
        }
    }

    /// Takes one ticket after the other from its creation to its pay, until it is told to stop.
    pub(super) async fn work(self, line: usize) -> Deeds {
        let mut deeds = Deeds::default();
        let worker = self.workers[line % self.workers.len()].clone();
        for n in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            self.finish_a_ticket(&worker, &format!("{line}-{n}"), &mut deeds).await;
            self.say_something(&worker, &format!("{line}-{n}"), &mut deeds).await;
        }
        deeds
    }

    async fn finish_a_ticket(&self, worker: &Member, name: &str, deeds: &mut Deeds) {
        let once = |step: &str| CallOptions::new().idempotency_key(format!("{name}-{step}"));
        let title = format!("Ticket {name}");
        let mut new =
            NewTicket::task(self.project.clone(), &title, "It takes thirty characters to say what is wrong.");
        new.assignee_agent_key_id = Some(worker.id.clone());
        let ticket = self
            .insist(|| async { self.owner.with(once("create")).create_ticket(&new).await })
            .await
            .unwrap()
            .id;
        let claim = TicketPatch::status(TicketStatus::InProgress);
        self.insist(|| worker.client.update_ticket(&ticket, &claim)).await.unwrap();

        let content = format!("Begun with {name}");
        let comment = self
            .insist(|| async { self.owner.with(once("comment")).add_comment(&ticket, &content).await })
            .await
            .unwrap();
        let deliverable: Deliverable =
            serde_json::from_value(json!({"type": "link", "url": "https://example.org/1"})).unwrap();
        let submit = TicketPatch {
            status: Some(TicketStatus::InReview),
            deliverables: Some(vec![deliverable]),
            ..TicketPatch::default()
        };
        self.insist(|| worker.client.update_ticket(&ticket, &submit)).await.unwrap();

        // Both who may approve do so at once, with different sums: exactly one of them moves money.
        let (one, other) = (Judgement::approve(Cents(100)), Judgement::approve(Cents(200)));
        let (one, other) = tokio::join!(
            self.insist(|| async { self.owner.with(once("one")).approve_ticket(&ticket, one.clone()).await }),
            self.insist(|| async {
                self.pm.client.with(once("other")).approve_ticket(&ticket, &other).await
            }),
        );
        let (paid, refused) = match (one, other) {
            (Ok(paid), Err(refused)) | (Err(refused), Ok(paid)) => (paid, refused),
            both => panic!("of two approvals one succeeds: {both:?}"),
        };
        assert!(refused.is(ErrorCode::AlreadyApproved), "{refused}");
        let payment = paid.transaction.unwrap();
        for kind in ["ticket_assigned", "comment", "deliverable_approved"] {
            deeds.facts.insert((worker.name.clone(), kind.to_owned(), ticket.to_string()));
        }
        deeds.tickets.push(Deed {
            ticket: ticket.to_string(),
            title,
            payout: payment.amount_cents.0,
            transaction: payment.id.unwrap().to_string(),
            comment: (comment.id.unwrap().to_string(), content),
        });
    }

    async fn say_something(&self, author: &Member, name: &str, deeds: &mut Deeds) {
        let content = format!("Done with {name}");
        let new = NewMessage {
            project_id: self.project.clone(),
            channel_id: self.channel.clone(),
            content: content.clone(),
        };
        let key = format!("{name}-say");
        let said = self
            .insist(|| async {
                author.client.with(CallOptions::new().idempotency_key(&key)).send_message(&new).await
            })
            .await
            .unwrap();
        let others = self.workers.iter().chain([&self.pm]).filter(|other| other.name != author.name);
        for other in others {
            let fact = (other.name.clone(), "message_received".to_owned(), said.id.to_string());
            deeds.facts.insert(fact);
        }
        deeds.messages.push((said.id.to_string(), content));
    }

    /// Repeats a call until the server answers it.
    async fn insist<T, F>(&self, call: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        loop {
            self.up.clone().wait_for(|up| *up).await.unwrap();
            match call().await {
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Unreachable | ErrorKind::Interrupted | ErrorKind::OutcomeUnknown
                    ) =>
                {
                    self.unanswered.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
                answered => {
                    self.acknowledged.send_modify(|count| *count += 1);
                    return answered;
                }
            }
        }
    }
}
