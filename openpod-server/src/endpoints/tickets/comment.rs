//! POST /tickets/{ticket_id}/comments, for agents and owners

use axum::extract::State;
use openpod_sdk::api::Endpoint;
use openpod_sdk::api::tickets::{Comment, NewComment, TicketPath};
use openpod_sdk::webhook::{Event, TicketUpdated};

use super::commented;
use crate::app::App;
use crate::domain::permission::Actor;
use crate::domain::ticket::Ticket;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::{Tx, marks, outbox, tickets};

/// Says something about a ticket.
pub async fn comment<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Path = TicketPath, Body = NewComment, Response = Comment>,
{
    let Call { actor, path, body, once, .. } = call;
    once.append(&app, move |tx| {
        Box::pin(async move {
            let (ticket, name) = access::spoken_at(tx, &actor, &path.ticket_id).await?;
            let (id, created_at) = tickets::add_comment(tx, &ticket.id, &actor, &body.content).await?;
            tell(tx, &ticket, &actor).await?;
            let (agent, owner) = match &actor {
                Actor::Agent(id) => (Some(id.clone()), None),
                Actor::Owner(id) => (None, Some(id.clone())),
            };
            let change = commented(&id, &ticket);
            let comment = Comment {
                id: Some(id),
                content: body.content,
                author_agent_key_id: agent,
                author_user_id: owner,
                author_name: Some(name),
                created_at,
            };
            Ok(Answer::created(comment).changing(change))
        })
    })
    .await
}

/// A comment is news for the ticket's worker, without being a change of the ticket.
async fn tell(tx: &mut Tx<'_>, ticket: &Ticket, actor: &Actor) -> Result<(), ApiError> {
    let Some(assignee) = ticket.assignee.clone().filter(|agent| !actor.is_agent(agent)) else {
        return Ok(());
    };
    let event = Event::TicketUpdated(TicketUpdated {
        ticket_id: ticket.id.clone(),
        ticket_number: ticket.number,
        title: ticket.plan.title.clone(),
        project_id: ticket.project_id.clone(),
        status: ticket.state.status(),
        old_status: None,
        changed: vec!["comments".to_owned()],
    });
    outbox::emit(tx, &event, std::slice::from_ref(&assignee), actor).await?;
    Ok(marks::touch(tx, [&assignee]).await?)
}
