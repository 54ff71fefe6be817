//! What the journal knows at a start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use openpod_sdk::api::{PositionId, TicketId, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use super::JournalError;
use crate::job::Job;
use crate::job::brakes::Brakes;

/// Everything that was written down and still matters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replay {
    /// All jobs, also those that are over.
    pub jobs: BTreeMap<TicketId, Job>,
    /// When each was last written down.
    pub changed: BTreeMap<TicketId, Timestamp>,
    /// Keys of effects that were begun and not settled.
    pub open_intents: Vec<String>,
    /// Positions that were applied to.
    pub applied: BTreeSet<PositionId>,
    /// What was spent, and what stands in the way of more.
    pub brakes: Brakes,
    /// What was learnt, by name.
    pub facts: BTreeMap<String, String>,
}

/// The fact that holds the brakes.
pub(super) const BRAKES: &str = "brakes";

pub(super) fn replay(connection: &Connection, path: &Path) -> Result<Replay, JournalError> {
    let wrong = |source| JournalError::Database { path: path.to_owned(), source };
    let mut replay = Replay::default();
    for (ticket, text, changed) in jobs(connection).map_err(wrong)? {
        let job: Job = serde_json::from_str(&text).map_err(|source| JournalError::Unreadable {
            path: path.to_owned(),
            ticket: ticket.clone(),
            source,
        })?;
        replay.changed.insert(job.ticket.clone(), changed);
        replay.jobs.insert(job.ticket.clone(), job);
    }
    let open = "SELECT key, '' FROM intents WHERE settled_at IS NULL ORDER BY key";
    replay.open_intents = pairs(connection, open).map_err(wrong)?.into_iter().map(|(key, _)| key).collect();
    let applied = pairs(connection, "SELECT position, '' FROM applied").map_err(wrong)?;
    replay.applied = applied.into_iter().map(|(position, _)| PositionId::from(position)).collect();
    replay.facts = pairs(connection, "SELECT name, value FROM facts").map_err(wrong)?.into_iter().collect();
    replay.facts.remove(BRAKES);
    replay.brakes = brakes(connection, path)?;
    Ok(replay)
}

pub(super) fn brakes(connection: &Connection, path: &Path) -> Result<Brakes, JournalError> {
    let wrong = |source| JournalError::Database { path: path.to_owned(), source };
    let query = "SELECT value FROM facts WHERE name = ?1";
    let text: Option<String> =
        connection.query_row(query, [BRAKES], |row| row.get(0)).optional().map_err(wrong)?;
    let unreadable = |source| JournalError::Brakes { path: path.to_owned(), source };
    text.map_or_else(|| Ok(Brakes::default()), |text| serde_json::from_str(&text).map_err(unreadable))
}

/// A decision as it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// What the job heard.
    pub news: String,
    /// The state it was in.
    pub state: String,
    /// The state that followed.
    pub becomes: String,
    /// What was to be done then.
    pub effect: Option<String>,
}

pub(super) fn told(connection: &Connection, ticket: &TicketId) -> rusqlite::Result<Vec<Told>> {
    let query = "SELECT at, news, state, becomes, effect FROM decisions WHERE ticket = ?1 ORDER BY id";
    let mut statement = connection.prepare(query)?;
    let rows = statement.query_map([ticket.as_str()], |row| {
        Ok(Told {
            at: Timestamp::from_micros(row.get(0)?),
            news: row.get(1)?,
            state: row.get(2)?,
            becomes: row.get(3)?,
            effect: row.get(4)?,
        })
    })?;
    rows.collect()
}

fn jobs(connection: &Connection) -> rusqlite::Result<Vec<(String, String, Timestamp)>> {
    let mut statement = connection.prepare("SELECT ticket, job, updated_at FROM jobs")?;
    let job = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, Timestamp::from_micros(row.get(2)?)));
    statement.query_map([], job)?.collect()
}

fn pairs(connection: &Connection, query: &str) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare(query)?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
