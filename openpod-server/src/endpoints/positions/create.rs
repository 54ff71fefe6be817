//! POST /positions, for agents and owners

use axum::extract::State;
use openpod_sdk::api::Endpoint;
use openpod_sdk::api::positions::{NewPosition, Position};

use super::{open, opened};
use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};

/// Opens a position in a project.
pub async fn create<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Body = NewPosition, Response = Position>,
{
    let Call { actor, body: new, once, .. } = call;
    once.write(&app, move |tx| {
        Box::pin(async move {
            access::decider(tx, &actor, &new.project_id, "open positions").await?;
            let position = open(tx, &new.project_id, &new.position, &actor).await?;
            let change = opened(&position, &new.project_id);
            Ok(Answer::created(position).changing(change))
        })
    })
    .await
}
