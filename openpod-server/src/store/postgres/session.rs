//! A connection while a transaction is open on it, and the transaction's time.
//!
//! A write that a read did not see must not be dated before that read, although many processes write at once. So a
//! write takes the time after its transaction has begun, and a read, before its snapshot is taken, looks which writes
//! are in progress (`pg_stat_activity` tells since when) and dates itself no later than the first of them. A write
//! that the look missed began after it, and has a later time.

use std::sync::Arc;

use deadpool_postgres::{Object, Pool};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready, try_join};
use openpod_sdk::api::Timestamp;
use tokio_postgres::types::ToSql;

use crate::store::{Row, StoreError, Value};

/// The names of connections: those that write are told from others by it.
pub(super) const READER: &str = "openpod-server reader";
pub(super) const WRITER: &str = "openpod-server writer";

/// With the names of the leases that the write has to ask for: this is its first statement, so it sees all that were
/// taken before it began.
const TIME_OF_WRITE: &str = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT), \
    ARRAY(SELECT name FROM leases)";

pub(super) const TIME_OF_READ: &str = "SELECT CAST(extract(epoch FROM least(statement_timestamp(), (\
    SELECT min(xact_start) FROM pg_stat_get_activity(NULL) WHERE application_name = 'openpod-server writer' AND datid = \
    (SELECT oid FROM pg_database WHERE datname = current_database())))) * 1000000 AS BIGINT)";

const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// `COMMIT` alone would undo a transaction of which a statement failed, and not say so.
const COMMIT: &str = "SELECT 1; SET LOCAL synchronous_commit TO off; COMMIT";

/// It writes next to nothing into the log, but its own commit waits until the log is on disk up to there.
const FLUSH: &str = "SELECT pg_logical_emit_message(true, 'openpod flush', '')";

/// A connection with an open transaction. Dropped, it rolls back.
#[derive(Debug)]
pub(in crate::store) struct Session {
    client: Arc<Object>,
    open: bool,
}

/// An answer that may still be under way.
pub(in crate::store) type UnderWay<T> = BoxFuture<'static, Result<T, StoreError>>;

/// A read that has begun.
pub(super) struct Reading {
    pub(super) session: Session,
    pub(super) now: Timestamp,
}

/// A write that has begun.
pub(super) struct Begun {
    pub(super) session: Session,
    pub(super) now: Timestamp,
    /// The leases that there are.
    pub(super) leases: Vec<String>,
}

/// Begins a read. `own` is its time when the database is not asked.
pub(super) async fn read(pool: &Pool, own: Option<Timestamp>) -> Result<Reading, StoreError> {
    let session = Session::of(pool).await?;
    let begin = session.client.batch_execute(BEGIN_READ);
    let now = match own {
        Some(now) => {
            begin.await?;
            now
        }
        None => {
            let time = session.client.prepare_cached(TIME_OF_READ).await?;
            // Both are on their way before either is answered, in the order in which they stand here.
            let (time, ()) = try_join(session.client.query_one(&time, &[]), begin).await?;
            Timestamp::from_micros(time.try_get(0)?)
        }
    };
    Ok(Reading { session, now })
}

/// The same for a write.
pub(super) async fn write(pool: &Pool, own: Option<Timestamp>) -> Result<Begun, StoreError> {
    let session = Session::of(pool).await?;
    let time = session.client.prepare_cached(TIME_OF_WRITE).await?;
    let begin = session.client.batch_execute(BEGIN_WRITE);
    let ((), time) = try_join(begin, session.client.query_one(&time, &[])).await?;
    let (now, leases) = (Timestamp::from_micros(time.try_get(0)?), time.try_get(1)?);
    Ok(Begun { session, now: own.unwrap_or(now), leases })
}

impl Session {
    async fn of(pool: &Pool) -> Result<Session, StoreError> {
        Ok(Session { client: Arc::new(pool.get().await?), open: true })
    }

    pub(in crate::store) async fn execute(&self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        let statement = self.prepare(sql, params).await?;
        Ok(self.client.execute(&statement, &borrowed(params)).await?)
    }

    /// Sends a statement and does not wait: the answer is what this comes to. What is sent later is run later.
    pub(in crate::store) async fn send(
        &self,
        sql: &str,
        params: &[Value],
    ) -> Result<UnderWay<u64>, StoreError> {
        let statement = self.prepare(sql, params).await?;
        let (client, params) = (Arc::clone(&self.client), params.to_vec());
        Ok(under_way(async move { Ok(client.execute(&statement, &borrowed(&params)).await?) }))
    }

    /// The same for a question, whose rows are read when they are there.
    pub(in crate::store) async fn ask<T: Send + 'static>(
        &self,
        sql: &str,
        params: Vec<impl ToSql + Send + Sync + 'static>,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<UnderWay<Vec<T>>, StoreError> {
        let statement = self.prepare(sql, &params).await?;
        let client = Arc::clone(&self.client);
        Ok(under_way(async move {
            let rows = client.query(&statement, &borrowed(&params)).await?;
            rows.iter().map(|row| read(&Row::Postgres(row))).collect()
        }))
    }

    /// The same for statements without parameters and answers. When they fail, the commit does.
    pub(super) fn say(&self, words: &'static str) {
        let _ = self.client.batch_execute(words).now_or_never();
    }

    pub(in crate::store) async fn query<P: ToSql + Sync>(
        &self,
        sql: &str,
        params: &[P],
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        let statement = self.prepare(sql, params).await?;
        Ok(self.client.query(&statement, &borrowed(params)).await?)
    }

    async fn prepare<P>(&self, sql: &str, params: &[P]) -> Result<tokio_postgres::Statement, StoreError> {
        let statement = self.client.prepare_cached(sql).await?;
        let wanted = statement.params().len();
        if wanted == params.len() {
            return Ok(statement);
        }
        let given = params.len();
        Err(StoreError::misused(&format!("{wanted} parameters are wanted, {given} were given: {sql}")))
    }

    /// Makes the changes visible. What is still under way then is over when they are on disk.
    pub(super) async fn commit(mut self) -> Result<UnderWay<()>, StoreError> {
        let committed = self.sent_now(COMMIT);
        let flushed = self.sent_now(FLUSH);
        committed.await?;
        self.open = false;
        Ok(flushed)
    }

    fn sent_now(&self, words: &'static str) -> UnderWay<()> {
        let client = Arc::clone(&self.client);
        under_way(async move { Ok(client.batch_execute(words).await?) })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.open {
            // It comes before all that the connection does next. Nobody needs the answer.
            self.say("ROLLBACK");
        }
    }
}

/// Has something go on its way, as it does when it is first polled. A task of its own takes in the answer: a connection
/// stands still as soon as one of its answers is not taken in.
fn under_way<T: Send + 'static>(
    sending: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> UnderWay<T> {
    let mut sending = sending.boxed();
    if let Some(done) = (&mut sending).now_or_never() {
        return ready(done).boxed();
    }
    let task = tokio::spawn(sending);
    async move { task.await.unwrap_or_else(|_| Err(StoreError::closed())) }.boxed()
}

fn borrowed<P: ToSql + Sync>(params: &[P]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}
