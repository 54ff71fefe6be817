//! The one writer. What has queued up becomes one group: every script in a savepoint of its own, one commit for all,
//! and only then the answers. So many callers share the cost of one flush to disk, and nobody is told of a change that
//! a power cut could take back.

use std::sync::mpsc;

use rusqlite::Connection;

use crate::store::memory::{Memory, News};
use crate::store::script::Job;
use crate::store::signals::Signals;
use crate::store::times::Times;
use crate::store::{StoreError, Tx};

/// Bounds how long the first of a group waits for its answer.
const LARGEST_GROUP: usize = 256;

/// Writes until every sender is gone.
pub(super) fn run(
    mut connection: Connection,
    queue: &mpsc::Receiver<Box<dyn Job>>,
    times: &Times,
    signals: &Signals,
    memory: &Memory,
) {
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        let writing = times.begin_write();
        let committed = write_group(&mut connection, &mut group, queue, times, memory);
        if !connection.is_autocommit() {
            // A failed BEGIN or COMMIT may leave the transaction open.
            let _ = connection.execute_batch("ROLLBACK");
        }
        // Before the times know that it is over: no later time goes with what was remembered before.
        memory.moved();
        drop(writing);
        if let Ok(wakes) = committed {
            signals.committed(wakes);
        }
        let outcome = committed.map(|_| ());
        for job in group {
            job.answer(outcome.clone());
        }
    }
}

/// Runs a group in one transaction. Whether any of its scripts wrote into the outbox.
fn write_group(
    connection: &mut Connection,
    group: &mut Vec<Box<dyn Job>>,
    queue: &mpsc::Receiver<Box<dyn Job>>,
    times: &Times,
    memory: &Memory,
) -> Result<bool, StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut wakes = false;
    let mut news = News::default();
    let mut next = 0;
    while next < group.len() {
        wakes |= write_one(connection, &mut *group[next], times, &mut news)?;
        next += 1;
        if group.len() < LARGEST_GROUP
            && let Ok(job) = queue.try_recv()
        {
            group.push(job);
        }
    }
    memory.moving(news);
    connection.execute_batch("COMMIT")?;
    Ok(wakes)
}

fn write_one(
    connection: &mut Connection,
    job: &mut dyn Job,
    times: &Times,
    news: &mut News,
) -> Result<bool, StoreError> {
    connection.prepare_cached("SAVEPOINT script")?.raw_execute()?;
    let mut tx = Tx::sqlite(connection, times, times.now());
    let stays = job.run(&mut tx);
    let wakes = stays && tx.wakes_deliveries();
    let told = tx.into_news();
    if connection.is_autocommit() {
        // A full disk ends the whole transaction, and with it what the others of the group did.
        return Err(StoreError::from(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
            Some("the transaction was ended by the database".to_owned()),
        )));
    }
    if stays {
        news.extend(told);
    } else {
        connection.prepare_cached("ROLLBACK TO script")?.raw_execute()?;
    }
    connection.prepare_cached("RELEASE script")?.raw_execute()?;
    Ok(wakes)
}
