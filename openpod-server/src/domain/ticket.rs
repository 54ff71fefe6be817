//! A ticket, and how it moves.
//!
//! ```text
//!            claim            submit             finish
//!   todo ───────────▶ in_progress ───▶ in_review ───▶ done ── approve ──▶ done, approved: final
//!    ▲  ◀── release ──┘   ▲   └───────────────────────▲ │  ── reject ───▶ done, rejected
//!    │                    └──── reopen, revise ───────┘
//!    └── reopen ── cancelled ◀── cancel ── todo, in_progress, in_review
//!
//!   from \ to     todo        in_progress   in_review   done     cancelled
//!   todo          stays       worker        worker      worker   lead
//!   in_progress   worker      stays         worker      worker   lead
//!   in_review     —           worker        stays       worker   lead
//!   done          —           lead          lead        stays    —
//!   cancelled     lead        —             —           —        stays
//!
//!   worker: the assignee, and whoever may plan       lead: whoever may plan (lead, pm, owner)
//!   —: 409 for those who may plan, 403 for workers where the move is a lead's or out of their hands
//! ```
//!
//! Approval moves money and is not a move of this table; see [`super::approval`].

mod decide;

use openpod_sdk::api::tickets::Deliverable;
use openpod_sdk::api::{
    AgentKeyId, ApprovalStatus, Cents, Priority, ProjectId, TicketId, TicketStatus, TicketType, Timestamp,
};

pub use decide::{Caller, Change, Refusal, decide};

/// A ticket as the rules see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticket {
    /// The ticket.
    pub id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its number within the project, from 1 without gaps.
    pub number: u64,
    /// What is to be done.
    pub plan: Plan,
    /// Whose it is.
    pub assignee: Option<AgentKeyId>,
    /// Where it stands, with what is true there.
    pub state: State,
    /// Where the work is.
    pub branch_name: Option<String>,
    /// What was delivered.
    pub deliverables: Vec<Deliverable>,
    /// Grows with each change.
    pub version: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What is to be done: written by those who plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Its title.
    pub title: String,
    /// The whole text.
    pub description: Option<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// What kind of work it is.
    pub kind: TicketType,
    /// What must be true at the end.
    pub acceptance_criteria: Vec<String>,
    /// Words to find it by.
    pub labels: Vec<String>,
}

/// Where a ticket stands. Each state holds what is true in it and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has begun.
    Todo,
    /// Somebody works on it.
    InProgress {
        /// It came back from review with the request to change something.
        revision: bool,
    },
    /// Handed in, to be looked at.
    InReview {
        /// When it was handed in.
        submitted_at: Timestamp,
    },
    /// Finished by the worker.
    Done {
        /// When it was handed in.
        submitted_at: Timestamp,
        /// What was said about it.
        verdict: Verdict,
    },
    /// Will not be done.
    Cancelled,
}

/// What was said about a finished ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Awaited,
    /// Accepted and paid: final.
    Approved {
        /// What the project paid.
        payout: Cents,
    },
    /// Refused: final unless it is reopened.
    Rejected,
}

impl State {
    /// The state as columns name it. `None` when they contradict each other, which the database's checks rule out.
    pub fn from_columns(
        status: &TicketStatus,
        approval: Option<&ApprovalStatus>,
        payout: Option<Cents>,
        submitted_at: Option<Timestamp>,
    ) -> Option<State> {
        Some(match (status, approval) {
            (TicketStatus::Todo, None) => State::Todo,
            (TicketStatus::InProgress, None) => State::InProgress { revision: false },
            (TicketStatus::InProgress, Some(ApprovalStatus::RevisionRequested)) => {
                State::InProgress { revision: true }
            }
            (TicketStatus::InReview, Some(ApprovalStatus::Pending)) => {
                State::InReview { submitted_at: submitted_at? }
            }
            (TicketStatus::Done, Some(approval)) => {
                let verdict = match approval {
                    ApprovalStatus::Pending => Verdict::Awaited,
                    ApprovalStatus::Approved => Verdict::Approved { payout: payout? },
                    ApprovalStatus::Rejected => Verdict::Rejected,
                    _ => return None,
                };
                State::Done { submitted_at: submitted_at?, verdict }
            }
            (TicketStatus::Cancelled, None) => State::Cancelled,
            _ => return None,
        })
    }

    /// The word for where it stands.
    pub fn status(&self) -> TicketStatus {
        match self {
            State::Todo => TicketStatus::Todo,
            State::InProgress { .. } => TicketStatus::InProgress,
            State::InReview { .. } => TicketStatus::InReview,
            State::Done { .. } => TicketStatus::Done,
            State::Cancelled => TicketStatus::Cancelled,
        }
    }

    /// The word for what was said about it; `None` until it is handed in.
    pub fn approval(&self) -> Option<ApprovalStatus> {
        match self {
            State::Todo | State::InProgress { revision: false } | State::Cancelled => None,
            State::InProgress { revision: true } => Some(ApprovalStatus::RevisionRequested),
            State::InReview { .. } => Some(ApprovalStatus::Pending),
            State::Done { verdict, .. } => Some(match verdict {
                Verdict::Awaited => ApprovalStatus::Pending,
                Verdict::Approved { .. } => ApprovalStatus::Approved,
                Verdict::Rejected => ApprovalStatus::Rejected,
            }),
        }
    }

    /// What was paid.
    pub fn payout(&self) -> Option<Cents> {
        match self {
            State::Done { verdict: Verdict::Approved { payout }, .. } => Some(*payout),
            _ => None,
        }
    }

    /// When it was handed in.
    pub fn submitted_at(&self) -> Option<Timestamp> {
        match self {
            State::InReview { submitted_at } | State::Done { submitted_at, .. } => Some(*submitted_at),
            _ => None,
        }
    }

    /// Whether money has moved for it. It never moves again.
    pub fn is_final(&self) -> bool {
        self.payout().is_some()
    }

    /// Goes to `to`, if the table leads there. Who may do it is not asked here.
    pub fn moved(self, to: &TicketStatus, now: Timestamp) -> Option<State> {
        let from = self.status();
        if from == *to {
            return Some(self);
        }
        if self.is_final() || !from.may_become(to) {
            return None;
        }
        Some(match (self, to) {
            (_, TicketStatus::Todo) => State::Todo,
            (_, TicketStatus::InProgress) => State::InProgress { revision: false },
            (_, TicketStatus::InReview) => State::InReview { submitted_at: now },
            (State::InReview { submitted_at }, TicketStatus::Done) => {
                State::Done { submitted_at, verdict: Verdict::Awaited }
            }
            (_, TicketStatus::Done) => State::Done { submitted_at: now, verdict: Verdict::Awaited },
            (_, TicketStatus::Cancelled) => State::Cancelled,
            (_, _) => return None,
        })
    }
}
