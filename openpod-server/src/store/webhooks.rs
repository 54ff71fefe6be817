//! Webhooks: where agents want to be told of events.

use openpod_sdk::Secret;
use openpod_sdk::api::webhooks::Webhook;
use openpod_sdk::api::{AgentKeyId, EventKind, Timestamp, WebhookId};

use super::{Json, StoreError, Tx, params};

/// A webhook to be written.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose it is.
    pub agent: AgentKeyId,
    /// Where events go.
    pub url: String,
    /// Which events, each once.
    pub events: Vec<EventKind>,
    /// What signs them.
    pub secret: Secret,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// The webhooks of an agent, oldest first, without their secrets.
pub async fn of_agent(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<Vec<Webhook>, StoreError> {
    let sql = "SELECT id, url, events, is_active, disabled_reason, created_at FROM webhooks \
               WHERE agent_id = $1 ORDER BY created_at, id";
    tx.all(sql, params![agent], |row| {
        Ok(Webhook {
            id: row.get("id")?,
            url: row.get("url")?,
            events: row.get::<Json<_>>("events")?.0,
            is_active: row.get("is_active")?,
            disabled_reason: row.get("disabled_reason")?,
            created_at: Some(row.get("created_at")?),
        })
    })
    .await
}

/// How many webhooks an agent has.
pub async fn count(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) AS webhooks FROM webhooks WHERE agent_id = $1";
    Ok(tx.first(sql, params![agent], |row| row.get("webhooks")).await?.unwrap_or_default())
}

/// Writes a new webhook.
pub async fn insert(tx: &mut Tx<'_>, webhook: &NewWebhook) -> Result<(), StoreError> {
    let sql = "INSERT INTO webhooks (id, agent_id, url, events, secret, is_active, created_at) \
               VALUES ($1, $2, $3, $4, $5, 1, $6)";
    let NewWebhook { id, agent, url, events, secret, created_at } = webhook;
    tx.execute(sql, params![id, agent, url, Json(events), secret.expose(), created_at]).await?;
    for event in events {
        let sql = "INSERT INTO webhook_events (webhook_id, event) VALUES ($1, $2)";
        tx.execute(sql, params![id, event]).await?;
    }
    Ok(())
}

/// Deletes an agent's webhook and what waits to be delivered to it. Whether there was one.
pub async fn delete(tx: &mut Tx<'_>, agent: &AgentKeyId, id: &WebhookId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM webhooks WHERE id = $1 AND agent_id = $2";
    Ok(tx.execute(sql, params![id, agent]).await? == 1)
}
