//! Telling the other processes of commits, and hearing of theirs, by one connection.
//!
//! ```text
//!   voice ─▶ NOTIFY ─▶ the other processes ─▶ take in ─▶ signals: something was committed
//!                                                    ├─▶ memory: something is about to be, or is no longer
//!                                                    └─▶ those who wait for an answer
//!   a server also keeps its lease by it
//! ```
//!
//! That something was committed is told after the commit and for many commits at once. In the transaction itself it would
//! make all commits queue up for one lock while each is written to disk. So a process that dies right after a commit may
//! not have told of it: who waits looks by itself now and then, as it must when the connection is down.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_postgres::{AsyncMessage, Client, Error};

use super::consent::Waiting;
use super::lease::{self, Remembers};
use super::tls::{Messages, Tls};
use super::voice::{SAY, Voice, Words};
use super::words::{Message, Word};
use crate::store::location::Address;
use crate::store::memory::News;
use crate::store::signals::Signals;

const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The other processes on the same database.
#[derive(Debug)]
pub(super) struct Peers(JoinHandle<()>);

/// One end of the connection.
pub(super) struct Line {
    pub(super) address: Address,
    pub(super) tls: Tls,
    pub(super) voice: Voice,
    pub(super) signals: Arc<Signals>,
    pub(super) waiting: Arc<Waiting>,
    /// `None` for a command.
    pub(super) remembers: Option<Remembers>,
}

impl Peers {
    pub(super) fn start(line: Line, words: Words) -> Self {
        Self(tokio::spawn(line.keep(words)))
    }

    /// Neither hears nor says anything any more.
    pub(super) fn leave(&self) {
        self.0.abort();
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Line {
    /// Listens and tells, and connects again when the connection is lost.
    async fn keep(self, mut words: Words) {
        loop {
            if let Err(error) = self.hold(&mut words).await {
                tracing::warn!(%error, "the database does not tell what other processes do; connecting again");
            }
            sleep(AFTER_FAILURE).await;
        }
    }

    async fn hold(&self, words: &mut Words) -> Result<(), Error> {
        let mut config = self.address.config().clone();
        config.application_name("openpod-server listener");
        let (client, messages) = self.tls.connect(&config).await?;
        let held = tokio::select! {
            heard = self.hear(messages) => heard,
            spoken = self.speak(&client, words) => spoken.map(|never| match never {}),
        };
        self.remembers.iter().for_each(Remembers::hears_nothing);
        held
    }

    async fn speak(&self, client: &Client, words: &mut Words) -> Result<Infallible, Error> {
        client.batch_execute("LISTEN openpod").await?;
        // What happened while nobody listened.
        self.signals.committed(true);
        let say = async {
            let say = client.prepare(SAY).await?;
            loop {
                let words = self.voice.next(words).await;
                client.execute(&say, &[&words]).await?;
            }
        };
        let Some(remembers) = &self.remembers else { return say.await };
        tokio::select! {
            said = say => said,
            kept = lease::keep(client, self.voice.name(), remembers) => kept,
        }
    }

    async fn hear(&self, mut messages: Messages) -> Result<(), Error> {
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(notification) = message?
                && let Some(Message { from, word }) = Message::parse(notification.payload())
                && from != self.voice.name()
            {
                self.take_in(from, word);
            }
        }
        Ok(())
    }

    fn take_in(&self, from: String, word: Word) {
        match (word, &self.remembers) {
            (Word::Committed { deliveries }, _) => self.signals.committed(deliveries),
            (Word::Heard { whose, number }, _) if whose == self.voice.name() => {
                self.waiting.heard(number, &from);
            }
            (Word::Moving { number, agents, keys }, Some(remembers)) => {
                remembers.moving(&from, number, News { agents, keys });
                self.voice.say(Word::Heard { whose: from, number });
            }
            (Word::Moved { number }, Some(remembers)) => remembers.moved(&from, number),
            (Word::Heard { .. } | Word::Moving { .. } | Word::Moved { .. }, _) => {}
        }
    }
}
