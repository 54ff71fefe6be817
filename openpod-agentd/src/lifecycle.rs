//! From a configuration to a running daemon, and to its graceful end.

mod agent;
mod board;
mod confinement;
mod doctor;
mod monitor;
mod parts;
mod registration;
mod rounds;
mod supervisor;
mod webhook;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use openpod_sdk::clock::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use confinement::ConfinementError;
pub use doctor::{Finding, Health, examine};
pub use parts::RunError;
pub use registration::{RegisterError, Registered, register};

pub use rounds::Reloads;
pub use supervisor::Supervisor;

use crate::config::Config;
use rounds::House;

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
    /// Who wants to hear when the daemon is ready.
    pub supervisor: Supervisor,
    /// Where new configurations come from; none come when it is absent.
    pub reloads: Option<Reloads>,
}

impl Wiring {
    /// The machine's own clock and dice, and nobody who watches.
    pub fn system(helper: PathBuf) -> Self {
        Self {
            clock: Arc::new(SystemClock),
            randomness: Arc::new(|| getrandom::u64().unwrap_or(u64::MAX)),
            webhook_listener: None,
            helper,
            supervisor: Supervisor::default(),
            reloads: None,
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
    House::open(&config, wiring, stop).await?.run(config).await
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
        ("shim", directory, None) => Some(crate::shim::shim_main(directory.as_deref().map(Path::new))),
        ("git-credential" | "shim", ..) => Some(ExitCode::FAILURE),
        _ => None,
    }
}
