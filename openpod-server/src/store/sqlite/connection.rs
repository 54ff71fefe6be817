//! How a connection is opened: durable, strict about foreign keys, in write-ahead mode.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::store::StoreError;
use crate::store::error::OpenError;

/// Where connections go.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Memory,
    /// A file that is made when it is not there, and is written as a server writes.
    File,
    /// A file that stays in the form that it has.
    FileAsItIs,
}

static MEMORIES: AtomicU64 = AtomicU64::new(0);

impl Place {
    pub(super) fn file(path: &Path) -> Self {
        Self { path: path.to_owned(), kind: Kind::File }
    }

    pub(super) fn file_as_it_is(path: &Path) -> Self {
        Self { path: path.to_owned(), kind: Kind::FileAsItIs }
    }

    /// Connections of one store share a memory; every store has one of its own.
    pub(super) fn memory() -> Self {
        let n = MEMORIES.fetch_add(1, Ordering::Relaxed);
        Self { path: PathBuf::from(format!("file:/openpod-{n}?vfs=memdb")), kind: Kind::Memory }
    }

    pub(super) fn connect(&self) -> Result<Connection, OpenError> {
        open(&self.path, self.kind).map_err(|error| self.failure(error))
    }

    /// A connection for many small changes. What undoes one of them is kept in memory, where SQLite would keep it in a file.
    pub(super) fn connect_to_write(&self) -> Result<Connection, OpenError> {
        let connection = self.connect()?;
        connection.pragma_update(None, "temp_store", "memory").map_err(|error| self.failure(error))?;
        Ok(connection)
    }

    /// A connection that cannot change anything.
    pub(super) fn connect_to_read(&self) -> Result<Connection, OpenError> {
        let connection = self.connect()?;
        connection.pragma_update(None, "query_only", true).map_err(|error| self.failure(error))?;
        Ok(connection)
    }

    fn failure(&self, error: rusqlite::Error) -> OpenError {
        OpenError::Open { path: self.path.clone(), source: StoreError::from(error) }
    }
}

fn open(path: &Path, kind: Kind) -> rusqlite::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, kind != Kind::FileAsItIs);
    flags.set(OpenFlags::SQLITE_OPEN_URI, kind == Kind::Memory);
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    if kind == Kind::File {
        connection.pragma_update(None, "journal_mode", "wal")?;
    }
    if kind != Kind::Memory {
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "cache_size", -16_384)?;
    }
    // Otherwise a kept statement is planned anew for each value that is bound to it, which costs more than to run it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(256);
    Ok(connection)
}
