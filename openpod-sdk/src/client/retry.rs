//! When to try again. Pure, but for the budget's counter.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::error::Fault;

/// When and how often to try again.
///
/// | what happened | repeatable | not repeatable |
/// |---|---|---|
/// | never sent | again | again |
/// | 429 | again | again |
/// | 408, 500, 502, 503, 504 | again | no |
/// | sent, no answer | again | no |
/// | anything else | no | no |
///
/// Repeatable is what only reads, and what has the effect of once when it is done twice, unless it names a version to match.
/// What has an idempotency key (each call that creates something does) is repeatable once the service has said that it
/// honours them; see [`Idempotency`](crate::api::Idempotency).
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// How many attempts at most, the first included.
    pub attempts: u32,
    /// The first pause is a random part of this, each further one of twice as much.
    pub base: Duration,
    /// No pause is longer, unless the server asks for it with `Retry-After`.
    pub ceiling: Duration,
    /// No attempt that has to wait begins later than this after the call did: what would, is left to the caller.
    pub deadline: Duration,
    /// How many retries all clones may have in flight or behind them beyond one for every ten successes.
    pub budget: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(250),
            ceiling: Duration::from_secs(10),
            deadline: Duration::from_secs(90),
            budget: 20,
        }
    }
}

impl RetryPolicy {
    /// Never tries again.
    pub fn never() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    pub(super) fn pause(
        &self,
        repeatable: bool,
        fault: &Fault,
        attempt: u32,
        random: u64,
    ) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let again = match fault {
            Fault::NeverSent(_) => true,
            Fault::Interrupted(_) => repeatable,
            Fault::Answered(answer) => match answer.status {
                429 => true,
                408 | 500 | 502 | 503 | 504 => repeatable,
                _ => false,
            },
            Fault::Request(_)
            | Fault::Unsupported(_)
            | Fault::HeldBack(_)
            | Fault::TooLarge
            | Fault::Malformed { .. }
            | Fault::OutcomeUnknown(_) => false,
        };
        let asked = match fault {
            Fault::Answered(answer) => answer.retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        again.then(|| asked.saturating_add(self.jittered(attempt, random)))
    }

    /// Full jitter: anything from nothing to the doubled base.
    fn jittered(&self, attempt: u32, random: u64) -> Duration {
        let longest = self.base.saturating_mul(1 << (attempt - 1).min(16)).min(self.ceiling);
        let part = random as f64 / u64::MAX as f64;
        Duration::try_from_secs_f64(longest.as_secs_f64() * part).unwrap_or(longest)
    }
}

/// Keeps retries from multiplying the load of a service in trouble. Counts in tenths.
pub(super) struct Budget {
    tenths: AtomicU32,
    full: u32,
}

impl Budget {
    pub(super) fn new(retries: u32) -> Self {
        let full = retries.saturating_mul(10);
        Self { tenths: AtomicU32::new(full), full }
    }

    pub(super) fn take(&self) -> bool {
        self.tenths.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(10)).is_ok()
    }

    pub(super) fn refill(&self) {
        let more = |left: u32| (left < self.full).then_some(left + 1);
        let _ = self.tenths.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Answer;
    use super::*;

    fn answered(status: u16, retry_after: Option<u64>) -> Fault {
        let retry_after = retry_after.map(Duration::from_secs);
        Fault::Answered(Box::new(Answer { status, retry_after, ..Answer::default() }))
    }

    #[test]
    fn what_may_be_repeated_follows_the_table() {
        let policy = RetryPolicy::default();
        let again = |fault: &Fault, repeatable| policy.pause(repeatable, fault, 1, 0).is_some();
        let cases = [
            (Fault::NeverSent("refused".into()), true, true),
            (answered(429, None), true, true),
            (answered(408, None), true, false),
            (answered(500, None), true, false),
            (answered(503, None), true, false),
            (Fault::Interrupted("reset".into()), true, false),
            (answered(400, None), false, false),
            (answered(409, None), false, false),
            (answered(412, None), false, false),
            (answered(501, None), false, false),
            (Fault::TooLarge, false, false),
            (Fault::Request("no key".into()), false, false),
        ];
        for (fault, repeatable, not) in cases {
            assert_eq!((again(&fault, true), again(&fault, false)), (repeatable, not), "{fault}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_ceiling_and_honour_what_the_server_asks() {
        let policy = RetryPolicy { attempts: 30, ..RetryPolicy::default() };
        let pause = |attempt, random| policy.pause(true, &answered(503, None), attempt, random).unwrap();
        assert_eq!(pause(1, u64::MAX), Duration::from_millis(250));
        assert_eq!(pause(3, u64::MAX), Duration::from_secs(1));
        assert_eq!(pause(29, u64::MAX), Duration::from_secs(10));
        assert_eq!(pause(29, 0), Duration::ZERO);
        assert_eq!(policy.pause(false, &answered(429, Some(7)), 1, 0), Some(Duration::from_secs(7)));
        assert_eq!(policy.pause(true, &answered(503, None), 30, 0), None);
        let endless = RetryPolicy { base: Duration::MAX, ceiling: Duration::MAX, ..policy };
        assert_eq!(endless.pause(true, &answered(503, None), 1, u64::MAX), Some(Duration::MAX));
    }

    #[test]
    fn the_budget_pays_for_retries_with_successes() {
        let budget = Budget::new(1);
        assert!(budget.take() && !budget.take());
        (0..10).for_each(|_| budget.refill());
        assert!(budget.take() && !budget.take());
    }
}
