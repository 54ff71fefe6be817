use std::time::Duration;

use openpod_server::github::GithubError;
use serde_json::json;
use wiremock::ResponseTemplate;
use wiremock::matchers::{body_json, header, header_regex};

use super::{INSTALLATION, MINT, Stage, found, shop, status};

#[tokio::test]
async fn a_token_is_asked_for_with_this_repository_and_these_permissions_and_nothing_wider() {
    let stage = Stage::bare().await;
    let wish = json!({
        "repositories": ["shop"],
        "permissions": {
            "checks": "read", "contents": "write", "metadata": "read", "pull_requests": "write", "statuses": "read",
        },
    });
    let signed = header_regex("authorization", "^Bearer ey[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$");
    let installation = found(json!({"id": 7}));
    stage.on("GET", INSTALLATION).and(signed).respond_with(installation).mount(&stage.github).await;
    let granted = json!({
        "token": "ghs_one", "expires_at": "2026-03-12T11:30:00Z",
        "permissions": {"contents": "write", "pull_requests": "write"},
    });
    let granted = ResponseTemplate::new(201).set_body_json(granted);
    stage.on("POST", MINT).and(body_json(wish)).respond_with(granted).mount(&stage.github).await;
    let web = stage.github.uri();
    assert_eq!(
        stage.token().await.expect(200),
        json!({
            "token": "ghs_one", "expires_at": "2026-03-12T11:30:00.000000Z",
            "permissions": {"contents": "write", "pull_requests": "write"},
            "repo_owner": "org", "repo_name": "shop", "repo_full_name": "org/shop",
            "clone_url": format!("{web}/org/shop.git"), "api_url": format!("{web}/api/v3"),
        })
    );
}

#[tokio::test]
async fn a_token_is_kept_until_five_minutes_before_it_expires() {
    let stage = Stage::new().await;
    stage.minting("ghs_second", "2026-03-12T12:25:00Z").await;
    for (minutes, expected) in [(0, "ghs_first"), (54, "ghs_first"), (1, "ghs_second"), (30, "ghs_second")] {
        stage.world.clock.advance(Duration::from_secs(minutes * 60));
        assert_eq!(stage.token().await.expect(200)["token"], expected, "{minutes} minutes later");
    }
    assert_eq!(stage.asked(MINT).await, 2);
}

#[tokio::test]
async fn of_many_who_ask_at_once_one_goes_to_github_also_when_it_fails() {
    let stage = Stage::bare().await;
    stage.on("GET", INSTALLATION).respond_with(status(500)).up_to_n_times(1).mount(&stage.github).await;
    let (github, shop) = (stage.world.app.github(), shop());
    let answers = futures_util::future::join_all((0..20).map(|_| github.token(&shop))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(GithubError::Upstream { .. }))));
    assert_eq!(stage.asked(INSTALLATION).await, 1);

    stage.installed().await;
    stage.minting("ghs_first", "2026-03-12T11:30:00Z").await;
    let answers = futures_util::future::join_all((0..20).map(|_| github.token(&shop))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(stage.asked(MINT).await, 1);
}

#[tokio::test]
async fn a_token_that_is_not_known_everywhere_yet_is_tried_again_and_a_dead_one_replaced() {
    let stage = Stage::new().await;
    let list = "/api/v3/repos/org/shop/pulls";
    stage.on("GET", list).respond_with(status(401)).up_to_n_times(1).mount(&stage.github).await;
    let first = stage.on("GET", list).and(header("authorization", "Bearer ghs_first"));
    first.respond_with(found(json!([]))).up_to_n_times(1).mount(&stage.github).await;
    assert_eq!(stage.pull_requests("open").await.expect(200)["count"], 0);

    stage.world.clock.advance(Duration::from_secs(600));
    stage.minting("ghs_second", "2026-03-12T12:00:00Z").await;
    let dead = stage.on("GET", list).and(header("authorization", "Bearer ghs_first"));
    dead.respond_with(status(401)).mount(&stage.github).await;
    let second = stage.on("GET", list).and(header("authorization", "Bearer ghs_second"));
    second.respond_with(found(json!([]))).mount(&stage.github).await;
    assert_eq!(stage.pull_requests("open").await.expect(200)["count"], 0);
    assert_eq!(stage.token().await.expect(200)["token"], "ghs_second");
}

#[tokio::test]
async fn no_error_shows_a_token() {
    let stage = Stage::new().await;
    let echo = ResponseTemplate::new(500).set_body_string("ghs_first is not welcome");
    stage.answers("pulls", echo.clone()).await;
    stage.answers("pulls/1", ResponseTemplate::new(200).set_body_string("\"ghs_first")).await;
    let github = stage.world.app.github();
    let repository = shop();
    let listed = github.pull_requests(&repository, &"open".to_owned().into()).await.unwrap_err();
    let verified = github.evidence(&repository, 1).await.unwrap_err();
    for error in [listed, verified] {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("ghs_"), "{shown}");
    }
    let token = github.token(&repository).await.unwrap();
    assert!(!format!("{token:?}").contains("ghs_"));
}
