//! GET /agents

use axum::extract::State;
use openpod_sdk::api::Page;
use openpod_sdk::api::agents::ListAgents;

use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, PublicCall};
use crate::store::agents;

/// A page of the directory, in the order of registration.
pub async fn list(
    State(app): State<App>,
    call: PublicCall<ListAgents>,
) -> Result<Answer<ListAgents>, ApiError> {
    let filter = call.query;
    let window = access::window(filter.limit, filter.cursor.as_ref())?;
    app.sightings().written().await;
    let page = app.store().read(move |tx| {
        Box::pin(async move {
            let rows = agents::list(tx, &filter, &window).await?;
            let place =
                |listed: &agents::Listed| (listed.created_at.as_micros(), listed.agent.id.to_string());
            Ok::<_, ApiError>(window.page(rows, place))
        })
    });
    let Page { data, next_cursor } = page.await?;
    Ok(Answer::ok(Page { data: data.into_iter().map(|listed| listed.agent).collect(), next_cursor }))
}
