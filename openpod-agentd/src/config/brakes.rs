//! What the work may cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Check;
use crate::job::brakes::{Allowance, BreakerRules, Budget, Budgets};

/// `[brakes]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawBrakes {
    /// After so many runs in a row that left what they found a ticket is given up: 3 unless told.
    pub still_runs: u32,
    /// After so many failures in a row that are the daemon's own, of several tickets, no run begins: 5 unless told.
    pub breaker_failures: u32,
    /// For so long at first, then one run goes ahead: 60 unless told.
    pub breaker_seconds: u64,
    /// Of one run, by its own claim.
    pub run: RawAllowance,
    /// Of one ticket, over all rounds: 20 runs and 86400 seconds unless told.
    pub ticket: RawBudget,
    /// Of all tickets on one day (UTC); no limit unless told.
    pub day: RawBudget,
    /// Of all tickets, ever; no limit unless told.
    pub daemon: RawBudget,
}

/// `[brakes.run]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawAllowance {
    /// Tokens that the worker may claim; no limit unless told.
    pub tokens: Option<u64>,
    /// US dollars that the worker may claim; no limit unless told.
    pub cost_usd: Option<f64>,
}

/// `[brakes.ticket]`, `[brakes.day]`, `[brakes.daemon]`. Zero is no limit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawBudget {
    /// Runs that begin.
    pub runs: Option<u32>,
    /// Seconds that they take.
    pub run_seconds: Option<u64>,
    /// Tokens that they claim.
    pub tokens: Option<u64>,
    /// US dollars that they claim.
    pub cost_usd: Option<f64>,
}

impl Default for RawBrakes {
    fn default() -> Self {
        Self {
            still_runs: 3,
            breaker_failures: 5,
            breaker_seconds: 60,
            run: RawAllowance::default(),
            ticket: RawBudget { runs: Some(20), run_seconds: Some(86_400), ..RawBudget::default() },
            day: RawBudget::default(),
            daemon: RawBudget::default(),
        }
    }
}

/// What the work may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brakes {
    /// How many runs in a row may leave what they found.
    pub max_still: u32,
    /// What may be spent.
    pub budgets: Budgets,
    /// When the breaker opens.
    pub breaker: BreakerRules,
}

impl RawBrakes {
    pub(super) fn validate(self, check: &mut Check) -> Brakes {
        check.require((1..=100).contains(&self.still_runs), "brakes.still_runs", "must be from 1 to 100");
        check.require(self.breaker_failures >= 2, "brakes.breaker_failures", "must be at least 2");
        let seconds = (1..=86_400).contains(&self.breaker_seconds);
        check.require(seconds, "brakes.breaker_seconds", "must be from 1 to 86400");
        let usual = RawBrakes::default().ticket;
        let ticket = RawBudget {
            runs: self.ticket.runs.or(usual.runs),
            run_seconds: self.ticket.run_seconds.or(usual.run_seconds),
            ..self.ticket
        };
        let run = Allowance {
            wall: Duration::ZERO,
            tokens: self.run.tokens.filter(|tokens| *tokens > 0),
            cost_micros: micros("brakes.run.cost_usd", self.run.cost_usd, check),
        };
        let pause = Duration::from_secs(self.breaker_seconds);
        let longest = BreakerRules::default().longest.max(pause);
        Brakes {
            max_still: self.still_runs,
            budgets: Budgets {
                run,
                ticket: ticket.validate("ticket", check),
                day: self.day.validate("day", check),
                daemon: self.daemon.validate("daemon", check),
            },
            breaker: BreakerRules { failures: self.breaker_failures, pause, longest },
        }
    }
}

impl RawBudget {
    fn validate(self, scope: &str, check: &mut Check) -> Budget {
        Budget {
            runs: self.runs.filter(|runs| *runs > 0),
            run_time: self.run_seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs),
            tokens: self.tokens.filter(|tokens| *tokens > 0),
            cost_micros: micros(&format!("brakes.{scope}.cost_usd"), self.cost_usd, check),
        }
    }
}

fn micros(key: &str, usd: Option<f64>, check: &mut Check) -> Option<u64> {
    let usd = usd?;
    let good = (0.0..=1e9).contains(&usd);
    check.require(good, key, "must be from 0 to 1000000000 dollars");
    // Within these bounds nothing is lost but what is less than a millionth.
    good.then_some((usd * 1e6).round() as u64).filter(|micros| *micros > 0)
}
