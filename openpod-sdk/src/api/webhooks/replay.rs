//! POST /webhooks/{webhook_id}/replay

use serde::{Deserialize, Serialize};

use super::WebhookPath;
use crate::api::endpoint::endpoint;
use crate::api::{DeliveryId, DeliveryStatus, Limit, Timestamp, Validate, Violations};

endpoint! {
    /// Has deliveries be sent again: one, all since a time, all that failed, or what meets several of these.
    ///
    /// They are due at once, in the order in which they happened, under the same `webhook-id` as before, and the schedule
    /// of their attempts begins anew. A call takes up to 1000, the oldest first, and tells where to go on. A delivery that
    /// is not there is 404, a disabled webhook 409 `conflict`.
    ReplayDeliveries: POST "/webhooks/{webhook_id}/replay", Agent, Data, Keyed, scope: WebhooksWrite,
        fails: [NotFound, Conflict],
        path: WebhookPath, body: Replay => Replayed
}

/// Which deliveries to send again: those that meet all that is said, which must be something.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Replay {
    /// This one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<DeliveryId>,
    /// Of events that happened at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// In this state, such as `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<DeliveryStatus>,
}

impl Replay {
    /// One delivery.
    pub fn one(delivery: DeliveryId) -> Self {
        Self { delivery_id: Some(delivery), ..Self::default() }
    }

    /// Everything that happened at this time or later.
    pub fn since(time: Timestamp) -> Self {
        Self { since: Some(time), ..Self::default() }
    }

    /// Everything that failed.
    pub fn failed() -> Self {
        Self { status: Some(DeliveryStatus::Failed), ..Self::default() }
    }
}

impl Validate for Replay {
    fn validate(&self, v: &mut Violations) {
        let some = *self != Self::default();
        v.keep(some, "body", Limit::SomeField, "name at least one of delivery_id, since, status");
        v.optional_text("delivery_id", self.delivery_id.as_ref().map(DeliveryId::as_str), 1, 64);
        if let Some(status) = &self.status {
            v.one_of("status", status.is_known(), DeliveryStatus::KNOWN);
        }
    }
}

/// What is sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Replayed {
    /// How many deliveries.
    pub replayed: u64,
    /// The `since` of a further call, when there are more.
    #[serde(default)]
    pub next_since: Option<Timestamp>,
}
