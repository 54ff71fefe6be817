//! The daemon stops, is told to, or is killed, while a worker runs: what becomes of the run, and what the next start does.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::program::{Program, Setting};
use super::support::{eventually, lives, process_in};
use super::working_a_ticket::{GREETER, Home};

/// Says that it has begun, waits for a sign, then greets.
pub(crate) fn waiting(home: &Home) -> String {
    format!(
        "echo at work; echo kept > half.txt; echo $$ >> {}; while [ ! -e {} ]; do sleep 0.05; done; {GREETER}",
        home.sign("begun").display(),
        home.sign("gate").display()
    )
}

/// The processes that said they have begun.
pub(crate) fn begun(home: &Home) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(home.sign("begun")).unwrap_or_default();
    text.lines().map(|id| PathBuf::from(format!("/proc/{id}"))).collect()
}

pub(crate) async fn until_begun(home: &Home, times: usize) -> PathBuf {
    eventually("the worker runs", || begun(home).get(times - 1).cloned()).await
}

/// Delivered, with one claim, one pull request and one delivery.
fn assert_delivered_once(home: &Home, greeting: &str) {
    let world = home.platform.world();
    let branch = world.ticket["branch_name"].as_str().unwrap();
    assert_eq!(world.file_on(branch, "half.txt"), "kept\n", "the same workspace");
    assert_eq!(world.file_on(branch, "greeting.txt"), greeting);
    assert_eq!((world.pulls.len(), world.count("PATCH /tickets/t1")), (1, 2), "one claim, one delivery");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_while_its_daemon_is_away_and_is_taken_up_again() {
    let home = Home::new().await;
    let running = home.start(home.config(&waiting(&home)));
    let worker = until_begun(&home, 1).await;
    running.stop().await;
    assert!(lives(&worker), "the run is left to its shim");
    let running = home.start(home.config(&waiting(&home)));
    home.platform.until("the daemon is back", |world| world.count("GET /heartbeat") > 2).await;
    std::fs::write(home.sign("gate"), "").unwrap();
    home.until_delivered().await;
    running.stop().await;
    assert_delivered_once(&home, "attempt 1\n");
    assert_eq!(begun(&home).len(), 1, "it was started once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ended_while_the_daemon_was_away_is_taken_up_with_its_result() {
    let home = Home::new().await;
    let running = home.start(home.config(&waiting(&home)));
    let worker = until_begun(&home, 1).await;
    running.stop().await;
    std::fs::write(home.sign("gate"), "").unwrap();
    eventually("it has ended", || (!lives(&worker)).then_some(())).await;
    let running = home.start(home.config(&waiting(&home)));
    home.until_delivered().await;
    running.stop().await;
    assert_delivered_once(&home, "attempt 1\n");
    assert_eq!(begun(&home).len(), 1, "it was started once");
    let said = home.platform.world().ticket["comments"][0]["content"].as_str().unwrap().to_owned();
    assert!(said.starts_with("I wrote a greeting."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_stopped_with_the_daemon_when_that_is_wanted_and_begun_again_in_the_same_workspace() {
    let home = Home::new().await;
    let mut raw = home.config(&waiting(&home));
    raw.executor.on_stop = "kill".into();
    let running = home.start(raw.clone());
    let worker = until_begun(&home, 1).await;
    running.stop().await;
    assert!(!lives(&worker));
    std::fs::write(home.sign("gate"), "").unwrap();
    let running = home.start(raw);
    home.until_delivered().await;
    running.stop().await;
    // A stop of the daemon is no attempt of the worker's.
    assert_delivered_once(&home, "attempt 1\n");
    assert_eq!(begun(&home).len(), 2);
}

/// Starts the program itself with this worker.
pub(crate) fn program(home: &Home, worker: &str, more: &str) -> Program {
    program_with(home, worker, more, |_| {})
}

pub(crate) fn program_with(
    home: &Home,
    worker: &str,
    more: &str,
    prepare: impl FnOnce(&mut tokio::process::Command),
) -> Program {
    let mut command = command(Path::new(env!("CARGO_BIN_EXE_openpod-agentd")), home, worker, more);
    prepare(&mut command);
    Program::start(&mut command)
}

fn command(program: &Path, home: &Home, worker: &str, more: &str) -> tokio::process::Command {
    let directory = home.path("");
    Setting { directory: &directory, platform: &home.platform.address, worker, more }.command(program)
}

pub(crate) fn kill(signal: &str, process: &str) {
    assert!(std::process::Command::new("kill").args([signal, process]).status().unwrap().success());
}

pub(crate) fn terminate(daemon: &Program) {
    kill("-TERM", &daemon.id().to_string());
}

/// The shim of the only run: the parent of the worker.
pub(crate) fn shim_of(worker: &Path) -> String {
    let status = std::fs::read_to_string(worker.join("status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("PPid:\t")).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signal_finishes_and_leaves_no_process_behind_when_that_is_wanted() {
    let home = Home::new().await;
    let mut daemon = program(&home, &waiting(&home), "on_stop = \"kill\"");
    let worker = until_begun(&home, 1).await;
    terminate(&daemon);
    assert!(daemon.ended().await.success());
    assert!(!lives(&worker));
    let log = daemon.log();
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    assert!(log.contains("SIGTERM: finishing") && !log.contains("opk_secret_of_the_agent"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signal_leaves_a_run_to_its_shim_without_waiting_for_it() {
    let home = Home::new().await;
    let mut daemon = program(&home, &waiting(&home), "");
    let worker = until_begun(&home, 1).await;
    terminate(&daemon);
    assert!(daemon.ended().await.success());
    assert!(lives(&worker));
    assert!(!daemon.log().contains("did not end in time"), "{}", daemon.log());
    std::fs::write(home.sign("gate"), "").unwrap();
    eventually("the worker has ended", || (!lives(&worker)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_signal_stops_at_once_even_a_worker_that_does_not_listen() {
    let home = Home::new().await;
    let stubborn = format!("trap '' TERM; {}", waiting(&home));
    let mut daemon = program(&home, &stubborn, "on_stop = \"kill\"");
    let worker = until_begun(&home, 1).await;
    terminate(&daemon);
    daemon.until_said("SIGTERM: finishing").await;
    terminate(&daemon);
    assert_eq!(daemon.ended().await.code(), Some(130));
    eventually("the worker is gone", || (!lives(&worker)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_finds_its_run_again_and_starts_nothing_beside_it() {
    let home = Home::new().await;
    let mut daemon = program(&home, &waiting(&home), "");
    let worker = until_begun(&home, 1).await;
    daemon.kill().await;
    assert!(lives(&worker));
    let looked = home.platform.world().count("GET /heartbeat");
    let mut daemon = program(&home, &waiting(&home), "");
    home.platform.until("it is back", |world| world.count("GET /heartbeat") > looked + 2).await;
    assert!(lives(&worker));
    std::fs::write(home.sign("gate"), "").unwrap();
    home.until_delivered().await;
    terminate(&daemon);
    assert!(daemon.ended().await.success());
    assert_delivered_once(&home, "attempt 1\n");
    assert_eq!(begun(&home).len(), 1, "it was started once");
    assert_eq!(asked(&home, "logs"), "at work\n");
    let why = asked(&home, "why");
    assert!(why.starts_with("#7 Greet the world: delivered; it waits for others\n"), "{why}");
    assert!(why.contains("running -> ran") && why.contains("(restarted, so: run)"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_program_was_replaced_meanwhile_finds_its_run_again() {
    let home = Home::new().await;
    let installed = home.path("openpod-agentd");
    let install = || {
        let new = home.path("openpod-agentd.new");
        // Copied by another process: one that is started here meanwhile would hold it open for writing, and it could not be run.
        let copy =
            std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_openpod-agentd")).arg(&new).status();
        assert!(copy.unwrap().success());
        std::fs::rename(&new, &installed).unwrap();
    };
    install();
    let mut old = Program::start(&mut command(&installed, &home, &waiting(&home), ""));
    let worker = until_begun(&home, 1).await;
    install();
    let shim = Path::new("/proc").join(shim_of(&worker));
    let program = std::fs::read_link(shim.join("exe")).unwrap();
    assert!(
        program.to_string_lossy().ends_with(" (deleted)"),
        "it runs what is not there any more: {program:?}"
    );
    old.kill().await;
    let looked = home.platform.world().count("GET /heartbeat");
    let mut new = Program::start(&mut command(&installed, &home, &waiting(&home), ""));
    home.platform.until("it is back", |world| world.count("GET /heartbeat") > looked + 2).await;
    assert!(lives(&worker) && lives(&shim));
    std::fs::write(home.sign("gate"), "").unwrap();
    home.until_delivered().await;
    terminate(&new);
    assert!(new.ended().await.success());
    assert_delivered_once(&home, "attempt 1\n");
    assert_eq!(begun(&home).len(), 1, "it was started once");
    assert_eq!(asked(&home, "logs"), "at work\n");
}

/// What the program answers to a question about the ticket.
fn asked(home: &Home, question: &str) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_openpod-agentd"))
        .args([question, "7", "--config"])
        .arg(home.path("agentd.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_shim_leaves_behind_is_ended_before_the_next_attempt() {
    let home = Home::new().await;
    // The first run also has a child that leaves its session and does not listen.
    let worker = format!(
        "[ -e {0} ] || {{ touch {0}; setsid sh -c 'trap \"\" TERM HUP; echo $$ > {1}; while :; do sleep 1; done' & }}; {2}",
        home.sign("first").display(),
        home.sign("stray").display(),
        waiting(&home)
    );
    let running = home.start(home.config(&worker));
    let first = until_begun(&home, 1).await;
    let stray = process_in(&home.sign("stray")).await;
    kill("-KILL", &shim_of(&first));
    let second = until_begun(&home, 2).await;
    assert!(lives(&second) && !lives(&first) && !lives(&stray));
    std::fs::write(home.sign("gate"), "").unwrap();
    home.until_delivered().await;
    running.stop().await;
    assert_delivered_once(&home, "attempt 2\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_leaves_its_session_and_ignores_the_request_dies_with_its_ticket() {
    let home = Home::new().await;
    let stray = home.sign("stray");
    let deaf = format!("trap \"\" TERM HUP; echo $$ > {}; while :; do sleep 1; done", stray.display());
    let worker =
        format!("trap '' TERM; (setsid sh -c '(setsid sh -c '\\''{deaf}'\\'' &)' &); {}", waiting(&home));
    let mut raw = home.config(&worker);
    raw.executor.grace_seconds = 0;
    let running = home.start(raw);
    let worker = until_begun(&home, 1).await;
    let stray = process_in(&stray).await;
    let shim = PathBuf::from(format!("/proc/{}", shim_of(&worker)));
    home.platform.world().change_ticket(serde_json::json!({"status": "cancelled"}));
    home.until_job_is("cancelled").await;
    eventually("all are gone", || (!lives(&worker) && !lives(&stray) && !lives(&shim)).then_some(())).await;
    running.stop().await;
}
