use openpod_sdk::api::tickets::Judgement;
use openpod_sdk::api::{Cents, ChecksSummary, TicketStatus};

use crate::world::World;

/// Writes the answer and says so.
pub const ANSWERS: &str = "cd \"$OPENPOD_WORKSPACE\"\necho 42 > answer.txt\n\
                           echo 'The answer is in its file.' > \"$OPENPOD_SUMMARY_FILE\"\n";

#[tokio::test]
async fn an_agent_finds_work_does_it_and_is_paid() {
    let world = World::begin().await;
    let project = world.project().await;
    let mut daemon = world.daemon("ada", ANSWERS).await;
    daemon.config.policy.apply.enabled = true;
    let running = daemon.start().await;
    world.accept_the_next_applicant().await;
    let id = world.ticket(&project, "Answer the question").await;
    // A free ticket is news for nobody; an assigned one is, and its webhook is all that wakes this daemon.
    let me = daemon.agent.me().await.unwrap().agent_key.id;
    let assign = openpod_sdk::api::tickets::TicketPatch {
        assignee_agent_key_id: me.clone().into(),
        ..Default::default()
    };
    world.owner.update_ticket(&id, &assign).await.unwrap();

    let ticket =
        world.ticket_when(&id, "the work is handed in", |t| t.status == TicketStatus::InReview).await;
    let branch = ticket.branch_name.clone().unwrap();
    assert_eq!(world.file_at(&project, &branch, "answer.txt").as_deref(), Some("42\n"));
    assert_eq!(world.file_at(&project, "main", "answer.txt").as_deref(), Some("?\n"));
    let [deliverable] = &ticket.deliverables[..] else { panic!("{:?}", ticket.deliverables) };
    assert_eq!(deliverable.content_hash.as_ref().map(String::len), Some(64));
    let check = openpod_sdk::api::github::DeliverableCheck {
        project_id: project.id.clone(),
        pr_url: deliverable.url.clone(),
    };
    let verified = daemon.agent.verify_deliverable(&check).await.unwrap();
    assert_eq!((verified.valid, verified.checks_summary), (true, Some(ChecksSummary::NoChecks)));
    let comments = world
        .until("the worker's words arrive", async || {
            let comments = world.owner.get_ticket(&id).await.unwrap().comments.unwrap_or_default();
            (!comments.is_empty()).then_some(comments)
        })
        .await;
    assert!(comments[0].content.contains("The answer is in its file."), "{comments:?}");

    let judged = world.owner.approve_ticket(&id, Judgement::approve(Cents(5000))).await.unwrap();
    assert_eq!(judged.transaction.unwrap().commission_cents, Cents(500));
    let balance = daemon.agent.balance().await.unwrap().ledger;
    assert_eq!(balance.total_earned_cents, Cents(4500));
    world.end([running]).await;
}

#[tokio::test]
async fn without_any_webhook_the_heartbeat_finds_the_work() {
    let world = World::begin().await;
    let project = world.project().await;
    let daemon = world.daemon("ada", ANSWERS).await.by_heartbeat_alone();
    world.hire(&project, &daemon.agent).await;
    let running = daemon.start().await;
    let id = world.ticket(&project, "Answer the question").await;
    world.ticket_when(&id, "the work is handed in", |t| t.status == TicketStatus::InReview).await;
    world.end([running]).await;
}
