//! A platform in memory: the real router, a clock that stands still until it is told to move, and people to act.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use openpod_sdk::Secret;
use openpod_sdk::clock::{Clock, ManualClock};
use openpod_server::app::{App, Limits, Parts};
use openpod_server::config::CallLimits;
use openpod_server::github::Github;
use openpod_server::ids::SystemRandomness;
use openpod_server::router::router;
use openpod_server::store::{Location, Sources, Store};
use openpod_server::webhooks::TargetPolicy;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{databases, openapi};

/// A platform in memory.
pub(super) struct World {
    pub app: App,
    pub clock: ManualClock,
    router: Router,
}

/// What the platform answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub json: Value,
}

/// Somebody with a key.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub id: String,
    pub key: Secret,
}

/// A project with a position for each role.
#[derive(Debug, Clone)]
pub(super) struct Project {
    pub id: String,
    pub channel: String,
    pub owner: Person,
}

pub(super) const AGENT: &str = "/api/agent/v1";
pub(super) const OWNER: &str = "/api/owner/v1";

/// Limits that no story reaches by accident.
pub(super) const PLENTY: CallLimits = CallLimits {
    requests_per_minute: 1_000_000,
    burst: 1_000_000,
    registrations_per_hour: 1_000_000,
    failed_authentications_per_minute: 1_000_000,
};

impl World {
    /// A platform with nobody in it, on 2026-03-12 at 10:30, and with limits that no story reaches by accident.
    pub(super) async fn new() -> World {
        Self::at(databases::chosen().await).await
    }

    /// The same with its database elsewhere.
    pub(super) async fn at(location: Location) -> World {
        Self::assemble(
            location,
            Limits::new(PLENTY),
            TargetPolicy::default(),
            |_| Github::disconnected(),
            true,
        )
        .await
    }

    pub(super) async fn with_limits(limits: Limits) -> World {
        Self::with(limits, TargetPolicy::default(), |_| Github::disconnected()).await
    }

    /// A platform whose webhooks reach what `targets` allows.
    pub(super) async fn with_targets(targets: TargetPolicy) -> World {
        Self::with(Limits::new(PLENTY), targets, |_| Github::disconnected()).await
    }

    /// A platform that reaches what `targets` allows and the GitHub that is made with its clock.
    pub(super) async fn with(
        limits: Limits,
        webhook_targets: TargetPolicy,
        github: impl FnOnce(Arc<dyn Clock>) -> Github,
    ) -> World {
        Self::assemble(databases::chosen().await, limits, webhook_targets, github, true).await
    }

    /// A platform that connects no repository to what agents create, as it is unless told.
    pub(super) async fn wary(github: impl FnOnce(Arc<dyn Clock>) -> Github) -> World {
        Self::assemble(databases::chosen().await, Limits::new(PLENTY), TargetPolicy::default(), github, false)
            .await
    }

    async fn assemble(
        location: Location,
        limits: Limits,
        webhook_targets: TargetPolicy,
        github: impl FnOnce(Arc<dyn Clock>) -> Github,
        agents_connect: bool,
    ) -> World {
        let clock = ManualClock::new("2026-03-12T10:30:00Z".parse().unwrap());
        let sources = Sources { clock: Arc::new(clock.clone()), randomness: Arc::new(SystemRandomness) };
        let github = github(Arc::clone(&sources.clock));
        let store = Store::open_for_server(location, sources).await.unwrap();
        let trusted_proxies = Vec::new();
        let app = App::new(Parts { store, limits, trusted_proxies, webhook_targets, github, agents_connect });
        World { router: router(app.clone()), app, clock }
    }

    /// The service, to be served over a network.
    pub(super) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Sends a request as it is, and holds the answer against the published description.
    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        openapi::check(&method, &path, status, &headers, &bytes);
        // Done beside the requests, and a write in progress puts the time of the next answer back.
        self.app.sightings().written().await;
        Answer { status, headers, json: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    /// Calls an operation: `path` begins with [`AGENT`] or [`OWNER`].
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        who: Option<&Person>,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(who) = who {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", who.key.expose()));
        }
        let body = body.map_or_else(Body::empty, |json| Body::from(json.to_string()));
        self.send(request.body(body).unwrap()).await
    }

    pub(super) async fn get(&self, path: &str, who: &Person) -> Answer {
        self.call(Method::GET, path, Some(who), None).await
    }

    pub(super) async fn post(&self, path: &str, who: &Person, body: Value) -> Answer {
        self.call(Method::POST, path, Some(who), Some(body)).await
    }

    pub(super) async fn patch(&self, path: &str, who: &Person, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(who), Some(body)).await
    }

    /// The time that it will be after this long, as text.
    pub(super) fn clock_in(&self, wait: std::time::Duration) -> String {
        self.clock.now().plus(wait).to_string()
    }

    /// Registers an agent.
    pub(super) async fn register(&self, name: &str) -> Person {
        let body = json!({"name": name, "capabilities": ["rust", "testing"]});
        let answer = self.call(Method::POST, &format!("{AGENT}/register"), None, Some(body)).await;
        let data = answer.expect(201);
        Person { id: text(&data["id"]), key: Secret::new(text(&data["api_key"])) }
    }

    /// Creates a person who owns projects.
    pub(super) async fn owner(&self, login: &str) -> Person {
        let owner = openpod_server::accounts::create_owner(self.app.store(), login, "correct horse battery")
            .await
            .unwrap();
        let key = openpod_server::accounts::create_owner_token(self.app.store(), &owner, None).await.unwrap();
        Person { id: owner.to_string(), key: key.text }
    }

    /// Has `owner` create a project.
    pub(super) async fn project(&self, owner: &Person) -> Project {
        let body =
            json!({"title": "Build it", "description": "A service that does it.", "budget_cents": 100_000});
        let data = self.post(&format!("{}/projects", owner.surface()), owner, body).await.expect(201);
        let (id, channel) = (text(&data["project"]["id"]), text(&data["channel"]["id"]));
        Project { id, channel, owner: owner.clone() }
    }

    /// Registers an agent and makes it a member: it applies to a new position of this role and is accepted.
    pub(super) async fn member(&self, project: &Project, name: &str, role: &str) -> Person {
        let agent = self.register(name).await;
        let position =
            json!({"project_id": project.id, "title": format!("{role} wanted"), "role_level": role});
        let position = self
            .post(&format!("{}/positions", project.owner.surface()), &project.owner, position)
            .await
            .expect(201);
        let letter = json!({"position_id": position["id"], "cover_letter": "I can."});
        let application = self.post(&format!("{AGENT}/apply"), &agent, letter).await.expect(201);
        let decide = format!("{}/applications/{}/decide", project.owner.surface(), text(&application["id"]));
        self.post(&decide, &project.owner, json!({"decision": "accept"})).await.expect(200);
        agent
    }

    /// Has the owner create a task.
    pub(super) async fn ticket(&self, project: &Project, assignee: Option<&Person>) -> String {
        let body = json!({
            "project_id": project.id,
            "title": "Fix it",
            "description": "It is broken in a way that takes thirty characters to say.",
            "assignee_agent_key_id": assignee.map(|agent| &agent.id),
        });
        text(
            &self
                .post(&format!("{}/tickets", project.owner.surface()), &project.owner, body)
                .await
                .expect(201)["id"],
        )
    }
}

impl Person {
    /// Where the person's key works: owners may be people or agents.
    pub(super) fn surface(&self) -> &'static str {
        if self.key.expose().starts_with("opo_") { OWNER } else { AGENT }
    }
}

impl Answer {
    /// What the answer holds, after its status was found to be this.
    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.json);
        if self.json.get("data").is_some() { self.json["data"].clone() } else { self.json }
    }

    /// Status and code of a refusal, whose form is checked: a sentence, a code and the request's id.
    #[track_caller]
    pub(super) fn refusal(&self) -> (u16, &str) {
        let word = |name: &str| self.json[name].as_str().unwrap_or_default();
        assert!(
            !word("error").is_empty() && !word("request_id").is_empty(),
            "{:?} {:#}",
            self.status,
            self.json
        );
        assert_eq!(self.headers.get("x-request-id").unwrap(), word("request_id"));
        (self.status.as_u16(), word("code"))
    }
}

/// The text of a JSON string.
#[track_caller]
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
