//! What this process remembers of the database, so that a heartbeat that finds nothing new asks it nothing.
//!
//! ```text
//!   SQLite       the one writer tells, before it commits and after, whom a group concerns: what is remembered of them
//!                is forgotten, and nothing of theirs is kept in between. What is there is therefore true.
//!   PostgreSQL   other processes write too, so every key is looked up, for all who ask at that moment by one statement
//!                (`postgres::rounds`), and with the key when anything of its agent's concern last changed. That time
//!                only ever grows, so what was remembered with the same time is true.
//! ```
//!
//! Either way a heartbeat sees all that was committed before it began, whoever committed it, and what another answer or
//! a webhook has shown before.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openpod_sdk::api::AgentKeyId;

use super::keys::KnownKey;
use super::shelf::{Place, Shelf};
use crate::domain::heartbeat::Pending;

/// How many bytes of pending work are remembered, and of keys: that of some ten thousand idle agents.
const MOST_PENDING: usize = 16 << 20;
const MOST_KEYS: usize = 8 << 20;

/// About what a key takes.
const KEY_SIZE: usize = 400;

/// What a transaction changes of what is remembered.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Whose pending work.
    pub(super) agents: Vec<AgentKeyId>,
    /// Which keys, by their public part.
    pub(super) keys: Vec<String>,
}

/// Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Memory(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    pending: Shelf<AgentKeyId, Arc<Pending>>,
    keys: Shelf<String, Arc<KnownKey>>,
    /// What is being committed.
    moving: Moving,
    /// The last word of another program.
    word: u64,
}

#[derive(Debug, Default)]
struct Moving {
    agents: HashSet<AgentKeyId>,
    keys: HashSet<String>,
}

/// A place for what is about to be read.
#[derive(Debug)]
#[must_use]
pub(super) struct Reserved<K> {
    key: K,
    place: Option<Place>,
}

impl Default for Memory {
    fn default() -> Self {
        let (pending, keys) = (Shelf::new(MOST_PENDING), Shelf::new(MOST_KEYS));
        Self(Arc::new(Mutex::new(Inner { pending, keys, moving: Moving::default(), word: 0 })))
    }
}

impl Memory {
    /// What was pending for an agent. On PostgreSQL it holds while the time of its last change is the same.
    pub(super) fn pending(&self, agent: &AgentKeyId) -> Option<Arc<Pending>> {
        self.lock().pending.get(agent)
    }

    /// To be called before the database is read.
    pub(super) fn reserve_pending(&self, agent: AgentKeyId) -> Reserved<AgentKeyId> {
        let mut inner = self.lock();
        let place = (!inner.moving.agents.contains(&agent)).then(|| inner.pending.keep_place(&agent));
        Reserved { key: agent, place }
    }

    pub(super) fn keep_pending(&self, reserved: Reserved<AgentKeyId>, pending: Arc<Pending>) {
        if let Some(place) = reserved.place {
            let size = pending.size();
            self.lock().pending.put(&reserved.key, place, pending, size);
        }
    }

    /// A key as it is. Not to be asked on PostgreSQL.
    pub(super) fn key(&self, key_id: &str) -> Option<Arc<KnownKey>> {
        self.lock().keys.get(key_id)
    }

    /// To be called before the database is read.
    pub(super) fn reserve_key(&self, key_id: &str) -> Reserved<String> {
        let mut inner = self.lock();
        let key = key_id.to_owned();
        let place = (!inner.moving.keys.contains(key_id)).then(|| inner.keys.keep_place(&key));
        Reserved { key, place }
    }

    pub(super) fn keep_key(&self, reserved: Reserved<String>, known: Arc<KnownKey>) {
        if let Some(place) = reserved.place {
            self.lock().keys.put(&reserved.key, place, known, KEY_SIZE);
        }
    }

    /// These changes are about to be committed. Until [`Self::moved`] nothing of them is remembered.
    pub(super) fn moving(&self, news: News) {
        let mut inner = self.lock();
        news.agents.iter().for_each(|agent| inner.pending.forget(agent));
        news.keys.iter().for_each(|key| inner.keys.forget(key));
        inner.moving =
            Moving { agents: news.agents.into_iter().collect(), keys: news.keys.into_iter().collect() };
    }

    /// They were committed, or not.
    pub(super) fn moved(&self) {
        self.lock().moving = Moving::default();
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
        let keep = |reserved| memory.keep_pending(reserved, nothing());
        keep(memory.reserve_pending(ada.clone()));
        keep(memory.reserve_pending(bob.clone()));
        let read_before = memory.reserve_pending(ada.clone());
        memory.moving(news(&ada));
        keep(read_before);
        let read_meanwhile = memory.reserve_pending(ada.clone());
        assert!(memory.pending(&ada).is_none() && memory.pending(&bob).is_some());
        memory.moved();
        keep(read_meanwhile);
        assert!(memory.pending(&ada).is_none());
        keep(memory.reserve_pending(ada.clone()));
        assert!(memory.pending(&ada).is_some());
    }

    #[test]
    fn a_new_word_of_another_program_makes_it_forget() {
        let (memory, ada) = (Memory::default(), AgentKeyId::from("ada"));
        memory.keep_pending(memory.reserve_pending(ada.clone()), nothing());
        memory.listen(0);
        assert!(memory.pending(&ada).is_some());
        memory.listen(7);
        assert!(memory.pending(&ada).is_none());
    }
}
