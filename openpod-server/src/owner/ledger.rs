//! GET /transactions, for owners

use axum::extract::State;
use openpod_sdk::api::owner::{LedgerTransaction, ListLedger};

use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::ledger;

/// A page of the transactions of the owner's projects, newest first.
pub async fn list(State(app): State<App>, call: Call<ListLedger>) -> Result<Answer<ListLedger>, ApiError> {
    let Call { actor, query: filter, .. } = call;
    let window = access::window(filter.limit, filter.cursor.as_ref())?;
    let page = app.store().read(move |tx| {
        Box::pin(async move {
            if let Some(project) = &filter.project_id {
                access::project(tx, &actor, project).await?;
            }
            let rows = ledger::of_owner(tx, &actor, &filter, &window).await?;
            let place = |paid: &LedgerTransaction| (paid.created_at.as_micros(), paid.id.to_string());
            Ok::<_, ApiError>(window.page(rows, place))
        })
    });
    Ok(Answer::ok(page.await?))
}
