//! Who may do what: every operation of the contract against everybody who might call it, in one table.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Method;
use openpod_sdk::api::{Access, ENDPOINTS, EXTENSIONS, Idempotency, Operation, Scope, owner};
use openpod_server::store::StoreError;
use serde_json::{Value, json};

use super::world::{AGENT, OWNER, Person, Project, World, text};

/// Those who call, in the order of the table's columns. `owner agent` owns a project of its own, and calls within that;
/// everybody else calls within the project of `owner human`. Keys that do not work, and the narrow one, are the PM's,
/// on the owner surface the owner's. On the owner surface the stranger is another owner.
const CALLERS: [&str; 11] = [
    "no key",
    "stranger",
    "worker",
    "assignee",
    "lead",
    "pm",
    "owner agent",
    "owner human",
    "revoked key",
    "expired key",
    "narrow key",
];

/// The status that each of them gets. What there is to be changed belongs to the assignee (its ticket, its webhook, its
/// key), on the owner surface to the owner. No GitHub is connected, so for those who may ask it is 404.
#[rustfmt::skip]
const TABLE: &str = "
                        none strn work asgn lead pm   oagt ohum rvkd expd nrrw
RegisterAgent           201  201  201  201  201  201  201  201  201  201  201
GetHeartbeat            401  200  200  200  200  200  200  401  401  401  403
ListAgents              200  200  200  200  200  200  200  200  200  200  200
ListProjects            401  200  200  200  200  200  200  401  401  401  403
CreateProject           401  201  201  201  201  201  201  401  401  401  403
ListPositions           401  200  200  200  200  200  200  401  401  401  403
ApplyToPosition         401  201  409  409  409  409  409  401  401  401  403
ListTickets             401  403  200  200  200  200  200  401  401  401  403
CreateTicket            401  403  403  403  201  201  201  401  401  401  403
GetTicket               401  404  200  200  200  200  200  401  401  401  403
UpdateTicket            401  404  403  200  200  200  200  401  401  401  403
ApproveTicket           401  404  403  403  403  200  200  401  401  401  403
AddComment              401  404  201  201  201  201  201  401  401  401  403
ListMessages            401  403  200  200  200  200  200  401  401  401  403
SendMessage             401  403  201  201  201  201  201  401  401  401  403
SearchKnowledge         401  403  200  200  200  200  200  401  401  401  403
CreateKnowledge         401  403  201  201  201  201  201  401  401  401  403
ListWebhooks            401  200  200  200  200  200  200  401  401  401  403
CreateWebhook           401  201  201  201  201  201  201  401  401  401  403
DeleteWebhook           401  404  404  200  404  404  404  401  401  401  403
GetGithubToken          401  403  404  404  404  404  404  401  401  401  403
ListPullRequests        401  403  404  404  404  404  404  401  401  401  403
VerifyDeliverable       401  403  404  404  404  404  404  401  401  401  403
GetHealth               200  200  200  200  200  200  200  200  200  200  200
GetMe                   401  200  200  200  200  200  200  401  401  401  403
GetBalance              401  200  200  200  200  200  200  401  401  401  403
ListTransactions        401  200  200  200  200  200  200  401  401  401  403
ListKeys                401  200  200  200  200  200  200  401  401  401  403
CreateKey               401  201  201  201  201  201  201  401  401  401  403
RotateKey               401  404  404  201  404  404  404  401  401  401  403
RevokeKey               401  404  404  200  404  404  404  401  401  401  403
ListApplications        401  200  200  200  200  200  200  401  401  401  403
DecideApplication       401  404  403  403  403  200  200  401  401  401  403
CreatePosition          401  403  403  403  403  201  201  401  401  401  403
ListDeliveries          401  404  404  200  404  404  404  401  401  401  403
TestWebhook             401  404  404  201  404  404  404  401  401  401  403
ReplayDeliveries        401  404  404  200  404  404  404  401  401  401  403
RotateWebhookSecret     401  404  404  201  404  404  404  401  401  401  403
EnableWebhook           401  404  404  200  404  404  404  401  401  401  403
GetOwner                401  200  401  401  401  401  401  200  401  401  403
ListOwnerProjects       401  200  401  401  401  401  401  200  401  401  403
OwnerCreateProject      401  201  401  401  401  401  401  201  401  401  403
GetOwnerProject         401  404  401  401  401  401  401  200  401  401  403
OwnerCreatePosition     401  403  401  401  401  401  401  201  401  401  403
ListOwnerApplications   401  403  401  401  401  401  401  200  401  401  403
OwnerDecideApplication  401  404  401  401  401  401  401  200  401  401  403
OwnerListTickets        401  403  401  401  401  401  401  200  401  401  403
OwnerCreateTicket       401  403  401  401  401  401  401  201  401  401  403
OwnerGetTicket          401  404  401  401  401  401  401  200  401  401  403
OwnerUpdateTicket       401  404  401  401  401  401  401  200  401  401  403
OwnerApproveTicket      401  404  401  401  401  401  401  200  401  401  403
OwnerAddComment         401  404  401  401  401  401  401  201  401  401  403
ListLedger              401  403  401  401  401  401  401  200  401  401  403
ListAudit               401  403  401  401  401  401  401  200  401  401  403
ListOwnerKeys           401  200  401  401  401  401  401  200  401  401  403
CreateOwnerKey          401  201  401  401  401  401  401  201  401  401  403
RotateOwnerKey          401  404  401  401  401  401  401  201  401  401  403
RevokeOwnerKey          401  404  401  401  401  401  401  200  401  401  403
OwnerListWebhooks       401  200  401  401  401  401  401  200  401  401  403
OwnerListDeliveries     401  404  401  401  401  401  401  200  401  401  403
OwnerTestWebhook        401  404  401  401  401  401  401  201  401  401  403
OwnerReplayDeliveries   401  404  401  401  401  401  401  200  401  401  403
OwnerEnableWebhook      401  404  401  401  401  401  401  200  401  401  403
";

/// The expected statuses by operation.
type Table = BTreeMap<&'static str, Vec<u16>>;

fn table() -> Table {
    let rows = TABLE.lines().skip(2).map(|row| {
        let mut words = row.split_whitespace();
        let name = words.next().unwrap();
        (name, words.map(|word| word.parse().unwrap()).collect())
    });
    rows.collect()
}

fn operations() -> impl Iterator<Item = &'static Operation> {
    ENDPOINTS.iter().chain(&EXTENSIONS).chain(&owner::ENDPOINTS)
}

/// Operations that a table has no row for, and rows that are of no operation.
fn unmatched(table: &Table) -> (Vec<&'static str>, Vec<&'static str>) {
    let names: BTreeSet<&str> = operations().map(|operation| operation.name).collect();
    let missing = names.iter().filter(|name| !table.contains_key(*name)).copied().collect();
    (missing, table.keys().filter(|name| !names.contains(*name)).copied().collect())
}

#[test]
fn a_row_that_is_missing_or_of_no_operation_is_noticed() {
    let mut table = table();
    assert_eq!(unmatched(&table), (vec![], vec![]));
    table.remove("GetMe");
    table.insert("EatCake", vec![200]);
    assert_eq!(unmatched(&table), (vec!["GetMe"], vec!["EatCake"]));
}

/// The people of the table.
struct Scene {
    world: World,
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
    async fn set() -> Scene {
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
    fn caller(&self, column: &str, operation: &Operation) -> Option<Person> {
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
    async fn call(&self, operation: &Operation, side: usize) -> (String, Value) {
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

    async fn entries_in_the_audit_log(&self) -> i64 {
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

#[tokio::test]
async fn the_table_says_who_may_do_what() {
    let (scene, expected) = (Scene::set().await, table());
    let mut wrong = Vec::new();
    for operation in operations() {
        let expected = expected.get(operation.name).expect("another test says which row is missing");
        assert_eq!(expected.len(), CALLERS.len(), "{}", operation.name);
        let mut found = Vec::new();
        for column in CALLERS {
            let (path, body) = scene.call(operation, usize::from(column == "owner agent")).await;
            let caller = scene.caller(column, operation);
            let body = matches!(operation.method, Method::POST | Method::PATCH).then_some(body);
            let answer = scene.world.call(operation.method.clone(), &path, caller.as_ref(), body).await;
            if column == "narrow key" && operation.scope.is_some() {
                let scope = operation.scope.as_ref().map(Scope::as_str);
                assert_eq!(answer.json["details"]["scope"].as_str(), scope, "{}", operation.name);
            }
            found.push(answer.status.as_u16());
        }
        if found != *expected {
            wrong.push(format!(
                "{:23} {}",
                operation.name,
                found.iter().map(|status| format!(" {status} ")).collect::<String>()
            ));
        }
        // Enough failures from one address are limited, and so are the keys of one holder.
        scene.world.clock.advance(Duration::from_secs(2 * 3600));
    }
    assert!(wrong.is_empty(), "these rows are found to be otherwise:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_operation_that_changes_something_leaves_an_entry_in_the_audit_log_and_no_other_does() {
    let (scene, expected) = (Scene::set().await, table());
    for operation in operations() {
        let changes = operation.idempotency != Idempotency::Safe;
        for (column, status) in CALLERS.iter().zip(&expected[operation.name]) {
            if *column != "stranger" && !(200..300).contains(status) {
                continue;
            }
            let (path, body) = scene.call(operation, usize::from(*column == "owner agent")).await;
            let before = scene.entries_in_the_audit_log().await;
            let caller = scene.caller(column, operation);
            let body = matches!(operation.method, Method::POST | Method::PATCH).then_some(body);
            let answer = scene.world.call(operation.method.clone(), &path, caller.as_ref(), body).await;
            let left = scene.entries_in_the_audit_log().await > before;
            let says = format!("{} by {column}: {}", operation.name, answer.status);
            assert_eq!(left, changes && answer.status.is_success(), "{says}");
        }
        scene.world.clock.advance(Duration::from_secs(2 * 3600));
    }
}
