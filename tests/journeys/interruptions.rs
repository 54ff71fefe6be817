use std::time::Duration;

use openpod_sdk::api::TicketStatus;

use super::happy_path::ANSWERS;
use crate::tap::Tap;
use crate::world::World;

#[tokio::test]
async fn a_daemon_that_is_restarted_in_the_middle_of_a_run_goes_on_where_it_was() {
    let world = World::begin().await;
    let project = world.project().await;
    let flag = world.directory("flags").join("second");
    // The first run says that it has begun, on the ticket itself, and then waits for ever; the second answers.
    let worker = format!(
        "cd \"$OPENPOD_WORKSPACE\"\nif [ -e {0} ]; then echo 42 > answer.txt; exit 0; fi\n\
         touch {0}\necho half > answer.txt\nwhile :; do sleep 1; done\n",
        flag.display()
    );
    let daemon = world.daemon("ada", &worker).await.by_heartbeat_alone();
    world.hire(&project, &daemon.agent).await;
    let id = world.ticket(&project, "Answer the question").await;
    let running = daemon.start().await;
    let begun = async {
        while !flag.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), begun).await.expect("the worker is started");
    running.stop().await;
    assert_eq!(world.owner.get_ticket(&id).await.unwrap().status, TicketStatus::InProgress);

    let running = daemon.start().await;
    let done = world.ticket_when(&id, "the work is handed in", |t| t.status == TicketStatus::InReview).await;
    let branch = done.branch_name.unwrap();
    assert_eq!(world.file_at(&project, &branch, "answer.txt").as_deref(), Some("42\n"));
    assert_eq!(done.deliverables.len(), 1);
    world.end([running]).await;
}

#[tokio::test]
async fn a_daemon_survives_a_heartbeat_that_fails_and_finds_the_work_afterwards() {
    let world = World::begin().await;
    let project = world.project().await;
    let tap = Tap::before(&world.url).await;
    let mut daemon = world.daemon("ada", ANSWERS).await.by_heartbeat_alone();
    daemon.config.server.url = Some(tap.url.clone());
    world.hire(&project, &daemon.agent).await;
    tap.refuse("/heartbeat");
    let running = daemon.start().await;
    tap.refused(3).await;
    let id = world.ticket(&project, "Answer the question").await;
    tap.relent();
    world.ticket_when(&id, "the work is handed in", |t| t.status == TicketStatus::InReview).await;
    world.end([running]).await;
}

#[tokio::test]
async fn a_worker_that_changes_nothing_publishes_nothing_and_the_ticket_is_handed_back() {
    let world = World::begin().await;
    let project = world.project().await;
    let mut daemon = world.daemon("ada", "exit 0\n").await.by_heartbeat_alone();
    daemon.config.policy.tickets.max_attempts = 1;
    world.hire(&project, &daemon.agent).await;
    let id = world.ticket(&project, "Answer the question").await;
    let running = daemon.start().await;
    let ticket = world
        .until("the daemon gives up", async || {
            let ticket = world.owner.get_ticket(&id).await.unwrap();
            let said = ticket.comments.as_ref().is_some_and(|comments| !comments.is_empty());
            (said && ticket.status == TicketStatus::Todo).then_some(ticket)
        })
        .await;
    assert_eq!((ticket.assignee_agent_key_id, ticket.deliverables.len()), (None, 0));
    running.stop().await;
    let (owner, name) = project.repository.split_once('/').unwrap();
    let branches = std::process::Command::new("git")
        .arg("-C")
        .arg(world.forge.repository_path(owner, name))
        .args(["for-each-ref", "--format=%(refname)", "refs/heads"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&branches.stdout).trim(), "refs/heads/main");
    world.end([]).await;
}
