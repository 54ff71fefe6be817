//! GET /tickets, for agents and owners

use axum::extract::State;
use openpod_sdk::api::tickets::{Ticket, TicketFilter};
use openpod_sdk::api::{Endpoint, Page};

use super::shown;
use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::tickets;

/// A page of a project's tickets, by number.
pub async fn list<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Query = TicketFilter, Response = Page<Ticket>>,
{
    let Call { actor, query: filter, .. } = call;
    let window = access::window(filter.limit, filter.cursor.as_ref())?;
    let page = app.store().read(move |tx| {
        Box::pin(async move {
            access::project(tx, &actor, &filter.project_id).await?;
            let rows = tickets::list(tx, &filter, &actor, &window).await?;
            Ok::<_, ApiError>(window.page(rows, |ticket| (ticket.number as i64, ticket.id.to_string())))
        })
    });
    let Page { data, next_cursor } = page.await?;
    let data = data.into_iter().map(|ticket| shown(ticket, None)).collect();
    Ok(Answer::ok(Page { data, next_cursor }))
}
