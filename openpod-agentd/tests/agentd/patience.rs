//! What hangs fails. Nothing here takes long, so what has not ended by then never will, and should say what it was.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use tokio::sync::oneshot;

/// A test that waits longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What it comes to; what would wait for ever fails instead. The time is the machine's: a test's own may stand still.
pub(crate) async fn ends<T>(what: &str, story: impl Future<Output = T>) -> T {
    let (over, is_over) = oneshot::channel();
    let (_waits, waits) = channel::<()>();
    std::thread::spawn(move || {
        if waits.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            // It may have ended at this very moment.
            let _ = over.send(());
        }
    });
    tokio::select! {
        // First, since a story that is always ready for more would not let it have a turn.
        biased;
        Ok(()) = is_over => panic!("this hangs: {what}"),
        ended = story => ended,
    }
}
