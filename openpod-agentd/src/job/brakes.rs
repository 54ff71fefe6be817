//! What the work may cost, and when no new run begins: one state machine over all tickets. Pure.
//!
//! ```text
//!   Briefed ──▶ weigh ──▶ Allowed: a run begins, with an allowance that is charged in advance
//!                 │  └──▶ Exhausted: the ticket is given up
//!                 └─────▶ Held: the ticket waits, until a time or until the brake is eased
//! ```
//!
//! | brake | what it counts | what follows |
//! |---|---|---|
//! | run | wall clock, silence, output; tokens and cost as the worker claims them | the run is ended: a failed attempt |
//! | ticket | runs, run time, tokens, cost: of all rounds, over restarts and new claims | the ticket is given up |
//! | day | the same, of all tickets of all agents on one day (UTC) | no run and no claim before the next day |
//! | daemon | the same, of all tickets of all agents ever | no run and no claim until the operator allows more |
//! | progress | runs in a row that left the patch they found | the ticket is given up |
//! | [`Breaker`] | failures in a row that are the daemon's own, of several tickets | a pause, then one canary |
//!
//! A run and its whole allowance of time are charged when it begins, and what it did not take is given back: so runs
//! side by side do not take more than there is. Each agent has brakes of its own, and knows of the others what they spent
//! ([`Brakes::beside`]). Tokens and cost are known when a worker claims them; a claim only ever
//! brakes. A run counts on the day on which it began, its claim on the day on which it ended.

mod breaker;
mod budget;
#[cfg(test)]
mod tests;
mod usage;

use std::fmt;
use std::time::Duration;

use openpod_sdk::api::Timestamp;
use serde::{Deserialize, Serialize};

pub use breaker::{Answer, Breaker, BreakerRules, Cause};
pub use budget::{Allowance, Budget, Budgets, Quantity, Scope, Spent, Used};
pub use usage::{BadClaim, Usage};

use super::decide::{Rules, Step, decide};
use super::input::Input;
use super::{Job, State};

/// The seconds of a day.
const DAY: i64 = 86_400;

/// What was spent, and what stands in the way of more.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Brakes {
    /// Days since 1970-01-01, UTC.
    day: i64,
    /// On that day.
    today: Spent,
    /// By this agent, ever.
    ever: Spent,
    breaker: Breaker,
    /// By the other agents, as long as something is being decided.
    #[serde(skip)]
    others: Books,
}

/// What one agent has spent, or several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Books {
    day: i64,
    today: Spent,
    ever: Spent,
}

impl Books {
    /// What all of them have spent, as it is now.
    pub fn sum<'a>(books: impl IntoIterator<Item = &'a Books>, now: Timestamp) -> Self {
        let none = Books { day: day(now), ..Books::default() };
        books.into_iter().fold(none, |all, one| {
            // A clock that is set back gives no new budget.
            let today = if one.day >= all.day { one.today } else { Spent::default() };
            Books { today: all.today.and(&today), ever: all.ever.and(&one.ever), ..all }
        })
    }

    /// Whether something was given back since.
    pub fn is_less_than(&self, before: &Books) -> bool {
        self.ever.runs < before.ever.runs || self.ever.run_time < before.ever.run_time
    }
}

/// Why no run begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brake {
    /// A budget is used up.
    UsedUp {
        /// Whose.
        scope: Scope,
        /// Of what.
        what: Quantity,
        /// Which allows so much.
        limit: u64,
    },
    /// The breaker is open.
    Open(Cause),
    /// One run is under way, to see whether others may follow.
    Canary(Cause),
}

/// What follows for a run that wants to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Go(Allowance),
    Hold(Brake, Option<Timestamp>),
    Stop(Brake),
}

impl Brakes {
    /// Decides what follows for a job from a piece of news, and counts what it costs.
    pub fn decide(&mut self, job: &Job, input: Input, now: Timestamp, rules: &Rules) -> Step {
        self.turn(now);
        let input = match input {
            Input::Briefed if job.state == State::Prepared => self.weigh(job, now, rules),
            other => other,
        };
        let step = decide(job, input.clone(), now, rules);
        self.count(job, &input, &step.job, now);
        self.hear(job, &input, &step.job, now, &rules.breaker);
        step
    }

    /// Whether another ticket may be begun. `busy`: whether one is being worked on.
    pub fn admit(&self, busy: bool, now: Timestamp, rules: &Rules) -> Result<(), Brake> {
        let own =
            Books { today: if day(now) > self.day { Spent::default() } else { self.today }, ..self.books() };
        rules.budgets.daemon.check(Scope::Daemon, &own.ever.and(&self.others.ever))?;
        rules.budgets.day.check(Scope::Day, &own.today.and(&self.others.today))?;
        match &self.breaker {
            Breaker::Closed { .. } => Ok(()),
            // It will ask to be the canary. Should it not come so far, nobody else has been kept.
            Breaker::Open { until, .. } if *until <= now && !busy => Ok(()),
            Breaker::Open { cause, .. } => Err(Brake::Open(cause.clone())),
            Breaker::Probing { cause, .. } => Err(Brake::Canary(cause.clone())),
        }
    }

    /// Whether those who are held should ask again, seeing how it was `before`.
    pub fn is_moved(&self, before: &Brakes) -> bool {
        std::mem::discriminant(&self.breaker) != std::mem::discriminant(&before.breaker)
    }

    /// Decides something while the other agents have spent that.
    pub fn beside<T>(&mut self, others: Books, decide: impl FnOnce(&mut Self) -> T) -> T {
        self.others = others;
        let decided = decide(self);
        self.others = Books::default();
        decided
    }

    /// What was spent.
    pub fn books(&self) -> Books {
        Books { day: self.day, today: self.today, ever: self.ever }
    }

    /// What was spent today and ever.
    pub fn spent(&self) -> (Spent, Spent) {
        (self.today, self.ever)
    }

    /// The breaker as it stands.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// A new day has a new budget. A clock that is set back gives none.
    fn turn(&mut self, now: Timestamp) {
        let today = day(now);
        if today > self.day {
            self.today = Spent::default();
        }
        self.day = today;
    }

    fn weigh(&mut self, job: &Job, now: Timestamp, rules: &Rules) -> Input {
        match self.verdict(job, now, rules) {
            Verdict::Go(allowance) => Input::Allowed(allowance),
            Verdict::Hold(brake, until) => Input::Held { brake, until },
            Verdict::Stop(brake) => Input::Exhausted(brake),
        }
    }

    fn verdict(&mut self, job: &Job, now: Timestamp, rules: &Rules) -> Verdict {
        let Budgets { ticket, day, daemon, .. } = &rules.budgets;
        if let Err(brake) = ticket.check(Scope::Ticket, &job.spent) {
            return Verdict::Stop(brake);
        }
        let (today, ever) = (self.today.and(&self.others.today), self.ever.and(&self.others.ever));
        if let Err(brake) = daemon.check(Scope::Daemon, &ever) {
            return Verdict::Hold(brake, None);
        }
        if let Err(brake) = day.check(Scope::Day, &today) {
            return Verdict::Hold(brake, Some(Timestamp::from_micros((self.day + 1) * DAY * 1_000_000)));
        }
        match self.breaker.ask(&job.ticket, now) {
            Answer::Go => {}
            Answer::Wait { cause, until } => return Verdict::Hold(Brake::Open(cause), Some(until)),
            Answer::Canary(cause) => return Verdict::Hold(Brake::Canary(cause), None),
        }
        let whole = Allowance { wall: rules.wall, ..rules.budgets.run };
        let left = [(ticket, &job.spent), (day, &today), (daemon, &ever)];
        Verdict::Go(left.into_iter().fold(whole, |rest, (budget, spent)| budget.allow(rest, spent)))
    }

    /// Charges a run that begins, and settles one that is over.
    fn count(&mut self, before: &Job, input: &Input, after: &Job, now: Timestamp) {
        match (&before.state, &after.state) {
            (State::Prepared, State::Running { allowance, .. }) => {
                self.today.begin(allowance);
                self.ever.begin(allowance);
            }
            (State::Running { .. }, State::Running { .. }) => {}
            (State::Running { allowance, started_at, .. }, _) => {
                let began_today = day(*started_at) == self.day;
                match used(input, *started_at, now) {
                    Some(used) => {
                        self.ever.settle(allowance, &used);
                        match began_today {
                            true => self.today.settle(allowance, &used),
                            false => self.today.usage.add(used.usage),
                        }
                    }
                    None => {
                        self.ever.undo(allowance);
                        if began_today {
                            self.today.undo(allowance);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// Tells the breaker what it must know.
    fn hear(&mut self, before: &Job, input: &Input, after: &Job, now: Timestamp, rules: &BreakerRules) {
        let ticket = &before.ticket;
        match input {
            Input::Failed { effect, failure } => {
                let fits = before.pending().is_some_and(|pending| pending.name() == *effect);
                if fits && failure.is_the_daemons_own() {
                    self.breaker.failed(ticket, effect, failure.class, now, rules);
                }
            }
            _ => {
                if let Some(effect) = before.pending().filter(|_| input.is_success() && before != after) {
                    self.breaker.succeeded(ticket, effect.name());
                }
            }
        }
        if before.state.takes_place() && !after.state.takes_place() {
            self.breaker.left(ticket, now);
        }
    }
}

/// What a run took that is over; `None` when it did not begin.
pub(super) fn used(input: &Input, started_at: Timestamp, now: Timestamp) -> Option<Used> {
    match input {
        Input::RunEnded(_, used) => Some(*used),
        Input::Failed { .. } => None,
        // It was ended because nobody wants it any more; it says nothing.
        _ => Some(Used { run_time: now.since(started_at), usage: Usage::default() }),
    }
}

fn day(time: Timestamp) -> i64 {
    time.as_seconds().div_euclid(DAY)
}

impl fmt::Display for Brake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Brake::UsedUp { scope, what, limit } => {
                let whose = match scope {
                    Scope::Ticket => "this ticket has used up its",
                    Scope::Day => "this day's work has used up its",
                    Scope::Daemon => "the daemon has used up its",
                };
                match what {
                    Quantity::Runs => write!(f, "{whose} {limit} runs"),
                    Quantity::RunTime => write!(f, "{whose} {limit} seconds of run time"),
                    Quantity::Tokens => write!(f, "{whose} {limit} tokens"),
                    Quantity::Cost => write!(f, "{whose} {:.2} USD", *limit as f64 / 1e6),
                }
            }
            Brake::Open(cause) => write!(f, "{cause}"),
            Brake::Canary(cause) => {
                write!(f, "{cause}, and one run goes first, to see whether others may follow")
            }
        }
    }
}

/// At least so long must a run be allowed to take, or it is not worth to begin.
const SHORTEST_RUN: Duration = Duration::from_secs(1);
