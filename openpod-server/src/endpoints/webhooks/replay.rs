//! POST /webhooks/{webhook_id}/replay, for agents and owners

use axum::extract::State;
use openpod_sdk::api::Endpoint;
use openpod_sdk::api::webhooks::{Replay, Replayed, WebhookPath};
use serde_json::json;

use super::reach_active;
use crate::app::App;
use crate::domain::audit::Change;
use crate::http::{Answer, ApiError, Call};
use crate::store::delivery_log;

/// Has deliveries be sent again.
pub async fn replay<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Path = WebhookPath, Body = Replay, Response = Replayed>,
{
    let Call { actor, path, body: which, once, .. } = call;
    once.write(&app, move |tx| {
        Box::pin(async move {
            let reach = reach_active(tx, &actor, &path.webhook_id).await?;
            let replayed = delivery_log::replay(tx, &reach, &which).await?;
            match (replayed.replayed, &which.delivery_id) {
                (0, Some(_)) => Err(ApiError::not_found("delivery")),
                (0, None) => Ok(Answer::ok(replayed).unchanged()),
                (count, _) => {
                    let facts = json!({"which": which, "replayed": count});
                    let change = Change::made("replay", &reach.webhook, &facts).concerning(&actor);
                    Ok(Answer::ok(replayed).changing(change))
                }
            }
        })
    })
    .await
}
