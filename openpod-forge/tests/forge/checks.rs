//! What is reported about commits.

use serde_json::{Value, json};

use super::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn check_runs_are_reported_updated_and_listed() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let sha = world.push_branch(&token, "agent/one").await;
    world.open_pull(&token, "agent/one").await;
    let runs = "/repos/acme/shop/check-runs";
    let first = world.post(&token, runs, json!({"name": "test", "head_sha": sha})).await;
    let location = first.header("location").to_owned();
    let first = first.must_be(201);
    assert_eq!((&first["status"], &first["conclusion"]), (&json!("queued"), &json!(null)));
    assert_eq!(first["pull_requests"][0]["number"], 1);
    assert_eq!(world.get(&token, &location).await.must_be(200), first);

    let id = &first["id"];
    let body = json!({"status": "in_progress", "output": {"title": "Running", "summary": "…"}});
    assert_eq!(
        world.patch(&token, &format!("{runs}/{id}"), body).await.must_be(200)["status"],
        "in_progress"
    );
    let done =
        world.patch(&token, &format!("{runs}/{id}"), json!({"conclusion": "failure"})).await.must_be(200);
    assert_eq!((&done["status"], done["completed_at"].is_string()), (&json!("completed"), true));
    assert_eq!(done["output"]["title"], "Running");
    let again = json!({"name": "test", "head_sha": sha, "conclusion": "success"});
    world.post(&token, runs, again).await.must_be(201);
    world.post(&token, runs, json!({"name": "lint", "head_sha": sha})).await.must_be(201);

    for (reference, query, expected) in [
        (sha.as_str(), "", vec!["lint", "test"]),
        ("agent/one", "", vec!["lint", "test"]),
        ("agent%2Fone", "?filter=all", vec!["lint", "test", "test"]),
        (sha.as_str(), "?check_name=test", vec!["test"]),
        (sha.as_str(), "?status=completed", vec!["test"]),
        (sha.as_str(), "?app_id=999", vec![]),
        ("main", "", vec![]),
    ] {
        let path = format!("/repos/acme/shop/commits/{reference}/check-runs{query}");
        let body = world.get(&token, &path).await.must_be(200);
        let list: &Vec<Value> = body["check_runs"].as_array().unwrap();
        let names: Vec<&str> = list.iter().map(|run| run["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{path}");
        assert_eq!(body["total_count"], expected.len());
    }
    for body in [
        json!({"head_sha": sha}),
        json!({"name": "x"}),
        json!({"name": "x", "head_sha": "f".repeat(40)}),
        json!({"name": "x", "head_sha": sha, "conclusion": "great"}),
    ] {
        world.post(&token, runs, body).await.must_be(422);
    }
    let by_person = world.post(&world.person, runs, json!({"name": "x", "head_sha": sha})).await.must_be(403);
    assert_eq!(by_person["message"], "You must authenticate via a GitHub App.");
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_are_combined_and_nothing_reported_is_pending() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let sha = &world.repository.head_sha;
    let combined = || async { world.get(&token, "/repos/acme/shop/commits/main/status").await.must_be(200) };
    let empty = combined().await;
    assert_eq!((&empty["state"], &empty["total_count"]), (&json!("pending"), &json!(0)));
    let statuses = format!("/repos/acme/shop/statuses/{sha}");
    let report = |state: &str, context: &str| {
        let body = json!({"state": state, "context": context, "description": "words", "target_url": "http://ci.test/1"});
        world.post(&token, &statuses, body)
    };
    report("failure", "ci").await.must_be(201);
    assert_eq!(combined().await["state"], "failure");
    report("success", "ci").await.must_be(201);
    report("pending", "deploy").await.must_be(201);
    let now = combined().await;
    assert_eq!((&now["state"], &now["total_count"]), (&json!("pending"), &json!(2)));
    report("success", "deploy").await.must_be(201);
    assert_eq!(combined().await["state"], "success");
    let all = world.get(&token, &format!("/repos/acme/shop/commits/{sha}/statuses?per_page=3")).await;
    assert!(all.header("link").contains("rel=\"next\""));
    assert_eq!(all.must_be(200)[0]["state"], "success");
    report("great", "ci").await.must_be(422);
    world.post(&token, "/repos/acme/shop/statuses/nothing", json!({"state": "success"})).await.must_be(422);
}
