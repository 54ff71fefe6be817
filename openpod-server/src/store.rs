//! The database: two calls, each one transaction.
//!
//! ```text
//!   store.read(|tx| …)   ─▶ a snapshot, on one of several reader threads
//!   store.write(|tx| …)  ─▶ one writer thread: what has queued up becomes one group,
//!                           each script a savepoint, one durable commit, then the answers
//!                 Tx     ─▶ SQL with `$n`, written once for every engine
//! ```
//!
//! Below the engine there is one file for each aggregate, with its queries as functions of [`Tx`]. A script is
//! async, because on a networked engine it waits; on SQLite it runs on a database thread and never does.
//!
//! A transaction brings its own time, [`Tx::now`]. The time of a write is never earlier than that of a read which did
//! not see it, so "changed since my last read" loses nothing.

mod error;
mod full_text;
mod migrations;
mod script;
mod sqlite;
mod tx;
mod value;

pub mod agents;
pub mod applications;
pub mod audit;
pub mod channels;
pub mod deliveries;
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

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use openpod_sdk::clock::Clock;
use tokio::sync::{Notify, watch};

use crate::ids::Randomness;

pub use error::{OpenError, StoreError, StoreErrorKind};
pub use tx::Tx;
pub(crate) use value::params;
pub use value::{FromValue, Json, Row, ToValue, Value};

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file. It is created when it is not there.
    File(PathBuf),
    /// In memory, gone when the store is dropped; for tests and trials.
    Memory,
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
    engine: Arc<sqlite::Engine>,
    signals: Arc<Signals>,
    sources: Sources,
}

/// What a commit tells those who wait.
#[derive(Debug, Default)]
struct Signals {
    /// Something was written into the outbox.
    deliveries: Notify,
    /// How many groups were committed.
    commits: watch::Sender<u64>,
}

impl Store {
    /// Opens the database, or creates it, and brings it to this version's schema.
    pub async fn open(location: Location, sources: Sources) -> Result<Store, OpenError> {
        let signals = Arc::new(Signals::default());
        let (told, kept) = (Arc::clone(&signals), sources.clone());
        let opened =
            tokio::task::spawn_blocking(move || sqlite::Engine::open(&location, &sources, told)).await;
        let engine = opened.map_err(|_| OpenError::Interrupted)??;
        Ok(Store { engine: Arc::new(engine), signals, sources: kept })
    }

    /// Where times and ids come from. Within a transaction ask that instead.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Whether other processes may be at work on the same database.
    pub fn is_shared(&self) -> bool {
        false
    }

    /// Runs a script on a snapshot. It cannot change anything.
    pub async fn read<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.engine.read(script).await
    }

    /// Runs a script as one transaction. `Ok` means that all of it is on disk, `Err` that none of it is.
    pub async fn write<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.engine.write(script).await
    }

    /// Completes after a commit that wrote into the outbox. One that happened since the last call counts, so look
    /// first and wait then.
    pub async fn new_deliveries(&self) {
        self.signals.deliveries.notified().await;
    }

    /// Ticks after every commit: whoever waits for a change looks, waits for the next tick and looks again.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.signals.commits.subscribe()
    }
}

#[cfg(test)]
mod tests;
