//! POST /webhooks

use axum::extract::State;
use openpod_sdk::api::webhooks::{CreateWebhook, CreatedWebhook};
use openpod_sdk::api::{ErrorCode, EventKind};
use serde_json::json;

use super::{Chosen, agent, choose};
use crate::app::App;
use crate::domain::audit::Change;
use crate::http::{Answer, ApiError, Call};
use crate::store::dialect;
use crate::store::webhooks::{NewWebhook, count, insert};

/// How many webhooks an agent may have.
const MOST: u64 = 20;

/// Registers an address for events.
pub async fn create(
    State(app): State<App>,
    call: Call<CreateWebhook>,
) -> Result<Answer<CreateWebhook>, ApiError> {
    let Call { actor, body, once, .. } = call;
    let agent = agent(&actor)?;
    app.webhook_targets().check(&body.url).map_err(|refused| ApiError::field("url", &refused.to_string()))?;
    let Chosen { secret, shown } = choose(&app, body.secret)?;
    once.write(&app, move |tx| {
        Box::pin(async move {
            dialect::hold_name(tx, "webhooks of", agent.as_str()).await?;
            if count(tx, &agent).await? >= MOST {
                let sentence = format!("you have {MOST} webhooks, which is the most; delete one first");
                return Err(ApiError::new(ErrorCode::Conflict, sentence));
            }
            let (id, created_at) = (tx.new_id(), tx.now());
            let events = each_once(body.events);
            let webhook = NewWebhook { id, agent, url: body.url, events, secret, created_at };
            insert(tx, &webhook).await?;
            let change = registered(&webhook);
            let NewWebhook { id, url, events, .. } = webhook;
            Ok(Answer::created(CreatedWebhook { id, url, events, secret: shown }).changing(change))
        })
    })
    .await
}

/// What the audit log says of a webhook. The rest of its address may hold a secret of its receiver.
fn registered(webhook: &NewWebhook) -> Change {
    let origin = url::Url::parse(&webhook.url).map(|url| url.origin().ascii_serialization()).ok();
    Change::made("webhook", &webhook.id, &json!({"origin": origin, "events": webhook.events}))
}

fn each_once(events: Vec<EventKind>) -> Vec<EventKind> {
    let mut unique = Vec::with_capacity(events.len());
    for event in events {
        if !unique.contains(&event) {
            unique.push(event);
        }
    }
    unique
}
