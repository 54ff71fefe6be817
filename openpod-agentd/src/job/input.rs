//! What a job may hear: how its effects ended, what was seen of its ticket, and that time has passed.

use openpod_sdk::api::{AgentKeyId, ApprovalStatus, ChecksSummary, TicketStatus, Timestamp};

use super::brakes::{Allowance, Brake, Used};
use super::failure::Failure;
use super::state::{Change, Published};

/// One piece of news for a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The ticket is ours.
    Claimed {
        /// Its version now.
        version: Option<u64>,
    },
    /// The ticket is nobody's because we handed it back, which the journal did not know. It was not claimed.
    HandedBack {
        /// Then.
        at: Timestamp,
    },
    /// The ticket is ours because we gave it up and left it, which the journal did not know. Nobody has changed it since.
    LeftBefore {
        /// Then.
        at: Timestamp,
        /// Its version now.
        version: Option<u64>,
    },
    /// Workspace and branch are there.
    Prepared {
        /// The commit that the branch on the forge points to, if it is there.
        pushed: Option<String>,
        /// The branch that the pull request goes to.
        base_branch: String,
    },
    /// What the worker must know is written down. The brakes make one of the next three of it.
    Briefed,
    /// A run may begin.
    Allowed(Allowance),
    /// A run may not begin yet.
    Held {
        /// Why.
        brake: Brake,
        /// It may ask again then, or when the brakes have moved.
        until: Option<Timestamp>,
    },
    /// No run may begin for this ticket any more.
    Exhausted(Brake),
    /// The brakes have moved: whoever is held asks again.
    Eased,
    /// The worker's process is gone.
    RunEnded(RunEnding, Used),
    /// The worker's changes, checked; `None` when there are none.
    Collected(Option<Change>),
    /// The branch is on the forge.
    Pushed,
    /// The pull request is open.
    Proposed(Published),
    /// The platform sees the pull request.
    Verified(ChecksSummary),
    /// The deliverable is filed.
    Delivered {
        /// The ticket's version now.
        version: Option<u64>,
    },
    /// The comment is there.
    Said,
    /// The ticket is handed back.
    Released,
    /// The ticket stays with us, for somebody to decide about.
    Left {
        /// Its version now.
        version: Option<u64>,
    },
    /// The workspace is gone, or kept for a reason.
    Cleaned,
    /// An effect did not succeed.
    Failed {
        /// Its name.
        effect: &'static str,
        /// How.
        failure: Failure,
    },
    /// What the platform says about the ticket.
    Seen {
        /// Where it stands.
        standing: Standing,
        /// When that was asked.
        asked_at: Timestamp,
    },
    /// What the job is about to publish was published before, and more has happened since: its journal is older than
    /// the ticket, which stands like this.
    Behind(Standing),
    /// The operator wants the ticket worked on no more.
    Stopped {
        /// Whether it stays with us instead of being handed back.
        leave: bool,
    },
    /// The time to try again has come, or there is a free place.
    Due,
    /// The daemon begins and finds the job in its journal.
    Restarted,
}

impl Input {
    /// Whether it says that an effect was carried out.
    pub fn is_success(&self) -> bool {
        !matches!(
            self,
            Input::Eased
                | Input::HandedBack { .. }
                | Input::LeftBefore { .. }
                | Input::RunEnded(RunEnding::Left | RunEnding::Interrupted, _)
                | Input::Failed { .. }
                | Input::Seen { .. }
                | Input::Behind(_)
                | Input::Due
                | Input::Restarted
        )
    }
}

/// How a worker's process ended.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEnding {
    /// It says that it is done.
    Well {
        /// What it did, in its own words.
        summary: Option<String>,
        /// When, as the run's own record has it: the same whoever reads it, and however often.
        ended_at: Option<Timestamp>,
    },
    /// It failed, or was stopped for going too far.
    Badly {
        /// Why, for a person.
        reason: String,
    },
    /// The daemon stopped it because the daemon itself stops.
    Interrupted,
    /// It has not ended: the daemon stops, and the run goes on without it.
    Left,
}

/// Where a ticket stands, from our point of view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Ours, and to be worked on.
    Open {
        /// Whether a change of what was delivered is asked for.
        revision: bool,
        /// The ticket's version.
        version: Option<u64>,
    },
    /// Ours, handed in, without a verdict.
    HandedIn {
        /// The ticket's version.
        version: Option<u64>,
    },
    /// Accepted and paid.
    Approved,
    /// Refused.
    Rejected,
    /// It will not be done.
    Cancelled,
    /// Somebody else's, nobody's, or out of our sight.
    NotOurs,
}

impl Standing {
    /// The version that was seen, where that matters.
    pub fn version(&self) -> Option<u64> {
        match self {
            Standing::Open { version, .. } | Standing::HandedIn { version } => *version,
            _ => None,
        }
    }
}

/// Reads the standing from what the platform tells of a ticket.
pub fn standing_of(
    me: &AgentKeyId,
    assignee: Option<&AgentKeyId>,
    status: &TicketStatus,
    approval: Option<&ApprovalStatus>,
    version: Option<u64>,
) -> Standing {
    match (status, approval) {
        (TicketStatus::Cancelled, _) => Standing::Cancelled,
        _ if assignee != Some(me) => Standing::NotOurs,
        (_, Some(ApprovalStatus::Approved)) => Standing::Approved,
        (TicketStatus::Done | TicketStatus::InReview, Some(ApprovalStatus::Rejected)) => Standing::Rejected,
        (TicketStatus::Todo | TicketStatus::InProgress, approval) => {
            Standing::Open { revision: approval == Some(&ApprovalStatus::RevisionRequested), version }
        }
        _ => Standing::HandedIn { version },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_is_read_from_assignee_status_and_approval() {
        use ApprovalStatus as A;
        use TicketStatus as T;
        let me = AgentKeyId::from("me");
        let other = AgentKeyId::from("other");
        let open = |revision| Standing::Open { revision, version: Some(3) };
        let handed_in = Standing::HandedIn { version: Some(3) };
        let table = [
            (Some(&me), T::Todo, None, open(false)),
            (Some(&me), T::InProgress, None, open(false)),
            (Some(&me), T::InProgress, Some(A::RevisionRequested), open(true)),
            (Some(&me), T::InReview, Some(A::Pending), handed_in.clone()),
            (Some(&me), T::Done, Some(A::Pending), handed_in.clone()),
            (Some(&me), T::Done, None, handed_in.clone()),
            (Some(&me), T::Done, Some(A::Approved), Standing::Approved),
            (Some(&me), T::Done, Some(A::Rejected), Standing::Rejected),
            (Some(&me), T::InProgress, Some(A::Rejected), open(false)),
            (Some(&me), T::Cancelled, None, Standing::Cancelled),
            (Some(&other), T::InProgress, None, Standing::NotOurs),
            (None, T::Todo, None, Standing::NotOurs),
            (None, T::Cancelled, None, Standing::Cancelled),
            (Some(&me), T::from("paused"), None, handed_in),
        ];
        for (assignee, status, approval, expected) in table {
            let standing = standing_of(&me, assignee, &status, approval.as_ref(), Some(3));
            assert_eq!(standing, expected, "{assignee:?} {status} {approval:?}");
        }
    }
}
