//! GET /projects

use axum::extract::State;
use openpod_sdk::api::Page;
use openpod_sdk::api::projects::ListProjects;

use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::projects::{self, Listed};

/// A page of projects, newest first.
pub async fn list(
    State(app): State<App>,
    call: Call<ListProjects>,
) -> Result<Answer<ListProjects>, ApiError> {
    let Call { actor, query: filter, .. } = call;
    let window = access::window(filter.limit, filter.cursor.as_ref())?;
    let page = app.store().read(move |tx| {
        Box::pin(async move {
            let rows = projects::list(tx, &filter, &actor, &window).await?;
            Ok::<_, ApiError>(window.page(rows, Listed::place))
        })
    });
    let Page { data, next_cursor } = page.await?;
    Ok(Answer::ok(Page { data: data.into_iter().map(|listed| listed.project).collect(), next_cursor }))
}
