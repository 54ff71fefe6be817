//! POST /webhooks/{webhook_id}/rotate

use serde::{Deserialize, Serialize};

use super::{WebhookPath, secret_of_webhook};
use crate::Secret;
use crate::api::endpoint::endpoint;
use crate::api::{Timestamp, Validate, Violations, WebhookId};

endpoint! {
    /// Gives a webhook a new secret. One that the server made is shown this once.
    ///
    /// For a grace period the old secret signs too: `webhook-signature` then holds two signatures, the new one first. The
    /// older `X-Webhook-Signature` holds one, made with the new secret; a receiver that reads it alone should know both
    /// before, so choose the secret yourself. A second rotation within the grace period is 409 `conflict`, unless it
    /// ends that with `grace_seconds: 0`; so is the secret that it has.
    RotateWebhookSecret: POST "/webhooks/{webhook_id}/rotate", Agent, Data, Keyed, scope: WebhooksWrite,
        fails: [NotFound, Conflict],
        path: WebhookPath, body: SecretRotation => 201 RotatedWebhook
}

/// How a secret is replaced.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct SecretRotation {
    /// The new secret, as a new webhook's. Left out, the server makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// How long the old secret goes on signing: 0 to 604 800 seconds (7 days), 86 400 (a day) unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u32>,
}

impl Validate for SecretRotation {
    fn validate(&self, v: &mut Violations) {
        secret_of_webhook(v, self.secret.as_ref());
        v.range("grace_seconds", self.grace_seconds, 0, 604_800);
    }
}

/// A webhook that was given a new secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RotatedWebhook {
    /// The webhook.
    pub id: WebhookId,
    /// The secret that the server made, shown this once. Absent when the caller chose one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Until when the old secret signs too; null when it no longer does.
    #[serde(default)]
    pub old_secret_until: Option<Timestamp>,
}
