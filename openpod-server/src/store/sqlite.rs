//! SQLite: several readers, one writer that commits in groups.

mod backup;
pub(super) mod claim;
mod connection;
mod readers;
pub(super) mod statement;
pub(super) mod visit;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use futures_util::future::BoxFuture;
use openpod_sdk::api::Timestamp;

use super::error::OpenError;
use super::memory::Memory;
use super::script::{Job, Kind, deliver};
use super::signals::Signals;
use super::times::Times;
use super::{Opening, Sources, StoreError, Tx, migrations};
pub(super) use backup::settle;
use connection::Place;
use writer::{Work, Writer};

const READERS: usize = 4;

/// The threads of one database file.
#[derive(Debug)]
pub(super) struct Engine {
    place: Place,
    reads: Option<mpsc::Sender<Box<dyn Job>>>,
    writes: Option<mpsc::Sender<Work>>,
    threads: Vec<thread::JoinHandle<()>>,
    times: Times,
    walked: Arc<AtomicU64>,
}

impl Engine {
    /// Opens the file, or a memory when there is none, migrates it and starts the threads. With the engine come the steps
    /// that were taken. `signals` are given after each commit, and `memory` forgets
    /// what each commit changes.
    pub(super) fn open(
        file: Option<&Path>,
        sources: &Sources,
        signals: Arc<Signals>,
        memory: Memory,
        opening: Opening<'_>,
    ) -> Result<(Self, Vec<&'static str>), OpenError> {
        let place = match (file, opening.steps) {
            (None, _) => Place::memory(),
            (Some(file), Some(_)) => {
                claim::is_local(file)?;
                Place::file(file)
            }
            (Some(file), None) => Place::file_as_it_is(file),
        };
        let mut writer = place.connect_to_write()?;
        let shared = file.filter(|_| !opening.alone);
        let migrated = match opening.steps {
            Some(steps) => migrations::migrate(&mut writer, steps, shared)?,
            None => Vec::new(),
        };
        let mut threads = Vec::new();
        let mut start = |name: String, body: Box<dyn FnOnce() + Send>| {
            let thread = thread::Builder::new().name(name).spawn(body).map_err(OpenError::Thread)?;
            threads.push(thread);
            Ok::<(), OpenError>(())
        };
        let times = Times::new(sources.clone());
        let walked = Arc::new(AtomicU64::new(0));
        let (reads, queue) = mpsc::channel();
        let queue = readers::Queue::new(queue);
        for n in 0..READERS {
            let (connection, queue, times) = (place.connect_to_read()?, queue.clone(), times.clone());
            let walked = Arc::clone(&walked);
            let read = move || readers::run(connection, &queue, &times, &walked);
            start(format!("db-read-{n}"), Box::new(read))?;
        }
        let (writes, queue) = mpsc::channel();
        let writer = Writer::new(writer, queue, times.clone(), signals, memory);
        start("db-write".to_owned(), Box::new(move || writer.run()))?;
        let (reads, writes) = (Some(reads), Some(writes));
        Ok((Self { place, reads, writes, threads, times, walked }, migrated))
    }

    /// Writes all that is committed into a new file, while others go on reading and writing.
    pub(super) fn save(&self, file: &Path) -> Result<(), StoreError> {
        let connection = self.place.connect().map_err(|error| StoreError::unreadable(error.to_string()))?;
        backup::save(&connection, file)
    }

    /// The time of a look at what is remembered, to be taken before it.
    pub(super) fn time_of_look(&self) -> Timestamp {
        self.times.of_read()
    }

    /// How many rows the queries of reads stepped over because no index leads to what they look for.
    pub(super) fn walked(&self) -> u64 {
        self.walked.load(Ordering::Relaxed)
    }

    pub(super) async fn read<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        deliver(Kind::Any, script, |job| self.reads.as_ref().is_some_and(|queue| queue.send(job).is_ok()))
            .await
    }

    pub(super) async fn write<T, E, S>(&self, kind: Kind, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        deliver(kind, script, |job| self.submit(Work::Shared(job))).await
    }

    /// The same for a script that cannot be run again.
    pub(super) async fn write_once<T, E, S>(&self, script: S) -> Result<T, E>
    where
        S: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        deliver(Kind::Any, script, |job| self.submit(Work::Single(job))).await
    }

    fn submit(&self, work: Work) -> bool {
        self.writes.as_ref().is_some_and(|queue| queue.send(work).is_ok())
    }
}

impl Drop for Engine {
    /// Lets the threads finish what has queued up. When it returns, the file is closed.
    fn drop(&mut self) {
        (self.reads, self.writes) = (None, None);
        for thread in self.threads.drain(..) {
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
