//! `(job, input, now) → (job, effect)`: the table of [`super`] as code.
//!
//! News that do not fit the state are ignored: they are echoes of something that is over.

use openpod_sdk::api::Timestamp;
use serde::{Deserialize, Serialize};

use super::effect::Effect;
use super::failure::{Class, Failure, Remedy};
use super::input::{Input, RunEnding, Standing};
use super::state::{State, Verdict};
use super::{Job, Trouble};

/// What the configuration says about jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How often the worker may fail in one round.
    pub max_attempts: u32,
    /// What becomes of a ticket that is given up.
    pub on_give_up: OnGiveUp,
}

/// What becomes of a ticket that is given up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnGiveUp {
    /// It is handed back, for others to claim.
    #[default]
    Release,
    /// It stays with us, for somebody to decide.
    Leave,
}

/// The job after the news, and what is to be done now.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The job.
    pub job: Job,
    /// What is to be done now. At most one thing at a time for each job.
    pub effect: Option<Effect>,
}

/// Decides what follows from a piece of news.
pub fn decide(job: &Job, input: Input, now: Timestamp, rules: Rules) -> Step {
    let ignored = Step { job: job.clone(), effect: None };
    match input {
        Input::Failed { effect, failure } => match job.pending() {
            Some(pending) if pending.name() == effect => failed(job.clone(), failure, now, rules),
            _ => ignored,
        },
        Input::Seen { standing, asked_at } => seen(job.clone(), standing, asked_at),
        Input::Due => due(job.clone(), now),
        Input::Restarted => restarted(job.clone()),
        outcome => advance(job.clone(), outcome, now, rules).unwrap_or(ignored),
    }
}

/// An effect succeeded. `None` when the job does not wait for it.
fn advance(mut job: Job, outcome: Input, now: Timestamp, rules: Rules) -> Option<Step> {
    let state = match (job.state.clone(), outcome) {
        (State::Wanted { .. }, Input::Claimed { version }) => {
            job.touched = now;
            job.version = version.or(job.version);
            State::Claimed
        }
        (State::Claimed, Input::Prepared { pushed, base_branch }) => {
            job.base_branch = Some(base_branch);
            job.pushed = pushed.or(job.pushed);
            State::Prepared
        }
        (State::Prepared, Input::Briefed) => {
            job.attempts += 1;
            State::Running { attempt: job.attempts, started_at: now }
        }
        (State::Running { .. }, Input::RunEnded(ending)) => match ending {
            RunEnding::Well { summary } => State::Ran { summary, ended_at: now },
            RunEnding::Badly { reason } => return Some(worker_failed(job, reason, now, rules)),
            RunEnding::Interrupted => {
                job.attempts -= 1;
                job.state = State::Prepared;
                return Some(Step { job, effect: None });
            }
            RunEnding::Left => return None,
        },
        (State::Ran { summary, .. }, Input::Collected(change)) => match change {
            Some(change) if job.pushed.as_ref() != Some(&change.head) => State::Committed { change, summary },
            _ => {
                return Some(worker_failed(job, "it ended without changing anything".to_owned(), now, rules));
            }
        },
        (State::Committed { change, summary }, Input::Pushed) => {
            job.pushed = Some(change.head.clone());
            State::Pushed { change, summary }
        }
        (State::Pushed { change, summary }, Input::Proposed(pull_request)) => {
            job.published = Some(pull_request.clone());
            State::Proposed { change, summary, pull_request }
        }
        (State::Proposed { change, summary, pull_request }, Input::Verified(checks)) => {
            State::Verified { change, summary, pull_request, checks }
        }
        (State::Verified { summary, .. }, Input::Delivered { version }) => {
            job.touched = now;
            job.version = version.or(job.version);
            job.worker_failure = None;
            State::Delivered { summary, said: false }
        }
        (state @ State::GaveUp { released: false, leave: true, said: true, .. }, Input::Left { version }) => {
            job.touched = now;
            job.version = version.or(job.version);
            step_done(state)?
        }
        (state, Input::Said | Input::Released | Input::Cleaned) => {
            job.touched = now;
            step_done(state)?
        }
        _ => return None,
    };
    Some(enter(job, state))
}

/// An effect did not succeed.
fn failed(job: Job, failure: Failure, now: Timestamp, rules: Rules) -> Step {
    let at_its_end = !job.state.takes_place();
    let times = job.trouble.as_ref().map_or(0, |trouble| trouble.times) + 1;
    let remedy = failure.remedy(times);
    let Failure { class, reason, .. } = failure;
    match remedy {
        Remedy::Again(pause) => try_again(job, times, reason, now.plus(pause)),
        // Nothing more can be done about a comment, a release or a workspace; the job goes on to its end.
        _ if at_its_end => match step_done(job.state.clone()) {
            Some(state) => enter(job, state),
            None => Step { job, effect: None },
        },
        Remedy::Lose => enter(job, State::Lost { cleaned: false }),
        _ if matches!(job.state, State::Wanted { .. }) => enter(job, State::Lost { cleaned: false }),
        Remedy::Attempt => worker_failed(job, reason, now, rules),
        Remedy::GiveUp => enter(job, gave_up(class, reason, rules)),
    }
}

/// The platform told something about the ticket.
fn seen(mut job: Job, standing: Standing, asked_at: Timestamp) -> Step {
    let ignored = Step { job: job.clone(), effect: None };
    let newer = match (standing.version(), job.version) {
        (Some(seen), Some(known)) => seen > known,
        (None, None) if job.is_open() || job.state.is_left() => {
            standing == Standing::Open { revision: true, version: None }
        }
        _ => asked_at > job.touched,
    };
    if asked_at < job.touched || matches!(job.state, State::Wanted { .. }) {
        // Asked before our last change, or the answer to our claim is under way: that one decides.
        return ignored;
    }
    match (&job.state, standing) {
        (State::Delivered { said: true, .. }, Standing::Open { version, .. }) if newer => {
            reopen(job, version)
        }
        (_, Standing::Open { version, .. }) if !job.is_open() && newer && job.pending().is_none() => {
            reopen(job, version)
        }
        (State::Delivered { .. }, Standing::Open { .. }) => ignored,
        _ if !job.is_open() => ignored,
        (_, Standing::Open { version, .. } | Standing::HandedIn { version }) => {
            job.version = job.version.max(version);
            Step { job, effect: None }
        }
        (_, Standing::Approved) => settle(job, Verdict::Approved),
        (_, Standing::Rejected) => settle(job, Verdict::Rejected),
        (_, Standing::Cancelled) => enter(job, State::Cancelled { cleaned: false }),
        (_, Standing::NotOurs) => enter(job, State::Lost { cleaned: false }),
    }
}

fn settle(job: Job, verdict: Verdict) -> Step {
    enter(job, State::Settled { verdict, cleaned: false })
}

/// The ticket is to be worked on again: a new round, as soon as there is a place.
fn reopen(mut job: Job, version: Option<u64>) -> Step {
    job.round += 1;
    job.attempts = 0;
    job.version = version.or(job.version);
    job.worker_failure = None;
    enter(job, State::Revised)
}

fn due(mut job: Job, now: Timestamp) -> Step {
    if job.state == State::Revised {
        return enter(job, State::Wanted { untouched: false });
    }
    match job.due_at() {
        Some(time) if time <= now => {
            if let Some(trouble) = &mut job.trouble {
                trouble.not_before = None;
            }
            let effect = job.pending();
            Step { job, effect }
        }
        _ => Step { job, effect: None },
    }
}

/// A run that was under way is looked for, like every effect: it may go on, have ended, or be lost.
fn restarted(job: Job) -> Step {
    let effect = job.pending().filter(|_| job.due_at().is_none());
    Step { job, effect }
}

/// The worker gets another chance in the same workspace, or none.
fn worker_failed(mut job: Job, reason: String, now: Timestamp, rules: Rules) -> Step {
    if job.attempts >= rules.max_attempts {
        return enter(job, gave_up(Class::Worker, reason, rules));
    }
    job.worker_failure = Some(reason.clone());
    job.state = State::Prepared;
    let not_before = Some(now.plus(Class::Worker.pause(job.attempts)));
    job.trouble = Some(Trouble { times: job.attempts, reason, not_before });
    Step { job, effect: None }
}

fn gave_up(class: Class, reason: String, rules: Rules) -> State {
    let leave = rules.on_give_up == OnGiveUp::Leave;
    State::GaveUp { class, reason, leave, said: false, released: false, cleaned: false }
}

fn try_again(mut job: Job, times: u32, reason: String, not_before: Timestamp) -> Step {
    job.trouble = Some(Trouble { times, reason, not_before: Some(not_before) });
    Step { job, effect: None }
}

fn enter(mut job: Job, state: State) -> Step {
    job.state = state;
    job.trouble = None;
    let effect = job.pending();
    Step { job, effect }
}

/// The states that end with small steps, one step further.
fn step_done(state: State) -> Option<State> {
    Some(match state {
        State::Delivered { summary, said: false } => State::Delivered { summary, said: true },
        State::GaveUp { class, reason, leave, said: false, released, cleaned } => {
            State::GaveUp { class, reason, leave, said: true, released, cleaned }
        }
        State::GaveUp { class, reason, leave, said, released: false, cleaned } => {
            State::GaveUp { class, reason, leave, said, released: true, cleaned }
        }
        State::GaveUp { class, reason, leave, said, released, cleaned: false } => {
            State::GaveUp { class, reason, leave, said, released, cleaned: true }
        }
        State::Settled { verdict, cleaned: false } => State::Settled { verdict, cleaned: true },
        State::Lost { cleaned: false } => State::Lost { cleaned: true },
        State::Cancelled { cleaned: false } => State::Cancelled { cleaned: true },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
