//! What the daemon says about its decisions: to the journal, and to whoever reads the log.

use crate::job::{Input, Job, State};

/// What a job heard, in a word or two for the journal.
pub(super) fn news(input: &Input) -> String {
    match input {
        Input::Failed { effect, failure } => format!("{effect} failed: {}", failure.reason),
        Input::Seen { standing, .. } => format!("seen: {standing:?}"),
        other => {
            let text = format!("{other:?}");
            let word = text.split(['(', ' ', '{']).next().unwrap_or_default();
            word.to_ascii_lowercase()
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
