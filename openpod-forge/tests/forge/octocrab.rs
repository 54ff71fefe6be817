//! octocrab, which the platform and the daemon use.

use octocrab::Octocrab;
use octocrab::models::AppId;
use octocrab::params::State;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn octocrab_goes_from_the_app_to_a_merged_pull_request() {
    let world = World::start().await;
    let base = world.forge.api_url().to_string();
    let key = world.app.private_key_pem.expose_secret().as_bytes();
    let app = Octocrab::builder()
        .base_uri(&base)
        .unwrap()
        .app_from_rsa_pem(AppId(world.app.app_id), key)
        .unwrap()
        .build()
        .unwrap();
    let installation = app.apps().get_repository_installation("acme", "shop").await.unwrap();
    assert_eq!(installation.id.0, world.installation);
    let scope =
        json!({"repositories": ["shop"], "permissions": {"contents": "write", "pull_requests": "write"}});
    let path = format!("/app/installations/{}/access_tokens", world.installation);
    let token: Value = app.post(path, Some(&scope)).await.unwrap();
    let token = token["token"].as_str().unwrap().to_owned();
    world.push_branch(&token, "agent/1").await;

    let crab = Octocrab::builder().base_uri(&base).unwrap().personal_token(token.clone()).build().unwrap();
    let pulls = crab.pulls("acme", "shop");
    let pull = pulls.create("Work", "agent/1", "main").body("Done.").send().await.unwrap();
    assert_eq!((pull.number, pull.mergeable), (1, Some(true)));
    let seen = pulls.get(1).await.unwrap();
    assert_eq!((seen.additions, seen.changed_files), (Some(1), Some(1)));
    let files = pulls.list_files(1).await.unwrap();
    assert_eq!(files.items[0].filename, "src/price.py");
    assert!(pulls.get_diff(1).await.unwrap().starts_with("diff --git"));
    crab.issues("acme", "shop").create_comment(1, "Done.").await.unwrap();
    let twice = pulls.create("Work", "agent/1", "main").send().await.unwrap_err();
    let octocrab::Error::GitHub { source, .. } = twice else { panic!("{twice}") };
    assert_eq!(source.status_code, 422);
    assert!(
        source.errors.unwrap()[0]["message"].as_str().unwrap().starts_with("A pull request already exists")
    );
    let repository = crab.repos("acme", "shop").get().await.unwrap();
    assert_eq!(repository.clone_url.unwrap().to_string(), world.clone_url());
    assert!(pulls.merge(1).send().await.unwrap().merged);
}

#[tokio::test(flavor = "multi_thread")]
async fn octocrab_follows_all_pages() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let clone = world.clone_shop(&token, "clone").await;
    for n in 1..=7 {
        world.commit(&clone, &format!("agent/{n}"), &format!("{n}.txt"), "x").await;
    }
    world.git_ok(&token, &clone, &["push", "-q", "origin", "--all"]).await;
    for n in 1..=7 {
        world.open_pull(&token, &format!("agent/{n}")).await;
    }
    let base = world.forge.api_url().to_string();
    let crab = Octocrab::builder().base_uri(&base).unwrap().personal_token(token).build().unwrap();
    let first = crab.pulls("acme", "shop").list().state(State::All).per_page(3).send().await.unwrap();
    assert_eq!(first.number_of_pages(), Some(3));
    let all = crab.all_pages(first).await.unwrap();
    let numbers: Vec<u64> = all.iter().map(|pull| pull.number).collect();
    assert_eq!(numbers, [7, 6, 5, 4, 3, 2, 1]);
}
