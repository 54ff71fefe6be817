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

pub use sender::{Sender, SystemNames};
pub use target::{TargetPolicy, TargetRefused};
pub use worker::Worker;

use worker::Flights;

/// Looks at least this often, so that a clock that was set does no harm.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How long to wait for a database that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Delivers until `shutdown` completes, and then finishes the attempts in flight.
pub async fn run(worker: Worker, shutdown: impl Future<Output = ()>) {
    let mut shutdown = std::pin::pin!(shutdown);
    let mut flights = Flights::default();
    loop {
        let pause = match worker.start_due(&mut flights).await {
            Ok(pause) => pause.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP),
            Err(error) => {
                tracing::warn!(%error, "the outbox cannot be read");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = &mut shutdown => break,
            () = worker.store().new_deliveries() => {}
            true = flights.landed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    while flights.landed().await {}
}
