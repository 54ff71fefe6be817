//! API keys, of agents and of owners.

use openpod_sdk::api::{AgentKeyId, OwnerId, Timestamp};

use super::{Row, StoreError, Tx, params};
use crate::domain::api_key::{KeyKind, MintedKey, StoredKey};
use crate::domain::permission::Actor;

/// A key that is known, working or not.
#[derive(Debug, Clone)]
pub struct KnownKey {
    /// Who holds it.
    pub actor: Actor,
    /// What decides whether it works.
    pub stored: StoredKey,
    /// When it was last used, roughly.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl KnownKey {
    /// Whose kind of key it is.
    pub fn holder_kind(&self) -> KeyKind {
        match self.actor {
            Actor::Agent(_) => KeyKind::Agent,
            Actor::Owner(_) => KeyKind::Owner,
        }
    }
}

/// The key with this public part.
pub async fn find(tx: &mut Tx<'_>, key_id: &str) -> Result<Option<KnownKey>, StoreError> {
    tx.first("SELECT * FROM api_keys WHERE key_id = $1", params![key_id], read).await
}

fn read(row: &Row<'_>) -> Result<KnownKey, StoreError> {
    let agent: Option<AgentKeyId> = row.get("agent_id")?;
    let actor = match agent {
        Some(agent) => Actor::Agent(agent),
        None => Actor::Owner(row.get::<OwnerId>("owner_id")?),
    };
    Ok(KnownKey {
        actor,
        stored: StoredKey {
            secret_sha256: row.get("secret_sha256")?,
            expires_at: row.get("expires_at")?,
            revoked_at: row.get("revoked_at")?,
        },
        last_used_at: row.get("last_used_at")?,
        created_at: row.get("created_at")?,
    })
}

/// Gives a key to somebody.
pub async fn insert(
    tx: &mut Tx<'_>,
    key: &MintedKey,
    holder: &Actor,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (agent, owner) = match holder {
        Actor::Agent(id) => (Some(id), None),
        Actor::Owner(id) => (None, Some(id)),
    };
    let sql = "INSERT INTO api_keys (key_id, agent_id, owner_id, secret_sha256, created_at, expires_at) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    let secret: &[u8] = &key.secret_sha256;
    tx.execute(sql, params![key.key_id, agent, owner, secret, now, expires_at]).await.map(|_| ())
}

/// Notes that a key was used, and that its agent was seen.
pub async fn note_use(
    tx: &mut Tx<'_>,
    key_id: &str,
    actor: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute("UPDATE api_keys SET last_used_at = $2 WHERE key_id = $1", params![key_id, now]).await?;
    if let Actor::Agent(agent) = actor {
        tx.execute("UPDATE agents SET last_seen_at = $2 WHERE id = $1", params![agent, now]).await?;
    }
    Ok(())
}

/// Takes a key out of use. Whether it was in use.
pub async fn revoke(tx: &mut Tx<'_>, key_id: &str, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "UPDATE api_keys SET revoked_at = $2 WHERE key_id = $1 AND revoked_at IS NULL";
    Ok(tx.execute(sql, params![key_id, now]).await? == 1)
}

/// A key as a list shows it.
#[derive(Debug, Clone)]
pub struct ListedKey {
    /// Its public part.
    pub key_id: String,
    /// The name of who holds it.
    pub holder: String,
    /// The key.
    pub key: KnownKey,
}

/// All keys, oldest first.
pub async fn all(tx: &mut Tx<'_>) -> Result<Vec<ListedKey>, StoreError> {
    let sql = "SELECT k.*, coalesce(a.name, o.login) AS holder FROM api_keys k \
               LEFT JOIN agents a ON a.id = k.agent_id LEFT JOIN owners o ON o.id = k.owner_id \
               ORDER BY k.created_at, k.key_id";
    tx.all(sql, params![], |row| {
        Ok(ListedKey { key_id: row.get("key_id")?, holder: row.get("holder")?, key: read(row)? })
    })
    .await
}
