//! Who gets in, and how far.

use std::time::Duration;

use openpod_forge::{Permissions, Seed, SetupError};
use reqwest::Method;
use serde_json::json;

use super::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_app_finds_itself_and_its_installations() {
    let world = World::start().await;
    let jwt = world.jwt();
    let app = world.get(&jwt, "/app").await.must_be(200);
    assert_eq!((&app["id"], &app["slug"]), (&json!(world.app.app_id), &json!("openpod")));
    for path in ["/repos/acme/shop/installation", "/orgs/acme/installation", "/users/ACME/installation"] {
        assert_eq!(world.get(&jwt, path).await.must_be(200)["id"], world.installation, "{path}");
    }
    assert_eq!(world.get(&jwt, "/app/installations").await.must_be(200)[0]["id"], world.installation);
    let one = world.get(&jwt, &format!("/app/installations/{}", world.installation)).await.must_be(200);
    assert_eq!(one["account"]["login"], "acme");
    world.forge.create_repository("elsewhere", "shop", Seed::new()).await.unwrap();
    world.get(&jwt, "/repos/elsewhere/shop/installation").await.must_be(404);
    world.get(&jwt, "/app/installations/999").await.must_be(404);

    let by_client_id =
        world.jwt_with(&json!({"iat": world.now(), "exp": world.now() + 600, "iss": world.app.client_id}));
    world.get(&by_client_id, "/app").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jwt_that_is_not_in_order_is_refused_with_githubs_words() {
    let world = World::start().await;
    let (now, app) = (world.now(), world.app.app_id);
    for (claims, status, words) in [
        (json!({"iat": now, "exp": now + 601, "iss": app}), 401, "too far in the future"),
        (json!({"iat": now + 60, "exp": now + 120, "iss": app}), 401, "'Issued at' claim"),
        (json!({"iat": now - 700, "exp": now - 100, "iss": app}), 401, "'Expiration time' claim"),
        (json!({"iat": now, "exp": now + 60, "iss": 999}), 404, "Integration not found"),
        (json!({"iat": now, "exp": now + 60}), 404, "Integration not found"),
    ] {
        let body = world.get(&world.jwt_with(&claims), "/app").await.must_be(status);
        assert!(body["message"].as_str().unwrap().contains(words), "{body}");
    }
    for token in ["a.b.c", "nothing", &world.person] {
        world.get(token, "/app").await.must_be(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_reaches_the_repositories_and_permissions_that_it_was_made_for() {
    let world = World::start().await;
    let other = world.forge.create_repository("acme", "other", Seed::new()).await.unwrap();
    let path = format!("/app/installations/{}/access_tokens", world.installation);
    let all = world.post(&world.jwt(), &path, json!({})).await.must_be(201);
    assert_eq!((&all["repository_selection"], &all["repositories"]), (&json!("all"), &json!(null)));

    let scope = json!({"repositories": ["shop"], "permissions": {"contents": "read"}});
    let one = world.post(&world.jwt(), &path, scope).await.must_be(201);
    assert_eq!(one["permissions"], json!({"contents": "read", "metadata": "read"}));
    assert_eq!(one["repositories"][0]["full_name"], "acme/shop");
    let token = one["token"].as_str().unwrap();
    let seen = world.get(token, "/installation/repositories").await.must_be(200);
    assert_eq!((&seen["total_count"], &seen["repositories"][0]["name"]), (&json!(1), &json!("shop")));

    world.get(token, "/repos/acme/other").await.must_be(404);
    world.get(token, "/repos/acme/shop").await.must_be(200);
    let body = json!({"ref": "refs/heads/x", "sha": world.repository.head_sha});
    let refused = world.post(token, "/repos/acme/shop/git/refs", body).await;
    assert_eq!(refused.header("x-accepted-github-permissions"), "contents=write");
    assert_eq!(refused.must_be(403)["message"], "Resource not accessible by integration");

    let by_id = world.token(json!({"repository_ids": [other.id]})).await;
    world.get(&by_id, "/repos/acme/other").await.must_be(200);
    world.get(&by_id, "/repos/acme/shop").await.must_be(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_cannot_be_made_for_more_than_the_installation_has() {
    let world = World::start().await;
    world.forge.create_repository("elsewhere", "secret", Seed::new()).await.unwrap();
    let path = format!("/app/installations/{}/access_tokens", world.installation);
    for (scope, words) in [
        (json!({"repositories": ["secret"]}), "at least one repository that does not exist"),
        (json!({"repository_ids": [999]}), "at least one repository that does not exist"),
        (json!({"permissions": {"contents": "admin"}}), "permissions requested are not granted"),
        (json!({"permissions": {"administration": "read"}}), "permissions requested are not granted"),
        (json!({"permissions": {"contents": "much"}}), "Invalid request."),
    ] {
        let body = world.post(&world.jwt(), &path, scope).await.must_be(422);
        assert!(body["message"].as_str().unwrap().contains(words), "{body}");
    }
    let token = world.shop_token().await;
    world.post(&token, &path, json!({})).await.must_be(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_dies_after_an_hour_or_when_it_is_revoked() {
    let world = World::start().await;
    let (lasting, revoked) = (world.shop_token().await, world.shop_token().await);
    assert!(world.delete(&revoked, "/installation/token").await.status == 204);
    assert_eq!(world.get(&revoked, "/repos/acme/shop").await.must_be(401)["message"], "Bad credentials");

    world.advance(Duration::from_secs(3599));
    world.get(&lasting, "/repos/acme/shop").await.must_be(200);
    world.advance(Duration::from_secs(1));
    world.get(&lasting, "/repos/acme/shop").await.must_be(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_the_long_form_work_the_same() {
    let world = World::start_with(true).await;
    let token = world.shop_token().await;
    assert!(token.len() > 500 && token.matches('.').count() == 2, "{token}");
    world.get(&token, "/repos/acme/shop").await.must_be(200);
    world.push_branch(&token, "agent/long").await;
    let path = format!("/app/installations/{}/access_tokens", world.installation);
    let jwt = world.jwt();
    for (choice, long) in [("enabled", true), ("disabled", false)] {
        let request = world.request(Method::POST, &jwt, &path).header("x-github-stateless-s2s-token", choice);
        let body = world.send(request).await.must_be(201);
        assert_eq!(body["token"].as_str().unwrap().len() > 500, long, "{choice}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_nothing_and_people_see_everything() {
    let world = World::start().await;
    let anonymous = |path: &str| {
        let mut request = world.request(Method::GET, "", path).build().unwrap();
        request.headers_mut().remove("authorization");
        reqwest::RequestBuilder::from_parts(reqwest::Client::new(), request).header("user-agent", "t")
    };
    assert_eq!(world.send(anonymous("/repos/acme/shop")).await.status, 404);
    assert_eq!(world.send(anonymous("/user")).await.status, 401);
    assert_eq!(world.send(anonymous("/rate_limit")).await.status, 200);
    assert_eq!(world.get(&world.person, "/user").await.must_be(200)["login"], "olivia");
    world.get(&world.person, "/repos/acme/shop").await.must_be(200);
    let token = world.shop_token().await;
    world.get(&token, "/user").await.must_be(403);
    world.get(&world.person, "/installation/repositories").await.must_be(403);
    world.get(&world.jwt(), "/repos/acme/shop").await.must_be(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_up_twice_is_the_same_or_refused() {
    let world = World::start().await;
    let forge = &world.forge;
    let again = forge.ensure_app("openpod", Permissions::for_agents()).await.unwrap();
    assert_eq!((again.app_id, again.client_id), (world.app.app_id, world.app.client_id.clone()));
    assert_eq!(forge.install(world.app.app_id, "acme").await.unwrap(), world.installation);
    let twice = forge.create_app("openpod", Permissions::for_agents()).await;
    assert!(matches!(twice, Err(SetupError::Exists(_))), "{twice:?}");
    let twice = forge.create_repository("Acme", "SHOP", Seed::new()).await;
    assert!(matches!(twice, Err(SetupError::Exists(_))), "{twice:?}");
    assert!(matches!(forge.install(999, "acme").await, Err(SetupError::Missing(_))));
    assert!(matches!(forge.create_user("../x").await, Err(SetupError::BadName(_))));
    let printed =
        format!("{again:?} {forge:?}", again = forge.ensure_app("openpod", Permissions::for_agents()).await);
    assert!(!printed.contains("PRIVATE KEY"), "{printed}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_readable_to_their_owner_alone_and_tokens_are_not_kept() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::start().await;
    let token = world.shop_token().await;
    let data = world.directory.path().join("data");
    let key = std::fs::metadata(data.join("apps/openpod.pem")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o077, 0);
    for file in ["forge.sqlite", "forge.sqlite-wal"] {
        let bytes = std::fs::read(data.join(file)).unwrap();
        for secret in [&token, &world.person] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{file}");
        }
    }
}
