//! The outbox: events on their way to webhooks, written in the transaction that causes them.

use openpod_sdk::api::{AgentKeyId, WebhookId};
use openpod_sdk::webhook::{Delivery, Event};

use super::{StoreError, Tx, params};
use crate::domain::permission::Actor;

/// Writes an event for every active webhook of these agents that asked for it. Nobody is told of their own doing.
pub async fn emit(
    tx: &mut Tx<'_>,
    event: &Event,
    recipients: &[AgentKeyId],
    author: &Actor,
) -> Result<(), StoreError> {
    let mut body = None;
    for agent in recipients.iter().filter(|agent| !author.is_agent(agent)) {
        let sql = "SELECT DISTINCT w.id FROM webhooks w JOIN webhook_events e ON e.webhook_id = w.id \
                   WHERE w.agent_id = $1 AND w.is_active = 1 AND e.event IN ($2, '*') ORDER BY w.id";
        let webhooks: Vec<WebhookId> = tx.all(sql, params![agent, event.kind()], |row| row.get("id")).await?;
        for webhook in webhooks {
            let now = tx.now();
            let body = body.get_or_insert_with(|| {
                String::from_utf8_lossy(&Delivery::new(event, now).to_body()).into_owned()
            });
            let id: String = tx.new_id();
            let sql = "INSERT INTO deliveries (id, webhook_id, event, body, status, next_attempt_at, created_at) \
                       VALUES ($1, $2, $3, $4, 'pending', $5, $5)";
            tx.execute(sql, params![format!("msg_{id}"), webhook, event.kind(), *body, now]).await?;
            due(tx, &webhook).await?;
        }
    }
    Ok(())
}

/// Notes that a webhook has a delivery which is due now, and wakes whoever delivers.
pub(super) async fn due(tx: &mut Tx<'_>, webhook: &WebhookId) -> Result<(), StoreError> {
    let sql = "UPDATE webhooks SET due_at = $2 WHERE id = $1 AND (due_at IS NULL OR due_at > $2)";
    let now = tx.now();
    tx.execute(sql, params![webhook, now]).await?;
    tx.wake_deliveries();
    Ok(())
}
