//! POST /webhooks/{webhook_id}/test, for agents and owners

use axum::extract::State;
use openpod_sdk::api::Endpoint;
use openpod_sdk::api::webhooks::{LoggedDelivery, WebhookPath};
use serde_json::json;

use super::reach_active;
use crate::app::App;
use crate::domain::audit::Change;
use crate::http::{Answer, ApiError, Call};
use crate::store::{delivery_log, outbox};

/// Sends a test to a webhook.
pub async fn test<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Path = WebhookPath, Response = LoggedDelivery>,
{
    let Call { actor, path, once, .. } = call;
    once.write(&app, move |tx| {
        Box::pin(async move {
            let reach = reach_active(tx, &actor, &path.webhook_id).await?;
            let id = outbox::emit_test(tx, &reach.webhook).await?;
            let made = delivery_log::find(tx, &id).await?;
            let made = made.ok_or_else(|| ApiError::internal("a test was written and is not there"))?;
            let facts = json!({"webhook_id": reach.webhook, "event": made.event});
            Ok(Answer::created(made).changing(Change::made("delivery", &id, &facts).concerning(&actor)))
        })
    })
    .await
}
