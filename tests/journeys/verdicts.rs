use openpod_sdk::api::tickets::Judgement;
use openpod_sdk::api::{ApprovalStatus, Cents, TicketStatus};

use super::happy_path::ANSWERS;
use crate::world::World;

/// Answers 42; asked again, appends why. Its task is in the file and on the standard input, and both are the same.
pub const LISTENS: &str = r#"
set -e
cd "$OPENPOD_WORKSPACE"
cat > "$OPENPOD_RUN_DIR/stdin.json"
cmp "$OPENPOD_RUN_DIR/stdin.json" "$OPENPOD_TICKET_FILE"
if grep -q 'Please say why' "$OPENPOD_TICKET_FILE"; then
  grep -q 42 answer.txt
  echo 'because it was computed' >> answer.txt
else
  echo 42 > answer.txt
fi
"#;

#[tokio::test]
async fn a_revision_goes_back_into_the_same_branch_and_makes_a_new_commit() {
    let world = World::begin().await;
    let project = world.project().await;
    let daemon = world.daemon("ada", LISTENS).await;
    world.hire(&project, &daemon.agent).await;
    let id = world.ticket(&project, "Answer the question").await;
    let running = daemon.start().await;
    let first = world.ticket_when(&id, "the work is handed in", |t| t.status == TicketStatus::InReview).await;

    world.owner.approve_ticket(&id, Judgement::revise("Please say why.")).await.unwrap();
    let second = world
        .ticket_when(&id, "the revision is handed in", |t| {
            t.status == TicketStatus::InReview && t.deliverables != first.deliverables
        })
        .await;
    assert_eq!(second.branch_name, first.branch_name);
    assert_eq!(second.deliverables[0].url, first.deliverables[0].url);
    assert_ne!(second.deliverables[0].content_hash, first.deliverables[0].content_hash);
    let text = world.file_at(&project, &second.branch_name.unwrap(), "answer.txt").unwrap();
    assert_eq!(text, "42\nbecause it was computed\n");

    let judged = world.owner.approve_ticket(&id, Judgement::approve(Cents(5000))).await.unwrap();
    assert_eq!(judged.ticket.approval_status, ApprovalStatus::Approved);
    world.end([running]).await;
}

#[tokio::test]
async fn after_a_rejection_the_daemon_leaves_the_ticket_and_goes_on_with_others() {
    let world = World::begin().await;
    let project = world.project().await;
    let daemon = world.daemon("ada", ANSWERS).await.by_heartbeat_alone();
    world.hire(&project, &daemon.agent).await;
    let running = daemon.start().await;
    let rejected = world.ticket(&project, "Answer the question").await;
    world.ticket_when(&rejected, "the work is handed in", |t| t.status == TicketStatus::InReview).await;
    world.owner.approve_ticket(&rejected, Judgement::reject("Not what was asked.")).await.unwrap();

    let next = world.ticket(&project, "Answer it again").await;
    world.ticket_when(&next, "other work is handed in", |t| t.status == TicketStatus::InReview).await;
    let left = world.owner.get_ticket(&rejected).await.unwrap();
    assert_eq!((left.status, left.approval_status), (TicketStatus::Done, Some(ApprovalStatus::Rejected)));
    assert_eq!(daemon.agent.balance().await.unwrap().ledger.total_earned_cents, Cents(0));
    world.end([running]).await;
}
