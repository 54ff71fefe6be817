//! Traps 44 to 48: tokens, pull requests and their checks.

use openpod_sdk::api::ErrorCode;
use openpod_sdk::api::github::{DeliverableCheck, PullRequestFilter};
use serde_json::json;

use super::super::fixtures::PROJECT;
use super::super::service::{Service, call, deployed, hear};

#[tokio::test]
async fn trap_44_a_pull_request_says_whether_it_was_merged() {
    let list = call!(|c| c.list_pull_requests(&PullRequestFilter { project_id: "p".into(), state: None }));
    let open = hear(list, 200, deployed("github.prs")).await.unwrap();
    assert_eq!(open["pull_requests"][0]["merged"], false);
    assert!(open["pull_requests"][0].get("additions").is_none(), "what is not counted is not zero");
    let merged =
        deployed("github.prs").replace("\"merged_at\": null", "\"merged_at\": \"2026-03-15T09:55:21Z\"");
    assert_eq!(hear(list, 200, merged).await.unwrap()["pull_requests"][0]["merged"], true);
}

#[tokio::test]
async fn trap_45_an_empty_list_of_pull_requests_is_an_answer_and_not_a_proof() {
    let list = call!(|c| c.list_pull_requests(&PullRequestFilter { project_id: "p".into(), state: None }));
    let failed = hear(list, 200, deployed("github.prs.failed_upstream")).await.unwrap();
    assert_eq!((&failed["count"], &failed["pull_requests"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn trap_46_a_check_that_says_no_is_an_answer() {
    let check = call!(|c| c.verify_deliverable(&DeliverableCheck {
        project_id: "p".into(),
        pr_url: "https://github.com/org/repo/pull/42/files".into()
    }));
    let no = hear(check, 400, deployed("github.verify-deliverable.invalid")).await.unwrap();
    assert_eq!((&no["valid"], no["reason"].is_string()), (&json!(false), true));
    let wrong = hear(check, 400, r#"{"error":"pr_url is missing"}"#).await.unwrap_err();
    assert!(wrong.is(ErrorCode::InvalidRequest), "a wrong request is no answer");
}

#[tokio::test]
async fn trap_47_a_summary_of_no_checks_comes_with_the_checks_that_there_are() {
    let check = call!(|c| c.verify_deliverable(&DeliverableCheck {
        project_id: "p".into(),
        pr_url: "https://github.com/org/repo/pull/42".into()
    }));
    let skipped = hear(check, 200, deployed("github.verify-deliverable.skipped")).await.unwrap();
    assert_eq!(
        (&skipped["checks_summary"], &skipped["checks_detail"]["total"]),
        (&json!("no_checks"), &json!(2))
    );
    assert_eq!(skipped["checks"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn trap_48_a_token_for_a_whole_organisation_is_in_no_output() {
    let service = Service::answering(200, deployed("github.token")).await;
    let token = service.client().github_token(&PROJECT.into()).await.unwrap();
    let secret = token.token.expose();
    assert!(deployed("github.token").contains(secret) && secret.len() > 10);
    assert!(!format!("{token:?} {token:#?}").contains(secret), "{token:?}");
}
