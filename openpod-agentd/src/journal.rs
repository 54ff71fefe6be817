//! What was decided, intended and done: SQLite in the data directory, read again at every start.
//!
//! | table | a row is | written |
//! |---|---|---|
//! | jobs | a job as it stands, as JSON with the version of its form | with each decision |
//! | intents | an effect with its key | opened before it is done, settled after |
//! | decisions | what a job heard and what followed | with each decision |
//! | applied | a position that was applied to | before the application is sent |
//! | facts | who we are, which webhook is ours; what was spent | when learnt; with each decision |
//!
//! What is over for long is forgotten: then the rows of its ticket go together.
//!
//! An intent that is open at a start may have been carried out or not; whoever takes it up again looks first.

mod entry;
mod replay;
mod writer;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use openpod_sdk::api::TicketId;

use crate::job::brakes::Books;

pub use entry::{Decision, Entry};
pub use replay::{Replay, Told};
pub use writer::Journal;

/// The version of the journal's form. A newer one is not touched.
const FORMAT: i64 = 2;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// SQLite's complaint.
    #[error("the journal {}: {source}", path.display())]
    Database { path: PathBuf, source: rusqlite::Error },
    /// Others could read it, or its own user could not.
    #[error("the journal {}: {source}", path.display())]
    Mode { path: PathBuf, source: std::io::Error },
    /// It was written by a newer daemon.
    #[error("the journal {} has format {found}, this version knows {FORMAT}; use the daemon that wrote it", path.display())]
    Newer { path: PathBuf, found: i64 },
    /// A job in it cannot be read.
    #[error("the journal {} holds a job that cannot be read, {ticket}: {source}", path.display())]
    Unreadable { path: PathBuf, ticket: String, source: serde_json::Error },
    /// What was spent cannot be read. Without it nobody knows what may be spent.
    #[error("the journal {} holds brakes that cannot be read: {source}", path.display())]
    Brakes { path: PathBuf, source: serde_json::Error },
    /// The thread that writes it is gone.
    #[error("the journal's writer has stopped")]
    Stopped,
}

/// Reads a journal without writing to it, while a daemon may be using it.
pub fn read(path: &Path) -> Result<Replay, JournalError> {
    replay::replay(&reader(path)?, path)
}

/// What the runs of an agent have spent, as far as its journal says; nothing when there is none.
pub fn books(path: &Path) -> Result<Books, JournalError> {
    if !path.exists() {
        return Ok(Books::default());
    }
    replay::brakes(&reader(path)?, path).map(|brakes| brakes.books())
}

/// What was decided about a ticket, the oldest first.
pub fn decisions(path: &Path, ticket: &TicketId) -> Result<Vec<Told>, JournalError> {
    let wrong = |source| JournalError::Database { path: path.to_owned(), source };
    replay::told(&reader(path)?, ticket).map_err(wrong)
}

fn reader(path: &Path) -> Result<rusqlite::Connection, JournalError> {
    let wrong = |source| JournalError::Database { path: path.to_owned(), source };
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(path, flags).map_err(wrong)?;
    check_format(&connection, path)?;
    Ok(connection)
}

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS jobs (
        ticket TEXT PRIMARY KEY, job TEXT NOT NULL, is_open INTEGER NOT NULL, updated_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS intents (
        key TEXT PRIMARY KEY, opened_at INTEGER NOT NULL, settled_at INTEGER, tries INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS decisions (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, ticket TEXT NOT NULL, news TEXT NOT NULL,
        state TEXT NOT NULL, becomes TEXT NOT NULL, effect TEXT
    ) STRICT;
    CREATE INDEX IF NOT EXISTS decisions_of_a_ticket ON decisions (ticket, id);
    CREATE TABLE IF NOT EXISTS applied (position TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT;
";

fn connect(path: &Path) -> Result<rusqlite::Connection, JournalError> {
    let wrong = |source| JournalError::Database { path: path.to_owned(), source };
    let connection = rusqlite::Connection::open(path).map_err(wrong)?;
    // Its write-ahead log gets the same mode.
    let private = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
    private.map_err(|source| JournalError::Mode { path: path.to_owned(), source })?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(wrong)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(wrong)?;
    connection.pragma_update(None, "busy_timeout", 5000).map_err(wrong)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(wrong)?;
    if found > FORMAT {
        return Err(JournalError::Newer { path: path.to_owned(), found });
    }
    connection.execute_batch(SCHEMA).map_err(wrong)?;
    connection.pragma_update(None, "user_version", FORMAT).map_err(wrong)?;
    Ok(connection)
}

fn check_format(connection: &rusqlite::Connection, path: &Path) -> Result<(), JournalError> {
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|source| JournalError::Database { path: path.to_owned(), source })?;
    if found > FORMAT { Err(JournalError::Newer { path: path.to_owned(), found }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use openpod_sdk::api::Timestamp;

    use super::*;
    use crate::job::{Candidate, Job, State};

    fn job(id: &str) -> Job {
        let candidate =
            Candidate { number: 5, title: "Fix it".into(), version: Some(1), ..Candidate::of_tests(id) };
        Job::new(candidate, "openpod/", Timestamp::from_micros(7))
    }

    #[tokio::test]
    async fn a_journal_that_is_opened_again_knows_what_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        let (journal, replay) = Journal::open(&path).unwrap();
        assert!(replay.jobs.is_empty() && replay.applied.is_empty());
        let mut running = job("a");
        running.state = State::Running {
            attempt: 1,
            started_at: Timestamp::from_micros(9),
            allowance: Default::default(),
        };
        let at = Timestamp::from_micros(10);
        journal
            .write(vec![
                Entry::Job(Box::new(running.clone()), at),
                Entry::Job(Box::new(job("b")), at),
                Entry::Applied("position".into(), at),
                Entry::Fact("me", "{}".into()),
            ])
            .await
            .unwrap();
        drop(journal);
        let (_journal, replay) = Journal::open(&path).unwrap();
        assert_eq!(replay.jobs.values().cloned().collect::<Vec<_>>(), [running, job("b")]);
        assert!(replay.applied.contains(&"position".into()));
        assert_eq!(replay.facts["me"], "{}");
    }

    #[tokio::test]
    async fn an_intent_that_was_opened_before_is_taken_up_with_doubt() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        let at = Timestamp::from_micros(1);
        let open = || vec![Entry::Opened("a/r1/a0/claim".into(), at)];
        let (journal, _) = Journal::open(&path).unwrap();
        assert!(!journal.write(open()).await.unwrap());
        drop(journal);
        let (journal, replay) = Journal::open(&path).unwrap();
        assert_eq!(replay.open_intents, ["a/r1/a0/claim"]);
        assert!(journal.write(open()).await.unwrap(), "it was left open");
        journal.write(vec![Entry::Settled("a/r1/a0/claim".into(), at)]).await.unwrap();
        assert!(journal.write(open()).await.unwrap(), "it was done before");
    }

    #[tokio::test]
    async fn what_is_forgotten_leaves_no_row_and_takes_none_of_another_along() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        let at = Timestamp::from_micros(1);
        let (journal, _) = Journal::open(&path).unwrap();
        for ticket in ["a", "a0", "a/b", "b"] {
            let decision = Decision {
                at,
                ticket: ticket.into(),
                news: "due".into(),
                state: "wanted",
                becomes: "wanted",
                effect: None,
            };
            let opened = Entry::Opened(format!("{ticket}/r1/a0/claim"), at);
            let job = Entry::Job(Box::new(job(ticket)), at);
            journal.write(vec![job, opened, Entry::Decided(decision)]).await.unwrap();
        }
        journal.write(vec![Entry::Forgotten("b".into()), Entry::Forgotten("a0".into())]).await.unwrap();
        drop(journal);
        let (_journal, replay) = Journal::open(&path).unwrap();
        assert_eq!(replay.jobs.keys().map(TicketId::as_str).collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(replay.open_intents, ["a/b/r1/a0/claim", "a/r1/a0/claim"]);
        let left = |ticket: &str| decisions(&path, &ticket.into()).unwrap().len();
        assert_eq!(["a", "a0", "a/b", "b"].map(left), [1, 0, 1, 0]);
    }

    #[tokio::test]
    async fn what_is_noted_is_written_in_its_turn() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        let at = Timestamp::from_micros(1);
        let (journal, _) = Journal::open(&path).unwrap();
        journal.note(vec![Entry::Opened("a/r1/a0/prepare".into(), at)]).unwrap();
        journal.note(vec![Entry::Settled("a/r1/a0/prepare".into(), at)]).unwrap();
        let again = journal.write(vec![Entry::Opened("a/r1/a0/prepare".into(), at)]).await.unwrap();
        assert!(again, "the notes were written before");
        journal.note(vec![Entry::Fact("me", "{}".into())]).unwrap();
        let closed = journal.closed();
        drop(journal);
        closed.cancelled().await;
        assert_eq!(read(&path).unwrap().facts["me"], "{}", "nothing is noted in vain");
    }

    #[tokio::test]
    async fn a_note_that_cannot_be_written_is_told_with_the_next_write_which_does_not_happen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        let (journal, _) = Journal::open(&path).unwrap();
        rusqlite::Connection::open(&path).unwrap().execute_batch("ALTER TABLE facts RENAME TO lost").unwrap();
        journal.note(vec![Entry::Fact("me", "{}".into())]).unwrap();
        let at = Timestamp::from_micros(1);
        let told = journal.write(vec![Entry::Opened("a/r1/a1/run".into(), at)]).await;
        assert!(told.unwrap_err().to_string().contains("no such table: facts"));
        assert_eq!(read_intents(&path), Vec::<String>::new());
    }

    fn read_intents(path: &Path) -> Vec<String> {
        let connection = rusqlite::Connection::open(path).unwrap();
        let mut keys = connection.prepare("SELECT key FROM intents").unwrap();
        keys.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[tokio::test]
    async fn a_journal_of_a_newer_daemon_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        drop(Journal::open(&path).unwrap());
        rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 3).unwrap();
        let refused = Journal::open(&path).err().unwrap().to_string();
        assert!(
            refused.ends_with("has format 3, this version knows 2; use the daemon that wrote it"),
            "{refused}"
        );
    }
}
