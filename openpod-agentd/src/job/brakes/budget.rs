//! Budgets, what was spent of them, and what is left for one more run.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::usage::Usage;
use super::{Brake, SHORTEST_RUN};

/// How much may be spent. What is absent has no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// Runs that begin.
    pub runs: Option<u32>,
    /// From their start to their end.
    pub run_time: Option<Duration>,
    /// As the workers claim it.
    pub tokens: Option<u64>,
    /// Millionths of a US dollar, as the workers claim it.
    pub cost_micros: Option<u64>,
}

/// All budgets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budgets {
    /// Of one run, beside its wall clock.
    pub run: Allowance,
    /// Of one ticket, over all rounds.
    pub ticket: Budget,
    /// Of all tickets of all agents on one day.
    pub day: Budget,
    /// Of all tickets of all agents, ever.
    pub daemon: Budget,
}

/// Whose budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One ticket's.
    Ticket,
    /// One day's.
    Day,
    /// The daemon's.
    Daemon,
}

/// Of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Runs.
    Runs,
    /// Seconds.
    RunTime,
    /// Tokens.
    Tokens,
    /// Millionths of a US dollar.
    Cost,
}

/// What one run may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// From start to end.
    pub wall: Duration,
    /// By its own claim; no limit when absent.
    pub tokens: Option<u64>,
    /// Millionths of a US dollar, by its own claim; no limit when absent.
    pub cost_micros: Option<u64>,
}

/// What was spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Runs that began.
    pub runs: u32,
    /// What they took, and what those that go on may take.
    pub run_time: Duration,
    /// What they claimed.
    pub usage: Usage,
}

/// What one run took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// From its start until nothing was left of it.
    pub run_time: Duration,
    /// What it claimed.
    pub usage: Usage,
}

impl Budget {
    /// Whether there is something left of everything.
    pub(super) fn check(&self, scope: Scope, spent: &Spent) -> Result<(), Brake> {
        let used_up = |what, limit| Err(Brake::UsedUp { scope, what, limit });
        match *self {
            Budget { runs: Some(limit), .. } if spent.runs >= limit => used_up(Quantity::Runs, limit.into()),
            Budget { run_time: Some(limit), .. } if spent.run_time + SHORTEST_RUN > limit => {
                used_up(Quantity::RunTime, limit.as_secs())
            }
            Budget { tokens: Some(limit), .. } if spent.usage.tokens >= limit => {
                used_up(Quantity::Tokens, limit)
            }
            Budget { cost_micros: Some(limit), .. } if spent.usage.cost_micros >= limit => {
                used_up(Quantity::Cost, limit)
            }
            _ => Ok(()),
        }
    }

    /// No more than is left.
    pub(super) fn allow(&self, wanted: Allowance, spent: &Spent) -> Allowance {
        let left = |limit: Option<u64>, spent: u64| limit.map(|limit| limit.saturating_sub(spent));
        let wall = self.run_time.map_or(wanted.wall, |limit| limit.saturating_sub(spent.run_time));
        Allowance {
            wall: wanted.wall.min(wall),
            tokens: least(wanted.tokens, left(self.tokens, spent.usage.tokens)),
            cost_micros: least(wanted.cost_micros, left(self.cost_micros, spent.usage.cost_micros)),
        }
    }
}

fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

impl Allowance {
    /// Whether a claim goes beyond it.
    pub fn is_exceeded_by(&self, usage: Usage) -> bool {
        self.tokens.is_some_and(|most| usage.tokens > most)
            || self.cost_micros.is_some_and(|most| usage.cost_micros > most)
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spent { runs, run_time, usage } = self;
        write!(f, "{runs} runs, {} s", run_time.as_secs())?;
        write!(f, "; as far as they say {} tokens, {:.2} USD", usage.tokens, usage.cost_micros as f64 / 1e6)
    }
}

impl Spent {
    /// Both together.
    pub(super) fn and(&self, other: &Spent) -> Spent {
        let mut usage = self.usage;
        usage.add(other.usage);
        let run_time = self.run_time.saturating_add(other.run_time);
        Spent { runs: self.runs.saturating_add(other.runs), run_time, usage }
    }

    /// A run begins: it and all the time that it may take.
    pub(in crate::job) fn begin(&mut self, allowance: &Allowance) {
        self.runs = self.runs.saturating_add(1);
        self.run_time = self.run_time.saturating_add(allowance.wall);
    }

    /// A run is over: what it did not take is given back.
    pub(in crate::job) fn settle(&mut self, allowance: &Allowance, used: &Used) {
        self.run_time = self.run_time.saturating_sub(allowance.wall).saturating_add(used.run_time);
        self.usage.add(used.usage);
    }

    /// A run did not begin after all.
    pub(in crate::job) fn undo(&mut self, allowance: &Allowance) {
        self.runs = self.runs.saturating_sub(1);
        self.run_time = self.run_time.saturating_sub(allowance.wall);
    }
}
