//! What can go wrong with the database.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// A query that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the database: {message}")]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
}

/// What to do about it follows from this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// Another program holds it. Later it may work.
    Busy,
    /// The disk is full. When there is space again it works.
    Full,
    /// The store is closing, or its thread has died.
    Closed,
    /// A row with the same unique key is there.
    Duplicate,
    /// A constraint of the schema refuses it.
    Constraint,
    /// It holds what this version does not understand.
    Unreadable,
    /// Anything else.
    Failed,
}

impl StoreError {
    /// What to do about it follows from this.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// The store is closing, or its thread has died.
    pub(super) fn closed() -> Self {
        Self { kind: StoreErrorKind::Closed, message: "it is closing".to_owned() }
    }

    /// A column holds something that is not what it is read as.
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self { kind: StoreErrorKind::Unreadable, message: message.into() }
    }

    /// A script did what it must not.
    pub(super) fn misused(message: &str) -> Self {
        Self { kind: StoreErrorKind::Failed, message: message.to_owned() }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let unique = [rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE, rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY];
        let kind = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreErrorKind::Busy,
                ErrorCode::DiskFull => StoreErrorKind::Full,
                ErrorCode::ConstraintViolation if unique.contains(&failure.extended_code) => {
                    StoreErrorKind::Duplicate
                }
                ErrorCode::ConstraintViolation => StoreErrorKind::Constraint,
                _ => StoreErrorKind::Failed,
            },
            _ => StoreErrorKind::Failed,
        };
        Self { kind, message: error.to_string() }
    }
}

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be opened or created.
    #[error("the database {} cannot be opened: {source}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// It was written by a newer version.
    #[error(
        "the database has schema version {found}, this program knows {known}; start a newer openpod-server"
    )]
    Newer {
        /// The version in the file.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// Bringing it to this version's schema failed. It is as it was.
    #[error("migration {name} failed, and the database is as it was before: {source}")]
    Migration {
        /// Which step.
        name: &'static str,
        /// Why.
        source: StoreError,
    },
    /// The program is stopping.
    #[error("opening the database was interrupted")]
    Interrupted,
    /// No thread could be started.
    #[error("a database thread could not be started: {0}")]
    Thread(std::io::Error),
}
