//! The one writer. What has queued up becomes one group: one transaction, one commit, and only then the answers. So many
//! callers share the cost of one flush to disk, and nobody is told of a change that a power cut could take back.
//!
//! ```text
//!   queue ─▶ BEGIN ─▶ script ─▶ script ─▶ … ─▶ settle ─▶ COMMIT ─▶ answers
//!                                                └─ what somebody left is refused ─▶ each alone
//! ```
//!
//! A script that only appends changes nothing before the group is settled; every other has a savepoint of its own.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use futures_util::FutureExt;
use rusqlite::Connection;

use crate::store::memory::{Memory, Moving, News};
use crate::store::script::{Job, Kind, Ran, Repeatable};
use crate::store::signals::Signals;
use crate::store::times::Times;
use crate::store::tx::Left;
use crate::store::{StoreError, StoreErrorKind, Tx};

/// Bounds how long the first of a group waits for its answer.
const LARGEST_GROUP: usize = 256;

/// Something to write.
pub(super) enum Work {
    /// In a group with others.
    Shared(Box<dyn Repeatable>),
    /// In a transaction of its own, because it cannot run again.
    Single(Box<dyn Job>),
}

/// The writer.
pub(super) struct Writer {
    connection: Connection,
    queue: Receiver<Work>,
    times: Times,
    signals: Arc<Signals>,
    memory: Memory,
    /// What comes next, before what has queued up.
    next: Option<Work>,
}

/// A script of a group, and why it is to be answered with an error, if it is.
type Member = (Box<dyn Repeatable>, Option<StoreError>);

/// What a transaction changes for others.
struct Changed {
    news: News,
    wakes: bool,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        queue: Receiver<Work>,
        times: Times,
        signals: Arc<Signals>,
        memory: Memory,
    ) -> Self {
        Self { connection, queue, times, signals, memory, next: None }
    }

    /// Writes until every sender is gone.
    pub(super) fn run(mut self) {
        while let Some(work) = self.next.take().or_else(|| self.queue.recv().ok()) {
            match work {
                Work::Shared(job) => self.write_group(job),
                Work::Single(mut job) => {
                    let written = self.write(|writer| writer.run_alone(&mut *job));
                    job.answer(written);
                }
            }
        }
    }

    fn write_group(&mut self, first: Box<dyn Repeatable>) {
        let mut group = vec![(first, None)];
        let written = self.write(|writer| writer.run_all(&mut group));
        let one_is_to_blame = written.as_ref().is_err_and(may_be_one_scripts) && group.len() > 1;
        for (mut job, failed) in group {
            let outcome = match failed {
                // Who it is shows when each runs alone.
                _ if one_is_to_blame => self.write(|writer| writer.run_alone(&mut *job)),
                Some(error) => Err(error),
                None => written.clone(),
            };
            job.answer(outcome);
        }
    }

    /// Makes the changes of a transaction and tells others of them. `body` may change its mind, and nothing is changed.
    fn write(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<Option<Changed>, StoreError>,
    ) -> Result<(), StoreError> {
        let writing = self.times.begin_write();
        let mut moving = None;
        let committed = self.commit(body, &mut moving);
        if !self.connection.is_autocommit() {
            // It changed its mind, or a BEGIN or COMMIT failed, which may leave the transaction open.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        // Before the times know that it is over: no later time goes with what was remembered before.
        drop(moving);
        drop(writing);
        if let Some(wakes) = committed? {
            self.signals.committed(wakes);
        }
        Ok(())
    }

    fn commit(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<Option<Changed>, StoreError>,
        moving: &mut Option<Moving>,
    ) -> Result<Option<bool>, StoreError> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let Some(Changed { news, wakes }) = body(self)? else { return Ok(None) };
        *moving = Some(self.memory.moving(news));
        self.connection.execute_batch("COMMIT")?;
        Ok(Some(wakes))
    }

    /// Runs the scripts of a group, and those that queue up meanwhile.
    fn run_all(&mut self, group: &mut Vec<Member>) -> Result<Option<Changed>, StoreError> {
        let (mut left, mut n) = (Left::default(), 0);
        while let Some((job, failed)) = group.get_mut(n) {
            match self.run_one(&mut **job)? {
                Ran::Stays(more) => left.extend(more),
                Ran::Refused => {}
                Ran::InTheWay(error) => *failed = Some(error),
            }
            n += 1;
            if group.len() < LARGEST_GROUP {
                group.extend(self.another().map(|job| (job, None)));
            }
        }
        let now = self.times.now();
        let mut end = Tx::sqlite(&mut self.connection, &self.times, now);
        end.take_over(left);
        let settled = end.settle().now_or_never().unwrap_or_else(|| Err(StoreError::waited()));
        let changed = Changed { wakes: end.wakes_deliveries(), news: end.news() };
        self.is_open()?;
        settled.map(|()| Some(changed))
    }

    /// Somebody who has queued up for a group.
    fn another(&mut self) -> Option<Box<dyn Repeatable>> {
        if self.next.is_none() {
            self.next = self.queue.try_recv().ok();
        }
        match self.next.take()? {
            Work::Shared(job) => Some(job),
            single => {
                self.next = Some(single);
                None
            }
        }
    }

    fn run_one(&mut self, job: &mut dyn Repeatable) -> Result<Ran, StoreError> {
        let savepoint = job.kind() != Kind::Append;
        if savepoint {
            self.say("SAVEPOINT script")?;
        }
        let mut tx = Tx::sqlite(&mut self.connection, &self.times, self.times.now());
        let ran = job.run_copy(&mut tx).now_or_never().unwrap_or_else(|| Ran::InTheWay(StoreError::waited()));
        self.is_open()?;
        if savepoint {
            if !matches!(ran, Ran::Stays(_)) {
                self.say("ROLLBACK TO script")?;
            }
            self.say("RELEASE script")?;
        }
        Ok(ran)
    }

    fn run_alone(&mut self, job: &mut dyn Job) -> Result<Option<Changed>, StoreError> {
        let mut tx = Tx::sqlite(&mut self.connection, &self.times, self.times.now());
        let stays = job.run(&mut tx);
        let changed = Changed { wakes: tx.wakes_deliveries(), news: tx.news() };
        self.is_open()?;
        Ok(stays.then_some(changed))
    }

    /// A full disk ends the whole transaction, and with it what the others of the group did.
    fn is_open(&self) -> Result<(), StoreError> {
        if !self.connection.is_autocommit() {
            return Ok(());
        }
        Err(StoreError::from(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
            Some("the transaction was ended by the database".to_owned()),
        )))
    }

    fn say(&mut self, words: &str) -> Result<(), StoreError> {
        Ok(self.connection.prepare_cached(words)?.raw_execute().map(|_| ())?)
    }
}

/// Whether what a group failed by may be the fault of one of its scripts.
fn may_be_one_scripts(error: &StoreError) -> bool {
    use StoreErrorKind::{Constraint, Duplicate, Failed, Unreadable};
    matches!(error.kind(), Constraint | Duplicate | Failed | Unreadable)
}
