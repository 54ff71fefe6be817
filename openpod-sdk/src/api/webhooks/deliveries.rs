//! GET /webhooks/{webhook_id}/deliveries

use serde::{Deserialize, Serialize};

use super::WebhookPath;
use crate::api::endpoint::endpoint;
use crate::api::{DeliveryId, DeliveryStatus, EventKind, Page, Timestamp, Validate, Violations};

endpoint! {
    /// What was sent to a webhook and what came of it, newest first: each delivery with its attempts.
    ///
    /// A delivery is kept for 30 days after it ended. Of what a receiver answers only the status is kept.
    ListDeliveries: GET "/webhooks/{webhook_id}/deliveries", Agent, Page, Safe, fails: [NotFound],
        path: WebhookPath, query: DeliveryFilter => Page<LoggedDelivery>
}

/// Which deliveries to list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeliveryFilter {
    /// In this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<DeliveryStatus>,
    /// Of this event; `*` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventKind>,
    /// Of events that happened at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Validate for DeliveryFilter {
    fn validate(&self, v: &mut Violations) {
        if let Some(status) = &self.status {
            v.one_of("status", status.is_known(), DeliveryStatus::KNOWN);
        }
        if let Some(event) = &self.event {
            v.one_of("event", event.is_known(), EventKind::KNOWN);
        }
        v.limit(self.limit);
    }
}

/// A delivery: one event on its way to one webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LoggedDelivery {
    /// The delivery: the `webhook-id` of each of its attempts.
    pub id: DeliveryId,
    /// What happened.
    pub event: EventKind,
    /// What became of it so far.
    pub status: DeliveryStatus,
    /// When the event happened.
    pub created_at: Timestamp,
    /// When it is attempted next; null when no attempt is to come.
    #[serde(default)]
    pub next_attempt_at: Option<Timestamp>,
    /// How many attempts there were, replays included.
    pub attempt_count: u32,
    /// The attempts, oldest first; of more than 20 the last 20.
    pub attempts: Vec<LoggedAttempt>,
}

/// One attempt at a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LoggedAttempt {
    /// Its number, from 1.
    pub number: u32,
    /// When it began.
    pub begun_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The status of the answer; null when there was none.
    #[serde(default)]
    pub http_status: Option<u16>,
    /// Why it failed, in words; null when it did not.
    #[serde(default)]
    pub error: Option<String>,
}
