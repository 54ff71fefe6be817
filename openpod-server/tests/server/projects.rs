//! Projects and positions, for agents and owners.

use http::{Method, Request};
use serde_json::{Value, json};

use super::watching::{NOBODY, each, items};
use super::world::{AGENT, OWNER, Person, World, text};

fn wanted(title: &str, capability: &str) -> Value {
    json!({"title": title, "role_level": "worker", "required_capabilities": [capability]})
}

async fn titles(world: &World, path: &str, who: &Person) -> Vec<String> {
    each(&items(world.get(path, who).await.expect(200)), "title")
}

#[tokio::test]
async fn an_agent_creates_a_project_and_owns_it() {
    let world = World::new().await;
    let (ada, bob) = (world.register("ada").await, world.register("bob").await);
    let body = json!({
        "title": "Build a REST API", "description": "A service.", "budget_cents": 100_000,
        "github_repo": "https://git.example/org/repo",
        "positions": [{"title": "Backend Developer", "budget_cap_cents": 25_000, "max_agents": 2,
                       "required_capabilities": ["rust"], "description": "Writes it."}],
    });
    let created = world.post(&format!("{AGENT}/projects"), &ada, body).await.expect(201);
    assert_eq!(created["project"]["status"], "open");
    assert_eq!(created["pm_position"]["title"], "Project Manager");
    assert_eq!(created["channel"]["name"], "general");
    assert_eq!(created["positions"][0]["title"], "Backend Developer");

    let listed = world.get(&format!("{AGENT}/projects"), &bob).await.expect(200);
    assert_eq!(
        listed[0],
        json!({
            "id": created["project"]["id"], "title": "Build a REST API", "description": "A service.",
            "budget_cents": 100_000, "status": "open", "github_repo": "https://git.example/org/repo",
            "created_at": "2026-03-12T10:30:00.000000Z",
            "positions": [
                {"id": created["pm_position"]["id"], "title": "Project Manager", "role_level": "pm", "status": "open"},
                {"id": created["positions"][0]["id"], "title": "Backend Developer", "role_level": "worker", "status": "open"},
            ],
        })
    );
    let positions = world.get(&format!("{AGENT}/positions?role_level=worker"), &bob).await.expect(200);
    assert_eq!(
        positions,
        json!([{
            "id": created["positions"][0]["id"], "title": "Backend Developer", "description": "Writes it.",
            "role_level": "worker", "required_capabilities": ["rust"],
            "project": {"id": created["project"]["id"], "title": "Build a REST API"},
            "budget_cap_cents": 25_000, "max_agents": 2, "status": "open", "created_at": "2026-03-12T10:30:00.000000Z",
        }])
    );
    let me = world.get(&format!("{AGENT}/me"), &ada).await.expect(200);
    assert_eq!(me["memberships"][0]["is_owner"], true);
    let channel = text(&created["channel"]["id"]);
    let message = json!({"project_id": created["project"]["id"], "channel_id": channel, "content": "Hello"});
    world.post(&format!("{AGENT}/messages"), &ada, message.clone()).await.expect(201);
    assert_eq!(world.post(&format!("{AGENT}/messages"), &bob, message).await.refusal(), (403, "forbidden"));
}

#[tokio::test]
async fn a_project_that_is_created_again_under_the_same_key_is_the_same() {
    let world = World::new().await;
    let (ada, bob) = (world.register("ada").await, world.register("bob").await);
    let create = async |who: &Person, title: &str| {
        let request = Request::post(format!("{AGENT}/projects"))
            .header("authorization", format!("Bearer {}", who.key.expose()))
            .header("idempotency-key", "project-1");
        let body = json!({"title": title, "description": "A service."});
        world.send(request.body(body.to_string().into()).unwrap()).await
    };
    let first = create(&ada, "One").await;
    let again = create(&ada, "One").await;
    assert!(!first.headers.contains_key("idempotency-replayed"));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(first.expect(201), again.expect(201));
    assert_eq!(create(&ada, "Two").await.refusal(), (422, "unprocessable"));
    create(&bob, "Two").await.expect(201);
    assert_eq!(titles(&world, &format!("{AGENT}/projects"), &ada).await, ["Two", "One"]);
}

#[tokio::test]
async fn a_project_is_refused_when_it_is_malformed() {
    let world = World::new().await;
    let (ada, olga) = (world.register("ada").await, world.owner("olga").await);
    for (field, value) in [
        ("title", json!(null)),
        ("title", json!(" ")),
        ("title", json!("x".repeat(201))),
        ("description", json!("")),
        ("description", json!("x".repeat(20_001))),
        ("budget_cents", json!(-1)),
        ("github_repo", json!("no address")),
        ("github_repo", json!("https://git.example/org")),
        ("github_repo", json!("https://git.example/org/repo/pull/1")),
        ("positions", json!(vec![json!({"title": "x"}); 21])),
        ("positions", json!([{"title": ""}])),
        ("positions", json!([{"title": "x", "max_agents": 0}])),
        ("positions", json!([{"title": "x", "max_agents": 1001}])),
        ("positions", json!([{"title": "x", "role_level": "boss"}])),
        ("positions", json!([{"title": "x", "budget_cap_cents": -5}])),
    ] {
        let mut body = json!({"title": "Build it", "description": "A service."});
        body[field] = value.clone();
        for (path, who) in [(format!("{AGENT}/projects"), &ada), (format!("{OWNER}/projects"), &olga)] {
            let refused = world.post(&path, who, body.clone()).await;
            assert_eq!(refused.refusal(), (400, "invalid_request"), "{field} {value}");
            let fields = refused.json["details"]["fields"].as_object().unwrap();
            assert!(fields.keys().any(|name| name.starts_with(field)), "{field}: {fields:?}");
        }
    }
    assert!(titles(&world, &format!("{AGENT}/projects"), &ada).await.is_empty());
}

#[tokio::test]
async fn projects_and_positions_are_filtered_by_what_they_want() {
    let world = World::new().await;
    let (ada, olga) = (world.register("ada").await, world.owner("olga").await);
    let mut ids = Vec::new();
    for (title, budget, capability) in
        [("one", Some(100), "Rust"), ("two", Some(900), "go"), ("three", None, "rust")]
    {
        let position = wanted(&format!("{title} worker"), capability);
        let body =
            json!({"title": title, "description": "x", "budget_cents": budget, "positions": [position]});
        world.clock.advance(std::time::Duration::from_secs(1));
        let created = world.post(&format!("{OWNER}/projects"), &olga, body).await.expect(201);
        ids.push(text(&created["project"]["id"]));
    }
    for (query, expected) in [
        ("", vec!["three", "two", "one"]),
        ("?status=open", vec!["three", "two", "one"]),
        ("?status=completed", vec![]),
        ("?capability=rust", vec!["three", "one"]),
        ("?capability=RUST&capability=go", vec!["three", "two", "one"]),
        ("?capability=sql", vec![]),
        ("?min_budget_cents=100", vec!["two", "one"]),
        ("?min_budget_cents=101", vec!["two"]),
        ("?max_budget_cents=899", vec!["one"]),
        ("?capability=rust&max_budget_cents=900", vec!["one"]),
    ] {
        assert_eq!(titles(&world, &format!("{AGENT}/projects{query}"), &ada).await, expected, "{query}");
    }
    let of_two = format!("?project_id={}", ids[1]);
    for (query, expected) in [
        ("?role_level=worker", vec!["three worker", "two worker", "one worker"]),
        ("?role_level=lead", vec![]),
        ("?capability=rust", vec!["three worker", "one worker"]),
        ("?capability=rust&capability=GO", vec!["three worker", "two worker", "one worker"]),
        (of_two.as_str(), vec!["two worker", "Project Manager"]),
    ] {
        let mut found = titles(&world, &format!("{AGENT}/positions{query}"), &ada).await;
        found.sort_by_key(|title| expected.iter().position(|wanted| wanted == title));
        assert_eq!(found, expected, "{query}");
    }
    let wrong = |path: &str| (Method::GET, format!("{AGENT}{path}"), json!(null), (400, "invalid_request"));
    let missing =
        (Method::GET, format!("{AGENT}/positions?project_id={NOBODY}"), json!(null), (404, "not_found"));
    let table = [
        wrong("/projects?status=closed"),
        wrong("/projects?min_budget_cents=x"),
        wrong("/projects?max_budget_cents=-1"),
        wrong("/projects?offset=1"),
        wrong("/positions?role_level=boss"),
        wrong("/positions?project_id=proj_123"),
        wrong("/positions?capability="),
        missing,
    ];
    world.refuses(&ada, &table).await;
}

#[tokio::test]
async fn what_is_not_open_is_there_for_its_members_only() {
    let world = World::new().await;
    let olga = world.owner("olga").await;
    let project = world.project(&olga).await;
    let (wanda, stranger) =
        (world.member(&project, "wanda", "worker").await, world.register("stranger").await);
    let spec = json!({"project_id": project.id, "title": "More help"});
    let position = world.post(&format!("{OWNER}/positions"), &olga, spec).await.expect(201);
    world.close_project(&project.id, "in_progress").await;

    let path = format!("{AGENT}/projects?status=in_progress");
    assert_eq!(titles(&world, &path, &wanda).await, ["Build it"]);
    assert!(titles(&world, &path, &stranger).await.is_empty());
    assert!(titles(&world, &format!("{AGENT}/projects"), &wanda).await.is_empty());
    assert!(titles(&world, &format!("{AGENT}/positions"), &stranger).await.is_empty());
    let path = format!("{AGENT}/positions?project_id={}", project.id);
    assert_eq!(world.get(&path, &stranger).await.refusal(), (403, "forbidden"));
    assert!(titles(&world, &path, &wanda).await.contains(&"More help".to_owned()));
    let letter = json!({"position_id": position["id"], "cover_letter": "I can."});
    assert_eq!(world.post(&format!("{AGENT}/apply"), &stranger, letter).await.refusal(), (404, "not_found"));
}

#[tokio::test]
async fn owners_and_pms_open_positions_and_the_members_hear_of_it() {
    let world = World::new().await;
    let olga = world.owner("olga").await;
    let project = world.project(&olga).await;
    let pm = world.member(&project, "pia", "pm").await;
    let lead = world.member(&project, "leo", "lead").await;
    let stranger = world.register("stranger").await;
    for agent in [&pm, &lead, &stranger] {
        world.listen(agent).await;
    }
    let spec = json!({"project_id": project.id, "title": "Tester", "required_capabilities": ["testing"]});
    let opened = world.post(&format!("{AGENT}/positions"), &pm, spec.clone()).await.expect(201);
    assert_eq!((&opened["role_level"], &opened["max_agents"]), (&json!("worker"), &json!(1)));
    assert_eq!(
        world.told(&lead).await[0]["data"],
        json!({"position_id": opened["id"], "project_id": project.id, "title": "Tester", "role_level": "worker",
               "required_capabilities": ["testing"]})
    );
    assert!(world.events(&pm).await.is_empty());
    assert!(world.events(&stranger).await.is_empty());
    world.post(&format!("{OWNER}/positions"), &olga, spec.clone()).await.expect(201);
    assert_eq!(world.events(&pm).await, ["position_opened"]);

    let path = format!("{AGENT}/positions");
    let foreign = json!({"project_id": NOBODY, "title": "x"});
    assert_eq!(world.post(&path, &lead, spec.clone()).await.refusal(), (403, "forbidden"));
    assert_eq!(world.post(&path, &stranger, spec.clone()).await.refusal(), (403, "forbidden"));
    assert_eq!(world.post(&path, &pm, foreign).await.refusal(), (404, "not_found"));
    let otto = world.owner("otto").await;
    assert_eq!(world.post(&format!("{OWNER}/positions"), &otto, spec).await.refusal(), (403, "forbidden"));
}

#[tokio::test]
async fn projects_and_positions_are_walked_without_gaps_or_doubles() {
    let world = World::new().await;
    let (ada, olga, otto) =
        (world.register("ada").await, world.owner("olga").await, world.owner("otto").await);
    for n in 0..23 {
        if n % 5 == 0 {
            world.clock.advance(std::time::Duration::from_secs(1));
        }
        world.project(&olga).await;
    }
    world.project(&otto).await;
    for (path, who, count) in [
        (format!("{AGENT}/projects"), &ada, 24),
        (format!("{AGENT}/positions"), &ada, 24),
        (format!("{OWNER}/projects"), &olga, 23),
        (format!("{OWNER}/projects"), &otto, 1),
    ] {
        let found = world.walk(&path, who, 4).await;
        assert_eq!(found.len(), count, "{path}");
        let ages = each(&found, "created_at");
        assert!(ages.is_sorted_by(|a, b| a >= b), "{path}: newest first");
        world.refuses_wrong_pages(&path, who).await;
    }
}
