//! From a configuration to a running daemon, and to its graceful end.

mod agent;
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
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use confinement::ConfinementError;
pub use parts::RunError;
pub use registration::{RegisterError, Registered, register};

use crate::config::Config;
use crate::daemon::Places;
use crate::git::Git;
use crate::sources::webhook::Doors;
use crate::workspace::Workspaces;
use agent::Tools;
use parts::Place;

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

async fn work(config: Config, wiring: Wiring, stop: CancellationToken) -> Result<(), RunError> {
    let place = Place::open(&config)?;
    confinement::check(&config)?;
    let home = place.data_dir().join("git-home");
    parts::private(&home)?;
    let git = Git::find(&home).await?.with_silence(config.git.silence);
    let workspaces = Workspaces::open(place.data_dir(), git, wiring.helper.clone())?;
    let mut background = JoinSet::new();
    let doors = Doors::default();
    if let Some(settings) = &config.webhook {
        webhook::listen(settings, wiring.webhook_listener, &doors, &stop, &mut background).await?;
    }
    let Wiring { clock, randomness, helper, .. } = wiring;
    let shared = agent::Shared {
        connections: parts::connections(&config)?,
        workspaces: workspaces.with_limits(config.limits.clone()),
        places: Places::new(config.max_runs),
        doors,
        tools: Tools { clock, randomness, helper },
        stop,
        config,
    };
    tokio::select! {
        result = agent::all(&shared) => result?,
        crash = crashed(&mut background) => return Err(RunError::Crashed(crash)),
    }
    // The receiver's address is free again when this returns.
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
