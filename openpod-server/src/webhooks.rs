//! Webhooks on their way: from the outbox to the receivers.
//!
//! ```text
//!   outbox ── new delivery, or one is due ──▶ worker ── lease ──▶ flights ── turn ──▶ sender ──▶ receiver
//!     ▲                                         ▲                                       │
//!     └─ attempts noted, next ones planned ─────┴── domain::delivery ◀──────────────────┘ status, pause
//!                                                                         target: may it go there?
//! ```
//!
//! A webhook is delivered to in turns: what is due, one after another, until something fails or a second is over. It has
//! one turn at a time, so its deliveries keep their order where nothing failed, and one that hangs holds up nobody else.
//! One transaction notes all the turns that have ended and leases what is due next, so the more there is to do, the more
//! is done by each commit. Delivery is at least once: who dies between sending and noting sends again.

mod flights;
pub mod sender;
pub mod target;
pub mod worker;

use std::time::Duration;

use openpod_sdk::api::Timestamp;
use tokio_util::sync::CancellationToken;

pub use sender::{Means, Sender, SystemNames};
pub use target::{TargetPolicy, TargetRefused};
pub use worker::Worker;

use flights::Flights;

/// Looks at least this often, so that a clock that was set does no harm.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How long to wait for a database that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How often what ended long ago is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Delivers until `shutdown` completes, and then finishes the attempts in flight.
pub async fn run(worker: Worker, shutdown: impl Future<Output = ()>) {
    let stop = CancellationToken::new();
    let stopping = async {
        shutdown.await;
        stop.cancel();
    };
    // Told at once, also while the database is waited for: no turn takes up another delivery.
    tokio::join!(stopping, deliver(&worker, &stop));
}

async fn deliver(worker: &Worker, stop: &CancellationToken) {
    let mut flights = Flights::new(stop.clone());
    let mut sweep_at = worker.now();
    if let Err(error) = worker.reclaim().await {
        tracing::warn!(%error, "what was in flight when the server died is delivered when its leases have run out");
    }
    while !stop.is_cancelled() {
        if worker.now() >= sweep_at {
            sweep_at = sweep(worker).await;
        }
        let pause = match worker.advance(&mut flights).await {
            Ok(pause) => pause.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP),
            Err(error) => {
                tracing::warn!(%error, "the outbox cannot be read or written");
                let _ = tokio::time::timeout(AFTER_FAILURE, stop.cancelled()).await;
                continue;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            true = flights.landed() => {}
            () = worker.store().new_deliveries() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    while !flights.is_empty() {
        flights.landed().await;
        if let Err(error) = worker.advance(&mut flights).await {
            tracing::warn!(%error, "the end of the last attempts was not noted; they are made again");
            break;
        }
    }
}

/// Forgets what ended long ago, and tells when to look again.
async fn sweep(worker: &Worker) -> Timestamp {
    let more = worker.sweep().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "deliveries that ended long ago were not forgotten");
        false
    });
    if more { worker.now() } else { worker.now().plus(SWEEP_EVERY) }
}
