//! A platform with an owner and workers, and a place on a disk for all of them.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use openpod_sdk::api::tickets::TicketPatch;
use openpod_sdk::api::{AgentKeyId, TicketId, TicketStatus};
use openpod_sdk::{Client, Secret};
use tokio::sync::mpsc;

use super::place;
use super::shared::world::{Project, World};

/// What every worker does: one file is written.
pub(crate) const WORK: &str = "echo 42 > answer.txt";
/// After this a daemon that was busy has come to rest.
const REST: Duration = Duration::from_millis(250);

/// Platform, forge, and a project with a repository.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) project: Project,
}

/// Somebody who works.
pub(crate) struct Hand {
    pub(crate) client: Client,
    pub(crate) key: Secret,
    id: AgentKeyId,
}

impl Stage {
    pub(crate) async fn open() -> Stage {
        let world = World::begin_in(place::on_disk()).await;
        let project = world.project().await;
        Stage { world, project }
    }

    /// Registers somebody, who is hired for the project.
    pub(crate) async fn hand(&self, name: &str) -> Hand {
        let (client, key) = self.world.register(name).await;
        self.world.hire(&self.project, &client).await;
        let id = client.me().await.expect("the key is good").agent_key.id;
        Hand { client, key, id }
    }

    /// Gives a new ticket to somebody, and notes when.
    pub(crate) async fn assign(&self, hand: &Hand) -> (TicketId, Instant) {
        let id = self.world.ticket(&self.project, "Answer the question").await;
        let patch = TicketPatch { assignee_agent_key_id: hand.id.clone().into(), ..TicketPatch::default() };
        let began = Instant::now();
        self.world.owner.update_ticket(&id, &patch).await.expect("an owner may assign");
        (id, began)
    }

    /// Returns when the deliverable is filed.
    pub(crate) async fn handed_in(&self, ticket: &TicketId) {
        let world = &self.world;
        world.ticket_when(ticket, "the deliverable", |ticket| ticket.status == TicketStatus::InReview).await;
    }

    /// Returns when a daemon is done with a ticket and at rest.
    pub(crate) async fn at_rest(&self, ticket: &TicketId) {
        let said = |comments: &Option<Vec<_>>| comments.as_ref().is_some_and(|all| !all.is_empty());
        self.world.ticket_when(ticket, "the report", |ticket| said(&ticket.comments)).await;
        self.rest().await;
    }

    /// Lets a daemon come to rest.
    pub(crate) async fn rest(&self) {
        tokio::time::sleep(REST).await;
    }

    /// Has the owner cancel a ticket.
    pub(crate) async fn cancel(&self, ticket: &TicketId) {
        let patch = TicketPatch::status(TicketStatus::Cancelled);
        self.world.owner.update_ticket(ticket, &patch).await.expect("an owner may cancel");
    }

    pub(crate) async fn close(self) {
        self.world.close().await;
    }
}

/// A pipe that a worker writes a line to as soon as it runs.
pub(crate) struct Starts {
    pub(crate) directory: PathBuf,
    starts: mpsc::UnboundedReceiver<Instant>,
}

impl Starts {
    pub(crate) fn watch(directory: PathBuf) -> Starts {
        let pipe = fifo(directory.join("started"));
        // Open for writing too, so that it does not end with its first writer.
        let file = File::options().read(true).write(true).open(pipe).expect("the pipe is there");
        let (sender, starts) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for _line in BufReader::new(file).lines() {
                if sender.send(Instant::now()).is_err() {
                    return;
                }
            }
        });
        Starts { directory, starts }
    }

    /// When the next worker began.
    pub(crate) async fn next(&mut self) -> Instant {
        self.starts.recv().await.expect("somebody watches the pipe")
    }

    /// The pipe, for a worker.
    pub(crate) fn pipe(&self) -> String {
        self.directory.join("started").display().to_string()
    }

    /// The configuration of a worker that says that it runs, and then does this.
    pub(crate) fn executor(&self, then: &str) -> String {
        self.running(&format!("echo > {}; {then}", self.pipe()))
    }

    /// The configuration of a worker that may use the pipe.
    pub(crate) fn running(&self, script: &str) -> String {
        let directory = self.directory.display();
        format!("[executor]\ncommand = [\"sh\", \"-c\", \"{script}\"]\nwritable = [\"{directory}\"]\n")
    }
}

/// A pipe that a worker holds as long as anything of it is left.
pub(crate) struct Ends {
    pipe: PathBuf,
    ends: mpsc::UnboundedReceiver<Instant>,
}

impl Ends {
    pub(crate) fn watch(directory: &Path) -> Ends {
        let pipe = fifo(directory.join("held"));
        let (sender, ends) = mpsc::unbounded_channel();
        let held = pipe.clone();
        // Opened when somebody holds it, and read to the end when nobody does any more.
        std::thread::spawn(move || {
            while let Ok(mut file) = File::open(&held) {
                let _ = std::io::copy(&mut file, &mut std::io::sink());
                if sender.send(Instant::now()).is_err() {
                    return;
                }
            }
        });
        Ends { pipe, ends }
    }

    /// The pipe, for a worker.
    pub(crate) fn pipe(&self) -> String {
        self.pipe.display().to_string()
    }

    /// When the next worker was gone.
    pub(crate) async fn next(&mut self) -> Instant {
        self.ends.recv().await.expect("somebody watches the pipe")
    }
}

fn fifo(pipe: PathBuf) -> PathBuf {
    let made = Command::new("mkfifo").arg(&pipe).status().expect("there is a mkfifo");
    assert!(made.success(), "no pipe can be made at {}", pipe.display());
    pipe
}

/// The `share` of all times is at most this.
pub(crate) fn quantile(times: &[Duration], share: f64) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len().saturating_sub(1) as f64 * share).ceil() as usize;
    sorted.get(place).copied().unwrap_or_default()
}

pub(crate) fn mean(times: &[Duration]) -> Duration {
    times.iter().sum::<Duration>() / u32::try_from(times.len().max(1)).unwrap_or(u32::MAX)
}

pub(crate) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// One time as a multiple of another.
pub(crate) fn ratio(time: Duration, of: Duration) -> f64 {
    time.as_secs_f64() / of.as_secs_f64()
}

/// Where a home is made for a daemon.
pub(crate) fn home(stage: &Stage, name: &str) -> PathBuf {
    stage.world.directory(name)
}

/// A file of a daemon's, made with what it holds.
pub(crate) fn write(file: &Path, text: &str) {
    std::fs::write(file, text).expect("the benchmark's directory can be written");
}
