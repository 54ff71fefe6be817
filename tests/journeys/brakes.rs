use std::os::unix::fs::PermissionsExt;

use openpod_agentd::job::brakes::Breaker;
use openpod_agentd::journal;
use openpod_sdk::api::TicketStatus;

use crate::world::{World, ends};

#[tokio::test]
async fn a_worker_s_program_that_is_missing_stops_the_daemon_until_one_run_has_shown_that_it_is_back() {
    let world = World::begin().await;
    let project = world.project().await;
    let mut daemon = world.daemon("ada", "").await.by_heartbeat_alone();
    let worker = world.directory("ada").join("worker");
    daemon.config.executor.command = vec![worker.display().to_string()];
    daemon.config.policy.tickets.max_concurrent = 2;
    daemon.config.brakes.breaker_failures = 2;
    daemon.config.brakes.breaker_seconds = 1;
    world.hire(&project, &daemon.agent).await;
    let mut tickets = Vec::new();
    for title in ["Answer the question", "Answer it again", "And once more"] {
        tickets.push(world.ticket(&project, title).await);
    }
    let running = daemon.start().await;
    let file = daemon.data_dir().join("journal.db");
    let opened = async {
        while !journal::read(&file)
            .is_ok_and(|replay| matches!(replay.brakes.breaker(), Breaker::Open { .. }))
        {
            tokio::task::yield_now().await;
        }
    };
    ends("the breaker opens", opened).await;
    let mut held = 0;
    for id in &tickets {
        held += usize::from(world.owner.get_ticket(id).await.unwrap().status == TicketStatus::InProgress);
    }
    assert_eq!(held, 2, "the third is not even claimed");

    let new = world.directory("ada").join("worker.new");
    std::fs::write(&new, "#!/bin/sh\necho 42 > answer.txt\n").unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&new, &worker).unwrap();
    for id in &tickets {
        let ticket =
            world.ticket_when(id, "the work is handed in", |t| t.status == TicketStatus::InReview).await;
        let said: Vec<String> =
            ticket.comments.unwrap_or_default().into_iter().map(|comment| comment.content).collect();
        assert!(said.iter().all(|text| !text.contains("hand this ticket back")), "{said:?}");
    }
    let closed = journal::read(&file).unwrap();
    assert!(matches!(closed.brakes.breaker(), Breaker::Closed { .. }), "{:?}", closed.brakes);
    assert!(closed.jobs.values().all(|job| job.spent.runs == 1 && job.attempts == 1));
    world.end([running]).await;
}
