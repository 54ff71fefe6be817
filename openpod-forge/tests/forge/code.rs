//! Refs, branches, files and commits by REST.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::json;

use super::world::World;

const REPO: &str = "/repos/acme/shop";

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_says_where_it_is_cloned_from() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let body = world.get(&token, REPO).await.must_be(200);
    assert_eq!(body["clone_url"], world.clone_url());
    assert_eq!((&body["private"], &body["default_branch"]), (&json!(true), &json!("main")));
    assert_eq!(body["permissions"]["push"], true);
    let by_number = world.get(&token, &format!("/repositories/{}", world.repository.id)).await.must_be(200);
    assert_eq!(by_number, body);
    world.get(&token, "/repos/ACME/Shop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refs_are_made_moved_and_deleted_under_the_rules_of_a_push() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let old = &world.repository.head_sha;
    let new = world.push_branch(&token, "agent/1").await;
    let create = |name: &str, sha: &str| {
        world.post(&token, "/repos/acme/shop/git/refs", json!({"ref": name, "sha": sha}))
    };
    let made = create("refs/heads/a/b", old).await.must_be(201);
    assert_eq!((&made["ref"], &made["object"]["sha"]), (&json!("refs/heads/a/b"), &json!(old)));
    assert_eq!(create("refs/heads/a/b", old).await.must_be(422)["message"], "Reference already exists");
    create("refs/tags/v1", &new).await.must_be(201);
    for (name, sha) in [
        ("refs/heads/HEAD", old.as_str()),
        ("refs/pull/9/head", old),
        ("heads/x", old),
        ("refs/heads/x..y", old),
        ("refs/heads/x", &"f".repeat(40)),
        ("refs/heads/x", "main"),
    ] {
        create(name, sha).await.must_be(422);
    }
    for path in ["git/ref/heads/a/b", "git/ref/heads%2Fa%2Fb"] {
        assert_eq!(world.get(&token, &format!("{REPO}/{path}")).await.must_be(200)["ref"], "refs/heads/a/b");
    }
    world.get(&token, &format!("{REPO}/git/ref/heads/a")).await.must_be(404);
    let matching = world.get(&token, &format!("{REPO}/git/matching-refs/heads/a")).await.must_be(200);
    assert_eq!(matching.as_array().unwrap().len(), 2);

    let path = format!("{REPO}/git/refs/heads/a/b");
    assert_eq!(
        world.patch(&token, &path, json!({"sha": new})).await.must_be(200)["object"]["sha"],
        json!(new)
    );
    let back = world.patch(&token, &path, json!({"sha": old})).await.must_be(422);
    assert_eq!(back["message"], "Update is not a fast forward");
    world.patch(&token, &path, json!({"sha": old, "force": true})).await.must_be(200);
    assert_eq!(world.delete(&token, &path).await.status, 204);
    world.delete(&token, &path).await.must_be(422);

    let main = format!("{REPO}/git/refs/heads/main");
    world.patch(&token, &main, json!({"sha": new})).await.must_be(422);
    world.delete(&token, &main).await.must_be(422);
    world.forge.unprotect("acme", "shop", "main").await.unwrap();
    world.patch(&token, &main, json!({"sha": new})).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_say_whether_they_are_protected() {
    let world = World::start().await;
    let token = world.shop_token().await;
    world.push_branch(&token, "agent/1").await;
    world.forge.protect("acme", "shop", "release").await.unwrap();
    let all = world.get(&token, &format!("{REPO}/branches")).await.must_be(200);
    let seen: Vec<_> =
        all.as_array().unwrap().iter().map(|b| (b["name"].clone(), b["protected"].clone())).collect();
    assert_eq!(seen, [(json!("agent/1"), json!(false)), (json!("main"), json!(true))]);
    let one = world.get(&token, &format!("{REPO}/branches/agent/1")).await.must_be(200);
    assert_eq!((&one["name"], &one["protected"]), (&json!("agent/1"), &json!(false)));
    let missing = world.get(&token, &format!("{REPO}/branches/nothing")).await.must_be(404);
    assert_eq!(missing["message"], "Branch not found");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_and_written() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let root = world.get(&token, &format!("{REPO}/contents")).await.must_be(200);
    let names: Vec<_> =
        root.as_array().unwrap().iter().map(|e| (e["name"].clone(), e["type"].clone())).collect();
    let expected = [("README.md", "file"), ("run-tests", "file"), ("src", "dir")];
    assert_eq!(names, expected.map(|(name, kind)| (json!(name), json!(kind))));
    assert_eq!(
        world.get(&token, &format!("{REPO}/contents/src")).await.must_be(200)[0]["path"],
        "src/price.py"
    );
    let readme = world.get(&token, &format!("{REPO}/contents/README.md")).await.must_be(200);
    assert_eq!(readme["content"], "IyBTaG9wCg==\n");
    let raw = world.request(Method::GET, &token, &format!("{REPO}/contents/README.md"));
    let raw = world.send(raw.header("accept", "application/vnd.github.raw+json")).await;
    assert_eq!(raw.text, "# Shop\n");

    let path = format!("{REPO}/contents/docs/a%20b.md");
    let body = |content: &str, more: serde_json::Value| {
        let mut body = json!({"message": "Write", "content": STANDARD.encode(content), "branch": "agent/1"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    world.put(&token, &path, body("x", json!({}))).await.must_be(404);
    world.push_branch(&token, "agent/1").await;
    let made = world.put(&token, &path, body("one\n", json!({}))).await.must_be(201);
    let blob = made["content"]["sha"].clone();
    assert_eq!(made["content"]["path"], "docs/a b.md");
    world.put(&token, &path, body("two\n", json!({}))).await.must_be(422);
    world.put(&token, &path, body("two\n", json!({"sha": "f".repeat(40)}))).await.must_be(409);
    let ada = json!({"name": "Ada", "email": "ada@example.org"});
    let changed =
        world.put(&token, &path, body("two\n", json!({"sha": blob, "author": ada}))).await.must_be(200);
    assert_eq!(changed["commit"]["author"]["name"], "Ada");
    assert_eq!(changed["commit"]["parents"][0]["sha"], made["commit"]["sha"]);
    let seen = world.get(&token, &format!("{path}?ref=agent/1")).await.must_be(200);
    assert_eq!(seen["content"], "dHdvCg==\n");
    world.get(&token, &path).await.must_be(404);
    world.get(&token, &format!("{path}?ref=nowhere")).await.must_be(404);
    let onto_main = json!({"message": "x", "content": ""});
    world.put(&token, &path, onto_main).await.must_be(422);
    for bad in [".git/config", "a%2F..%2Fb", "x/.GIT/hooks/y"] {
        let path = format!("{REPO}/contents/{bad}");
        let answer = world.put(&token, &path, body("x", json!({}))).await;
        assert!([404, 422].contains(&answer.status.as_u16()), "{bad}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_listed_shown_and_compared() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let base = world.repository.head_sha.clone();
    let sha = world.push_branch(&token, "agent/1").await;
    let list = world.get(&token, &format!("{REPO}/commits?sha=agent/1")).await.must_be(200);
    assert_eq!((&list[0]["sha"], &list[1]["sha"]), (&json!(sha), &json!(base)));
    let touching =
        world.get(&token, &format!("{REPO}/commits?sha=agent/1&path=README.md")).await.must_be(200);
    assert_eq!(touching.as_array().unwrap().len(), 1);
    for name in ["agent/1", "agent%2F1", &sha, &sha[..10]] {
        let one = world.get(&token, &format!("{REPO}/commits/{name}")).await.must_be(200);
        assert_eq!((&one["sha"], &one["stats"]["total"]), (&json!(sha), &json!(2)), "{name}");
    }
    let first = world.get(&token, &format!("{REPO}/commits/{base}")).await.must_be(200);
    assert_eq!(first["files"].as_array().unwrap().len(), 3);
    let diff = world.request(Method::GET, &token, &format!("{REPO}/commits/{sha}"));
    let diff = world.send(diff.header("accept", "application/vnd.github.diff")).await;
    assert!(diff.text.starts_with("diff --git"), "{}", diff.text);
    let missing = world.get(&token, &format!("{REPO}/commits/nothing")).await.must_be(422);
    assert_eq!(missing["message"], "No commit found for SHA: nothing");

    for (basehead, status, ahead, behind) in [
        ("main...agent/1".to_owned(), "ahead", 1, 0),
        ("agent%2F1...acme:main".into(), "behind", 0, 1),
        (format!("{base}...main"), "identical", 0, 0),
    ] {
        let body = world.get(&token, &format!("{REPO}/compare/{basehead}")).await.must_be(200);
        assert_eq!(body["status"], status, "{basehead}");
        assert_eq!((&body["ahead_by"], &body["behind_by"]), (&json!(ahead), &json!(behind)), "{basehead}");
    }
    world.get(&token, &format!("{REPO}/compare/main...nowhere")).await.must_be(404);
    world.get(&token, &format!("{REPO}/compare/main")).await.must_be(404);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn odd_content_of_a_repository_is_shown_and_breaks_nothing() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let clone = world.clone_shop(&token, "clone").await;
    world.git_ok("", &clone, &["checkout", "-q", "-b", "agent/odd"]).await;
    std::fs::remove_file(clone.join("README.md")).unwrap();
    std::os::unix::fs::symlink("src/price.py", clone.join("README.md")).unwrap();
    std::fs::write(clone.join("a\"b\tc ü.bin"), [0u8, 1, 2, 255]).unwrap();
    std::fs::rename(clone.join("src/price.py"), clone.join("src/cost.py")).unwrap();
    std::fs::write(clone.join("z.txt"), "diff --git a/x b/x\n@@ -1 +1 @@\n").unwrap();
    world.git_ok("", &clone, &["add", "-A"]).await;
    let message = "Subject\n\nBody\u{1f}with odd \u{7} bytes";
    world.git_ok("", &clone, &["commit", "-q", "--date=@99999999999999 +0000", "-m", message]).await;
    world.git_ok(&token, &clone, &["push", "-q", "origin", "agent/odd"]).await;
    world.open_pull(&token, "agent/odd").await;
    let files = world.get(&token, "/repos/acme/shop/pulls/1/files").await.must_be(200);
    let seen: Vec<_> =
        files.as_array().unwrap().iter().map(|f| (f["filename"].clone(), f["status"].clone())).collect();
    let expected = [
        ("README.md", "modified"),
        ("a\"b\tc ü.bin", "added"),
        ("src/cost.py", "renamed"),
        ("z.txt", "added"),
    ];
    assert_eq!(seen, expected.map(|(name, status)| (json!(name), json!(status))));
    assert_eq!(files[2]["previous_filename"], "src/price.py");
    assert_eq!(files[3]["patch"], "@@ -0,0 +1,2 @@\n+diff --git a/x b/x\n+@@ -1 +1 @@");
    let commits = world.get(&token, "/repos/acme/shop/pulls/1/commits").await.must_be(200);
    assert_eq!(commits[0]["commit"]["message"], message);
    let path = format!("{REPO}/contents/a%22b%09c%20%C3%BC.bin?ref=agent/odd");
    assert_eq!(world.get(&token, &path).await.must_be(200)["content"], "AAEC/w==\n");
    let page = world.get(&world.person, &format!("{}/pull/1", world.repository.html_url)).await;
    assert_eq!(page.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn null_bytes_and_patterns_reach_nothing() {
    let world = World::start().await;
    let token = world.shop_token().await;
    world.push_branch(&token, "agent/1").await;
    for (path, status) in [
        ("/contents/a%00b", 404),
        ("/contents/:(glob)*", 404),
        ("/contents/*", 404),
        ("/commits/main%00", 404),
        ("/commits?path=a%00b", 422),
        ("/commits?sha=--all", 404),
        ("/commits/--all", 422),
        ("/commits/main~1", 422),
        ("/commits/main@%7B0%7D", 422),
        ("/git/ref/heads/main%5E%7Btree%7D", 404),
        ("/compare/main...--output=x", 404),
        ("/branches/../../etc", 404),
    ] {
        assert_eq!(world.get(&token, &format!("{REPO}{path}")).await.status, status, "{path}");
    }
    for body in [
        json!({"message": "a\u{0}b", "content": "", "branch": "agent/1"}),
        json!({"message": "m", "content": "!", "branch": "agent/1"}),
        json!({"message": "m", "content": "", "branch": "agent/1", "author": {"name": " ", "email": "a@b"}}),
    ] {
        world.put(&token, &format!("{REPO}/contents/x"), body).await.must_be(422);
    }
    let slash = world.get(&token, &format!("{REPO}/contents/")).await;
    assert_eq!(slash.status, 200);
}
