//! Webhooks: where agents want to be told of events.

use openpod_sdk::Secret;
use openpod_sdk::api::owner::{MembersWebhook, OwnerWebhookFilter};
use openpod_sdk::api::webhooks::Webhook;
use openpod_sdk::api::{AgentKeyId, EventKind, OwnerId, Timestamp, WebhookId};

use serde_json::json;

use super::paging::{Order, Select, Window};
use super::{Json, Row, StoreError, Tx, params};
use crate::domain::audit::Change;

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

/// A webhook that is known.
#[derive(Debug, Clone)]
pub struct KnownWebhook {
    /// Whose it is.
    pub agent: AgentKeyId,
    /// The agent's name.
    pub agent_name: String,
    /// Where events go.
    pub url: String,
    /// What signs them.
    pub secret: Secret,
    /// Which events.
    pub events: Vec<EventKind>,
    /// The webhook.
    pub id: WebhookId,
    /// Whether events are delivered.
    pub is_active: bool,
    /// Why they are not.
    pub disabled_reason: Option<String>,
    /// Since when no delivery succeeded.
    pub failing_since: Option<Timestamp>,
    /// Until when the secret before this one signs too.
    pub old_secret_until: Option<Timestamp>,
    /// When it was registered.
    pub created_at: Timestamp,
}

const KNOWN: &str = "SELECT w.*, a.name AS agent_name FROM webhooks w JOIN agents a ON a.id = w.agent_id";

/// Those of agents who are members of an owner's projects, or of one of them.
const WITHIN: &str = "w.agent_id IN (SELECT m.agent_id FROM memberships m JOIN projects p ON p.id = m.project_id \
                      WHERE p.owner_id = ? AND p.id = coalesce(?, p.id))";

fn read(row: &Row<'_>) -> Result<KnownWebhook, StoreError> {
    Ok(KnownWebhook {
        agent: row.get("agent_id")?,
        agent_name: row.get("agent_name")?,
        url: row.get("url")?,
        secret: Secret::new(row.get::<String>("secret")?),
        events: row.get::<Json<_>>("events")?.0,
        id: row.get("id")?,
        is_active: row.get("is_active")?,
        disabled_reason: row.get("disabled_reason")?,
        failing_since: row.get("failing_since")?,
        old_secret_until: row.get("old_secret_until")?,
        created_at: row.get("created_at")?,
    })
}

/// The webhooks of an agent, oldest first.
pub async fn of_agent(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<Vec<KnownWebhook>, StoreError> {
    let sql = format!("{KNOWN} WHERE w.agent_id = $1 ORDER BY w.created_at, w.id");
    tx.all(&sql, params![agent], read).await
}

/// A page of the webhooks of the agents in an owner's projects, newest first.
pub async fn of_members(
    tx: &mut Tx<'_>,
    owner: &OwnerId,
    filter: &OwnerWebhookFilter,
    window: &Window,
) -> Result<Vec<KnownWebhook>, StoreError> {
    let mut select = Select::from(KNOWN);
    select.filter(WITHIN, &[owner, &filter.project_id]);
    let (sql, params) = select.window(window, "w.created_at", "w.id", Order::Descending);
    tx.all(&sql, &params, read).await
}

/// All webhooks, oldest first.
pub async fn all(tx: &mut Tx<'_>) -> Result<Vec<KnownWebhook>, StoreError> {
    tx.all(&format!("{KNOWN} ORDER BY w.created_at, w.id"), params![], read).await
}

/// The webhook with this id.
pub async fn find(tx: &mut Tx<'_>, id: &WebhookId) -> Result<Option<KnownWebhook>, StoreError> {
    tx.first(&format!("{KNOWN} WHERE w.id = $1"), params![id], read).await
}

/// The same, if it is of an agent in an owner's projects.
pub async fn find_of_member(
    tx: &mut Tx<'_>,
    owner: &OwnerId,
    id: &WebhookId,
) -> Result<Option<KnownWebhook>, StoreError> {
    let mut select = Select::from(KNOWN);
    select.filter("w.id = ?", &[id]);
    select.filter(WITHIN, &[owner, &None::<String>]);
    let (sql, params) = select.finish("", &[]);
    tx.first(&sql, &params, read).await
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
        tx.send(sql, params![id, event]).await?;
    }
    Ok(())
}

/// Gives a webhook a new secret. The one that it had signs too, until then.
pub async fn replace_secret(
    tx: &mut Tx<'_>,
    id: &WebhookId,
    secret: &Secret,
    old_until: Option<Timestamp>,
) -> Result<(), StoreError> {
    let sql = "UPDATE webhooks SET old_secret = CASE WHEN CAST($3 AS BIGINT) IS NULL THEN NULL ELSE secret END, \
               old_secret_until = CAST($3 AS BIGINT), secret = $2 WHERE id = $1";
    tx.execute(sql, params![id, secret.expose(), old_until]).await.map(|_| ())
}

/// Has a webhook be delivered to again. Whether it was disabled.
pub async fn enable(tx: &mut Tx<'_>, id: &WebhookId) -> Result<bool, StoreError> {
    let sql = "UPDATE webhooks SET is_active = 1, disabled_reason = NULL, failing_since = NULL \
               WHERE id = $1 AND is_active = 0";
    Ok(tx.execute(sql, params![id]).await? == 1)
}

/// Deletes an agent's webhook and what waits to be delivered to it. Whether there was one.
pub async fn delete(tx: &mut Tx<'_>, agent: &AgentKeyId, id: &WebhookId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM webhooks WHERE id = $1 AND agent_id = $2";
    Ok(tx.execute(sql, params![id, agent]).await? == 1)
}

/// What the audit log says when an active webhook is disabled.
pub(super) fn disabling(id: &WebhookId, reason: &str) -> Change {
    let after = json!({"is_active": false, "disabled_reason": reason});
    Change::altered("webhook", id, &json!({"is_active": true}), &after)
}

impl KnownWebhook {
    /// Its address without the path, which may hold a secret of its receiver.
    pub fn origin(&self) -> String {
        url::Url::parse(&self.url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }

    /// The same, when it is delivered to again.
    pub fn enabled(self) -> KnownWebhook {
        KnownWebhook { is_active: true, disabled_reason: None, failing_since: None, ..self }
    }

    /// What the audit log says of that.
    pub fn enabling(&self) -> Change {
        let before = json!({"is_active": self.is_active, "disabled_reason": self.disabled_reason});
        Change::altered("webhook", &self.id, &before, &json!({"is_active": true}))
    }
}

/// As its agent sees it.
impl From<KnownWebhook> for Webhook {
    fn from(known: KnownWebhook) -> Webhook {
        Webhook {
            id: known.id,
            url: known.url,
            events: known.events,
            is_active: known.is_active,
            disabled_reason: known.disabled_reason,
            failing_since: known.failing_since,
            old_secret_until: known.old_secret_until,
            created_at: Some(known.created_at),
        }
    }
}

/// As the owner of a project sees it that its agent is a member of.
impl From<KnownWebhook> for MembersWebhook {
    fn from(known: KnownWebhook) -> MembersWebhook {
        MembersWebhook {
            origin: known.origin(),
            id: known.id,
            agent_key_id: known.agent,
            agent_name: known.agent_name,
            events: known.events,
            is_active: known.is_active,
            disabled_reason: known.disabled_reason,
            failing_since: known.failing_since,
            created_at: known.created_at,
        }
    }
}
