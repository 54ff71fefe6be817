//! What a process says to the others, on its way to the connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, mpsc};

use super::words::{Message, Word};

/// How words are said. Nobody has to wait for a disk.
pub(super) const SAY: &str = "SELECT pg_notify('openpod', word), set_config('synchronous_commit', 'off', true) \
    FROM unnest($1::text[]) AS word";

/// How many go at once.
const MOST_WORDS: usize = 64;

/// The voice of a process. Clones are one.
#[derive(Debug, Clone)]
pub(super) struct Voice(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Tells our own words from those of others.
    name: String,
    words: mpsc::UnboundedSender<Word>,
    /// That something was committed, which need not be said as often as it happens.
    committed: Notify,
    wakes: AtomicBool,
}

/// What was said.
pub(super) type Words = mpsc::UnboundedReceiver<Word>;

impl Voice {
    pub(super) fn new(name: String) -> (Voice, Words) {
        let (words, said) = mpsc::unbounded_channel();
        let inner = Inner { name, words, committed: Notify::new(), wakes: AtomicBool::new(false) };
        (Voice(Arc::new(inner)), said)
    }

    /// Which process it is.
    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    pub(super) fn say(&self, word: Word) {
        // Nobody takes it any more when the process is about to end.
        let _ = self.0.words.send(word);
    }

    /// Says that something was committed here; `wakes` when the outbox was written.
    pub(super) fn committed(&self, wakes: bool) {
        self.0.wakes.fetch_or(wakes, Ordering::Relaxed);
        self.0.committed.notify_one();
    }

    /// What is to be told next, in the order in which it was said.
    pub(super) async fn next(&self, words: &mut Words) -> Vec<String> {
        let mut said = Vec::new();
        tokio::select! {
            _ = words.recv_many(&mut said, MOST_WORDS) => {}
            () = self.0.committed.notified() => {
                said.push(Word::Committed { deliveries: self.0.wakes.swap(false, Ordering::Relaxed) });
            }
        }
        said.into_iter().map(|word| Message { from: self.name().to_owned(), word }.text()).collect()
    }
}
