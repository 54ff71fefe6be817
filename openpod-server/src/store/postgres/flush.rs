//! When commits are on disk.
//!
//! A group's commit does not wait for the disk: what it changed is visible at once, and its rows are free for the next
//! group while the disk works. Right behind the commit, on the same connection, goes a statement whose own commit waits
//! until everything before it is on disk, and with all that the database is configured to wait for. A database that went
//! down in between has ended the connection, so none says that it flushed what it lost.
//!
//! Nothing that rests on a commit leaves the process before that commit is on disk. A write waits for its own flush; a
//! read, and a write that was refused, wait for those that were outstanding when they had read. What is delivered was
//! leased by a write.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

/// The commits of this process that may not be on disk yet. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Flushes(Arc<watch::Sender<Outstanding>>);

#[derive(Debug, Default)]
struct Outstanding {
    begun: u64,
    numbers: BTreeSet<u64>,
}

/// A commit that may not be on disk, until this is dropped.
#[derive(Debug)]
pub(super) struct Flushing {
    flushes: Flushes,
    number: u64,
}

impl Flushes {
    /// Counts a commit as outstanding. To be called before it is sent, since it may be seen as soon as that happens.
    pub(super) fn begin(&self) -> Flushing {
        let mut number = 0;
        self.0.send_if_modified(|outstanding| {
            outstanding.begun += 1;
            number = outstanding.begun;
            outstanding.numbers.insert(number);
            false
        });
        Flushing { flushes: self.clone(), number }
    }

    /// Waits until what is outstanding now no longer is.
    pub(super) async fn over(&self) {
        let last = self.0.borrow().begun;
        let over = |outstanding: &Outstanding| outstanding.numbers.first().is_none_or(|first| *first > last);
        // It fails when the sender is gone, which is held here.
        let _ = self.0.subscribe().wait_for(over).await;
    }
}

impl Drop for Flushing {
    fn drop(&mut self) {
        self.flushes.0.send_modify(|outstanding| {
            outstanding.numbers.remove(&self.number);
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn who_has_read_waits_for_the_commits_that_may_have_been_seen_and_for_no_later_ones() {
        let flushes = Flushes::default();
        assert!(flushes.over().now_or_never().is_some());
        let (first, second) = (flushes.begin(), flushes.begin());
        let mut over = Box::pin(flushes.over());
        assert!((&mut over).now_or_never().is_none());
        let later = flushes.begin();
        drop(second);
        assert!((&mut over).now_or_never().is_none());
        drop(first);
        assert!((&mut over).now_or_never().is_some());
        assert!(flushes.over().now_or_never().is_none());
        drop(later);
        assert!(flushes.over().now_or_never().is_some());
    }
}
