//! Until when this process may believe what it remembers, although others write too.
//!
//! Every write asks the holders of leases before it commits ([`consent`](super::consent)). Who does not answer is outlasted:
//! its lease is revoked, and the write waits until the last look that can have found it whole is too long ago. Both count
//! durations, each by its own machine, so nobody's clock needs to be right.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openpod_sdk::api::Timestamp;
use tokio::sync::Notify;

use crate::store::uptime::{micros, uptime};

/// How long after a look that found its lease whole a process believes its memory.
const LEASE: Duration = Duration::from_secs(1);

/// How long to wait after a lease was revoked until nobody believes anything by it: some more, should a machine count slowly.
pub(super) const OUTLASTS: Duration = Duration::from_millis(1_100);

/// What is shared by those who ask and the one who keeps the lease.
#[derive(Debug)]
pub(super) struct Trust {
    /// By [`uptime`], in microseconds. 0 while nothing is believed.
    until: AtomicU64,
    /// Whatever this process was not asked about has a later time.
    time: AtomicI64,
    /// How often a lease was begun or lost.
    round: Mutex<Round>,
    lost: Notify,
}

/// Which lease it is that is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Round(u64);

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self {
            until: AtomicU64::new(0),
            time: AtomicI64::new(i64::MIN),
            round: Mutex::new(Round(0)),
            lost: Notify::new(),
        }
    }
}

impl Trust {
    /// The time of what is remembered; `None` when that may not be believed.
    pub(super) fn time(&self) -> Option<Timestamp> {
        self.time_at(uptime())
    }

    fn time_at(&self, uptime: Duration) -> Option<Timestamp> {
        let holds = micros(uptime) < self.until.load(Ordering::Acquire);
        holds.then(|| Timestamp::from_micros(self.time.load(Ordering::Acquire)))
    }

    /// Nothing is believed until a look has found a lease of this round whole.
    pub(super) fn begin(&self) -> Round {
        let mut round = self.end_of_round();
        self.time.store(i64::MIN, Ordering::Release);
        round.0 += 1;
        *round
    }

    /// A look that was begun at this moment of [`uptime`] has found the lease whole, and no write under way that is older
    /// than `time`. Whether it still is the round's.
    pub(super) fn prolong(&self, of: Round, begun: Duration, time: Timestamp) -> bool {
        let round = self.lock();
        if *round != of {
            return false;
        }
        self.time.store(time.as_micros(), Ordering::Release);
        self.until.store(micros(begun + LEASE), Ordering::Release);
        true
    }

    /// Nothing is believed any more.
    pub(super) fn end(&self) {
        self.end_of_round().0 += 1;
        self.lost.notify_one();
    }

    /// Completes when it has ended; an end that nobody waited for counts.
    pub(super) async fn lost(&self) {
        self.lost.notified().await;
    }

    fn end_of_round(&self) -> MutexGuard<'_, Round> {
        let round = self.lock();
        self.until.store(0, Ordering::Release);
        round
    }

    fn lock(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn time(n: i64) -> Timestamp {
        Timestamp::from_micros(n)
    }

    #[test]
    fn memory_is_believed_for_a_while_after_the_beginning_of_a_look() {
        let trust = Trust::default();
        assert_eq!(trust.time_at(second(0)), None);
        let round = trust.begin();
        assert_eq!(trust.time_at(second(100)), None);
        assert!(trust.prolong(round, second(100), time(7)));
        assert_eq!(trust.time_at(second(100)), Some(time(7)));
        assert_eq!(trust.time_at(second(101) - Duration::from_micros(1)), Some(time(7)));
        assert_eq!(trust.time_at(second(101)), None);
    }

    #[test]
    fn its_time_is_that_of_the_last_look() {
        let trust = Trust::default();
        let round = trust.begin();
        // A clock that was set back is behind, and so are changes.
        for micros in [7, 9, 5] {
            assert!(trust.prolong(round, second(100), time(micros)));
            assert_eq!(trust.time_at(second(100)), Some(time(micros)));
        }
    }

    #[test]
    fn a_look_that_was_under_way_when_it_ended_prolongs_nothing() {
        let trust = Trust::default();
        let round = trust.begin();
        assert!(trust.prolong(round, second(100), time(7)));
        trust.end();
        assert_eq!(trust.time_at(second(100)), None);
        assert!(!trust.prolong(round, second(100), time(7)));
        assert_eq!(trust.time_at(second(100)), None);
        let next = trust.begin();
        assert!(!trust.prolong(round, second(100), time(7)) && trust.prolong(next, second(100), time(7)));
    }

    #[test]
    fn whoever_outlasts_a_lease_waits_longer_than_it_holds() {
        assert!(OUTLASTS >= LEASE + LEASE / 10);
    }
}
