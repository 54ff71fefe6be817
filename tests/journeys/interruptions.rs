use std::path::PathBuf;

use openpod_sdk::api::TicketStatus;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::{self, Receiver};

use super::happy_path::ANSWERS;
use crate::tap::Tap;
use crate::world::{World, ends};

/// Where the worker and the test leave signs for each other.
struct Signs {
    directory: PathBuf,
    /// What the worker writes to when it has left one.
    news: Receiver,
}

impl Signs {
    fn of(world: &World) -> Signs {
        let directory = world.directory("signs");
        let pipe = directory.join("news");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let news = pipe::OpenOptions::new().read_write(true).open_receiver(pipe).unwrap();
        Signs { directory, news }
    }

    /// A worker that says that it has begun, each time, then waits for a sign and answers.
    fn patient(&self) -> String {
        format!(
            "cd \"$OPENPOD_WORKSPACE\"\necho half > answer.txt\necho begun >> {0}/begun\necho > {0}/news\n\
             while [ ! -e {0}/go ]; do sleep 0.1; done\necho 42 > answer.txt\n",
            self.directory.display()
        )
    }

    fn begun(&self) -> usize {
        std::fs::read_to_string(self.directory.join("begun")).unwrap_or_default().lines().count()
    }

    async fn until_begun(&mut self, times: usize) {
        let waiting = async {
            while self.begun() < times {
                assert!(self.news.read(&mut [0; 64]).await.unwrap() > 0, "the pipe stays open");
            }
        };
        ends("the worker is started", waiting).await;
        assert_eq!(self.begun(), times, "and not more often");
    }

    fn go_on(&self) {
        std::fs::write(self.directory.join("go"), "").unwrap();
    }
}

/// Stops a daemon in the middle of a run and starts it again; the worker goes on when it is told to. It is
/// to be started so many times.
async fn restarted(on_stop: &str, runs: usize) {
    let world = World::begin().await;
    let project = world.project().await;
    let mut signs = Signs::of(&world);
    let mut daemon = world.daemon("ada", &signs.patient()).await.by_heartbeat_alone();
    daemon.config.executor.writable.push(signs.directory.clone());
    daemon.config.executor.on_stop = on_stop.to_owned();
    world.hire(&project, &daemon.agent).await;
    let id = world.ticket(&project, "Answer the question").await;
    let running = daemon.start().await;
    signs.until_begun(1).await;
    running.stop().await;
    assert_eq!(world.owner.get_ticket(&id).await.unwrap().status, TicketStatus::InProgress);
    assert_eq!(world.processes().is_empty(), on_stop == "kill");

    let running = daemon.start().await;
    signs.until_begun(runs).await;
    signs.go_on();
    let done = world.ticket_when(&id, "the work is handed in", |t| t.status == TicketStatus::InReview).await;
    assert_eq!(signs.begun(), runs);
    let branch = done.branch_name.unwrap();
    assert_eq!(world.file_at(&project, &branch, "answer.txt").as_deref(), Some("42\n"));
    assert_eq!(done.deliverables.len(), 1);
    world.end([running]).await;
}

#[tokio::test]
async fn a_run_goes_on_while_the_daemon_is_restarted_and_is_not_started_again() {
    restarted("leave", 1).await;
}

#[tokio::test]
async fn a_daemon_that_ends_its_runs_begins_them_again_where_they_were() {
    restarted("kill", 2).await;
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
