//! GET /positions

use axum::extract::State;
use openpod_sdk::api::positions::ListPositions;
use openpod_sdk::api::{Page, ProjectStatus};

use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::positions::{self, Listed};
use crate::store::projects;

/// A page of open positions, newest first.
pub async fn list(
    State(app): State<App>,
    call: Call<ListPositions>,
) -> Result<Answer<ListPositions>, ApiError> {
    let Call { actor, query: filter, .. } = call;
    let window = access::window(filter.limit, filter.cursor.as_ref())?;
    let page = app.store().read(move |tx| {
        Box::pin(async move {
            if let Some(project) = &filter.project_id
                && projects::status(tx, project).await? != Some(ProjectStatus::Open)
            {
                access::project(tx, &actor, project).await?;
            }
            let rows = positions::list(tx, &filter, &window).await?;
            Ok::<_, ApiError>(window.page(rows, Listed::place))
        })
    });
    let Page { data, next_cursor } = page.await?;
    Ok(Answer::ok(Page { data: data.into_iter().map(|listed| listed.position).collect(), next_cursor }))
}
