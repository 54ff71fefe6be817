//! What a request learns with its key: the key itself, and what is known to be pending without reading it again.

use std::sync::Arc;

use openpod_sdk::api::{AgentKeyId, Timestamp};

use super::keys::KnownKey;
use super::{Company, Engine, Store, StoreError, keys, pending, sqlite};
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
    /// Nothing may be taken from memory.
    Unknown,
    /// What this process remembers is true: nothing changes without its knowledge. What it does not know yet has a later
    /// time than this.
    Remembered(Timestamp),
    /// How things stood in a database that others change too.
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
        let moment = match &self.engine {
            Engine::Postgres(engine) => match engine.time_of_memory() {
                Some(time) => Moment::Remembered(time),
                None => return engine.rounds().look(self, key_id).await,
            },
            Engine::Sqlite(engine) => self.moment(engine),
        };
        let reserved = match moment {
            Moment::Unknown => None,
            _ => match self.memory.key(key_id) {
                Some(key) => return Ok(Glance { key: Some(key), moment }),
                None => Some(self.memory.reserve_key(key_id)),
            },
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
        self.memory.keep_pending(reserved, time, Arc::clone(&pending));
        Ok((time, pending))
    }

    /// What is remembered, if it holds.
    fn recall(&self, agent: &AgentKeyId, moment: Moment) -> Option<(Timestamp, Arc<Pending>)> {
        match moment {
            Moment::Unknown => None,
            // What was read later than that is as true, and of its own time.
            Moment::Remembered(time) => {
                self.memory.pending(agent).map(|(read, pending)| (time.max(read), pending))
            }
            Moment::At { time, last_change } => {
                let known = self.memory.pending(agent).filter(|(_, known)| known.last_change == last_change);
                known.map(|(_, pending)| (time, pending))
            }
        }
    }

    /// Whether what is remembered is true of the database; on a file a command may have changed it. The time is taken first,
    /// so that a change which is missed has a later one. What is asked once holds for the whole request: it tells of all
    /// that was committed before it began.
    fn moment(&self, engine: &sqlite::Engine) -> Moment {
        let now = || engine.time_of_look();
        let time = match &self.company {
            Company::Nobody => Some(now()),
            Company::Commands(claim) => claim.visits().time_of_memory(&self.memory, now),
            Company::Server(_) | Company::Servers => None,
        };
        time.map_or(Moment::Unknown, Moment::Remembered)
    }

    /// Forgets what is remembered of the database, so that the next request reads it.
    pub fn forget(&self) {
        self.memory.forget();
    }
}
