//! GET /applications, for owners

use axum::extract::State;
use openpod_sdk::api::Page;
use openpod_sdk::api::owner::ListOwnerApplications;

use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::applications::{self, Known};

/// A page of the applications to the owner's projects, oldest first.
pub async fn list(
    State(app): State<App>,
    call: Call<ListOwnerApplications>,
) -> Result<Answer<ListOwnerApplications>, ApiError> {
    let Call { actor, query: filter, .. } = call;
    let window = access::window(filter.limit, filter.cursor.as_ref())?;
    let page = app.store().read(move |tx| {
        Box::pin(async move {
            if let Some(project) = &filter.project_id {
                access::project(tx, &actor, project).await?;
            }
            let rows = applications::to_owner(tx, &actor, &filter, &window).await?;
            Ok::<_, ApiError>(window.page(rows, Known::place))
        })
    });
    let Page { data, next_cursor } = page.await?;
    Ok(Answer::ok(Page { data: data.into_iter().map(|known| known.application).collect(), next_cursor }))
}
