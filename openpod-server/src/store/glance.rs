//! What a request learns with its key: the key itself, and what is known to be pending without reading it again.

use std::sync::Arc;

use openpod_sdk::api::{AgentKeyId, Timestamp};

use super::keys::KnownKey;
use super::{Company, Engine, Store, StoreError, keys, pending};
use crate::domain::heartbeat::Pending;

/// A key as it stands, and when that was.
#[derive(Debug, Clone)]
pub struct Glance {
    /// The key; `None` when there is none with this public part.
    pub key: Option<Arc<KnownKey>>,
    /// When.
    pub moment: Moment,
}

/// What else a key's look-up tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing: this process knows at any moment what changed.
    Any,
    /// How things stood at a time.
    At {
        /// No change that it does not tell of has an earlier time.
        time: Timestamp,
        /// When anything of the concern of the key's agent had last changed.
        last_change: Option<Timestamp>,
    },
}

impl Store {
    /// Looks a key up. What was committed before counts, whoever committed it.
    pub async fn look(&self, key_id: &str) -> Result<Glance, StoreError> {
        let moment = Moment::Any;
        if let Engine::Postgres(engine) = &self.engine {
            return engine.rounds().look(self, key_id).await;
        }
        let reserved = if self.may_remember() {
            if let Some(key) = self.memory.key(key_id) {
                return Ok(Glance { key: Some(key), moment });
            }
            Some(self.memory.reserve_key(key_id))
        } else {
            None
        };
        let id = key_id.to_owned();
        let found = self.read(move |tx| Box::pin(async move { keys::find(tx, &id).await }));
        let key = found.await?.map(Arc::new);
        if let (Some(reserved), Some(key)) = (reserved, &key) {
            self.memory.keep_key(reserved, Arc::clone(key));
        }
        Ok(Glance { key, moment })
    }

    /// All that an agent has pending, and the time to ask for changes since. `moment` is from the caller's [`Glance`].
    /// It is read only when something of the agent's concern has changed after it was read last.
    pub async fn pending(
        &self,
        agent: AgentKeyId,
        moment: Moment,
    ) -> Result<(Timestamp, Arc<Pending>), StoreError> {
        if let Some(known) = self.recall(&agent, moment) {
            return Ok(known);
        }
        let reserved = self.memory.reserve_pending(agent.clone());
        let read = self.read(move |tx| {
            Box::pin(async move { Ok::<_, StoreError>((tx.now(), pending::of(tx, &agent).await?)) })
        });
        let (time, pending) = read.await?;
        let pending = Arc::new(pending);
        self.memory.keep_pending(reserved, Arc::clone(&pending));
        Ok((time, pending))
    }

    /// What is remembered, if it holds. The time is taken first, so that a change which is missed has a later one.
    fn recall(&self, agent: &AgentKeyId, moment: Moment) -> Option<(Timestamp, Arc<Pending>)> {
        match (&self.engine, moment) {
            (Engine::Sqlite(engine), _) => {
                let time = engine.time_of_look();
                let known = self.may_remember().then(|| self.memory.pending(agent)).flatten();
                known.map(|pending| (time, pending))
            }
            (Engine::Postgres(_), Moment::At { time, last_change }) => {
                let known = self.memory.pending(agent).filter(|known| known.last_change == last_change);
                known.map(|pending| (time, pending))
            }
            (Engine::Postgres(_), Moment::Any) => None,
        }
    }

    /// Whether what is remembered is true of the database. On a file a command may have changed it.
    fn may_remember(&self) -> bool {
        match &self.company {
            Company::Nobody => true,
            Company::Commands(claim) => match claim.word() {
                Ok(word) => {
                    self.memory.listen(word);
                    true
                }
                Err(_) => false,
            },
            Company::Server(_) | Company::Servers => false,
        }
    }

    /// Forgets what is remembered of the database, so that the next request reads it.
    pub fn forget(&self) {
        self.memory.forget();
    }
}
