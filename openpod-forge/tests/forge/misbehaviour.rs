//! What a test may ask the forge to do wrong.

use openpod_forge::{Limit, Lost};
use reqwest::Method;
use serde_json::json;

use super::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_has_had_its_effect() {
    let world = World::start().await;
    let token = world.shop_token().await;
    for (branch, how) in [("agent/1", Lost::Cut), ("agent/2", Lost::BadGateway)] {
        world.push_branch(&token, branch).await;
        world.forge.faults().lose_answers(Method::POST, "/repos/acme/shop/pulls", 1, how);
        let body = json!({"title": "x", "head": branch, "base": "main"});
        let request = world.request(Method::POST, &token, "/repos/acme/shop/pulls").json(&body);
        match request.send().await {
            Ok(answer) if how == Lost::BadGateway => assert_eq!(answer.status(), 502),
            Ok(answer) => assert!(answer.bytes().await.is_err()),
            Err(_) => assert_eq!(how, Lost::Cut),
        }
        let again = world.post(&token, "/repos/acme/shop/pulls", body).await.must_be(422);
        let expected = format!("A pull request already exists for acme:{branch}.");
        assert_eq!(again["errors"][0]["message"], expected);
        let found =
            world.get(&token, &format!("/repos/acme/shop/pulls?head=acme:{branch}")).await.must_be(200);
        assert_eq!(found.as_array().unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_answer_is_lost_has_arrived() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let clone = world.clone_shop(&token, "clone").await;
    let sha = world.commit(&clone, "agent/1", "x.txt", "x").await;
    world.forge.faults().lose_answers(Method::POST, "/git-receive-pack", 1, Lost::Cut);
    let output = world.git(&token, &clone, &["push", "-q", "origin", "agent/1"]).await;
    assert!(!output.status.success());
    let found = world.get(&token, "/repos/acme/shop/git/ref/heads/agent/1").await.must_be(200);
    assert_eq!(found["object"]["sha"], json!(sha));
    world.git_ok(&token, &clone, &["push", "-q", "origin", "agent/1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_token_is_refused_as_often_as_asked_for() {
    let world = World::start().await;
    world.forge.faults().refuse_fresh_tokens(2);
    let token = world.shop_token().await;
    let statuses = [
        world.get(&token, "/repos/acme/shop").await.status.as_u16(),
        world.get(&token, "/repos/acme/shop").await.status.as_u16(),
        world.get(&token, "/repos/acme/shop").await.status.as_u16(),
    ];
    assert_eq!(statuses, [401, 401, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_rate_limits_are_told_in_githubs_way() {
    let world = World::start().await;
    let token = world.shop_token().await;
    world.forge.faults().limit_rate(Method::GET, "/repos", 1, Limit::Primary { reset_after: 60 });
    let primary = world.get(&token, "/repos/acme/shop").await;
    assert_eq!((primary.status.as_u16(), primary.header("x-ratelimit-remaining")), (403, "0"));
    assert_eq!(primary.header("x-ratelimit-reset"), (world.now() + 60).to_string());
    world.forge.faults().limit_rate(Method::GET, "/repos", 1, Limit::Secondary { retry_after: 7 });
    let secondary = world.get(&token, "/repos/acme/shop").await;
    assert_eq!((secondary.status.as_u16(), secondary.header("retry-after")), (429, "7"));
    assert_eq!(world.get(&token, "/repos/acme/shop").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_behind_a_gate() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let gate = world.forge.faults().hold(Method::GET, "/repos/acme/shop");
    let held = world.get(&token, "/repos/acme/shop");
    let others = async {
        // While one request is held, another is answered.
        assert_eq!(world.get(&token, "/rate_limit").await.status, 200);
        gate.open();
    };
    let (answer, ()) = tokio::join!(held, others);
    assert_eq!(answer.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn mergeability_may_be_unknown_for_a_while() {
    let world = World::start().await;
    let token = world.shop_token().await;
    world.push_branch(&token, "agent/1").await;
    world.open_pull(&token, "agent/1").await;
    world.forge.faults().delay_mergeability(1);
    let get = || world.get(&token, "/repos/acme/shop/pulls/1");
    assert_eq!(get().await.must_be(200)["mergeable"], json!(null));
    assert_eq!(get().await.must_be(200)["mergeable"], json!(true));
}
