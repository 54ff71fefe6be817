//! Keys: narrower ones, their expiry, their rotation and their end.

use std::time::Duration;

use http::{Method, Request};
use serde_json::{Value, json};

use super::world::{AGENT, OWNER, Person, World, text};

const HOUR: Duration = Duration::from_secs(3600);

fn keys(who: &Person) -> String {
    if who.surface() == OWNER { format!("{OWNER}/keys") } else { format!("{AGENT}/me/keys") }
}

fn me(who: &Person) -> String {
    format!("{}/me", who.surface())
}

/// The public part of a person's key.
fn id(who: &Person) -> String {
    who.key.expose().split('_').nth(1).unwrap().to_owned()
}

/// The same person with the key that was just made.
fn with(who: &Person, made: &Value) -> Person {
    Person { id: who.id.clone(), key: text(&made["api_key"]).into() }
}

async fn rotate(world: &World, who: &Person, key: &str, body: Value) -> super::world::Answer {
    world.post(&format!("{}/{key}/rotate", keys(who)), who, body).await
}

async fn revoke(world: &World, who: &Person, key: &str) -> super::world::Answer {
    world.call(Method::DELETE, &format!("{}/{key}", keys(who)), Some(who), None).await
}

#[tokio::test]
async fn a_key_for_reading_reads_and_says_which_scope_it_lacks_for_the_rest() {
    let world = World::new().await;
    let agent = world.register("wanda").await;
    let made =
        world.post(&keys(&agent), &agent, json!({"name": "reader", "scopes": ["read"]})).await.expect(201);
    assert_eq!((&made["name"], &made["scopes"]), (&json!("reader"), &json!(["read"])));
    let reader = with(&agent, &made);
    world.get(&format!("{AGENT}/heartbeat"), &reader).await.expect(200);
    let body = json!({"title": "Mine", "description": "A service that does it."});
    let refused = world.post(&format!("{AGENT}/projects"), &reader, body).await;
    assert_eq!(refused.refusal(), (403, "forbidden"));
    assert_eq!(refused.json["details"]["scope"], "projects:write");

    let list = world.get(&keys(&agent), &agent).await;
    let shown = list.json.to_string();
    assert!(!shown.contains("opk_") && !shown.contains("api_key"), "{shown}");
    let mut scopes: Vec<Value> =
        list.expect(200).as_array().unwrap().iter().map(|key| key["scopes"].clone()).collect();
    scopes.sort_by_key(Value::to_string);
    assert_eq!(scopes, [json!(["*"]), json!(["read"])]);
}

#[tokio::test]
async fn no_key_makes_rotates_or_revokes_one_that_is_good_for_more_or_works_longer() {
    let world = World::new().await;
    for who in [world.register("wanda").await, world.owner("olga").await] {
        let ends = world.clock_in(HOUR);
        let narrow = json!({"scopes": ["keys", "read"], "expires_at": ends});
        let narrow = with(&who, &world.post(&keys(&who), &who, narrow).await.expect(201));
        for (body, refusal) in [
            (json!({"scopes": ["read"]}), None),
            (json!({"scopes": ["*"]}), Some((403, "forbidden"))),
            (json!({"scopes": ["read", "github"]}), Some((403, "forbidden"))),
            (json!({"scopes": ["read"], "expires_at": world.clock_in(2 * HOUR)}), Some((403, "forbidden"))),
            (
                json!({"scopes": ["read"], "expires_at": world.clock_in(Duration::ZERO)}),
                Some((400, "invalid_request")),
            ),
            (json!({"scopes": []}), Some((400, "invalid_request"))),
            (json!({"scopes": ["everything"]}), Some((400, "invalid_request"))),
        ] {
            let answer = world.post(&keys(&who), &narrow, body.clone()).await;
            match refusal {
                Some(refusal) => assert_eq!(answer.refusal(), refusal, "{body}"),
                None => assert_eq!(
                    answer.expect(201)["expires_at"],
                    ends.as_str(),
                    "it lasts as long as its maker"
                ),
            }
        }
        assert_eq!(rotate(&world, &narrow, &id(&who), json!({})).await.refusal(), (403, "forbidden"));
        assert_eq!(revoke(&world, &narrow, &id(&who)).await.refusal(), (403, "forbidden"));
        world.get(&me(&who), &who).await.expect(200);
    }
}

#[tokio::test]
async fn a_rotated_key_works_for_its_grace_period_beside_its_successor() {
    let world = World::new().await;
    for who in [world.register("wanda").await, world.owner("olga").await] {
        let made = rotate(&world, &who, &id(&who), json!({})).await.expect(201);
        assert_eq!((&made["scopes"], &made["expires_at"]), (&json!(["*"]), &Value::Null));
        let successor = with(&who, &made);
        let again = rotate(&world, &successor, &id(&who), json!({})).await;
        assert_eq!(again.refusal(), (409, "conflict"));
        assert_eq!(again.json["details"]["replaced_by"], made["id"]);
        world.clock.advance(24 * HOUR - Duration::from_secs(1));
        world.get(&me(&who), &who).await.expect(200);
        world.get(&me(&who), &successor).await.expect(200);
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(world.get(&me(&who), &who).await.refusal(), (401, "unauthenticated"));
        world.get(&me(&who), &successor).await.expect(200);

        let at_once =
            rotate(&world, &successor, &id(&successor), json!({"grace_seconds": 0})).await.expect(201);
        assert_eq!(world.get(&me(&who), &successor).await.refusal(), (401, "unauthenticated"));
        world.get(&me(&who), &with(&who, &at_once)).await.expect(200);
    }
}

#[tokio::test]
async fn a_revoked_key_is_out_of_use_at_once_and_revoking_it_again_changes_nothing() {
    let world = World::new().await;
    let (wanda, stefan) = (world.register("wanda").await, world.register("stefan").await);
    let made = world.post(&keys(&wanda), &wanda, json!({"scopes": ["*"]})).await.expect(201);
    let other = with(&wanda, &made);
    assert_eq!(revoke(&world, &stefan, &id(&other)).await.refusal(), (404, "not_found"));
    let revoked = revoke(&world, &wanda, &id(&other)).await.expect(200);
    assert_eq!(revoked["revoked_at"], "2026-03-12T10:30:00.000000Z");
    assert_eq!(world.get(&me(&wanda), &other).await.refusal(), (401, "unauthenticated"));
    world.clock.advance(HOUR);
    assert_eq!(revoke(&world, &wanda, &id(&other)).await.expect(200), revoked);
    assert_eq!(rotate(&world, &wanda, &id(&other), json!({})).await.refusal(), (409, "conflict"));
    revoke(&world, &wanda, &id(&wanda)).await.expect(200);
    assert_eq!(world.get(&me(&wanda), &wanda).await.refusal(), (401, "unauthenticated"));
}

#[tokio::test]
async fn twenty_keys_may_be_in_use_and_those_that_are_not_do_not_count() {
    let world = World::new().await;
    let agent = world.register("wanda").await;
    let make = async || world.post(&keys(&agent), &agent, json!({"scopes": ["read"]})).await;
    let first = make().await.expect(201);
    for _ in 0..18 {
        make().await.expect(201);
    }
    assert_eq!(make().await.refusal(), (409, "conflict"));
    revoke(&world, &agent, first["id"].as_str().unwrap()).await.expect(200);
    make().await.expect(201);
    let page = world.get(&format!("{}?limit=20", keys(&agent)), &agent).await;
    assert!(page.json["next_cursor"].is_string());
    let next = format!("{}?limit=20&cursor={}", keys(&agent), page.json["next_cursor"].as_str().unwrap());
    assert_eq!(world.get(&next, &agent).await.expect(200).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn keys_that_have_their_grace_period_do_not_pile_up() {
    let world = World::new().await;
    let mut agent = world.register("wanda").await;
    for _ in 1..40 {
        let made = rotate(&world, &agent, &id(&agent), json!({})).await.expect(201);
        agent = with(&agent, &made);
    }
    assert_eq!(rotate(&world, &agent, &id(&agent), json!({})).await.refusal(), (409, "conflict"));
    world.clock.advance(24 * HOUR);
    rotate(&world, &agent, &id(&agent), json!({})).await.expect(201);
}

#[tokio::test]
async fn a_repeated_call_makes_no_second_key_and_says_that_the_first_was_shown() {
    let world = World::new().await;
    let agent = world.register("wanda").await;
    let send = || {
        let request = Request::post(keys(&agent))
            .header("authorization", format!("Bearer {}", agent.key.expose()))
            .header("idempotency-key", "k1");
        world.send(request.body(json!({"scopes": ["read"]}).to_string().into()).unwrap())
    };
    send().await.expect(201);
    assert_eq!(send().await.refusal(), (409, "conflict"));
    assert_eq!(world.get(&keys(&agent), &agent).await.expect(200).as_array().unwrap().len(), 2);
}
