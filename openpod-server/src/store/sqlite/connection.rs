//! How a connection is opened: durable, strict about foreign keys, in write-ahead mode.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::store::StoreError;
use crate::store::error::OpenError;

/// Where connections go.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    in_memory: bool,
}

static MEMORIES: AtomicU64 = AtomicU64::new(0);

impl Place {
    pub(super) fn file(path: &Path) -> Self {
        Self { path: path.to_owned(), in_memory: false }
    }

    /// Connections of one store share a memory; every store has one of its own.
    pub(super) fn memory() -> Self {
        let n = MEMORIES.fetch_add(1, Ordering::Relaxed);
        Self { path: PathBuf::from(format!("file:/openpod-{n}?vfs=memdb")), in_memory: true }
    }

    pub(super) fn connect(&self) -> Result<Connection, OpenError> {
        open(&self.path, self.in_memory)
            .map_err(|error| OpenError::Open { path: self.path.clone(), source: StoreError::from(error) })
    }
}

fn open(path: &Path, in_memory: bool) -> rusqlite::Result<Connection> {
    let mut flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if in_memory {
        flags |= OpenFlags::SQLITE_OPEN_URI;
    }
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    if !in_memory {
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "cache_size", -16_384)?;
    }
    connection.set_prepared_statement_cache_capacity(256);
    Ok(connection)
}
