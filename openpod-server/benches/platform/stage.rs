//! A server with people on it, and a database with the work of many others in it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use bytes::Bytes;
use openpod_sdk::api::applications::{ApplicationDecision, NewApplication};
use openpod_sdk::api::messages::NewMessage;
use openpod_sdk::api::positions::NewPosition;
use openpod_sdk::api::projects::NewProject;
use openpod_sdk::api::register::NewAgent;
use openpod_sdk::api::tickets::NewTicket;
use openpod_sdk::api::{AgentKeyId, ChannelId, ProjectId, TicketId};
use openpod_sdk::client::OwnerClient;
use openpod_sdk::clock::SystemClock;
use openpod_sdk::{Client, Secret};
use openpod_server::accounts;
use openpod_server::app::App;
use openpod_server::config::{CallLimits, Config, Database};
use openpod_server::ids::SystemRandomness;
use openpod_server::lifecycle::Server;
use openpod_server::router::router;
use openpod_server::store::{Location, Sources, Store, StoreError};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Where heartbeats are asked for.
pub(crate) const HEARTBEAT: &str = "/api/agent/v1/heartbeat";

/// Limits that nobody reaches.
pub(crate) const MANY: u32 = 1_000_000_000;

/// A server that serves in this process.
pub(crate) struct Stage {
    pub(crate) app: App,
    pub(crate) address: SocketAddr,
}

/// An agent.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) id: AgentKeyId,
    pub(crate) key: Secret,
    pub(crate) client: Client,
}

/// A project with its owner, who is a person.
pub(crate) struct Project {
    pub(crate) id: ProjectId,
    pub(crate) channel: ChannelId,
    owner: OwnerClient,
}

pub(crate) fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime can be made")
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be listened at");
    let address = listener.local_addr().expect("a listener has an address");
    (listener, address)
}

/// A handler that answers a heartbeat with these bytes, and nothing else.
pub(crate) async fn serve_bare(answer: Bytes) -> SocketAddr {
    let (listener, address) = listen().await;
    let answer = move || async move { ([("content-type", "application/json")], answer.clone()) };
    let router = Router::new().route(HEARTBEAT, axum::routing::get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

impl Stage {
    /// The real server, as it serves.
    pub(crate) async fn open(location: Location) -> Stage {
        let (listener, address) = listen().await;
        let config = Config {
            database: Database { location },
            limits: CallLimits {
                requests_per_minute: MANY,
                burst: MANY,
                registrations_per_hour: MANY,
                ..CallLimits::default()
            },
            ..Config::default()
        };
        let sources = Sources { clock: Arc::new(SystemClock), randomness: Arc::new(SystemRandomness) };
        let server = Server::start(&config, sources, address).await.expect("the server starts");
        let app = server.app().clone();
        tokio::spawn(server.run(listener, std::future::pending()));
        Stage { app, address }
    }

    /// The same server once more, but it forgets what it remembers before each request.
    pub(crate) async fn forgetful(&self) -> SocketAddr {
        let (listener, address) = listen().await;
        let store = self.app.store().clone();
        let forget = from_fn(move |request: Request, next: Next| {
            store.forget();
            next.run(request)
        });
        let service = router(self.app.clone()).layer(forget);
        let service = service.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        address
    }

    pub(crate) async fn project(&self) -> Project {
        let store = self.app.store();
        let owner = accounts::create_owner(store, "olga", "correct horse battery").await;
        let token = accounts::create_owner_token(store, &owner.expect("the login is free"), None).await;
        Project::create(self.address, &token.expect("an owner may have a token").text).await
    }

    /// Fills every project with tickets of others until there are so many, and as many projects as they need.
    pub(crate) async fn fill(&self, tickets: u64) {
        for statement in filling(tickets) {
            run(self.app.store(), statement).await;
        }
    }
}

impl Project {
    pub(crate) async fn create(address: SocketAddr, token: &Secret) -> Project {
        let address = format!("http://{address}");
        let owner =
            Client::builder(address).key(token.clone()).build_owner().expect("a token makes a client");
        let new = NewProject::new("Measure", "How fast it is.");
        let made = owner.create_project(&new).await.expect("an owner may have a project");
        Project { id: made.project.id, channel: made.channel.id, owner }
    }

    /// Registers an agent and makes it a worker.
    pub(crate) async fn worker(&self, address: SocketAddr, name: &str) -> Agent {
        let address = format!("http://{address}");
        let guest = Client::builder(&*address).build().expect("an address makes a client");
        let agent = guest.register_agent(&NewAgent::new(name, ["rust"])).await.expect("the name is free");
        let client = Client::builder(&*address).key(agent.api_key.clone()).build();
        let client = client.expect("a key makes a client");
        let position = json!({"project_id": self.id, "title": "Worker"});
        let position: NewPosition = serde_json::from_value(position).expect("it is a position");
        let position = self.owner.create_position(&position).await.expect("the owner may open positions");
        let letter = NewApplication { position_id: position.id, cover_letter: "I can.".to_owned() };
        let application = client.apply(&letter).await.expect("the position is open");
        let accept: ApplicationDecision =
            serde_json::from_value(json!({"decision": "accept"})).expect("it is a decision");
        self.owner.decide_application(&application.id, &accept).await.expect("it is pending");
        Agent { id: agent.id.into(), key: agent.api_key, client }
    }

    pub(crate) async fn ticket(&self, assignee: &Agent) -> TicketId {
        let mut new = NewTicket::task(
            self.id.clone(),
            "Make the heartbeat fast",
            "It takes thirty characters to say how fast.",
        );
        new.assignee_agent_key_id = Some(assignee.id.clone());
        self.owner.create_ticket(&new).await.expect("the owner may create tickets").id
    }

    pub(crate) async fn say(&self, author: &Agent, content: &str) {
        let content = content.to_owned();
        let new = NewMessage { project_id: self.id.clone(), channel_id: self.channel.clone(), content };
        author.client.send_message(&new).await.expect("a member may speak");
    }
}

async fn run(store: &Store, sql: String) {
    let done: Result<u64, StoreError> =
        store.write(move |tx| Box::pin(async move { tx.execute(&sql, &[]).await })).await;
    done.expect("the database can be filled");
}

/// A thousand agents, a project for each thousand of tickets, and in each project's thousand what a project has: most of
/// it paid, some in hand, some handed in, some free.
fn filling(tickets: u64) -> Vec<String> {
    let count = |most: u64| {
        format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most})")
    };
    let id = |kind: &str, number: &str| format!("printf('{kind}-0000-7000-8000-%012x', {number})");
    let (agent, project) = (id("018f0001", "i"), id("018f0002", "i"));
    let projects = tickets.div_ceil(1000).max(2) - 1;
    let owner = id("018f0001", "1 + i % 1000");
    let (ticket, worker) = (id("018f0003", "p.rowid * 1000 + i"), id("018f0001", "1 + (p.rowid + i) % 1000"));
    vec![
        format!(
            "{} INSERT INTO agents (id, name, name_key, slug, capabilities, created_at) \
             SELECT {agent}, 'agent ' || i, 'agent ' || i, 'agent-' || i, '[]', i FROM n",
            count(1000)
        ),
        format!(
            "{} INSERT INTO projects (id, title, description, status, owner_agent_id, created_at, updated_at) \
             SELECT {project}, 'Project ' || i, 'One of many.', 'open', {owner}, i, i FROM n",
            count(projects)
        ),
        format!(
            "{} INSERT INTO tickets (id, project_id, number, title, priority, kind, acceptance_criteria, labels, \
             assignee_id, status, approval, payout_cents, submitted_at, deliverables, version, created_at, updated_at) \
             SELECT {ticket}, p.id, i, 'Do number ' || i, 'medium', 'spike', '[]', '[]', \
             CASE WHEN i % 20 < 2 THEN NULL ELSE {worker} END, \
             CASE WHEN i % 20 < 3 THEN 'todo' WHEN i % 20 < 5 THEN 'in_progress' \
                  WHEN i % 20 < 6 THEN 'in_review' ELSE 'done' END, \
             CASE WHEN i % 20 < 5 THEN NULL WHEN i % 20 < 6 THEN 'pending' ELSE 'approved' END, \
             CASE WHEN i % 20 < 6 THEN NULL ELSE 0 END, CASE WHEN i % 20 < 5 THEN NULL ELSE i END, \
             '[]', 1, i, i FROM projects p JOIN n",
            count(tickets.min(1000))
        ),
        format!("UPDATE projects SET tickets_made = {}", tickets.min(1000)),
        "ANALYZE".to_owned(),
    ]
}
