//! Takes what is due from the outbox, gives it to the sender, and notes how it ended: one transaction for all that
//! came up meanwhile.

use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::api::{EventKind, Timestamp};
use tokio_util::sync::CancellationToken;

use super::flights::{Flights, PLACES};
use super::sender::{Route, SendError, Sender};
use crate::domain::delivery::{Fate, History, Outcome, decide};
use crate::store::deliveries::{self, Due, Lane, Leased};
use crate::store::turns::{self, Attempt, Turn};
use crate::store::{Store, StoreError};

/// How much longer than an attempt's deadline a lease lasts: time enough for a turn and to note how it ended.
const LEASE_MARGIN: Duration = Duration::from_secs(45);

/// After this time a turn takes up no further delivery, so that what was done is noted soon.
const TURN: Duration = Duration::from_secs(1);

/// A receiver that takes longer to answer is a slow one.
const SLOW: Duration = Duration::from_secs(1);

/// How long to wait when what was due was taken by another.
const AFTER_OTHERS: Duration = Duration::from_millis(20);

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

/// What a transaction of the worker's came to.
struct Taken {
    leased: Vec<(Lane, Vec<Leased>)>,
    /// How long until more is due.
    pause: Option<Duration>,
}

impl Worker {
    /// A worker on this store.
    pub fn new(store: Store, sender: Sender) -> Self {
        let lease = sender.deadline() + LEASE_MARGIN;
        Self(Arc::new(Parts { store, sender, lease }))
    }

    /// Attempts everything that is due now, and what becomes due meanwhile. Completes when nothing is left.
    pub async fn deliver_due(&self) -> Result<(), StoreError> {
        let mut flights = Flights::new(CancellationToken::new());
        loop {
            self.advance(&mut flights).await?;
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
        self.0.store.write(|tx| Box::pin(deliveries::reclaim(tx))).await
    }

    /// Forgets deliveries that ended long ago. Whether there are more.
    pub async fn sweep(&self) -> Result<bool, StoreError> {
        let ended_before = self.now().minus(KEPT);
        let script =
            self.0.store.write(move |tx| Box::pin(deliveries::forget(tx, ended_before, SWEPT_AT_ONCE)));
        Ok(script.await? == SWEPT_AT_ONCE as u64)
    }

    /// The outbox.
    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Notes how turns ended and begins as many as are due and have a place. Answers with the pause until more is due;
    /// `None` when nothing is, or nothing more has a place.
    pub(super) async fn advance(&self, flights: &mut Flights) -> Result<Option<Duration>, StoreError> {
        let turns: Arc<Vec<Turn>> = Arc::new(flights.ended());
        let taken = match self.note_and_take(Arc::clone(&turns), flights.free()).await {
            Ok(taken) => taken,
            Err(error) => {
                // Noted later, or delivered again when the leases have run out.
                flights.keep(Arc::unwrap_or_clone(turns));
                return Err(error);
            }
        };
        for (lane, leased) in taken.leased {
            for leased in leased {
                let (worker, stop) = (self.clone(), flights.stop());
                flights.start(lane, async move { worker.turn(leased, stop).await });
            }
        }
        Ok(taken.pause)
    }

    async fn note_and_take(
        &self,
        turns: Arc<Vec<Turn>>,
        free: [usize; PLACES.len()],
    ) -> Result<Taken, StoreError> {
        let length = self.0.lease;
        let script = self.0.store.write(move |tx| {
            Box::pin(async move {
                for webhook in turns::note(tx, &turns).await? {
                    tracing::info!(%webhook, "attempts ended after their lease; another decides");
                }
                deliveries::free_expired(tx).await?;
                let (now, mut asked, mut leased) = (tx.now(), Vec::new(), Vec::new());
                let expiry = deliveries::next_expiry(tx).await?;
                for ((lane, _), free) in PLACES.into_iter().zip(free).filter(|(_, free)| *free > 0) {
                    let taken = deliveries::lease(tx, lane, free, now.plus(length)).await?;
                    asked.push((lane, free, taken, deliveries::next_due(tx, lane).await?));
                }
                let mut next = tx.answer(expiry).await?.pop().map(|at| at.since(now));
                for (lane, free, taken, due) in asked {
                    let (taken, due) = (tx.answer(taken).await?, tx.answer(due).await?.pop());
                    if taken.len() < free
                        && let Some(due) = due
                    {
                        // What is due and was not taken is being taken by another.
                        let wait = due.since(now);
                        let wait = if wait.is_zero() { AFTER_OTHERS } else { wait };
                        next = next.into_iter().chain([wait]).min();
                    }
                    leased.push((lane, taken));
                }
                deliveries::read_due(tx, leased.iter_mut().flat_map(|(_, taken)| taken)).await?;
                Ok(Taken { leased, pause: next })
            })
        });
        script.await
    }

    /// Delivers to a webhook what is due, in order, until something fails.
    async fn turn(&self, leased: Leased, stop: CancellationToken) -> Turn {
        let Leased { lease, webhook, failing_since, due, .. } = &leased;
        let route = self.0.sender.route(&leased);
        let mut turn = Turn {
            lease: lease.clone(),
            webhook: webhook.clone(),
            failing_since: *failing_since,
            is_slow: false,
            attempts: Vec::with_capacity(due.len()),
        };
        let (begun, mut failing_since) = (self.now(), *failing_since);
        for due in due {
            if stop.is_cancelled() || self.now().since(begun) > TURN {
                break;
            }
            let attempt = self.attempt(&route, due, failing_since).await;
            if let Some(error) = &attempt.error {
                let Attempt { delivery, fate, .. } = &attempt;
                tracing::info!(%webhook, %delivery, error, ?fate, "a webhook was not delivered");
            }
            let delivered = attempt.fate == Fate::Delivered;
            turn.is_slow = attempt.ended_at.since(attempt.begun_at) > SLOW;
            turn.attempts.push(attempt);
            if !delivered {
                break;
            }
            failing_since = None;
        }
        turn
    }

    async fn attempt(
        &self,
        route: &Result<Route<'_>, SendError>,
        due: &Due,
        failing_since: Option<Timestamp>,
    ) -> Attempt {
        let begun_at = self.now();
        let (outcome, http_status, error) = match route {
            Err(error) => (Outcome::Failed { retry_after: None }, None, Some(error.to_string())),
            Ok(route) => match route.send(due, begun_at).await {
                Ok(reply) => (reply.outcome, Some(reply.status), complaint(reply.outcome, reply.status)),
                Err(error) => (Outcome::Failed { retry_after: None }, None, Some(error.to_string())),
            },
        };
        let ended_at = self.now();
        let is_test = due.event == EventKind::WebhookTest;
        let history = History { attempts: due.attempts, is_test, failing_since };
        let fate = decide(history, outcome, ended_at, self.dice());
        Attempt { delivery: due.id.clone(), number: due.number, begun_at, ended_at, http_status, error, fate }
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
