//! Pull requests, from their opening to their merge.

use serde_json::{Value, json};

use super::world::World;

const PULLS: &str = "/repos/acme/shop/pulls";

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_is_refused_with_githubs_words() {
    let world = World::start().await;
    let token = world.shop_token().await;
    world.push_branch(&token, "agent/1").await;
    world.open_pull(&token, "agent/1").await;
    let sha = &world.repository.head_sha;
    world
        .post(&token, "/repos/acme/shop/git/refs", json!({"ref": "refs/heads/same", "sha": sha}))
        .await
        .must_be(201);
    for (body, expected) in [
        (
            json!({"title": "x", "head": "agent/1", "base": "main"}),
            json!({"resource": "PullRequest", "code": "custom",
                   "message": "A pull request already exists for acme:agent/1."}),
        ),
        (
            json!({"title": "x", "head": "acme:agent/1", "base": "main"}),
            json!({"resource": "PullRequest", "code": "custom",
                   "message": "A pull request already exists for acme:agent/1."}),
        ),
        (
            json!({"title": "x", "head": "same", "base": "main"}),
            json!({"resource": "PullRequest", "code": "custom", "message": "No commits between main and same"}),
        ),
        (
            json!({"title": "x", "head": "nowhere", "base": "main"}),
            json!({"resource": "PullRequest", "field": "head", "code": "invalid"}),
        ),
        (
            json!({"title": "x", "head": "else:agent/1", "base": "main"}),
            json!({"resource": "PullRequest", "field": "head", "code": "invalid"}),
        ),
        (
            json!({"title": "x", "head": "agent/1", "base": "nowhere"}),
            json!({"resource": "PullRequest", "field": "base", "code": "invalid"}),
        ),
        (
            json!({"head": "agent/1", "base": "main"}),
            json!({"resource": "PullRequest", "field": "title", "code": "missing_field"}),
        ),
        (
            json!({"title": "x", "base": "main"}),
            json!({"resource": "PullRequest", "field": "head", "code": "missing_field"}),
        ),
    ] {
        let answer = world.post(&token, PULLS, body.clone()).await.must_be(422);
        assert_eq!(answer["message"], "Validation Failed", "{body}");
        assert_eq!(answer["errors"], json!([expected]), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_of_the_list_shows_less_than_the_single_view() {
    let world = World::start().await;
    let token = world.shop_token().await;
    world.push_branch(&token, "agent/1").await;
    let single = world.open_pull(&token, "agent/1").await;
    let list = world.get(&token, PULLS).await.must_be(200);
    for member in [
        "additions",
        "deletions",
        "changed_files",
        "commits",
        "comments",
        "review_comments",
        "merged",
        "mergeable",
        "mergeable_state",
        "merged_by",
        "maintainer_can_modify",
        "rebaseable",
    ] {
        assert!(single.get(member).is_some(), "{member}");
        assert!(list[0].get(member).is_none(), "{member}");
    }
    assert_eq!(list[0]["head"]["sha"], single["head"]["sha"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_sorted_and_paged() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let clone = world.clone_shop(&token, "clone").await;
    for n in 1..=5 {
        let branch = format!("agent/{n}");
        world.commit(&clone, &branch, &format!("{n}.txt"), "x").await;
    }
    world.git_ok(&token, &clone, &["push", "-q", "origin", "--all"]).await;
    for n in 1..=5 {
        world.open_pull(&token, &format!("agent/{n}")).await;
    }
    world.patch(&token, &format!("{PULLS}/2"), json!({"state": "closed"})).await.must_be(200);
    for (query, expected) in [
        ("", vec![5, 4, 3, 1]),
        ("?state=closed", vec![2]),
        ("?state=all&direction=asc", vec![1, 2, 3, 4, 5]),
        ("?head=acme:agent/3", vec![3]),
        ("?head=agent/3", vec![5, 4, 3, 1]),
        ("?head=else:agent/3", vec![]),
        ("?base=main&state=all", vec![5, 4, 3, 2, 1]),
        ("?base=other", vec![]),
        ("?sort=created&direction=asc&per_page=2&page=2", vec![4, 5]),
        ("?per_page=0&page=0", vec![5, 4, 3, 1]),
        ("?page=9", vec![]),
    ] {
        let answer = world.get(&token, &format!("{PULLS}{query}")).await.must_be(200);
        let numbers: Vec<u64> =
            answer.as_array().unwrap().iter().map(|pull| pull["number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, expected, "{query}");
    }
    assert_eq!(world.get(&token, PULLS).await.header("link"), "");
    let mut page = world.get(&token, &format!("{PULLS}?state=all&per_page=2")).await;
    let mut seen = Vec::new();
    loop {
        seen.extend(page.json().as_array().unwrap().iter().map(|pull| pull["number"].as_u64().unwrap()));
        let Some(next) = link(page.header("link"), "next") else { break };
        assert!(next.contains(&format!("/repositories/{}/pulls?", world.repository.id)), "{next}");
        page = world.get(&token, &next).await;
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    assert!(link(page.header("link"), "first").is_some() && link(page.header("link"), "last").is_none());
}

fn link(header: &str, rel: &str) -> Option<String> {
    let part = header.split(", ").find(|part| part.ends_with(&format!("rel=\"{rel}\"")))?;
    Some(part.split('>').next()?.trim_start_matches('<').to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_commits_diff_and_patch_show_what_a_pull_request_brings() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let sha = world.push_branch(&token, "agent/1").await;
    world.open_pull(&token, "agent/1").await;
    let files = world.get(&token, &format!("{PULLS}/1/files")).await.must_be(200);
    assert_eq!(files.as_array().unwrap().len(), 1);
    assert_eq!((&files[0]["filename"], &files[0]["changes"]), (&json!("src/price.py"), &json!(2)));
    assert!(files[0]["patch"].as_str().unwrap().starts_with("@@ -1,2 +1,2 @@"));
    let commits = world.get(&token, &format!("{PULLS}/1/commits")).await.must_be(200);
    assert_eq!(commits[0]["sha"], sha);
    assert_eq!(commits[0]["commit"]["message"], "Change src/price.py");
    for (media, begins) in [("diff", "diff --git a/src/price.py"), ("patch", &format!("From {sha}"))] {
        for accept in
            [format!("application/vnd.github.{media}"), format!("application/vnd.github.v3.{media}")]
        {
            let request =
                world.request(reqwest::Method::GET, &token, &format!("{PULLS}/1")).header("accept", &accept);
            let answer = world.send(request).await;
            assert!(answer.text.starts_with(begins), "{accept}: {}", answer.text);
            assert!(answer.header("content-type").contains(media));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_follows_its_branch_and_keeps_its_last_head() {
    let world = World::start().await;
    let token = world.shop_token().await;
    world.push_branch(&token, "agent/1").await;
    world.open_pull(&token, "agent/1").await;
    let clone = world.clone_shop(&token, "second").await;
    world.git_ok(&token, &clone, &["checkout", "-q", "agent/1"]).await;
    let sha = world.commit(&clone, "agent/1", "more.txt", "more\n").await;
    world.git_ok(&token, &clone, &["push", "-q", "origin", "agent/1"]).await;
    let pull = world.get(&token, &format!("{PULLS}/1")).await.must_be(200);
    assert_eq!((&pull["head"]["sha"], &pull["commits"]), (&json!(sha), &json!(2)));

    world.git_ok(&token, &clone, &["push", "-q", "origin", ":agent/1"]).await;
    let pull = world.get(&token, &format!("{PULLS}/1")).await.must_be(200);
    assert_eq!(
        (&pull["state"], &pull["head"]["sha"], &pull["merged"]),
        (&json!("closed"), &json!(sha), &json!(false))
    );
    world.git_ok(&token, &clone, &["fetch", "-q", "origin", "refs/pull/1/head"]).await;
    assert_eq!(world.git_ok(&token, &clone, &["rev-parse", "FETCH_HEAD"]).await, sha);
    world.patch(&token, &format!("{PULLS}/1"), json!({"state": "open"})).await.must_be(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn title_body_and_state_can_be_changed() {
    let world = World::start().await;
    let token = world.shop_token().await;
    world.push_branch(&token, "agent/1").await;
    world.open_pull(&token, "agent/1").await;
    let path = format!("{PULLS}/1");
    let change = |body: Value| world.patch(&token, &path, body);
    let pull = change(json!({"title": "New"})).await.must_be(200);
    assert_eq!((&pull["title"], &pull["body"]), (&json!("New"), &json!("Done.")));
    assert_eq!(change(json!({"body": null})).await.must_be(200)["body"], json!(null));
    let closed = change(json!({"state": "closed"})).await.must_be(200);
    assert!(closed["closed_at"].is_string() && closed["state"] == "closed");
    assert_eq!(change(json!({"state": "open"})).await.must_be(200)["closed_at"], json!(null));
    change(json!({"state": "gone"})).await.must_be(422);
    change(json!({"base": "nowhere"})).await.must_be(422);
    change(json!({"title": 7})).await.must_be(422);
    world.patch(&token, &format!("{PULLS}/9"), json!({"title": "x"})).await.must_be(404);
    world.get(&token, &format!("{PULLS}/x")).await.must_be(404);

    world.patch(&token, &path, json!({"state": "closed"})).await.must_be(200);
    assert_eq!(world.open_pull(&token, "agent/1").await["number"], 2);
    world.patch(&token, &path, json!({"state": "open"})).await.must_be(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_moves_the_protected_branch_and_shows_for_good() {
    let world = World::start().await;
    let token = world.shop_token().await;
    for (method, branch) in [("merge", "agent/1"), ("squash", "agent/2")] {
        let clone = world.clone_shop(&token, method).await;
        let sha = world.commit(&clone, branch, &format!("{method}.txt"), "x\n").await;
        world.git_ok(&token, &clone, &["push", "-q", "origin", branch]).await;
        let number = world.open_pull(&token, branch).await["number"].clone();
        let path = format!("{PULLS}/{number}/merge");
        assert_eq!(world.get(&token, &path).await.status, 404);
        let wrong = json!({"sha": world.repository.head_sha});
        assert_eq!(
            world.put(&token, &path, wrong).await.must_be(409)["message"],
            "Head branch was modified. Review and try the merge again."
        );
        let merged = world.put(&token, &path, json!({"sha": sha, "merge_method": method})).await.must_be(200);
        assert_eq!(merged["merged"], true);
        assert_eq!(world.get(&token, &path).await.status, 204);
        let again = world.put(&token, &path, json!({})).await.must_be(405);
        assert_eq!(again["message"], "Pull Request is not mergeable");
        let pull = world.get(&token, &format!("{PULLS}/{number}")).await.must_be(200);
        assert_eq!((&pull["merged"], &pull["merge_commit_sha"]), (&json!(true), &merged["sha"]));
        assert_eq!((&pull["commits"], &pull["changed_files"]), (&json!(1), &json!(1)), "{method}");
        let main = world.get(&token, "/repos/acme/shop/commits/main").await.must_be(200);
        assert_eq!(main["sha"], merged["sha"]);
        let parents = if method == "merge" { 2 } else { 1 };
        assert_eq!(main["parents"].as_array().unwrap().len(), parents);
    }
    world.put(&token, &format!("{PULLS}/1/merge"), json!({"merge_method": "rebase"})).await.must_be(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_shown_and_cannot_be_merged() {
    let world = World::start().await;
    let token = world.shop_token().await;
    for branch in ["agent/1", "agent/2"] {
        world.push_branch(&token, branch).await;
        world.open_pull(&token, branch).await;
    }
    world.put(&token, &format!("{PULLS}/1/merge"), json!({})).await.must_be(200);
    let pull = world.get(&token, &format!("{PULLS}/2")).await.must_be(200);
    assert_eq!((&pull["mergeable"], &pull["mergeable_state"]), (&json!(false), &json!("dirty")));
    world.put(&token, &format!("{PULLS}/2/merge"), json!({})).await.must_be(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_merges_at_once_one_happens() {
    let world = World::start().await;
    let token = world.shop_token().await;
    world.push_branch(&token, "agent/1").await;
    world.open_pull(&token, "agent/1").await;
    let merges = (0..8).map(|_| world.put(&token, "/repos/acme/shop/pulls/1/merge", json!({})));
    let answers = futures_util::future::join_all(merges).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 405, 405, 405, 405, 405, 405, 405]);
    let commits = world.get(&token, "/repos/acme/shop/commits").await.must_be(200);
    assert_eq!(commits.as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_by_a_person_that_brings_the_head_into_the_base_merges_the_pull_request() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let sha = world.push_branch(&token, "agent/1").await;
    world.open_pull(&token, "agent/1").await;
    let clone = world.clone_shop(&world.person, "person").await;
    world.git_ok(&world.person, &clone, &["push", "-q", "origin", &format!("{sha}:refs/heads/main")]).await;
    let pull = world.get(&token, &format!("{PULLS}/1")).await.must_be(200);
    assert_eq!(
        (&pull["merged"], &pull["state"], &pull["commits"]),
        (&json!(true), &json!("closed"), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_concern_a_pull_request_does_not_touch_it() {
    let world = World::start().await;
    let token = world.shop_token().await;
    world.push_branch(&token, "agent/1").await;
    let opened = world.open_pull(&token, "agent/1").await;
    world.advance(std::time::Duration::from_secs(60));
    world.push_branch(&token, "agent/2").await;
    world.open_pull(&token, "agent/2").await;
    world.put(&token, &format!("{PULLS}/2/merge"), json!({})).await.must_be(200);
    let first = world.get(&token, &format!("{PULLS}/1")).await.must_be(200);
    assert_eq!((&first["updated_at"], &first["state"]), (&opened["updated_at"], &json!("open")));
    assert_eq!((&first["base"]["sha"], &first["commits"]), (&opened["base"]["sha"], &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_goes_back_to_its_base_closes_its_pull_request() {
    let world = World::start().await;
    let token = world.shop_token().await;
    world.push_branch(&token, "agent/1").await;
    world.open_pull(&token, "agent/1").await;
    let back = json!({"sha": world.repository.head_sha, "force": true});
    world.patch(&token, "/repos/acme/shop/git/refs/heads/agent/1", back).await.must_be(200);
    let pull = world.get(&token, &format!("{PULLS}/1")).await.must_be(200);
    assert_eq!((&pull["state"], &pull["merged"]), (&json!("closed"), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_apps_talk_on_a_pull_request() {
    let world = World::start().await;
    let token = world.shop_token().await;
    world.push_branch(&token, "agent/1").await;
    world.open_pull(&token, "agent/1").await;
    let path = "/repos/acme/shop/issues/1/comments";
    let mine = world.post(&token, path, json!({"body": "Draft."})).await;
    let place = mine.header("location").to_owned();
    assert_eq!(world.get(&token, &place).await.must_be(200)["body"], "Draft.");
    let mine = world.patch(&token, &place, json!({"body": "Done."})).await.must_be(200);
    assert_eq!(mine["user"]["login"], "openpod[bot]");
    world.post(&world.person, path, json!({"body": "Thanks."})).await.must_be(201);
    let all = world.get(&token, path).await.must_be(200);
    let words: Vec<&str> = all.as_array().unwrap().iter().map(|one| one["body"].as_str().unwrap()).collect();
    assert_eq!(words, ["Done.", "Thanks."]);
    assert_eq!(world.get(&token, &format!("{PULLS}/1")).await.must_be(200)["comments"], 2);
    world.post(&token, path, json!({})).await.must_be(422);
    world.post(&token, path, json!({"body": " "})).await.must_be(422);
    world.post(&token, "/repos/acme/shop/issues/7/comments", json!({"body": "x"})).await.must_be(404);
}
