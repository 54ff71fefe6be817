//! What is remembered beside git: one SQLite file. Every call waits for the disk: keep them off the async threads.

mod accounts;
mod apps;
mod checks;
mod comments;
mod pulls;
mod repositories;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

pub(crate) use accounts::{Account, AccountKind};
pub(crate) use apps::{App, Installation, IssuedToken};
pub(crate) use checks::{CheckRun, Output, Status};
pub(crate) use comments::Comment;
pub(crate) use pulls::{NewPull, Pull, PullFilter, PullSort, PullState};
pub(crate) use repositories::Repository;

/// The layout of the file. The number in `user_version` says which layout a file has.
const SCHEMA: &str = include_str!("store/schema.sql");
const VERSION: i64 = 1;

/// The database.
#[derive(Debug)]
pub(crate) struct Store(Mutex<Connection>);

/// The database could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("the forge's database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file was written by another version of this program.
    #[error("the forge's database has layout {0}, and this program knows layout {VERSION}")]
    Version(i64),
}

impl Store {
    /// Opens the file, and lays it out when it is new.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match version {
            0 => {
                let tx = connection.transaction()?;
                tx.execute_batch(SCHEMA)?;
                tx.pragma_update(None, "user_version", VERSION)?;
                tx.commit()?;
            }
            VERSION => {}
            other => return Err(StoreError::Version(other)),
        }
        Ok(Self(Mutex::new(connection)))
    }

    /// Runs `work` in one transaction, which counts only if `work` succeeds.
    pub(crate) fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tx =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let done = work(&tx)?;
        tx.commit().map_err(StoreError::from)?;
        Ok(done)
    }

    /// Runs `work`, which only looks.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(work(&connection)?)
    }
}
