//! DELETE /webhooks/{webhook_id}

use axum::extract::State;
use openpod_sdk::api::Nothing;
use openpod_sdk::api::webhooks::{DeleteWebhook, Deleted};

use super::agent;
use crate::app::App;
use crate::domain::audit::Change;
use crate::http::{Answer, ApiError, Call};
use crate::store::webhooks;

/// Deletes a webhook and what waits to be delivered to it.
pub async fn delete(
    State(app): State<App>,
    call: Call<DeleteWebhook>,
) -> Result<Answer<DeleteWebhook>, ApiError> {
    let Call { actor, path, once, .. } = call;
    let agent = agent(&actor)?;
    once.write(&app, move |tx| {
        Box::pin(async move {
            if !webhooks::delete(tx, &agent, &path.webhook_id).await? {
                return Err(ApiError::not_found("webhook"));
            }
            let change = Change::removed("webhook", &path.webhook_id, &Nothing {});
            Ok(Answer::ok(Deleted { deleted: true }).changing(change))
        })
    })
    .await
}
