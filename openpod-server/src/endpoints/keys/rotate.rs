//! POST /me/keys/{key_id}/rotate, and POST /keys/{key_id}/rotate for owners

use std::time::Duration;

use axum::extract::State;
use openpod_sdk::api::Endpoint;
use openpod_sdk::api::keys::{CreatedKey, KeyPath, KeyRotation};

use super::{altered, made, own};
use crate::app::App;
use crate::domain::key_grant::{self, GRACE, MOST_ROTATED, Refusal};
use crate::http::{Answer, ApiError, Call};
use crate::store::{dialect, keys};

/// Replaces one of the caller's keys by a new one that is good for the same.
pub async fn rotate<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Path = KeyPath, Body = KeyRotation, Response = CreatedKey>,
{
    let Call { actor, key: caller, path, body, once, .. } = call;
    let grace = body.grace_seconds.map_or(GRACE, |seconds| Duration::from_secs(u64::from(seconds)));
    once.write_shown_once(&app, "key", move |tx| {
        Box::pin(async move {
            dialect::hold_name(tx, "keys of", actor.id()).await?;
            let old = own(tx, &actor, &path.key_id).await?;
            let until = key_grant::rotate(&caller.grant, &old, grace, tx.now())?;
            if keys::in_use(tx, &actor).await? >= MOST_ROTATED {
                return Err(Refusal::TooMany(MOST_ROTATED).into());
            }
            let (minted, key) = keys::succeed(tx, &old, &actor, until).await?;
            let replaced = own(tx, &actor, &path.key_id).await?;
            let changes = [made(&key, &actor), altered(&old, &replaced, &actor)];
            let answer = Answer::created(CreatedKey { key, api_key: minted.text });
            Ok(changes.into_iter().fold(answer, Answer::changing))
        })
    })
    .await
}
