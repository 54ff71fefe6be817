//! Reader threads: each script sees one snapshot.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use rusqlite::Connection;

use crate::store::script::Job;
use crate::store::times::Times;
use crate::store::{StoreError, Tx};

/// The queue that the readers share.
#[derive(Clone)]
pub(super) struct Queue(Arc<Mutex<mpsc::Receiver<Box<dyn Job>>>>);

impl Queue {
    pub(super) fn new(receiver: mpsc::Receiver<Box<dyn Job>>) -> Self {
        Self(Arc::new(Mutex::new(receiver)))
    }

    fn next(&self) -> Option<Box<dyn Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }
}

/// Reads until every sender is gone.
pub(super) fn run(mut connection: Connection, queue: &Queue, times: &Times, walked: &AtomicU64) {
    while let Some(mut job) = queue.next() {
        let read = read(&mut connection, &mut *job, times, walked);
        job.answer(read.map_err(StoreError::from));
    }
}

fn read(
    connection: &mut Connection,
    job: &mut dyn Job,
    times: &Times,
    walked: &AtomicU64,
) -> rusqlite::Result<()> {
    let now = times.of_read();
    connection.prepare_cached("BEGIN")?.raw_execute()?;
    let mut tx = Tx::sqlite(connection, times, now);
    job.run(&mut tx);
    walked.fetch_add(tx.walked(), Ordering::Relaxed);
    drop(tx);
    connection.prepare_cached("ROLLBACK")?.raw_execute().map(|_| ())
}
