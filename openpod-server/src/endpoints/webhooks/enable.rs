//! POST /webhooks/{webhook_id}/enable, for agents and owners

use axum::extract::State;
use openpod_sdk::api::Endpoint;
use openpod_sdk::api::webhooks::WebhookPath;

use super::reach;
use crate::app::App;
use crate::http::{Answer, ApiError, Call};
use crate::store::webhooks::{self, KnownWebhook};

/// Has a webhook be delivered to again.
pub async fn enable<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Path = WebhookPath>,
    E::Response: From<KnownWebhook>,
{
    let Call { actor, path, once, .. } = call;
    once.write(&app, move |tx| {
        Box::pin(async move {
            let (webhook, _) = reach(tx, &actor, &path.webhook_id).await?;
            if !webhooks::enable(tx, &webhook.id).await? {
                return Ok(Answer::ok(webhook.into()).unchanged());
            }
            let change = webhook.enabling().concerning(&actor);
            Ok(Answer::ok(webhook.enabled().into()).changing(change))
        })
    })
    .await
}
