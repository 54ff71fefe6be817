//! What this process remembers of the database, so that a heartbeat that finds nothing new asks it nothing.
//!
//! ```text
//!   whoever writes ─▶ whom it concerns ─▶ forgotten, and nothing of theirs is kept ─▶ COMMIT ─▶ may be kept again
//! ```
//!
//! What is there is therefore true, as long as this process is told by all who write: on SQLite by its one writer, on
//! PostgreSQL by every process while it has a lease (`postgres::trust`).
//!
//! Either way a heartbeat sees all that was committed before it began, whoever committed it, and what another answer or
//! a webhook has shown before.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openpod_sdk::api::{AgentKeyId, Timestamp};

use super::keys::KnownKey;
use super::shelf::{Place, Shelf};
use crate::domain::heartbeat::Pending;

/// How many bytes of pending work are remembered, and of keys: that of some ten thousand idle agents.
const MOST_PENDING: usize = 16 << 20;
const MOST_KEYS: usize = 8 << 20;

/// About what a key takes.
const KEY_SIZE: usize = 400;

/// What a transaction changes of what is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Whose pending work.
    pub(super) agents: Vec<AgentKeyId>,
    /// Which keys, by their public part.
    pub(super) keys: Vec<String>,
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        self.agents.is_empty() && self.keys.is_empty()
    }
}

/// Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Memory(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    pending: Shelf<AgentKeyId, Read>,
    keys: Shelf<String, Arc<KnownKey>>,
    /// By how many transactions somebody's pending work, or a key, is being changed.
    moving_agents: HashMap<AgentKeyId, usize>,
    moving_keys: HashMap<String, usize>,
    /// The last word of another program.
    word: u64,
}

/// Pending work, and the time of the transaction that read it.
type Read = (Timestamp, Arc<Pending>);

/// Changes that are being committed. Until this is dropped nothing of them is remembered.
#[derive(Debug)]
#[must_use]
pub(super) struct Moving {
    memory: Memory,
    news: News,
}

/// A place for what is about to be read.
#[derive(Debug)]
#[must_use]
pub(super) struct Reserved<K> {
    key: K,
    place: Option<Place>,
}

#[cfg(test)]
impl<K> Reserved<K> {
    /// Whether what is read will be kept.
    pub(super) fn is_kept(&self) -> bool {
        self.place.is_some()
    }
}

impl Default for Memory {
    fn default() -> Self {
        let (pending, keys) = (Shelf::new(MOST_PENDING), Shelf::new(MOST_KEYS));
        let (moving_agents, moving_keys) = Default::default();
        Self(Arc::new(Mutex::new(Inner { pending, keys, moving_agents, moving_keys, word: 0 })))
    }
}

impl Memory {
    /// What was pending for an agent, and when. Without a lease on PostgreSQL it holds while the time of the last change
    /// is the same.
    pub(super) fn pending(&self, agent: &AgentKeyId) -> Option<Read> {
        self.lock().pending.get(agent)
    }

    /// To be called before the database is read.
    pub(super) fn reserve_pending(&self, agent: AgentKeyId) -> Reserved<AgentKeyId> {
        let mut inner = self.lock();
        let place = (!inner.moving_agents.contains_key(&agent)).then(|| inner.pending.keep_place(&agent));
        Reserved { key: agent, place }
    }

    pub(super) fn keep_pending(
        &self,
        reserved: Reserved<AgentKeyId>,
        time: Timestamp,
        pending: Arc<Pending>,
    ) {
        if let Some(place) = reserved.place {
            let size = pending.size();
            self.lock().pending.put(&reserved.key, place, (time, pending), size);
        }
    }

    /// A key as it is. Not to be asked on PostgreSQL without a lease.
    pub(super) fn key(&self, key_id: &str) -> Option<Arc<KnownKey>> {
        self.lock().keys.get(key_id)
    }

    /// To be called before the database is read.
    pub(super) fn reserve_key(&self, key_id: &str) -> Reserved<String> {
        let mut inner = self.lock();
        let key = key_id.to_owned();
        let place = (!inner.moving_keys.contains_key(key_id)).then(|| inner.keys.keep_place(&key));
        Reserved { key, place }
    }

    pub(super) fn keep_key(&self, reserved: Reserved<String>, known: Arc<KnownKey>) {
        if let Some(place) = reserved.place {
            self.lock().keys.put(&reserved.key, place, known, KEY_SIZE);
        }
    }

    /// These changes are about to be committed.
    pub(super) fn moving(&self, news: News) -> Moving {
        let mut inner = self.lock();
        for agent in &news.agents {
            inner.pending.forget(agent);
            *inner.moving_agents.entry(agent.clone()).or_default() += 1;
        }
        for key in &news.keys {
            inner.keys.forget(key);
            *inner.moving_keys.entry(key.clone()).or_default() += 1;
        }
        drop(inner);
        Moving { memory: self.clone(), news }
    }

    /// Forgets everything when the word is another than the last: a program that is no server has changed something.
    pub(super) fn listen(&self, word: u64) {
        let mut inner = self.lock();
        if inner.word != word {
            inner.forget();
            inner.word = word;
        }
    }

    /// Forgets everything.
    pub(super) fn forget(&self) {
        self.lock().forget();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        let mut inner = self.memory.lock();
        self.news.agents.iter().for_each(|agent| one_less(&mut inner.moving_agents, agent));
        self.news.keys.iter().for_each(|key| one_less(&mut inner.moving_keys, key));
    }
}

fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, of: &K) {
    if let Some(count) = counts.get_mut(of) {
        *count -= 1;
        if *count == 0 {
            counts.remove(of);
        }
    }
}

impl Inner {
    fn forget(&mut self) {
        self.pending.clear();
        self.keys.clear();
    }
}

#[cfg(test)]
mod tests {
    use openpod_sdk::api::heartbeat::{PendingApplications, PendingTickets, UnreadMessages};

    use super::*;

    fn nothing() -> Arc<Pending> {
        Arc::new(Pending {
            tickets: PendingTickets::default(),
            messages: UnreadMessages::default(),
            applications: PendingApplications::default(),
            last_change: None,
        })
    }

    fn news(agent: &AgentKeyId) -> News {
        News { agents: vec![agent.clone()], keys: Vec::new() }
    }

    #[test]
    fn nothing_is_kept_of_whom_a_commit_concerns_until_it_is_over() {
        let (memory, ada, bob) = (Memory::default(), AgentKeyId::from("ada"), AgentKeyId::from("bob"));
        let keep = |reserved| memory.keep_pending(reserved, Timestamp::from_micros(0), nothing());
        keep(memory.reserve_pending(ada.clone()));
        keep(memory.reserve_pending(bob.clone()));
        let read_before = memory.reserve_pending(ada.clone());
        let (first, second) = (memory.moving(news(&ada)), memory.moving(news(&ada)));
        keep(read_before);
        let read_meanwhile = memory.reserve_pending(ada.clone());
        assert!(memory.pending(&ada).is_none() && memory.pending(&bob).is_some());
        drop(first);
        keep(read_meanwhile);
        keep(memory.reserve_pending(ada.clone()));
        assert!(memory.pending(&ada).is_none(), "the second of them is not over");
        drop(second);
        keep(memory.reserve_pending(ada.clone()));
        assert!(memory.pending(&ada).is_some());
    }

    #[test]
    fn a_new_word_of_another_program_makes_it_forget() {
        let (memory, ada) = (Memory::default(), AgentKeyId::from("ada"));
        let reserved = memory.reserve_pending(ada.clone());
        memory.keep_pending(reserved, Timestamp::from_micros(0), nothing());
        memory.listen(0);
        assert!(memory.pending(&ada).is_some());
        memory.listen(7);
        assert!(memory.pending(&ada).is_none());
    }
}
