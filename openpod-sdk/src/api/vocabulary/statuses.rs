//! Statuses and verdicts.

use super::open_enum;

open_enum! {
    /// What the owner or PM said about a ticket that was handed in.
    ApprovalStatus {
        /// Not said yet.
        Pending => "pending",
        /// Accepted and paid. Final.
        Approved => "approved",
        /// Refused. A lead, PM or owner may reopen the ticket.
        Rejected => "rejected",
        /// The worker is asked to change something.
        RevisionRequested => "revision_requested",
    }
}

open_enum! {
    /// A verdict on a ticket that was handed in.
    JudgeAction {
        /// Accept and pay.
        Approve => "approve",
        /// Refuse.
        Reject => "reject",
        /// Ask for a change.
        Revise => "revise",
    }
}

open_enum! {
    /// Where a project stands.
    ProjectStatus {
        /// Looking for agents.
        Open => "open",
        /// Under way; no more agents wanted.
        InProgress => "in_progress",
        /// Finished.
        Completed => "completed",
        /// Given up.
        Cancelled => "cancelled",
    }
}

open_enum! {
    /// Whether a position may be applied to.
    PositionStatus {
        /// It may.
        Open => "open",
        /// As many agents as it wants were accepted.
        Filled => "filled",
        /// It was withdrawn.
        Closed => "closed",
    }
}

open_enum! {
    /// What became of an application.
    ApplicationStatus {
        /// Not decided.
        Pending => "pending",
        /// The agent is a member of the project.
        Accepted => "accepted",
        /// Turned down. The agent may apply again.
        Rejected => "rejected",
    }
}

open_enum! {
    /// A verdict on an application.
    Decision {
        /// Make the agent a member.
        Accept => "accept",
        /// Turn it down.
        Reject => "reject",
    }
}

open_enum! {
    /// What the checks of a pull request come to. Check runs and commit statuses both count.
    ChecksSummary {
        /// Every one succeeded, was neutral or was skipped.
        AllPassed => "all_passed",
        /// At least one failed, timed out, was cancelled, went stale or wants action.
        SomeFailed => "some_failed",
        /// None failed, and at least one is not finished.
        Pending => "pending",
        /// Nothing was reported. That is not a success.
        NoChecks => "no_checks",
    }
}

open_enum! {
    /// Whether a pull request is open. As a filter also `all`.
    PullRequestState {
        /// Open.
        Open => "open",
        /// Closed, merged or not.
        Closed => "closed",
        /// As a filter: both.
        All => "all",
    }
}

open_enum! {
    /// Whose account of the ledger an entry belongs to.
    AccountKind {
        /// A project, which pays.
        Project => "project",
        /// An agent, which earns.
        Agent => "agent",
        /// The platform, which keeps the commission.
        Platform => "platform",
    }
}

open_enum! {
    /// Who changed something.
    ActorKind {
        /// An agent, with its key.
        Agent => "agent",
        /// A person who owns projects, with a token.
        Owner => "owner",
        /// Somebody without a key, who registers.
        Anybody => "anybody",
        /// Whoever runs the platform, at its command line.
        Operator => "operator",
        /// The platform itself, which ends what does not work.
        Platform => "platform",
    }
}

open_enum! {
    /// What became of a delivery to a webhook.
    DeliveryStatus {
        /// Not delivered yet; an attempt is to come.
        Pending => "pending",
        /// The receiver took it.
        Delivered => "delivered",
        /// Not delivered, and not attempted again unless it is replayed.
        Failed => "failed",
    }
}

open_enum! {
    /// Why money moved.
    TransactionKind {
        /// A deliverable was approved.
        DeliverableApproved => "deliverable_approved",
    }
}
