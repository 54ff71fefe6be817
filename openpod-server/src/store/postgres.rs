//! PostgreSQL: a connection for each transaction, from two pools, and one connection that listens.
//!
//! ```text
//!   read  ─▶ readers ─▶ the time, then BEGIN REPEATABLE READ READ ONLY ─▶ script
//!   write ─▶ a lane ─▶ writers ─▶ BEGIN, then the time ─▶ scripts ─▶ COMMIT ─▶ flush ─▶ answers
//!              ▲                                           │              │
//!              └─── undone by a deadlock, held up, lost ───┘              └─▶ signals, NOTIFY to the other processes
//!                        a few times, see [`retry`]
//! ```
//!
//! The time is the database's, so that it means the same to all processes. [`session`] tells how it is put in order.

mod flush;
mod group;
mod lanes;
mod migration;
mod peers;
mod retry;
mod rounds;
mod session;
mod tls;
mod together;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::task::JoinError;

use super::error::OpenError;
use super::location::Address;
use super::script::{Kind, deliver, perform};
use super::signals::Signals;
use super::times::{Times, Writing};
use super::{Opening, Sources, StoreError, Tx};
use flush::Flushes;
use lanes::Lanes;
use peers::Peers;
use rounds::Rounds;
use session::{Begun, Purpose};
pub(super) use session::{Session, UnderWay};
use tls::Tls;
pub(super) use together::Together;

/// How many connections each pool opens at most.
const CONNECTIONS: usize = 16;

/// How long a transaction waits for a connection before it is told that the database is busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// Statements that write go by keys, so a plan serves whatever their parameters are, and however large the tables become.
/// Unasked, PostgreSQL would make some of these plans anew each time, which takes longer than what they are for; and for a
/// table that is still small it would make one that reads all of it, and keep that plan while the table grows.
const SETTINGS_OF_WRITERS: &str = "SET plan_cache_mode TO force_generic_plan; SET enable_seqscan TO off";

/// The connections of one process.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    readers: Pool,
    writers: Pool,
    times: Times,
    keeps_own_time: bool,
    signals: Arc<Signals>,
    peers: Arc<Peers>,
    rounds: Rounds,
    lanes: Lanes,
    flushes: Flushes,
}

impl Engine {
    /// Connects, migrates and begins to listen. With the engine come the steps that were taken.
    pub(super) async fn open(
        address: &Address,
        sources: &Sources,
        signals: Arc<Signals>,
        opening: Opening<'_>,
    ) -> Result<(Self, Vec<&'static str>), OpenError> {
        let tls = Tls::of(address)?;
        let migrated = migration::prepare(address, &tls, opening).await?;
        let mut nonce = [0; 8];
        sources.randomness.fill(&mut nonce);
        let peers = Peers::start(address.clone(), tls.clone(), hex::encode(nonce), Arc::clone(&signals));
        let engine = Self {
            readers: pool(address, &tls, session::READER, "")?,
            writers: pool(address, &tls, session::WRITER, SETTINGS_OF_WRITERS)?,
            times: Times::new(sources.clone()),
            keeps_own_time: address.keeps_own_time(),
            signals,
            peers: Arc::new(peers),
            rounds: Rounds::default(),
            flushes: Flushes::default(),
            lanes: Lanes::start().map_err(|_| OpenError::Interrupted)?,
        };
        Ok((engine, migrated))
    }

    /// How keys are looked up.
    pub(super) fn rounds(&self) -> &Rounds {
        &self.rounds
    }

    /// Tells the other processes that there is something to deliver, and waits until they are told.
    pub(super) async fn wake_others(&self) -> Result<(), StoreError> {
        let writers = self.writers.clone();
        let told = self.lanes.run(async move {
            let client = writers.get().await?;
            client.execute(peers::TELL, &[&peers::WORD_OF_A_COMMAND]).await?;
            Ok(())
        });
        finished(told.await)
    }

    pub(super) async fn read<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        E: From<StoreError>,
    {
        let answer = self.glimpse(script).await;
        self.flushes.over().await;
        answer
    }

    /// Reads what may not be on disk yet.
    pub(super) async fn glimpse<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        E: From<StoreError>,
    {
        let own = self.keeps_own_time.then(|| self.times.of_read());
        let begun = match session::begin(&self.readers, Purpose::Read, own).await {
            // A connection of the pool that had ended unnoticed.
            Err(error) if error.is_passing() => session::begin(&self.readers, Purpose::Read, own).await,
            begun => begun,
        };
        let Begun { session, now } = begun?;
        perform(script, &mut Tx::postgres(&session, &self.times, now)).await
    }

    pub(super) async fn write<T, E, S>(&self, kind: Kind, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        deliver(kind, script, |job| {
            self.lanes.submit(self, job);
            true
        })
        .await
    }

    /// The same for a script that cannot be run again.
    pub(super) async fn write_once<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let engine = self.clone();
        // A task of its own, so that a caller who leaves does not cut off what was begun.
        finished(self.lanes.run(async move { engine.write_now(script).await }).await)
    }

    async fn write_now<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        E: From<StoreError>,
    {
        let writing = self.keeps_own_time.then(|| self.times.begin_write());
        let own = writing.as_ref().map(|writing| writing.since());
        let Begun { session, now } = session::begin(&self.writers, Purpose::Write, own).await?;
        let mut tx = Tx::postgres(&session, &self.times, now);
        let answer = perform(script, &mut tx).await?;
        let wakes = tx.wakes_deliveries();
        drop(tx);
        self.commit(session, writing, wakes).await?.await?;
        Ok(answer)
    }

    /// Commits, and tells everybody who waits, here and elsewhere. What is still under way then is over when the commit is
    /// on disk.
    async fn commit(
        &self,
        session: Session,
        writing: Option<Writing>,
        wakes: bool,
    ) -> Result<UnderWay<()>, StoreError> {
        let flushing = self.flushes.begin();
        let flushed = session.commit().await?;
        drop(writing);
        self.signals.committed(wakes);
        self.peers.tell(wakes);
        Ok(flushed.inspect(move |_| drop(flushing)).boxed())
    }
}

/// What a task came to. A panic goes on in the caller.
fn finished<T, E: From<StoreError>>(task: Result<Result<T, E>, JoinError>) -> Result<T, E> {
    match task {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(StoreError::closed().into()),
    }
}

fn pool(address: &Address, tls: &Tls, name: &str, settings: &'static str) -> Result<Pool, OpenError> {
    let mut config = address.config().clone();
    config.application_name(name);
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match tls {
        Tls::Off => Manager::from_config(config, tokio_postgres::NoTls, recycling),
        Tls::On(tls) => Manager::from_config(config, tls.clone(), recycling),
    };
    Pool::builder(manager)
        .max_size(CONNECTIONS)
        .post_create(Hook::async_fn(move |client, _| {
            Box::pin(async move { client.batch_execute(settings).await.map_err(HookError::Backend) })
        }))
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(PATIENCE))
        .build()
        .map_err(|_| OpenError::Interrupted)
}
