//! What the journal knows at a start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use openpod_sdk::api::{PositionId, TicketId};
use rusqlite::Connection;

use super::JournalError;
use crate::job::Job;

/// Everything that was written down and still matters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replay {
    /// All jobs, also those that are over.
    pub jobs: BTreeMap<TicketId, Job>,
    /// Keys of effects that were begun and not settled.
    pub open_intents: Vec<String>,
    /// Positions that were applied to.
    pub applied: BTreeSet<PositionId>,
    /// What was learnt, by name.
    pub facts: BTreeMap<String, String>,
}

pub(super) fn replay(connection: &Connection, path: &Path) -> Result<Replay, JournalError> {
    let wrong = |source| JournalError::Database { path: path.to_owned(), source };
    let mut replay = Replay::default();
    for (ticket, text) in pairs(connection, "SELECT ticket, job FROM jobs").map_err(wrong)? {
        let job: Job = serde_json::from_str(&text).map_err(|source| JournalError::Unreadable {
            path: path.to_owned(),
            ticket: ticket.clone(),
            source,
        })?;
        replay.jobs.insert(job.ticket.clone(), job);
    }
    let open = "SELECT key, '' FROM intents WHERE settled_at IS NULL ORDER BY key";
    replay.open_intents = pairs(connection, open).map_err(wrong)?.into_iter().map(|(key, _)| key).collect();
    let applied = pairs(connection, "SELECT position, '' FROM applied").map_err(wrong)?;
    replay.applied = applied.into_iter().map(|(position, _)| PositionId::from(position)).collect();
    replay.facts = pairs(connection, "SELECT name, value FROM facts").map_err(wrong)?.into_iter().collect();
    Ok(replay)
}

fn pairs(connection: &Connection, query: &str) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare(query)?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
