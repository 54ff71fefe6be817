//! The one thread that writes the journal.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::replay::{BRAKES, replay};
use super::{Entry, JournalError, Replay, connect};
use crate::crash;

/// The journal. Clones write to the same one; it is closed when the last is gone.
#[derive(Debug, Clone)]
pub struct Journal {
    commands: mpsc::Sender<Command>,
    closed: CancellationToken,
}

struct Command {
    entries: Vec<Entry>,
    /// Who waits until it is durable, if anybody does.
    answer: Option<oneshot::Sender<Result<bool, JournalError>>>,
}

impl Journal {
    /// Opens the journal, makes it if it is not there, and reads what it knows.
    pub fn open(path: &Path) -> Result<(Journal, Replay), JournalError> {
        let connection = connect(path)?;
        let known = replay(&connection, path)?;
        let (commands, queue) = mpsc::channel();
        let writer = Writer { connection, path: path.to_owned(), waits: true, broken: None };
        let closed = CancellationToken::new();
        let closing = closed.clone();
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || {
                writer.run(&queue);
                closing.cancel();
            })
            .map_err(|_| JournalError::Stopped)?;
        Ok((Journal { commands, closed }, known))
    }

    /// Cancelled when the last clone is gone and the file is closed.
    pub fn closed(&self) -> CancellationToken {
        self.closed.clone()
    }

    /// Writes entries in one transaction and returns when they are durable. Answers whether one of the intents that
    /// they open was opened before, so that it may have been carried out already.
    pub async fn write(&self, entries: Vec<Entry>) -> Result<bool, JournalError> {
        let (answer, written) = oneshot::channel();
        let command = Command { entries, answer: Some(answer) };
        self.commands.send(command).map_err(|_| JournalError::Stopped)?;
        written.await.map_err(|_| JournalError::Stopped)?
    }

    /// Writes entries in one transaction, after everything before them, and waits for nothing. They are durable when
    /// the next [`Self::write`] is; should the machine lose its power before, they were never written, like all that
    /// came after them. When they cannot be written, the next [`Self::write`] says so.
    pub fn note(&self, entries: Vec<Entry>) -> Result<(), JournalError> {
        self.commands.send(Command { entries, answer: None }).map_err(|_| JournalError::Stopped)
    }
}

struct Writer {
    connection: Connection,
    path: PathBuf,
    /// Whether a commit waits for the disk now.
    waits: bool,
    /// Why notes were not written. Nothing is written after them.
    broken: Option<rusqlite::Error>,
}

impl Writer {
    fn run(mut self, queue: &mpsc::Receiver<Command>) {
        while let Ok(Command { entries, answer }) = queue.recv() {
            let result = match self.broken.take() {
                None => self.write(&entries, answer.is_some()),
                Some(error) => Err(error),
            };
            match (answer, result) {
                (Some(answer), result) => {
                    let path = || self.path.clone();
                    let result = result.map_err(|source| JournalError::Database { path: path(), source });
                    // Whoever asked may be gone; what was written stays written.
                    let _ = answer.send(result);
                }
                (None, result) => self.broken = result.err(),
            }
        }
    }

    fn write(&mut self, entries: &[Entry], waits: bool) -> rusqlite::Result<bool> {
        crash::point("journal/unwritten");
        if self.waits != waits {
            let name = if waits { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", name)?;
            self.waits = waits;
        }
        let transaction = self.connection.transaction()?;
        let mut again = false;
        for entry in entries {
            again |= put(&transaction, entry)?;
        }
        crash::point("journal/uncommitted");
        transaction.commit()?;
        crash::point("journal/committed");
        Ok(again)
    }
}

/// Writes one entry. Answers whether it opens an intent that was opened before.
fn put(transaction: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<bool> {
    match entry {
        Entry::Job(job, at) => {
            let text = serde_json::to_string(job)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            transaction
                .prepare_cached(
                    "INSERT INTO jobs VALUES (?1, ?2, ?3, ?4) ON CONFLICT (ticket) DO UPDATE
                     SET job = excluded.job, is_open = excluded.is_open, updated_at = excluded.updated_at",
                )?
                .execute(params![job.ticket.as_str(), text, job.is_open(), at.as_micros()])?;
        }
        Entry::Opened(key, at) => {
            let tries: Option<i64> = transaction
                .prepare_cached(
                    "INSERT INTO intents VALUES (?1, ?2, NULL, 1) ON CONFLICT (key) DO UPDATE
                     SET settled_at = NULL, tries = tries + 1 RETURNING tries",
                )?
                .query_row(params![key, at.as_micros()], |row| row.get(0))
                .optional()?;
            return Ok(tries.is_some_and(|tries| tries > 1));
        }
        Entry::Settled(key, at) => {
            transaction
                .prepare_cached("UPDATE intents SET settled_at = ?2 WHERE key = ?1")?
                .execute(params![key, at.as_micros()])?;
        }
        Entry::Decided(decision) => {
            transaction
                .prepare_cached(
                    "INSERT INTO decisions (at, ticket, news, state, becomes, effect) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    decision.at.as_micros(),
                    decision.ticket.as_str(),
                    decision.news,
                    decision.state,
                    decision.becomes,
                    decision.effect,
                ])?;
        }
        Entry::Applied(position, at) => {
            transaction
                .prepare_cached("INSERT INTO applied VALUES (?1, ?2) ON CONFLICT (position) DO NOTHING")?
                .execute(params![position.as_str(), at.as_micros()])?;
        }
        Entry::Brakes(brakes) => {
            let text = serde_json::to_string(brakes)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            put_fact(transaction, BRAKES, &text)?;
        }
        Entry::Forgotten(ticket) => forget(transaction, ticket.as_str())?,
        Entry::Fact(name, value) => put_fact(transaction, name, value)?,
    }
    Ok(false)
}

fn forget(transaction: &Transaction<'_>, ticket: &str) -> rusqlite::Result<()> {
    for all in [
        "DELETE FROM jobs WHERE ticket = ?1",
        "DELETE FROM decisions WHERE ticket = ?1",
        // Keys begin with the ticket and a slash; the character after a slash is 0.
        "DELETE FROM intents WHERE key >= ?1 || '/' AND key < ?1 || '0'",
    ] {
        transaction.prepare_cached(all)?.execute([ticket])?;
    }
    Ok(())
}

fn put_fact(transaction: &Transaction<'_>, name: &str, value: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO facts VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![name, value])?;
    Ok(())
}
