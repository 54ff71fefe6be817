//! Webhooks on their way: from the outbox to the receivers.
//!
//! ```text
//!   outbox ── new delivery, or one is due ──▶ worker ── lease ──▶ sender ──▶ receiver
//!     ▲                                         │                   │
//!     └── attempt noted, next one planned ◀── domain::delivery ◀────┘ status, pause
//!                                                       target: may it go there?
//! ```
//!
//! Each webhook has at most one attempt in flight, so its deliveries keep their order where nothing failed, and one that
//! hangs holds up nobody else. Delivery is at least once: who dies between sending and noting sends again.

pub mod sender;
pub mod target;
pub mod worker;

use std::time::Duration;

use futures_util::FutureExt as _;
use openpod_sdk::api::Timestamp;

pub use sender::{Sender, SystemNames};
pub use target::{TargetPolicy, TargetRefused};
pub use worker::Worker;

use worker::Flights;

/// Looks at least this often, so that a clock that was set does no harm.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How long to wait for a database that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How often what ended long ago is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Delivers until `shutdown` completes, and then finishes the attempts in flight.
pub async fn run(worker: Worker, shutdown: impl Future<Output = ()>) {
    let shutdown = shutdown.shared();
    let stopped = || shutdown.clone().now_or_never().is_some();
    let mut flights = Flights::default();
    let mut sweep_at = worker.now();
    if let Err(error) = worker.reclaim().await {
        tracing::warn!(%error, "what was in flight when the server died is delivered when its leases have run out");
    }
    loop {
        if worker.now() >= sweep_at {
            sweep_at = sweep(&worker).await;
        }
        let pause = match worker.start_due(&mut flights, stopped).await {
            Ok(pause) => pause.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP),
            Err(error) => {
                tracing::warn!(%error, "the outbox cannot be read");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            biased;
            () = shutdown.clone() => break,
            true = flights.landed() => {}
            () = worker.store().new_deliveries() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    while flights.landed().await {}
}

/// Forgets what ended long ago, and tells when to look again.
async fn sweep(worker: &Worker) -> Timestamp {
    let more = worker.sweep().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "deliveries that ended long ago were not forgotten");
        false
    });
    if more { worker.now() } else { worker.now().plus(SWEEP_EVERY) }
}
