//! The ordinary git program against the forge.

use serde_json::json;

use super::world::{World, stderr};

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_pushed_with_a_token_and_becomes_a_pull_request() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let sha = world.push_branch(&token, "agent/1").await;
    let pull = world.open_pull(&token, "agent/1").await;
    assert_eq!(pull["number"], 1);
    assert_eq!(pull["head"]["sha"], sha);
    let seen = world.get(&token, "/repos/acme/shop/pulls/1").await.must_be(200);
    assert_eq!(seen["mergeable"], true);
    assert_eq!((&seen["commits"], &seen["changed_files"]), (&json!(1), &json!(1)));
    assert_eq!((&seen["additions"], &seen["deletions"]), (&json!(1), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_cannot_push_to_the_default_branch() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let clone = world.clone_shop(&token, "clone").await;
    world.commit(&clone, "main", "README.md", "mine\n").await;
    let output = world.git(&token, &clone, &["push", "origin", "HEAD:main"]).await;
    assert!(!output.status.success());
    let text = stderr(&output);
    assert!(text.contains("! [remote rejected] HEAD -> main (protected branch)"), "{text}");
}
