//! Deliveries as people look at them: what became of each, and having them be sent again.

use std::time::Duration;

use openpod_sdk::api::webhooks::{DeliveryFilter, LoggedAttempt, LoggedDelivery, Replay, Replayed};
use openpod_sdk::api::{DeliveryId, EventKind, OwnerId, Timestamp, WebhookId};

use super::paging::{Order, Select, Window};
use super::{Row, StoreError, Tx, dialect, params};

/// Of a delivery with more attempts the last ones are shown.
const SHOWN_ATTEMPTS: u32 = 20;

/// How many deliveries one call has be sent again, so that nobody waits long for the database.
pub const MOST_REPLAYED: usize = 1000;

/// Which deliveries somebody may reach.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Those to this webhook.
    pub webhook: WebhookId,
    /// Of these the ones of events in the projects of this owner, and tests.
    pub within: Option<OwnerId>,
}

impl Reach {
    fn narrow(&self, select: &mut Select) {
        select.filter("d.webhook_id = ?", &[&self.webhook]);
        select.filter_some(
            "(d.project_id IS NULL OR d.project_id IN (SELECT p.id FROM projects p WHERE p.owner_id = ?))",
            &self.within,
        );
    }
}

/// A page of deliveries with their attempts, newest first.
pub async fn page(
    tx: &mut Tx<'_>,
    reach: &Reach,
    filter: &DeliveryFilter,
    window: &Window,
) -> Result<Vec<LoggedDelivery>, StoreError> {
    let mut select = Select::from(
        "SELECT d.id, d.event, d.status, d.created_at, d.next_attempt_at, d.attempts FROM deliveries d",
    );
    reach.narrow(&mut select);
    select.filter_some("d.status = ?", &filter.status);
    select.filter_some("d.event = ?", &filter.event.as_ref().filter(|event| **event != EventKind::All));
    select.filter_some("d.created_at >= ?", &filter.since);
    let (sql, params) = select.window(window, "d.created_at", "d.id", Order::Descending);
    with_attempts(tx, &sql, &params).await
}

/// One delivery with its attempts.
pub async fn find(tx: &mut Tx<'_>, id: &DeliveryId) -> Result<Option<LoggedDelivery>, StoreError> {
    let sql = "SELECT d.id, d.event, d.status, d.created_at, d.next_attempt_at, d.attempts FROM deliveries d \
               WHERE d.id = $1";
    Ok(with_attempts(tx, sql, params![id]).await?.pop())
}

/// Reads deliveries and their attempts with one statement.
async fn with_attempts(
    tx: &mut Tx<'_>,
    deliveries: &str,
    params: &[super::Value],
) -> Result<Vec<LoggedDelivery>, StoreError> {
    let sql = format!(
        "SELECT d.*, a.attempt, a.begun_at, a.ended_at, a.http_status, a.error FROM ({deliveries}) d \
         LEFT JOIN delivery_attempts a ON a.delivery_id = d.id AND a.attempt > d.attempts - {SHOWN_ATTEMPTS} \
         ORDER BY d.created_at DESC, d.id DESC, a.attempt"
    );
    let rows = tx.all(&sql, params, |row| Ok((delivery(row)?, attempt(row)?))).await?;
    let mut found: Vec<LoggedDelivery> = Vec::new();
    for (delivery, attempt) in rows {
        match found.last_mut().filter(|last| last.id == delivery.id) {
            Some(last) => last.attempts.extend(attempt),
            None => found.push(LoggedDelivery { attempts: Vec::from_iter(attempt), ..delivery }),
        }
    }
    Ok(found)
}

fn delivery(row: &Row<'_>) -> Result<LoggedDelivery, StoreError> {
    Ok(LoggedDelivery {
        id: row.get("id")?,
        event: row.get("event")?,
        status: row.get("status")?,
        created_at: row.get("created_at")?,
        next_attempt_at: row.get("next_attempt_at")?,
        attempt_count: row.get("attempts")?,
        attempts: Vec::new(),
    })
}

fn attempt(row: &Row<'_>) -> Result<Option<LoggedAttempt>, StoreError> {
    let Some(number) = row.get("attempt")? else { return Ok(None) };
    let (begun_at, ended_at): (Timestamp, Timestamp) = (row.get("begun_at")?, row.get("ended_at")?);
    let duration: Duration = ended_at.since(begun_at);
    Ok(Some(LoggedAttempt {
        number,
        begun_at,
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        http_status: row.get("http_status")?,
        error: row.get("error")?,
    }))
}

/// Makes deliveries due now, with their schedule from its beginning: the oldest [`MOST_REPLAYED`] of those that are
/// asked for. The webhook must be active.
pub async fn replay(tx: &mut Tx<'_>, reach: &Reach, which: &Replay) -> Result<Replayed, StoreError> {
    dialect::hold_webhook(tx, &reach.webhook).await?;
    let narrow = |select: &mut Select| {
        reach.narrow(select);
        select.filter_some("d.id = ?", &which.delivery_id);
        select.filter_some("d.status = ?", &which.status);
        select.filter_some("d.created_at >= ?", &which.since);
    };
    let mut beyond = Select::from("SELECT d.id, d.created_at FROM deliveries d");
    narrow(&mut beyond);
    let (sql, params) =
        beyond.finish("ORDER BY d.created_at, d.id LIMIT 1 OFFSET CAST(? AS BIGINT)", &[&MOST_REPLAYED]);
    let beyond: Option<(Timestamp, DeliveryId)> =
        tx.first(&sql, &params, |row| Ok((row.get("created_at")?, row.get("id")?))).await?;
    let now = tx.now();
    let mut update = Select::with(
        "UPDATE deliveries AS d SET status = 'pending', next_attempt_at = ?, finished_at = NULL, \
         attempts_before = d.attempts",
        &[&now],
    );
    narrow(&mut update);
    if let Some((created_at, id)) = &beyond {
        update.filter("(d.created_at, d.id) < (?, ?)", &[created_at, id]);
    }
    let (sql, params) = update.finish("", &[]);
    let replayed = tx.execute(&sql, &params).await?;
    if replayed > 0 {
        tx.due(reach.webhook.clone());
    }
    Ok(Replayed { replayed, next_since: beyond.map(|(created_at, _)| created_at) })
}
