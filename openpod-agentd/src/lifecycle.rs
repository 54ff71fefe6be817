//! From a configuration to a running daemon, and to its graceful end.

mod confinement;
mod parts;
mod registration;
mod webhook;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::clock::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use confinement::ConfinementError;
pub use parts::RunError;
pub use registration::{RegisterError, Registered, register};

use crate::config::Config;
use crate::daemon::{self, Daemon};
use crate::effects::{self, Effects};
use crate::sources::heartbeat::Heartbeat;
use parts::{Place, Start};

/// What a daemon gets from outside.
pub struct Wiring {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bits, for jitter, secrets and idempotency keys.
    pub randomness: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Where webhooks arrive; `webhook.listen` is bound when there is none here.
    pub webhook_listener: Option<TcpListener>,
    /// A program that begins with [`helper_entry`]: git asks it for the token, and it watches over workers.
    pub helper: PathBuf,
}

impl Wiring {
    /// The machine's own clock and dice.
    pub fn system(helper: PathBuf) -> Self {
        Self {
            clock: Arc::new(SystemClock),
            randomness: Arc::new(|| getrandom::u64().unwrap_or(u64::MAX)),
            webhook_listener: None,
            helper,
        }
    }
}

/// Runs a daemon until `shutdown`: then it takes no new work, leaves its workers to their shims (or stops them, as
/// `executor.on_stop` says), writes down what became of everything else that was begun, and returns. The next start goes on
/// from there. Dropping the future stops at once.
pub async fn run(config: Config, wiring: Wiring, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let stop = CancellationToken::new();
    // Whatever ends this function, by whatever way, ends what it has started.
    let _guard = stop.clone().drop_guard();
    let working = work(config, wiring, stop.clone());
    let mut working = std::pin::pin!(working);
    tokio::select! {
        result = &mut working => return result,
        () = shutdown => stop.cancel(),
    }
    working.await
}

async fn work(config: Config, mut wiring: Wiring, stop: CancellationToken) -> Result<(), RunError> {
    let place = Place::open(&config).await?;
    confinement::check(&config)?;
    let client = parts::client(&config, &wiring)?;
    let Some(start) = Start::load(&place, &client, &wiring, &stop).await? else { return Ok(()) };
    let Start { git, journal, replay, me } = start;
    let closed = journal.closed();
    tracing::info!(agent = me.name, id = %me.id, platform = config.server.url, "at work");

    let (events, inbox) = mpsc::channel(256);
    let wake = Arc::new(Notify::new());
    let mut background = JoinSet::new();
    let hooks = webhook::Start { config: &config, client: &client, events: &events, stop: &stop };
    let secrets = hooks.start(&mut wiring, place.data_dir(), &mut background).await?;
    let heartbeat = Heartbeat {
        client: client.clone(),
        clock: Arc::clone(&wiring.clock),
        random: Arc::clone(&wiring.randomness),
        pace: config.heartbeat,
        wake: Arc::clone(&wake),
        events,
    };
    background.spawn(heartbeat.run(stop.clone()));

    let workspaces = parts::workspaces(&config, git, wiring.helper.clone())?;
    let grace = config.executor.limits.grace + Duration::from_secs(20);
    let effects = Effects::new(effects::Parts {
        client: client.clone(),
        me: me.clone(),
        policy: config.policy.clone(),
        executor: config.executor,
        git: config.git.clone(),
        workspaces,
        clock: Arc::clone(&wiring.clock),
        runs_dir: place.data_dir().join(effects::RUNS),
        secrets: secrets.into_iter().chain(parts::key(&config.server)?).collect(),
        helper: wiring.helper,
        stop: stop.clone(),
    });
    let daemon = Daemon::new(daemon::Parts {
        me,
        policy: config.policy,
        pace: config.heartbeat,
        branch_prefix: config.git.branch_prefix,
        client,
        effects: Arc::new(effects),
        journal,
        replay,
        clock: wiring.clock,
        wake,
    });
    tokio::select! {
        result = daemon.run(inbox, stop, grace) => result?,
        crash = crashed(&mut background) => return Err(RunError::Crashed(crash)),
    }
    // The receiver's address and the journal's file are free again when this returns.
    closed.cancelled().await;
    let _ = tokio::time::timeout(Duration::from_secs(2), background.join_all()).await;
    tracing::info!("stopped");
    Ok(())
}

/// Ends only when one of the tasks did so by a panic.
async fn crashed(background: &mut JoinSet<()>) -> String {
    while let Some(ended) = background.join_next().await {
        if let Err(error) = ended {
            return error.to_string();
        }
    }
    std::future::pending().await
}

/// Serves `git-credential <socket> <operation>` and `shim <directory>` when the program was called with one of them. A
/// program that is given as [`Wiring::helper`] calls this first, and exits with what it answers.
pub fn helper_entry() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let what = arguments.next()?;
    let (first, second) = (arguments.next(), arguments.next());
    match (what.to_str()?, first, second) {
        ("git-credential", Some(socket), Some(operation)) => {
            Some(crate::credentials::helper_main(Path::new(&socket), &operation.to_string_lossy()))
        }
        ("shim", Some(directory), None) => Some(crate::shim::shim_main(Path::new(&directory))),
        ("git-credential" | "shim", ..) => Some(ExitCode::FAILURE),
        _ => None,
    }
}
