//! What follows from how a run ended.

use super::super::Outcome;
use crate::executor::{RunEnd, RunOutcome};
use crate::job::brakes::Used;
use crate::job::{Class, Failure, Input, RunEnding};
use crate::shim::Status;
use crate::wording;

/// Whether a run that is over was the attempt. One that never began, or was interrupted, was not.
pub(super) fn counts(status: &Status) -> bool {
    match status {
        Status::Ended { outcome } => !matches!(outcome.end, RunEnd::Cancelled | RunEnd::DiskFull),
        Status::Lost => true,
        Status::NotStarted { .. } | Status::Void => false,
    }
}

/// What the job is told. `taken` is what a run took that cannot say so itself.
pub(super) fn ended(status: Status, taken: Used) -> Outcome {
    let mut used = taken;
    let ending = match status {
        // It may be somebody else who has filled it, so this was no attempt.
        Status::Ended { outcome } if outcome.end == RunEnd::DiskFull => {
            return Err(Failure::passing(Class::Disk, wording::run_failure(outcome.end)));
        }
        Status::Ended { outcome } => {
            used = self::used(&outcome);
            ending(outcome)
        }
        Status::Lost => {
            tracing::warn!("the worker lost its shim, and was ended");
            RunEnding::Badly { reason: "the worker was cut off in the middle".to_owned() }
        }
        // A worker that cannot be started is the operator's mistake: the ticket waits until it is mended.
        Status::NotStarted { reason, full } => return Err(not_started(reason, full)),
        Status::Void => return Err(Failure::passing(Class::Program, "the worker's shim did not begin")),
    };
    Ok(Input::RunEnded(ending, used))
}

/// What a run says that it took.
pub(super) fn used(outcome: &RunOutcome) -> Used {
    if let Some(reason) = &outcome.refused_claim {
        tracing::warn!(reason, "what the worker claims to have used is not believed");
    }
    Used { run_time: outcome.ended_at.since(outcome.started_at), usage: outcome.usage }
}

fn not_started(reason: String, full: bool) -> Failure {
    Failure::passing(if full { Class::Disk } else { Class::Program }, reason)
}

fn ending(outcome: RunOutcome) -> RunEnding {
    tracing::info!(end = ?outcome.end, "the worker ended");
    match outcome.end {
        RunEnd::Exited(0) => RunEnding::Well { summary: outcome.summary, ended_at: Some(outcome.ended_at) },
        RunEnd::Cancelled => RunEnding::Interrupted,
        end => {
            tracing::warn!(output = outcome.output_tail, "the worker failed");
            RunEnding::Badly { reason: wording::run_failure(end) }
        }
    }
}
