//! The database: three calls, each one transaction.
//!
//! ```text
//!   store.read(|tx| …)    ─▶ a snapshot
//!   store.write(|tx| …)   ─▶ all or nothing; the answer comes when it is on disk
//!   store.append(|tx| …)  ─▶ the same for what only reads and adds rows that nobody needs to read before the end
//!                  Tx     ─▶ SQL with `$n`, written once for both engines
//!
//!   sqlite     several reader threads and one writer thread
//!   postgres   a connection for each read, a few lanes for writes; several processes share the database
//!   both       writes that have queued up become one group: one durable commit, then the answers
//!   dialect    the few things that each does in its own way
//! ```
//!
//! Opening a database brings it to its schema by `migrations`. `tables` knows all tables in their order, for `transfer`,
//! which copies everything from one database to another, and `inspection` looks whether the schema and its rows are sound.
//!
//! Below the engines there is one file for each aggregate, with its queries as functions of [`Tx`]. A script is
//! async, because on PostgreSQL it waits; on SQLite it runs on a database thread and never does.
//!
//! A transaction brings its own time, [`Tx::now`]: on SQLite the process's, on PostgreSQL the database's. The time of a
//! write is never earlier than that of a read which did not see it, so "changed since my last read" loses nothing.

mod batch;
mod counts;
mod error;
mod full_text;
mod glance;
mod location;
mod memory;
mod migrations;
mod postgres;
mod script;
mod shelf;
mod signals;
mod sqlite;
mod tables;
mod times;
mod tx;
mod uptime;
mod value;

pub mod agents;
pub mod applications;
pub mod audit;
pub mod channels;
pub mod deliveries;
pub mod delivery_log;
pub mod dialect;
pub mod idempotency_keys;
pub mod inspection;
pub mod keys;
pub mod knowledge;
pub mod ledger;
pub mod marks;
pub mod outbox;
pub mod owners;
pub mod paging;
pub mod pending;
pub mod positions;
pub mod projects;
pub mod repositories;
pub mod standings;
pub mod tickets;
pub mod transfer;
pub mod turns;
pub mod webhooks;

use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use openpod_sdk::clock::Clock;
use tokio::sync::watch;

use crate::ids::Randomness;
use counts::Counters;
use memory::Memory;
use script::Kind;
use signals::Signals;
use sqlite::claim::Claim;
use sqlite::visit::Visit;

pub use counts::Counts;
pub use error::{OpenError, StoreError, StoreErrorKind};
pub use glance::{Glance, Moment};
pub use location::{Address, BadAddress, Location};
pub use migrations::{STEPS, Step, version};
pub use tx::{Asked, Tx};
pub(crate) use value::params;
pub use value::{FromValue, Json, Row, ToValue, Value};

/// Leaves a file of SQLite's that nobody has open as one file at rest, flushed to the disk.
pub(crate) fn settle_file(file: &Path) -> Result<(), StoreError> {
    sqlite::settle(file)
}

/// Keeps servers, and whoever would fill it, from a file of SQLite's that need not be there yet.
pub(crate) fn claim_file(file: &Path) -> Result<Claim, OpenError> {
    Claim::take(file)
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// Where times and ids come from.
#[derive(Clone)]
pub struct Sources {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub randomness: Arc<dyn Randomness>,
}

/// How a database is opened.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'s> {
    /// Whether no other process may be at work on it: no server on a file, nobody at all on a PostgreSQL database.
    pub alone: bool,
    /// Whether it is for a server, which remembers what it has read.
    pub serves: bool,
    /// The steps that bring it to its schema, also from nothing. Without them it must be there, and stays as it is.
    pub steps: Option<&'s [Step]>,
}

impl Opening<'static> {
    /// Beside others, with this version's schema.
    pub const NEWEST: Self = Self { alone: false, serves: false, steps: Some(&STEPS) };
    /// Beside others, whatever its schema.
    pub const AS_IT_IS: Self = Self { alone: false, serves: false, steps: None };
}

/// The database. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    engine: Engine,
    company: Company,
    memory: Memory,
    migrated: Arc<[&'static str]>,
    signals: Arc<Signals>,
    counts: Arc<Counters>,
    sources: Sources,
}

/// Who else may be at work on the database.
#[derive(Debug, Clone)]
enum Company {
    /// Nobody: it is in this process's memory.
    Nobody,
    /// Commands, which say so: this is the one server on a file of SQLite's.
    Commands(Arc<Claim>),
    /// A server: this is a command on a file of SQLite's.
    Server(Arc<Path>),
    /// Servers on the same PostgreSQL.
    Servers,
}

/// What runs the transactions.
#[derive(Debug, Clone)]
enum Engine {
    Sqlite(Arc<sqlite::Engine>),
    Postgres(postgres::Engine),
}

impl Store {
    /// Opens the database for a server. A file admits one at a time; a PostgreSQL database any number.
    pub async fn open_for_server(location: Location, sources: Sources) -> Result<Store, OpenError> {
        let alone = matches!(location, Location::File(_));
        Self::open_as(location, sources, Opening { alone, serves: true, ..Opening::NEWEST }).await
    }

    /// Opens the database, or creates it, and brings it to this version's schema. A server may be running on it.
    pub async fn open(location: Location, sources: Sources) -> Result<Store, OpenError> {
        Self::open_as(location, sources, Opening::NEWEST).await
    }

    /// Opens the database as `opening` says.
    pub async fn open_as(
        location: Location,
        sources: Sources,
        opening: Opening<'_>,
    ) -> Result<Store, OpenError> {
        let (signals, memory) = (Arc::new(Signals::default()), Memory::default());
        let counts = Arc::default();
        let file = match location {
            Location::File(path) => Some(path),
            Location::Memory => None,
            Location::Postgres(address) => {
                let (told, forgetful) = (Arc::clone(&signals), memory.clone());
                let opened = postgres::Engine::open(&address, &sources, told, forgetful, opening).await?;
                let (engine, migrated) = (Engine::Postgres(opened.0), opened.1.into());
                let company = Company::Servers;
                return Ok(Store { engine, company, memory, migrated, signals, counts, sources });
            }
        };
        let company = match &file {
            None => Company::Nobody,
            Some(path) if opening.steps.is_none() && !path.exists() => {
                return Err(OpenError::Missing { path: path.clone() });
            }
            Some(path) if opening.alone => Company::Commands(Arc::new(Claim::take(path)?)),
            Some(path) => Company::Server(path.as_path().into()),
        };
        let (told, forgetful, kept) = (Arc::clone(&signals), memory.clone(), sources.clone());
        let Opening { alone, serves, steps } = opening;
        let steps = steps.map(<[Step]>::to_vec);
        let open = move || {
            let opening = Opening { alone, serves, steps: steps.as_deref() };
            sqlite::Engine::open(file.as_deref(), &kept, told, forgetful, opening)
        };
        let opened = tokio::task::spawn_blocking(open).await;
        let (engine, migrated) = opened.map_err(|_| OpenError::Interrupted)??;
        let engine = Engine::Sqlite(Arc::new(engine));
        let migrated = migrated.into();
        Ok(Store { engine, company, memory, migrated, signals, counts, sources })
    }

    /// The steps of the schema that were taken when it was opened.
    pub fn migrated(&self) -> &[&'static str] {
        &self.migrated
    }

    /// Where times and ids come from. Within a transaction ask that instead.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Whether other processes may be at work on the same database.
    pub fn is_shared(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_))
    }

    /// Runs a script on a snapshot. It cannot change anything. What it saw is on disk when it answers, except that on a
    /// PostgreSQL with several servers a commit of another's may be seen a moment before.
    pub async fn read<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.counts.read();
        match &self.engine {
            Engine::Sqlite(engine) => engine.read(script).await,
            Engine::Postgres(engine) => engine.read(script).await,
        }
    }

    /// The same, where what is seen may not be on disk yet.
    async fn glimpse<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let Engine::Postgres(engine) = &self.engine else { return self.read(script).await };
        self.counts.read();
        engine.glimpse(script).await
    }

    /// Runs a script as one transaction. `Ok` means that all of it is on disk, `Err` that none of it is. When others who
    /// write at the same time are in its way, it is undone and run again, from a copy.
    pub async fn write<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.write_as(Kind::Any, script).await
    }

    /// The same for a script that only reads and appends: it adds rows, writes events and notes whom that concerns, and
    /// holds nothing. Such scripts run side by side, so none of them sees what another adds.
    pub async fn append<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.write_as(Kind::Append, script).await
    }

    async fn write_as<T, E, S>(&self, kind: Kind, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.aloud(async {
            match &self.engine {
                Engine::Sqlite(engine) => engine.write(kind, script).await,
                Engine::Postgres(engine) => engine.write(kind, script).await,
            }
        })
        .await
    }

    /// Counts a write. A command on a file goes in before it and out after it.
    async fn aloud<T, E: From<StoreError>>(&self, write: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.counts.write();
        let Company::Server(file) = &self.company else { return write.await };
        let visit = Visit::begin(file, self.word()).await?;
        let written = write.await;
        visit.end(self.word())?;
        written
    }

    /// What was not said before.
    fn word(&self) -> [u8; 8] {
        let mut word = [0; 8];
        self.sources.randomness.fill(&mut word);
        word
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        let walked = match &self.engine {
            Engine::Sqlite(engine) => engine.walked(),
            Engine::Postgres(_) => 0,
        };
        self.counts.with(walked)
    }

    /// The same for a script that cannot be run again.
    pub(crate) async fn write_once<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.aloud(async {
            match &self.engine {
                Engine::Sqlite(engine) => engine.write_once(script).await,
                Engine::Postgres(engine) => engine.write_once(script).await,
            }
        })
        .await
    }

    /// Writes all that is committed into a new file of SQLite's, while work goes on; only a database of SQLite's can.
    pub(crate) async fn save(&self, file: &Path) -> Result<(), StoreError> {
        let Engine::Sqlite(engine) = &self.engine else {
            return Err(StoreError::misused("a PostgreSQL database is transferred, not saved"));
        };
        let (engine, file) = (Arc::clone(engine), file.to_owned());
        let saved = tokio::task::spawn_blocking(move || engine.save(&file)).await;
        saved.map_err(|_| StoreError::closed())?
    }

    /// Completes after a commit that wrote into the outbox. One that happened since the last call counts, so look
    /// first and wait then. A command's may be heard of a second later.
    pub async fn new_deliveries(&self) {
        let Company::Commands(claim) = &self.company else { return self.signals.new_deliveries().await };
        tokio::select! {
            () = self.signals.new_deliveries() => {}
            () = claim.news() => {}
        }
    }

    /// Tells servers on the same database that there is something to deliver, for a command that ends right after its
    /// write. On a file the write itself has told.
    pub async fn wake_servers(&self) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(engine) => engine.wake_others().await,
        }
    }

    /// Ends a server's part in a database that it shares: nobody who writes has to wait for it from now on. Without this
    /// the next who writes waits once, for a second.
    pub async fn leave(&self) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(engine) => engine.leave().await,
        }
    }

    /// Ticks after every commit: whoever waits for a change looks, waits for the next tick and looks again.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.signals.commits()
    }
}

#[cfg(test)]
mod tests;
