//! The database: two calls, each one transaction.
//!
//! ```text
//!   store.read(|tx| …)   ─▶ a snapshot
//!   store.write(|tx| …)  ─▶ all or nothing; the answer comes when it is on disk
//!                 Tx     ─▶ SQL with `$n`, written once for both engines
//!
//!   sqlite     several reader threads and one writer thread: what has queued up becomes one group,
//!              each script a savepoint, one durable commit, then the answers
//!   postgres   a connection for each transaction; several processes share the database
//!   dialect    the few things that each does in its own way
//! ```
//!
//! Below the engines there is one file for each aggregate, with its queries as functions of [`Tx`]. A script is
//! async, because on PostgreSQL it waits; on SQLite it runs on a database thread and never does.
//!
//! A transaction brings its own time, [`Tx::now`]: on SQLite the process's, on PostgreSQL the database's. The time of a
//! write is never earlier than that of a read which did not see it, so "changed since my last read" loses nothing.

mod error;
mod full_text;
mod location;
mod migrations;
mod postgres;
mod script;
mod signals;
mod sqlite;
mod times;
mod tx;
mod value;

pub mod agents;
pub mod applications;
pub mod audit;
pub mod channels;
pub mod deliveries;
pub mod delivery_log;
pub mod dialect;
pub mod idempotency_keys;
pub mod keys;
pub mod knowledge;
pub mod ledger;
pub mod marks;
pub mod outbox;
pub mod owners;
pub mod paging;
pub mod positions;
pub mod projects;
pub mod repositories;
pub mod standings;
pub mod tickets;
pub mod webhooks;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use openpod_sdk::clock::Clock;
use tokio::sync::watch;

use crate::ids::Randomness;
use signals::Signals;
use sqlite::claim::Claim;

pub use error::{OpenError, StoreError, StoreErrorKind};
pub use location::{Address, BadAddress, Location};
pub use tx::Tx;
pub(crate) use value::params;
pub use value::{FromValue, Json, Row, ToValue, Value};

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

/// The database. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    engine: Engine,
    /// Held by a server on a file of SQLite's.
    _claim: Option<Arc<Claim>>,
    signals: Arc<Signals>,
    sources: Sources,
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
        let claim = match &location {
            Location::File(path) => Some(Arc::new(Claim::take(path)?)),
            Location::Memory | Location::Postgres(_) => None,
        };
        Ok(Store { _claim: claim, ..Self::open(location, sources).await? })
    }

    /// Opens the database, or creates it, and brings it to this version's schema. A server may be running on it.
    pub async fn open(location: Location, sources: Sources) -> Result<Store, OpenError> {
        let signals = Arc::new(Signals::default());
        let file = match location {
            Location::File(path) => Some(path),
            Location::Memory => None,
            Location::Postgres(address) => {
                let opened = postgres::Engine::open(&address, &sources, Arc::clone(&signals)).await?;
                return Ok(Store { engine: Engine::Postgres(opened), _claim: None, signals, sources });
            }
        };
        let (told, kept) = (Arc::clone(&signals), sources.clone());
        let open = move || sqlite::Engine::open(file.as_deref(), &kept, told);
        let opened = tokio::task::spawn_blocking(open).await;
        let engine = opened.map_err(|_| OpenError::Interrupted)??;
        Ok(Store { engine: Engine::Sqlite(Arc::new(engine)), _claim: None, signals, sources })
    }

    /// Where times and ids come from. Within a transaction ask that instead.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Whether other processes may be at work on the same database.
    pub fn is_shared(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_))
    }

    /// Runs a script on a snapshot. It cannot change anything.
    pub async fn read<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(engine) => engine.read(script).await,
            Engine::Postgres(engine) => engine.read(script).await,
        }
    }

    /// Runs a script as one transaction. `Ok` means that all of it is on disk, `Err` that none of it is.
    pub async fn write<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(engine) => engine.write(script).await,
            Engine::Postgres(engine) => engine.write(script).await,
        }
    }

    /// Completes after a commit that wrote into the outbox. One that happened since the last call counts, so look
    /// first and wait then.
    pub async fn new_deliveries(&self) {
        self.signals.new_deliveries().await;
    }

    /// Ticks after every commit: whoever waits for a change looks, waits for the next tick and looks again.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.signals.commits()
    }
}

#[cfg(test)]
mod tests;
