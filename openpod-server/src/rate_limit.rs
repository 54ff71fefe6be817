//! Limits on how often: one bucket for each caller, by the clock that was passed in, in bounded memory.
//!
//! A bucket is one point in time, the moment at which it will be full again (the generic cell rate algorithm): each
//! request moves it forward by the pace, and a request that would move it further ahead than the burst is refused.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use openpod_sdk::api::Timestamp;

/// How often something may happen: `burst` at once, then one each `pace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many are announced as the limit of a window.
    pub limit: u32,
    /// How many at once; at least 1.
    pub burst: u32,
    /// How long until one more is allowed.
    pub pace: Duration,
}

impl Rate {
    /// `limit` in each `window`, of which `burst` may come at once.
    pub fn new(limit: u32, window: Duration, burst: u32) -> Self {
        Self { limit, burst: burst.max(1), pace: window / limit.max(1) }
    }
}

/// What is left of a caller's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Whether this request is within it.
    pub allowed: bool,
    /// The limit of a window.
    pub limit: u32,
    /// How many more may come at once.
    pub remaining: u32,
    /// When all of it will be there again.
    pub full_at: Timestamp,
    /// How long to wait for the next; zero when there is one left.
    pub wait: Duration,
}

/// The buckets of one kind of caller.
#[derive(Debug)]
pub struct RateLimiter<K> {
    rate: Rate,
    capacity: usize,
    full_at: Mutex<HashMap<K, Timestamp>>,
}

/// How many callers are remembered unless told. A caller whose bucket is full again needs no memory.
pub const CAPACITY: usize = 65_536;

impl<K: Eq + Hash + Clone> RateLimiter<K> {
    /// A limiter that remembers at most `capacity` callers.
    pub fn new(rate: Rate, capacity: usize) -> Self {
        Self { rate, capacity: capacity.max(1), full_at: Mutex::default() }
    }

    /// How often each caller may.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Counts one request of `caller`.
    pub fn take(&self, caller: &K, now: Timestamp) -> Budget {
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let known = buckets.get_mut(caller);
        let full_at = known.as_deref().copied().unwrap_or(now).max(now);
        let budget = self.budget(full_at, now);
        if !budget.allowed {
            return budget;
        }
        let full_at = full_at.plus(self.rate.pace);
        match known {
            Some(known) => *known = full_at,
            None => {
                if buckets.len() >= self.capacity {
                    forget_the_idlest(&mut buckets, now, self.capacity);
                }
                buckets.insert(caller.clone(), full_at);
            }
        }
        Budget { allowed: true, ..self.budget(full_at, now) }
    }

    /// What `caller` has left, without counting anything.
    pub fn look(&self, caller: &K, now: Timestamp) -> Budget {
        let buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        self.budget(buckets.get(caller).copied().unwrap_or(now).max(now), now)
    }

    fn budget(&self, full_at: Timestamp, now: Timestamp) -> Budget {
        let spent = full_at.since(now);
        let pace = self.rate.pace.max(Duration::from_micros(1));
        let used = u32::try_from(spent.as_micros().div_ceil(pace.as_micros())).unwrap_or(u32::MAX);
        let remaining = self.rate.burst.saturating_sub(used);
        let wait = spent.saturating_sub(pace * (self.rate.burst - 1));
        let wait = if remaining > 0 { Duration::ZERO } else { wait };
        Budget { allowed: remaining > 0, limit: self.rate.limit, remaining, full_at, wait }
    }
}

/// Drops the full buckets and, when that is not enough, those nearer to full than the average. Whoever is forgotten
/// starts afresh, so a flood of addresses costs precision and never memory.
fn forget_the_idlest<K: Eq + Hash>(buckets: &mut HashMap<K, Timestamp>, now: Timestamp, capacity: usize) {
    buckets.retain(|_, full_at| *full_at > now);
    if buckets.len() >= capacity {
        let total: i128 = buckets.values().map(|full_at| i128::from(full_at.as_micros())).sum();
        let average = total / buckets.len() as i128;
        buckets.retain(|_, full_at| i128::from(full_at.as_micros()) > average);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn start() -> Timestamp {
        "2026-03-12T10:30:00Z".parse().unwrap()
    }

    #[test]
    fn the_burst_is_spent_at_once_and_comes_back_at_the_pace() {
        let limiter = RateLimiter::new(Rate::new(60, MINUTE, 3), 10);
        let now = start();
        let remaining: Vec<_> = (0..3).map(|_| limiter.take(&"key", now)).map(|b| b.remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = limiter.take(&"key", now);
        assert!(!refused.allowed);
        assert_eq!(refused.wait, Duration::from_secs(1));
        assert!(limiter.take(&"other", now).allowed);
        assert!(limiter.take(&"key", now.plus(Duration::from_secs(1))).allowed);
        assert!(!limiter.take(&"key", now.plus(Duration::from_secs(1))).allowed);
    }

    #[test]
    fn a_refused_request_costs_nothing() {
        let limiter = RateLimiter::new(Rate::new(5, Duration::from_secs(3600), 5), 10);
        let now = start();
        assert_eq!((0..50).filter(|_| limiter.take(&1, now).allowed).count(), 5);
        assert!(limiter.take(&1, now.plus(Duration::from_secs(720))).allowed);
    }

    #[test]
    fn memory_stays_bounded_whoever_comes() {
        let limiter = RateLimiter::new(Rate::new(60, MINUTE, 60), 100);
        for n in 0..10_000 {
            assert!(limiter.take(&n, start()).allowed);
        }
        assert!(limiter.full_at.lock().unwrap().len() <= 100);
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out_for_longer_than_it_went() {
        let limiter = RateLimiter::new(Rate::new(60, MINUTE, 2), 10);
        limiter.take(&1, start());
        let refused_until = limiter.look(&1, start().minus(MINUTE)).full_at;
        assert_eq!(refused_until, start().plus(Duration::from_secs(1)));
    }
}
