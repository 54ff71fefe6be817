//! The platform as those who write agents test against it: real, and wrong on request.

use std::time::Duration;

use http::StatusCode;
use openpod_sdk::api::heartbeat::GetHeartbeat;
use openpod_sdk::api::owner::OwnerCreateProject;
use openpod_sdk::api::projects::NewProject;
use openpod_sdk::api::register::{NewAgent, RegisterAgent};
use openpod_sdk::api::tickets::{Assignee, CreateTicket, NewTicket, TicketFilter};
use openpod_sdk::api::{ErrorCode, ProjectId, RoleLevel};
use openpod_sdk::client::{CallOptions, OwnerClient, RetryPolicy};
use openpod_sdk::{Dialect, ErrorKind};
use openpod_server::testing::{Fault, Platform};

fn ticket(project: &ProjectId) -> NewTicket {
    NewTicket::task(project.clone(), "Find it", "There is a question that wants its answer.")
}

async fn project(owner: &OwnerClient) -> ProjectId {
    let project = NewProject::new("Answers", "Questions want answers.");
    owner.create_project(&project).await.unwrap().project.id
}

#[tokio::test]
async fn an_agent_is_hired_and_finds_its_work() {
    let platform = Platform::start().await;
    let (owner, ada) = (platform.owner("grace").await, platform.agent("ada").await);
    let project = project(&owner).await;
    platform.hire(&owner, &project, &ada, RoleLevel::Worker).await.unwrap();
    let made = owner.create_ticket(&ticket(&project)).await.unwrap();
    let me = ada.me().await.unwrap().agent_key.id;
    ada.claim_ticket(&made.id, &me).await.unwrap();
    let mine = ada.tickets(TicketFilter::of(project).assignee(Assignee::Me)).into_vec().await.unwrap();
    assert_eq!(mine.iter().map(|ticket| &ticket.id).collect::<Vec<_>>(), [&made.id]);
    assert_eq!(ada.heartbeats().next().await.unwrap().unwrap().tickets.assigned_to_you.len(), 1);
}

#[tokio::test]
async fn a_stranger_who_asks_how_it_speaks_is_not_taken_to_another_service() {
    let platform = Platform::start().await;
    let stranger = platform.builder().build().unwrap();
    assert!(!stranger.honours_idempotency_keys());
    let stranger = stranger.speaking(Dialect::Deployed).detect().await.unwrap();
    assert_eq!((stranger.dialect(), stranger.honours_idempotency_keys()), (Dialect::Documented, true));
    let registered = stranger.register_agent(&NewAgent::new("ada", ["rust"])).await.unwrap();
    assert!(registered.api_key.expose().starts_with("opk_"));
}

#[tokio::test]
async fn a_registration_whose_answer_is_lost_says_that_the_name_is_its_own() {
    let platform = Platform::start().await;
    let stranger = platform.builder().build().unwrap().detect().await.unwrap();
    platform.fail_next(RegisterAgent, Fault::CutAfterCommit);
    let taken = stranger.register_agent(&NewAgent::new("ada", ["rust"])).await.unwrap_err();
    assert!(taken.is(ErrorCode::NameTaken) && taken.attempts() == 2, "{taken}");
    assert_eq!(taken.details().unwrap()["replayed"], true);
}

#[tokio::test]
async fn who_has_only_read_may_ask_for_a_creation_twice() {
    let platform = Platform::start().await;
    let owner = platform.owner("grace").await;
    owner.me().await.unwrap();
    platform.fail_next(OwnerCreateProject, Fault::CutAfterCommit);
    project(&owner).await;
    assert_eq!(platform.calls_of(OwnerCreateProject), 2);
}

#[tokio::test]
async fn what_was_committed_before_the_answer_was_cut_is_not_done_twice() {
    let platform = Platform::start().await;
    let (owner, ada) = (platform.owner("grace").await, platform.agent("ada").await);
    let project = project(&owner).await;
    platform.hire(&owner, &project, &ada, RoleLevel::Lead).await.unwrap();
    platform.fail_next(CreateTicket, Fault::CutAfterCommit);
    let made = ada.create_ticket(&ticket(&project)).await.unwrap();
    assert_eq!(platform.calls_of(CreateTicket), 2);

    // One that has not heard yet that names are honoured does not dare; asked for once more, it gets what was made.
    platform.fail_next(CreateTicket, Fault::CutAfterCommit);
    let shy = ada.with(CallOptions::new().without_retries());
    let doubt = shy.create_ticket(&ticket(&project)).await.unwrap_err();
    assert_eq!(doubt.kind(), ErrorKind::Interrupted);
    let again = ada.with(CallOptions::again(&doubt)).create_ticket(&ticket(&project)).await.unwrap();
    assert_ne!(again.id, made.id);
    let all = ada.tickets(TicketFilter::of(project)).into_vec().await.unwrap();
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn everything_that_can_go_wrong_goes_wrong_once_and_in_turn() {
    let platform = Platform::start().await;
    let key = platform.agent_key("alan").await;
    let alan = platform.builder().key(key).retry(RetryPolicy::never()).build().unwrap();
    for fault in [
        Fault::RateLimited(Duration::from_secs(7)),
        Fault::Refused(StatusCode::BAD_GATEWAY),
        Fault::Garbage,
        Fault::CutAfterCommit,
        Fault::Slow(Duration::from_secs(3600)),
    ] {
        platform.fail_next(GetHeartbeat, fault);
    }
    let limited = alan.heartbeat(None).await.unwrap_err();
    assert_eq!(
        (limited.kind(), limited.retry_after()),
        (ErrorKind::RateLimited, Some(Duration::from_secs(7)))
    );
    let kinds =
        [ErrorKind::ServiceFailed, ErrorKind::Malformed, ErrorKind::Interrupted, ErrorKind::Interrupted];
    let hasty = alan.with(CallOptions::new().attempt_timeout(Duration::from_millis(500)));
    for kind in kinds {
        assert_eq!(hasty.heartbeat(None).await.unwrap_err().kind(), kind);
    }
    alan.heartbeat(None).await.unwrap();
    assert_eq!(platform.calls_of(GetHeartbeat), 6);
}

#[tokio::test]
async fn a_call_that_goes_wrong_is_done_or_not_as_its_fault_says() {
    let platform = Platform::start().await;
    let (owner, key) = (platform.owner("grace").await, platform.agent_key("ada").await);
    let ada = platform.builder().key(key).retry(RetryPolicy::never()).build().unwrap();
    let project = project(&owner).await;
    platform.hire(&owner, &project, &ada, RoleLevel::Lead).await.unwrap();
    let mut there = 0;
    for (fault, is_done) in [
        (Fault::RateLimited(Duration::from_secs(7)), false),
        (Fault::Refused(StatusCode::BAD_GATEWAY), false),
        (Fault::Garbage, true),
        (Fault::CutAfterCommit, true),
        (Fault::Slow(Duration::from_millis(1)), true),
    ] {
        platform.fail_next(CreateTicket, fault.clone());
        let answer = ada.create_ticket(&ticket(&project)).await;
        assert_eq!(answer.is_ok(), matches!(fault, Fault::Slow(_)), "{fault:?}: {answer:?}");
        there += usize::from(is_done);
        let all = ada.tickets(TicketFilter::of(project.clone())).into_vec().await.unwrap();
        assert_eq!(all.len(), there, "{fault:?}");
    }
}
