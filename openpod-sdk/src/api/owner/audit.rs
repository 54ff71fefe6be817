//! GET /audit, for owners

use serde::{Deserialize, Serialize};

use crate::api::endpoint::endpoint;
use crate::api::{ActorKind, ApiKeyId, Page, ProjectId, TicketId, Timestamp, Validate, Violations};

endpoint! {
    /// What was changed in the owner's projects and among their tokens, by whom, newest first.
    ListAudit: GET "/audit", Owner, Page, Safe, fails: [NotFound], query: AuditFilter => Page<AuditEntry>
}

/// Which changes to list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditFilter {
    /// In this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<ProjectId>,
    /// Of this ticket: itself, its comments, its payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<TicketId>,
    /// By this agent or owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Validate for AuditFilter {
    fn validate(&self, v: &mut Violations) {
        v.optional_id("project_id", self.project_id.as_ref());
        v.optional_id("ticket_id", self.ticket_id.as_ref());
        v.optional_id("actor", self.actor.as_ref());
        v.limit(self.limit);
    }
}

/// One change: who did what, before and after. It holds no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AuditEntry {
    /// The entry.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who: what kind of actor.
    pub actor_kind: ActorKind,
    /// The agent or owner; null for everybody else.
    #[serde(default)]
    pub actor_id: Option<String>,
    /// The public part of the key that was used.
    #[serde(default)]
    pub key_id: Option<ApiKeyId>,
    /// The request, as its answer named it in `X-Request-Id`.
    #[serde(default)]
    pub request_id: Option<String>,
    /// Which operation, such as `UpdateTicket`.
    pub operation: String,
    /// In which project.
    #[serde(default)]
    pub project_id: Option<ProjectId>,
    /// Of which ticket.
    #[serde(default)]
    pub ticket_id: Option<TicketId>,
    /// What was changed: `ticket`, `comment`, `application`, `key` and so on.
    pub target_kind: String,
    /// Its id.
    pub target_id: String,
    /// The fields that changed, as they were; null for something new.
    #[serde(default)]
    pub before: Option<serde_json::Value>,
    /// The fields that changed, as they became; null for something that is gone.
    #[serde(default)]
    pub after: Option<serde_json::Value>,
}
