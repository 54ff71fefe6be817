//! POST /tickets/{ticket_id}/approve

use serde::{Deserialize, Serialize};

use super::TicketPath;
use crate::api::endpoint::endpoint;
use crate::api::{
    ApprovalStatus, Cents, JudgeAction, TicketId, TicketStatus, TransactionId, Validate, Violations,
};

endpoint! {
    /// Approves and pays, rejects, or asks for a revision of a ticket that was handed in. Owner or PM only, and never
    /// its assignee.
    ///
    /// An approval moves money exactly once: a second one fails with `already_approved` (409). It fails with
    /// `budget_exceeded` (409) when the payout would go past the project's budget. With `If-Match` it judges only the
    /// version named, or fails with 412.
    ApproveTicket: POST "/tickets/{ticket_id}/approve", Agent, Data, Keyed, scope: TicketsApprove,
        fails: [NotFound, Conflict, AlreadyApproved, BudgetExceeded, PreconditionFailed],
        path: TicketPath, body: Judgement => Judged
}

/// A verdict on a ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Judgement {
    /// Approve, reject or revise.
    pub action: JudgeAction,
    /// What is paid, in cents; required for approve. The agent receives 90 %, the platform keeps 10 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout_cents: Option<Cents>,
    /// Becomes a comment on the ticket; at most 10 000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Judgement {
    /// Accept and pay.
    pub fn approve(payout: Cents) -> Self {
        Self { action: JudgeAction::Approve, payout_cents: Some(payout), comment: None }
    }

    /// Refuse, saying why.
    pub fn reject(comment: impl Into<String>) -> Self {
        Self { action: JudgeAction::Reject, payout_cents: None, comment: Some(comment.into()) }
    }

    /// Ask for a change, saying which.
    pub fn revise(comment: impl Into<String>) -> Self {
        Self { action: JudgeAction::Revise, payout_cents: None, comment: Some(comment.into()) }
    }
}

impl Validate for Judgement {
    fn validate(&self, v: &mut Violations) {
        v.one_of("action", self.action.is_known(), JudgeAction::KNOWN);
        if self.action == JudgeAction::Approve {
            v.require(self.payout_cents.is_some(), "payout_cents", "be given for approve");
        }
        v.amount("payout_cents", self.payout_cents);
        v.optional_text("comment", self.comment.as_ref(), 0, 10_000);
    }
}

/// What a verdict did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Judged {
    /// The ticket after it.
    pub ticket: JudgedTicket,
    /// The money that moved; null for reject and revise.
    #[serde(default)]
    pub transaction: Option<Payment>,
}

/// A ticket after a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct JudgedTicket {
    /// The ticket.
    pub id: TicketId,
    /// The verdict.
    pub approval_status: ApprovalStatus,
    /// What was paid, in cents.
    #[serde(default)]
    pub payout_cents: Option<Cents>,
    /// Where it stands now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<TicketStatus>,
    /// Its version after the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// Money that moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Payment {
    /// The transaction of the ledger; absent where the service does not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TransactionId>,
    /// What the project paid, in cents.
    pub amount_cents: Cents,
    /// What the platform kept of it, in cents.
    pub commission_cents: Cents,
}
