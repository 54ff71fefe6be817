//! The circuit breaker: when the daemon itself is in trouble, other tickets will fare no better.
//!
//! | | a failure of the daemon's own | a success | the canary is gone | somebody asks to run |
//! |---|---|---|---|---|
//! | closed | a strike; with enough of several tickets: open | the step's strikes are gone | | go |
//! | open | | of the step that failed: closed | | wait; after the pause: probing, go |
//! | probing | of the canary: open, for twice as long | of that step, or the canary beyond it: closed | open, pause over | the canary: go; others: wait |
//!
//! Strikes are counted for each step on its own: that claims succeed says nothing about a disk that is full. One ticket
//! alone never opens the breaker, since its repository may be what is broken.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use openpod_sdk::api::{TicketId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::job::failure::Class;

/// When it opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRules {
    /// So many failures in a row open it.
    pub failures: u32,
    /// For so long at first, twice as long after each canary that fails.
    pub pause: Duration,
    /// But never longer.
    pub longest: Duration,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self { failures: 5, pause: Duration::from_secs(60), longest: Duration::from_secs(3600) }
    }
}

/// The breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Breaker {
    /// Runs may begin.
    Closed {
        /// Failures in a row, by step.
        strikes: BTreeMap<String, Strikes>,
    },
    /// No run begins.
    Open {
        /// Why.
        cause: Cause,
        /// Before this.
        until: Timestamp,
        /// How often it was opened without having been closed.
        times: u32,
    },
    /// One run goes first.
    Probing {
        /// Why.
        cause: Cause,
        /// How often it was opened without having been closed.
        times: u32,
        /// Which ticket's.
        canary: TicketId,
    },
}

impl Breaker {
    /// For tables.
    pub fn name(&self) -> &'static str {
        match self {
            Breaker::Closed { .. } => "closed",
            Breaker::Open { .. } => "open",
            Breaker::Probing { .. } => "probing",
        }
    }
}

/// Failures in a row in one step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strikes {
    in_a_row: u32,
    tickets: BTreeSet<TicketId>,
}

/// What opened the breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Whose trouble it is.
    pub class: Class,
    /// In which step.
    pub step: String,
}

/// What somebody hears who asks to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Begin.
    Go,
    /// It is open.
    Wait {
        /// Why.
        cause: Cause,
        /// For so long at least.
        until: Timestamp,
    },
    /// Another ticket goes first.
    Canary(Cause),
}

/// The steps in their order: who comes beyond one has it behind it.
const WAY: [&str; 9] =
    ["claim", "prepare", "brief", "run", "collect", "push", "propose", "verify", "deliver"];

impl Default for Breaker {
    fn default() -> Self {
        Breaker::Closed { strikes: BTreeMap::new() }
    }
}

impl Breaker {
    /// A step failed for a reason that is the daemon's own.
    pub(super) fn failed(
        &mut self,
        ticket: &TicketId,
        step: &str,
        class: Class,
        now: Timestamp,
        rules: &BreakerRules,
    ) {
        match self {
            Breaker::Closed { strikes } => {
                let strike = strikes.entry(step.to_owned()).or_default();
                strike.in_a_row += 1;
                strike.tickets.insert(ticket.clone());
                if strike.in_a_row >= rules.failures && strike.tickets.len() > 1 {
                    let cause = Cause { class, step: step.to_owned() };
                    *self = Breaker::Open { cause, until: now.plus(rules.pause), times: 1 };
                }
            }
            Breaker::Probing { cause, times, canary } if canary == ticket => {
                let pause = rules.pause.saturating_mul(1 << (*times).min(16)).min(rules.longest);
                let (cause, times) = (cause.clone(), times.saturating_add(1));
                *self = Breaker::Open { cause, until: now.plus(pause), times };
            }
            Breaker::Open { .. } | Breaker::Probing { .. } => {}
        }
    }

    /// A step succeeded.
    pub(super) fn succeeded(&mut self, ticket: &TicketId, step: &str) {
        let proves = match self {
            Breaker::Closed { strikes } => {
                strikes.remove(step);
                false
            }
            Breaker::Open { cause, .. } => cause.step == step,
            Breaker::Probing { cause, canary, .. } => {
                cause.step == step || (canary == ticket && is_beyond(&cause.step, step))
            }
        };
        if proves {
            *self = Breaker::default();
        }
    }

    /// A ticket is not worked on any more.
    pub(super) fn left(&mut self, ticket: &TicketId, now: Timestamp) {
        if let Breaker::Probing { cause, times, canary } = self
            && canary == ticket
        {
            *self = Breaker::Open { cause: cause.clone(), until: now, times: *times };
        }
    }

    /// A ticket's run wants to begin.
    pub(super) fn ask(&mut self, ticket: &TicketId, now: Timestamp) -> Answer {
        match self {
            Breaker::Closed { .. } => Answer::Go,
            Breaker::Open { cause, until, .. } if now < *until => {
                Answer::Wait { cause: cause.clone(), until: *until }
            }
            Breaker::Open { cause, times, .. } => {
                *self = Breaker::Probing { cause: cause.clone(), times: *times, canary: ticket.clone() };
                Answer::Go
            }
            Breaker::Probing { canary, .. } if canary == ticket => Answer::Go,
            Breaker::Probing { cause, .. } => Answer::Canary(cause.clone()),
        }
    }
}

fn is_beyond(step: &str, reached: &str) -> bool {
    let place = |step: &str| WAY.iter().position(|known| *known == step);
    matches!((place(step), place(reached)), (Some(failed), Some(reached)) if reached > failed)
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "several tickets in a row failed at {} ({})", self.step, self.class.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: BreakerRules =
        BreakerRules { failures: 3, pause: Duration::from_secs(60), longest: Duration::from_secs(200) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn cause() -> Cause {
        Cause { class: Class::Disk, step: "run".into() }
    }

    fn open(until: i64, times: u32) -> Breaker {
        Breaker::Open { cause: cause(), until: at(until), times }
    }

    fn probing(times: u32) -> Breaker {
        Breaker::Probing { cause: cause(), times, canary: "a".into() }
    }

    fn failed(breaker: &mut Breaker, ticket: &str, step: &str, now: i64) {
        breaker.failed(&ticket.into(), step, Class::Disk, at(now), &RULES);
    }

    /// The breaker after something happened to it at second 100.
    fn after(mut breaker: Breaker, what: &str) -> Breaker {
        let (verb, rest) = what.split_once(' ').unwrap();
        let (ticket, step) = rest.split_once(' ').unwrap_or((rest, ""));
        match verb {
            "fails" => failed(&mut breaker, ticket, step, 100),
            "does" => breaker.succeeded(&ticket.into(), step),
            "leaves" => breaker.left(&ticket.into(), at(100)),
            "asks" => drop(breaker.ask(&ticket.into(), at(100))),
            other => panic!("{other}"),
        }
        breaker
    }

    fn letter(breaker: &Breaker) -> String {
        match breaker {
            Breaker::Closed { strikes } => {
                format!("closed {}", strikes.values().map(|strike| strike.in_a_row).sum::<u32>())
            }
            Breaker::Open { until, times, .. } => format!("open {} {times}", until.as_seconds()),
            Breaker::Probing { canary, times, .. } => format!("probing {canary} {times}"),
        }
    }

    #[test]
    fn every_pair_of_state_and_event_is_decided() {
        let mut struck = Breaker::default();
        failed(&mut struck, "a", "run", 1);
        failed(&mut struck, "a", "run", 2);
        let events = [
            "fails a run",
            "fails b run",
            "fails b push",
            "does b prepare",
            "does b run",
            "does a push",
            "leaves a",
            "leaves b",
            "asks a",
            "asks b",
        ];
        let with = |text: &'static str, changes: &[(usize, &'static str)]| {
            let mut row = [text; 10];
            changes.iter().for_each(|(column, text)| row[*column] = text);
            row
        };
        let table = [
            (Breaker::default(), with("closed 0", &[(0, "closed 1"), (1, "closed 1"), (2, "closed 1")])),
            (
                struck,
                with("closed 2", &[(0, "closed 3"), (1, "open 160 1"), (2, "closed 3"), (4, "closed 0")]),
            ),
            (open(160, 1), with("open 160 1", &[(4, "closed 0")])),
            (open(100, 1), with("open 100 1", &[(4, "closed 0"), (8, "probing a 1"), (9, "probing b 1")])),
            (
                probing(1),
                with(
                    "probing a 1",
                    &[(0, "open 220 2"), (4, "closed 0"), (5, "closed 0"), (6, "open 100 1")],
                ),
            ),
        ];
        for (breaker, expected) in table {
            let got = events.map(|event| letter(&after(breaker.clone(), event)));
            assert_eq!(got.each_ref().map(String::as_str), expected, "{breaker:?}");
        }
    }

    #[test]
    fn the_pause_doubles_with_each_canary_that_fails_and_ends_at_the_longest() {
        let pauses: Vec<i64> = (1..6)
            .map(|times| match after(probing(times), "fails a prepare") {
                Breaker::Open { until, .. } => until.as_seconds() - 100,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(pauses, [120, 200, 200, 200, 200]);
    }

    #[test]
    fn one_ticket_alone_does_not_open_it() {
        let mut breaker = Breaker::default();
        (0..50).for_each(|second| failed(&mut breaker, "a", "prepare", second));
        assert!(matches!(breaker, Breaker::Closed { .. }));
    }

    #[test]
    fn whoever_has_to_wait_hears_why_and_how_long() {
        assert_eq!(open(160, 1).ask(&"b".into(), at(100)), Answer::Wait { cause: cause(), until: at(160) });
        assert_eq!(probing(1).ask(&"b".into(), at(100)), Answer::Canary(cause()));
        assert_eq!(probing(1).ask(&"a".into(), at(100)), Answer::Go);
        assert_eq!(open(100, 1).ask(&"b".into(), at(100)), Answer::Go);
    }
}
