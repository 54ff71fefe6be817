//! GET /audit, for owners

use axum::extract::State;
use openpod_sdk::api::owner::{AuditEntry, ListAudit};

use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::audit;

/// A page of what was changed in the owner's projects and among their tokens, newest first.
pub async fn list(State(app): State<App>, call: Call<ListAudit>) -> Result<Answer<ListAudit>, ApiError> {
    let Call { actor, query: filter, .. } = call;
    let owner = access::owner(&actor)?;
    let window = access::window(filter.limit, filter.cursor.as_ref())?;
    let page = app.store().read(move |tx| {
        Box::pin(async move {
            if let Some(project) = &filter.project_id {
                access::project(tx, &actor, project).await?;
            }
            if let Some(ticket) = &filter.ticket_id {
                access::ticket(tx, &actor, ticket).await?;
            }
            let rows = audit::of_owner(tx, &owner, &filter, &window).await?;
            let place = |entry: &AuditEntry| (entry.at.as_micros(), entry.id.clone());
            Ok::<_, ApiError>(window.page(rows, place))
        })
    });
    Ok(Answer::ok(page.await?))
}
