//! Random deeds, after each of which what is remembered is compared with what is read. `PROPTEST_CASES=1000` looks
//! longer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use openpod_sdk::api::{ENDPOINTS, EXTENSIONS, Operation, owner};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde_json::{Value, json};

use super::key_id;
use crate::server::world::{AGENT, OWNER, Person, Project, World, text};

/// What can be done, by the names of the contract. `GetHeartbeat` stands for everything that only reads.
const DEEDS: [&str; 37] = [
    "GetHeartbeat",
    "RegisterAgent",
    "CreateProject",
    "CreatePosition",
    "ApplyToPosition",
    "DecideApplication",
    "CreateTicket",
    "UpdateTicket",
    "ApproveTicket",
    "AddComment",
    "SendMessage",
    "ListMessages",
    "CreateKnowledge",
    "CreateWebhook",
    "DeleteWebhook",
    "CreateKey",
    "RotateKey",
    "RevokeKey",
    "OwnerCreateProject",
    "OwnerCreatePosition",
    "OwnerDecideApplication",
    "OwnerCreateTicket",
    "OwnerUpdateTicket",
    "OwnerApproveTicket",
    "OwnerAddComment",
    "CreateOwnerKey",
    "RotateOwnerKey",
    "RevokeOwnerKey",
    "TestWebhook",
    "ReplayDeliveries",
    "RotateWebhookSecret",
    "EnableWebhook",
    "OwnerTestWebhook",
    "OwnerReplayDeliveries",
    "OwnerEnableWebhook",
    "VerifyDeliverable",
    "GetGithubToken",
];

/// Every operation of the contract.
fn operations() -> impl Iterator<Item = &'static Operation> {
    ENDPOINTS.iter().chain(&EXTENSIONS).chain(&owner::ENDPOINTS)
}

#[test]
fn everything_that_writes_is_among_the_deeds() {
    let missing: Vec<&str> = operations()
        .filter(|operation| operation.method != Method::GET && !DEEDS.contains(&operation.name))
        .map(|operation| operation.name)
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Somebody does something to something; numbers stand for whichever there is.
#[derive(Debug, Clone, Copy)]
struct Deed {
    what: usize,
    who: usize,
    one: usize,
    other: usize,
    /// How long after the deed before.
    seconds: u64,
}

fn deed() -> impl Strategy<Value = Deed> {
    let seconds = prop_oneof![4 => Just(0_u64), 2 => 1_u64..5, 1 => Just(1200)];
    (0..DEEDS.len(), 0_usize..64, 0_usize..64, 0_usize..64, seconds)
        .prop_map(|(what, who, one, other, seconds)| Deed { what, who, one, other, seconds })
}

/// The platform, and all that there is to do something to.
struct Stage {
    world: World,
    owner: Person,
    agents: Vec<Person>,
    /// Every key that was ever made, with its holder.
    keys: Vec<Person>,
    projects: Vec<Project>,
    positions: Vec<String>,
    applications: Vec<String>,
    tickets: Vec<String>,
    webhooks: Vec<String>,
}

fn pick<T>(from: &[T], n: usize) -> &T {
    &from[n % from.len()]
}

impl Stage {
    async fn new() -> Stage {
        let world = World::new().await;
        let owner = world.owner("olga").await;
        let project = world.project(&owner).await;
        let mut agents = Vec::new();
        for (name, role) in [("paul", "pm"), ("leo", "lead"), ("wanda", "worker"), ("will", "worker")] {
            agents.push(world.member(&project, name, role).await);
        }
        agents.push(world.register("sam").await);
        let mut tickets = Vec::new();
        for n in [2, 2, 3] {
            tickets.push(world.ticket(&project, Some(&agents[n])).await);
        }
        let position = json!({"project_id": project.id, "title": "More hands", "max_agents": 9});
        let position = world.post(&format!("{OWNER}/positions"), &owner, position).await.expect(201);
        let keys = agents.iter().chain([&owner]).cloned().collect();
        Stage {
            world,
            owner,
            agents,
            keys,
            projects: vec![project],
            positions: vec![text(&position["id"])],
            applications: Vec::new(),
            tickets,
            webhooks: Vec::new(),
        }
    }

    /// Does it, and tells whether that was allowed.
    async fn act(&mut self, deed: Deed) -> bool {
        let Deed { what, who, one, other, .. } = deed;
        let name = DEEDS[what];
        let by_owner = name.contains("Owner");
        let surface = if by_owner { OWNER } else { AGENT };
        let actor = if by_owner { self.owner.clone() } else { pick(&self.agents, who).clone() };
        let project = pick(&self.projects, one).clone();
        let somebody = pick(&self.agents, other).id.clone();
        let ticket = format!("{surface}/tickets/{}", pick(&self.tickets, one));
        let keys = if by_owner { format!("{OWNER}/keys") } else { format!("{AGENT}/me/keys") };
        let own: Vec<&Person> = self.keys.iter().filter(|key| key.id == actor.id).collect();
        let key = format!("{keys}/{}", key_id(own[other % own.len()]));
        let none = String::new();
        let application = self.applications.get(one % self.applications.len().max(1)).unwrap_or(&none);
        let webhook = self.webhooks.get(one % self.webhooks.len().max(1)).unwrap_or(&none);
        let (method, path, body) = match name.replace("Owner", "").as_str() {
            "RegisterAgent" => {
                let name = format!("agent {}", self.agents.len());
                (Method::POST, format!("{AGENT}/register"), json!({"name": name, "capabilities": ["rust"]}))
            }
            "CreateProject" => {
                let positions = json!([{"title": "Help", "role_level": "pm"}]);
                let body = json!({"title": "Mine", "description": "My own.", "positions": positions});
                (Method::POST, format!("{surface}/projects"), body)
            }
            "CreatePosition" => {
                let role = pick(&["pm", "lead", "worker"], other);
                let body = json!({"project_id": project.id, "title": "Hands", "role_level": role});
                (Method::POST, format!("{surface}/positions"), body)
            }
            "ApplyToPosition" => {
                let body = json!({"position_id": pick(&self.positions, one), "cover_letter": "I can."});
                (Method::POST, format!("{AGENT}/apply"), body)
            }
            "DecideApplication" => {
                let decision = json!({"decision": pick(&["accept", "accept", "reject"], other)});
                (Method::POST, format!("{surface}/applications/{application}/decide"), decision)
            }
            "CreateTicket" => {
                let assignee = (other % 3 > 0).then_some(somebody);
                let body = json!({"project_id": project.id, "title": "Look", "ticket_type": "spike",
                                  "assignee_agent_key_id": assignee});
                (Method::POST, format!("{surface}/tickets"), body)
            }
            "UpdateTicket" => {
                let body = match other % 8 {
                    0 => json!({"title": format!("Look {other} times")}),
                    1 => json!({"assignee_agent_key_id": null}),
                    2 => json!({"assignee_agent_key_id": somebody}),
                    3 => json!({"priority": "urgent"}),
                    n => json!({"status": pick(&["todo", "in_progress", "in_review", "done"], n)}),
                };
                (Method::PATCH, ticket, body)
            }
            "ApproveTicket" => {
                let action = pick(&["approve", "reject", "revise"], other);
                (Method::POST, format!("{ticket}/approve"), json!({"action": action, "payout_cents": 10}))
            }
            "AddComment" => (Method::POST, format!("{ticket}/comments"), json!({"content": "Well."})),
            "SendMessage" => {
                let body =
                    json!({"project_id": project.id, "channel_id": project.channel, "content": "Hello"});
                (Method::POST, format!("{AGENT}/messages"), body)
            }
            "ListMessages" => {
                let limit = 1 + other % 3;
                let path = format!("{AGENT}/messages?project_id={}&limit={limit}", project.id);
                (Method::GET, path, Value::Null)
            }
            "CreateKnowledge" => {
                let body = json!({"project_id": project.id, "title": "Know", "content": "What."});
                (Method::POST, format!("{AGENT}/knowledge"), body)
            }
            "CreateWebhook" => {
                let body = json!({"url": "https://93.184.216.34/", "events": ["*"]});
                (Method::POST, format!("{AGENT}/webhooks"), body)
            }
            "DeleteWebhook" => (Method::DELETE, format!("{AGENT}/webhooks/{webhook}"), Value::Null),
            "CreateKey" => {
                let scopes = json!([pick(&["*", "read"], other)]);
                let expires = (other % 2 == 0).then(|| self.world.clock_in(Duration::from_secs(1800)));
                (Method::POST, keys, json!({"scopes": scopes, "expires_at": expires}))
            }
            "RotateKey" => {
                (Method::POST, format!("{key}/rotate"), json!({"grace_seconds": 600 * (other % 3)}))
            }
            "RevokeKey" => (Method::DELETE, key, Value::Null),
            "GetHeartbeat" => (Method::GET, format!("{AGENT}/heartbeat"), Value::Null),
            "VerifyDeliverable" => {
                let body = json!({"project_id": project.id, "pr_number": 1});
                (Method::POST, format!("{AGENT}/github/verify-deliverable"), body)
            }
            "GetGithubToken" => {
                (Method::GET, format!("{AGENT}/github/token?project_id={}", project.id), Value::Null)
            }
            _ => {
                let operation = operations().find(|operation| operation.name == name).unwrap();
                let path = operation.path.replace("{webhook_id}", webhook);
                (operation.method.clone(), format!("{surface}{path}"), json!({}))
            }
        };
        let body = (!body.is_null()).then_some(body);
        let answer = self.world.call(method, &path, Some(&actor), body).await;
        let (allowed, data) = (answer.status.is_success(), answer.json["data"].clone());
        if allowed {
            self.remember(name, &actor, &data);
        }
        allowed
    }

    fn remember(&mut self, name: &str, actor: &Person, data: &Value) {
        if let (true, Some(key)) = (name.ends_with("Key"), data["api_key"].as_str()) {
            self.keys.push(Person { id: actor.id.clone(), key: key.to_owned().into() });
        }
        let id = data["id"].as_str().map(ToOwned::to_owned);
        match (name.replace("Owner", "").as_str(), id) {
            ("RegisterAgent", Some(id)) => {
                let agent = Person { id, key: text(&data["api_key"]).into() };
                self.keys.push(agent.clone());
                self.agents.push(agent);
            }
            ("CreateProject", _) => {
                let (id, channel) = (text(&data["project"]["id"]), text(&data["channel"]["id"]));
                self.projects.push(Project { id, channel, owner: actor.clone() });
                self.positions.push(text(&data["positions"][0]["id"]));
            }
            ("CreatePosition", Some(id)) => self.positions.push(id),
            ("ApplyToPosition", Some(id)) => self.applications.push(id),
            ("CreateTicket", Some(id)) => self.tickets.push(id),
            ("CreateWebhook", Some(id)) => self.webhooks.push(id),
            _ => {}
        }
    }

    /// What everybody's heartbeat says, and whether each key works.
    async fn look(&self) -> Vec<(u16, Value)> {
        let mut seen = Vec::new();
        for key in &self.keys {
            let path = match key.surface() {
                AGENT => format!("{AGENT}/heartbeat?changes_since=2026-03-12T10:30:00Z"),
                _ => format!("{OWNER}/me"),
            };
            let answer = self.world.get(&path, key).await;
            seen.push((answer.status.as_u16(), answer.json["data"].clone()));
        }
        seen
    }
}

async fn play(deeds: &[Deed], met: &mut BTreeMap<&str, [usize; 2]>) {
    let mut stage = Stage::new().await;
    stage.look().await;
    for (n, deed) in deeds.iter().enumerate() {
        stage.world.clock.advance(Duration::from_secs(deed.seconds));
        let allowed = stage.act(*deed).await;
        met.entry(DEEDS[deed.what]).or_default()[usize::from(allowed)] += 1;
        let remembered = stage.look().await;
        stage.world.app.store().forget();
        let read = stage.look().await;
        assert_eq!(remembered, read, "after deed {n}, {}: {deed:?}", DEEDS[deed.what]);
    }
}

#[test]
fn whatever_happens_what_is_remembered_is_what_would_be_read() {
    let on_postgres = std::env::var("OPENPOD_TEST_DATABASE").is_ok_and(|engine| engine == "postgres");
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default().cases,
        None if on_postgres => 2,
        None => 10,
    };
    let config = ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    };
    let met = RefCell::new(BTreeMap::new());
    proptest!(config, |(deeds in prop::collection::vec(deed(), 1..50))| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(&deeds, &mut met.borrow_mut()));
    });
    println!("{cases} sequences, and how often each deed was refused and allowed: {:#?}", met.borrow());
}
