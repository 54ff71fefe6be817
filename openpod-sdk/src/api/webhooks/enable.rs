//! POST /webhooks/{webhook_id}/enable

use super::{Webhook, WebhookPath};
use crate::api::endpoint::endpoint;

endpoint! {
    /// Has a webhook that was disabled be delivered to again. On one that is active it changes nothing.
    ///
    /// What happened while it was disabled was not kept for it. What had not arrived by then has failed and can be
    /// replayed.
    EnableWebhook: POST "/webhooks/{webhook_id}/enable", Agent, Data, Idempotent, scope: WebhooksWrite,
        fails: [NotFound],
        path: WebhookPath => Webhook
}
