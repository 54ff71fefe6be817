use openpod_sdk::Secret;
use openpod_sdk::api::tickets::{Judgement, NewTicket};
use openpod_sdk::api::{Cents, TicketStatus};

use crate::world::World;

/// Fails when another one is at work.
fn alone(world: &World) -> String {
    let room = world.directory("signs").join("room");
    format!(
        "mkdir {0} || exit 1\necho 42 > \"$OPENPOD_WORKSPACE/answer.txt\"\nsleep 0.2\nrmdir {0}\n",
        room.display()
    )
}

#[tokio::test]
async fn one_daemon_works_for_two_agents_in_turn_while_the_key_of_a_third_is_wrong() {
    let world = World::begin().await;
    let project = world.project().await;
    let worker = alone(&world);
    let (bob, bobs_key) = world.register("bob").await;
    let mut daemon = world.daemon("ada", &worker).await.by_heartbeat_alone();
    world.hire(&project, &daemon.agent).await;
    world.hire(&project, &bob).await;
    let adas_key = daemon.key.clone();
    daemon.works_for([("ada", adas_key), ("bob", bobs_key), ("cyd", Secret::new("opk_nobodys"))]);
    daemon.config.max_runs = Some(1);
    daemon.config.policy.tickets.max_concurrent = 3;
    daemon.config.policy.tickets.max_attempts = 1;
    daemon.config.executor.writable.push(world.directory("signs"));
    let mut tickets = Vec::new();
    for n in 0..4 {
        let agent = if n < 2 { &daemon.agent } else { &bob };
        let ticket = NewTicket {
            assignee_agent_key_id: Some(agent.me().await.unwrap().agent_key.id),
            ..NewTicket::task(
                project.id.clone(),
                format!("Answer question {n}"),
                "The file answer.txt should hold the answer.",
            )
        };
        tickets.push(world.owner.create_ticket(&ticket).await.unwrap().id);
    }
    let running = daemon.start().await;
    for id in &tickets {
        let done =
            world.ticket_when(id, "the work is handed in", |t| t.status == TicketStatus::InReview).await;
        assert_eq!(done.deliverables.len(), 1);
        world.owner.approve_ticket(id, Judgement::approve(Cents(1000))).await.unwrap();
    }
    let mut earned = Vec::new();
    for agent in [&daemon.agent, &bob] {
        earned.push(agent.balance().await.unwrap().ledger.total_earned_cents);
    }
    assert_eq!(earned, [Cents(1800), Cents(1800)], "each did its own, and nobody was in the other's way");
    world.end([running]).await;
}
