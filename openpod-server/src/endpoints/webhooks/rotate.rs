//! POST /webhooks/{webhook_id}/rotate

use std::time::Duration;

use axum::extract::State;
use openpod_sdk::api::ErrorCode;
use openpod_sdk::api::webhooks::{RotateWebhookSecret, RotatedWebhook};
use serde_json::json;

use super::{Chosen, choose, reach};
use crate::app::App;
use crate::domain::audit::Change;
use crate::domain::webhook_secret::{self, GRACE, Refusal};
use crate::http::{Answer, ApiError, Call};
use crate::store::webhooks;

/// Gives a webhook a new secret; the one before it signs too for a time.
pub async fn rotate(
    State(app): State<App>,
    call: Call<RotateWebhookSecret>,
) -> Result<Answer<RotateWebhookSecret>, ApiError> {
    let Call { actor, path, body, once, .. } = call;
    let grace = body.grace_seconds.map_or(GRACE, |seconds| Duration::from_secs(u64::from(seconds)));
    let Chosen { secret, shown } = choose(&app, body.secret)?;
    once.write_shown_once(&app, "secret", move |tx| {
        Box::pin(async move {
            let (webhook, _) = reach(tx, &actor, &path.webhook_id).await?;
            let is_new = secret != webhook.secret;
            let until = webhook_secret::rotate(is_new, webhook.old_secret_until, grace, tx.now())?;
            webhooks::replace_secret(tx, &webhook.id, &secret, until).await?;
            let before = json!({"old_secret_until": webhook.old_secret_until});
            let after = json!({"secret": "replaced", "old_secret_until": until});
            let change = Change::altered("webhook", &webhook.id, &before, &after);
            let rotated = RotatedWebhook { id: webhook.id, secret: shown, old_secret_until: until };
            Ok(Answer::created(rotated).changing(change))
        })
    })
    .await
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        ApiError::new(ErrorCode::Conflict, refusal.to_string())
    }
}
