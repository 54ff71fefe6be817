//! When a webhook is tried again, and when it is given up.
//!
//! ```text
//!   attempt    1     2     3      4      5     6     7     8      9      10
//!   pause      0   5 s   5 min  30 min  2 h   5 h  10 h   14 h   20 h   24 h   after the one before, ±20 %
//!
//!   2xx                       ─▶ delivered, the webhook works
//!   410                       ─▶ the webhook is disabled: its receiver is gone for good
//!   anything else, no answer  ─▶ again after the pause, or after Retry-After when that is longer;
//!                                after the tenth attempt the delivery has failed
//!   5 days without a success  ─▶ the webhook is disabled
//! ```
//!
//! A test is attempted once, and its failure says nothing of the webhook.

use std::time::Duration;

use openpod_sdk::api::Timestamp;

/// The pauses after the first, second … failed attempt, in seconds.
const PAUSES: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// How long a webhook may fail without a success in between.
pub const PATIENCE: Duration = Duration::from_secs(5 * 86_400);

/// A receiver may ask for a pause of this length, not for a longer one.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(86_400);

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Accepted,
    /// The receiver is gone for good.
    Gone,
    /// It did not work this time.
    Failed {
        /// How long the receiver asks to be left alone.
        retry_after: Option<Duration>,
    },
}

impl Outcome {
    /// From the status of an answer and the pause that it asks for.
    pub fn of_status(status: u16, retry_after: Option<Duration>) -> Outcome {
        match status {
            200..=299 => Outcome::Accepted,
            410 => Outcome::Gone,
            _ => Outcome::Failed { retry_after },
        }
    }
}

/// What was known before the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Attempts at this delivery before this one, since it was last replayed.
    pub attempts: u32,
    /// Whether it is a test.
    pub is_test: bool,
    /// When the webhook first failed after its last success.
    pub failing_since: Option<Timestamp>,
}

/// What becomes of the delivery and of its webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was delivered.
    Delivered,
    /// It is tried again; the webhook fails since then.
    Again {
        /// When.
        at: Timestamp,
        /// Since when the webhook fails.
        failing_since: Timestamp,
    },
    /// It is not tried again, other deliveries are.
    GivenUp {
        /// Since when the webhook fails, if it does.
        failing_since: Option<Timestamp>,
    },
    /// Nothing is delivered to the webhook any more.
    Disabled(Reason),
}

/// Why a webhook was disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It answered 410.
    Gone,
    /// It failed for too long.
    Failing,
}

impl Reason {
    /// The sentence for the agent.
    pub fn sentence(self) -> &'static str {
        match self {
            Reason::Gone => "the receiver answered 410 Gone; enable the webhook again when it is back",
            Reason::Failing => {
                "no delivery succeeded for 5 days; mend the receiver and enable the webhook again"
            }
        }
    }
}

/// Decides after an attempt that ended at `now`. `dice` is any random number.
pub fn decide(history: History, outcome: Outcome, now: Timestamp, dice: u32) -> Fate {
    let retry_after = match outcome {
        Outcome::Accepted => return Fate::Delivered,
        Outcome::Gone => return Fate::Disabled(Reason::Gone),
        Outcome::Failed { retry_after } => retry_after.unwrap_or_default().min(LONGEST_PAUSE),
    };
    if history.is_test {
        return Fate::GivenUp { failing_since: history.failing_since };
    }
    let failing_since = history.failing_since.unwrap_or(now);
    if now.since(failing_since) >= PATIENCE {
        return Fate::Disabled(Reason::Failing);
    }
    match PAUSES.get(history.attempts as usize) {
        Some(seconds) => {
            let at = now.plus(jittered(Duration::from_secs(*seconds), dice).max(retry_after));
            Fate::Again { at, failing_since }
        }
        None => Fate::GivenUp { failing_since: Some(failing_since) },
    }
}

/// From four fifths to six fifths of `pause`.
fn jittered(pause: Duration, dice: u32) -> Duration {
    pause.mul_f64(0.8 + 0.4 * f64::from(dice) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIDDLE: u32 = u32::MAX / 2;

    fn now() -> Timestamp {
        "2026-03-12T10:30:00Z".parse().unwrap()
    }

    fn failed(retry_after: Option<u64>) -> Outcome {
        Outcome::Failed { retry_after: retry_after.map(Duration::from_secs) }
    }

    fn history(attempts: u32, failing_since: Option<Timestamp>) -> History {
        History { attempts, is_test: false, failing_since }
    }

    fn pause(attempts: u32, retry_after: Option<u64>, dice: u32) -> Option<u64> {
        match decide(history(attempts, None), failed(retry_after), now(), dice) {
            Fate::Again { at, failing_since } => {
                assert_eq!(failing_since, now());
                Some(at.since(now()).as_secs_f64().round() as u64)
            }
            Fate::GivenUp { .. } => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_pauses_grow_and_the_tenth_attempt_is_the_last() {
        let pauses: Vec<_> = (0..10).map(|attempts| pause(attempts, None, MIDDLE)).collect();
        let hours = |n: u64| Some(n * 3600);
        assert_eq!(
            pauses,
            [
                Some(5),
                Some(300),
                Some(1800),
                hours(2),
                hours(5),
                hours(10),
                hours(14),
                hours(20),
                hours(24),
                None
            ]
        );
    }

    #[test]
    fn the_receiver_may_ask_for_a_longer_pause_up_to_a_day_and_never_for_a_shorter_one() {
        assert_eq!(pause(0, Some(60), MIDDLE), Some(60));
        assert_eq!(pause(2, Some(60), MIDDLE), Some(1800));
        assert_eq!(pause(0, Some(10_000_000), MIDDLE), Some(86_400));
        assert_eq!(pause(9, Some(60), MIDDLE), None);
    }

    #[test]
    fn every_status_has_its_outcome() {
        for status in 100..600 {
            let expected = match status {
                200..=299 => Outcome::Accepted,
                410 => Outcome::Gone,
                _ => failed(Some(7)),
            };
            assert_eq!(Outcome::of_status(status, Some(Duration::from_secs(7))), expected, "{status}");
        }
    }

    #[test]
    fn success_delivers_and_gone_disables_whatever_came_before() {
        for attempts in 0..12 {
            for failing_since in [None, Some(now().minus(PATIENCE * 2))] {
                for is_test in [false, true] {
                    let history = History { is_test, ..history(attempts, failing_since) };
                    assert_eq!(decide(history, Outcome::Accepted, now(), 0), Fate::Delivered);
                    assert_eq!(decide(history, Outcome::Gone, now(), 0), Fate::Disabled(Reason::Gone));
                }
            }
        }
    }

    #[test]
    fn five_days_without_a_success_disable_and_a_moment_less_does_not() {
        let at = |failing_for: Duration| {
            decide(history(0, Some(now().minus(failing_for))), failed(None), now(), MIDDLE)
        };
        assert_eq!(at(PATIENCE), Fate::Disabled(Reason::Failing));
        let since = now().minus(PATIENCE - Duration::from_micros(1));
        assert!(
            matches!(at(PATIENCE - Duration::from_micros(1)), Fate::Again { failing_since, .. } if failing_since == since)
        );
    }

    #[test]
    fn a_test_is_not_repeated_and_leaves_the_webhook_as_it_was() {
        for failing_since in [None, Some(now().minus(PATIENCE * 2))] {
            let test = History { is_test: true, ..history(0, failing_since) };
            assert_eq!(decide(test, failed(Some(60)), now(), MIDDLE), Fate::GivenUp { failing_since });
        }
    }

    proptest! {
        #[test]
        fn the_jitter_stays_within_a_fifth(attempts in 0usize..9, dice: u32) {
            let Fate::Again { at, .. } = decide(history(attempts as u32, None), failed(None), now(), dice) else { panic!("given up") };
            let (pause, base) = (at.since(now()).as_secs_f64(), PAUSES[attempts] as f64);
            prop_assert!((base * 0.799..=base * 1.201).contains(&pause), "{pause} of {base}");
        }
    }
}
