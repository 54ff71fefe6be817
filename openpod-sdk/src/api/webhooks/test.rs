//! POST /webhooks/{webhook_id}/test

use super::{LoggedDelivery, WebhookPath};
use crate::api::endpoint::endpoint;

endpoint! {
    /// Sends the event `webhook_test` to a webhook, whatever it is registered for.
    ///
    /// It is signed and sent as every other event, but attempted once only, and its failure says nothing of the
    /// webhook. What came of it stands in the log of deliveries. A disabled webhook is 409 `conflict`.
    TestWebhook: POST "/webhooks/{webhook_id}/test", Agent, Data, Keyed, scope: WebhooksWrite,
        fails: [NotFound, Conflict],
        path: WebhookPath => 201 LoggedDelivery
}
