//! The heartbeat as a stream that never forgets where it was.
//!
//! ```text
//!               answer: changes ──▶ shortest pause
//!   ask ──▶     answer: none    ──▶ twice the pause, up to the longest
//!               passing failure ──▶ twice the pause, no less than the service asks for; the same question again
//!               final refusal   ──▶ the end
//! ```

use std::fmt;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use super::timer::Boxed;
use super::{Client, Error, ErrorKind};
use crate::api::Timestamp;
use crate::api::heartbeat::Heartbeat;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(86_400);

/// Heartbeats, one after the other. See [`Client::heartbeats`].
#[must_use = "a stream asks for nothing until it is polled"]
pub struct Heartbeats {
    client: Client,
    pace: Pace,
    since: Option<Timestamp>,
    state: State,
}

enum State {
    Due,
    Asked(Boxed<Result<Heartbeat, Error>>),
    Resting(Boxed<()>),
    Over,
}

/// How long to rest. Pure.
#[derive(Debug, Clone)]
struct Pace {
    shortest: Duration,
    longest: Duration,
    jitter: f64,
    current: Duration,
}

impl Client {
    /// Heartbeats for as long as somebody polls: `GET /heartbeat` again and again, at first every 15 s, less often while
    /// nothing changes (at least every 2 min), and at once more often when something does.
    ///
    /// ```no_run
    /// # async fn example(client: openpod_sdk::Client) {
    /// let mut heartbeats = client.heartbeats();
    /// while let Some(heartbeat) = heartbeats.next().await {
    ///     match heartbeat {
    ///         Ok(heartbeat) if heartbeat.has_changes => println!("{:?}", heartbeat.next_step),
    ///         Ok(_) => {}
    ///         Err(error) => eprintln!("{error}"),
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// Nothing falls between two of them: each asks for what changed since the last one that *came*, so a failed one loses
    /// nothing. (The deployed service tells a time after it has read; the dialect asks it for a minute more.) A failure is
    /// told and then tried again later, no sooner than the service asks for; only a refusal that no waiting can change (a
    /// key that is no longer good, for one) is the last thing that comes.
    ///
    /// Beside a webhook, give it a slow pace and let each delivery hurry it ([`Heartbeats::at_once`]). A dropped stream goes
    /// on from [`Heartbeats::position`].
    pub fn heartbeats(&self) -> Heartbeats {
        let pace = Pace {
            shortest: Duration::from_secs(15),
            longest: Duration::from_secs(120),
            jitter: 0.2,
            current: Duration::from_secs(15),
        };
        Heartbeats { client: self.clone(), pace, since: None, state: State::Due }
    }
}

impl Heartbeats {
    /// How long to rest between two: the shortest while something changes, the longest while nothing does. Two equal times
    /// make an even pace. From 100 ms to a day.
    pub fn every(mut self, pause: RangeInclusive<Duration>) -> Self {
        self.pace.shortest = (*pause.start()).clamp(SHORTEST, LONGEST);
        self.pace.longest = (*pause.end()).clamp(self.pace.shortest, LONGEST);
        self.pace.current = self.pace.shortest;
        self
    }

    /// By which part of itself a rest may be longer or shorter, from 0 to 1: 0.2 unless told. Many agents that begin at
    /// the same moment then do not ask at the same moment. What is no number counts as 0.
    pub fn jitter(mut self, part: f64) -> Self {
        self.pace.jitter = if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) };
        self
    }

    /// Goes on from where another stream was.
    pub fn since(mut self, position: Timestamp) -> Self {
        self.since = Some(position);
        self
    }

    /// What the next one asks for: keep it, and [`Heartbeats::since`] goes on from there. `None` before the first came.
    pub fn position(&self) -> Option<Timestamp> {
        self.since
    }

    /// Does not rest before the next one: for who hears from a webhook that there is something to see. One that is under
    /// way began before that was heard; it is asked for again, and takes up where it was.
    ///
    /// ```no_run
    /// # async fn example(client: openpod_sdk::Client, mut told: tokio::sync::mpsc::Receiver<()>) {
    /// # let minutes = |n: u64| std::time::Duration::from_secs(60 * n);
    /// let mut heartbeats = client.heartbeats().every(minutes(5)..=minutes(10));
    /// loop {
    ///     tokio::select! {
    ///         Some(()) = told.recv() => heartbeats.at_once(),
    ///         Some(heartbeat) = heartbeats.next() => println!("{heartbeat:?}"),
    ///         else => break,
    ///     }
    /// }
    /// # }
    /// ```
    pub fn at_once(&mut self) {
        if !matches!(self.state, State::Over) {
            self.state = State::Due;
        }
    }

    /// The next one. `None` only after a failure that is final.
    pub async fn next(&mut self) -> Option<Result<Heartbeat, Error>> {
        std::future::poll_fn(|cx| self.poll_beat(cx)).await
    }

    fn poll_beat(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Heartbeat, Error>>> {
        loop {
            match &mut self.state {
                State::Over => return Poll::Ready(None),
                State::Due => {
                    let (client, since) = (self.client.clone(), self.since);
                    self.state = State::Asked(Box::pin(async move { client.heartbeat(since).await }));
                }
                State::Resting(rest) => {
                    ready!(rest.as_mut().poll(cx));
                    self.state = State::Due;
                }
                State::Asked(answer) => {
                    let answer = ready!(answer.as_mut().poll(cx));
                    let pause = self.pace.after(&answer, (self.client.shared.random)());
                    self.state = match &answer {
                        Err(error) if is_final(error) => State::Over,
                        _ => State::Resting(self.client.shared.timer.sleep(pause)),
                    };
                    if let Ok(heartbeat) = &answer {
                        self.since = Some(heartbeat.timestamp);
                    }
                    return Poll::Ready(Some(answer));
                }
            }
        }
    }
}

/// Whether asking again cannot help.
fn is_final(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::InvalidRequest | ErrorKind::Unsupported => true,
        ErrorKind::Refused => error.is_from_service() && error.status() != Some(408),
        _ => false,
    }
}

impl Pace {
    fn after(&mut self, answer: &Result<Heartbeat, Error>, random: u64) -> Duration {
        self.current = match answer {
            Ok(heartbeat) if heartbeat.has_changes => self.shortest,
            _ => self.current.saturating_mul(2).min(self.longest),
        };
        let asked = answer.as_ref().err().and_then(Error::retry_after).unwrap_or_default();
        let chance = random as f64 / u64::MAX as f64;
        asked.saturating_add(self.current.mul_f64(1.0 + self.jitter * (2.0 * chance - 1.0)))
    }
}

impl Stream for Heartbeats {
    type Item = Result<Heartbeat, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_beat(cx)
    }
}

impl fmt::Debug for Heartbeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeats")
            .field("pace", &self.pace)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::{Answer, Fault};
    use super::*;

    fn pace() -> Pace {
        let secs = Duration::from_secs;
        Pace { shortest: secs(10), longest: secs(60), jitter: 0.2, current: secs(10) }
    }

    fn came(has_changes: bool) -> Result<Heartbeat, Error> {
        let (tickets, messages, applications) = Default::default();
        let timestamp = Timestamp::from_micros(0);
        Ok(Heartbeat { has_changes, timestamp, tickets, messages, applications, next_step: None })
    }

    fn failed(status: u16, retry_after: Option<u64>, ours: bool) -> Result<Heartbeat, Error> {
        let retry_after = retry_after.map(Duration::from_secs);
        let answer = Answer { status, retry_after, ours, ..Answer::default() };
        Err(Error::new("GetHeartbeat", Fault::Answered(Box::new(answer)), 1, Duration::ZERO))
    }

    #[test]
    fn rests_grow_while_nothing_changes_and_are_short_again_when_something_does() {
        let (mut pace, even) = (pace(), u64::MAX / 2);
        let mut rest = |answer| pace.after(&answer, even).as_secs_f64().round();
        assert_eq!([false, false, false, false].map(|idle| rest(came(idle))), [20.0, 40.0, 60.0, 60.0]);
        assert_eq!(rest(came(true)), 10.0);
        assert_eq!(rest(failed(503, None, true)), 20.0);
        assert_eq!(rest(failed(429, Some(300), true)), 340.0);
    }

    #[test]
    fn jitter_goes_both_ways_and_no_further_than_told() {
        let rest = |random| pace().after(&came(true), random).as_secs_f64().round();
        assert_eq!((rest(0), rest(u64::MAX)), (8.0, 12.0));
    }

    #[test]
    fn only_what_waiting_cannot_change_is_final() {
        let is_final = |answer: Result<Heartbeat, Error>| is_final(&answer.unwrap_err());
        assert!(is_final(failed(401, None, true)) && is_final(failed(400, None, true)));
        for passing in [failed(429, None, true), failed(503, None, true), failed(404, None, false)] {
            assert!(!is_final(passing));
        }
    }
}
