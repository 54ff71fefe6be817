//! Answers that were given under an idempotency key.

use openpod_sdk::api::Timestamp;

use super::{StoreError, Tx, params};
use crate::domain::idempotency::Identity;

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The version that stood in the `ETag`.
    pub version: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

/// What a caller did under a key, and what it was answered.
pub async fn find(
    tx: &mut Tx<'_>,
    caller: &str,
    key: &str,
) -> Result<Option<(Identity, SavedAnswer)>, StoreError> {
    let sql = "SELECT * FROM idempotency_keys WHERE caller = $1 AND key = $2";
    tx.first(sql, params![caller, key], |row| {
        let identity = Identity {
            caller: row.get("caller")?,
            key: row.get("key")?,
            operation: row.get("operation")?,
            path: row.get("path")?,
            body_sha256: row.get("body_sha256")?,
        };
        let saved =
            SavedAnswer { status: row.get("status")?, version: row.get("version")?, body: row.get("body")? };
        Ok((identity, saved))
    })
    .await
}

/// Keeps an answer.
pub async fn insert(tx: &mut Tx<'_>, call: &Identity, saved: &SavedAnswer) -> Result<(), StoreError> {
    let sql = "INSERT INTO idempotency_keys \
               (caller, key, operation, path, body_sha256, status, version, body, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let now = tx.now();
    let params = params![
        call.caller,
        call.key,
        call.operation,
        call.path,
        call.body_sha256,
        saved.status,
        saved.version,
        saved.body,
        now
    ];
    tx.execute(sql, params).await.map(|_| ())
}

/// Forgets what is older, a little at a time so that no call pays for many.
pub async fn forget_before(tx: &mut Tx<'_>, time: Timestamp) -> Result<(), StoreError> {
    let sql = format!(
        "WITH old AS MATERIALIZED (\
         SELECT caller, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT 20 {}) \
         DELETE FROM idempotency_keys WHERE (caller, key) IN (SELECT caller, key FROM old)",
        tx.dialect().skip_taken()
    );
    tx.execute(&sql, params![time]).await.map(|_| ())
}
