//! The schema, step by step, for each engine. A step that was published never changes; the next one mends it.

use rusqlite::Connection;

use super::StoreError;
use super::error::OpenError;

/// One step, in the SQL of each engine.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

/// The steps, in order: the first has version 1.
pub(super) const STEPS: [Step; 1] = [Step {
    name: "0001_platform",
    sqlite: include_str!("../../migrations/sqlite/0001_platform.sql"),
    postgres: include_str!("../../migrations/postgres/0001_platform.sql"),
}];

/// Brings a database of SQLite's to the newest version. The lock of its transaction keeps others out.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let failed =
        |name: &'static str| move |error| OpenError::Migration { name, source: StoreError::from(error) };
    loop {
        let begun = connection.execute_batch("BEGIN IMMEDIATE");
        begun.map_err(failed("lock"))?;
        let version: u32 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(failed("version"))?;
        let done = match STEPS.get(version as usize) {
            Some(Step { name, sqlite, .. }) => {
                let step = format!("{sqlite}\nPRAGMA user_version = {};", version + 1);
                connection.execute_batch(&step).map_err(failed(name)).map(|()| false)
            }
            None if version as usize > STEPS.len() => {
                Err(OpenError::Newer { found: version, known: STEPS.len() as u32 })
            }
            None => Ok(true),
        };
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = connection.execute_batch(end).map_err(failed("commit"));
        if done? {
            return ended;
        }
        ended?;
    }
}
