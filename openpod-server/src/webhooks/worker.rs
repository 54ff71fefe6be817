//! Takes what is due from the outbox, as much at once as there are free places, and gives it to the sender.

use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::api::Timestamp;
use tokio::task::JoinSet;

use super::sender::Sender;
use crate::domain::delivery::{Outcome, decide};
use crate::store::deliveries::{Attempt, Lane, Leased, finish, lease, next_due};
use crate::store::{Store, StoreError};

/// How much longer than an attempt's deadline a lease lasts: time enough to note how it ended.
const LEASE_MARGIN: Duration = Duration::from_secs(45);

/// How many attempts run at once in each lane. Dead receivers wait for each other, not the living for them.
const PLACES: [(Lane, usize); 2] = [(Lane::Working, 48), (Lane::Failing, 16)];

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
    attempts: JoinSet<Lane>,
    working: usize,
    failing: usize,
}

impl Flights {
    fn of(&mut self, lane: Lane) -> &mut usize {
        match lane {
            Lane::Working => &mut self.working,
            Lane::Failing => &mut self.failing,
        }
    }

    /// Completes when an attempt has ended; `false` when none is in flight.
    pub(super) async fn landed(&mut self) -> bool {
        match self.attempts.join_next().await {
            Some(Ok(lane)) => *self.of(lane) -= 1,
            Some(Err(error)) => self.crashed(&error),
            None => return false,
        }
        true
    }

    /// An attempt that panics is a mistake of this program. Its lease runs out, and it is made again.
    fn crashed(&mut self, error: &tokio::task::JoinError) {
        tracing::error!(%error, "an attempt at a webhook crashed");
        if self.attempts.is_empty() {
            (self.working, self.failing) = (0, 0);
        }
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
            self.start_due(&mut flights).await?;
            if !flights.landed().await {
                return Ok(());
            }
        }
    }

    /// The outbox.
    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Begins as many attempts as are due and have a place. Answers with the pause until more is due; `None` when
    /// nothing is, or nothing more has a place.
    pub(super) async fn start_due(&self, flights: &mut Flights) -> Result<Option<Duration>, StoreError> {
        let mut next: Option<Timestamp> = None;
        for (lane, places) in PLACES {
            loop {
                let free = places.saturating_sub(*flights.of(lane));
                if free == 0 {
                    break;
                }
                let due = self.0.store.read(move |tx| Box::pin(next_due(tx, lane))).await?;
                if due.is_none_or(|due| due > self.now()) {
                    next = next.into_iter().chain(due).min();
                    break;
                }
                for leased in self.lease(lane, free).await? {
                    *flights.of(lane) += 1;
                    let worker = self.clone();
                    flights.attempts.spawn(async move {
                        worker.attempt(leased).await;
                        lane
                    });
                }
            }
        }
        Ok(next.map(|next| next.since(self.now())))
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
            tracing::info!(%webhook, delivery = leased.id, error, ?fate, "a webhook was not delivered");
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

    fn now(&self) -> Timestamp {
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
