//! A whole ticket by the daemon, and the same by a shell script, in turn.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use openpod_sdk::api::TicketId;
use tokio::process::Command;

use super::Options;
use super::gate::Gate;
use super::program::Program;
use super::reaction::registered;
use super::report::{Goal, Row, Table, median};
use super::stage::{Hand, Stage, WORK, home, millis, quantile, ratio};

/// Tickets that warm up the mirrors and everything else.
const WARM: usize = 3;

pub(crate) async fn measure(options: &Options) -> Table {
    let rounds = options.rounds.div_ceil(3);
    let stage = Stage::open().await;
    let (ada, bob) = (stage.hand("ada").await, stage.hand("bob").await);
    let gate = Gate::open().await;
    let pace = "[heartbeat]\ninterval_seconds = 3600\nscout_seconds = 3600\n";
    let config = format!("{pace}{}[executor]\ncommand = [\"sh\", \"-c\", \"{WORK}\"]\n", gate.webhook());
    let daemon = Program::start(&home(&stage, "ada"), &stage.world.url, &ada.key, &config);
    registered(&stage, &ada).await;
    let idle = daemon.megabytes();
    let script = Script::prepare(&stage, &bob);

    let (mut ours, mut plain, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds + WARM {
        let (ticket, began) = stage.assign(&ada).await;
        let took = filed(&stage, &ticket, began).await;
        stage.at_rest(&ticket).await;
        let (ticket, began) = stage.assign(&bob).await;
        script.run(&ticket, round).await;
        let by_hand = filed(&stage, &ticket, began).await;
        if round >= WARM {
            ratios.push(ratio(took, by_hand));
            ours.push(took);
            plain.push(by_hand);
        }
    }
    let worked = daemon.megabytes();
    drop(daemon);
    stage.close().await;

    let mut table =
        Table::new("A ticket from its assignment to its deliverable, for a worker that writes one file");
    let script = "the script";
    table.row(Row::new("by a shell script of curl and git, p50", millis(quantile(&plain, 0.5))));
    let share = median(ratios);
    let row = Row::new("by the daemon, p50", millis(quantile(&ours, 0.5)));
    table.row(row.ratio(share, script).goal(share, Goal::AtMost(1.25)));
    let late = ratio(quantile(&ours, 0.95), quantile(&plain, 0.95));
    table.row(Row::new("by the daemon, p95", millis(quantile(&ours, 0.95))).ratio(late, "the script's p95"));
    let row = Row::new("the daemon's memory after these tickets", format!("{worked:.1} MiB"));
    table.row(row.ratio(worked / idle, "before them"));
    table.note(format!("{rounds} tickets each, in turn; the ratio is the median of the pairs."));
    table.note("The script writes nothing down, confines nobody and trusts what the worker left.");
    table
}

async fn filed(stage: &Stage, ticket: &TicketId, began: Instant) -> Duration {
    stage.handed_in(ticket).await;
    began.elapsed()
}

/// The same steps by hand.
struct Script {
    environment: Vec<(&'static str, String)>,
    directory: PathBuf,
}

impl Script {
    fn prepare(stage: &Stage, hand: &Hand) -> Script {
        let directory = home(stage, "bob");
        let mirror = directory.join("mirror.git");
        let from = stage.world.repository(&stage.project);
        let mut clone = std::process::Command::new("git");
        let made = clone.args(["clone", "-q", "--bare"]).arg(from).arg(&mirror).status();
        assert!(made.expect("there is a git").success(), "the mirror cannot be made");
        let text = |text: &str| text.to_owned();
        let environment = vec![
            ("API", format!("{}/api/agent/v1", stage.world.url)),
            ("KEY", text(hand.key.expose())),
            ("PROJECT", stage.project.id.to_string()),
            ("MIRROR", mirror.display().to_string()),
            ("WORKER", text(WORK)),
            ("GIT_CONFIG_NOSYSTEM", text("1")),
            ("GIT_CONFIG_GLOBAL", text("/dev/null")),
            ("GIT_AUTHOR_NAME", text("Bob")),
            ("GIT_AUTHOR_EMAIL", text("bob@example.org")),
            ("GIT_COMMITTER_NAME", text("Bob")),
            ("GIT_COMMITTER_EMAIL", text("bob@example.org")),
        ];
        Script { environment, directory }
    }

    async fn run(&self, ticket: &TicketId, round: usize) {
        let directory = self.directory.join(format!("round-{round}"));
        std::fs::create_dir_all(&directory).expect("the benchmark's directory can be written");
        let mut script = Command::new("sh");
        script.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/daemon/plain.sh")).current_dir(directory);
        script.envs(self.environment.iter().cloned()).env("TICKET", ticket.as_str());
        let ended = script.stdin(Stdio::null()).status().await.expect("there is a shell");
        assert!(ended.success(), "the script failed");
    }
}
