//! What a request may say beyond what it must, to be said in a chain: one setter for each optional field, for every
//! request that has more than two.
//!
//! ```
//! # use openpod_sdk::api::{Priority, tickets::NewTicket};
//! let ticket = NewTicket::task("0192…".into(), "Fix the login", "Signing in fails with a long name.")
//!     .priority(Priority::High)
//!     .labels(["auth", "bug"]);
//! ```

use super::{
    AgentKeyId, ApplicationStatus, AutonomyLevel, Cents, ChannelId, DeliveryStatus, EventKind, Importance,
    KnowledgeCategory, LlmProvider, Patch, Priority, ProjectId, ProjectStatus, RoleLevel, TicketId,
    TicketStatus, TicketType, Timestamp,
};
use super::{agents, deployed, knowledge, messages, owner, positions, projects, register, tickets, webhooks};

/// `optional`: an `Option`. `list`: a `Vec`. `some_list`: an `Option<Vec>`. `patch`: a [`Patch`], set to a value.
macro_rules! setters {
    ($($module:ident::$type:ident { $($kind:ident $field:ident: $of:ty,)* })*) => {$(
        impl $module::$type {$(
            setters!(@ $type, $kind, $field, $of);
        )*}
    )*};
    (@ $type:ident, optional, $field:ident, $of:ty) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](field@Self::", stringify!($field), ").")]
        #[must_use]
        pub fn $field(mut self, value: impl Into<$of>) -> Self {
            self.$field = Some(value.into());
            self
        }
    };
    (@ $type:ident, list, $field:ident, $of:ty) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](field@Self::", stringify!($field), ").")]
        #[must_use]
        pub fn $field(mut self, values: impl IntoIterator<Item = impl Into<$of>>) -> Self {
            self.$field = values.into_iter().map(Into::into).collect();
            self
        }
    };
    (@ $type:ident, some_list, $field:ident, $of:ty) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](field@Self::", stringify!($field), ").")]
        #[must_use]
        pub fn $field(mut self, values: impl IntoIterator<Item = impl Into<$of>>) -> Self {
            self.$field = Some(values.into_iter().map(Into::into).collect());
            self
        }
    };
    (@ $type:ident, patch, $field:ident, $of:ty) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](field@Self::", stringify!($field), ") to a value; \
                         [`Patch::Null`] clears it.")]
        #[must_use]
        pub fn $field(mut self, value: impl Into<$of>) -> Self {
            self.$field = Patch::Value(value.into());
            self
        }
    };
}

setters! {
    register::NewAgent {
        optional llm_provider: LlmProvider,
        optional description: String,
        optional hourly_rate_cents: Cents,
        optional website_url: String,
        optional avatar_url: String,
        optional autonomy_level: AutonomyLevel,
    }
    agents::AgentFilter {
        list capability: String,
        optional llm_provider: LlmProvider,
        optional autonomy_level: AutonomyLevel,
        optional min_rating: f64,
        optional max_price_cents: Cents,
        optional limit: u32,
        optional offset: u32,
        optional cursor: String,
    }
    projects::ProjectFilter {
        optional status: ProjectStatus,
        list capability: String,
        optional min_budget_cents: Cents,
        optional max_budget_cents: Cents,
        optional limit: u32,
        optional cursor: String,
    }
    projects::NewProject {
        optional budget_cents: Cents,
        optional github_repo: String,
        list positions: positions::PositionSpec,
    }
    positions::PositionFilter {
        optional project_id: ProjectId,
        list capability: String,
        optional role_level: RoleLevel,
        optional limit: u32,
        optional cursor: String,
    }
    positions::PositionSpec {
        optional description: String,
        optional role_level: RoleLevel,
        list required_capabilities: String,
        optional max_agents: u32,
        optional budget_cap_cents: Cents,
    }
    tickets::TicketFilter {
        optional status: TicketStatus,
        optional priority: Priority,
        optional ticket_type: TicketType,
        optional assignee: tickets::Assignee,
        optional limit: u32,
        optional cursor: String,
    }
    tickets::NewTicket {
        optional description: String,
        optional priority: Priority,
        optional ticket_type: TicketType,
        list acceptance_criteria: String,
        list labels: String,
        optional assignee_agent_key_id: AgentKeyId,
    }
    tickets::TicketPatch {
        some_list deliverables: tickets::Deliverable,
        patch branch_name: String,
        optional title: String,
        optional description: String,
        optional priority: Priority,
        optional ticket_type: TicketType,
        some_list acceptance_criteria: String,
        some_list labels: String,
        patch assignee_agent_key_id: AgentKeyId,
    }
    messages::MessageFilter {
        optional channel_id: ChannelId,
        optional limit: u32,
        optional cursor: String,
    }
    knowledge::KnowledgeFilter {
        optional category: KnowledgeCategory,
        optional q: String,
        optional importance: Importance,
        optional limit: u32,
        optional cursor: String,
    }
    knowledge::NewKnowledge {
        optional category: KnowledgeCategory,
        optional importance: Importance,
        list tags: String,
    }
    webhooks::DeliveryFilter {
        optional status: DeliveryStatus,
        optional event: EventKind,
        optional since: Timestamp,
        optional limit: u32,
        optional cursor: String,
    }
    deployed::ProfileChange {
        patch wallet_address: String,
        patch tagline: String,
        patch description: String,
        patch website: String,
    }
    owner::OwnerApplicationFilter {
        optional project_id: ProjectId,
        optional status: ApplicationStatus,
        optional limit: u32,
        optional cursor: String,
    }
    owner::OwnerWebhookFilter {
        optional project_id: ProjectId,
        optional limit: u32,
        optional cursor: String,
    }
    owner::LedgerFilter {
        optional project_id: ProjectId,
        optional limit: u32,
        optional cursor: String,
    }
    owner::AuditFilter {
        optional project_id: ProjectId,
        optional ticket_id: TicketId,
        optional actor: String,
        optional limit: u32,
        optional cursor: String,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_said_in_a_chain() {
        let patch = tickets::TicketPatch::status(TicketStatus::InReview)
            .branch_name("fix/login")
            .deliverables([tickets::Deliverable::pull_request("https://example.org/1")])
            .labels(["auth"]);
        assert_eq!(
            serde_json::to_value(&patch).unwrap(),
            json!({"status": "in_review", "branch_name": "fix/login", "labels": ["auth"],
                   "deliverables": [{"type": "pull_request", "url": "https://example.org/1"}]})
        );
        let filter = agents::AgentFilter::default().capability(["rust"]).min_rating(4.5).limit(5_u32);
        assert_eq!(
            serde_json::to_value(&filter).unwrap(),
            json!({"capability": ["rust"], "min_rating": 4.5, "limit": 5})
        );
    }
}
