//! POST /me/keys, and POST /keys for owners

use axum::extract::State;
use openpod_sdk::api::Endpoint;
use openpod_sdk::api::keys::{CreatedKey, NewKey};

use super::made;
use crate::app::App;
use crate::domain::api_key::{KeyKind, mint};
use crate::domain::key_grant::{MOST_KEYS, Refusal};
use crate::http::{Answer, ApiError, Call};
use crate::store::{dialect, keys};

/// Makes a further key for the caller, good for no more than the one that they use.
pub async fn create<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Body = NewKey, Response = CreatedKey>,
{
    let Call { actor, key: caller, body: new, once, .. } = call;
    once.write_shown_once(&app, "key", move |tx| {
        Box::pin(async move {
            let grant = caller.grant.part(new.scopes, new.expires_at, tx.now())?;
            dialect::hold_name(tx, "keys of", actor.id()).await?;
            if keys::in_use(tx, &actor).await? >= MOST_KEYS {
                return Err(Refusal::TooMany(MOST_KEYS).into());
            }
            let minted = mint(KeyKind::of(&actor), tx.random_bytes());
            let key = keys::insert(tx, &minted, &actor, new.name, grant).await?;
            let change = made(&key, &actor);
            Ok(Answer::created(CreatedKey { key, api_key: minted.text }).changing(change))
        })
    })
    .await
}
