//! Looks at the platform: at intervals, and when woken. What it sees becomes an event.

use std::sync::Arc;
use std::time::Duration;

use openpod_sdk::api::Timestamp;
use openpod_sdk::clock::Clock;
use openpod_sdk::{Client, Dialect};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Pace;
use crate::effects::failure_of;
use crate::event::Event;
use crate::job::Failure;

/// Hints that arrive within this time of a look are answered by one look after it.
const GAP: Duration = Duration::from_millis(100);
/// No pause after failures is longer, unless the platform asks for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// The heartbeat.
pub struct Heartbeat {
    /// The platform.
    pub client: Client,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bits, for jitter.
    pub random: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// How often.
    pub pace: Pace,
    /// Who wakes it. Several wakes while it looks are one.
    pub wake: Arc<Notify>,
    /// Who wants to know.
    pub events: mpsc::Sender<Event>,
}

impl Heartbeat {
    /// Looks until it is stopped.
    pub async fn run(self, stop: CancellationToken) {
        let mut last: Option<Timestamp> = None;
        let mut failures = 0;
        let mut due = None;
        loop {
            let asked_at = self.clock.now();
            // A timer is late by a millisecond or two, which is not to be added to every interval.
            let began = due.unwrap_or_else(Instant::now);
            let answer = tokio::select! {
                () = stop.cancelled() => return,
                answer = self.client.heartbeat(since(self.client.dialect(), last)) => answer,
            };
            let answer = answer.map_err(|error| failure_of(&error));
            failures = if answer.is_ok() { 0 } else { failures + 1 };
            let (mut pause, took) =
                (pause(&self.pace, failures, answer.as_ref().err(), (self.random)()), began.elapsed());
            if answer.is_ok() {
                pause = rest_of(pause, took);
            }
            let end = began + took + pause;
            if let Ok(seen) = &answer {
                last = Some(seen.timestamp);
            }
            let next_at = self.clock.now().plus(pause);
            let beat = Event::Beat { asked_at, answer: answer.map(Box::new), next_at };
            if self.events.send(beat).await.is_err() {
                return;
            }
            due = tokio::select! {
                () = stop.cancelled() => return,
                due = self.rest(end, failures > 0) => due,
            };
        }
    }

    /// Waits for the next look, and answers since when it is due, if it was not woken early. In trouble nothing wakes it
    /// early: whoever asked us to wait is right.
    async fn rest(&self, end: Instant, in_trouble: bool) -> Option<Instant> {
        if in_trouble {
            tokio::time::sleep_until(end).await;
            return Some(end);
        }
        tokio::time::sleep_until(end.min(Instant::now() + GAP)).await;
        let woken = tokio::time::timeout_at(end, self.wake.notified()).await;
        woken.is_err().then_some(end)
    }
}

/// What to ask for. The deployed service lists only what changed since then; a ticket that had to wait would be forgotten.
fn since(dialect: Dialect, last: Option<Timestamp>) -> Option<Timestamp> {
    match dialect {
        Dialect::Documented => last,
        Dialect::Deployed => Some(Timestamp::from_micros(0)),
    }
}

/// How long to wait: the interval, more after each failure in a row, never shorter than asked, with jitter.
fn pause(pace: &Pace, failures: u32, failure: Option<&Failure>, random: u64) -> Duration {
    let chance = random as f64 / u64::MAX as f64;
    let jittered = |time: Duration| time.mul_f64(1.0 + pace.jitter * (chance - 0.5));
    if failures == 0 {
        // News falls into long pauses more often than into short ones. With this it waits half an interval on average all
        // the same, however much is left to chance.
        return jittered(pace.interval).div_f64(1.0 + pace.jitter.powi(2) / 12.0);
    }
    let backed_off = pace.interval.saturating_mul(1 << (failures - 1).min(16)).min(LONGEST_PAUSE);
    let asked = failure.and_then(|failure| failure.retry_after).unwrap_or_default();
    asked + jittered(backed_off.max(Duration::from_millis(100)))
}

/// What is left of an interval that began when a look did: looks are as far apart as was asked, however long they take. A
/// platform that takes long is left alone for half of it all the same.
fn rest_of(interval: Duration, took: Duration) -> Duration {
    interval.saturating_sub(took).max(interval / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Class;

    #[test]
    fn pauses_are_jittered_grow_with_failures_and_honour_what_was_asked() {
        let minute = Duration::from_secs(60);
        let pace = Pace { interval: Duration::from_secs(30), jitter: 0.2, scout: minute, look_again: minute };
        let secs = |failures, failure, random| pause(&pace, failures, failure, random).as_secs_f64().round();
        assert_eq!((secs(0, None, 0), secs(0, None, u64::MAX)), (27.0, 33.0));
        let half = u64::MAX / 2;
        let growing: Vec<f64> = (0..6).map(|failures| secs(failures, None, half)).collect();
        assert_eq!(growing, [30.0, 30.0, 60.0, 120.0, 120.0, 120.0]);
        let mut limited = Failure::passing(Class::Platform, "429");
        limited.retry_after = Some(Duration::from_secs(300));
        assert_eq!(secs(1, Some(&limited), half), 330.0);
    }

    #[test]
    fn news_waits_half_an_interval_on_average_however_much_is_left_to_chance() {
        let (minute, count) = (Duration::from_secs(60), 10_000_u64);
        for jitter in [0.0, 0.2, 1.0] {
            let pace = Pace { interval: minute, jitter, scout: minute, look_again: minute };
            let chances = (0..count).map(|number| u64::MAX / count * number);
            let pauses: Vec<f64> =
                chances.map(|chance| pause(&pace, 0, None, chance).as_secs_f64()).collect();
            let (all, squares) =
                (pauses.iter().sum::<f64>(), pauses.iter().map(|pause| pause.powi(2)).sum::<f64>());
            let waits = squares / 2.0 / all;
            assert!((waits - 30.0).abs() < 0.01, "{waits} with {jitter}");
        }
    }

    fn resting() -> Heartbeat {
        let minute = Duration::from_secs(60);
        Heartbeat {
            client: Client::builder("http://127.0.0.1:9").build().unwrap(),
            clock: Arc::new(openpod_sdk::clock::SystemClock),
            random: Arc::new(|| 0),
            pace: Pace { interval: minute, jitter: 0.0, scout: minute, look_again: minute },
            wake: Arc::default(),
            events: mpsc::channel(1).0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_counts_from_when_it_was_due_unless_it_was_woken_early() {
        let (heartbeat, second) = (resting(), Duration::from_secs(1));
        let end = Instant::now() + second;
        assert_eq!((heartbeat.rest(end, false).await, Instant::now()), (Some(end), end));
        heartbeat.wake.notify_one();
        assert_eq!((heartbeat.rest(end + second, false).await, Instant::now()), (None, end + GAP));
        heartbeat.wake.notify_one();
        let trouble = heartbeat.rest(end + second, true).await;
        assert_eq!((trouble, Instant::now()), (Some(end + second), end + second));
    }

    #[test]
    fn an_interval_begins_with_its_look_and_half_of_it_is_rest() {
        let rest =
            [0, 3, 15, 40].map(|took| rest_of(Duration::from_secs(30), Duration::from_secs(took)).as_secs());
        assert_eq!(rest, [30, 27, 15, 15]);
    }
}
