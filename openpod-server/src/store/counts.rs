//! How many transactions there were.

use std::sync::atomic::{AtomicU64, Ordering};

/// They are counted when they begin.
#[derive(Debug, Default)]
pub(super) struct Counters {
    reads: AtomicU64,
    writes: AtomicU64,
}

/// What was done since the store was opened: how many transactions, those that failed among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
    /// Rows that queries of reads stepped over because no index leads to what they look for. Always 0 on PostgreSQL,
    /// which does not tell.
    pub walked: u64,
}

impl Counters {
    pub(super) fn read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn write(&self) {
        self.writes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn with(&self, walked: u64) -> Counts {
        let (reads, writes) = (self.reads.load(Ordering::Relaxed), self.writes.load(Ordering::Relaxed));
        Counts { reads, writes, walked }
    }
}
