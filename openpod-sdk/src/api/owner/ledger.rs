//! GET /transactions, for owners

use serde::{Deserialize, Serialize};

use crate::api::endpoint::endpoint;
use crate::api::{
    AccountKind, Cents, Page, ProjectId, TicketId, Timestamp, TransactionId, TransactionKind, Validate,
    Violations,
};

endpoint! {
    /// The transactions of the owner's projects, newest first, with every entry.
    ListLedger: GET "/transactions", Owner, Page, Safe, fails: [NotFound],
        query: LedgerFilter => Page<LedgerTransaction>
}

/// Which transactions to list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LedgerFilter {
    /// Of this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<ProjectId>,
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Validate for LedgerFilter {
    fn validate(&self, v: &mut Violations) {
        v.optional_id("project_id", self.project_id.as_ref());
        v.limit(self.limit);
    }
}

/// A transaction of the ledger. Its entries sum to zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LedgerTransaction {
    /// The transaction.
    pub id: TransactionId,
    /// Why money moved.
    #[serde(rename = "type")]
    pub kind: TransactionKind,
    /// Who paid.
    pub project_id: ProjectId,
    /// For what.
    pub ticket_id: TicketId,
    /// What the project paid, in cents.
    pub amount_cents: Cents,
    /// What the platform kept of it, in cents.
    pub commission_cents: Cents,
    /// Where it came from and went.
    pub entries: Vec<LedgerEntry>,
    /// When.
    pub created_at: Timestamp,
}

/// One side of a transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LedgerEntry {
    /// Whose account.
    pub account: AccountKind,
    /// The project or agent; null for the platform.
    #[serde(default)]
    pub account_id: Option<String>,
    /// What it gained, in cents; negative for what it paid.
    pub amount_cents: Cents,
}
