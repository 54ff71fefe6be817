//! What the daemon costs: beside a shell script that does the same, and when there is nothing to do.
//!
//! `cargo bench -p openpod-tests --bench daemon` builds the daemon's own program and runs it against a server and forge in
//! this process. Each figure stands beside its target. `ROUNDS` (40) and `IDLE_SECONDS` (60) come from the environment.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark is for the terminal")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop where it is")]
#![expect(unreachable_pub, dead_code, reason = "the world of the journeys, of which less is needed here")]

#[path = "daemon/gate.rs"]
mod gate;
#[path = "daemon/program.rs"]
mod program;
/// What the journeys share.
#[path = ".."]
mod shared {
    pub mod world;
}

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use openpod_sdk::api::tickets::TicketPatch;
use openpod_sdk::api::{AgentKeyId, TicketId, TicketStatus};
use openpod_sdk::{Client, Secret};

use gate::Gate;
use program::Program;
use shared::world::{Project, World};

/// What both sides have done: one file is written.
const WORKER: &str = "echo 42 > answer.txt";

#[tokio::main]
async fn main() {
    // `cargo test --benches` asks for nothing but that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let daemon = program::build();
    let mut table = Vec::new();
    table.extend(work(&daemon).await);
    table.extend(idle(&daemon).await);
    table.extend(recovery(&daemon).await);
    println!("\n{:<58} {:>12} {:>12}", "", "measured", "target");
    for Row { what, measured, target } in table {
        println!("{what:<58} {measured:>12} {target:>12}");
    }
}

struct Row {
    what: String,
    measured: String,
    target: String,
}

fn row(what: impl Into<String>, measured: impl Into<String>, target: &str) -> Row {
    Row { what: what.into(), measured: measured.into(), target: target.into() }
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// The `share` of all times is at most this.
fn quantile(times: &[Duration], share: f64) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[((sorted.len() - 1) as f64 * share).ceil() as usize]
}

fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Someone who works, and the place they work at.
struct Hand {
    client: Client,
    id: AgentKeyId,
    key: Secret,
}

async fn hand(world: &World, project: &Project, name: &str) -> Hand {
    let (client, key) = world.register(name).await;
    world.hire(project, &client).await;
    let id = client.me().await.unwrap().agent_key.id;
    Hand { client, id, key }
}

async fn assigned(world: &World, project: &Project, hand: &Hand) -> (TicketId, Instant) {
    let id = world.ticket(project, "Answer the question").await;
    let patch = TicketPatch { assignee_agent_key_id: hand.id.clone().into(), ..TicketPatch::default() };
    let began = Instant::now();
    world.owner.update_ticket(&id, &patch).await.unwrap();
    (id, began)
}

async fn handed_in(world: &World, id: &TicketId, began: Instant) -> Duration {
    world.ticket_when(id, "the deliverable is filed", |ticket| ticket.status == TicketStatus::InReview).await;
    began.elapsed()
}

/// A pipe that the worker writes a line to as soon as it runs.
fn starts(pipe: &Path) -> tokio::sync::mpsc::UnboundedReceiver<Instant> {
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    // Open for writing too, so that it does not end with its first writer.
    let file = File::options().read(true).write(true).open(pipe).unwrap();
    std::thread::spawn(move || {
        for _line in BufReader::new(file).lines() {
            if sender.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Tickets by the daemon and by the script in turn, and how soon the worker runs.
async fn work(daemon: &Path) -> Vec<Row> {
    let rounds = number("ROUNDS", 40);
    let world = World::begin().await;
    let project = world.project().await;
    let (ours, plain) = (hand(&world, &project, "ada").await, hand(&world, &project, "bob").await);
    let directory = world.directory("ada");
    let pipe = world.directory("signs").join("started");
    let mut started = starts(&pipe);
    let mut gate = Gate::open().await;
    let config = format!(
        "[heartbeat]\ninterval_seconds = 3600\nscout_seconds = 3600\n[webhook]\nlisten = \"{}\"\npublic_url = \"{}\"\n\
         [executor]\ncommand = [\"sh\", \"-c\", \"echo started > {pipe}; {WORKER}\"]\nwritable = [\"{signs}\"]\n",
        gate.behind,
        gate.url,
        pipe = pipe.display(),
        signs = pipe.parent().unwrap().display(),
    );
    let mut program = Program::start(daemon, &directory, &world.url, &ours.key, &config);
    let ready = async || (!ours.client.list_webhooks().await.unwrap().is_empty()).then_some(());
    world.until("the webhook is registered", ready).await;
    let script = Script::prepare(&world, &project, &plain);

    let (mut with_daemon, mut by_hand, mut pickups, mut ratios) = (vec![], vec![], vec![], vec![]);
    for round in 0..rounds + 3 {
        let (id, began) = assigned(&world, &project, &ours).await;
        let accepted = gate.accepted().await;
        let running = started.recv().await.unwrap();
        let ours_took = handed_in(&world, &id, began).await;
        gate.quiet(&world, &id).await;
        let (id, began) = assigned(&world, &project, &plain).await;
        script.run(&id, round);
        let plain_took = handed_in(&world, &id, began).await;
        // The mirror gets warm, and so does everything else.
        if round >= 3 {
            pickups.push(running.saturating_duration_since(accepted));
            with_daemon.push(ours_took);
            by_hand.push(plain_took);
            ratios.push(ours_took.as_secs_f64() / plain_took.as_secs_f64());
        }
    }
    let memory = program.memory_kib();
    program.stop();
    world.end([]).await;
    vec![
        row("webhook accepted → worker runs, p50", millis(quantile(&pickups, 0.5)), "20 ms"),
        row("webhook accepted → worker runs, p99", millis(quantile(&pickups, 0.99)), "100 ms"),
        row(
            format!("ticket assigned → deliverable filed, p50 of {rounds}"),
            millis(quantile(&with_daemon, 0.5)),
            "",
        ),
        row("the same by curl and git, p50", millis(quantile(&by_hand, 0.5)), ""),
        row("ratio, median of pairs", format!("{:.2}", median(&ratios)), "1.25"),
        row("memory after that work", format!("{:.1} MiB", memory as f64 / 1024.0), ""),
    ]
}

/// The same steps by hand.
struct Script {
    environment: Vec<(&'static str, String)>,
    directory: PathBuf,
}

impl Script {
    fn prepare(world: &World, project: &Project, hand: &Hand) -> Self {
        let directory = world.directory("bob");
        let mirror = directory.join("mirror.git");
        let from = world.repository(project);
        let made = Command::new("git").args(["clone", "-q", "--mirror"]).arg(from).arg(&mirror).status();
        assert!(made.unwrap().success());
        let environment = vec![
            ("API", format!("{}/api/agent/v1", world.url)),
            ("KEY", hand.key.expose().to_owned()),
            ("PROJECT", project.id.to_string()),
            ("MIRROR", mirror.display().to_string()),
            ("WORKER", WORKER.to_owned()),
        ];
        Self { environment, directory }
    }

    fn run(&self, ticket: &TicketId, round: usize) {
        let directory = self.directory.join(format!("round-{round}"));
        std::fs::create_dir_all(&directory).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/plain.sh");
        let mut command = Command::new("sh");
        command.arg(script).current_dir(directory).env("TICKET", ticket.as_str());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .env("GIT_AUTHOR_NAME", "Bob")
            .env("GIT_AUTHOR_EMAIL", "bob@example.org")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_COMMITTER_NAME", "Bob").env("GIT_COMMITTER_EMAIL", "bob@example.org");
        assert!(command.stdin(Stdio::null()).status().unwrap().success(), "the script failed");
    }
}

/// A daemon with nothing to do, at its default pace.
async fn idle(daemon: &Path) -> Vec<Row> {
    let seconds = number("IDLE_SECONDS", 60);
    let world = World::begin().await;
    let project = world.project().await;
    let ada = hand(&world, &project, "ada").await;
    let mut program = Program::start(
        daemon,
        &world.directory("ada"),
        &world.url,
        &ada.key,
        "[executor]\ncommand = [\"true\"]\n",
    );
    let seen = async || ada.client.me().await.unwrap().agent_key.last_seen_at.map(drop);
    world.until("it looks", seen).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = program.cpu();
    tokio::time::sleep(Duration::from_secs(seconds as u64)).await;
    let share = (program.cpu() - before).as_secs_f64() / seconds as f64 * 100.0;
    let memory = program.memory_kib();
    program.stop();
    world.end([]).await;
    vec![
        row("idle, one agent: memory", format!("{:.1} MiB", memory as f64 / 1024.0), "12 MiB"),
        row(format!("idle, one agent: CPU over {seconds} s"), format!("{share:.3} %"), "0.05 %"),
    ]
}

/// Killed in the middle of a run: until it follows that run again, which is until its result is filed.
async fn recovery(daemon: &Path) -> Vec<Row> {
    let world = World::begin().await;
    let project = world.project().await;
    let ada = hand(&world, &project, "ada").await;
    let directory = world.directory("ada");
    let signs = world.directory("signs");
    let pipe = signs.join("started");
    let mut started = starts(&pipe);
    let config = format!(
        "[heartbeat]\ninterval_seconds = 1\n[executor]\ncommand = [\"sh\", \"-c\", \
         \"echo started > {0}/started; while [ ! -e {0}/go ]; do sleep 0.01; done; {WORKER}\"]\nwritable = [\"{0}\"]\n",
        signs.display(),
    );
    let mut program = Program::start(daemon, &directory, &world.url, &ada.key, &config);
    let (id, _) = assigned(&world, &project, &ada).await;
    started.recv().await.unwrap();
    program.kill();
    std::fs::write(signs.join("go"), "").unwrap();
    let began = Instant::now();
    let mut program = Program::start(daemon, &directory, &world.url, &ada.key, &config);
    let took = handed_in(&world, &id, began).await;
    program.stop();
    world.end([]).await;
    vec![row("killed → started, run taken up, its result filed", millis(took), "1000 ms")]
}
