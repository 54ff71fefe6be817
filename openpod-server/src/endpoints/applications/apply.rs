//! POST /apply

use axum::extract::State;
use openpod_sdk::api::applications::ApplyToPosition;
use openpod_sdk::api::{ApplicationStatus, ProjectStatus};
use serde_json::json;

use crate::app::App;
use crate::domain::application::{Refusal, may_apply};
use crate::domain::audit::Change;
use crate::domain::permission::{Actor, Standing};
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::{StoreError, StoreErrorKind, applications, marks, positions, projects, standings};

/// Applies to a position, and lets those who decide know.
pub async fn apply(
    State(app): State<App>,
    call: Call<ApplyToPosition>,
) -> Result<Answer<ApplyToPosition>, ApiError> {
    let Call { actor, body: new, once, .. } = call;
    let agent = access::agent(&actor)?;
    once.write(&app, move |tx| {
        Box::pin(async move {
            let missing = || ApiError::not_found("position");
            let found = positions::find(tx, &new.position_id).await?.ok_or_else(missing)?;
            let project = &found.position.project.id;
            let standing = standings::of(tx, &Actor::Agent(agent.clone()), project).await?;
            let standing = standing.ok_or_else(missing)?;
            let open = projects::status(tx, project).await? == Some(ProjectStatus::Open);
            if standing == Standing::Stranger && !open {
                return Err(missing());
            }
            let in_force = applications::in_force(tx, &new.position_id, &agent).await?;
            may_apply(in_force, standing, &found.seats.status)?;
            let id = applications::insert(tx, &new.position_id, &agent, &new.cover_letter).await;
            let id = id.map_err(doubled)?;
            let deciders = standings::deciders(tx, project).await?;
            marks::touch(tx, &deciders).await?;
            let known = applications::find(tx, &id).await?.ok_or_else(missing)?;
            let facts = json!({"position_id": new.position_id});
            let change = Change::made("application", &id, &facts).in_project(project);
            Ok(Answer::created(known.application).changing(change))
        })
    })
    .await
}

/// What the database says when the same application was sent at the same moment.
fn doubled(error: StoreError) -> ApiError {
    match error.kind() {
        StoreErrorKind::Duplicate => Refusal::AlreadyApplied(ApplicationStatus::Pending).into(),
        _ => error.into(),
    }
}
