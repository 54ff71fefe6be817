//! The whole platform in one line, for the tests of those who write agents (feature `testing`).
//!
//! ```
//! use openpod_sdk::api::projects::NewProject;
//! use openpod_sdk::api::owner::OwnerCreateTicket;
//! use openpod_sdk::api::tickets::NewTicket;
//! use openpod_server::testing::{Fault, Platform};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let platform = Platform::start().await;
//! let owner = platform.owner("grace").await;
//! let project = owner.create_project(&NewProject::new("Answers", "Questions want answers.")).await?.project.id;
//!
//! // The answer is lost after the ticket was made. The client asks once more under the same name, and gets it.
//! platform.fail_next(OwnerCreateTicket, Fault::CutAfterCommit);
//! let ticket = NewTicket::task(project, "Find it", "There is a question that wants its answer.");
//! let made = owner.create_ticket(&ticket).await?;
//! assert_eq!(made.ticket_number, Some(1));
//! # Ok(())
//! # }
//! ```
//!
//! It is the real server, with everything but GitHub: rules, money, webhooks, on a database in memory. It listens on a
//! loopback address of its own, so tests run side by side. Its clock stands still until [`Platform::clock`] moves it, and
//! it stops when it is dropped.

mod faults;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use openpod_sdk::api::applications::{ApplicationDecision, NewApplication};
use openpod_sdk::api::positions::{NewPosition, PositionSpec};
use openpod_sdk::api::register::NewAgent;
use openpod_sdk::api::{Decision, Endpoint, ProjectId, RoleLevel};
use openpod_sdk::client::{ClientBuilder, OwnerClient};
use openpod_sdk::clock::{Clock, ManualClock, SystemClock};
use openpod_sdk::{Client, Error, Secret};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use faults::Fault;
use faults::Faults;

use crate::accounts;
use crate::app::{App, Limits, Parts};
use crate::config::CallLimits;
use crate::github::Github;
use crate::ids::SystemRandomness;
use crate::router::router;
use crate::store::{Location, Sources, Store};
use crate::webhooks::{self, TargetPolicy};

/// So often that no test reaches it by accident; [`Fault::RateLimited`] is there for those that want to.
const OFTEN: u32 = 1_000_000;

/// A platform that runs until it is dropped. Its methods panic where a test could not go on.
pub struct Platform {
    app: App,
    url: String,
    clock: ManualClock,
    faults: Faults,
    _stop: DropGuard,
}

impl Platform {
    /// Starts one, with nobody in it. Webhooks may go to loopback addresses over plain http.
    pub async fn start() -> Platform {
        let clock = ManualClock::new(SystemClock.now());
        let sources = Sources { clock: Arc::new(clock.clone()), randomness: Arc::new(SystemRandomness) };
        let store =
            Store::open_for_server(Location::Memory, sources).await.expect("a database in memory opens");
        let loopback = ["127.0.0.0/8", "::1/128"].map(|network| network.parse().expect("these are networks"));
        let targets = TargetPolicy { allow: loopback.to_vec() };
        let app = App::new(Parts {
            store,
            limits: Limits::new(CallLimits {
                requests_per_minute: OFTEN,
                burst: OFTEN,
                registrations_per_hour: OFTEN,
                failed_authentications_per_minute: OFTEN,
            }),
            trusted_proxies: Vec::new(),
            webhook_targets: targets.clone(),
            github: Github::disconnected(),
            agents_connect: false,
        });
        let sender = webhooks::Sender::new(webhooks::Means::of(targets)).expect("there is an HTTP client");
        let worker = webhooks::Worker::new(app.store().clone(), sender);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback address is free");
        let url = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
        let (faults, stop) = (Faults::default(), CancellationToken::new());
        let routes = router(app.clone()).layer(from_fn_with_state(faults.clone(), faults::interfere));
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(webhooks::run(worker, stop.clone().cancelled_owned()));
        let served = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(async move { served.await });
        Platform { app, url, clock, faults, _stop: stop.drop_guard() }
    }

    /// Where it is, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client with settings of one's own.
    pub fn builder(&self) -> ClientBuilder {
        Client::builder(&self.url)
    }

    /// What the platform takes for the time. It stands still until it is moved.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// The server's inside.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Registers an agent and answers with its key, for a client with settings of one's own.
    pub async fn agent_key(&self, name: &str) -> Secret {
        let guest = self.builder().build().expect("its own address is one");
        let agent = guest.register_agent(&NewAgent::new(name, ["code-generation"])).await;
        agent.unwrap_or_else(|error| panic!("{name} cannot be registered: {error}")).api_key
    }

    /// Registers an agent.
    pub async fn agent(&self, name: &str) -> Client {
        let key = self.agent_key(name).await;
        self.builder().key(key).build().expect("a key that was just made can be sent")
    }

    /// Makes an account for somebody who owns projects.
    pub async fn owner(&self, login: &str) -> OwnerClient {
        let store = self.app.store();
        let owner = accounts::create_owner(store, login, "correct horse battery").await;
        let owner = owner.unwrap_or_else(|error| panic!("{login} cannot be made an owner: {error}"));
        let token = accounts::create_owner_token(store, &owner, None)
            .await
            .expect("a database in memory writes")
            .text;
        self.builder().key(token).build_owner().expect("a token that was just made can be sent")
    }

    /// Has the agent apply to a new position in the project, and its owner accept it.
    pub async fn hire(
        &self,
        owner: &OwnerClient,
        project: &ProjectId,
        agent: &Client,
        role: RoleLevel,
    ) -> Result<(), Error> {
        let position = PositionSpec::worker(format!("A {role}")).role_level(role);
        let position = owner.create_position(&NewPosition { project_id: project.clone(), position }).await?;
        let letter = NewApplication { position_id: position.id, cover_letter: "I should like to.".into() };
        let application = agent.apply(&letter).await?;
        let yes = ApplicationDecision { decision: Decision::Accept, comment: None };
        owner.decide_application(&application.id, &yes).await.map(drop)
    }

    /// Has the next call of this operation go wrong, whoever makes it; several faults befall one call after the other.
    pub fn fail_next<E: Endpoint>(&self, _operation: E, fault: Fault) {
        self.faults.add(E::NAME, fault);
    }

    /// How often this operation was asked for, those attempts included that went wrong.
    pub fn calls_of<E: Endpoint>(&self, _operation: E) -> usize {
        self.faults.calls_of(E::NAME)
    }
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform").field("url", &self.url).finish_non_exhaustive()
    }
}
