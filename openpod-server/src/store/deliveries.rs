//! Deliveries: what is due, who is at it, and how it ended.
//!
//! A webhook is leased as a whole, so its deliveries go out one after another whoever delivers. The lease of a process
//! that died runs out, and what it was at is due again.

use openpod_sdk::Secret;
use openpod_sdk::api::{DeliveryId, EventKind, Timestamp, WebhookId};

use super::{Row, StoreError, Tx, params};
use crate::domain::delivery::{Fate, History};

/// Which webhooks: many dead ones must not take the turns of those that work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Those whose last delivery succeeded, and new ones.
    Working,
    /// Those whose last delivery failed.
    Failing,
}

/// A delivery that is the caller's to attempt, until the lease runs out.
#[derive(Debug, Clone)]
pub struct Leased {
    /// Proves that it is.
    pub lease: String,
    /// To this webhook.
    pub webhook: WebhookId,
    /// Its address.
    pub url: String,
    /// What signs the delivery: the secret, and for a time the one before it.
    pub secrets: Vec<Secret>,
    /// The delivery, the same on every attempt.
    pub id: DeliveryId,
    /// What happened.
    pub event: EventKind,
    /// What is signed and sent.
    pub body: String,
    /// The attempt's number, replays counted.
    pub number: u32,
    /// What was known before the attempt.
    pub history: History,
}

/// An attempt, for the log.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// When it began.
    pub begun_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The status of the answer, if there was one.
    pub http_status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
}

/// Leases up to `count` webhooks with a delivery that is due, longest due first, and tells the delivery of each.
pub async fn lease(
    tx: &mut Tx<'_>,
    lane: Lane,
    count: usize,
    until: Timestamp,
) -> Result<Vec<Leased>, StoreError> {
    let now = tx.now();
    let skip_taken = tx.dialect().skip_taken();
    let expired = format!(
        "WITH expired AS MATERIALIZED (\
         SELECT id FROM webhooks WHERE lease IS NOT NULL AND leased_until <= $1 {skip_taken}) \
         UPDATE webhooks SET lease = NULL, leased_until = NULL WHERE id IN (SELECT id FROM expired)"
    );
    tx.execute(&expired, params![now]).await?;
    let lease: String = tx.new_id();
    let failing = match lane {
        Lane::Working => "failing_since IS NULL",
        Lane::Failing => "failing_since IS NOT NULL",
    };
    let sql = format!(
        "WITH ripe AS MATERIALIZED (\
         SELECT id FROM webhooks WHERE due_at IS NOT NULL AND lease IS NULL AND {failing} AND due_at <= $3 \
         ORDER BY due_at, id LIMIT $4 {skip_taken}) \
         UPDATE webhooks SET lease = $1, leased_until = $2 WHERE id IN (SELECT id FROM ripe) RETURNING id"
    );
    let webhooks: Vec<WebhookId> =
        tx.all(&sql, params![lease, until, now, count], |row| row.get("id")).await?;
    let mut leased = Vec::new();
    for webhook in webhooks {
        let sql = "SELECT d.id, d.event, d.body, d.attempts, d.attempts_before, w.id AS webhook_id, w.url, w.secret, \
                   CASE WHEN w.old_secret_until > $2 THEN w.old_secret END AS old_secret, w.failing_since \
                   FROM deliveries d JOIN webhooks w ON w.id = d.webhook_id \
                   WHERE d.webhook_id = $1 AND d.status = 'pending' ORDER BY d.next_attempt_at, d.id LIMIT 1";
        leased.extend(tx.first(sql, params![webhook, now], |row| read(row, &lease)).await?);
    }
    Ok(leased)
}

fn read(row: &Row<'_>, lease: &str) -> Result<Leased, StoreError> {
    let (event, attempts): (EventKind, u32) = (row.get("event")?, row.get("attempts")?);
    let history = History {
        attempts: attempts.saturating_sub(row.get("attempts_before")?),
        is_test: event == EventKind::WebhookTest,
        failing_since: row.get("failing_since")?,
    };
    let secrets = [Some(row.get::<String>("secret")?), row.get("old_secret")?];
    Ok(Leased {
        lease: lease.to_owned(),
        webhook: row.get("webhook_id")?,
        url: row.get("url")?,
        secrets: secrets.into_iter().flatten().map(Secret::new).collect(),
        id: row.get("id")?,
        event,
        body: row.get("body")?,
        number: attempts + 1,
        history,
    })
}

/// Gives back what a process left leased when it died. For a database that no other process is at.
pub async fn reclaim(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let sql = "UPDATE webhooks SET lease = NULL, leased_until = NULL WHERE lease IS NOT NULL";
    tx.execute(sql, params![]).await.map(|_| ())
}

/// When the next delivery of a lane is due, or the lease of somebody else runs out.
pub async fn next_due(tx: &mut Tx<'_>, lane: Lane) -> Result<Option<Timestamp>, StoreError> {
    let failing = match lane {
        Lane::Working => "failing_since IS NULL",
        Lane::Failing => "failing_since IS NOT NULL",
    };
    let due = format!(
        "SELECT due_at FROM webhooks WHERE due_at IS NOT NULL AND lease IS NULL AND {failing} \
         ORDER BY due_at LIMIT 1"
    );
    let due: Option<Timestamp> = tx.first(&due, params![], |row| row.get("due_at")).await?;
    let expiry = "SELECT leased_until FROM webhooks WHERE lease IS NOT NULL ORDER BY leased_until LIMIT 1";
    let expiry: Option<Timestamp> = tx.first(expiry, params![], |row| row.get("leased_until")).await?;
    Ok(due.into_iter().chain(expiry).min())
}

/// Notes an attempt and what becomes of its delivery, and gives the webhook back. `false`, and nothing was noted, when
/// the lease is no longer held: then another is at it, or the webhook is gone.
pub async fn finish(
    tx: &mut Tx<'_>,
    leased: &Leased,
    attempt: &Attempt,
    fate: Fate,
) -> Result<bool, StoreError> {
    let held = "UPDATE webhooks SET lease = NULL, leased_until = NULL WHERE id = $1 AND lease = $2";
    if tx.execute(held, params![leased.webhook, leased.lease]).await? == 0 {
        return Ok(false);
    }
    let sql = "INSERT INTO delivery_attempts (delivery_id, attempt, begun_at, ended_at, http_status, error) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    let Attempt { begun_at, ended_at, http_status, error } = attempt;
    let number = leased.number;
    tx.execute(sql, params![leased.id, number, begun_at, ended_at, http_status, error]).await?;
    let (status, again) = match fate {
        Fate::Delivered => ("delivered", None),
        Fate::Again { at, .. } => ("pending", Some(at)),
        Fate::GivenUp { .. } | Fate::Disabled(_) => ("failed", None),
    };
    let finished = again.is_none().then_some(tx.now());
    let sql = "UPDATE deliveries SET status = $2, attempts = $3, next_attempt_at = $4, finished_at = $5 WHERE id = $1";
    tx.execute(sql, params![leased.id, status, number, again, finished]).await?;
    match fate {
        Fate::Delivered => settle(tx, &leased.webhook, None).await?,
        Fate::Again { failing_since, .. } => settle(tx, &leased.webhook, Some(failing_since)).await?,
        Fate::GivenUp { failing_since } => settle(tx, &leased.webhook, failing_since).await?,
        Fate::Disabled(reason) => disable(tx, &leased.webhook, reason.sentence()).await?,
    }
    Ok(true)
}

async fn settle(
    tx: &mut Tx<'_>,
    webhook: &WebhookId,
    failing_since: Option<Timestamp>,
) -> Result<(), StoreError> {
    let sql = "UPDATE webhooks SET failing_since = $2, due_at = (SELECT min(next_attempt_at) FROM deliveries \
               WHERE webhook_id = $1 AND status = 'pending') WHERE id = $1";
    tx.execute(sql, params![webhook, failing_since]).await.map(|_| ())
}

async fn disable(tx: &mut Tx<'_>, webhook: &WebhookId, why: &str) -> Result<(), StoreError> {
    let sql = "UPDATE webhooks SET is_active = 0, disabled_reason = $2, due_at = NULL WHERE id = $1";
    tx.execute(sql, params![webhook, why]).await?;
    let sql = "UPDATE deliveries SET status = 'failed', next_attempt_at = NULL, finished_at = $2 \
               WHERE webhook_id = $1 AND status = 'pending'";
    let now = tx.now();
    tx.execute(sql, params![webhook, now]).await.map(|_| ())
}

/// Forgets up to `count` deliveries that ended before a time, with their attempts. How many.
pub async fn forget(tx: &mut Tx<'_>, ended_before: Timestamp, count: usize) -> Result<u64, StoreError> {
    let sql = format!(
        "WITH old AS MATERIALIZED (\
         SELECT id FROM deliveries WHERE finished_at < $1 ORDER BY finished_at LIMIT $2 {}) \
         DELETE FROM deliveries WHERE id IN (SELECT id FROM old)",
        tx.dialect().skip_taken()
    );
    tx.execute(&sql, params![ended_before, count]).await
}
