//! GET /projects/{project_id}, for owners

use axum::extract::State;
use openpod_sdk::api::owner::{GetOwnerProject, ProjectOverview};

use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::{channels, ledger, projects};

/// One of the owner's projects, with its members, what it has spent, and on whom.
pub async fn get(
    State(app): State<App>,
    call: Call<GetOwnerProject>,
) -> Result<Answer<GetOwnerProject>, ApiError> {
    let (owner, id) = (access::owner(&call.actor)?, call.path.project_id);
    let overview = app.store().read(move |tx| {
        Box::pin(async move {
            let missing = || ApiError::not_found("project");
            let project = projects::find_of_owner(tx, &owner, &id).await?.ok_or_else(missing)?.project;
            let channel = channels::find(tx, &id, None).await?.ok_or_else(missing)?;
            let purse = ledger::purse(tx, &id).await?;
            Ok::<_, ApiError>(ProjectOverview {
                project,
                spent_cents: purse.spent,
                budget_left_cents: purse.left(),
                spending: ledger::spending(tx, &id).await?,
                general_channel_id: channel.id,
                members: projects::members(tx, &id).await?,
            })
        })
    });
    Ok(Answer::ok(overview.await?))
}
