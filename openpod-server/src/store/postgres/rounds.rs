//! Keys are looked up in rounds: one statement for all who ask at the moment. While it is on its way others gather for
//! the next, so the busier the server is, the less each look-up costs. A round's snapshot is taken after all of its
//! callers asked; so each learns of everything that was committed before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openpod_sdk::api::Timestamp;
use tokio::sync::oneshot;

use crate::store::keys::{KnownKey, find_all};
use crate::store::{Glance, Moment, Store, StoreError};

/// Those who ask. Clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Rounds(Arc<Mutex<Asking>>);

#[derive(Debug, Default)]
struct Asking {
    waiting: Vec<Asked>,
    under_way: bool,
}

#[derive(Debug)]
struct Asked {
    key_id: String,
    caller: oneshot::Sender<Result<Glance, StoreError>>,
}

type Found = HashMap<String, (Arc<KnownKey>, Option<Timestamp>)>;

impl Rounds {
    /// Waits for a round that begins from now on.
    pub(in crate::store) async fn look(&self, store: &Store, key_id: &str) -> Result<Glance, StoreError> {
        let (caller, answer) = oneshot::channel();
        let begins = {
            let mut asking = self.lock();
            asking.waiting.push(Asked { key_id: key_id.to_owned(), caller });
            !std::mem::replace(&mut asking.under_way, true)
        };
        if begins {
            // A task of its own, so that a caller who leaves takes nobody along.
            let turn = Turn { rounds: self.clone(), over: false };
            tokio::spawn(turn.run(store.clone()));
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::closed()))
    }

    fn lock(&self) -> MutexGuard<'_, Asking> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to run rounds. Given up however that ends.
struct Turn {
    rounds: Rounds,
    over: bool,
}

impl Turn {
    async fn run(mut self, store: Store) {
        while let Some(asked) = self.next() {
            let ids = asked.iter().map(|asked| asked.key_id.clone()).collect();
            let found = look_at_once(&store, ids).await;
            for Asked { key_id, caller } in asked {
                let glance = found.as_ref().map_err(Clone::clone).map(|(time, found)| {
                    let (key, last_change) = found.get(&key_id).cloned().unzip();
                    let last_change = last_change.flatten();
                    Glance { key, moment: Moment::At { time: *time, last_change } }
                });
                // The caller may have gone.
                let _ = caller.send(glance);
            }
        }
    }

    /// Those who have gathered; nobody ends the turn.
    fn next(&mut self) -> Option<Vec<Asked>> {
        let mut asking = self.rounds.lock();
        self.over = asking.waiting.is_empty();
        asking.under_way = !self.over;
        asking.under_way.then(|| std::mem::take(&mut asking.waiting))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.over {
            // Who still waits is told that there is no answer.
            *self.rounds.lock() = Asking::default();
        }
    }
}

/// What is seen may not be on disk yet: it lets nobody in whom a lost change would have kept out, since whoever knows a
/// new key was told when it was on disk, and what has changed is read by another read.
async fn look_at_once(store: &Store, ids: Vec<String>) -> Result<(Timestamp, Found), StoreError> {
    let read = store.glimpse(move |tx| {
        Box::pin(async move {
            let found = find_all(tx, ids).await?.into_iter();
            let by_id = found.map(|(key, change)| (key.key.id.to_string(), (Arc::new(key), change)));
            Ok((tx.now(), by_id.collect()))
        })
    });
    read.await
}
