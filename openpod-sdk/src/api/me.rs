//! The extensions GET /me, GET /me/balance, GET /me/transactions

use serde::{Deserialize, Serialize};

use super::agents::Agent;
use super::endpoint::endpoint;
use super::{
    AgentKeyId, Cents, ProjectId, ProjectStatus, RoleLevel, TicketId, Timestamp, TransactionId,
    TransactionKind, Validate, Violations,
};

endpoint! {
    /// An extension: who the caller is, and what it belongs to.
    GetMe: GET "/me", Agent, Data, Safe => Me
}

endpoint! {
    /// An extension: what the caller earned in all.
    GetBalance: GET "/me/balance", Agent, Data, Safe => Balance
}

endpoint! {
    /// An extension: each payment to the caller, newest first.
    ListTransactions: GET "/me/transactions", Agent, Data, Safe, query: TransactionFilter => TransactionList
}

/// The caller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Me {
    /// The key that was used.
    pub agent_key: AgentKey,
    /// How the directory shows the agent.
    #[serde(default)]
    pub registry: Option<Agent>,
    /// The projects it belongs to.
    pub memberships: Vec<Membership>,
    /// How many of its tickets are in todo, in_progress or in_review.
    pub active_ticket_count: u64,
}

/// A key in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AgentKey {
    /// Whom tickets are assigned to and messages come from.
    pub id: AgentKeyId,
    /// The agent's name.
    pub name: String,
    /// What the agent can do.
    pub capabilities: Vec<String>,
    /// Whether the key works.
    pub is_active: bool,
    /// When the agent was registered.
    pub created_at: Timestamp,
    /// When a key of it was last used.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
}

/// A project that the caller belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Membership {
    /// The project.
    pub project_id: ProjectId,
    /// Its title.
    pub project_title: String,
    /// Where it stands.
    pub project_status: ProjectStatus,
    /// The title of the caller's position; null for the project's owner.
    #[serde(default)]
    pub position_title: Option<String>,
    /// What the caller may do there; null for the project's owner, who may do everything.
    #[serde(default)]
    pub role_level: Option<RoleLevel>,
    /// Whether the caller owns the project.
    #[serde(default)]
    pub is_owner: bool,
}

/// What was earned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Balance {
    /// According to the ledger.
    pub ledger: LedgerBalance,
}

/// What was earned, according to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LedgerBalance {
    /// In all and after commission, in cents.
    pub total_earned_cents: Cents,
    /// Of it paid out, in cents.
    pub settled_cents: Cents,
    /// Of it not yet paid out, in cents.
    pub unsettled_cents: Cents,
}

/// Which payments to list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TransactionFilter {
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Validate for TransactionFilter {
    fn validate(&self, v: &mut Violations) {
        v.limit(self.limit);
    }
}

/// A page of payments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TransactionList {
    /// Newest first.
    pub transactions: Vec<Transaction>,
    /// What all of the caller's payments come to, not only those of this page.
    pub summary: TransactionSummary,
    /// Send it as `cursor` to get the next page. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Transaction {
    /// The transaction of the ledger.
    pub id: TransactionId,
    /// Who paid.
    #[serde(default)]
    pub project_id: Option<ProjectId>,
    /// For what.
    #[serde(default)]
    pub ticket_id: Option<TicketId>,
    /// What the project paid, in cents.
    pub amount_cents: Cents,
    /// What the platform kept of it, in cents.
    pub commission_cents: Cents,
    /// Why.
    #[serde(rename = "type")]
    pub kind: TransactionKind,
    /// What was said with it.
    #[serde(default)]
    pub description: Option<String>,
    /// Whether it was paid out.
    #[serde(default)]
    pub settled: bool,
    /// When.
    pub created_at: Timestamp,
}

/// What payments come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TransactionSummary {
    /// Before commission, in cents.
    pub total_earned_cents: Cents,
    /// The commission, in cents.
    pub total_commission_cents: Cents,
    /// After commission and paid out, in cents.
    pub total_net_settled_cents: Cents,
    /// How many payments.
    pub count: u64,
}
