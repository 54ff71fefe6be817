//! A transaction: the statements of a script.

mod left;

use openpod_sdk::api::{AgentKeyId, Timestamp, WebhookId};

use super::batch::{Batch, Question};
use super::dialect::Dialect;
use super::memory::News;
use super::postgres::{Session, Together, UnderWay};
use super::script::Kind;
use super::sqlite::statement;
use super::times::Times;
use super::{Row, StoreError, Value};
pub(super) use left::Left;
use left::Sent;

/// A transaction in progress. What a script does through it happens all together or not at all. A script whose
/// statement failed has failed, whatever it makes of that.
pub struct Tx<'c> {
    engine: Engine<'c>,
    times: &'c Times,
    now: Timestamp,
    failed: Option<StoreError>,
    /// How many questions there are whose answers nobody took.
    asked: usize,
    left: Left,
    walked: u64,
    kind: Kind,
    together: Option<&'c Together>,
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
        Self { engine, times, now, failed: None, asked: 0, left, walked: 0, kind: Kind::Any, together: None }
    }

    /// Asks together with the scripts that run beside it.
    pub(super) fn asking_with(self, together: &'c Together) -> Self {
        Self { together: Some(together), ..self }
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

    /// From now on, until the script ends, it is refused what scripts of its kind do not do.
    pub(super) fn limit_to(&mut self, kind: Kind) {
        self.kind = kind;
    }

    async fn may_change(&mut self, sql: &str) -> Result<(), StoreError> {
        if self.kind == Kind::Any {
            return Ok(());
        }
        let sentence = format!("a script that only appends wanted to change something: {sql}");
        self.note(Err(StoreError::misused(&sentence))).await
    }

    /// Runs a statement and tells how many rows it touched.
    pub async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        self.may_change(sql).await?;
        let done = match &mut self.engine {
            Engine::Sqlite(connection) => statement::execute(connection, sql, params),
            Engine::Postgres(session) => session.execute(sql, params).await,
        };
        self.note(done).await
    }

    /// Runs a statement whose outcome the script does not need to know. It is run before all that comes later, but over
    /// a network nobody waits for its answer until the transaction ends, which fails if the statement did.
    pub async fn send(&mut self, sql: &str, params: &[Value]) -> Result<(), StoreError> {
        self.may_change(sql).await?;
        let sent = match &mut self.engine {
            Engine::Sqlite(connection) => statement::execute(connection, sql, params).map(|_| None),
            Engine::Postgres(session) => {
                session.send(sql, params).await.map(|sent| Some(Sent::UnderWay(sent)))
            }
        };
        let sent = self.note(sent).await?;
        self.left.sent.extend(sent);
        Ok(())
    }

    /// Adds a row to those that a statement takes at once. Nothing in this transaction may need to read what it writes: it
    /// is run at the end, for the rows of all scripts of a group.
    pub(super) fn gather(&mut self, batch: &'static Batch, row: &[Value]) {
        self.left.rows.add(batch, row.to_vec());
    }

    /// Asks for every row of a statement's answer, to be taken later by [`Tx::answer`]. Over a network what is asked one
    /// right after another travels together.
    pub async fn ask<T: Send + 'static>(
        &mut self,
        sql: &str,
        params: &[Value],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Asked<T>, StoreError> {
        self.asked += 1;
        let session = match &self.engine {
            Engine::Postgres(session) => *session,
            Engine::Sqlite(_) => return Ok(Asked(Answer::Known(self.all(sql, params, read).await?))),
        };
        let asked = session.ask(sql, params.to_vec(), read).await;
        Ok(Asked(Answer::UnderWay(self.note(asked).await?)))
    }

    /// The answer to what was asked.
    pub async fn answer<T>(&mut self, asked: Asked<T>) -> Result<Vec<T>, StoreError> {
        self.asked -= 1;
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

    /// What answers a question about one thing, if anything does. Scripts that run side by side over a network ask the same
    /// question with one statement.
    pub(super) async fn look<T>(
        &mut self,
        question: &'static Question,
        about: &[Value],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Option<T>, StoreError> {
        let session = match &self.engine {
            Engine::Postgres(session) => *session,
            Engine::Sqlite(_) => {
                let (sql, params) = question.of_one(about);
                return self.first(sql, &params, read).await;
            }
        };
        let found = match self.together {
            Some(together) => together.ask(question, about).await,
            None => {
                let (sql, columns) = question.of_many([about.to_vec()]);
                session.query(sql, &columns).await.map(|mut rows| rows.pop())
            }
        };
        let read = found.and_then(|row| row.map(|row| read(&Row::Postgres(&row))).transpose());
        self.note(read).await
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
        self.left.keys.push(key_id.to_owned());
    }

    /// How many rows its queries stepped over where no index leads; known on SQLite only.
    pub(super) fn walked(&self) -> u64 {
        self.walked
    }

    /// What it changes of what may be remembered.
    pub(super) fn news(&self) -> News {
        News { agents: self.left.touched.iter().cloned().collect(), keys: self.left.keys.clone() }
    }

    pub(super) fn wakes_deliveries(&self) -> bool {
        !self.left.due.is_empty()
    }
}

/// To which webhook something is due by a row that was written.
fn webhook(row: &Row<'_>) -> Result<WebhookId, StoreError> {
    row.get("id")
}
