use http::Method;
use openpod_server::webhooks::TargetPolicy;
use serde_json::{Value, json};

use super::world::{AGENT, Person, World, text};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

fn path() -> String {
    format!("{AGENT}/webhooks")
}

async fn create(world: &World, who: &Person, body: Value) -> super::world::Answer {
    world.post(&path(), who, body).await
}

#[tokio::test]
async fn a_secret_that_the_server_makes_is_shown_once_and_one_that_was_chosen_never() {
    let world = World::new().await;
    let agent = world.register("wanda").await;
    let made = json!({"url": "https://agent.example/a", "events": ["ticket_assigned", "message_received"]});
    let made = create(&world, &agent, made).await.expect(201);
    assert!(text(&made["secret"]).starts_with("whsec_"), "{made}");
    assert_eq!(made["events"], json!(["ticket_assigned", "message_received"]));
    let chosen = json!({"url": "https://agent.example/b", "events": ["*"], "secret": "my-signing-secret"});
    let chosen = create(&world, &agent, chosen).await.expect(201);
    assert_eq!(chosen.get("secret"), None);

    let answer = world.get(&path(), &agent).await;
    let shown = answer.json.to_string();
    assert!(!shown.contains("secret") && !shown.contains("whsec_"), "{shown}");
    let list = answer.expect(200);
    assert_eq!((&list[0]["id"], &list[1]["id"]), (&made["id"], &chosen["id"]));
    assert_eq!((&list[0]["is_active"], &list[0]["url"]), (&json!(true), &json!("https://agent.example/a")));
    let stranger = world.register("stefan").await;
    assert_eq!(world.get(&path(), &stranger).await.expect(200), json!([]));
}

#[tokio::test]
async fn what_cannot_be_delivered_or_signed_is_refused_with_the_field() {
    let world = World::new().await;
    let agent = world.register("wanda").await;
    let good = json!({"url": "https://agent.example/a", "events": ["*"], "secret": SECRET});
    for (field, value) in [
        ("url", json!("http://agent.example/a")),
        ("url", json!("https://user:pass@agent.example/a")),
        ("url", json!("https://127.0.0.1/a")),
        ("url", json!("https://[::ffff:169.254.169.254]/a")),
        ("url", json!("https://localhost:8443/a")),
        ("url", json!("ftp://agent.example/a")),
        ("url", json!("agent.example")),
        ("url", json!(format!("https://agent.example/{}", "x".repeat(2000)))),
        ("url", Value::Null),
        ("events", json!([])),
        ("events", json!(["ticket_assigned", "ticket_exploded"])),
        ("events", json!(["*", "*", "*", "*", "*", "*", "*", "*", "*", "*"])),
        ("events", json!("ticket_assigned")),
        ("secret", json!("short")),
        ("secret", json!("x".repeat(257))),
        ("secret", json!("whsec_not base64 at all!")),
        ("secret", json!("whsec_c2hvcnQ=")),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let answer = create(&world, &agent, body.clone()).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{body}");
        assert!(text(&answer.json["error"]).contains(field), "{}", answer.json);
        let chosen = body["secret"].as_str().unwrap_or_default();
        assert!(field != "secret" || !answer.json.to_string().contains(chosen), "{}", answer.json);
    }
    create(&world, &agent, good).await.expect(201);
}

#[tokio::test]
async fn an_event_that_is_named_twice_counts_once() {
    let world = World::new().await;
    let agent = world.register("wanda").await;
    let body =
        json!({"url": "https://agent.example/a", "events": ["ticket_assigned", "ticket_assigned", "*"]});
    let made = create(&world, &agent, body).await.expect(201);
    assert_eq!(made["events"], json!(["ticket_assigned", "*"]));
}

#[tokio::test]
async fn an_agent_has_at_most_twenty_and_may_delete_its_own() {
    let world = World::new().await;
    let (agent, other) = (world.register("wanda").await, world.register("stefan").await);
    let body = json!({"url": "https://agent.example/a", "events": ["*"]});
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(text(&create(&world, &agent, body.clone()).await.expect(201)["id"]));
    }
    assert_eq!(create(&world, &agent, body.clone()).await.refusal(), (409, "conflict"));
    create(&world, &other, body.clone()).await.expect(201);

    let one = format!("{}/{}", path(), ids[0]);
    assert_eq!(world.call(Method::DELETE, &one, Some(&other), None).await.refusal(), (404, "not_found"));
    let deleted = world.call(Method::DELETE, &one, Some(&agent), None).await.expect(200);
    assert_eq!(deleted, json!({"deleted": true}));
    assert_eq!(world.call(Method::DELETE, &one, Some(&agent), None).await.refusal(), (404, "not_found"));
    let malformed = format!("{}/wh_1", path());
    assert_eq!(
        world.call(Method::DELETE, &malformed, Some(&agent), None).await.refusal(),
        (400, "invalid_request")
    );
    create(&world, &agent, body).await.expect(201);
    assert_eq!(world.get(&path(), &agent).await.expect(200).as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn an_operator_may_allow_receivers_of_their_own() {
    let targets = TargetPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()] };
    let world = World::with_targets(targets).await;
    let agent = world.register("wanda").await;
    for (url, status) in [("http://127.0.0.1:9000/hook", 201), ("http://10.0.0.1/hook", 400)] {
        create(&world, &agent, json!({"url": url, "events": ["*"]})).await.expect(status);
    }
}
