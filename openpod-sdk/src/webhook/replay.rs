//! Remembers which deliveries were taken, so that none is taken twice.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::api::Timestamp;

/// Remembers ids for some time. Keep them at least twice the tolerance of the verifier: what is older than that no
/// longer verifies.
#[derive(Debug)]
pub struct ReplayGuard {
    window: Duration,
    capacity: usize,
    order: VecDeque<(Timestamp, String)>,
    known: HashSet<String>,
}

impl ReplayGuard {
    /// Remembers ids for `window`, and at most `capacity` of them; beyond that the oldest is forgotten.
    pub fn new(window: Duration, capacity: usize) -> Self {
        Self { window, capacity: capacity.max(1), order: VecDeque::new(), known: HashSet::new() }
    }

    /// Whether this id is new. From now on it is not.
    pub fn admit(&mut self, id: &str, now: Timestamp) -> bool {
        while self.order.front().is_some_and(|(seen, _)| now.since(*seen) > self.window) {
            self.drop_oldest();
        }
        // One that is known takes no place: else whoever sends it again and again could have the others forgotten.
        if self.known.contains(id) {
            return false;
        }
        if self.order.len() >= self.capacity {
            self.drop_oldest();
        }
        self.known.insert(id.to_owned());
        self.order.push_back((now, id.to_owned()));
        true
    }

    fn drop_oldest(&mut self) {
        if let Some((_, oldest)) = self.order.pop_front() {
            self.known.remove(&oldest);
        }
    }

    /// Makes the id new again.
    pub fn forget(&mut self, id: &str) {
        if self.known.remove(id) {
            self.order.retain(|(_, known)| known != id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_admitted_once_within_the_window() {
        let mut guard = ReplayGuard::new(Duration::from_secs(600), 100);
        let now = Timestamp::from_micros(0);
        assert!(guard.admit("a", now));
        assert!(!guard.admit("a", now.plus(Duration::from_secs(600))));
        assert!(guard.admit("a", now.plus(Duration::from_secs(601))));
    }

    #[test]
    fn what_is_forgotten_is_new_again() {
        let mut guard = ReplayGuard::new(Duration::from_secs(600), 100);
        let now = Timestamp::from_micros(0);
        assert!(guard.admit("a", now) && guard.admit("b", now));
        guard.forget("a");
        guard.forget("never seen");
        assert!(guard.admit("a", now) && !guard.admit("b", now));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut guard = ReplayGuard::new(Duration::from_secs(600), 2);
        let now = Timestamp::from_micros(0);
        assert!(guard.admit("a", now) && guard.admit("b", now) && guard.admit("c", now));
        assert!(!guard.admit("c", now));
        assert!(guard.admit("a", now));
    }

    #[test]
    fn what_comes_again_has_nothing_else_forgotten() {
        let mut guard = ReplayGuard::new(Duration::from_secs(600), 2);
        let now = Timestamp::from_micros(0);
        assert!(guard.admit("a", now) && guard.admit("b", now));
        for again in ["a", "b", "b", "a"] {
            assert!(!guard.admit(again, now), "{again}");
        }
    }
}
