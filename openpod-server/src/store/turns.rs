//! How turns at webhooks ended: noted for many webhooks and deliveries with few statements.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use openpod_sdk::api::{DeliveryId, Timestamp, WebhookId};

use super::batch::{Batch, Column};
use super::webhooks::disabling;
use super::{StoreError, Tx, Value, audit, params};
use crate::domain::audit::Author;
use crate::domain::delivery::Fate;

/// A turn at a webhook: some of its deliveries, one after another, until one failed or the time was up.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The lease that it had.
    pub lease: String,
    /// The webhook.
    pub webhook: WebhookId,
    /// Since when the webhook failed before.
    pub failing_since: Option<Timestamp>,
    /// Whether its last answer took long.
    pub is_slow: bool,
    /// What was attempted, in order.
    pub attempts: Vec<Attempt>,
}

/// An attempt, and what becomes of its delivery.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The attempt's number.
    pub number: u32,
    /// When it began.
    pub begun_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The status of the answer, if there was one.
    pub http_status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
    /// What becomes of the delivery and the webhook.
    pub fate: Fate,
}

impl Turn {
    /// What its last attempt means for the webhook.
    fn verdict(&self) -> Verdict {
        let failing_since = match self.attempts.last().map(|last| last.fate) {
            None => self.failing_since,
            Some(Fate::Delivered) => None,
            Some(Fate::Again { failing_since, .. }) => Some(failing_since),
            Some(Fate::GivenUp { failing_since }) => failing_since,
            Some(Fate::Disabled(reason)) => return Verdict::Disabled(reason.sentence()),
        };
        Verdict::Active { failing_since, is_slow: self.is_slow }
    }
}

static ATTEMPTS: LazyLock<Batch> = LazyLock::new(|| {
    let columns = [
        Column::Text("delivery"),
        Column::Integer("number"),
        Column::Integer("begun_at"),
        Column::Integer("ended_at"),
        Column::Integer("http_status"),
        Column::Text("error"),
    ];
    Batch::new(&columns, |_, rows| {
        format!(
            "INSERT INTO delivery_attempts (delivery_id, attempt, begun_at, ended_at, http_status, error) \
             SELECT r.delivery, r.number, r.begun_at, r.ended_at, r.http_status, r.error FROM {rows}"
        )
    })
});

/// Deliveries that succeeded.
static DELIVERED: LazyLock<Batch> = LazyLock::new(|| {
    Batch::new(&[Column::Text("id"), Column::Integer("now")], |dialect, rows| {
        format!(
            "UPDATE deliveries SET status = 'delivered', attempts = attempts + 1, next_attempt_at = NULL, \
             finished_at = r.now FROM {rows} WHERE deliveries.id = r.id {}",
            dialect.returning("deliveries.id")
        )
    })
});

/// What becomes of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Active { failing_since: Option<Timestamp>, is_slow: bool },
    Disabled(&'static str),
}

/// Notes how turns ended, and gives their webhooks back. Tells which of these were no longer the caller's: nothing was
/// noted of them, because another is at them or they are gone.
pub async fn note(tx: &mut Tx<'_>, turns: &[Turn]) -> Result<Vec<WebhookId>, StoreError> {
    let mut turns: Vec<&Turn> = turns.iter().collect();
    turns.sort_by(|one, other| one.webhook.cmp(&other.webhook));
    let held = hold(tx, &turns).await?;
    let (ours, lost): (Vec<&Turn>, Vec<&Turn>) =
        turns.into_iter().partition(|turn| held.contains(&turn.webhook));
    let attempts: Vec<&Attempt> = ours.iter().flat_map(|turn| &turn.attempts).collect();
    log(tx, &attempts).await?;
    settle_deliveries(tx, &attempts).await?;
    settle_webhooks(tx, &ours).await?;
    Ok(lost.into_iter().map(|turn| turn.webhook.clone()).collect())
}

/// Which of the webhooks are still leased for these turns. They stay so until the transaction ends.
async fn hold(tx: &mut Tx<'_>, turns: &[&Turn]) -> Result<BTreeSet<WebhookId>, StoreError> {
    let mut held = BTreeSet::new();
    for some in turns.chunks(16) {
        let sql = format!(
            "SELECT id FROM webhooks WHERE (id, lease) IN (VALUES {}) ORDER BY id {}",
            rows(some.len(), 2),
            tx.dialect().hold("webhooks")
        );
        let values: Vec<Value> =
            some.iter().flat_map(|turn| params![turn.webhook, turn.lease].to_vec()).collect();
        held.extend(tx.all(&sql, &values, |row| row.get("id")).await?);
    }
    Ok(held)
}

/// Writes the attempts into the log.
async fn log(tx: &mut Tx<'_>, attempts: &[&Attempt]) -> Result<(), StoreError> {
    for Attempt { delivery, number, begun_at, ended_at, http_status, error, .. } in attempts {
        tx.gather(&ATTEMPTS, params![delivery, number, begun_at, ended_at, http_status, error]);
    }
    Ok(())
}

async fn settle_deliveries(tx: &mut Tx<'_>, attempts: &[&Attempt]) -> Result<(), StoreError> {
    let now = tx.now();
    let (delivered, others): (Vec<&Attempt>, Vec<&Attempt>) =
        attempts.iter().partition(|attempt| attempt.fate == Fate::Delivered);
    let rows = delivered.iter().map(|attempt| params![attempt.delivery, now].to_vec());
    let delivered = tx.write_rows(&DELIVERED, rows).await?;
    for Attempt { delivery, number, fate, .. } in others {
        let again = if let Fate::Again { at, .. } = fate { Some(at) } else { None };
        let (status, finished) = if again.is_some() { ("pending", None) } else { ("failed", Some(now)) };
        let sql = "UPDATE deliveries SET status = $2, attempts = $3, next_attempt_at = $4, finished_at = $5 WHERE id = $1";
        tx.send(sql, params![delivery, status, number, again, finished]).await?;
    }
    tx.answer(delivered).await.map(|_| ())
}

/// Gives webhooks back: those that came out alike at once.
async fn settle_webhooks(tx: &mut Tx<'_>, turns: &[&Turn]) -> Result<(), StoreError> {
    let mut left: Vec<(Verdict, &WebhookId)> =
        turns.iter().map(|turn| (turn.verdict(), &turn.webhook)).collect();
    left.sort();
    for alike in left.chunk_by(|one, other| one.0 == other.0) {
        for some in alike.chunks(28) {
            let webhooks: Vec<Value> =
                some.iter().flat_map(|(_, webhook)| params![webhook].to_vec()).collect();
            match some[0].0 {
                Verdict::Active { failing_since, is_slow } => {
                    give_back(tx, webhooks, failing_since, is_slow).await?
                }
                Verdict::Disabled(why) => {
                    disable(tx, webhooks, why).await?;
                    for (_, webhook) in some {
                        let change = disabling(webhook, why);
                        audit::insert(tx, &Author::platform(), "webhook disable", &change).await?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// What is still due is so from now on, so that who has much waiting takes turns with the others.
async fn give_back(
    tx: &mut Tx<'_>,
    webhooks: Vec<Value>,
    failing_since: Option<Timestamp>,
    is_slow: bool,
) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE webhooks SET lease = NULL, leased_until = NULL, failing_since = $1, is_slow = $2, due_at = \
         (SELECT CASE WHEN min(d.next_attempt_at) < $3 THEN $3 ELSE min(d.next_attempt_at) END FROM deliveries d \
         WHERE d.webhook_id = webhooks.id AND d.status = 'pending') WHERE id IN ({})",
        places(4, webhooks.len())
    );
    let now = tx.now();
    let values = [params![failing_since, is_slow, now].to_vec(), webhooks].concat();
    tx.send(&sql, &values).await
}

async fn disable(tx: &mut Tx<'_>, webhooks: Vec<Value>, why: &str) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE webhooks SET lease = NULL, leased_until = NULL, is_active = 0, disabled_reason = $1, due_at = NULL \
         WHERE id IN ({})",
        places(2, webhooks.len())
    );
    tx.send(&sql, &[params![why].to_vec(), webhooks.clone()].concat()).await?;
    let sql = format!(
        "UPDATE deliveries SET status = 'failed', next_attempt_at = NULL, finished_at = $1 \
         WHERE status = 'pending' AND webhook_id IN ({})",
        places(2, webhooks.len())
    );
    let now = tx.now();
    tx.send(&sql, &[params![now].to_vec(), webhooks].concat()).await
}

/// `$2, $3, $4`
fn places(first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// `($1, $2), ($3, $4)`
fn rows(count: usize, width: usize) -> String {
    (0..count).map(|n| format!("({})", places(n * width + 1, width))).collect::<Vec<_>>().join(", ")
}
