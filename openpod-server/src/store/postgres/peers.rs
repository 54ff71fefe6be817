//! Telling the other processes of commits, and hearing of theirs, by one connection.
//!
//! The word goes out after the commit and for many commits at once. In the transaction itself it would make all commits
//! queue up for one lock while each is written to disk. So a process that dies right after a commit may not have told
//! of it: who waits looks by itself now and then, as it must when the connection is down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Error};

use super::tls::{Messages, Tls};
use crate::store::location::Address;
use crate::store::signals::Signals;

const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How they are told.
pub(super) const TELL: &str = "SELECT pg_notify('openpod', $1)";

/// What a command tells, that does not wait for its own line. No process has this name.
pub(super) const WORD_OF_A_COMMAND: &str = "command deliveries";

/// The other processes on the same database.
#[derive(Debug)]
pub(super) struct Peers {
    news: Arc<News>,
    task: JoinHandle<()>,
}

/// What they were not yet told.
#[derive(Debug, Default)]
struct News {
    any: Notify,
    wakes: AtomicBool,
}

struct Line {
    address: Address,
    tls: Tls,
    /// Tells our own words from those of others.
    name: String,
    news: Arc<News>,
    signals: Arc<Signals>,
}

impl Peers {
    pub(super) fn start(address: Address, tls: Tls, name: String, signals: Arc<Signals>) -> Self {
        let news = Arc::new(News::default());
        let line = Line { address, tls, name, news: Arc::clone(&news), signals };
        Self { news, task: tokio::spawn(line.keep()) }
    }

    /// Something was committed here; `wakes` when the outbox was written.
    pub(super) fn tell(&self, wakes: bool) {
        self.news.wakes.fetch_or(wakes, Ordering::Relaxed);
        self.news.any.notify_one();
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    /// Listens and tells, and connects again when the connection is lost.
    async fn keep(self) {
        loop {
            if let Err(error) = self.hold().await {
                tracing::warn!(%error, "the database does not tell what other processes do; connecting again");
            }
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }

    async fn hold(&self) -> Result<(), Error> {
        let mut config = self.address.config().clone();
        config.application_name("openpod-server listener");
        let (client, messages) = self.tls.connect(&config).await?;
        tokio::select! {
            heard = self.hear(messages) => heard,
            told = self.tell(client) => told,
        }
    }

    async fn tell(&self, client: Client) -> Result<(), Error> {
        client.batch_execute("LISTEN openpod").await?;
        // What happened while nobody listened.
        self.signals.committed(true);
        loop {
            self.news.any.notified().await;
            let what = if self.news.wakes.swap(false, Ordering::Relaxed) { "deliveries" } else { "commits" };
            let word = format!("{} {what}", self.name);
            client.execute(TELL, &[&word]).await?;
        }
    }

    async fn hear(&self, mut messages: Messages) -> Result<(), Error> {
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(notification) = message?
                && let Some((name, what)) = notification.payload().split_once(' ')
                && name != self.name
            {
                self.signals.committed(what == "deliveries");
            }
        }
        Ok(())
    }
}
