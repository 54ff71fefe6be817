//! People who own projects.

use openpod_sdk::api::OwnerId;
use openpod_sdk::api::owner::Owner;

use super::{StoreError, Tx, params};

/// Writes a new owner. One with the same login is a duplicate.
pub async fn insert(
    tx: &mut Tx<'_>,
    id: &OwnerId,
    login: &str,
    login_key: &str,
    password_hash: &str,
) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO owners (id, login, login_key, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)";
    let now = tx.now();
    tx.execute(sql, params![id, login, login_key, password_hash, now]).await.map(|_| ())
}

/// The owner with this id.
pub async fn find(tx: &mut Tx<'_>, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
    let sql = "SELECT id, login, created_at FROM owners WHERE id = $1";
    tx.first(sql, params![id], |row| {
        Ok(Owner { id: row.get("id")?, login: row.get("login")?, created_at: row.get("created_at")? })
    })
    .await
}

/// The owner with this login, and the hash of their password.
pub async fn by_login(tx: &mut Tx<'_>, login_key: &str) -> Result<Option<(OwnerId, String)>, StoreError> {
    let sql = "SELECT id, password_hash FROM owners WHERE login_key = $1";
    tx.first(sql, params![login_key], |row| Ok((row.get("id")?, row.get("password_hash")?))).await
}
