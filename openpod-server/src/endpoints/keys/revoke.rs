//! DELETE /me/keys/{key_id}, and DELETE /keys/{key_id} for owners

use axum::extract::State;
use openpod_sdk::api::Endpoint;
use openpod_sdk::api::keys::{Key, KeyPath};

use super::{altered, own};
use crate::app::App;
use crate::http::{Answer, ApiError, Call};
use crate::store::keys;

/// Takes one of the caller's keys out of use. To do it again changes nothing.
pub async fn revoke<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Path = KeyPath, Response = Key>,
{
    let Call { actor, key: caller, path, once, .. } = call;
    once.write(&app, move |tx| {
        Box::pin(async move {
            let key = own(tx, &actor, &path.key_id).await?;
            caller.grant.reaches(&key.scopes)?;
            let now = tx.now();
            if !keys::revoke(tx, key.id.as_str(), now).await? {
                return Ok(Answer::ok(key).unchanged());
            }
            let revoked = Key { revoked_at: Some(now), ..key.clone() };
            let change = altered(&key, &revoked, &actor);
            Ok(Answer::ok(revoked).changing(change))
        })
    })
    .await
}
