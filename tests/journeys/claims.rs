use openpod_agentd::control::{Request, ask};
use openpod_sdk::api::tickets::{Judgement, TicketPatch};
use openpod_sdk::api::{Cents, ErrorCode, TicketStatus};

use super::happy_path::ANSWERS;
use crate::world::World;

#[tokio::test]
async fn a_daemon_that_is_drained_begins_nothing_that_comes_meanwhile() {
    let world = World::begin().await;
    let project = world.project().await;
    let gate = world.directory("signs").join("gate");
    let worker = format!("while [ ! -e {} ]; do sleep 0.05; done\necho 42 > answer.txt\n", gate.display());
    let mut daemon = world.daemon("ada", &worker).await.by_heartbeat_alone();
    daemon.config.executor.readable.push(world.directory("signs"));
    daemon.config.policy.tickets.max_concurrent = 2;
    world.hire(&project, &daemon.agent).await;
    let first = world.ticket(&project, "Answer the question").await;
    let running = daemon.start().await;
    world.until_said(&daemon, |agent| agent.jobs.iter().any(|job| job.run.is_some()).then_some(())).await;

    let directory = daemon.data_dir();
    let drained = tokio::task::spawn_blocking(move || {
        ask(&directory, Request::Drain { wait: false }).unwrap().all(|answer| answer.is_ok())
    });
    assert!(drained.await.unwrap());
    let me = daemon.agent.me().await.unwrap().agent_key.id;
    let second = world.ticket(&project, "Answer it again").await;
    let ours = TicketPatch { assignee_agent_key_id: me.into(), ..TicketPatch::default() };
    world.owner.update_ticket(&second, &ours).await.unwrap();
    for _ in 0..3 {
        let seen = world.until_said(&daemon, |agent| agent.seen_at).await;
        world.until_said(&daemon, |agent| (agent.seen_at > Some(seen)).then_some(())).await;
    }
    std::fs::write(gate, "").unwrap();
    world.ticket_when(&first, "handed in", |ticket| ticket.status == TicketStatus::InReview).await;
    running.stop().await;
    assert_eq!(world.owner.get_ticket(&second).await.unwrap().status, TicketStatus::Todo);
    world.end([]).await;
}

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
