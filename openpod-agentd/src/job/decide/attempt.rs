//! What becomes of a job when its run may not begin, did not begin, or came to nothing.

use openpod_sdk::api::Timestamp;

use super::{OnGiveUp, Rules, Step, enter, reopen};
use crate::job::brakes::Brake;
use crate::job::failure::Class;
use crate::job::input::Standing;
use crate::job::state::{Change, State};
use crate::job::{Job, Trouble};

/// Whoever is held asks again.
pub(super) fn eased(mut job: Job) -> Step {
    if !job.is_held() {
        return Step { job, effect: None };
    }
    job.trouble = None;
    let effect = job.pending();
    Step { job, effect }
}

pub(super) fn held(mut job: Job, brake: &Brake, until: Option<Timestamp>) -> Step {
    job.trouble =
        Some(Trouble { times: 0, reason: brake.to_string(), not_before: until, held: true, since: None });
    Step { job, effect: None }
}

/// Whether this is what was published before, and nothing new. What is on the branch and was never known to be, was
/// pushed by a daemon whose journal this is not.
pub(super) fn is_known(job: &Job, change: &Change) -> bool {
    job.progress.is_published(&change.patch_id) && job.pushed.as_ref() == Some(&change.head)
}

/// The round that the journal speaks of is over. The next one may be under way: its runs are found where they are.
pub(super) fn behind(mut job: Job, standing: Standing, now: Timestamp) -> Step {
    let Some(change) = job.state.change() else { return Step { job, effect: None } };
    job.progress.publish(&change.patch_id);
    job.touched = now;
    match standing {
        Standing::Open { version, .. } => reopen(job, version),
        other => {
            job.version = other.version().or(job.version);
            enter(job, State::Delivered { summary: None, said: true })
        }
    }
}

/// What a run has left, if it is to be published; or why it counts as a failure of the worker.
pub(super) fn weighed(job: &Job, change: Option<Change>, failed: Option<String>) -> Result<Change, String> {
    match (change, failed) {
        (_, Some(reason)) => Err(reason),
        (None, None) => Err("it ended without changing anything".to_owned()),
        (Some(change), None) if job.progress.is_published(&change.patch_id) => {
            Err("it left the change as it was, in a new commit".to_owned())
        }
        (Some(change), None) => Ok(change),
    }
}

/// What a run has left must not be published. Should the worker have failed anyway, that is the reason.
pub(super) fn refused(mut job: Job, reason: String, now: Timestamp, rules: &Rules) -> Step {
    let reason = match job.state.clone() {
        State::Ran { failed, .. } => {
            job.progress.note(None);
            failed.unwrap_or(reason)
        }
        _ => reason,
    };
    worker_failed(job, reason, now, rules)
}

/// A run that did not begin was no attempt, and asks again before it does.
pub(super) fn not_begun(mut job: Job) -> Job {
    if let State::Running { allowance, .. } = &job.state {
        job.spent.undo(allowance);
        job.attempts -= 1;
        job.state = State::Prepared;
    }
    job
}

/// The worker gets another chance in the same workspace, or none.
pub(super) fn worker_failed(mut job: Job, reason: String, now: Timestamp, rules: &Rules) -> Step {
    if job.attempts >= rules.max_attempts {
        return enter(job, gave_up(Class::Worker, reason, rules));
    }
    let still = job.progress.still();
    if still >= rules.max_still {
        let reason = format!("{still} runs in a row left what they found; of the last one: {reason}");
        return enter(job, gave_up(Class::Worker, reason, rules));
    }
    job.worker_failure = Some(reason.clone());
    job.state = State::Prepared;
    let not_before = Some(now.plus(Class::Worker.pause(job.attempts)));
    job.trouble = Some(Trouble { times: job.attempts, reason, not_before, held: false, since: None });
    Step { job, effect: None }
}

/// As a journal has it that knew of the handing back, or of the leaving, up to what lies here.
pub(super) fn given_up_before(leave: bool) -> State {
    let what = if leave { "given up and left" } else { "handed back" };
    let reason = format!("it was {what} before, as its comments say");
    State::GaveUp { class: Class::Worker, reason, leave, said: true, released: true, cleaned: false }
}

pub(super) fn gave_up(class: Class, reason: String, rules: &Rules) -> State {
    let leave = rules.on_give_up == OnGiveUp::Leave;
    State::GaveUp { class, reason, leave, said: false, released: false, cleaned: false }
}
