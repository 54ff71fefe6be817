//! What a script leaves for the end of its transaction, or of its group's.
//!
//! ```text
//!   scripts ─▶ what they sent and gathered ─▶ webhooks ─▶ agents ─▶ COMMIT
//! ```
//!
//! What many transactions change at once, the rows of webhooks and agents, is changed last and in order: so these are
//! held shortly, and nobody waits in a circle.

use std::collections::BTreeSet;

use openpod_sdk::api::{AgentKeyId, WebhookId};

use super::{Answer, Asked, Engine, Tx, webhook};
use crate::store::batch::{Batch, Rows, RowsOfOne};
use crate::store::postgres::UnderWay;
use crate::store::script::Kind;
use crate::store::{StoreError, Value, marks, outbox};

/// What a script leaves.
#[derive(Default)]
pub(in crate::store) struct Left {
    pub(super) due: BTreeSet<WebhookId>,
    pub(super) touched: BTreeSet<AgentKeyId>,
    /// Which keys are no longer what they were.
    pub(super) keys: Vec<String>,
    /// What was sent to the database, in order.
    pub(super) sent: Vec<Sent>,
    /// What is yet to be sent, and needs no order.
    pub(super) rows: Rows,
}

impl Left {
    /// Adds what another script leaves.
    pub(in crate::store) fn extend(&mut self, other: Left) {
        let Left { due, touched, keys, sent, rows } = other;
        self.due.extend(due);
        self.touched.extend(touched);
        self.keys.extend(keys);
        self.sent.extend(sent);
        self.rows.extend(rows);
    }
}

/// A statement for whose answer nobody has waited yet.
pub(super) enum Sent {
    /// When the answer is there.
    UnderWay(UnderWay<u64>),
    /// To which webhooks something is due by it.
    Due(UnderWay<Vec<WebhookId>>),
}

impl Tx<'_> {
    /// Waits for everything that was sent.
    pub(super) async fn arrive(&mut self) -> Result<(), StoreError> {
        for sent in std::mem::take(&mut self.left.sent) {
            let done = match sent {
                Sent::UnderWay(answer) => answer.await.map(|_| ()),
                Sent::Due(webhooks) => webhooks.await.map(|webhooks| self.left.due.extend(webhooks)),
            };
            done.inspect_err(|error| {
                self.failed.get_or_insert_with(|| error.clone());
            })?;
        }
        Ok(())
    }

    /// Writes rows at once, the first column of which is their `id`. The ids of those that the statement touched.
    pub(in crate::store) async fn write_rows(
        &mut self,
        batch: &'static Batch,
        rows: impl Iterator<Item = Vec<Value>> + Send,
    ) -> Result<Asked<String>, StoreError> {
        self.may_change(batch.of_one()).await?;
        self.asked += 1;
        let (mut known, mut gathered) = (Vec::new(), RowsOfOne::default());
        for row in rows {
            match &self.engine {
                Engine::Sqlite(_) => {
                    if self.execute(batch.of_one(), &row).await? > 0 {
                        known.extend(row.into_iter().next().and_then(Value::into_text));
                    }
                }
                Engine::Postgres(_) => gathered.push(row),
            }
        }
        match &self.engine {
            Engine::Postgres(session) if !gathered.is_empty() => {
                let asked = session.ask(batch.of_many(), gathered.columns(), |row| row.get("id")).await;
                Ok(Asked(Answer::UnderWay(self.note(asked).await?)))
            }
            _ => Ok(Asked(Answer::Known(known))),
        }
    }

    /// Sends what was gathered.
    async fn send_rows(&mut self) -> Result<(), StoreError> {
        for (batch, rows) in std::mem::take(&mut self.left.rows) {
            if let Engine::Postgres(session) = &self.engine {
                let due = session.ask(batch.of_many(), rows.columns(), webhook).await;
                let due = self.note(due).await?;
                self.left.sent.push(Sent::Due(due));
                continue;
            }
            for row in rows.each() {
                let due = self.all(batch.of_one(), &row, webhook).await?;
                self.left.due.extend(due);
            }
        }
        Ok(())
    }

    /// Ends a script of a group that succeeded: what it left is settled with the group, by another transaction's end.
    pub(in crate::store) fn leave(&mut self) -> Result<Left, StoreError> {
        self.is_sound()?;
        Ok(std::mem::take(&mut self.left))
    }

    /// A script has succeeded only when nothing failed, and it knows: a question whose answer it did not take may have.
    fn is_sound(&self) -> Result<(), StoreError> {
        match &self.failed {
            Some(error) => Err(error.clone()),
            None if self.asked == 0 => Ok(()),
            None => Err(StoreError::misused("a script did not take the answer to what it asked")),
        }
    }

    /// Takes over what a script of a group left.
    pub(in crate::store) fn take_over(&mut self, left: Left) {
        self.left.extend(left);
    }

    /// Ends a script that succeeded.
    pub(in crate::store) async fn settle(&mut self) -> Result<(), StoreError> {
        self.is_sound()?;
        self.kind = Kind::Any;
        self.send_rows().await?;
        self.arrive().await?;
        let due = self.left.due.clone();
        let settled = outbox::settle(self, &due).await?;
        let touched = self.left.touched.clone();
        let marked = marks::settle(self, &touched).await?;
        let settled = self.answer(settled).await?;
        let disabled = due.iter().filter(|webhook| !settled.iter().any(|id| id == webhook.as_str()));
        for webhook in disabled {
            outbox::drop_all(self, webhook).await?;
        }
        self.answer(marked).await.map(|_| ())
    }
}
