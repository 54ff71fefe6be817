//! The states of a job. Each holds what is true in it and nothing else.

use openpod_sdk::api::{ChecksSummary, Timestamp};
use serde::{Deserialize, Serialize};

use super::brakes::Allowance;
use super::failure::Class;

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// It is to be claimed.
    Wanted {
        /// Nobody had begun when it was found.
        untouched: bool,
        /// Whether it was nobody's when it was found.
        #[serde(default)]
        free: bool,
    },
    /// The ticket is ours.
    Claimed,
    /// Workspace and branch are there.
    Prepared,
    /// The worker is at it, or was when the daemon died.
    Running {
        /// Which attempt of this round, from 1.
        attempt: u32,
        /// Since when.
        started_at: Timestamp,
        /// What it may take.
        #[serde(default)]
        allowance: Allowance,
    },
    /// The worker ended. What it left was not looked at yet.
    Ran {
        /// What it says about its work.
        summary: Option<String>,
        /// When it ended; also the time of the commit, so that collecting twice gives the same commit.
        ended_at: Timestamp,
        /// Why it ended badly: then what it left is only compared with what it found.
        #[serde(default)]
        failed: Option<String>,
    },
    /// Its work is a commit in the outbound repository, and was checked.
    Committed {
        /// The work.
        change: Change,
        /// What the worker says about it.
        summary: Option<String>,
    },
    /// The branch is on the forge.
    Pushed {
        /// The work.
        change: Change,
        /// What the worker says about it.
        summary: Option<String>,
    },
    /// The pull request is open.
    Proposed {
        /// The work.
        change: Change,
        /// What the worker says about it.
        summary: Option<String>,
        /// The pull request.
        pull_request: Published,
    },
    /// The platform sees the pull request too.
    Verified {
        /// The work.
        change: Change,
        /// What the worker says about it.
        summary: Option<String>,
        /// The pull request.
        pull_request: Published,
        /// What its checks came to at that time.
        checks: ChecksSummary,
    },
    /// The deliverable is filed; the verdict is awaited.
    Delivered {
        /// What the worker says about it.
        summary: Option<String>,
        /// Whether that was commented on the ticket.
        said: bool,
    },
    /// A change is asked for; a free place is awaited.
    Revised,
    /// The verdict is there.
    Settled {
        /// The verdict.
        verdict: Verdict,
        /// Whether the workspace is gone.
        cleaned: bool,
    },
    /// We cannot do it.
    GaveUp {
        /// Whose trouble it was.
        #[serde(default = "worker")]
        class: Class,
        /// Why, for a person.
        reason: String,
        /// Whether the ticket stays with us instead of being handed back.
        #[serde(default)]
        leave: bool,
        /// Whether that was commented on the ticket.
        said: bool,
        /// Whether the ticket was handed back, or left where it is.
        released: bool,
        /// Whether the workspace is gone.
        cleaned: bool,
    },
    /// The ticket is not ours, or not any more.
    Lost {
        /// Whether the workspace is gone.
        cleaned: bool,
    },
    /// The ticket will not be done.
    Cancelled {
        /// Whether the workspace is gone.
        cleaned: bool,
    },
}

impl State {
    /// What is being published.
    pub fn change(&self) -> Option<&Change> {
        match self {
            State::Committed { change, .. }
            | State::Pushed { change, .. }
            | State::Proposed { change, .. }
            | State::Verified { change, .. } => Some(change),
            _ => None,
        }
    }
}

/// Of journals that did not say.
fn worker() -> Class {
    Class::Worker
}

/// What a worker changed, as it was collected and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The commit that it begins from.
    pub base: String,
    /// Its last commit.
    pub head: String,
    /// How many commits.
    pub commits: u32,
    /// How many files differ.
    pub files: u32,
    /// SHA-256 of the binary patch from base to head, in hexadecimal.
    pub patch_sha256: String,
    /// The same for the same change, wherever its base and its lines have moved.
    #[serde(default)]
    pub patch_id: String,
}

/// What is on the forge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The pull request's number.
    pub number: u64,
    /// Its web address.
    pub url: String,
    /// The commit that the branch points to.
    pub head: String,
}

/// What was said about the deliverable in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Accepted and paid.
    Approved,
    /// Refused.
    Rejected,
}

impl State {
    /// The state's name, for logs and tables.
    pub fn name(&self) -> &'static str {
        match self {
            State::Wanted { .. } => "wanted",
            State::Claimed => "claimed",
            State::Prepared => "prepared",
            State::Running { .. } => "running",
            State::Ran { .. } => "ran",
            State::Committed { .. } => "committed",
            State::Pushed { .. } => "pushed",
            State::Proposed { .. } => "proposed",
            State::Verified { .. } => "verified",
            State::Delivered { .. } => "delivered",
            State::Revised => "revised",
            State::Settled { .. } => "settled",
            State::GaveUp { .. } => "gave_up",
            State::Lost { .. } => "lost",
            State::Cancelled { .. } => "cancelled",
        }
    }

    /// Whether we gave the ticket up and kept it: on the platform it looks as if it were worked on.
    pub fn is_left(&self) -> bool {
        matches!(self, State::GaveUp { leave: true, .. })
    }

    /// Whether the job takes one of the places for concurrent work.
    pub fn takes_place(&self) -> bool {
        matches!(
            self,
            State::Wanted { .. }
                | State::Claimed
                | State::Prepared
                | State::Running { .. }
                | State::Ran { .. }
                | State::Committed { .. }
                | State::Pushed { .. }
                | State::Proposed { .. }
                | State::Verified { .. }
        )
    }
}
