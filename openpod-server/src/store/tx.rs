//! A transaction: the statements of a script.

use std::collections::BTreeSet;

use openpod_sdk::api::{AgentKeyId, Timestamp, WebhookId};

use super::dialect::Dialect;
use super::memory::News;
use super::postgres::{Session, UnderWay};
use super::sqlite::statement;
use super::times::Times;
use super::{Row, StoreError, Value, marks, outbox};

/// A transaction in progress. What a script does through it happens all together or not at all. A script whose
/// statement failed has failed, whatever it makes of that.
pub struct Tx<'c> {
    engine: Engine<'c>,
    times: &'c Times,
    now: Timestamp,
    failed: Option<StoreError>,
    left: Left,
    keys: Vec<String>,
    walked: u64,
}

/// What a script leaves for the end of its transaction.
#[derive(Default)]
pub(super) struct Left {
    due: BTreeSet<WebhookId>,
    touched: BTreeSet<AgentKeyId>,
    /// What was sent to the database, in order.
    sent: Vec<Sent>,
}

/// A statement for whose answer nobody has waited yet.
enum Sent {
    /// How many rows it touched.
    Done(u64),
    /// The same, when the answer is there.
    UnderWay(UnderWay<u64>),
    /// To which webhooks something is due by it.
    Due(UnderWay<Vec<WebhookId>>),
}

/// A question whose answer may still be under way.
#[must_use]
pub struct Asked<T>(Answer<T>);

enum Answer<T> {
    Known(Vec<T>),
    UnderWay(UnderWay<Vec<T>>),
}

/// The connection beneath.
enum Engine<'c> {
    Sqlite(&'c mut rusqlite::Connection),
    Postgres(&'c Session),
}

impl<'c> Tx<'c> {
    pub(super) fn sqlite(connection: &'c mut rusqlite::Connection, times: &'c Times, now: Timestamp) -> Self {
        Self::new(Engine::Sqlite(connection), times, now)
    }

    pub(super) fn postgres(session: &'c Session, times: &'c Times, now: Timestamp) -> Self {
        Self::new(Engine::Postgres(session), times, now)
    }

    fn new(engine: Engine<'c>, times: &'c Times, now: Timestamp) -> Self {
        let left = Left::default();
        Self { engine, times, now, failed: None, left, keys: Vec::new(), walked: 0 }
    }

    /// The time of this transaction, the same throughout.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A new id, as text of the kind that is asked for. Ids sort in the order they were made.
    pub fn new_id<T: From<String>>(&self) -> T {
        T::from(self.times.ids().next_id(&*self.times.sources().randomness, self.now))
    }

    /// Bytes that nobody can guess.
    pub fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.times.sources().randomness.fill(&mut bytes);
        bytes
    }

    /// Which SQL it speaks, for the few statements that cannot be written once.
    pub fn dialect(&self) -> Dialect {
        match self.engine {
            Engine::Sqlite(_) => Dialect::Sqlite,
            Engine::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs a statement and tells how many rows it touched.
    pub async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        let done = match &mut self.engine {
            Engine::Sqlite(connection) => statement::execute(connection, sql, params),
            Engine::Postgres(session) => session.execute(sql, params).await,
        };
        self.note(done).await
    }

    /// Runs a statement whose outcome the script does not need to know. It is run before all that comes later, but over
    /// a network nobody waits for its answer until the transaction ends, which fails if the statement did.
    pub async fn send(&mut self, sql: &str, params: &[Value]) -> Result<(), StoreError> {
        let sent = match &mut self.engine {
            Engine::Sqlite(connection) => statement::execute(connection, sql, params).map(Sent::Done),
            Engine::Postgres(session) => session.send(sql, params).await.map(Sent::UnderWay),
        };
        let sent = self.note(sent).await?;
        self.left.sent.push(sent);
        Ok(())
    }

    /// The same for a statement that tells, as `id`, to which webhooks something is due by it.
    pub(super) async fn send_due(&mut self, sql: &str, params: &[Value]) -> Result<(), StoreError> {
        let asked = self.ask(sql, params, |row| row.get("id")).await?;
        match asked.0 {
            Answer::Known(webhooks) => self.left.due.extend(webhooks),
            Answer::UnderWay(webhooks) => self.left.sent.push(Sent::Due(webhooks)),
        }
        Ok(())
    }

    /// Waits for everything that was sent. How many rows each statement touched.
    async fn arrive(&mut self) -> Result<Vec<u64>, StoreError> {
        let mut touched = Vec::with_capacity(self.left.sent.len());
        for sent in std::mem::take(&mut self.left.sent) {
            let done = match sent {
                Sent::Done(rows) => Ok(rows),
                Sent::UnderWay(answer) => answer.await,
                Sent::Due(webhooks) => webhooks.await.map(|webhooks| {
                    self.left.due.extend(webhooks);
                    0
                }),
            };
            touched.push(done.inspect_err(|error| {
                self.failed.get_or_insert_with(|| error.clone());
            })?);
        }
        Ok(touched)
    }

    /// Asks for every row of a statement's answer, to be taken later by [`Tx::answer`]. Over a network what is asked one
    /// right after another travels together.
    pub async fn ask<T: Send + 'static>(
        &mut self,
        sql: &str,
        params: &[Value],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Asked<T>, StoreError> {
        let session = match &self.engine {
            Engine::Postgres(session) => *session,
            Engine::Sqlite(_) => return Ok(Asked(Answer::Known(self.all(sql, params, read).await?))),
        };
        let asked = session.ask(sql, params, read).await;
        Ok(Asked(Answer::UnderWay(self.note(asked).await?)))
    }

    /// The answer to what was asked.
    pub async fn answer<T>(&mut self, asked: Asked<T>) -> Result<Vec<T>, StoreError> {
        let found = match asked.0 {
            Answer::Known(rows) => Ok(rows),
            Answer::UnderWay(rows) => rows.await,
        };
        self.note(found).await
    }

    /// Every row of the answer.
    pub async fn all<T>(
        &mut self,
        sql: &str,
        params: &[Value],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Vec<T>, StoreError> {
        let found = match &mut self.engine {
            Engine::Sqlite(connection) => {
                statement::query(connection, sql, params, usize::MAX, &mut self.walked, read)
            }
            Engine::Postgres(session) => match session.query(sql, params).await {
                Ok(rows) => rows.iter().map(|row| read(&Row::Postgres(row))).collect(),
                Err(error) => Err(error),
            },
        };
        self.note(found).await
    }

    /// The first row of the answer, if there is one.
    pub async fn first<T>(
        &mut self,
        sql: &str,
        params: &[Value],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Option<T>, StoreError> {
        let found = match &mut self.engine {
            Engine::Sqlite(connection) => {
                statement::query(connection, sql, params, 1, &mut self.walked, read)
                    .map(|mut rows| rows.pop())
            }
            Engine::Postgres(session) => match session.query(sql, params).await {
                Ok(rows) => rows.first().map(|row| read(&Row::Postgres(row))).transpose(),
                Err(error) => Err(error),
            },
        };
        self.note(found).await
    }

    /// Remembers what went wrong first: a statement that was sent before and failed makes all that follow fail.
    async fn note<T>(&mut self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        let Err(error) = outcome else { return outcome };
        self.arrive().await?;
        self.failed.get_or_insert_with(|| error.clone());
        Err(error)
    }

    /// What went wrong first.
    pub(super) fn failure(&self) -> Option<&StoreError> {
        self.failed.as_ref()
    }

    /// Has a webhook's next delivery be due now, at the end of the transaction. After the commit whoever waits for
    /// [`super::Store::new_deliveries`] wakes.
    pub(super) fn due(&mut self, webhook: WebhookId) {
        self.left.due.insert(webhook);
    }

    /// Notes at the end of the transaction that something of this agent's concern changed.
    pub(super) fn touched(&mut self, agent: AgentKeyId) {
        self.left.touched.insert(agent);
    }

    /// Notes that a key is no longer what it was.
    pub(super) fn altered(&mut self, key_id: &str) {
        self.keys.push(key_id.to_owned());
    }

    /// How many rows its queries stepped over where no index leads; known on SQLite only.
    pub(super) fn walked(&self) -> u64 {
        self.walked
    }

    /// What it changes of what may be remembered.
    pub(super) fn into_news(self) -> News {
        News { agents: self.left.touched.into_iter().collect(), keys: self.keys }
    }

    pub(super) fn wakes_deliveries(&self) -> bool {
        !self.left.due.is_empty()
    }

    /// Ends a script of a group that succeeded: what it left is settled with the group, by another transaction's end.
    pub(super) fn leave(&mut self) -> Result<Left, StoreError> {
        match &self.failed {
            Some(error) => Err(error.clone()),
            None => Ok(std::mem::take(&mut self.left)),
        }
    }

    /// Takes over what a script of a group left.
    pub(super) fn take_over(&mut self, left: Left) {
        let Left { due, touched, sent } = left;
        self.left.due.extend(due);
        self.left.touched.extend(touched);
        self.left.sent.extend(sent);
    }

    /// Ends a script that succeeded. What many transactions change at once, the rows of webhooks and agents, is changed
    /// last and in order: so these are held shortly, and nobody waits in a circle.
    pub(super) async fn settle(&mut self) -> Result<(), StoreError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.arrive().await?;
        let webhooks = self.left.due.clone();
        for webhook in &webhooks {
            outbox::settle(self, webhook).await?;
        }
        for agent in self.left.touched.clone() {
            marks::settle(self, &agent).await?;
        }
        let touched = self.arrive().await?;
        for (webhook, _) in webhooks.iter().zip(touched).filter(|(_, rows)| *rows == 0) {
            outbox::drop_all(self, webhook).await?;
        }
        Ok(())
    }
}
