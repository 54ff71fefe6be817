//! API keys, of agents and of owners.

use std::collections::BTreeMap;

use openpod_sdk::api::keys::Key;
use openpod_sdk::api::{AgentKeyId, OwnerId, Timestamp};

use super::paging::{Order, Select, Window};
use super::{Json, Row, StoreError, ToValue, Tx, Value, params};
use crate::domain::api_key::{KeyKind, MintedKey, StoredKey, mint};
use crate::domain::key_grant::{CallerKey, Grant};
use crate::domain::permission::Actor;

/// A key that is known, working or not.
#[derive(Debug, Clone)]
pub struct KnownKey {
    /// Who holds it.
    pub actor: Actor,
    /// What decides whether it works.
    pub stored: StoredKey,
    /// What is shown of it.
    pub key: Key,
}

impl KnownKey {
    /// Whose kind of key it is.
    pub fn holder_kind(&self) -> KeyKind {
        KeyKind::of(&self.actor)
    }

    /// The key as what its caller has proven.
    pub fn caller(&self) -> CallerKey {
        let grant = Grant { scopes: self.key.scopes.clone(), expires_at: self.key.expires_at };
        CallerKey { id: self.key.id.clone(), grant }
    }
}

/// The key with this public part.
pub async fn find(tx: &mut Tx<'_>, key_id: &str) -> Result<Option<KnownKey>, StoreError> {
    tx.first("SELECT * FROM api_keys WHERE key_id = $1", params![key_id], read).await
}

/// How many keys one statement looks for at most, and at least. There are few lengths, so that few are prepared.
const LENGTHS: [usize; 3] = [1, 8, 32];

/// The keys with these public parts, and of each when anything of the concern of its agent last changed.
pub async fn find_all(
    tx: &mut Tx<'_>,
    mut ids: Vec<String>,
) -> Result<Vec<(KnownKey, Option<Timestamp>)>, StoreError> {
    ids.sort_unstable();
    ids.dedup();
    let mut found = Vec::new();
    for part in ids.chunks(LENGTHS[LENGTHS.len() - 1]) {
        let length = LENGTHS.into_iter().find(|length| part.len() <= *length).unwrap_or(part.len());
        let names: Vec<String> = (1..=length).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT k.*, a.changed_at FROM api_keys k LEFT JOIN agents a ON a.id = k.agent_id \
             WHERE k.key_id IN ({})",
            names.join(", ")
        );
        let params: Vec<Value> = part.iter().cycle().take(length).map(ToValue::to_value).collect();
        found.extend(tx.all(&sql, &params, |row| Ok((read(row)?, row.get("changed_at")?))).await?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<KnownKey, StoreError> {
    let agent: Option<AgentKeyId> = row.get("agent_id")?;
    let actor = match agent {
        Some(agent) => Actor::Agent(agent),
        None => Actor::Owner(row.get::<OwnerId>("owner_id")?),
    };
    let key = Key {
        id: row.get("key_id")?,
        name: row.get("name")?,
        scopes: row.get::<Json<_>>("scopes")?.0,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        revoked_at: row.get("revoked_at")?,
        last_used_at: row.get("last_used_at")?,
        replaced_by: row.get("replaced_by")?,
    };
    let stored = StoredKey {
        secret_sha256: row.get("secret_sha256")?,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
    };
    Ok(KnownKey { actor, stored, key })
}

/// Gives a key to somebody.
pub async fn insert(
    tx: &mut Tx<'_>,
    minted: &MintedKey,
    holder: &Actor,
    name: Option<String>,
    grant: Grant,
) -> Result<Key, StoreError> {
    let (agent, owner) = match holder {
        Actor::Agent(id) => (Some(id), None),
        Actor::Owner(id) => (None, Some(id)),
    };
    let sql = "INSERT INTO api_keys (key_id, agent_id, owner_id, secret_sha256, name, scopes, created_at, \
               expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let (now, secret): (_, &[u8]) = (tx.now(), &minted.secret_sha256);
    let Grant { scopes, expires_at } = grant;
    let params = params![minted.key_id, agent, owner, secret, name, Json(&scopes), now, expires_at];
    tx.execute(sql, params).await?;
    Ok(Key {
        id: minted.key_id.as_str().into(),
        name,
        scopes,
        created_at: now,
        expires_at,
        revoked_at: None,
        last_used_at: None,
        replaced_by: None,
    })
}

/// Gives a key a successor that is good for the same, and lets it work itself until then.
pub async fn succeed(
    tx: &mut Tx<'_>,
    old: &Key,
    holder: &Actor,
    until: Timestamp,
) -> Result<(MintedKey, Key), StoreError> {
    let minted = mint(KeyKind::of(holder), tx.random_bytes());
    let grant = Grant { scopes: old.scopes.clone(), expires_at: old.expires_at };
    let successor = insert(tx, &minted, holder, old.name.clone(), grant).await?;
    let sql = "UPDATE api_keys SET replaced_by = $2, expires_at = $3 WHERE key_id = $1";
    tx.execute(sql, params![old.id, successor.id, until]).await?;
    tx.altered(old.id.as_str());
    Ok((minted, successor))
}

/// How many keys of somebody work.
pub async fn in_use(tx: &mut Tx<'_>, holder: &Actor) -> Result<u64, StoreError> {
    let column = column(holder);
    let sql = format!(
        "SELECT count(*) AS keys FROM api_keys WHERE {column} = $1 AND revoked_at IS NULL \
         AND (expires_at IS NULL OR expires_at > $2)"
    );
    let now = tx.now();
    Ok(tx.first(&sql, params![holder.id(), now], |row| row.get("keys")).await?.unwrap_or_default())
}

/// A page of somebody's keys, newest first.
pub async fn of_holder(tx: &mut Tx<'_>, holder: &Actor, window: &Window) -> Result<Vec<Key>, StoreError> {
    let mut select = Select::from("SELECT * FROM api_keys");
    select.filter(&format!("{} = ?", column(holder)), &[&holder.id()]);
    let (sql, params) = select.window(window, "created_at", "key_id", Order::Descending);
    tx.all(&sql, &params, |row| Ok(read(row)?.key)).await
}

fn column(holder: &Actor) -> &'static str {
    match holder {
        Actor::Agent(_) => "agent_id",
        Actor::Owner(_) => "owner_id",
    }
}

/// That a key was used.
#[derive(Debug, Clone)]
pub struct Use {
    /// Its public part.
    pub key_id: String,
    /// Who holds it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}

/// Notes that keys were used, and that their agents were seen; each kind of row in order, so that nobody waits in a
/// circle.
pub async fn note_uses(tx: &mut Tx<'_>, mut uses: Vec<Use>) -> Result<(), StoreError> {
    uses.sort_unstable_by(|one, other| one.key_id.cmp(&other.key_id));
    let mut seen: BTreeMap<AgentKeyId, Timestamp> = BTreeMap::new();
    for Use { key_id, actor, at } in uses {
        tx.send("UPDATE api_keys SET last_used_at = $2 WHERE key_id = $1", params![key_id, at]).await?;
        if let Actor::Agent(agent) = actor {
            let last = seen.entry(agent).or_insert(at);
            *last = at.max(*last);
        }
    }
    for (agent, at) in seen {
        tx.send("UPDATE agents SET last_seen_at = $2 WHERE id = $1", params![agent, at]).await?;
    }
    Ok(())
}

/// Takes a key out of use. Whether it was in use.
pub async fn revoke(tx: &mut Tx<'_>, key_id: &str, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "UPDATE api_keys SET revoked_at = $2 WHERE key_id = $1 AND revoked_at IS NULL";
    tx.altered(key_id);
    Ok(tx.execute(sql, params![key_id, now]).await? == 1)
}

/// A key as a list shows it.
#[derive(Debug, Clone)]
pub struct ListedKey {
    /// The name of who holds it.
    pub holder: String,
    /// The key.
    pub known: KnownKey,
}

/// All keys, oldest first.
pub async fn all(tx: &mut Tx<'_>) -> Result<Vec<ListedKey>, StoreError> {
    let sql = "SELECT k.*, coalesce(a.name, o.login) AS holder FROM api_keys k \
               LEFT JOIN agents a ON a.id = k.agent_id LEFT JOIN owners o ON o.id = k.owner_id \
               ORDER BY k.created_at, k.key_id";
    tx.all(sql, params![], |row| Ok(ListedKey { holder: row.get("holder")?, known: read(row)? })).await
}
