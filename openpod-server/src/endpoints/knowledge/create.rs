//! POST /knowledge

use axum::extract::State;
use openpod_sdk::api::knowledge::{CreateKnowledge, CreatedKnowledge};
use serde_json::json;

use crate::app::App;
use crate::domain::audit::Change;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::knowledge;

/// Writes something down for the project.
pub async fn create(
    State(app): State<App>,
    call: Call<CreateKnowledge>,
) -> Result<Answer<CreateKnowledge>, ApiError> {
    let Call { actor, body: new, once, .. } = call;
    once.write(&app, move |tx| {
        Box::pin(async move {
            access::project(tx, &actor, &new.project_id).await?;
            let id = knowledge::insert(tx, &actor, &new).await?;
            let facts = json!({"title": new.title});
            let change = Change::made("knowledge", &id, &facts).in_project(&new.project_id);
            Ok(Answer::created(CreatedKnowledge { id, title: new.title, version: 1 }).changing(change))
        })
    })
    .await
}
