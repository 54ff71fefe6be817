//! The people of the table, and what they ask for.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use openpod_sdk::api::{Access, Operation, Scope};
use openpod_server::store::StoreError;
use serde_json::{Value, json};

use crate::server::world::{AGENT, OWNER, Person, Project, World, text};

/// All of them, and their keys.
pub(super) struct Scene {
    pub(super) world: World,
    /// Of the human, and of the agent who owns one.
    projects: [Project; 2],
    /// Whose the tickets, webhooks and keys of each project are.
    assignees: [Person; 2],
    people: BTreeMap<&'static str, Person>,
    other_owner: Person,
    /// Keys that do not work, or for reading or keys alone: the PM's and the owner's.
    keys: BTreeMap<(&'static str, Surface), Person>,
    made: Cell<u32>,
}

/// Which surface a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Surface {
    Agents,
    Owners,
}

impl Scene {
    pub(super) async fn set() -> Scene {
        let world = World::new().await;
        let (olga, ada) = (world.owner("olga").await, world.register("ada").await);
        let projects = [world.project(&olga).await, world.project(&ada).await];
        let assignees = [
            world.member(&projects[0], "anna", "worker").await,
            world.member(&projects[1], "anton", "worker").await,
        ];
        let mut people = BTreeMap::new();
        for (name, role) in [("worker", "worker"), ("lead", "lead"), ("pm", "pm")] {
            people.insert(name, world.member(&projects[0], name, role).await);
        }
        people.insert("stranger", world.register("stefan").await);
        people.insert("assignee", assignees[0].clone());
        people.insert("owner agent", ada);
        people.insert("owner human", olga);
        let other_owner = world.owner("otto").await;
        let mut scene = Scene {
            world,
            projects,
            assignees,
            people,
            other_owner,
            keys: BTreeMap::new(),
            made: Cell::new(0),
        };
        scene.make_keys().await;
        scene
    }

    async fn make_keys(&mut self) {
        for (holder, access) in [("pm", Surface::Agents), ("owner human", Surface::Owners)] {
            let holder = self.people[holder].clone();
            for (name, scope) in
                [("revoked key", "*"), ("expired key", "*"), ("read", "read"), ("keys", "keys")]
            {
                let mut key = json!({"scopes": [scope]});
                if name == "expired key" {
                    key["expires_at"] = json!("2026-03-12T10:30:01Z");
                }
                let made = self.world.post(&keys_of(&holder), &holder, key).await.expect(201);
                if name == "revoked key" {
                    let path = format!("{}/{}", keys_of(&holder), text(&made["id"]));
                    self.world.call(Method::DELETE, &path, Some(&holder), None).await.expect(200);
                }
                let person = Person { id: holder.id.clone(), key: text(&made["api_key"]).into() };
                self.keys.insert((name, access), person);
            }
        }
    }

    /// Who calls, from a column of the table.
    pub(super) fn caller(&self, column: &str, operation: &Operation) -> Option<Person> {
        let access = if operation.access == Access::Owner { Surface::Owners } else { Surface::Agents };
        match column {
            "no key" => None,
            "stranger" if operation.access == Access::Owner => Some(self.other_owner.clone()),
            "narrow key" => {
                let other = if operation.scope == Some(Scope::Read) { "keys" } else { "read" };
                Some(self.keys[&(other, access)].clone())
            }
            "revoked key" => Some(self.keys[&("revoked key", access)].clone()),
            "expired key" => Some(self.keys[&("expired key", access)].clone()),
            person => Some(self.people[person].clone()),
        }
    }

    fn next(&self) -> u32 {
        self.made.set(self.made.get() + 1);
        self.made.get()
    }

    /// Something for a call to act on, and the call's path and body.
    pub(super) async fn call(&self, operation: &Operation, side: usize) -> (String, Value) {
        let (project, assignee) = (&self.projects[side], &self.assignees[side]);
        let (project_id, n) = (&project.id, self.next());
        let body = match operation.name.trim_start_matches("Owner") {
            "RegisterAgent" => json!({"name": format!("agent-{n}"), "capabilities": ["rust"]}),
            "CreateProject" => json!({"title": "Another", "description": "A service that does it."}),
            "ApplyToPosition" => {
                json!({"position_id": self.position(project).await, "cover_letter": "I can."})
            }
            "CreateTicket" => json!({
                "project_id": project_id, "title": "Fix it", "ticket_type": "spike",
            }),
            "UpdateTicket" => json!({"status": "done"}),
            "ApproveTicket" => json!({"action": "approve", "payout_cents": 1}),
            "AddComment" => json!({"content": "Well."}),
            "SendMessage" => {
                json!({"project_id": project_id, "channel_id": project.channel, "content": "Hello."})
            }
            "CreateKnowledge" => json!({
                "project_id": project_id, "title": "How it is done", "content": "So and so. ".repeat(6),
            }),
            "CreateWebhook" => json!({"url": "https://agent.example/hook", "events": ["*"]}),
            "ReplayDeliveries" => json!({"status": "pending"}),
            "VerifyDeliverable" => {
                json!({"project_id": project_id, "pr_url": "https://example.org/o/r/pull/1"})
            }
            "DecideApplication" => json!({"decision": "reject"}),
            "CreatePosition" => json!({"project_id": project_id, "title": "Wanted", "role_level": "worker"}),
            "CreateKey" | "CreateOwnerKey" => {
                json!({"scopes": ["read"], "expires_at": self.world.clock_in(Duration::from_secs(3600))})
            }
            _ => json!({}),
        };
        let mut path = format!("{}{}", operation.access.base_path(), operation.path);
        for (place, id) in [
            ("{project_id}", project_id.clone()),
            ("{ticket_id}", self.ticket(&path, operation, project, assignee).await),
            ("{application_id}", self.application(&path, project).await),
            ("{webhook_id}", self.webhook(&path, operation, assignee).await),
            ("{key_id}", self.key(&path, operation, assignee).await),
        ] {
            path = path.replace(place, &id);
        }
        let within = [
            "ListTickets",
            "ListMessages",
            "SearchKnowledge",
            "GetGithubToken",
            "ListPullRequests",
            "ListOwnerApplications",
            "ListLedger",
            "ListAudit",
        ];
        if within.contains(&operation.name.trim_start_matches("Owner")) {
            path = format!("{path}?project_id={project_id}");
        }
        (path, body)
    }

    async fn position(&self, project: &Project) -> String {
        let body = json!({"project_id": project.id, "title": "Wanted", "role_level": "worker"});
        let path = format!("{}/positions", project.owner.surface());
        text(&self.world.post(&path, &project.owner, body).await.expect(201)["id"])
    }

    async fn ticket(
        &self,
        path: &str,
        operation: &Operation,
        project: &Project,
        assignee: &Person,
    ) -> String {
        if !path.contains("{ticket_id}") {
            return String::new();
        }
        let ticket = self.world.ticket(project, Some(assignee)).await;
        let status = if operation.path.ends_with("/approve") { "in_review" } else { "in_progress" };
        let path = format!("{AGENT}/tickets/{ticket}");
        self.world.patch(&path, assignee, json!({"status": status})).await.expect(200);
        ticket
    }

    async fn application(&self, path: &str, project: &Project) -> String {
        if !path.contains("{application_id}") {
            return String::new();
        }
        let applicant = self.world.register(&format!("applicant-{}", self.next())).await;
        let letter = json!({"position_id": self.position(project).await, "cover_letter": "I can."});
        text(&self.world.post(&format!("{AGENT}/apply"), &applicant, letter).await.expect(201)["id"])
    }

    /// The one webhook of the assignee; disabled for who will enable it, with a delivery for who will replay it.
    async fn webhook(&self, path: &str, operation: &Operation, assignee: &Person) -> String {
        if !path.contains("{webhook_id}") {
            return String::new();
        }
        let webhooks = format!("{AGENT}/webhooks");
        for old in self.world.get(&webhooks, assignee).await.expect(200).as_array().unwrap() {
            let old = format!("{webhooks}/{}", text(&old["id"]));
            self.world.call(Method::DELETE, &old, Some(assignee), None).await.expect(200);
        }
        let body = json!({"url": "https://agent.example/hook", "events": ["*"]});
        let id = text(&self.world.post(&webhooks, assignee, body).await.expect(201)["id"]);
        if operation.path.ends_with("/replay") {
            self.world.post(&format!("{webhooks}/{id}/test"), assignee, json!({})).await.expect(201);
        }
        if operation.path.ends_with("/enable") {
            self.disable_webhooks().await;
        }
        id
    }

    async fn disable_webhooks(&self) {
        let sql = "UPDATE webhooks SET is_active = 0, due_at = NULL";
        let done: Result<_, StoreError> =
            self.world.app.store().write(move |tx| Box::pin(async move { tx.execute(sql, &[]).await })).await;
        done.unwrap();
    }

    async fn key(&self, path: &str, operation: &Operation, assignee: &Person) -> String {
        if !path.contains("{key_id}") {
            return String::new();
        }
        let holder = if operation.access == Access::Owner { &self.people["owner human"] } else { assignee };
        let body = json!({"scopes": ["*"], "expires_at": self.world.clock_in(Duration::from_secs(3600))});
        text(&self.world.post(&keys_of(holder), holder, body).await.expect(201)["id"])
    }

    pub(super) async fn entries_in_the_audit_log(&self) -> i64 {
        let count: Result<_, StoreError> = self
            .world
            .app
            .store()
            .read(|tx| {
                Box::pin(async move {
                    let sql = "SELECT count(*) AS n FROM audit_log";
                    Ok(tx.first(sql, &[], |row| row.get::<i64>("n")).await?.unwrap())
                })
            })
            .await;
        count.unwrap()
    }
}

fn keys_of(holder: &Person) -> String {
    format!("{}{}", holder.surface(), if holder.surface() == OWNER { "/keys" } else { "/me/keys" })
}
