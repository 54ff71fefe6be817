//! What the daemon says about its decisions: to the journal, and to whoever reads the log.

use crate::job::brakes::{Brake, Brakes, Breaker};
use crate::job::{Input, Job, RunEnding, State};
use crate::wording;

/// What a job heard, in a word or two for the journal.
pub(super) fn news(input: &Input) -> String {
    match input {
        Input::Failed { effect, failure } => format!("{effect} failed: {}", failure.reason),
        Input::HandedBack { at } => format!("the ticket says: handed back on {at}"),
        Input::LeftBefore { at, .. } => format!("the ticket says: given up and left on {at}"),
        Input::Seen { standing, .. } => format!("seen: {standing:?}"),
        Input::RunEnded(ending, used) => {
            let how = match ending {
                RunEnding::Well { .. } => "the run ended".to_owned(),
                RunEnding::Badly { reason } => format!("the run failed: {reason}"),
                RunEnding::Interrupted => "the run was stopped".to_owned(),
                RunEnding::Left => "the run goes on".to_owned(),
            };
            format!("{how}; it took {}", wording::taken(used.run_time, used.usage))
        }
        other => {
            let text = format!("{other:?}");
            let word = text.split(['(', ' ', '{']).next().unwrap_or_default();
            word.to_ascii_lowercase()
        }
    }
}

/// Why a job is held or given up, where that has just been decided.
pub(super) fn because(before: &Job, after: &Job) -> Option<String> {
    match (&after.trouble, &after.state) {
        (Some(trouble), _) if trouble.held && !before.is_held() => {
            Some(format!(", held: {}", trouble.reason))
        }
        (_, State::GaveUp { class, reason, said: false, .. }) if before.state != after.state => {
            Some(format!(", given up ({}): {reason}", class.name()))
        }
        _ => None,
    }
}

/// What the breaker has done.
pub(super) fn tell_brakes(before: &Brakes, after: &Brakes) {
    match after.breaker() {
        _ if !after.is_moved(before) => {}
        Breaker::Closed { .. } => tracing::info!("runs may begin again"),
        Breaker::Open { cause, until, .. } => {
            tracing::warn!(%until, reason = %Brake::Open(cause.clone()), "no run begins")
        }
        Breaker::Probing { cause, canary, .. } => {
            tracing::info!(%canary, reason = %Brake::Canary(cause.clone()), "one run goes first");
        }
    }
}

pub(super) fn tell(before: &Job, after: &Job) {
    let number = after.number;
    if before.state.name() != after.state.name() {
        let (from, to) = (before.state.name(), after.state.name());
        tracing::info!(number, round = after.round, attempt = after.attempts, from, to, "a ticket moved on");
    }
    match &after.trouble {
        Some(trouble) if before.trouble != after.trouble && trouble.not_before.is_some() => {
            let until = trouble.not_before.map(|time| time.to_string());
            tracing::warn!(
                number,
                times = trouble.times,
                until,
                reason = trouble.reason,
                "it is tried again"
            );
        }
        _ => {}
    }
    if let State::GaveUp { reason, said: false, .. } = &after.state
        && !matches!(before.state, State::GaveUp { .. })
    {
        tracing::warn!(number, reason, "a ticket is given up");
    }
}
