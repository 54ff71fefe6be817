//! What can go wrong with the database.

use std::error::Error;
use std::path::PathBuf;

use deadpool_postgres::PoolError;
use rusqlite::ErrorCode;
use tokio_postgres::error::SqlState;

/// What PostgreSQL says as it ends a connection, or before it can begin one.
const ENDING: [SqlState; 3] =
    [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW];

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
    /// Another program holds it, or it cannot be reached. Later it may work.
    Busy,
    /// Others who wrote at the same time were in the way. The transaction was undone; again it may work.
    Collided,
    /// The connection ended. What was not yet being committed is undone.
    Lost,
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
    /// The file is damaged, or is no database.
    Damaged,
    /// Anything else.
    Failed,
}

impl StoreError {
    /// What to do about it follows from this.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Whether a transaction that failed by it before its commit is undone and worth another try.
    /// Whether the database has said no, so that nothing was changed.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Collided | StoreErrorKind::Constraint | StoreErrorKind::Duplicate)
    }

    pub(super) fn is_passing(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Collided | StoreErrorKind::Lost)
    }

    /// The store is closing, or its thread has died.
    pub(super) fn closed() -> Self {
        Self { kind: StoreErrorKind::Closed, message: "it is closing".to_owned() }
    }

    /// A script of SQLite's runs through without a pause.
    pub(super) fn waited() -> Self {
        Self::misused("a script waited for something else than the database")
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
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreErrorKind::Damaged,
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

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(failure) = error.as_db_error() else {
            if let Some(rustls::Error::InvalidCertificate(why)) = tls_failure(&error) {
                let message = format!(
                    "its certificate is refused ({why}); whoever issued it can be named with sslrootcert=<file> in the address"
                );
                return Self { kind: StoreErrorKind::Failed, message };
            }
            let broke = error.is_closed() || error.source().is_some_and(|cause| cause.is::<std::io::Error>());
            let kind = if broke { StoreErrorKind::Lost } else { StoreErrorKind::Failed };
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            return Self { kind, message: format!("{error}{cause}") };
        };
        let code = failure.code();
        let kind = match code.code().get(..2).unwrap_or_default() {
            _ if *code == SqlState::UNIQUE_VIOLATION => StoreErrorKind::Duplicate,
            _ if *code == SqlState::DISK_FULL => StoreErrorKind::Full,
            // A deadlock, or a snapshot that others have overtaken.
            "40" => StoreErrorKind::Collided,
            // What somebody else holds for longer than a group waits.
            _ if *code == SqlState::LOCK_NOT_AVAILABLE => StoreErrorKind::Collided,
            "08" => StoreErrorKind::Lost,
            _ if ENDING.contains(code) => StoreErrorKind::Lost,
            // Out of connections or memory; in use; cancelled.
            "53" | "55" | "57" => StoreErrorKind::Busy,
            "23" => StoreErrorKind::Constraint,
            _ => StoreErrorKind::Failed,
        };
        Self { kind, message: format!("{} ({})", failure.message(), code.code()) }
    }
}

fn tls_failure(error: &tokio_postgres::Error) -> Option<&rustls::Error> {
    error.source()?.downcast_ref::<std::io::Error>()?.get_ref()?.downcast_ref()
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            error => Self { kind: StoreErrorKind::Busy, message: error.to_string() },
        }
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
    /// There is no such file.
    #[error(
        "there is no database {}; see --database and database.url, or make it with openpod-server db migrate",
        path.display()
    )]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// Other processes have the PostgreSQL database open.
    #[error("another openpod-server runs on the database {address}; stop it first")]
    Shared {
        /// Which, without its password.
        address: String,
    },
    /// Another server runs on the file.
    #[error(
        "another openpod-server runs on the database {}; stop it first, or use PostgreSQL for several", path.display()
    )]
    Taken {
        /// Which file.
        path: PathBuf,
    },
    /// The file is on a network file system, where it would be damaged sooner or later.
    #[error(
        "the database {} is on a network file system ({system}); put it on a local disk, or use PostgreSQL",
        path.display()
    )]
    Network {
        /// Which file.
        path: PathBuf,
        /// Which kind of file system.
        system: &'static str,
    },
    /// The database cannot be reached.
    #[error("the database {address} cannot be opened: {source}")]
    Reach {
        /// Which, without its password.
        address: String,
        /// Why.
        source: StoreError,
    },
    /// The database is set up in a way that does not do.
    #[error("the database {address} cannot be used: {why}")]
    Unfit {
        /// Which, without its password.
        address: String,
        /// Why, and what to do.
        why: &'static str,
    },
    /// No TLS can be spoken on this machine.
    #[error("no encrypted connection to the database can be made: {0}")]
    Tls(String),
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
    /// It was written by an older version, and was not to be changed.
    #[error(
        "the database has schema version {found}, this program knows {known}; bring it there with openpod-server db migrate"
    )]
    Older {
        /// The version in the database.
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

impl OpenError {
    pub(super) fn migration(name: &'static str, source: StoreError) -> Self {
        OpenError::Migration { name, source }
    }
}
