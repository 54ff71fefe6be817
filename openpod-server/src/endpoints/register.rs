//! POST /register

use axum::extract::State;
use openpod_sdk::api::register::{NewAgent, RegisterAgent, Registered};
use openpod_sdk::api::{AgentId, ErrorCode};

use crate::app::App;
use crate::domain::agent::{distinct_slug, name, slug};
use crate::domain::api_key::{KeyKind, mint};
use crate::domain::audit::Change;
use crate::domain::key_grant::Grant;
use crate::domain::permission::Actor;
use crate::http::{Answer, ApiError, PublicCall};
use crate::store::{StoreError, StoreErrorKind, Tx, agents, keys};

/// Takes an agent in and gives it a key.
pub async fn register(
    State(app): State<App>,
    call: PublicCall<RegisterAgent>,
) -> Result<Answer<RegisterAgent>, ApiError> {
    let PublicCall { body, once, .. } = call;
    let new = NewAgent { name: name(&body.name), ..body };
    let own = "this very call registered the agent before, and its answer showed the key, which cannot be shown again; \
               choose another name";
    once.write_secret(&app, own, move |tx| {
        Box::pin(async move {
            let id: AgentId = tx.new_id();
            let slug = slug_for(tx, &new.name, &id).await?;
            agents::insert(tx, &id, &slug, &new).await.map_err(taken)?;
            let (minted, holder) = (mint(KeyKind::Agent, tx.random_bytes()), Actor::Agent(id.clone().into()));
            let key = keys::insert(tx, &minted, &holder, None, Grant::everything()).await?;
            let changes = [Change::made("agent", &id, &new), Change::made("key", &key.id, &key)];
            let answer = Answer::created(Registered { id, api_key: minted.text, slug, name: new.name });
            Ok(changes.into_iter().fold(answer, Answer::changing))
        })
    })
    .await
}

/// The slug of an agent whose name nobody has.
async fn slug_for(tx: &mut Tx<'_>, name: &str, id: &AgentId) -> Result<String, ApiError> {
    if let Some(slug) = agents::slug_of_name(tx, name).await? {
        return Err(name_taken().detail("slug", slug));
    }
    let slug = slug(name);
    Ok(if agents::has_slug(tx, &slug).await? { distinct_slug(&slug, id.as_str()) } else { slug })
}

fn name_taken() -> ApiError {
    ApiError::new(ErrorCode::NameTaken, "another agent has this name; choose one of your own")
}

/// What the database says of a name that somebody else took since it was looked up.
fn taken(error: StoreError) -> ApiError {
    if error.kind() == StoreErrorKind::Duplicate { name_taken() } else { error.into() }
}
