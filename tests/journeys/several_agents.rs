use openpod_agentd::control::AgentReport;
use openpod_sdk::api::tickets::{Judgement, NewTicket};
use openpod_sdk::api::{Cents, TicketId, TicketStatus};
use openpod_sdk::{Client, Secret};

use crate::world::{Project, World};

/// Fails when another one is at work.
fn alone(world: &World) -> String {
    let room = world.directory("signs").join("room");
    format!(
        "mkdir {0} || exit 1\necho 42 > \"$OPENPOD_WORKSPACE/answer.txt\"\nsleep 0.2\nrmdir {0}\n",
        room.display()
    )
}

/// Whether it says that the day is used up: of a ticket that it has begun, or would begin.
fn is_held(agent: &AgentReport) -> bool {
    let troubles = agent.jobs.iter().filter_map(|job| job.trouble.as_ref());
    let reasons = troubles.map(|trouble| &trouble.reason).chain(&agent.held_back);
    reasons.into_iter().any(|reason| reason == "this day's work has used up its 3 runs")
}

/// A ticket for this agent.
async fn assigned(world: &World, project: &Project, agent: &Client, title: &str) -> TicketId {
    let ticket = NewTicket {
        assignee_agent_key_id: Some(agent.me().await.unwrap().agent_key.id),
        ..NewTicket::task(project.id.clone(), title, "The file answer.txt should hold the answer.")
    };
    world.owner.create_ticket(&ticket).await.unwrap().id
}

#[tokio::test]
async fn what_a_day_may_cost_holds_for_all_agents_of_a_daemon_and_over_a_restart() {
    let world = World::begin().await;
    let project = world.project().await;
    let begun = world.directory("signs").join("begun");
    let worker = format!("echo begun >> {}\necho 42 > answer.txt\n", begun.display());
    let (bob, bobs_key) = world.register("bob").await;
    let mut daemon = world.daemon("ada", &worker).await.by_heartbeat_alone();
    world.hire(&project, &daemon.agent).await;
    world.hire(&project, &bob).await;
    let adas_key = daemon.key.clone();
    daemon.works_for([("ada", adas_key), ("bob", bobs_key)]);
    daemon.config.executor.writable.push(world.directory("signs"));
    daemon.config.brakes.day.runs = Some(3);
    let mut tickets = Vec::new();
    for n in 0..2 {
        tickets.push(assigned(&world, &project, &daemon.agent, &format!("Hers {n}")).await);
        tickets.push(assigned(&world, &project, &bob, &format!("His {n}")).await);
    }
    let handed_in = async || {
        let mut count = 0;
        for id in &tickets {
            let ticket = world.owner.get_ticket(id).await.unwrap();
            count += usize::from(ticket.status == TicketStatus::InReview);
        }
        count
    };
    let running = daemon.start().await;
    world.until("three are handed in", async || (handed_in().await == 3).then_some(())).await;
    world.until_said(&daemon, |agent| is_held(agent).then_some(())).await;
    running.stop().await;

    let running = daemon.start().await;
    world.until_said(&daemon, |agent| (is_held(agent) && agent.seen_at.is_some()).then_some(())).await;
    running.stop().await;
    let runs = || std::fs::read_to_string(&begun).unwrap().lines().count();
    assert_eq!((runs(), handed_in().await), (3, 3), "three runs of both, and no more");

    daemon.config.brakes.day.runs = Some(4);
    let running = daemon.start().await;
    world.until("the fourth is handed in", async || (handed_in().await == 4).then_some(())).await;
    assert_eq!(runs(), 4);
    world.end([running]).await;
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
        tickets.push(assigned(&world, &project, agent, &format!("Answer question {n}")).await);
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
