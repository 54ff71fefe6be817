//! The outbox: events on their way to webhooks, written in the transaction that causes them.

use openpod_sdk::api::{AgentKeyId, DeliveryId, Timestamp, WebhookId};
use openpod_sdk::webhook::{Delivery, Event, WebhookTest};

use super::{StoreError, Tx, params};
use crate::domain::permission::Actor;

/// Writes an event for every active webhook of these agents that asked for it. Nobody is told of their own doing.
pub async fn emit(
    tx: &mut Tx<'_>,
    event: &Event,
    recipients: &[AgentKeyId],
    author: &Actor,
) -> Result<(), StoreError> {
    let now = tx.now();
    let (project, body) = (event.project(), body_of(event, now));
    for agent in recipients.iter().filter(|agent| !author.is_agent(agent)) {
        // A delivery to a second webhook of the same agent has the same id with a number.
        let sql = format!(
            "INSERT INTO deliveries (id, webhook_id, project_id, event, body, status, next_attempt_at, created_at) \
             SELECT 'msg_' || $1 || CASE n WHEN 1 THEN '' ELSE '_' || n END, id, $2, $3, $4, 'pending', $5, $5 \
             FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM (\
             SELECT w.id FROM webhooks w WHERE w.agent_id = $6 AND w.is_active = 1 AND w.id IN \
             (SELECT e.webhook_id FROM webhook_events e WHERE e.event IN ($3, '*')) ORDER BY w.id {}) AS asked) \
             AS numbered RETURNING webhook_id AS id",
            tx.dialect().keep()
        );
        let id: String = tx.new_id();
        tx.send_due(&sql, params![id, project, event.kind(), body, now, agent]).await?;
    }
    Ok(())
}

/// Writes a test for a webhook, which must be active.
pub async fn emit_test(tx: &mut Tx<'_>, webhook: &WebhookId) -> Result<DeliveryId, StoreError> {
    let message = "A test that somebody asked for. There is nothing to do but to answer 2xx.".to_owned();
    let event = Event::WebhookTest(WebhookTest { webhook_id: webhook.clone(), message });
    let (id, now) = (DeliveryId::from(format!("msg_{}", tx.new_id::<String>())), tx.now());
    let sql = "INSERT INTO deliveries (id, webhook_id, event, body, status, next_attempt_at, created_at) \
               VALUES ($1, $2, $3, $4, 'pending', $5, $5)";
    tx.send(sql, params![id, webhook, event.kind(), body_of(&event, now), now]).await?;
    tx.due(webhook.clone());
    Ok(id)
}

fn body_of(event: &Event, now: Timestamp) -> String {
    String::from_utf8_lossy(&Delivery::new(event, now).to_body()).into_owned()
}

/// Writes down that a webhook has a delivery which is due now, at the end of the transaction. It touches no row when the
/// webhook was disabled meanwhile.
pub(super) async fn settle(tx: &mut Tx<'_>, webhook: &WebhookId) -> Result<(), StoreError> {
    let sql = "UPDATE webhooks SET due_at = CASE WHEN due_at < $2 THEN due_at ELSE $2 END \
               WHERE id = $1 AND is_active = 1";
    let now = tx.now();
    tx.send(sql, params![webhook, now]).await
}

/// Gives up what is on its way to a webhook that was disabled meanwhile.
pub(super) async fn drop_all(tx: &mut Tx<'_>, webhook: &WebhookId) -> Result<(), StoreError> {
    let sql = "UPDATE deliveries SET status = 'failed', next_attempt_at = NULL, finished_at = $2 \
               WHERE webhook_id = $1 AND status = 'pending'";
    let now = tx.now();
    tx.execute(sql, params![webhook, now]).await.map(|_| ())
}
