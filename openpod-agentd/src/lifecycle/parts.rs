//! What a daemon needs before it can begin: its place, its key, its journal, its name.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::{Client, Secret};
use rustix::fs::{FlockOperation, flock};
use tokio_util::sync::CancellationToken;

use super::agent::Tools;
use super::confinement::ConfinementError;
use crate::config::{Config, KeySource};
use crate::control::ControlError;
use crate::crash;
use crate::custody;
use crate::daemon::{DaemonError, Purse};
use crate::effects::{failure_of, who_am_i};
use crate::git::GitMissing;
use crate::job::{Me, Outlook};
use crate::journal::{Entry, Journal, JournalError, Replay};
use crate::workspace::WorkspaceError;

/// Why a daemon did not begin, or stopped although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file or directory of the daemon's.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// Another daemon works in the same directory.
    #[error("another daemon works in {}; give this one a data_dir of its own", .0.display())]
    InUse(PathBuf),
    /// There is no usable git.
    #[error(transparent)]
    Git(#[from] GitMissing),
    /// Workers cannot be confined as the configuration wants it.
    #[error(transparent)]
    Confinement(#[from] ConfinementError),
    /// There is no key.
    #[error("there is no key in {}; `openpod-agentd register` gets one, or set key_file to where it is", .0.display())]
    NoKey(PathBuf),
    /// The platform's address or the key cannot be used.
    #[error("server.url: {0}")]
    Client(#[from] openpod_sdk::client::BuildError),
    /// The platform speaks a dialect in which a worker cannot finish a ticket.
    #[error("policy.tickets.finish_as must be in_review: on this platform a worker cannot set done")]
    CannotFinish,
    /// The platform does not know the key.
    #[error("the platform refuses the key: {0}")]
    Refused(openpod_sdk::Error),
    /// The journal belongs to another agent than the key.
    #[error("{} holds the work of {known}, but the key is that of {key}; give each agent a data_dir of its own", data_dir.display())]
    AnotherAgent { data_dir: PathBuf, known: String, key: String },
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The repositories cannot be used.
    #[error(transparent)]
    Workspaces(#[from] WorkspaceError),
    /// Nothing can be received there.
    #[error("webhook.listen = {address}: {source}")]
    Listen { address: std::net::SocketAddr, source: std::io::Error },
    /// There can be no metrics.
    #[error("metrics.listen = {address}: {source}")]
    Metrics { address: std::net::SocketAddr, source: std::io::Error },
    /// Operators cannot be heard.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The secret of the webhook cannot sign.
    #[error("the webhook's secret in {}: {source}; delete the file to get another", path.display())]
    Secret { path: PathBuf, source: openpod_sdk::webhook::BadSecret },
    /// The daemon itself.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// The heartbeat or the webhook receiver ended in a panic.
    #[error("a task of the daemon crashed: {0}")]
    Crashed(String),
}

/// The data directory, held for one daemon alone until it is dropped.
pub(super) struct Place {
    data_dir: PathBuf,
    lock: File,
}

impl Drop for Place {
    fn drop(&mut self) {
        // Closing the file would not be enough: a process that is just being started may still hold a copy of it.
        let _ = flock(&self.lock, FlockOperation::Unlock);
    }
}

impl Place {
    pub(super) fn open(config: &Config) -> Result<Self, RunError> {
        let data_dir = config.data_dir.clone();
        let io = |path: &Path, source| RunError::Io { path: path.to_owned(), source };
        private(&data_dir)?;
        custody::look_after(&data_dir);
        let path = data_dir.join("lock");
        let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let lock = lock.map_err(|source| io(&path, source))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                crash::point("start/locked");
                Ok(Self { data_dir, lock })
            }
            Err(rustix::io::Errno::WOULDBLOCK) => Err(RunError::InUse(data_dir)),
            Err(error) => Err(io(&path, error.into())),
        }
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

/// What an agent knows before anything begins.
pub(super) struct Start {
    pub(super) journal: Journal,
    pub(super) replay: Replay,
    pub(super) me: Me,
}

impl Start {
    /// `None` when the daemon was stopped before it learnt the agent's name.
    pub(super) async fn load(
        directory: &Path,
        client: &Client,
        tools: &Tools,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, RunError> {
        let (journal, replay) = Journal::open(&directory.join("journal.db"))?;
        crash::point("start/opened");
        let known = replay.facts.get("me").and_then(|text| serde_json::from_str(text).ok());
        let learnt = match &known {
            Some(known) => tokio::select! {
                () = stop.cancelled() => return Ok(None),
                same = still_the_same(known, client, directory) => same?,
            },
            None => learn_who_we_are(client, tools, stop).await?,
        };
        if let Some(me) = &learnt {
            let text = serde_json::to_string(me).unwrap_or_default();
            journal.write(vec![Entry::Fact("me", text)]).await?;
            crash::point("start/known");
        }
        let Some(me) = learnt.or(known) else { return Ok(None) };
        Ok(Some(Self { journal, replay, me }))
    }
}

/// Asks the platform once whether the journal is the key's. A platform that does not answer is no reason to wait.
async fn still_the_same(known: &Me, client: &Client, directory: &Path) -> Result<Option<Me>, RunError> {
    match who_am_i(client).await {
        Ok(me) if me.id != known.id => Err(RunError::AnotherAgent {
            data_dir: directory.to_owned(),
            known: known.name.clone(),
            key: me.name,
        }),
        Ok(me) => Ok(Some(me)),
        Err(error) if error.status() == Some(401) => Err(RunError::Refused(error)),
        Err(error) => {
            tracing::warn!(reason = %error, "the platform does not say who we are; going on as {}", known.name);
            Ok(None)
        }
    }
}

/// Asks the platform until it answers. A key that it refuses is the operator's business, at once.
async fn learn_who_we_are(
    client: &Client,
    tools: &Tools,
    stop: &CancellationToken,
) -> Result<Option<Me>, RunError> {
    let mut pause = Duration::from_millis(250);
    loop {
        let error = tokio::select! {
            () = stop.cancelled() => return Ok(None),
            answer = who_am_i(client) => match answer {
                Ok(me) => return Ok(Some(me)),
                Err(error) => error,
            }
        };
        let failure = failure_of(&error);
        if failure.outlook == Outlook::Lasting || error.status() == Some(401) {
            return Err(RunError::Refused(error));
        }
        tracing::warn!(reason = failure.reason, "the platform does not say who we are; asking again");
        let jitter = (tools.randomness)() as f64 / u64::MAX as f64;
        let wait = failure.retry_after.unwrap_or_default() + pause.mul_f64(0.5 + jitter);
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(wait) => pause = (pause * 2).min(Duration::from_secs(60)),
        }
    }
}

/// What was spent by whoever has a journal in this data directory, configured or not.
pub(super) fn purse(data_dir: &Path) -> Purse {
    let agents = std::fs::read_dir(data_dir.join("agents")).into_iter().flatten().flatten();
    let directories = agents.map(|entry| entry.path()).chain([data_dir.to_owned()]);
    let spent =
        directories.filter_map(|directory| match crate::journal::books(&directory.join("journal.db")) {
            Ok(books) => Some((part_of(&directory), books)),
            Err(error) => {
                tracing::error!(%error, "what was spent there is not known, and does not count");
                None
            }
        });
    Purse::new(spent)
}

/// What an agent's part of the purse is called.
pub(super) fn part_of(directory: &Path) -> String {
    directory.display().to_string()
}

/// The key, read from where it is.
pub(super) fn key(source: &KeySource) -> Result<Secret, RunError> {
    match source {
        KeySource::Given(key) => Ok(key.clone()),
        KeySource::File(path) => match std::fs::read_to_string(path) {
            Ok(text) if text.trim().is_empty() => Err(RunError::NoKey(path.clone())),
            Ok(text) => Ok(Secret::new(text.trim())),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(RunError::NoKey(path.clone())),
            Err(source) => Err(RunError::Io { path: path.clone(), source }),
        },
    }
}

/// A client without a key, whose connections those of all agents use.
pub(super) fn connections(config: &Config) -> Result<Client, RunError> {
    Ok(Client::builder(&config.server.url)
        .user_agent(concat!("openpod-agentd/", env!("CARGO_PKG_VERSION")))
        .attempt_timeout(config.server.timeout)
        .build()?)
}

/// The client of one agent.
pub(super) fn client(
    connections: &Client,
    config: &Config,
    key: Secret,
    tools: &Tools,
) -> Result<Client, RunError> {
    let random = Arc::clone(&tools.randomness);
    let mut builder = Client::builder(&config.server.url).connections_of(connections);
    if let Some(dialect) = config.server.dialect {
        builder = builder.dialect(dialect);
    }
    if let Some(most) = config.server.requests_per_minute {
        builder = builder.requests_per_minute(most);
    }
    Ok(builder.key(key).random(move || random()).build()?)
}

/// A directory that is nobody else's business.
pub(super) fn private(directory: &Path) -> Result<(), RunError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|source| RunError::Io { path: directory.to_owned(), source })
}
