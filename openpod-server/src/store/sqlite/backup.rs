//! A database in one file, complete and at rest.

use std::fs::File;
use std::path::Path;

use rusqlite::Connection;

use super::claim;
use crate::store::StoreError;

/// Writes one snapshot into a file, which is empty or not there. Readers and the writer are not held up.
pub(super) fn save(connection: &Connection, file: &Path) -> Result<(), StoreError> {
    let name = file.to_str().ok_or_else(|| StoreError::unreadable("the name of the file is not UTF-8"))?;
    connection.execute("VACUUM INTO ?1", [name])?;
    Ok(())
}

/// Leaves a database that nobody has open as one file without others beside it, and flushes it to the disk.
pub(in crate::store) fn settle(file: &Path) -> Result<(), StoreError> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "delete")?;
    connection.close().map_err(|(_, error)| error)?;
    let flushed = claim::remove(file).and_then(|()| File::open(file)?.sync_all());
    flushed.map_err(|error| StoreError::unreadable(format!("{} cannot be flushed: {error}", file.display())))
}
