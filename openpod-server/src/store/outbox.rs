//! The outbox: events on their way to webhooks, written in the transaction that causes them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use openpod_sdk::api::{AgentKeyId, DeliveryId, Timestamp, WebhookId};
use openpod_sdk::webhook::{Delivery, Event, WebhookTest};

use super::batch::{Batch, Column};
use super::dialect::Dialect;
use super::{Asked, StoreError, Tx, params};
use crate::domain::permission::Actor;

/// Events for agents, each for all webhooks that asked for it. A delivery to a second webhook of the same agent has the
/// same id with a number.
static EVENTS: LazyLock<Batch> = LazyLock::new(|| {
    let columns = [
        Column::Text("id"),
        Column::Text("agent"),
        Column::Text("project"),
        Column::Text("event"),
        Column::Text("body"),
        Column::Integer("now"),
    ];
    Batch::new(&columns, |dialect, rows| {
        let webhooks = dialect.join(
            "webhooks",
            "w",
            &["id"],
            "w.agent_id = r.agent AND w.is_active = 1 AND EXISTS \
             (SELECT 1 FROM webhook_events e WHERE e.webhook_id = w.id AND e.event IN (r.event, '*'))",
            &dialect.keep("w"),
        );
        format!(
            "INSERT INTO deliveries (id, webhook_id, project_id, event, body, status, next_attempt_at, created_at) \
             SELECT 'msg_' || id || CASE n WHEN 1 THEN '' ELSE '_' || n END, webhook, project, event, body, \
             'pending', now, now FROM (SELECT r.*, w.id AS webhook, \
             row_number() OVER (PARTITION BY r.id ORDER BY w.id) AS n FROM {rows} {webhooks}) AS numbered \
             RETURNING webhook_id AS id"
        )
    })
});

/// That webhooks have a delivery which is due, in the order in which they are to be held. It answers with those that are
/// active: a webhook may have been disabled meanwhile.
static DUE: LazyLock<Batch> = LazyLock::new(|| {
    Batch::new(&[Column::Text("id"), Column::Integer("now")], |dialect, rows| match dialect {
        Dialect::Sqlite => format!(
            "UPDATE webhooks SET due_at = min(coalesce(due_at, r.now), r.now) FROM {rows} \
             WHERE webhooks.id = r.id AND is_active = 1"
        ),
        // Where something is due already nothing changes. But the row is held also then: whoever is about to note that
        // nothing is left waits, and finds this delivery.
        Dialect::Postgres => {
            let columns = ["id", "due_at"];
            let held = dialect.join(
                "webhooks",
                "w",
                &columns,
                "w.id = r.id AND w.is_active = 1",
                &dialect.hold("w"),
            );
            format!(
                "WITH held AS MATERIALIZED (SELECT w.id, w.due_at, r.now FROM {rows} {held}), \
                 told AS (UPDATE webhooks SET due_at = held.now FROM held \
                 WHERE webhooks.id = held.id AND (held.due_at IS NULL OR held.due_at > held.now)) \
                 SELECT id FROM held"
            )
        }
    })
});

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
        let id: String = tx.new_id();
        tx.gather(&EVENTS, params![id, agent, project, event.kind(), body, now]);
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

/// Writes down that webhooks have a delivery which is due now, at the end of the transaction. The answer leaves out those
/// that were disabled meanwhile.
pub(super) async fn settle(
    tx: &mut Tx<'_>,
    webhooks: &BTreeSet<WebhookId>,
) -> Result<Asked<String>, StoreError> {
    let now = tx.now();
    tx.write_rows(&DUE, webhooks.iter().map(|webhook| params![webhook, now].to_vec())).await
}

/// Gives up what is on its way to a webhook that was disabled meanwhile.
pub(super) async fn drop_all(tx: &mut Tx<'_>, webhook: &WebhookId) -> Result<(), StoreError> {
    let sql = "UPDATE deliveries SET status = 'failed', next_attempt_at = NULL, finished_at = $2 \
               WHERE webhook_id = $1 AND status = 'pending'";
    let now = tx.now();
    tx.execute(sql, params![webhook, now]).await.map(|_| ())
}
