//! What is counted, for whoever watches the daemon. Every word of it is from a closed list.

use std::collections::BTreeMap;

use openpod_sdk::api::Timestamp;

use crate::job::{Failure, Input, RunEnding};

/// Since the agent began.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// When the platform was last seen.
    pub(super) seen_at: Option<Timestamp>,
    /// Why it was not seen since.
    pub(super) unseen: Option<String>,
    /// When it is looked at next, unless something happens before.
    pub(super) next_at: Option<Timestamp>,
    /// All, and those that failed.
    pub(super) heartbeats: (u64, u64),
    effects: BTreeMap<(&'static str, &'static str), u64>,
}

impl Tally {
    /// The platform was seen, or was not.
    pub(super) fn beat(&mut self, asked_at: Timestamp, failure: Option<&Failure>, next_at: Timestamp) {
        self.next_at = Some(next_at);
        self.heartbeats.0 += 1;
        self.heartbeats.1 += u64::from(failure.is_some());
        self.unseen = failure.map(|failure| failure.reason.clone());
        if failure.is_none() {
            self.seen_at = Some(asked_at);
        }
    }

    /// An effect ended.
    pub(super) fn ended(&mut self, effect: &'static str, news: &Input) {
        *self.effects.entry((effect, outcome(news))).or_default() += 1;
    }

    /// As `effect/outcome`.
    pub(super) fn effects(&self) -> BTreeMap<String, u64> {
        let named =
            |((effect, outcome), count): (&(&str, &str), &u64)| (format!("{effect}/{outcome}"), *count);
        self.effects.iter().map(named).collect()
    }
}

/// Done, or whose trouble it was that it was not; of a run, how it ended.
fn outcome(news: &Input) -> &'static str {
    match news {
        Input::Failed { failure, .. } => failure.class.name(),
        Input::HandedBack { .. } => "handed-back",
        Input::LeftBefore { .. } => "left-before",
        Input::RunEnded(RunEnding::Badly { .. }, _) => "badly",
        Input::RunEnded(RunEnding::Interrupted, _) => "interrupted",
        Input::RunEnded(RunEnding::Left, _) => "left",
        _ => "done",
    }
}
