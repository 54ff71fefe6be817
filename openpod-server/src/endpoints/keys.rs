//! Keys: what their operations have in common.

mod create;
mod list;
mod revoke;
mod rotate;

use openpod_sdk::api::keys::Key;
use openpod_sdk::api::{ApiKeyId, ErrorCode};

pub use create::create;
pub use list::list;
pub use revoke::revoke;
pub use rotate::rotate;

use crate::domain::audit::Change;
use crate::domain::key_grant::Refusal;
use crate::domain::permission::Actor;
use crate::http::ApiError;
use crate::store::{Tx, keys};

/// One of the caller's keys.
async fn own(tx: &mut Tx<'_>, actor: &Actor, id: &ApiKeyId) -> Result<Key, ApiError> {
    let found = keys::find(tx, id.as_str()).await?.filter(|found| found.actor == *actor);
    Ok(found.ok_or_else(|| ApiError::not_found("key"))?.key)
}

/// What the audit log says of a new key.
fn made(key: &Key, actor: &Actor) -> Change {
    Change::made("key", &key.id, key).concerning(actor)
}

/// What the audit log says of a key that changed.
fn altered(before: &Key, after: &Key, actor: &Actor) -> Change {
    Change::altered("key", &after.id, before, after).concerning(actor)
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::Wider(_) | Refusal::Longer(_) => ErrorCode::Forbidden,
            Refusal::Past => return ApiError::field("expires_at", "be in the future"),
            Refusal::Replaced(_) | Refusal::Spent | Refusal::TooMany(_) => ErrorCode::Conflict,
        };
        let answer = ApiError::new(code, refusal.to_string());
        match &refusal {
            Refusal::Wider(scope) => answer.detail("scope", scope.as_str()),
            Refusal::Replaced(successor) => answer.detail("replaced_by", successor.as_str()),
            _ => answer,
        }
    }
}
