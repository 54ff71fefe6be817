//! PostgreSQL: a connection for each transaction, from two pools, and one connection that listens.
//!
//! ```text
//!   read  ─▶ readers ─▶ the time, then BEGIN REPEATABLE READ READ ONLY ─▶ script
//!   write ─▶ a lane ─▶ writers ─▶ BEGIN, then the time ─▶ scripts ─▶ consent ─▶ COMMIT ─▶ flush ─▶ answers
//!              ▲                                           │                       │
//!              └─── undone by a deadlock, held up, lost ───┘                       └─▶ signals, NOTIFY to the others
//!                        a few times, see [`retry`]
//! ```
//!
//! What a server remembers it believes while it has a [`lease`]; then each write, whoever's, has its [`consent`] first.
//!
//! The time is the database's, so that it means the same to all processes. [`session`] tells how it is put in order.

mod consent;
mod flush;
mod group;
mod lanes;
mod lease;
mod migration;
mod peers;
mod retry;
mod rounds;
mod session;
mod tls;
mod together;
mod trust;
mod voice;
mod words;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use openpod_sdk::api::Timestamp;
use tokio::task::JoinError;

use super::error::OpenError;
use super::location::Address;
use super::memory::Memory;
use super::script::{Kind, deliver, perform};
use super::signals::Signals;
use super::times::{Times, Writing};
use super::{Opening, Sources, StoreError, Tx};
use consent::{Consent, Consents, Waiting};
use flush::Flushes;
use lanes::Lanes;
use lease::Remembers;
use peers::{Line, Peers};
use rounds::Rounds;
use session::{Begun, Reading};
pub(super) use session::{Session, UnderWay};
use tls::Tls;
pub(super) use together::Together;
use trust::Trust;
use voice::Voice;
use words::{Message, Word};

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
    voice: Voice,
    trust: Arc<Trust>,
    consents: Arc<Consents>,
    rounds: Rounds,
    lanes: Lanes,
    flushes: Flushes,
}

impl Engine {
    /// Connects, migrates and begins to listen. With the engine come the steps that were taken. `memory` forgets what each
    /// commit changes, whoever's.
    pub(super) async fn open(
        address: &Address,
        sources: &Sources,
        signals: Arc<Signals>,
        memory: Memory,
        opening: Opening<'_>,
    ) -> Result<(Self, Vec<&'static str>), OpenError> {
        let tls = Tls::of(address)?;
        let migrated = migration::prepare(address, &tls, opening).await?;
        let mut nonce = [0; 8];
        sources.randomness.fill(&mut nonce);
        let (voice, words) = Voice::new(hex::encode(nonce));
        let (trust, waiting) = (Arc::new(Trust::default()), Arc::new(Waiting::default()));
        let line = Line {
            address: address.clone(),
            tls: tls.clone(),
            voice: voice.clone(),
            signals: Arc::clone(&signals),
            waiting: Arc::clone(&waiting),
            remembers: opening.serves.then(|| Remembers::new(memory.clone(), Arc::clone(&trust))),
        };
        let consents = Consents::new(memory, Arc::clone(&trust), voice.clone(), waiting);
        let engine = Self {
            readers: pool(address, &tls, session::READER, "")?,
            writers: pool(address, &tls, session::WRITER, SETTINGS_OF_WRITERS)?,
            times: Times::new(sources.clone()),
            keeps_own_time: address.keeps_own_time(),
            signals,
            peers: Arc::new(Peers::start(line, words)),
            voice,
            trust,
            consents: Arc::new(consents),
            rounds: Rounds::default(),
            flushes: Flushes::default(),
            lanes: Lanes::start().map_err(|_| OpenError::Interrupted)?,
        };
        Ok((engine, migrated))
    }

    /// The time of what is remembered, to be taken before it is looked at; `None` when it may not be believed.
    pub(super) fn time_of_memory(&self) -> Option<Timestamp> {
        let time = self.trust.time()?;
        Some(if self.keeps_own_time { self.times.of_read() } else { time })
    }

    /// How keys are looked up.
    pub(super) fn rounds(&self) -> &Rounds {
        &self.rounds
    }

    /// Tells the other processes that there is something to deliver, and waits until they are told. The words do not wait
    /// for the process's own connection, so they are nobody's.
    pub(super) async fn wake_others(&self) -> Result<(), StoreError> {
        let writers = self.writers.clone();
        let word = Word::Committed { deliveries: true };
        let words = vec![Message { from: "a command".to_owned(), word }.text()];
        let told = self.lanes.run(async move {
            let client = writers.get().await?;
            client.execute(voice::SAY, &[&words]).await?;
            Ok(())
        });
        finished(told.await)
    }

    /// Believes nothing any more, and lets nobody who writes wait for this process.
    pub(super) async fn leave(&self) -> Result<(), StoreError> {
        self.peers.leave();
        self.trust.end();
        let client = self.readers.get().await?;
        client.execute(lease::GIVE_UP, &[&format!("{}.", self.voice.name())]).await?;
        Ok(())
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
        let begun = match session::read(&self.readers, own).await {
            // A connection of the pool that had ended unnoticed.
            Err(error) if error.is_passing() => session::read(&self.readers, own).await,
            begun => begun,
        };
        let Reading { session, now } = begun?;
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
        let Begun { session, now, leases } = session::write(&self.writers, own).await?;
        let mut tx = Tx::postgres(&session, &self.times, now);
        let answer = perform(script, &mut tx).await?;
        let (wakes, news) = (tx.wakes_deliveries(), tx.news());
        drop(tx);
        let consent = self.consents.to(news, &leases, &self.readers).await?;
        self.commit(session, writing, consent, wakes).await?.await?;
        Ok(answer)
    }

    /// Commits, and tells everybody who waits, here and elsewhere. What is still under way then is over when the commit is
    /// on disk.
    async fn commit(
        &self,
        session: Session,
        writing: Option<Writing>,
        mut consent: Consent,
        wakes: bool,
    ) -> Result<UnderWay<()>, StoreError> {
        let flushing = self.flushes.begin();
        consent.opens();
        let committed = session.commit().await;
        if committed.as_ref().err().is_none_or(StoreError::is_refusal) {
            consent.closes();
        }
        let flushed = committed?;
        drop(writing);
        self.signals.committed(wakes);
        self.voice.committed(wakes);
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
