//! Workers and repositories that mean harm. A daemon takes their tickets one after another on its whole way, from mirror
//! to forge, and nothing of theirs runs in its name, nobody but the forge is called, and honest work beside the harm is
//! delivered, or refused with a reason.
//!
//! A trap is worth nothing as a proof unless it works. So after the daemon has been through, each is sprung as a
//! careless daemon would do it, and must go off.

mod attack;
mod ground;
mod repositories;
mod workers;

use openpod_agentd::executor::Sandbox;
use openpod_sdk::api::tickets::Ticket;
use openpod_sdk::api::{TicketId, TicketStatus};

use crate::world::{DaemonSetup, Project, World};
use attack::{Attack, Must};
use ground::Ground;

/// Honest work first, then what the ticket's title says.
const WORKER: &str = r#"
name=$(sed -n 's/.*"title": "\([^"]*\)".*/\1/p' "$OPENPOD_TICKET_FILE" | head -n 1)
cd "$OPENPOD_WORKSPACE"
LOOT=$OPENPOD_WORKSPACE/loot.txt
CANARY=$GROUND/canaries/$name
echo 42 > answer.txt
echo 'The answer is in its file.' > "$OPENPOD_SUMMARY_FILE"
. "$GROUND/attacks/$name"
[ ! -e "$LOOT" ] || [ -s "$LOOT" ] || rm "$LOOT"
exit 0
"#;

/// How the seconds begin that processes of this world sleep: those of other worlds live as long as they like.
fn long_sleep(world: &World) -> String {
    let port = world.url.rsplit(':').next().unwrap_or_default();
    format!("86399.{}{port:0>5}", std::process::id())
}

/// The worker with what it is to know about the place.
fn worker(world: &World, ground: &Ground) -> String {
    let data = world.directory("ada").join("data");
    let known = [
        ("LONG", long_sleep(world)),
        ("GROUND", ground.directory.display().to_string()),
        ("RECORD", ground.record.display().to_string()),
        ("DATA", data.display().to_string()),
        ("EVIL", ground.evil.clone()),
        ("HOST", world.url.trim_start_matches("http://").to_owned()),
        ("HELPER", env!("CARGO_BIN_EXE_openpod-tests-agentd").to_owned()),
        ("DAEMON", std::process::id().to_string()),
    ];
    let known: String = known.iter().map(|(name, value)| format!("{name}='{value}'\n")).collect();
    format!("{known}{WORKER}")
}

async fn daemon(world: &World, ground: &Ground) -> DaemonSetup {
    let mut daemon = world.daemon("ada", &worker(world, ground)).await.by_heartbeat_alone();
    std::fs::create_dir_all(daemon.data_dir()).unwrap();
    std::fs::write(daemon.data_dir().join("agent.key"), daemon.key.expose()).unwrap();
    daemon.config.server.key = None;
    daemon.config.policy.tickets.max_concurrent = 4;
    daemon.config.policy.tickets.max_attempts = 1;
    daemon.config.executor.open_files = 512;
    daemon.config.executor.output_bytes = 1 << 20;
    daemon.config.executor.disk_bytes = 64 << 20;
    // Giants with holes are to be refused when they are collected.
    daemon.config.executor.file_bytes = 0;
    daemon.config.executor.readable =
        vec![ground.directory.clone(), env!("CARGO_BIN_EXE_openpod-tests-agentd").into()];
    daemon
}

/// The ticket when the daemon is done with it: handed in, or handed back with a reason.
async fn done(world: &World, id: &TicketId, name: &str) -> Ticket {
    let over = |ticket: &Ticket| {
        let said = ticket.comments.as_ref().is_some_and(|comments| !comments.is_empty());
        said && matches!(ticket.status, TicketStatus::InReview | TicketStatus::Todo)
    };
    world.ticket_when(id, name, over).await
}

/// What differs from what must hold; nothing if all is well.
fn judged(world: &World, project: &Project, attack: &Attack, ticket: &Ticket) -> Option<String> {
    let said: String = ticket.comments.iter().flatten().map(|comment| comment.content.as_str()).collect();
    let expected = match attack.must {
        Must::Refuse(reason) if ticket.status == TicketStatus::Todo && said.contains(reason) => return None,
        Must::Refuse(reason) => {
            return Some(format!("it was to be refused with {reason:?}, and was {}: {said}", ticket.status));
        }
        Must::Deliver(_) if ticket.status == TicketStatus::Todo => {
            return Some(format!("it was refused: {said}"));
        }
        Must::Deliver(more) => more,
    };
    let branch = ticket.branch_name.as_deref().unwrap_or_default();
    let paths = world.git(project, &["diff", "--name-only", "main", branch]);
    let mut expected: Vec<&str> = expected.iter().copied().chain(["answer.txt"]).collect();
    expected.sort_unstable();
    let mut found: Vec<&str> = paths.lines().collect();
    found.sort_unstable();
    if found != expected {
        let loot = world.file_at(project, branch, "loot.txt").unwrap_or_default();
        return Some(format!("{expected:?} was to be delivered, and {found:?} was. {loot}"));
    }
    let answer = world.file_at(project, branch, "answer.txt");
    (answer.as_deref() != Some("42\n")).then(|| format!("the answer is {answer:?}"))
}

/// Processes whose command line holds this.
fn running(word: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(word)).collect()
}

/// Who attacks.
#[derive(Clone, Copy, PartialEq)]
enum By {
    /// The worker, in an honest repository.
    Worker,
    /// The repository, against an honest worker.
    Repository,
}

/// Runs every attack of a table by a ticket of its own, and judges each.
async fn withstood(by: By, attacks: &[Attack]) {
    let world = World::begin().await;
    let ground = Ground::prepare(world.directory("ground"), world.directory("outside").join("record"));
    let daemon = daemon(&world, &ground).await;
    let mut tickets = Vec::new();
    let mut shared = None;
    for attack in attacks {
        ground.lay(attack, by == By::Worker);
        let project = match (by, shared.take()) {
            (By::Worker, Some(project)) => project,
            (By::Worker, None) => hired(&world, &daemon, "answers").await,
            (By::Repository, _) => hired(&world, &daemon, attack.name).await,
        };
        if by == By::Repository {
            ground.prepare_repository(attack, &world.repository(&project), repositories::PRELUDE);
        }
        tickets.push((attack, project.clone(), world.ticket(&project, attack.name).await));
        shared = Some(project);
    }
    let at_work = daemon.start().await;
    let mut harm = Vec::new();
    for (attack, project, id) in &tickets {
        let ticket = done(&world, id, attack.name).await;
        harm.extend(judged(&world, project, attack, &ticket).map(|what| format!("{}: {what}", attack.name)));
    }
    at_work.stop().await;
    harm.extend(ground.alarms());
    harm.extend(
        running(&format!("sleep {}", long_sleep(&world))).into_iter().map(|line| format!("{line} lives on")),
    );
    for (attack, _, id) in &tickets {
        let Some(command) = attack.sprung_by else { continue };
        let workspace = daemon.data_dir().join("jobs").join(id.as_str()).join("workspace");
        let sprung = ground.spring(attack, command, &workspace).await;
        if !sprung.went_off {
            harm.push(format!(
                "{}: the trap is none, `{command}` did not spring it: {}",
                attack.name, sprung.said
            ));
        }
    }
    assert!(harm.is_empty(), "{}", harm.join("\n"));
    world.end([]).await;
}

async fn hired(world: &World, daemon: &DaemonSetup, repository: &str) -> Project {
    let project = world.project_with(repository).await;
    world.hire(&project, &daemon.agent).await;
    project
}

#[tokio::test]
async fn programs_of_the_worker_s_configuration_are_not_run() {
    withstood(By::Worker, workers::PROGRAMS).await;
}

#[tokio::test]
async fn addresses_of_the_worker_s_configuration_are_not_called() {
    withstood(By::Worker, workers::ADDRESSES).await;
}

#[tokio::test]
async fn whatever_became_of_the_worker_s_repository_its_files_count() {
    withstood(By::Worker, workers::REPOSITORIES).await;
}

#[tokio::test]
async fn files_that_do_harm_elsewhere_are_refused() {
    withstood(By::Worker, workers::FILES).await;
}

#[tokio::test]
async fn a_worker_keeps_to_its_place_and_its_time() {
    if Sandbox::is_available() {
        withstood(By::Worker, workers::MACHINE).await;
    } else {
        eprintln!("skipped: this kernel has no Landlock");
    }
}

#[tokio::test]
async fn trees_that_no_git_should_check_out_are_refused() {
    withstood(By::Repository, repositories::TREES).await;
}

#[tokio::test]
async fn in_an_odd_repository_one_can_work() {
    withstood(By::Repository, repositories::ODD).await;
}

#[tokio::test]
async fn a_link_in_the_tree_leads_no_honest_hand_astray() {
    if Sandbox::is_available() {
        withstood(By::Repository, repositories::LINKS).await;
    } else {
        eprintln!("skipped: this kernel has no Landlock");
    }
}
