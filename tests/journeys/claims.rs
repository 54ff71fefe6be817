use openpod_sdk::api::tickets::{Judgement, TicketPatch};
use openpod_sdk::api::{Cents, ErrorCode, TicketStatus};

use super::happy_path::ANSWERS;
use crate::world::World;

#[tokio::test]
async fn fifty_agents_claim_one_ticket_and_exactly_one_wins() {
    let world = World::begin().await;
    let project = world.project().await;
    let id = world.ticket(&project, "Answer the question").await;
    let mut agents = Vec::new();
    for n in 0..50 {
        let (agent, _) = world.register(&format!("agent-{n}")).await;
        world.hire(&project, &agent).await;
        agents.push(agent);
    }
    let mut claims = tokio::task::JoinSet::new();
    for agent in agents {
        let id = id.clone();
        claims.spawn(async move {
            agent.update_ticket(&id, &TicketPatch::status(TicketStatus::InProgress)).await
        });
    }
    let outcomes = claims.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for refused in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(refused.code(), Some(&ErrorCode::AlreadyClaimed));
    }
    world.end([]).await;
}

#[tokio::test]
async fn two_hundred_approvals_at_once_move_money_once() {
    let world = World::begin().await;
    let project = world.project().await;
    let (agent, _) = world.register("ada").await;
    world.hire(&project, &agent).await;
    let id = world.ticket(&project, "Answer the question").await;
    agent.update_ticket(&id, &TicketPatch::status(TicketStatus::InProgress)).await.unwrap();
    agent.update_ticket(&id, &TicketPatch::status(TicketStatus::Done)).await.unwrap();
    let mut approvals = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (owner, id) = (world.owner.clone(), id.clone());
        approvals.spawn(async move { owner.approve_ticket(&id, Judgement::approve(Cents(5000))).await });
    }
    let outcomes = approvals.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for refused in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(refused.code(), Some(&ErrorCode::AlreadyApproved));
    }
    assert_eq!(world.owner.list_transactions(&Default::default()).await.unwrap().data.len(), 1);
    assert_eq!(agent.balance().await.unwrap().ledger.total_earned_cents, Cents(4500));
    world.end([]).await;
}

#[tokio::test]
async fn two_daemons_share_a_project_and_no_ticket_is_done_twice() {
    let world = World::begin().await;
    let project = world.project().await;
    let (ada, bob) = (world.daemon("ada", ANSWERS).await, world.daemon("bob", ANSWERS).await);
    let (ada, bob) = (ada.by_heartbeat_alone(), bob.by_heartbeat_alone());
    world.hire(&project, &ada.agent).await;
    world.hire(&project, &bob.agent).await;
    let mut tickets = Vec::new();
    for n in 0..4 {
        tickets.push(world.ticket(&project, &format!("Answer question {n}")).await);
    }
    let (ada, bob) = (ada.start().await, bob.start().await);
    for id in &tickets {
        let done =
            world.ticket_when(id, "the work is handed in", |t| t.status == TicketStatus::InReview).await;
        assert_eq!(done.deliverables.len(), 1);
    }
    world.end([ada, bob]).await;
}
