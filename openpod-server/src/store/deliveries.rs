//! Deliveries: what is due, and who is at it. How it ended is noted by [`super::turns`].
//!
//! A webhook is leased as a whole, so its deliveries go out one after another whoever delivers. The lease of a process
//! that died runs out, and what it was at is due again.

use bytes::Bytes;
use openpod_sdk::Secret;
use openpod_sdk::api::{DeliveryId, EventKind, Timestamp, WebhookId};

use super::{Asked, Row, StoreError, Tx, Value, params};

/// How many deliveries one turn takes at most, so that little is sent twice when a process dies.
const MOST_IN_A_TURN: usize = 250;

/// Of how many webhooks the deliveries are read at once.
const READ_AT_ONCE: usize = 15;

/// Which webhooks: many that are dead or slow must not take the turns of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Those whose last delivery succeeded, and soon; and new ones.
    Working,
    /// Those whose last delivery failed or took long.
    Struggling,
}

/// A webhook that is the caller's to deliver to, until the lease runs out.
#[derive(Debug, Clone)]
pub struct Leased {
    /// Proves that it is.
    pub lease: String,
    /// The webhook.
    pub webhook: WebhookId,
    /// Its address.
    pub url: String,
    /// What signs its deliveries: the secret, and for a time the one before it.
    pub secrets: Vec<Secret>,
    /// When it first failed after its last success.
    pub failing_since: Option<Timestamp>,
    /// What is due, in order.
    pub due: Vec<Due>,
}

/// A delivery that is due.
#[derive(Debug, Clone)]
pub struct Due {
    /// The delivery, the same on every attempt.
    pub id: DeliveryId,
    /// What happened.
    pub event: EventKind,
    /// What is signed and sent.
    pub body: Bytes,
    /// The number of the attempt to come, replays counted.
    pub number: u32,
    /// Attempts before it, since the last replay.
    pub attempts: u32,
}

impl Lane {
    /// Written as in the index of the lane.
    fn condition(self) -> &'static str {
        match self {
            Lane::Working => "failing_since IS NULL AND is_slow = 0",
            Lane::Struggling => "(failing_since IS NOT NULL OR is_slow = 1)",
        }
    }
}

/// Leases up to `count` webhooks with a delivery that is due, longest due first. What is due to each is read by
/// [`read_due`].
pub async fn lease(
    tx: &mut Tx<'_>,
    lane: Lane,
    count: usize,
    until: Timestamp,
) -> Result<Asked<Leased>, StoreError> {
    let now = tx.now();
    let lease: String = tx.new_id();
    let sql = format!(
        "WITH ripe AS MATERIALIZED (\
         SELECT id FROM webhooks WHERE due_at IS NOT NULL AND lease IS NULL AND {} AND due_at <= $3 \
         ORDER BY due_at, id LIMIT $4 {}) \
         UPDATE webhooks SET lease = $1, leased_until = $2 WHERE id IN (SELECT id FROM ripe) \
         RETURNING id, url, secret, CASE WHEN old_secret_until > $3 THEN old_secret END AS old_secret, failing_since",
        lane.condition(),
        tx.dialect().skip_held()
    );
    let params = params![lease, until, now, count].to_vec();
    let read = move |row: &Row<'_>| {
        let secrets = [Some(row.get::<String>("secret")?), row.get("old_secret")?];
        Ok(Leased {
            lease: lease.clone(),
            webhook: row.get("id")?,
            url: row.get("url")?,
            secrets: secrets.into_iter().flatten().map(Secret::new).collect(),
            failing_since: row.get("failing_since")?,
            due: Vec::new(),
        })
    };
    tx.ask(&sql, &params, read).await
}

/// Reads what is due to webhooks, of many with one statement.
pub async fn read_due<'l>(
    tx: &mut Tx<'_>,
    leased: impl Iterator<Item = &'l mut Leased> + Send,
) -> Result<(), StoreError> {
    let mut leased: Vec<&mut Leased> = leased.collect();
    let mut asked = Vec::new();
    for some in leased.chunks(READ_AT_ONCE) {
        let webhooks: Vec<&WebhookId> = some.iter().map(|leased| &leased.webhook).collect();
        asked.push(ask_due(tx, &webhooks).await?);
    }
    for (some, asked) in leased.chunks_mut(READ_AT_ONCE).zip(asked) {
        let mut rows = tx.answer(asked).await?;
        rows.sort_by(|(_, at, due), (_, other_at, other)| (at, &due.id).cmp(&(other_at, &other.id)));
        for (webhook, _, due) in rows {
            if let Some(leased) = some.iter_mut().find(|leased| leased.webhook == webhook) {
                leased.due.push(due);
            }
        }
    }
    Ok(())
}

async fn ask_due(
    tx: &mut Tx<'_>,
    webhooks: &[&WebhookId],
) -> Result<Asked<(WebhookId, Timestamp, Due)>, StoreError> {
    let one = |n: usize| {
        format!(
            "SELECT * FROM (SELECT webhook_id, id, event, body, attempts, attempts_before, next_attempt_at \
             FROM deliveries WHERE webhook_id = ${} AND status = 'pending' AND next_attempt_at <= $1 \
             ORDER BY next_attempt_at, id LIMIT {MOST_IN_A_TURN}) AS due_{n}",
            n + 2
        )
    };
    let sql = (0..webhooks.len()).map(one).collect::<Vec<_>>().join(" UNION ALL ");
    let mut params: Vec<Value> = params![tx.now()].to_vec();
    params.extend(webhooks.iter().flat_map(|webhook| params![webhook].to_vec()));
    let read = |row: &Row<'_>| Ok((row.get("webhook_id")?, row.get("next_attempt_at")?, read_one(row)?));
    tx.ask(&sql, &params, read).await
}

fn read_one(row: &Row<'_>) -> Result<Due, StoreError> {
    let attempts: u32 = row.get("attempts")?;
    Ok(Due {
        id: row.get("id")?,
        event: row.get("event")?,
        body: row.get::<String>("body")?.into(),
        number: attempts + 1,
        attempts: attempts.saturating_sub(row.get("attempts_before")?),
    })
}

/// Frees what processes left leased that died, when their leases have run out.
pub async fn free_expired(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let sql = format!(
        "WITH expired AS MATERIALIZED (\
         SELECT id FROM webhooks WHERE lease IS NOT NULL AND leased_until <= $1 {}) \
         UPDATE webhooks SET lease = NULL, leased_until = NULL WHERE id IN (SELECT id FROM expired)",
        tx.dialect().skip_held()
    );
    let now = tx.now();
    tx.send(&sql, params![now]).await
}

/// Gives back what a process left leased when it died. For a database that no other process is at.
pub async fn reclaim(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let sql = "UPDATE webhooks SET lease = NULL, leased_until = NULL WHERE lease IS NOT NULL";
    tx.execute(sql, params![]).await.map(|_| ())
}

/// When the next delivery of a lane is due that nobody is at.
pub async fn next_due(tx: &mut Tx<'_>, lane: Lane) -> Result<Asked<Timestamp>, StoreError> {
    let sql = format!(
        "SELECT due_at FROM webhooks WHERE due_at IS NOT NULL AND lease IS NULL AND {} ORDER BY due_at LIMIT 1",
        lane.condition()
    );
    tx.ask(&sql, params![], |row| row.get("due_at")).await
}

/// When the next lease runs out.
pub async fn next_expiry(tx: &mut Tx<'_>) -> Result<Asked<Timestamp>, StoreError> {
    let sql = "SELECT leased_until FROM webhooks WHERE lease IS NOT NULL ORDER BY leased_until LIMIT 1";
    tx.ask(sql, params![], |row| row.get("leased_until")).await
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
