//! Takes what is due from the outbox, as much at once as there are free places, and gives it to the sender.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::api::Timestamp;
use tokio::task::{Id, JoinSet};

use super::sender::Sender;
use crate::domain::delivery::{Outcome, decide};
use crate::store::deliveries::{Attempt, Lane, Leased, finish, forget, lease, next_due, reclaim};
use crate::store::{Store, StoreError};

/// How much longer than an attempt's deadline a lease lasts: time enough to note how it ended.
const LEASE_MARGIN: Duration = Duration::from_secs(45);

/// How long to wait when what was due was taken by another.
const AFTER_OTHERS: Duration = Duration::from_millis(20);

/// How many attempts run at once in each lane. Dead receivers wait for each other, not the living for them.
const PLACES: [(Lane, usize); 2] = [(Lane::Working, 48), (Lane::Failing, 16)];

/// How long a delivery that has ended is kept, to be looked at and replayed.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// How many are forgotten at once, so that nobody waits long for the database.
const SWEPT_AT_ONCE: usize = 500;

/// Delivers from the outbox. Clones share everything.
#[derive(Clone)]
pub struct Worker(Arc<Parts>);

struct Parts {
    store: Store,
    sender: Sender,
    lease: Duration,
}

/// The attempts in flight.
#[derive(Default)]
pub(super) struct Flights {
    attempts: JoinSet<()>,
    lanes: HashMap<Id, Lane>,
}

impl Flights {
    fn start(&mut self, lane: Lane, attempt: impl Future<Output = ()> + Send + 'static) {
        self.lanes.insert(self.attempts.spawn(attempt).id(), lane);
    }

    fn count(&self, lane: Lane) -> usize {
        self.lanes.values().filter(|taken| **taken == lane).count()
    }

    /// Completes when an attempt has ended; `false` when none is in flight.
    pub(super) async fn landed(&mut self) -> bool {
        let Some(landed) = self.attempts.join_next_with_id().await else { return false };
        let id = landed.map_or_else(
            |error| {
                // A mistake of this program. The lease runs out, and the attempt is made again.
                tracing::error!(%error, "an attempt at a webhook crashed");
                error.id()
            },
            |(id, ())| id,
        );
        self.lanes.remove(&id);
        true
    }
}

impl Worker {
    /// A worker on this store.
    pub fn new(store: Store, sender: Sender) -> Self {
        let lease = sender.deadline() + LEASE_MARGIN;
        Self(Arc::new(Parts { store, sender, lease }))
    }

    /// Attempts everything that is due now, and what becomes due meanwhile. Completes when nothing is left.
    pub async fn deliver_due(&self) -> Result<(), StoreError> {
        let mut flights = Flights::default();
        loop {
            self.start_due(&mut flights, || false).await?;
            if !flights.landed().await {
                return Ok(());
            }
        }
    }

    /// Takes up at once what a process that died was at, if there can be no other one at it.
    pub(super) async fn reclaim(&self) -> Result<(), StoreError> {
        if self.0.store.is_shared() {
            return Ok(());
        }
        self.0.store.write(|tx| Box::pin(reclaim(tx))).await
    }

    /// Forgets deliveries that ended long ago. Whether there are more.
    pub async fn sweep(&self) -> Result<bool, StoreError> {
        let ended_before = self.now().minus(KEPT);
        let script = self.0.store.write(move |tx| Box::pin(forget(tx, ended_before, SWEPT_AT_ONCE)));
        Ok(script.await? == SWEPT_AT_ONCE as u64)
    }

    /// The outbox.
    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Begins as many attempts as are due and have a place, until it is `stopped`. Answers with the pause until more is
    /// due; `None` when nothing is, or nothing more has a place.
    pub(super) async fn start_due(
        &self,
        flights: &mut Flights,
        stopped: impl Fn() -> bool,
    ) -> Result<Option<Duration>, StoreError> {
        let mut pause: Option<Duration> = None;
        for (lane, places) in PLACES {
            loop {
                let free = places.saturating_sub(flights.count(lane));
                if free == 0 {
                    break;
                }
                let until_due = self.until_due(lane).await?;
                if stopped() {
                    return Ok(None);
                }
                if until_due.is_none_or(|wait| !wait.is_zero()) {
                    pause = pause.into_iter().chain(until_due).min();
                    break;
                }
                let leased = self.lease(lane, free).await?;
                if leased.is_empty() {
                    // Another process was faster.
                    pause = pause.into_iter().chain([AFTER_OTHERS]).min();
                    break;
                }
                for leased in leased {
                    let worker = self.clone();
                    flights.start(lane, async move { worker.attempt(leased).await });
                }
            }
        }
        Ok(pause)
    }

    /// How long until the next delivery of a lane is due; zero when it is. By the time of the transaction, because the
    /// database's clock is not this machine's.
    async fn until_due(&self, lane: Lane) -> Result<Option<Duration>, StoreError> {
        let script = self.0.store.read(move |tx| {
            Box::pin(async move {
                let due = next_due(tx, lane).await?;
                Ok(due.map(|due| due.since(tx.now())))
            })
        });
        script.await
    }

    async fn lease(&self, lane: Lane, count: usize) -> Result<Vec<Leased>, StoreError> {
        let length = self.0.lease;
        let script = self.0.store.write(move |tx| {
            let until = tx.now().plus(length);
            Box::pin(lease(tx, lane, count, until))
        });
        script.await
    }

    async fn attempt(&self, leased: Leased) {
        let begun_at = self.now();
        let sent = self.0.sender.send(&leased, begun_at).await;
        let ended_at = self.now();
        let (outcome, http_status, error) = match sent {
            Ok(reply) => (reply.outcome, Some(reply.status), complaint(reply.outcome, reply.status)),
            Err(error) => (Outcome::Failed { retry_after: None }, None, Some(error.to_string())),
        };
        let fate = decide(leased.history, outcome, ended_at, self.dice());
        let webhook = leased.webhook.clone();
        if let Some(error) = &error {
            tracing::info!(%webhook, delivery = %leased.id, error, ?fate, "a webhook was not delivered");
        }
        let attempt = Attempt { begun_at, ended_at, http_status, error };
        let noted =
            self.0.store.write(move |tx| Box::pin(async move { finish(tx, &leased, &attempt, fate).await }));
        match noted.await {
            Ok(true) => {}
            Ok(false) => tracing::info!(%webhook, "an attempt ended after its lease; another decides"),
            Err(error) => {
                tracing::warn!(%webhook, %error, "the end of an attempt was not noted; it is made again")
            }
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.store.sources().clock.now()
    }

    fn dice(&self) -> u32 {
        let mut bytes = [0; 4];
        self.0.store.sources().randomness.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }
}

/// Why an answer is no success.
fn complaint(outcome: Outcome, status: u16) -> Option<String> {
    let sentence = match (outcome, status) {
        (Outcome::Accepted, _) => return None,
        (_, 300..=399) => format!("the receiver answered {status}, and redirects are not followed"),
        _ => format!("the receiver answered {status}"),
    };
    Some(sentence)
}
