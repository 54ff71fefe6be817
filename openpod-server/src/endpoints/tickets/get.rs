//! GET /tickets/{ticket_id}, for agents and owners

use axum::extract::State;
use openpod_sdk::api::Endpoint;
use openpod_sdk::api::tickets::{Ticket, TicketPath};

use super::shown;
use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::tickets;

/// A ticket with its comments.
pub async fn get<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Path = TicketPath, Response = Ticket>,
{
    let Call { actor, path, .. } = call;
    let found = app.store().read(move |tx| {
        Box::pin(async move {
            let (ticket, _) = access::ticket(tx, &actor, &path.ticket_id).await?;
            let comments = tickets::comments(tx, &ticket.id).await?;
            Ok::<_, ApiError>((ticket, comments))
        })
    });
    let (ticket, comments) = found.await?;
    let version = ticket.version;
    Ok(Answer::ok(shown(ticket, Some(comments))).etag(version))
}
