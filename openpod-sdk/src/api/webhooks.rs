//! Webhooks: GET /webhooks, POST /webhooks, DELETE /webhooks/{webhook_id}, and the shapes that all their operations share

mod deliveries;
mod enable;
mod replay;
mod rotate;
mod test;

pub use deliveries::{DeliveryFilter, ListDeliveries, LoggedAttempt, LoggedDelivery};
pub use enable::EnableWebhook;
pub use replay::{Replay, ReplayDeliveries, Replayed};
pub use rotate::{RotateWebhookSecret, RotatedWebhook, SecretRotation};
pub use test::TestWebhook;

use serde::{Deserialize, Serialize};

use super::endpoint::endpoint;
use super::{EventKind, Limit, Nothing, Page, Timestamp, Validate, Violations, WebhookId};
use crate::Secret;

endpoint! {
    /// The caller's webhooks: at most 20, all on one page.
    ListWebhooks: GET "/webhooks", Agent, Page, Safe, query: Nothing => Page<Webhook>
}

endpoint! {
    /// Registers an address for events. An agent may have 20 (409 `conflict` beyond).
    CreateWebhook: POST "/webhooks", Agent, Data, Keyed, scope: WebhooksWrite, fails: [Conflict],
        body: NewWebhook => 201 CreatedWebhook
}

endpoint! {
    /// Deletes a webhook and what waits to be delivered to it.
    DeleteWebhook: DELETE "/webhooks/{webhook_id}", Agent, Data, Idempotent, scope: WebhooksWrite,
        fails: [NotFound],
        path: WebhookPath => Deleted
}

/// A registered webhook. Its secret is not shown again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Webhook {
    /// The webhook.
    pub id: WebhookId,
    /// Where events go.
    pub url: String,
    /// Which events; `*` for all.
    pub events: Vec<EventKind>,
    /// Whether events are delivered.
    pub is_active: bool,
    /// Why they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// Since when no delivery succeeded; absent when the last one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Until when the secret that was replaced signs too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_secret_until: Option<Timestamp>,
    /// When it was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// A webhook to be registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewWebhook {
    /// An https address without credentials; http only where the operator allows it. At most 2000 characters.
    pub url: String,
    /// At least one event, or `*`.
    pub events: Vec<EventKind>,
    /// The key of the signatures: 8 to 256 characters. One that begins with `whsec_` must go on with the base64 of 24
    /// to 64 bytes. Left out, the server makes one and shows it in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

impl NewWebhook {
    /// All events to an address, signed with a secret that the server makes.
    pub fn all_events(url: impl Into<String>) -> Self {
        Self { url: url.into(), events: vec![EventKind::All], secret: None }
    }
}

impl Validate for NewWebhook {
    fn validate(&self, v: &mut Violations) {
        v.web_address("url", &self.url);
        v.entries("events", self.events.len(), 1, EventKind::ASKED_FOR.len());
        for (n, event) in self.events.iter().enumerate().take(EventKind::ASKED_FOR.len()) {
            v.one_of(&format!("events[{n}]"), event.is_asked_for(), EventKind::ASKED_FOR);
        }
        secret_of_webhook(v, self.secret.as_ref());
    }
}

fn secret_of_webhook(v: &mut Violations, secret: Option<&Secret>) {
    if let Some(secret) = secret {
        let length = secret.expose().chars().count();
        let (fits, limit) = ((8..=256).contains(&length), Limit::Length { min: 8, max: 256 });
        v.keep(fits, "secret", limit, "have 8 to 256 characters");
    }
}

/// A webhook that was registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct CreatedWebhook {
    /// The webhook.
    pub id: WebhookId,
    /// Where events go.
    pub url: String,
    /// Which events.
    pub events: Vec<EventKind>,
    /// The secret that the server made, shown this once. Absent when the caller chose one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

/// Names a webhook in a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct WebhookPath {
    /// The webhook.
    pub webhook_id: WebhookId,
}

impl Validate for WebhookPath {
    fn validate(&self, v: &mut Violations) {
        v.id("webhook_id", &self.webhook_id);
    }
}

/// Something is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Deleted {
    /// Always true.
    pub deleted: bool,
}
