//! However much there is of others': an answer is found by an index, and no table is walked through for it.

use http::Method;
use openpod_sdk::api::{Access, ENDPOINTS, EXTENSIONS, owner};
use openpod_server::store::{Location, StoreError};
use serde_json::{Value, json};

use super::world::{AGENT, OWNER, World, text};

/// How many rows of each kind belong to others.
const OTHERS: u64 = 3_000;

/// As many rows of every kind that grows. Each is the only one of its kind in its project, so that nothing is found by chance.
fn others() -> Vec<String> {
    let count =
        format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {OTHERS})");
    [
        "agents (id, name, name_key, slug, capabilities, created_at) SELECT 'a' || i, i, i, i, '[]', i FROM n",
        "agent_capabilities SELECT 'a' || i, 'capability ' || i FROM n",
        "owners (id, login, login_key, password_hash, created_at) SELECT 'o' || i, i, i, 'x', i FROM n",
        "api_keys (key_id, agent_id, secret_sha256, scopes, created_at) \
         SELECT 'k' || i, 'a' || i, zeroblob(32), '[]', i FROM n",
        "projects (id, title, description, status, owner_id, created_at, updated_at) \
         SELECT 'p' || i, i, i, 'open', 'o' || i, i, i FROM n",
        "positions (id, project_id, title, role_level, required_capabilities, max_agents, status, created_at) \
         SELECT 'o' || i, 'p' || i, i, 'pm', '[]', 1, 'open', i FROM n",
        "applications (id, position_id, agent_id, cover_letter, status, created_at, updated_at) \
         SELECT 'l' || i, 'o' || i, 'a' || i, 'x', 'pending', i, i FROM n",
        "memberships SELECT 'p' || i, 'a' || i, 'o' || i, 'pm', i FROM n",
        "channels (id, project_id, name, messages_made, created_at) SELECT 'c' || i, 'p' || i, 'general', 1, i FROM n",
        "messages (id, channel_id, position, author_agent_id, content, created_at) \
         SELECT 'm' || i, 'c' || i, 1, 'a' || i, 'x', i FROM n",
        "channel_reads SELECT 'a' || i, 'c' || i, 0 FROM n",
        "tickets (id, project_id, number, title, priority, kind, acceptance_criteria, labels, assignee_id, status, \
         approval, payout_cents, submitted_at, deliverables, version, created_at, updated_at) \
         SELECT 't' || i, 'p' || i, 1, i, 'low', 'spike', '[]', '[]', 'a' || i, \
         CASE WHEN i % 2 THEN 'in_review' ELSE 'done' END, CASE WHEN i % 2 THEN 'pending' ELSE 'approved' END, \
         CASE WHEN i % 2 THEN NULL ELSE 10 END, i, '[]', 1, i, i FROM n",
        "ticket_comments (id, ticket_id, author_agent_id, content, created_at) \
         SELECT 'c' || i, 't' || i, 'a' || i, 'x', i FROM n",
        "ratings SELECT 't' || i, 'a' || i, 5 FROM n",
        "ledger_transactions (id, kind, project_id, ticket_id, agent_id, amount_cents, commission_cents, created_at) \
         SELECT 'l' || i, 'deliverable_approved', 'p' || i, 't' || i, 'a' || i, 10, 1, i FROM n WHERE i % 2 = 0",
        "knowledge (id, project_id, author_agent_id, title, content, category, importance, tags, version, \
         created_at, updated_at) SELECT 'k' || i, 'p' || i, 'a' || i, i, i, 'general', 'normal', '[]', 1, i, i FROM n",
        "webhooks (id, agent_id, url, events, secret, is_active, created_at) \
         SELECT 'w' || i, 'a' || i, 'https://example.org', '[]', 'x', 1, i FROM n",
        "deliveries (id, webhook_id, event, body, status, finished_at, created_at) \
         SELECT 'd' || i, 'w' || i, 'x', '{}', 'delivered', i, i FROM n",
        "audit_log (id, at, actor_kind, operation, owner_id, target_kind, target_id, after_json) \
         SELECT 'a' || i, i, 'anybody', 'x', 'o' || i, 'x', 'x', '{}' FROM n",
    ]
    .map(|rows| {
        let (table, select) = rows.split_at(rows.find("SELECT").unwrap());
        format!("INSERT INTO {table} {count} {select}")
    })
    .into()
}

#[tokio::test]
async fn no_answer_walks_through_what_belongs_to_others() {
    let world = World::at(Location::Memory).await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let pm = world.member(&project, "paul", "pm").await;
    let ada = world.member(&project, "ada", "worker").await;
    let ticket = world.ticket(&project, Some(&ada)).await;
    let webhook = json!({"url": "https://93.184.216.34/", "events": ["*"]});
    let webhook = text(&world.post(&format!("{AGENT}/webhooks"), &pm, webhook).await.expect(201)["id"]);
    let seeded = world.app.store().write(|tx| {
        Box::pin(async move {
            for statement in others() {
                tx.execute(&statement, &[]).await?;
            }
            Ok::<_, StoreError>(())
        })
    });
    seeded.await.unwrap();

    let mut asked = 0;
    let mut walks = Vec::new();
    for operation in ENDPOINTS.iter().chain(&EXTENSIONS).chain(&owner::ENDPOINTS) {
        if operation.method != Method::GET || operation.path.contains("/github/") {
            continue;
        }
        let (surface, who) = if operation.access == Access::Owner { (OWNER, &owner) } else { (AGENT, &pm) };
        let ids = [("{ticket_id}", &ticket), ("{project_id}", &project.id), ("{webhook_id}", &webhook)];
        let path = ids.iter().fold(operation.path.to_owned(), |path, (name, id)| path.replace(name, id));
        // Those that list what belongs to a project want to know of which.
        for query in [format!("?project_id={}", project.id), String::new()] {
            world.app.store().forget();
            let before = world.app.store().counts();
            let answer = world.get(&format!("{surface}{path}{query}"), who).await;
            if answer.status.is_success() {
                asked += 1;
                let walked = world.app.store().counts().walked - before.walked;
                walks.push((walked, operation.name, answer.json["data"].as_array().map_or(1, Vec::len)));
            } else {
                assert_eq!(answer.status, 400, "{} {query}: {:#}", operation.name, answer.json);
            }
        }
    }
    let long: Vec<_> = walks.iter().filter(|(walked, ..)| *walked > 100).collect();
    assert!(long.is_empty(), "rows walked over, operation, rows shown: {long:#?}");
    assert!(asked > 20, "{asked}");
    let walk = "SELECT count(*) AS n FROM tickets WHERE title = 'nothing'";
    let before = world.app.store().counts();
    let none = world
        .app
        .store()
        .read(move |tx| Box::pin(async move { tx.first(walk, &[], |row| row.get("n")).await }));
    assert_eq!(none.await.unwrap_or_else(|error: StoreError| panic!("{error}")), Some(0_u64));
    assert!(world.app.store().counts().walked - before.walked >= OTHERS, "a walk is seen");
    let still: Value = world.get(&format!("{AGENT}/heartbeat"), &ada).await.expect(200);
    assert_eq!(still["tickets"]["assigned_to_you"].as_array().map(Vec::len), Some(1));
}
