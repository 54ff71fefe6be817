//! Registration and the directory.

use std::time::Duration;

use http::{Method, Request};
use serde_json::{Value, json};

use super::watching::{each, items};
use super::world::{AGENT, Answer, OWNER, Person, World, text};

async fn register(world: &World, body: Value) -> Answer {
    world.call(Method::POST, &format!("{AGENT}/register"), None, Some(body)).await
}

async fn register_with_key(world: &World, key: &str, body: &Value) -> Answer {
    let request = Request::post(format!("{AGENT}/register")).header("idempotency-key", key);
    world.send(request.body(body.to_string().into()).unwrap()).await
}

async fn directory(world: &World, query: &str) -> Vec<String> {
    let list = world.call(Method::GET, &format!("{AGENT}/agents{query}"), None, None).await.expect(200);
    each(&items(list), "name")
}

#[tokio::test]
async fn an_agent_registers_and_its_key_opens_the_door() {
    let world = World::new().await;
    let body = json!({
        "name": "  My  Agent ", "capabilities": ["code-generation", "Testing"], "llm_provider": "anthropic",
        "description": "Does things.", "hourly_rate_cents": 500, "website_url": "https://example.com/me",
        "avatar_url": "https://example.com/me.png", "autonomy_level": "full", "favourite_colour": "ignored",
    });
    let registered = register(&world, body).await.expect(201);
    assert_eq!((&registered["name"], &registered["slug"]), (&json!("My Agent"), &json!("my-agent")));
    let key = text(&registered["api_key"]);
    assert!(key.starts_with("opk_"), "{key}");

    let agent = Person { id: text(&registered["id"]), key: key.into() };
    let me = world.get(&format!("{AGENT}/me"), &agent).await.expect(200);
    assert_eq!(me["agent_key"]["id"], registered["id"]);
    let listed = world.call(Method::GET, &format!("{AGENT}/agents"), None, None).await.expect(200);
    assert_eq!(
        listed[0],
        json!({
            "id": registered["id"], "name": "My Agent", "slug": "my-agent", "description": "Does things.",
            "capabilities": ["code-generation", "Testing"], "llm_provider": "anthropic", "autonomy_level": "full",
            "rating": null, "total_jobs": 0, "hourly_rate_cents": 500, "is_available": true,
            "website_url": "https://example.com/me", "avatar_url": "https://example.com/me.png",
        })
    );
}

#[tokio::test]
async fn a_name_belongs_to_one_agent_whatever_its_case() {
    let world = World::new().await;
    world.register("Fix-It").await;
    for name in ["Fix-It", "fix-it", "FIX-IT", "  fix-it "] {
        let taken = register(&world, json!({"name": name, "capabilities": ["rust"]})).await;
        assert_eq!(taken.refusal(), (409, "name_taken"), "{name}");
        assert_eq!(taken.json["details"]["slug"], "fix-it");
    }
    let similar = register(&world, json!({"name": "fix it", "capabilities": ["rust"]})).await.expect(201);
    let slug = text(&similar["slug"]);
    assert!(slug.starts_with("fix-it-") && slug.len() > "fix-it-".len(), "{slug}");
    let foreign =
        register(&world, json!({"name": "エージェント", "capabilities": ["rust"]})).await.expect(201);
    assert_eq!(foreign["slug"], "agent");
}

#[tokio::test]
async fn of_fifty_who_want_a_name_at_once_one_gets_it() {
    let world = World::new().await;
    let wanted = (0..50).map(|n| {
        let name = if n % 2 == 0 { "wanted" } else { "WANTED" };
        register(&world, json!({"name": name, "capabilities": ["rust"]}))
    });
    let answers = futures_util::future::join_all(wanted).await;
    assert_eq!(answers.iter().filter(|answer| answer.status.as_u16() == 201).count(), 1);
    for refused in answers.iter().filter(|answer| answer.status.as_u16() != 201) {
        assert_eq!(refused.refusal(), (409, "name_taken"));
    }
}

#[tokio::test]
async fn a_registration_is_refused_when_it_is_malformed() {
    let world = World::new().await;
    for (field, value) in [
        ("name", json!(null)),
        ("name", json!("x")),
        ("name", json!("--")),
        ("name", json!("x".repeat(65))),
        ("name", json!("nul\u{0}")),
        ("name", json!("fi\u{200b}x-it")),
        ("name", json!("two\nlines")),
        ("capabilities", json!([])),
        ("capabilities", json!(["x".repeat(65)])),
        ("capabilities", json!([" "])),
        ("capabilities", json!(vec!["x"; 51])),
        ("capabilities", json!("rust")),
        ("llm_provider", json!("skynet")),
        ("autonomy_level", json!("total")),
        ("description", json!("x".repeat(5001))),
        ("hourly_rate_cents", json!(-1)),
        ("hourly_rate_cents", json!(0.5)),
        ("hourly_rate_cents", json!(1_000_000_001)),
        ("website_url", json!("ftp://example.com")),
        ("avatar_url", json!("javascript:alert(1)")),
    ] {
        let mut body = json!({"name": "fine", "capabilities": ["rust"]});
        body[field] = value.clone();
        let refused = register(&world, body).await;
        assert_eq!(refused.refusal(), (400, "invalid_request"), "{field} {value}");
        let fields = refused.json["details"]["fields"].as_object().unwrap();
        assert!(fields.keys().any(|name| name.starts_with(field)), "{field}: {fields:?}");
    }
    assert!(directory(&world, "").await.is_empty());
}

#[tokio::test]
async fn a_repeated_registration_does_not_show_the_key_again() {
    let world = World::new().await;
    let body = json!({"name": "once", "capabilities": ["rust"]});
    register_with_key(&world, "k-1", &body).await.expect(201);
    let again = register_with_key(&world, "k-1", &body).await;
    assert_eq!(again.refusal(), (409, "name_taken"));
    assert_eq!(
        again.json["details"],
        json!({"slug": "once", "replayed": true}),
        "its own, not another agent's"
    );
    let another = register_with_key(&world, "k-0", &body).await;
    assert_eq!(
        (another.refusal(), &another.json["details"]["replayed"]),
        ((409, "name_taken"), &Value::Null)
    );
    let other = register_with_key(&world, "k-1", &json!({"name": "twice", "capabilities": ["rust"]})).await;
    assert_eq!(other.refusal(), (422, "unprocessable"));
    register_with_key(&world, "k-2", &json!({"name": "twice", "capabilities": ["rust"]})).await.expect(201);
}

#[tokio::test]
async fn the_directory_is_filtered_by_what_an_agent_is() {
    let world = World::new().await;
    for body in [
        json!({"name": "ada", "capabilities": ["Rust", "sql"], "llm_provider": "openai", "hourly_rate_cents": 100}),
        json!({"name": "bob", "capabilities": ["go"], "autonomy_level": "semi", "hourly_rate_cents": 900}),
        json!({"name": "cyd", "capabilities": ["sql"], "llm_provider": "openai", "autonomy_level": "full"}),
    ] {
        register(&world, body).await.expect(201);
        world.clock.advance(Duration::from_secs(1));
    }
    for (query, expected) in [
        ("", vec!["ada", "bob", "cyd"]),
        ("?capability=rust", vec!["ada"]),
        ("?capability=RUST&capability=go", vec!["ada", "bob"]),
        ("?capability=ru", vec![]),
        ("?capability=%27%20OR%201%3D1--", vec![]),
        ("?llm_provider=openai", vec!["ada", "cyd"]),
        ("?llm_provider=openai&capability=rust", vec!["ada"]),
        ("?autonomy_level=semi", vec!["bob"]),
        ("?max_price_cents=900", vec!["ada", "bob"]),
        ("?max_price_cents=899", vec!["ada"]),
        ("?min_rating=1", vec![]),
        ("?limit=1&offset=1", vec!["bob"]),
        ("?offset=3", vec![]),
    ] {
        assert_eq!(directory(&world, query).await, expected, "{query}");
    }
    let many = "?".to_owned() + &vec!["capability=x"; 21].join("&");
    for query in [
        many.as_str(),
        "?llm_provider=skynet",
        "?autonomy_level=none",
        "?min_rating=5.1",
        "?min_rating=NaN",
        "?max_price_cents=-1",
        "?offset=-1",
        "?offset=1&cursor=NSBh",
        "?capabilty=rust",
    ] {
        let refused = world.call(Method::GET, &format!("{AGENT}/agents{query}"), None, None).await;
        assert_eq!(refused.refusal(), (400, "invalid_request"), "{query}");
    }
}

#[tokio::test]
async fn ratings_jobs_and_presence_are_counted() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let worker = world.member(&project, "wanda", "worker").await;
    for rating in [5, 4] {
        let ticket = world.ticket(&project, Some(&worker)).await;
        world
            .patch(&format!("{AGENT}/tickets/{ticket}"), &worker, json!({"status": "done"}))
            .await
            .expect(200);
        let verdict = json!({"action": "approve", "payout_cents": 100, "rating": rating});
        world.post(&format!("{OWNER}/tickets/{ticket}/approve"), &owner, verdict).await.expect(200);
    }
    let listed = world.call(Method::GET, &format!("{AGENT}/agents"), None, None).await.expect(200);
    assert_eq!((&listed[0]["rating"], &listed[0]["total_jobs"]), (&json!(4.5), &json!(2)));
    assert_eq!(directory(&world, "?min_rating=4.5").await, ["wanda"]);
    assert!(directory(&world, "?min_rating=4.6").await.is_empty());

    world.clock.advance(Duration::from_secs(16 * 60));
    let listed = world.call(Method::GET, &format!("{AGENT}/agents"), None, None).await.expect(200);
    assert_eq!(listed[0]["is_available"], false);
    world.get(&format!("{AGENT}/me"), &worker).await.expect(200);
    let listed = world.call(Method::GET, &format!("{AGENT}/agents"), None, None).await.expect(200);
    assert_eq!(listed[0]["is_available"], true);
}

#[tokio::test]
async fn the_directory_is_walked_without_gaps_or_doubles() {
    let world = World::new().await;
    let mut names = Vec::new();
    for n in 0..23 {
        names.push(format!("agent-{n}"));
        if n % 5 == 0 {
            world.clock.advance(Duration::from_secs(1));
        }
        world.register(&names[n]).await;
    }
    let anybody = Person { id: String::new(), key: "ignored".into() };
    let path = format!("{AGENT}/agents");
    let mut by_cursor = each(&world.walk(&path, &anybody, 4).await, "name");
    let mut by_offset = Vec::new();
    for offset in (0..24).step_by(4) {
        by_offset.extend(directory(&world, &format!("?limit=4&offset={offset}")).await);
    }
    assert_eq!(by_cursor, by_offset);
    by_cursor.sort();
    names.sort();
    assert_eq!(by_cursor, names);
    assert_eq!(directory(&world, "").await.len(), 20);
    world.refuses_wrong_pages(&path, &anybody).await;
}
