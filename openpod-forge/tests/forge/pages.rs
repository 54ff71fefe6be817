//! The pages for people.

use serde_json::json;

use super::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_a_pull_request_and_what_others_wrote_stays_text() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let clone = world.clone_shop(&token, "clone").await;
    let sha = world.commit(&clone, "agent/1", "src/price.py", "<script>alert(1)</script>\n").await;
    world.git_ok(&token, &clone, &["push", "-q", "origin", "agent/1"]).await;
    let body = json!({"title": "<b>Title</b>", "head": "agent/1", "base": "main", "body": "<img src=x>"});
    let pull = world.post(&token, "/repos/acme/shop/pulls", body).await.must_be(201);
    let run = json!({"name": "the tests", "head_sha": sha, "conclusion": "success"});
    world.post(&token, "/repos/acme/shop/check-runs", run).await.must_be(201);
    world
        .post(&token, "/repos/acme/shop/issues/1/comments", json!({"body": "<i>Look</i>"}))
        .await
        .must_be(201);

    let address = pull["html_url"].as_str().unwrap();
    let page = world.get(&world.person, address).await;
    assert_eq!(page.status, 200);
    for text in ["&lt;b&gt;Title", "&lt;script&gt;alert", "the tests", "&lt;i&gt;Look", "agent/1", &sha[..10]]
    {
        assert!(page.text.contains(text), "{text}: {}", page.text);
    }
    for markup in ["<script", "<img", "<b>Title", "<i>"] {
        assert!(!page.text.contains(markup), "{markup}");
    }
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    let list = world.get(&world.person, &world.repository.html_url).await;
    assert!(list.text.contains("&lt;b&gt;Title") && list.text.contains(address));
    let diff = world.get(&world.person, pull["diff_url"].as_str().unwrap()).await;
    assert!(diff.text.starts_with("diff --git") && diff.header("content-type").starts_with("text/plain"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_asked_for_a_token() {
    let world = World::start().await;
    let client = reqwest::Client::new();
    let answer = client.get(&world.repository.html_url).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["www-authenticate"], "Basic realm=\"GitHub\"");
    let with =
        client.get(&world.repository.html_url).basic_auth("x", Some(&world.person)).send().await.unwrap();
    assert_eq!(with.status(), 200);
    let other = world.token(json!({"repositories": ["shop"], "permissions": {"issues": "read"}})).await;
    assert_eq!(world.get(&other, &world.repository.html_url).await.status, 404);
    assert_eq!(world.get(&world.person, &format!("{}acme/nothing", world.forge.web_url())).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_shown_as_plain_text_wherever_its_branch_ends() {
    let world = World::start().await;
    let token = world.shop_token().await;
    world.push_branch(&token, "agent/1").await;
    let file = world.get(&token, "/repos/acme/shop/contents/src/price.py?ref=agent/1").await.must_be(200);
    let raw = world.get(&token, file["download_url"].as_str().unwrap()).await;
    assert_eq!(raw.text, "def price():\n    return 'agent/1'\n");
    assert!(raw.header("content-type").starts_with("text/plain"));
    assert_eq!(
        world.get(&token, &format!("{}/raw/main/nothing", world.repository.html_url)).await.status,
        404
    );
}
