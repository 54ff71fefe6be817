//! The schema, step by step, for each engine. A step that was published never changes; the next one mends it.

use std::path::Path;

use rusqlite::Connection;

use super::dialect::Dialect;
use super::error::OpenError;
use super::sqlite::claim::Claim;
use super::{StoreError, Tx, params};

/// One step, in the SQL of each engine. It is applied whole or not at all.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// What it is called.
    pub name: &'static str,
    /// Statements for SQLite. They may rebuild a table that others refer to: references are checked at the end.
    pub sqlite: &'static str,
    /// Statements for PostgreSQL.
    pub postgres: &'static str,
}

/// The steps, in order: the first has version 1.
pub const STEPS: [Step; 3] = [
    Step {
        name: "0001_platform",
        sqlite: include_str!("../../migrations/sqlite/0001_platform.sql"),
        postgres: include_str!("../../migrations/postgres/0001_platform.sql"),
    },
    Step {
        name: "0002_platform_acts",
        sqlite: include_str!("../../migrations/sqlite/0002_platform_acts.sql"),
        postgres: include_str!("../../migrations/postgres/0002_platform_acts.sql"),
    },
    Step {
        name: "0003_leases",
        sqlite: include_str!("../../migrations/sqlite/0003_leases.sql"),
        postgres: include_str!("../../migrations/postgres/0003_leases.sql"),
    },
];

impl Step {
    pub(super) fn sql(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }
}

/// How many steps a database has behind it.
pub async fn version(tx: &mut Tx<'_>) -> Result<u32, StoreError> {
    let sql = match tx.dialect() {
        Dialect::Sqlite => "SELECT user_version AS version FROM pragma_user_version",
        Dialect::Postgres => {
            let known = "SELECT to_regclass('schema_version') IS NOT NULL AS known";
            if tx.first(known, params![], |row| row.get::<bool>("known")).await? != Some(true) {
                return Ok(0);
            }
            "SELECT version FROM schema_version"
        }
    };
    Ok(tx.first(sql, params![], |row| row.get("version")).await?.unwrap_or_default())
}

/// Brings a database of SQLite's to the version of the last step, and answers with the names of those it took. The lock of
/// each transaction keeps others out. `file` is given when a server may be running on it: beneath that nothing is changed.
pub(super) fn migrate(
    connection: &mut Connection,
    steps: &[Step],
    file: Option<&Path>,
) -> Result<Vec<&'static str>, OpenError> {
    let found = found(connection)?;
    let _claim = match file {
        Some(file) if found > 0 && (found as usize) < steps.len() => Some(Claim::take(file)?),
        _ => None,
    };
    let failed = |error| OpenError::migration("lock", StoreError::from(error));
    // It cannot be switched within a transaction.
    connection.pragma_update(None, "foreign_keys", false).map_err(failed)?;
    let mut applied = Vec::new();
    let outcome = loop {
        match next(connection, steps) {
            Ok(Some(name)) => applied.push(name),
            Ok(None) => break Ok(applied),
            Err(error) => break Err(error),
        }
    };
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    outcome
}

fn found(connection: &Connection) -> Result<u32, OpenError> {
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
    version.map_err(|error| OpenError::migration("version", StoreError::from(error)))
}

/// Takes the next step, if there is one.
fn next(connection: &mut Connection, steps: &[Step]) -> Result<Option<&'static str>, OpenError> {
    let failed = |name: &'static str| move |error| OpenError::migration(name, StoreError::from(error));
    // Dropped, it is rolled back.
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(failed("lock"))?;
    let version = found(&transaction)?;
    let Some(step) = steps.get(version as usize) else {
        let known = steps.len() as u32;
        return if version > known { Err(OpenError::Newer { found: version, known }) } else { Ok(None) };
    };
    transaction.execute_batch(step.sqlite).map_err(failed(step.name))?;
    let stray = transaction.query_row("SELECT \"table\", parent FROM pragma_foreign_key_check", [], |row| {
        Ok(format!("a row of {} refers to none of {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    });
    match stray {
        Ok(stray) => return Err(OpenError::migration(step.name, StoreError::unreadable(stray))),
        Err(rusqlite::Error::QueryReturnedNoRows) => {}
        Err(error) => return Err(failed(step.name)(error)),
    }
    transaction.pragma_update(None, "user_version", version + 1).map_err(failed(step.name))?;
    transaction.commit().map_err(failed(step.name))?;
    Ok(Some(step.name))
}
