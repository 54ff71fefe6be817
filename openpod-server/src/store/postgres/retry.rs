//! What may pass by itself is tried again: a deadlock, of which PostgreSQL undoes one side, and a connection that ended
//! before its transaction was being committed. In both cases nothing of the transaction is left.
//!
//! A connection that ends while a commit is on its way, or on its way to disk, is another matter: nobody knows whether it
//! stays. The caller is told that it failed, and an idempotency key makes it safe to ask again.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::Randomness;
use crate::store::{StoreError, StoreErrorKind};

/// How often a write is tried.
const MOST: u32 = 6;

/// How long to pause at most before the second try. Before each further one it may be twice as long.
const PAUSE: Duration = Duration::from_millis(10);

/// A write that was not made.
pub(super) struct Failure {
    pub(super) error: StoreError,
    /// Whether nothing of it is left, and it may well work when it is tried again.
    pub(super) may_pass: bool,
}

impl Failure {
    pub(super) fn before_commit(error: StoreError) -> Self {
        Self { may_pass: error.is_passing(), error }
    }

    /// Of several who ran together, one is to blame: each may work alone.
    pub(super) fn of_one(error: StoreError) -> Self {
        Self { may_pass: true, error }
    }

    pub(super) fn at_commit(error: StoreError) -> Self {
        Self { may_pass: error.kind() == StoreErrorKind::Collided, error }
    }

    pub(super) fn after_commit(error: StoreError) -> Self {
        Self { may_pass: false, error }
    }
}

/// Counts the tries of one write, and pauses between them for random times, so that those who collided do not meet again.
pub(super) struct Tries {
    randomness: Arc<dyn Randomness>,
    made: u32,
}

impl Tries {
    pub(super) fn new(randomness: Arc<dyn Randomness>) -> Self {
        Self { randomness, made: 0 }
    }

    /// Whether there is another try, after a pause.
    pub(super) async fn again(&mut self) -> bool {
        self.made += 1;
        if self.made >= MOST {
            return false;
        }
        let mut random = [0; 4];
        self.randomness.fill(&mut random);
        tokio::time::sleep(pause(self.made, u32::from_le_bytes(random))).await;
        true
    }
}

/// A random part of the longest pause after so many tries.
fn pause(made: u32, random: u32) -> Duration {
    let longest = PAUSE * 2_u32.pow(made - 1);
    longest.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_random_and_bounded_and_grow() {
        let longest: Vec<u128> = (1..MOST).map(|made| pause(made, u32::MAX).as_millis()).collect();
        assert_eq!(longest, [10, 20, 40, 80, 160]);
        assert_eq!(pause(5, 0), Duration::ZERO);
        assert_eq!(pause(5, u32::MAX / 2).as_millis(), 80);
    }
}
