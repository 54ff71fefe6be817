//! Whose time comes first: a write that a read did not see is never dated before that read. This is for the writes of
//! one process; those of several are put in order by their database.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openpod_sdk::api::Timestamp;

use super::Sources;
use crate::ids::Sequence;

/// The times of transactions. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Times(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sources: Sources,
    ids: Sequence,
    /// When those began that are being written.
    writing: Mutex<Begun>,
}

#[derive(Debug, Default)]
struct Begun {
    since: BTreeSet<(Timestamp, u64)>,
    count: u64,
}

/// A write in progress, until this is dropped.
#[derive(Debug)]
pub(super) struct Writing {
    times: Times,
    begun: (Timestamp, u64),
}

impl Times {
    pub(super) fn new(sources: Sources) -> Self {
        Self(Arc::new(Inner { sources, ids: Sequence::default(), writing: Mutex::default() }))
    }

    pub(super) fn sources(&self) -> &Sources {
        &self.0.sources
    }

    pub(super) fn ids(&self) -> &Sequence {
        &self.0.ids
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.sources.clock.now()
    }

    pub(super) fn begin_write(&self) -> Writing {
        let mut writing = self.lock();
        writing.count += 1;
        let begun = (self.now(), writing.count);
        writing.since.insert(begun);
        Writing { times: self.clone(), begun }
    }

    /// The time of a read that begins afterwards. Lock and clock are taken together: a write that began before is
    /// known, and one that begins later has a later time.
    pub(super) fn of_read(&self) -> Timestamp {
        let writing = self.lock();
        let now = self.now();
        writing.since.first().map_or(now, |(since, _)| now.min(*since))
    }

    fn lock(&self) -> MutexGuard<'_, Begun> {
        self.0.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writing {
    /// When it began.
    pub(super) fn since(&self) -> Timestamp {
        self.begun.0
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.times.lock().since.remove(&self.begun);
    }
}
