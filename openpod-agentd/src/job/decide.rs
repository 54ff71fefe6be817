//! `(job, input, now) → (job, effect)`: the table of [`super`] as code.
//!
//! News that do not fit the state are ignored: they are echoes of something that is over.

mod attempt;

use std::time::Duration;

use openpod_sdk::api::Timestamp;
use serde::{Deserialize, Serialize};

use super::brakes::{BreakerRules, Budgets, used};
use super::effect::Effect;
use super::failure::{Class, Failure, Remedy};
use super::input::{Input, RunEnding, Standing};
use super::state::{State, Verdict};
use super::{Job, Trouble};
use attempt::{
    behind, eased, gave_up, given_up_before, held, is_known, not_begun, refused, weighed, worker_failed,
};

/// What the configuration says about jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// How often the worker may fail in one round.
    pub max_attempts: u32,
    /// How many runs in a row may leave what they found.
    pub max_still: u32,
    /// What becomes of a ticket that is given up.
    pub on_give_up: OnGiveUp,
    /// How long the workspace of a ticket that was refused is kept.
    pub keep_rejected: Duration,
    /// How long a run may take.
    pub wall: Duration,
    /// What may be spent.
    pub budgets: Budgets,
    /// When the breaker opens.
    pub breaker: BreakerRules,
    /// The platform never says that a change is asked for; a ticket that is open again after it was handed in is enough.
    pub silent_revisions: bool,
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
pub fn decide(job: &Job, input: Input, now: Timestamp, rules: &Rules) -> Step {
    let job = job.as_of(now);
    let mut step = decided(&job, input, now, rules);
    let news = step.job.trouble.as_mut().filter(|trouble| Some(&**trouble) != job.trouble.as_ref());
    if let Some(trouble) = news {
        trouble.since = Some(now);
    }
    step
}

fn decided(job: &Job, input: Input, now: Timestamp, rules: &Rules) -> Step {
    let ignored = Step { job: job.clone(), effect: None };
    match input {
        Input::Failed { effect, failure } => match job.pending() {
            Some(pending) if pending.name() == effect => failed(job.clone(), failure, now, rules),
            _ => ignored,
        },
        Input::Seen { standing, asked_at } => seen(job.clone(), standing, asked_at, now, rules),
        Input::Behind(standing) => behind(job.clone(), standing, now),
        Input::Stopped { leave } if job.state.takes_place() || job.state == State::Revised => {
            let on_give_up = if leave { OnGiveUp::Leave } else { OnGiveUp::Release };
            let reason = "its operator stopped the work on it".to_owned();
            enter(job.clone(), gave_up(Class::Operator, reason, &Rules { on_give_up, ..*rules }))
        }
        Input::Stopped { .. } => ignored,
        Input::Due => due(job.clone(), now),
        Input::Eased => eased(job.clone()),
        Input::Restarted => restarted(job.clone()),
        outcome => advance(job.clone(), outcome, now, rules).unwrap_or(ignored),
    }
}

/// An effect succeeded. `None` when the job does not wait for it.
fn advance(mut job: Job, outcome: Input, now: Timestamp, rules: &Rules) -> Option<Step> {
    let state = match (job.state.clone(), outcome) {
        (State::Wanted { .. }, Input::Claimed { version }) => {
            job.touched = now;
            job.claimed = true;
            job.version = version.or(job.version);
            State::Claimed
        }
        (State::Wanted { .. }, Input::HandedBack { at }) => {
            job.touched = now;
            job.claimed = true;
            job.handed_back = Some(at);
            given_up_before(false)
        }
        (State::Wanted { .. }, Input::LeftBefore { at, version }) => {
            job.touched = now;
            job.claimed = true;
            job.handed_back = Some(at);
            job.version = version.or(job.version);
            given_up_before(true)
        }
        (State::Claimed, Input::Prepared { pushed, base_branch }) => {
            job.base_branch = Some(base_branch);
            job.pushed = pushed.or(job.pushed);
            State::Prepared
        }
        (State::Prepared, Input::Allowed(allowance)) => {
            job.attempts += 1;
            job.spent.begin(&allowance);
            State::Running { attempt: job.attempts, started_at: now, allowance }
        }
        (State::Prepared, Input::Held { brake, until }) => return Some(held(job, &brake, until)),
        (State::Prepared, Input::Exhausted(brake)) => gave_up(Class::Worker, brake.to_string(), rules),
        (State::Running { allowance, .. }, Input::RunEnded(ending, used)) => {
            let settled = |mut job: Job| {
                job.spent.settle(&allowance, &used);
                job
            };
            let (summary, failed, ended_at) = match ending {
                RunEnding::Well { summary, ended_at } => (summary, None, ended_at.unwrap_or(now)),
                RunEnding::Badly { reason } => (None, Some(reason), now),
                RunEnding::Interrupted => {
                    job.attempts -= 1;
                    job.state = State::Prepared;
                    return Some(Step { job: settled(job), effect: None });
                }
                RunEnding::Left => return None,
            };
            job = settled(job);
            State::Ran { summary, ended_at, failed }
        }
        (State::Ran { summary, failed, .. }, Input::Collected(change)) => {
            let change = change.filter(|change| !is_known(&job, change));
            job.progress.note(change.as_ref().map(|change| change.patch_id.as_str()));
            match weighed(&job, change, failed) {
                Ok(change) => State::Committed { change, summary },
                Err(reason) => return Some(worker_failed(job, reason, now, rules)),
            }
        }
        (State::Committed { change, summary }, Input::Pushed) => {
            job.progress.publish(&change.patch_id);
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
fn failed(job: Job, failure: Failure, now: Timestamp, rules: &Rules) -> Step {
    let job = not_begun(job);
    let at_its_end = !job.state.takes_place();
    let times = job.trouble.as_ref().map_or(0, |trouble| trouble.times) + 1;
    let remedy = failure.remedy(times);
    let class = failure.class;
    match remedy {
        Remedy::Again(pause) => try_again(job, times, failure.reason, now.plus(pause)),
        // Nothing more can be done about a comment, a release or a workspace; the job goes on to its end.
        _ if at_its_end => match step_done(job.state.clone()) {
            Some(state) => enter(job, state),
            None => Step { job, effect: None },
        },
        Remedy::Lose => enter(job, State::Lost { cleaned: false }),
        _ if matches!(job.state, State::Wanted { .. }) => enter(job, State::Lost { cleaned: false }),
        Remedy::Attempt => refused(job, failure.reason, now, rules),
        Remedy::GiveUp => enter(job, gave_up(class, failure.parting_words(times), rules)),
    }
}

/// The platform told something about the ticket.
fn seen(job: Job, standing: Standing, asked_at: Timestamp, now: Timestamp, rules: &Rules) -> Step {
    let ignored = Step { job: job.clone(), effect: None };
    let newer = match (standing.version(), job.version) {
        (Some(seen), Some(known)) => seen > known,
        (None, None) if job.is_open() && rules.silent_revisions => asked_at > job.touched,
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
            let version = job.version.max(version);
            Step { job: Job { version, ..job }, effect: None }
        }
        (_, Standing::Approved) => {
            stop(job, State::Settled { verdict: Verdict::Approved, cleaned: false }, now)
        }
        (_, Standing::Rejected) => {
            // Nobody removes what may be asked for again.
            let kept_until = (!rules.keep_rejected.is_zero()).then(|| now.plus(rules.keep_rejected));
            stop(
                Job { kept_until, ..job },
                State::Settled { verdict: Verdict::Rejected, cleaned: false },
                now,
            )
        }
        (_, Standing::Cancelled) => stop(job, State::Cancelled { cleaned: false }, now),
        (_, Standing::NotOurs) => stop(job, State::Lost { cleaned: false }, now),
    }
}

/// Nothing more is done for the ticket. What a run has taken until now, it has taken.
fn stop(mut job: Job, state: State, now: Timestamp) -> Step {
    if let State::Running { allowance, started_at, .. } = &job.state {
        let used = used(&Input::Eased, *started_at, now).unwrap_or_default();
        job.spent.settle(allowance, &used);
    }
    enter(job, state)
}

/// The ticket is to be worked on again: a new round, as soon as there is a place.
fn reopen(mut job: Job, version: Option<u64>) -> Step {
    job.round += 1;
    job.attempts = 0;
    job.version = version.or(job.version);
    job.worker_failure = None;
    job.kept_until = None;
    job.handed_back = None;
    enter(job, State::Revised)
}

fn due(mut job: Job, now: Timestamp) -> Step {
    if job.state == State::Revised {
        let free = !job.claimed;
        return enter(job, State::Wanted { untouched: false, free });
    }
    match job.due_at() {
        Some(time) if time <= now => {
            job.kept_until = None;
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
    if job.is_held() {
        return eased(job);
    }
    let effect = job.pending().filter(|_| job.due_at().is_none());
    Step { job, effect }
}

fn try_again(mut job: Job, times: u32, reason: String, not_before: Timestamp) -> Step {
    job.trouble = Some(Trouble { times, reason, not_before: Some(not_before), held: false, since: None });
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
