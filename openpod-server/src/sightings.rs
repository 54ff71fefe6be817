//! When keys were used, and so when agents were seen: kept to the minute, gathered in memory, and written down together
//! beside the requests, because a write for each request would cost more than the request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openpod_sdk::api::Timestamp;
use tokio::sync::watch;

use crate::store::Store;
use crate::store::keys::{KnownKey, Use, note_uses};

/// How precisely it is kept.
const EVERY: Duration = Duration::from_secs(60);

/// How many keys are remembered. A key that is forgotten is written down once more than it need be.
const CAPACITY: usize = 65_536;

/// How many are written down in one transaction.
const AT_ONCE: usize = 500;

/// When keys were used. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Sightings(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    /// Whether something is being written down.
    busy: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    /// When each key was last noted.
    noted: HashMap<String, Timestamp>,
    /// What was not written down yet.
    fresh: Vec<Use>,
}

impl Sightings {
    /// Notes that a key is used, and has it written down if it was not within the last minute.
    pub fn note(&self, store: &Store, key: &KnownKey, now: Timestamp) {
        let id = key.key.id.as_str();
        let mut state = self.lock();
        let last = state.noted.get(id).copied().max(key.key.last_used_at);
        if last.is_some_and(|seen| now.since(seen) < EVERY) {
            return;
        }
        if state.noted.len() >= CAPACITY {
            state.noted.retain(|_, seen| now.since(*seen) < EVERY);
            if state.noted.len() >= CAPACITY {
                state.noted.clear();
            }
        }
        state.noted.insert(id.to_owned(), now);
        state.fresh.push(Use { key_id: id.to_owned(), actor: key.actor.clone(), at: now });
        let begins = self.0.busy.send_if_modified(|busy| !std::mem::replace(busy, true));
        drop(state);
        if begins {
            let turn = Turn { sightings: self.clone(), over: false };
            tokio::spawn(turn.write(store.clone()));
        }
    }

    /// Completes when everything is written down that was noted before. Who shows it waits for this.
    pub async fn written(&self) {
        // The sender lives as long as this.
        let _ = self.0.busy.subscribe().wait_for(|busy| !busy).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write. Given up however that ends.
struct Turn {
    sightings: Sightings,
    over: bool,
}

impl Turn {
    async fn write(mut self, store: Store) {
        while let Some(uses) = self.next() {
            if let Err(error) = store.write(move |tx| Box::pin(note_uses(tx, uses))).await {
                tracing::warn!(%error, "when keys were used was not noted");
            }
        }
    }

    /// What has gathered; nothing ends the turn.
    fn next(&mut self) -> Option<Vec<Use>> {
        let mut state = self.sightings.lock();
        let most = state.fresh.len().min(AT_ONCE);
        if most == 0 {
            self.over = true;
            self.sightings.0.busy.send_replace(false);
            return None;
        }
        Some(state.fresh.drain(..most).collect())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.over {
            self.sightings.0.busy.send_replace(false);
        }
    }
}
