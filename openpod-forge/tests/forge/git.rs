//! The ordinary git program against the forge.

use std::time::Duration;

use openpod_forge::Seed;
use serde_json::json;

use super::world::{World, stderr};

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_pushed_with_a_token_and_becomes_a_pull_request() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let sha = world.push_branch(&token, "agent/1").await;
    let pull = world.open_pull(&token, "agent/1").await;
    assert_eq!((&pull["number"], &pull["head"]["sha"]), (&json!(1), &json!(sha)));
    let seen = world.get(&token, "/repos/acme/shop/pulls/1").await.must_be(200);
    assert_eq!(seen["mergeable"], true);
    assert_eq!((&seen["commits"], &seen["changed_files"]), (&json!(1), &json!(1)));
    assert_eq!((&seen["additions"], &seen["deletions"]), (&json!(1), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_cannot_push_to_the_default_branch_and_nothing_else_of_that_push_arrives() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let clone = world.clone_shop(&token, "clone").await;
    world.commit(&clone, "main", "README.md", "mine\n").await;
    for arguments in [
        &["push", "origin", "HEAD:main", "HEAD:refs/heads/other"][..],
        &["push", "--force", "origin", "HEAD:main"],
        &["push", "origin", ":main"],
    ] {
        let output = world.git(&token, &clone, arguments).await;
        let text = stderr(&output);
        assert!(!output.status.success() && text.contains("! [remote rejected]"), "{text}");
        assert!(text.contains("main (protected branch)"), "{text}");
    }
    let listed = world.git_ok(&token, &clone, &["ls-remote", "origin"]).await;
    assert!(!listed.contains("refs/heads/other"), "{listed}");
    assert!(listed.contains(&format!("{}\trefs/heads/main", world.repository.head_sha)), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refs_that_belong_to_the_forge_cannot_be_pushed() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let clone = world.clone_shop(&token, "clone").await;
    for (target, words) in [
        ("refs/pull/1/head", "deny updating a hidden ref"),
        ("refs/heads/HEAD", "HEAD is not a branch name"),
        ("refs/notes/x", "only branches and tags"),
    ] {
        let output = world.git(&token, &clone, &["push", "origin", &format!("HEAD:{target}")]).await;
        assert!(!output.status.success() && stderr(&output).contains(words), "{}", stderr(&output));
    }
    world.git_ok(&token, &clone, &["push", "-q", "origin", "HEAD:refs/tags/v1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_enough_permission_can_read_and_not_push() {
    let world = World::start().await;
    let token = world.token(json!({"permissions": {"contents": "read"}})).await;
    let clone = world.clone_shop(&token, "clone").await;
    let output = world.git(&token, &clone, &["push", "origin", "HEAD:refs/heads/x"]).await;
    assert!(!output.status.success() && stderr(&output).contains("403"), "{}", stderr(&output));
    let blind = world.token(json!({"permissions": {"issues": "read"}})).await;
    let output = world.git(&blind, &clone, &["ls-remote", &world.clone_url()]).await;
    assert!(!output.status.success() && stderr(&output).contains("403"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_repositories_and_dead_tokens_are_closed_doors() {
    let world = World::start().await;
    let other = world.forge.create_repository("acme", "other", Seed::new()).await.unwrap();
    let token = world.shop_token().await;
    let here = world.directory.path();
    let output = world.git(&token, here, &["ls-remote", &other.clone_url]).await;
    assert!(!output.status.success() && stderr(&output).contains("not found"), "{}", stderr(&output));
    world.git_ok(&token, here, &["ls-remote", &world.clone_url()]).await;
    world.advance(Duration::from_secs(3601));
    let output = world.git(&token, here, &["ls-remote", &world.clone_url()]).await;
    assert!(
        !output.status.success() && stderr(&output).contains("Authentication failed"),
        "{}",
        stderr(&output)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_of_more_than_a_mebibyte_and_a_fetch_with_much_history_arrive() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let clone = world.clone_shop(&token, "clone").await;
    // Text that does not compress, the same on every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut noise = String::new();
    while noise.len() < 3 * 1024 * 1024 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        noise.push_str(&format!("{state:016x}\n"));
    }
    world.commit(&clone, "agent/big", "noise.txt", &noise).await;
    world.git_ok(&token, &clone, &["push", "-q", "origin", "agent/big"]).await;

    // A client with much history of its own sends a long, compressed list of what it has.
    for branch in ["agent/mine", "agent/other"] {
        world.history(&clone, branch, 150).await;
    }
    let second = world.clone_shop(&token, "second").await;
    let sha = world.commit(&second, "agent/small", "small.txt", "x\n").await;
    world.git_ok(&token, &second, &["push", "-q", "origin", "agent/small"]).await;
    for version in ["protocol.version=0", "protocol.version=2"] {
        world.git_ok(&token, &clone, &["-c", version, "fetch", "-q", "origin"]).await;
    }
    assert_eq!(world.git_ok("", &clone, &["rev-parse", "origin/agent/small"]).await, sha);
}

#[tokio::test(flavor = "multi_thread")]
async fn shallow_and_blobless_clones_work() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let here = world.directory.path();
    for (name, option) in [("shallow", "--depth=1"), ("blobless", "--filter=blob:none")] {
        world.git_ok(&token, here, &["clone", "-q", option, &world.clone_url(), name]).await;
        assert!(here.join(name).join("src/price.py").exists());
    }
    let clone = here.join("shallow");
    world.commit(&clone, "agent/1", "x.txt", "x\n").await;
    world.git_ok(&token, &clone, &["push", "-q", "origin", "agent/1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_at_the_same_time_all_arrive_and_of_two_to_one_branch_one_does() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let branches: Vec<String> = (0..6).map(|n| format!("agent/{n}")).collect();
    let pushes = branches.iter().map(|branch| world.push_branch(&token, branch));
    let shas = futures_util::future::join_all(pushes).await;
    for (branch, sha) in branches.iter().zip(shas) {
        let path = format!("/repos/acme/shop/git/ref/heads/{branch}");
        assert_eq!(world.get(&token, &path).await.must_be(200)["object"]["sha"], json!(sha));
    }

    let (one, two) = (world.clone_shop(&token, "one").await, world.clone_shop(&token, "two").await);
    world.commit(&one, "agent/same", "one.txt", "1").await;
    world.commit(&two, "agent/same", "two.txt", "2").await;
    let push = |clone| world.git(&token, clone, &["push", "-q", "origin", "agent/same"]);
    let (first, second) = tokio::join!(push(&one), push(&two));
    assert_ne!(first.status.success(), second.status.success(), "{}{}", stderr(&first), stderr(&second));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_clients_than_git_processes_are_all_served() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let names: Vec<String> = (0..24).map(|n| format!("clone-{n}")).collect();
    let clones =
        futures_util::future::join_all(names.iter().map(|name| world.clone_shop(&token, name))).await;
    assert!(clones.iter().all(|clone| clone.join("README.md").exists()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_may_be_refused_when_it_was_meant_for_another_state() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let old = world.push_branch(&token, "agent/1").await;
    let clone = world.clone_shop(&token, "clone").await;
    world.git_ok("", &clone, &["checkout", "-q", "agent/1"]).await;
    world.commit(&clone, "agent/1", "more.txt", "x").await;
    let lease = |sha: &str| format!("--force-with-lease=refs/heads/agent/1:{sha}");
    let wrong =
        world.git(&token, &clone, &["push", &lease(&world.repository.head_sha), "origin", "agent/1"]).await;
    assert!(!wrong.status.success());
    world.git_ok(&token, &clone, &["push", "-q", &lease(&old), "origin", "agent/1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_again_after_a_restart() {
    let mut world = World::start().await;
    let token = world.shop_token().await;
    let sha = world.push_branch(&token, "agent/1").await;
    world.open_pull(&token, "agent/1").await;
    world.post(&token, "/repos/acme/shop/issues/1/comments", json!({"body": "Hello."})).await.must_be(201);
    world.restart().await;
    let pull = world.get(&token, "/repos/acme/shop/pulls/1").await.must_be(200);
    assert_eq!((&pull["head"]["sha"], &pull["comments"]), (&json!(sha), &json!(1)));
    world.get(&world.jwt(), "/app").await.must_be(200);
    world.push_branch(&token, "agent/2").await;
    assert_eq!(world.open_pull(&token, "agent/2").await["number"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_gits_protocol_is_refused() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let client = reqwest::Client::new();
    let post = |service: &str, encoding: &str, body: &'static [u8]| {
        let url = format!("{}/{service}", world.clone_url());
        client.post(url).bearer_auth(&token).header("content-encoding", encoding).body(body).send()
    };
    for (service, encoding, body, status) in [
        ("git-receive-pack", "identity", &b"hello"[..], 400),
        ("git-receive-pack", "identity", b"", 400),
        ("git-receive-pack", "identity", b"0000", 200),
        ("git-receive-pack", "br", b"0000", 400),
        ("git-upload-pack", "gzip", b"no gzip", 400),
    ] {
        let answer = post(service, encoding, body).await.unwrap();
        assert_eq!(answer.status(), status, "{service} {encoding} {body:?}");
    }
    let refs = format!("{}/info/refs?service=git-upload-pack", world.clone_url());
    let anonymous = client.get(&refs).send().await.unwrap();
    assert_eq!(anonymous.status(), 401);
    assert_eq!(anonymous.headers()["www-authenticate"], "Basic realm=\"GitHub\"");
    let odd =
        client.get(&refs).bearer_auth(&token).header("git-protocol", "version=2;x").send().await.unwrap();
    assert_eq!(odd.status(), 400);
}
