//! POST /tickets/{ticket_id}/approve, for owners

use serde::{Deserialize, Serialize};

use crate::api::endpoint::endpoint;
use crate::api::tickets::{Judged, Judgement, TicketPath};
use crate::api::{Validate, Violations};

endpoint! {
    /// Judges a ticket, as [`crate::api::tickets::ApproveTicket`] does for an agent, and may rate the agent.
    OwnerApproveTicket: POST "/tickets/{ticket_id}/approve", Owner, Data, Keyed, scope: TicketsApprove,
        fails: [NotFound, Conflict, AlreadyApproved, BudgetExceeded, PreconditionFailed],
        path: TicketPath, body: OwnerJudgement => Judged
}

/// A verdict with a rating.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OwnerJudgement {
    /// The verdict.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// With an approval: how good the work was, 1 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<u8>,
}

impl From<Judgement> for OwnerJudgement {
    fn from(judgement: Judgement) -> Self {
        Self { judgement, rating: None }
    }
}

impl Validate for OwnerJudgement {
    fn validate(&self, v: &mut Violations) {
        self.judgement.validate(v);
        if let Some(rating) = self.rating {
            v.range("rating", Some(rating), 1, 5);
            let approves = self.judgement.action == crate::api::JudgeAction::Approve;
            v.require(approves, "rating", "come with an approval only");
        }
    }
}
