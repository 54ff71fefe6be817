use openpod_sdk::api::tickets::{Judgement, TicketPatch};
use openpod_sdk::api::{ApprovalStatus, Cents, TicketId, TicketStatus};

use crate::world::{Project, World};

/// Writes down what it was told: which round it is, how often it has reported, what the reviewer said last, and in which
/// rounds it had a hand before.
const REMEMBERS: &str = r#"
set -e
cd "$OPENPOD_WORKSPACE"
round=$(sed -n 's/^  "round": \([0-9]*\),/\1/p' "$OPENPOD_TICKET_FILE")
{
  echo "round $round"
  echo "reports $(grep -c '"report": {' "$OPENPOD_TICKET_FILE" || true)"
  awk '/^  "review": [{]/ { review = 1 } review && /"text"/ { print; exit }' "$OPENPOD_TICKET_FILE"
  [ -z "$OPENPOD_TRANSCRIPT_FILE" ] || grep '^I was' "$OPENPOD_TRANSCRIPT_FILE"
} > answer.txt
echo "I was in round $round"
"#;

/// What the branch holds when the work of a round is handed in and reported.
async fn handed_in(world: &World, project: &Project, id: &TicketId, round: usize) -> Vec<String> {
    let what = format!("round {round} is handed in");
    world
        .until(&what, async || {
            let ticket = world.owner.get_ticket(id).await.unwrap();
            let comments = ticket.comments.unwrap_or_default();
            let reports = comments.iter().filter(|comment| comment.content.contains("Pull request")).count();
            let branch = ticket.branch_name.filter(|_| ticket.status == TicketStatus::InReview)?;
            let text = world.file_at(project, &branch, "answer.txt")?;
            let lines = text.lines().map(|line| line.trim().trim_end_matches(',').to_owned());
            (reports == round).then(|| lines.collect())
        })
        .await
}

#[tokio::test]
async fn three_rounds_are_one_conversation_and_a_refused_ticket_goes_on_where_it_was_when_it_is_reopened() {
    let world = World::begin().await;
    let project = world.project().await;
    let daemon = world.daemon("ada", REMEMBERS).await.by_heartbeat_alone();
    world.hire(&project, &daemon.agent).await;
    let id = world.ticket(&project, "Answer the question").await;
    let running = daemon.start().await;

    assert_eq!(handed_in(&world, &project, &id, 1).await, ["round 1", "reports 0"]);
    world.owner.approve_ticket(&id, Judgement::revise("Please say why.")).await.unwrap();
    assert_eq!(
        handed_in(&world, &project, &id, 2).await,
        ["round 2", "reports 1", r#""text": "Please say why.""#, "I was in round 1"]
    );
    world.owner.approve_ticket(&id, Judgement::revise("Shorter.")).await.unwrap();
    assert_eq!(
        handed_in(&world, &project, &id, 3).await,
        ["round 3", "reports 2", r#""text": "Shorter.""#, "I was in round 1", "I was in round 2"]
    );

    world.owner.approve_ticket(&id, Judgement::reject("Not what was asked.")).await.unwrap();
    // Other work shows that the daemon goes on.
    let other = world.ticket(&project, "Answer it again").await;
    handed_in(&world, &project, &other, 1).await;
    world.owner.update_ticket(&id, &TicketPatch::status(TicketStatus::InProgress)).await.unwrap();
    let fourth = handed_in(&world, &project, &id, 4).await;
    assert_eq!(fourth[..3], ["round 4", "reports 3", r#""text": "Not what was asked.""#]);
    let judged = world.owner.approve_ticket(&id, Judgement::approve(Cents(5000))).await.unwrap();
    assert_eq!(judged.ticket.approval_status, ApprovalStatus::Approved);
    world.end([running]).await;
}
