//! What a commit tells those who wait.

use tokio::sync::{Notify, watch};

/// What a commit tells those who wait, in this process.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Something was written into the outbox.
    deliveries: Notify,
    /// How many commits there were.
    commits: watch::Sender<u64>,
}

impl Signals {
    /// Something was committed; `wakes` when the outbox was written.
    pub(super) fn committed(&self, wakes: bool) {
        if wakes {
            self.deliveries.notify_one();
        }
        self.commits.send_modify(|commits| *commits += 1);
    }

    pub(super) async fn new_deliveries(&self) {
        self.deliveries.notified().await;
    }

    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }
}
