//! What hangs fails. No story here takes long, so one that has not ended by then never will, and should say which it was.

use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// What it comes to; a test that would wait for ever fails instead.
pub(crate) async fn ends<T>(what: &str, story: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(PATIENCE, story).await;
    ended.unwrap_or_else(|_| panic!("this hangs: {what}"))
}
