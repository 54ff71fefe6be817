//! Whose time comes first: a write that a read did not see is never dated before that read.

use std::sync::{Arc, Mutex, PoisonError};

use openpod_sdk::api::Timestamp;

use crate::ids::Sequence;
use crate::store::Sources;

/// The times of transactions. Clones share them.
#[derive(Clone)]
pub(super) struct Times(Arc<Inner>);

struct Inner {
    sources: Sources,
    ids: Sequence,
    /// When the group began that is being written.
    writing_since: Mutex<Option<Timestamp>>,
}

impl Times {
    pub(super) fn new(sources: Sources) -> Self {
        Self(Arc::new(Inner { sources, ids: Sequence::default(), writing_since: Mutex::new(None) }))
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

    pub(super) fn begin_write(&self) {
        let mut since = self.lock();
        *since = Some(self.now());
    }

    pub(super) fn end_write(&self) {
        *self.lock() = None;
    }

    /// The time of a read that begins afterwards. Lock and clock are taken together: a group that began before is
    /// known, and one that begins later has a later time.
    pub(super) fn of_read(&self) -> Timestamp {
        let since = self.lock();
        let now = self.now();
        since.map_or(now, |since| since.min(now))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Timestamp>> {
        self.0.writing_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
