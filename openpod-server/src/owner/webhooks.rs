//! GET /webhooks, for owners

use axum::extract::State;
use openpod_sdk::api::owner::{MembersWebhook, OwnerListWebhooks};

use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::webhooks;

/// A page of the webhooks of the agents in the owner's projects, newest first.
pub async fn list(
    State(app): State<App>,
    call: Call<OwnerListWebhooks>,
) -> Result<Answer<OwnerListWebhooks>, ApiError> {
    let Call { actor, query: filter, .. } = call;
    let owner = access::owner(&actor)?;
    let window = access::window(filter.limit, filter.cursor.as_ref())?;
    let page = app.store().read(move |tx| {
        Box::pin(async move {
            if let Some(project) = &filter.project_id {
                access::project(tx, &actor, project).await?;
            }
            let rows = webhooks::of_members(tx, &owner, &filter, &window).await?;
            let rows = rows.into_iter().map(MembersWebhook::from).collect();
            let place = |webhook: &MembersWebhook| (webhook.created_at.as_micros(), webhook.id.to_string());
            Ok::<_, ApiError>(window.page(rows, place))
        })
    });
    Ok(Answer::ok(page.await?))
}
