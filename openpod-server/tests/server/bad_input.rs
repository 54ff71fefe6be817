//! What comes in wrong: every operation against every way of being wrong, each with its status and code, none with an
//! effect.

use http::{Method, Request};
use openpod_sdk::Secret;
use openpod_sdk::api::{Access, ENDPOINTS, EXTENSIONS, Operation, owner};
use openpod_server::app::Limits;
use openpod_server::config::CallLimits;
use openpod_server::store::{StoreError, keys};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::world::{AGENT, OWNER, Person, Project, World};

const NO_KEY: &str = "0123456789abcdef01234567";
const NOBODY: &str = "018f0000-0000-7000-8000-000000000000";

/// Method, path, caller and body of a call, and the status and code that it gets.
type Case<'a> = (Method, String, &'a Person, Value, (u16, &'a str));

/// A world with one of everything, and how much of it there is.
struct Stage {
    world: World,
    project: Project,
    lead: Person,
    worker: Person,
    ticket: String,
}

impl Stage {
    async fn set() -> Stage {
        let world = World::new().await;
        let owner = world.owner("olga").await;
        let project = world.project(&owner).await;
        let lead = world.member(&project, "leah", "lead").await;
        let worker = world.member(&project, "wanda", "worker").await;
        let ticket = world.ticket(&project, Some(&worker)).await;
        Stage { world, project, lead, worker, ticket }
    }

    /// How many rows each table has that a refused call must not touch.
    async fn inventory(&self) -> Vec<(String, i64)> {
        let counted: Result<_, StoreError> = self
            .world
            .app
            .store()
            .read(|tx| {
                Box::pin(async move {
                    let mut counts = Vec::new();
                    for table in [
                        "agents",
                        "projects",
                        "positions",
                        "applications",
                        "memberships",
                        "messages",
                        "tickets",
                        "ticket_comments",
                        "knowledge",
                        "webhooks",
                        "deliveries",
                        "ledger_transactions",
                        "ledger_entries",
                        "idempotency_keys",
                        "api_keys",
                        "audit_log",
                        "channel_reads",
                    ] {
                        let sql = format!("SELECT count(*) AS n FROM {table}");
                        let n = tx.first(&sql, &[], |row| row.get::<i64>("n")).await?.unwrap();
                        counts.push((table.to_owned(), n));
                    }
                    let sql = "SELECT CAST(coalesce(sum(version), 0) AS BIGINT) AS n FROM tickets";
                    counts.push(("versions".into(), tx.first(sql, &[], |row| row.get("n")).await?.unwrap()));
                    Ok(counts)
                })
            })
            .await;
        counted.unwrap()
    }

    /// A call of an operation with this id in its path and what its query must have.
    fn path(&self, operation: &Operation, id: &str) -> String {
        let path = operation.path.split('/').map(|part| if part.starts_with('{') { id } else { part });
        let path = format!("{}{}", operation.access.base_path(), path.collect::<Vec<_>>().join("/"));
        let wants_project = [
            "ListTickets",
            "OwnerListTickets",
            "ListMessages",
            "SearchKnowledge",
            "GetGithubToken",
            "ListPullRequests",
        ];
        match wants_project.contains(&operation.name) {
            true => format!("{path}?project_id={}", self.project.id),
            false => path,
        }
    }

    /// Somebody whose key the operation takes.
    fn caller(&self, operation: &Operation) -> Option<Person> {
        match operation.access {
            Access::Public => None,
            Access::Agent => Some(self.lead.clone()),
            Access::Owner => Some(self.project.owner.clone()),
        }
    }
}

fn operations() -> impl Iterator<Item = &'static Operation> {
    ENDPOINTS.iter().chain(EXTENSIONS.iter()).chain(owner::ENDPOINTS.iter())
}

fn takes_body(operation: &Operation) -> bool {
    matches!(operation.method, Method::POST | Method::PATCH)
}

async fn revoke(world: &World, person: &Person) {
    let key_id = person.key.expose().split('_').nth(1).unwrap().to_owned();
    let revoked: Result<bool, StoreError> = world
        .app
        .store()
        .write(move |tx| {
            Box::pin(async move {
                let now = tx.now();
                keys::revoke(tx, &key_id, now).await
            })
        })
        .await;
    assert!(revoked.unwrap());
}

#[tokio::test]
async fn every_operation_refuses_keys_that_do_not_open_it() {
    let stage = Stage::set().await;
    let revoked = stage.world.register("revoked").await;
    let revoked_owner = stage.world.owner("otto").await;
    revoke(&stage.world, &revoked).await;
    revoke(&stage.world, &revoked_owner).await;
    let made_up =
        Person { id: String::new(), key: format!("opk_{}_{}", "a".repeat(24), "b".repeat(64)).into() };
    let garbage = Person { id: String::new(), key: "secret".into() };
    let before = stage.inventory().await;
    for operation in operations().filter(|operation| operation.access != Access::Public) {
        let path = stage.path(operation, NOBODY);
        let wrong_kind = match operation.access {
            Access::Owner => &stage.worker,
            _ => &stage.project.owner,
        };
        let withdrawn = if operation.access == Access::Owner { &revoked_owner } else { &revoked };
        for who in [None, Some(wrong_kind), Some(&made_up), Some(&garbage), Some(withdrawn)] {
            let answer = stage.world.call(operation.method.clone(), &path, who, Some(json!({}))).await;
            assert_eq!(answer.refusal(), (401, "unauthenticated"), "{} {who:?}", operation.name);
            assert!(answer.headers.contains_key("www-authenticate"), "{}", operation.name);
        }
    }
    assert_eq!(stage.inventory().await, before);
}

#[tokio::test]
async fn every_operation_refuses_a_query_parameter_that_it_does_not_know() {
    let stage = Stage::set().await;
    for operation in operations() {
        let path = stage.path(operation, NOBODY);
        let path = format!("{path}{}statsu=todo", if path.contains('?') { '&' } else { '?' });
        let caller = stage.caller(operation);
        let answer =
            stage.world.call(operation.method.clone(), &path, caller.as_ref(), Some(json!({}))).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{}", operation.name);
    }
}

#[tokio::test]
async fn every_operation_refuses_a_malformed_id_in_its_path() {
    let stage = Stage::set().await;
    for operation in operations().filter(|operation| operation.path.contains('{')) {
        for id in ["ticket_456", "018F0000-0000-7000-8000-00000000000", "%00", "..%2F..", "'--"] {
            let path = stage.path(operation, id);
            let caller = stage.caller(operation);
            let answer =
                stage.world.call(operation.method.clone(), &path, caller.as_ref(), Some(json!({}))).await;
            assert_eq!(answer.refusal(), (400, "invalid_request"), "{} {id}", operation.name);
        }
    }
}

#[tokio::test]
async fn every_operation_with_a_body_refuses_what_is_no_json_object_for_it() {
    let stage = Stage::set().await;
    let before = stage.inventory().await;
    for operation in operations().filter(|operation| takes_body(operation)) {
        let names_a_key = operation.path.contains("{key_id}");
        let says_enough = ["/rotate", "/test", "/enable"].iter().any(|end| operation.path.ends_with(end));
        let path = stage.path(operation, if names_a_key { NO_KEY } else { &stage.ticket });
        let send = |body: Vec<u8>| {
            let mut request = Request::builder().method(operation.method.clone()).uri(&path);
            if let Some(caller) = stage.caller(operation) {
                request = request.header("authorization", format!("Bearer {}", caller.key.expose()));
            }
            stage.world.send(request.body(body.into()).unwrap())
        };
        for body in
            ["{", "[]", "null", "5", "\"x\"", "{}{}", "\u{feff}{}", "{\"a\":\u{1}}", "{\"title\": {}}", "{}"]
        {
            // Some are content with nothing, such as the rotation of a key.
            if says_enough && matches!(body, "{}" | "{\"title\": {}}") {
                continue;
            }
            let answer = send(body.into()).await;
            assert_eq!(answer.refusal(), (400, "invalid_request"), "{} {body}", operation.name);
        }
        assert_eq!(send(vec![0xff, 0xfe]).await.refusal(), (400, "invalid_request"), "{}", operation.name);
        let large = send(vec![b' '; 5 * 1024 * 1024]).await;
        assert_eq!(large.refusal(), (413, "payload_too_large"), "{}", operation.name);
    }
    assert_eq!(stage.inventory().await, before);
}

#[tokio::test]
async fn an_address_or_method_that_is_none_is_told_from_a_thing_that_is_none() {
    let stage = Stage::set().await;
    let world = &stage.world;
    assert_eq!(world.get("/api/agent/v1/tickts", &stage.worker).await.refusal(), (404, "not_found"));
    assert_eq!(world.get("/", &stage.worker).await.refusal(), (404, "not_found"));
    let wrong_method =
        world.call(Method::DELETE, &format!("{AGENT}/tickets"), Some(&stage.worker), None).await;
    assert_eq!(wrong_method.refusal(), (405, "method_not_allowed"));
    assert!(wrong_method.headers.contains_key("allow"));
}

#[tokio::test]
async fn what_is_not_there_or_not_the_callers_to_do_is_refused_in_one_form() {
    let stage = Stage::set().await;
    let Stage { world, project, lead, worker, ticket } = &stage;
    let owner = &project.owner;
    let stranger = world.register("stranger").await;
    let before = stage.inventory().await;
    let thirty = "Thirty characters are needed for a task.";
    let task = |project: &str| json!({"project_id": project, "title": "Fix it", "description": thirty});
    let long = "x".repeat(20_001);
    let (agent, own) = (AGENT, OWNER);
    #[rustfmt::skip]
    let table: Vec<Case<'_>> = vec![
        // What is not there.
        (Method::GET, format!("{agent}/tickets/{NOBODY}"), worker, json!(null), (404, "not_found")),
        (Method::PATCH, format!("{agent}/tickets/{NOBODY}"), worker, json!({"status": "done"}), (404, "not_found")),
        (Method::POST, format!("{agent}/tickets/{NOBODY}/comments"), worker, json!({"content": "x"}), (404, "not_found")),
        (Method::POST, format!("{own}/tickets/{NOBODY}/approve"), owner, json!({"action": "reject"}), (404, "not_found")),
        (Method::GET, format!("{agent}/tickets?project_id={NOBODY}"), worker, json!(null), (404, "not_found")),
        (Method::GET, format!("{agent}/messages?project_id={NOBODY}"), worker, json!(null), (404, "not_found")),
        (Method::GET, format!("{agent}/knowledge?project_id={NOBODY}"), worker, json!(null), (404, "not_found")),
        (Method::POST, format!("{agent}/tickets"), lead, task(NOBODY), (404, "not_found")),
        (Method::POST, format!("{agent}/apply"), worker, json!({"position_id": NOBODY, "cover_letter": "x"}), (404, "not_found")),
        (Method::DELETE, format!("{agent}/webhooks/{NOBODY}"), worker, json!(null), (404, "not_found")),
        (Method::GET, format!("{own}/projects/{NOBODY}"), owner, json!(null), (404, "not_found")),
        (Method::POST, format!("{own}/applications/{NOBODY}/decide"), owner, json!({"decision": "accept"}), (404, "not_found")),
        // What belongs to others.
        (Method::GET, format!("{agent}/tickets?project_id={}", project.id), &stranger, json!(null), (403, "forbidden")),
        (Method::GET, format!("{agent}/messages?project_id={}", project.id), &stranger, json!(null), (403, "forbidden")),
        (Method::GET, format!("{agent}/knowledge?project_id={}", project.id), &stranger, json!(null), (403, "forbidden")),
        (Method::GET, format!("{agent}/github/token?project_id={}", project.id), &stranger, json!(null), (403, "forbidden")),
        (Method::GET, format!("{agent}/github/prs?project_id={}", project.id), &stranger, json!(null), (403, "forbidden")),
        (Method::GET, format!("{agent}/tickets/{ticket}"), &stranger, json!(null), (404, "not_found")),
        (Method::POST, format!("{agent}/tickets"), &stranger, task(&project.id), (403, "forbidden")),
        (Method::POST, format!("{agent}/messages"), &stranger, json!({"project_id": project.id, "channel_id": project.channel, "content": "x"}), (403, "forbidden")),
        // What the caller's role does not reach.
        (Method::POST, format!("{agent}/tickets"), worker, task(&project.id), (403, "forbidden")),
        (Method::PATCH, format!("{agent}/tickets/{ticket}"), worker, json!({"title": "Mine"}), (403, "forbidden")),
        (Method::PATCH, format!("{agent}/tickets/{ticket}"), worker, json!({"status": "cancelled"}), (403, "forbidden")),
        (Method::POST, format!("{agent}/tickets/{ticket}/approve"), worker, json!({"action": "approve", "payout_cents": 1}), (403, "forbidden")),
        (Method::POST, format!("{agent}/tickets/{ticket}/approve"), lead, json!({"action": "approve", "payout_cents": 1}), (403, "forbidden")),
        (Method::POST, format!("{agent}/positions"), lead, json!({"project_id": project.id, "title": "x"}), (403, "forbidden")),
        // What the state of things does not allow.
        (Method::POST, format!("{own}/tickets/{ticket}/approve"), owner, json!({"action": "approve", "payout_cents": 1}), (409, "conflict")),
        (Method::GET, format!("{agent}/github/token?project_id={}", project.id), worker, json!(null), (404, "github_not_connected")),
        // Fields that are missing, wrong or too long.
        (Method::POST, format!("{own}/tickets/{ticket}/approve"), owner, json!({"action": "approve"}), (400, "invalid_request")),
        (Method::POST, format!("{own}/tickets/{ticket}/approve"), owner, json!({"action": "praise"}), (400, "invalid_request")),
        (Method::POST, format!("{own}/tickets/{ticket}/approve"), owner, json!({"action": "approve", "payout_cents": -1}), (400, "invalid_request")),
        (Method::POST, format!("{own}/tickets/{ticket}/approve"), owner, json!({"action": "approve", "payout_cents": 1.5}), (400, "invalid_request")),
        (Method::POST, format!("{agent}/tickets"), lead, json!({"project_id": project.id, "title": "x", "description": "short"}), (400, "invalid_request")),
        (Method::POST, format!("{agent}/tickets"), lead, json!({"project_id": project.id, "title": "x", "description": thirty, "ticket_type": "story"}), (400, "invalid_request")),
        (Method::POST, format!("{agent}/tickets"), lead, json!({"project_id": project.id, "title": "x", "description": long}), (400, "invalid_request")),
        (Method::POST, format!("{agent}/tickets"), lead, json!({"project_id": project.id, "title": "x", "description": thirty, "assignee_agent_key_id": NOBODY}), (400, "invalid_request")),
        (Method::POST, format!("{agent}/messages"), worker, json!({"project_id": project.id, "content": "x"}), (400, "invalid_request")),
        (Method::PATCH, format!("{agent}/tickets/{ticket}"), worker, json!({"status": "finished"}), (400, "invalid_request")),
        (Method::PATCH, format!("{agent}/tickets/{ticket}"), worker, json!({"deliverables": [{"type": "link", "url": "ftp://x"}]}), (400, "invalid_request")),
        (Method::PATCH, format!("{agent}/tickets/{ticket}"), worker, json!({"branch_name": "a b"}), (400, "invalid_request")),
        (Method::GET, format!("{agent}/tickets?project_id={}&limit=0", project.id), worker, json!(null), (400, "invalid_request")),
        (Method::GET, format!("{agent}/tickets?project_id={}&limit=101", project.id), worker, json!(null), (400, "invalid_request")),
        (Method::GET, format!("{agent}/tickets?project_id={}&status=open", project.id), worker, json!(null), (400, "invalid_request")),
        (Method::GET, format!("{agent}/tickets?project_id={}&cursor=x", project.id), worker, json!(null), (400, "invalid_request")),
        (Method::GET, format!("{agent}/heartbeat?changes_since=yesterday"), worker, json!(null), (400, "invalid_request")),
        (Method::POST, format!("{agent}/webhooks"), worker, json!({"url": "http://example.com", "events": ["*"]}), (400, "invalid_request")),
        (Method::POST, format!("{agent}/webhooks"), worker, json!({"url": "https://127.0.0.1/x", "events": ["*"]}), (400, "invalid_request")),
        (Method::POST, format!("{agent}/webhooks"), worker, json!({"url": "https://example.com", "events": ["payday"]}), (400, "invalid_request")),
        (Method::POST, format!("{agent}/webhooks"), worker, json!({"url": "https://example.com", "events": ["*"], "secret": "whsec_x"}), (400, "invalid_request")),
        (Method::POST, format!("{agent}/github/verify-deliverable"), worker, json!({"project_id": project.id, "pr_url": "no address"}), (400, "invalid_request")),
    ];
    for (method, path, who, body, expected) in &table {
        let body = (!body.is_null()).then(|| body.clone());
        let answer = world.call(method.clone(), path, Some(who), body.clone()).await;
        assert_eq!(answer.refusal(), *expected, "{method} {path} {body:?}: {}", answer.json["error"]);
    }
    assert_eq!(stage.inventory().await, before);
}

#[tokio::test]
async fn a_caller_who_calls_too_often_is_told_when_to_come_back() {
    let limits = CallLimits { burst: 5, failed_authentications_per_minute: 3, ..CallLimits::default() };
    let world = World::with_limits(Limits::new(limits)).await;
    let agent = world.register("wanda").await;
    let path = format!("{AGENT}/me");
    for left in (0..5).rev() {
        let answer = world.get(&path, &agent).await;
        assert_eq!(answer.headers["x-ratelimit-remaining"], left.to_string());
        answer.expect(200);
    }
    let refused = world.get(&path, &agent).await;
    assert_eq!(refused.refusal(), (429, "rate_limited"));
    assert_eq!(
        (&refused.headers["retry-after"], &refused.headers["x-ratelimit-limit"]),
        (&"1".parse().unwrap(), &"60".parse().unwrap())
    );
    world.clock.advance(std::time::Duration::from_secs(1));
    world.get(&path, &agent).await.expect(200);

    for n in 0..4 {
        world.register(&format!("more-{n}")).await;
    }
    let sixth = json!({"name": "sixth", "capabilities": ["x"]});
    let refused = world.call(Method::POST, &format!("{AGENT}/register"), None, Some(sixth)).await;
    assert_eq!(refused.refusal(), (429, "rate_limited"));
    // One in twelve minutes, of which a second has passed.
    assert_eq!(refused.headers["retry-after"], "719");

    let mut wrong = agent.clone();
    wrong.key = Secret::new(format!("{}0", agent.key.expose()));
    for _ in 0..3 {
        assert_eq!(world.get(&path, &wrong).await.refusal(), (401, "unauthenticated"));
    }
    for who in [&wrong, &agent] {
        let refused = world.get(&path, who).await;
        assert_eq!(refused.refusal(), (429, "rate_limited"), "not even a key that works opens that door");
        assert_eq!(refused.headers["retry-after"], "20");
    }
    world.clock.advance(std::time::Duration::from_secs(20));
    world.get(&path, &agent).await.expect(200);
}

#[tokio::test]
async fn who_is_refused_while_still_sending_sees_why_and_goes_on_with_the_same_connection() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut connection = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let service = world.router().into_make_service_with_connect_info::<std::net::SocketAddr>();
    let server = tokio::spawn(axum::serve(listener, service).into_future());
    for (size, status) in [(900 * 1024, "401"), (8 * 1024 * 1024, "401")] {
        let head = format!(
            "POST {AGENT}/tickets/t/comments HTTP/1.1\r\nhost: openpod\r\ncontent-length: {size}\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(answered(&mut connection).await, status, "before anything of the body is sent");
        connection.write_all(&vec![b' '; size]).await.unwrap();
    }
    let again = format!("GET {AGENT}/health HTTP/1.1\r\nhost: openpod\r\n\r\n");
    connection.write_all(again.as_bytes()).await.unwrap();
    assert_eq!(answered(&mut connection).await, "200");
    server.abort();
}

/// Reads one answer to its end; its status.
async fn answered(connection: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        text.push(connection.read_u8().await.expect("the connection stays open"));
        let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&text[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        if text.len() == end + 4 + length.parse::<usize>().unwrap() {
            return head[9..12].to_owned();
        }
    }
}
