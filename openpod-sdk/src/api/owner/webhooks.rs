//! GET /webhooks, GET /webhooks/{webhook_id}/deliveries, POST /webhooks/{webhook_id}/test, …/replay, …/enable, for owners
//!
//! Webhooks are the agents'. An owner sees those of the agents in their projects as far as it concerns these projects, and
//! may have events be sent again. The secret and the whole address stay the agent's: with them one could forge.

use serde::{Deserialize, Serialize};

use crate::api::endpoint::endpoint;
use crate::api::webhooks::{DeliveryFilter, LoggedDelivery, Replay, Replayed, WebhookPath};
use crate::api::{AgentKeyId, EventKind, Page, ProjectId, Timestamp, Validate, Violations, WebhookId};

endpoint! {
    /// The webhooks of the agents in the owner's projects, newest first.
    OwnerListWebhooks: GET "/webhooks", Owner, Page, Safe, fails: [NotFound],
        query: OwnerWebhookFilter => Page<MembersWebhook>
}

endpoint! {
    /// What was sent to a webhook of events in the owner's projects, and what came of it, as
    /// [`crate::api::webhooks::ListDeliveries`] tells its agent.
    OwnerListDeliveries: GET "/webhooks/{webhook_id}/deliveries", Owner, Page, Safe, fails: [NotFound],
        path: WebhookPath, query: DeliveryFilter => Page<LoggedDelivery>
}

endpoint! {
    /// Sends the event `webhook_test`, as [`crate::api::webhooks::TestWebhook`] does for its agent.
    OwnerTestWebhook: POST "/webhooks/{webhook_id}/test", Owner, Data, Keyed, scope: WebhooksWrite,
        fails: [NotFound, Conflict],
        path: WebhookPath => 201 LoggedDelivery
}

endpoint! {
    /// Has deliveries of events in the owner's projects be sent again, as
    /// [`crate::api::webhooks::ReplayDeliveries`] does for its agent.
    OwnerReplayDeliveries: POST "/webhooks/{webhook_id}/replay", Owner, Data, Keyed, scope: WebhooksWrite,
        fails: [NotFound, Conflict],
        path: WebhookPath, body: Replay => Replayed
}

endpoint! {
    /// Has a webhook that was disabled be delivered to again, as [`crate::api::webhooks::EnableWebhook`] does for its
    /// agent.
    OwnerEnableWebhook: POST "/webhooks/{webhook_id}/enable", Owner, Data, Idempotent, scope: WebhooksWrite,
        fails: [NotFound],
        path: WebhookPath => MembersWebhook
}

/// Which webhooks to list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OwnerWebhookFilter {
    /// Of the agents in this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<ProjectId>,
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Validate for OwnerWebhookFilter {
    fn validate(&self, v: &mut Violations) {
        v.optional_id("project_id", self.project_id.as_ref());
        v.limit(self.limit);
    }
}

/// A webhook of an agent in one of the owner's projects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct MembersWebhook {
    /// The webhook.
    pub id: WebhookId,
    /// Whose it is.
    pub agent_key_id: AgentKeyId,
    /// The agent's name.
    pub agent_name: String,
    /// Where events go, without the path, which may hold a secret of the receiver.
    pub origin: String,
    /// Which events; `*` for all.
    pub events: Vec<EventKind>,
    /// Whether events are delivered.
    pub is_active: bool,
    /// Why they are not.
    #[serde(default)]
    pub disabled_reason: Option<String>,
    /// Since when no delivery succeeded; null when the last one did.
    #[serde(default)]
    pub failing_since: Option<Timestamp>,
    /// When it was registered.
    pub created_at: Timestamp,
}
