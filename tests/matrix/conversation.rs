//! The conversation: an application, a ticket that is done in two rounds and paid, a ticket that cannot be done.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use openpod_agentd::config::{Config, Layers, load};
use openpod_agentd::executor::Sandbox;
use openpod_agentd::journal::{self, Replay};
use openpod_sdk::Client;
use openpod_sdk::api::tickets::{Judgement, Ticket};
use openpod_sdk::api::{AgentKeyId, Cents, TicketId, TicketStatus};
use tokio::sync::watch;

use crate::world::{Project, World, ends};

/// Answers, and says why when it is asked to; both as often as one likes. A circle it leaves as it is.
const WORKER: &str = r#"
set -e
cd "$OPENPOD_WORKSPACE"
if grep -q 'Square the circle' "$OPENPOD_TICKET_FILE"; then
  echo circle >> "SIGNS"
elif grep -q 'Please say why' "$OPENPOD_TICKET_FILE"; then
  echo why >> "SIGNS"
  printf '42\nbecause it was computed\n' > answer.txt
  echo 'Now it says why.' > "$OPENPOD_SUMMARY_FILE"
else
  echo answer >> "SIGNS"
  echo 42 > answer.txt
  echo 'The answer is in its file.' > "$OPENPOD_SUMMARY_FILE"
fi
"#;

/// A world with an owner, and a daemon's directory in it.
pub struct Conversation {
    pub world: World,
    pub project: Project,
    pub agent: Client,
    pub me: AgentKeyId,
    /// The daemon's configuration.
    pub config: PathBuf,
    pub data_dir: PathBuf,
    /// A line for each start of the worker.
    pub signs: PathBuf,
    /// Whether the ticket that is given up stays the daemon's.
    pub leaves: bool,
    /// Whether the ticket that is done is forgotten as soon as it is paid.
    pub forgets: bool,
}

/// What was heard and seen on the way.
pub struct Held {
    /// The ticket that was done.
    pub answer: TicketId,
    /// The ticket that was handed back.
    pub circle: TicketId,
    /// How the first round was handed in.
    pub first: Ticket,
    /// The commit that was at the branch then.
    pub first_head: String,
}

impl Conversation {
    /// Everything but the daemon. `leaves`: it keeps the ticket that it gives up.
    pub async fn begin(leaves: bool) -> Conversation {
        let world = World::begin().await;
        let url = world.url.clone();
        Self::within(world, &url, 30, leaves).await
    }

    /// The same in a world that is there, for a daemon that finds the platform at this address, and waits for it and
    /// for the forge for so many seconds.
    pub async fn within(world: World, url: &str, patience: u32, leaves: bool) -> Conversation {
        let project = world.project().await;
        let (agent, key) = world.register("ada").await;
        let me = agent.me().await.unwrap().agent_key.id;
        let directory = world.directory("ada");
        let signs = world.directory("signs").join("begun");
        let [worker, key_file, config] =
            ["worker.sh", "agent.key", "agentd.toml"].map(|name| directory.join(name));
        std::fs::write(&worker, WORKER.replace("SIGNS", &signs.display().to_string())).unwrap();
        std::fs::write(&key_file, key.expose()).unwrap();
        let sandbox = if Sandbox::is_available() { "landlock" } else { "off" };
        let address = free_address();
        let text = format!(
            "data_dir = \"{0}/data\"\n\
             [server]\nurl = \"{1}\"\nkey_file = \"{0}/agent.key\"\ntimeout_seconds = {patience}\n\
             [heartbeat]\ninterval_seconds = 0.5\nscout_seconds = 0.5\nlook_again_seconds = 1\n\
             [webhook]\nlisten = \"{address}\"\npublic_url = \"http://{address}/\"\n\
             [executor]\ncommand = [\"sh\", \"{0}/worker.sh\"]\nwritable = [\"{2}\"]\n\
             grace_seconds = 1\nsandbox = \"{sandbox}\"\n\
             [git]\nsilence_seconds = {patience}\n\
             [policy.apply]\nenabled = true\n\
             [policy.tickets]\nclaim_unassigned = true\nmax_concurrent = 2\nmax_attempts = 2\n\
             on_give_up = \"{3}\"\n",
            directory.display(),
            url,
            signs.parent().unwrap().display(),
            if leaves { "leave" } else { "release" },
        );
        std::fs::write(&config, text).unwrap();
        let data_dir = directory.join("data");
        Conversation { world, project, agent, me, config, data_dir, signs, leaves, forgets: false }
    }

    /// With a daemon that keeps nothing of what is finished.
    pub fn forgetting(self) -> Conversation {
        let text = std::fs::read_to_string(&self.config).unwrap();
        std::fs::write(&self.config, format!("{text}[retention]\nfinished_tickets = 0\n")).unwrap();
        Conversation { forgets: true, ..self }
    }

    /// The owner's side of it, up to the payment and the apology.
    pub async fn hold(&self) -> Held {
        let world = &self.world;
        let answer = world.ticket(&self.project, "Answer the question").await;
        let circle = world.ticket(&self.project, "Square the circle").await;
        // Its first look at work shows both, so that no step of the one comes before the other is known.
        world.accept_the_next_applicant().await;

        let first = self.handed_in(&answer, "the work is handed in and reported", 1).await;
        let first_head = world.git(&self.project, &["rev-parse", first.branch_name.as_deref().unwrap()]);
        world.owner.approve_ticket(&answer, Judgement::revise("Please say why.")).await.unwrap();

        self.handed_in(&answer, "the revision is handed in and reported", 2).await;
        world.owner.approve_ticket(&answer, Judgement::approve(Cents(5000))).await.unwrap();

        world
            .ticket_when(&circle, "what cannot be done is handed back", |ticket| {
                self.said(ticket).len() == 1 && (self.leaves || ticket.status == TicketStatus::Todo)
            })
            .await;
        Held { answer, circle, first, first_head }
    }

    async fn handed_in(&self, id: &TicketId, what: &str, reports: usize) -> Ticket {
        let done =
            |ticket: &Ticket| ticket.status == TicketStatus::InReview && self.said(ticket).len() >= reports;
        self.world.ticket_when(id, what, done).await
    }

    /// The daemon's configuration, for a daemon that runs as a library.
    pub fn configuration(&self) -> Config {
        let layers = Layers { file: Some(self.config.clone()), ..Layers::default() };
        load(layers).unwrap().validate().unwrap()
    }

    /// What the agent said about a ticket.
    pub fn said(&self, ticket: &Ticket) -> Vec<String> {
        let comments = ticket.comments.iter().flatten();
        let ours = comments.filter(|comment| comment.author_agent_key_id.as_ref() == Some(&self.me));
        ours.map(|comment| comment.content.clone()).collect()
    }

    /// Returns when the daemon has nothing left to do.
    pub async fn until_settled(&self, news: watch::Receiver<usize>) {
        let left = if self.forgets { 1 } else { 2 };
        self.until_over(|known| known.jobs.len() == left, news).await;
    }

    /// Returns when a daemon whose journal was put back has nothing left to do, and knows of the ticket that was given up.
    pub async fn until_again_over(&self, circle: &TicketId, news: watch::Receiver<usize>) {
        self.until_over(|known| known.jobs.contains_key(circle), news).await;
    }

    /// Looks at the journal with each piece of news, until all in it is over and this holds too.
    async fn until_over(&self, holds: impl Fn(&Replay) -> bool, mut news: watch::Receiver<usize>) {
        let journal = self.data_dir.join("journal.db");
        let settled = || {
            let Ok(known) = journal::read(&journal) else { return false };
            let is_over = known.jobs.values().all(|job| !job.is_open() && job.pending().is_none());
            is_over && known.open_intents.is_empty() && holds(&known)
        };
        let waiting = async {
            while !settled() {
                news.changed().await.unwrap();
            }
        };
        let _known = KnownOnFailure(&journal);
        ends("everything is settled", waiting).await;
    }
}

/// Shows what the journal knows when it is dropped by a panic.
struct KnownOnFailure<'a>(&'a Path);

impl Drop for KnownOnFailure<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:#?}", journal::read(self.0));
        }
    }
}

/// An address that nobody else takes before the daemon does: on a loopback address of its own.
fn free_address() -> std::net::SocketAddr {
    static NUMBER: AtomicU8 = AtomicU8::new(1);

    let host = std::net::Ipv4Addr::new(127, 77, 1, NUMBER.fetch_add(1, Ordering::Relaxed).max(1));
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap()
}
