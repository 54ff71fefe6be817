//! Writes go through a lane, and through a few when it has more than it can take. A lane takes what has queued up as one
//! [`group`](super::group): one transaction for all, one commit, and only when it is on disk the answers. So many callers
//! share what a transaction costs, and the rows that many of them change, those of webhooks and agents, are changed once
//! for all.
//!
//! ```text
//!   queue ─▶ lane ─▶ group ─▶ COMMIT ─▶ next group
//!                      │         └─▶ flush ─▶ answers
//!                      └─ others were in a script's way ─▶ alone, a few times
//! ```
//!
//! Lanes and their connections are on a thread of their own: what a script and its connection tell each other, several
//! times for each statement, then wakes no other thread.
//!
//! Whoever comes while a group is under way waits for the next, so that no write has an earlier time than its call.
//!
//! A group holds what any of its scripts holds, in no order, and keeps all of them waiting when one waits. So a script
//! that finds held what it wants gives up after a moment, and runs again alone, where it waits as long as it takes. What
//! is settled last is settled in order, and waits for others who settle.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use tokio::runtime::{self, Handle};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::Engine;
use super::group::{Waits, Written, write};
use super::retry::{Failure, Tries};
use crate::store::StoreError;
use crate::store::script::Repeatable;

/// How many groups are written at once, at most. What groups do at the same time they often do to the same rows, and wait
/// for each other: so a further lane opens only where a whole group waits, as it does when the database is far away.
const LANES: usize = 4;

/// How many scripts a group has at most: it bounds how long the first waits for its answer.
const LARGEST_GROUP: usize = 64;

/// How many groups are on their way to disk at once, at most. While the disk works for some, the next is written.
const FLUSHES: usize = 4;

/// The lanes of one process. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Lanes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    thread: Handle,
    /// Dropped, it ends the thread.
    _open: oneshot::Sender<()>,
    inner: Mutex<Inner>,
    /// Places for groups that are not on disk yet.
    flushing: Arc<Semaphore>,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Box<dyn Repeatable>>,
    open: usize,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { waiting, open } = self;
        f.debug_struct("Inner").field("waiting", &waiting.len()).field("open", open).finish()
    }
}

impl Lanes {
    /// Starts their thread. It ends with the last clone.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (thread, (open, ended)) = (runtime.handle().clone(), oneshot::channel::<()>());
        std::thread::Builder::new().name("writer".to_owned()).spawn(move || runtime.block_on(ended))?;
        let flushing = Arc::new(Semaphore::new(FLUSHES));
        Ok(Self(Arc::new(Shared { thread, _open: open, inner: Mutex::default(), flushing })))
    }

    /// Runs something on their thread, to its end also if nobody waits for it.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.0.thread.spawn(work)
    }

    /// Queues a script up. It runs in a task of its lane's, so that a caller who leaves does not cut off what was begun.
    pub(super) fn submit(&self, engine: &Engine, job: Box<dyn Repeatable>) {
        let opens = {
            let mut inner = self.lock();
            inner.waiting.push_back(job);
            let opens = inner.open == 0 || inner.open < LANES && inner.waiting.len() >= LARGEST_GROUP;
            inner.open += usize::from(opens);
            opens
        };
        if opens {
            let lane = Lane { lanes: self.clone(), closed: false };
            self.run(lane.run(engine.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them, open while something waits. It is closed however it ends.
struct Lane {
    lanes: Lanes,
    closed: bool,
}

impl Lane {
    async fn run(mut self, engine: Engine) {
        loop {
            let place = Arc::clone(&self.lanes.0.flushing).acquire_owned().await;
            let Some(mut group) = self.next() else { break };
            let written = write(&engine, &mut group, Waits::AMoment).await;
            tokio::spawn(answer(engine.clone(), group, written).map(|()| drop(place)));
        }
    }

    /// What has queued up; nothing closes the lane, and so does less than a group that another lane will take.
    fn next(&mut self) -> Option<Vec<Box<dyn Repeatable>>> {
        let mut inner = self.lanes.lock();
        let count = inner.waiting.len().min(LARGEST_GROUP);
        self.closed = count == 0 || inner.open > 1 && count < LARGEST_GROUP;
        inner.open -= usize::from(self.closed);
        (!self.closed).then(|| inner.waiting.drain(..count).collect())
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if !self.closed {
            self.lanes.lock().open -= 1;
        }
    }
}

/// What becomes of a script whose group is over.
#[derive(Clone)]
enum Fate {
    Over(Result<(), StoreError>),
    Again(StoreError),
}

/// The fates of so many scripts of a group, in order, when it is on disk.
async fn fates(written: Result<Written, Failure>, count: usize) -> Vec<Fate> {
    let flushed = async {
        let Written { in_the_way, flushed } = written?;
        flushed.await.map_err(Failure::after_commit)?;
        Ok(in_the_way)
    };
    match flushed.await {
        Ok(in_the_way) => {
            in_the_way.into_iter().map(|error| error.map_or(Fate::Over(Ok(())), Fate::Again)).collect()
        }
        Err(Failure { error, may_pass: true }) => vec![Fate::Again(error); count],
        Err(Failure { error, .. }) => vec![Fate::Over(Err(error)); count],
    }
}

/// Answers the callers of a group, except those whose scripts run again.
async fn answer(engine: Engine, group: Vec<Box<dyn Repeatable>>, written: Result<Written, Failure>) {
    let fates = fates(written, group.len()).await;
    for (job, fate) in group.into_iter().zip(fates) {
        match fate {
            Fate::Over(outcome) => job.answer(outcome),
            Fate::Again(error) => drop(tokio::spawn(alone(engine.clone(), job, error))),
        }
    }
}

/// Runs a script again that others were in the way of, a few times.
async fn alone(engine: Engine, job: Box<dyn Repeatable>, mut last: StoreError) {
    let mut tries = Tries::new(Arc::clone(&engine.times.sources().randomness));
    let mut group = [job];
    while tries.again().await {
        let written = write(&engine, &mut group, Waits::AsLongAsItTakes).await;
        match fates(written, group.len()).await.pop() {
            Some(Fate::Again(error)) => last = error,
            Some(Fate::Over(outcome)) => {
                return group.into_iter().for_each(|job| job.answer(outcome.clone()));
            }
            None => break,
        }
    }
    group.into_iter().for_each(|job| job.answer(Err(last.clone())));
}
