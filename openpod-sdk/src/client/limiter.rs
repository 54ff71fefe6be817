//! Stays below what the service allows, for all clones of a client together. Pure, but for the lock.
//!
//! At most so many calls begin within any minute, the first ones at once. What a service says of its limits is believed:
//! how many calls are left (`X-RateLimit-Remaining`, with `X-RateLimit-Window` in seconds), and how long to wait.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName};

const MINUTE: Duration = Duration::from_secs(60);
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const WINDOW: HeaderName = HeaderName::from_static("x-ratelimit-window");

/// How many calls may begin, and when the last ones did, by a [`Timer`](super::Timer).
#[derive(Default)]
pub(super) struct Limiter(Mutex<Window>);

#[derive(Default)]
struct Window {
    begun: VecDeque<Duration>,
    closed_until: Option<Duration>,
}

impl Limiter {
    /// Lets a call begin now, or says how long to wait before asking again.
    pub(super) fn admit(&self, most: usize, now: Duration) -> Result<(), Duration> {
        self.window().admit(most.max(1), now)
    }

    /// Takes in what an answer says.
    pub(super) fn learn(&self, headers: &HeaderMap, asked_to_wait: Option<Duration>, now: Duration) {
        let number = |name: HeaderName| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let spent = number(REMAINING) == Some(0);
        let window = || number(WINDOW).map_or(MINUTE, Duration::from_secs);
        if let Some(wait) = asked_to_wait.or_else(|| spent.then(window)) {
            self.window().close(now.saturating_add(wait));
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn admit(&mut self, most: usize, now: Duration) -> Result<(), Duration> {
        while self.begun.front().is_some_and(|begun| now.saturating_sub(*begun) >= MINUTE) {
            self.begun.pop_front();
        }
        let closed = self.closed_until.and_then(|until| until.checked_sub(now));
        if let Some(wait) = closed.filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        match self.begun.len().checked_sub(most).and_then(|behind| self.begun.get(behind)) {
            Some(oldest) => Err(oldest.saturating_add(MINUTE).saturating_sub(now)),
            None => {
                self.begun.push_back(now);
                Ok(())
            }
        }
    }

    fn close(&mut self, until: Duration) {
        self.closed_until = self.closed_until.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_calls_begin_at_once_and_the_next_when_the_oldest_is_a_minute_old() {
        let (limiter, start) = (Limiter::default(), Duration::ZERO);
        assert_eq!([0, 10].map(|at| limiter.admit(2, start + secs(at))), [Ok(()); 2]);
        assert_eq!(limiter.admit(2, start + secs(20)), Err(secs(40)));
        assert_eq!(limiter.admit(2, start + secs(60)), Ok(()));
        assert_eq!(limiter.admit(2, start + secs(60)), Err(secs(10)));
    }

    #[test]
    fn what_the_service_says_is_believed() {
        let start = Duration::ZERO;
        let said = |headers: &[(&'static str, &str)], asked: Option<u64>| {
            let limiter = Limiter::default();
            let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            limiter.learn(&headers.collect(), asked.map(secs), start);
            limiter.admit(60, start + secs(1))
        };
        assert_eq!(said(&[("x-ratelimit-remaining", "57")], None), Ok(()));
        assert_eq!(
            said(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-window", "30")], None),
            Err(secs(29))
        );
        assert_eq!(said(&[("x-ratelimit-remaining", "0")], None), Err(secs(59)));
        assert_eq!(said(&[], Some(10)), Err(secs(9)));
        assert_eq!(said(&[("x-ratelimit-remaining", "none")], None), Ok(()));
    }

    proptest! {
        #[test]
        fn no_minute_ever_holds_more_than_the_limit(
            most in 1_usize..8,
            pauses in proptest::collection::vec(0_u64..30, 1..60),
        ) {
            let (limiter, mut now, mut begun) = (Limiter::default(), Duration::ZERO, Vec::new());
            for pause in pauses {
                now += secs(pause);
                while let Err(wait) = limiter.admit(most, now) {
                    prop_assert!(!wait.is_zero() && wait <= MINUTE);
                    now += wait;
                }
                begun.push(now);
            }
            for window in begun.windows(most + 1) {
                prop_assert!(window[most].saturating_sub(window[0]) >= MINUTE);
            }
        }
    }
}
