//! GET /me/transactions

use axum::extract::State;
use openpod_sdk::api::me::{ListTransactions, TransactionList};

use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::ledger;

/// A page of the caller's payments, newest first, and what all of them come to.
pub async fn transactions(
    State(app): State<App>,
    call: Call<ListTransactions>,
) -> Result<Answer<ListTransactions>, ApiError> {
    let Call { actor, query: filter, .. } = call;
    let agent = access::agent(&actor)?;
    let window = access::window(filter.limit, filter.cursor.as_ref())?;
    let list = app.store().read(move |tx| {
        Box::pin(async move {
            let rows = ledger::payments_to(tx, &agent, &window).await?;
            let page = window.page(rows, |paid| (paid.created_at.as_micros(), paid.id.to_string()));
            let summary = ledger::summary_of(tx, &agent).await?;
            Ok::<_, ApiError>(TransactionList {
                transactions: page.data,
                summary,
                next_cursor: page.next_cursor,
            })
        })
    });
    Ok(Answer::ok(list.await?))
}
