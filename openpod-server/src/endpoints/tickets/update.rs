//! PATCH /tickets/{ticket_id}, for agents and owners

use axum::extract::State;
use openpod_sdk::api::tickets::{TicketPatch, TicketPath, UpdatedTicket};
use openpod_sdk::api::{Endpoint, Patch};
use openpod_sdk::webhook::{Event, TicketUpdated};

use super::{altered, assigned, not_a_member, overtaken};
use crate::app::App;
use crate::domain::permission::Actor;
use crate::domain::ticket::{Caller, Change, Ticket, decide};
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::{Tx, dialect, marks, outbox, standings, tickets};

/// Changes a ticket, as far as the caller's standing and the table of moves allow.
pub async fn update<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Path = TicketPath, Body = TicketPatch, Response = UpdatedTicket>,
{
    let Call { actor, path, body: patch, if_match, once, .. } = call;
    once.write(&app, move |tx| {
        Box::pin(async move {
            dialect::hold_ticket(tx, &path.ticket_id).await?;
            let (ticket, standing) = access::ticket(tx, &actor, &path.ticket_id).await?;
            access::unchanged(if_match, ticket.version)?;
            let now = tx.now();
            let change = decide(&ticket, Caller { actor: &actor, standing }, &patch, now)?;
            if let Patch::Value(assignee) = &patch.assignee_agent_key_id
                && !standings::may_be_assigned(tx, &ticket.project_id, assignee).await?
            {
                return Err(not_a_member());
            }
            let version = change.ticket.version;
            if change.changed.is_empty() {
                return Ok(Answer::ok(updated(change.ticket)).etag(version).unchanged());
            }
            if !tickets::replace(tx, &change.ticket).await? {
                return Err(overtaken());
            }
            tell(tx, &change, &actor).await?;
            let noted = altered(ticket, change.ticket.clone());
            Ok(Answer::ok(updated(change.ticket)).etag(version).changing(noted))
        })
    })
    .await
}

/// Tells whose ticket it became, and whose it was or stayed. Those who judge see it in their heartbeats.
async fn tell(tx: &mut Tx<'_>, change: &Change, actor: &Actor) -> Result<(), ApiError> {
    let ticket = &change.ticket;
    let (before, after) = match &change.old_assignee {
        Some(old) => (old.clone(), ticket.assignee.clone()),
        None => (ticket.assignee.clone(), None),
    };
    let before: Vec<_> = before.into_iter().collect();
    let after: Vec<_> = after.into_iter().collect();
    outbox::emit(tx, &assigned(ticket), &after, actor).await?;
    let event = Event::TicketUpdated(TicketUpdated {
        ticket_id: ticket.id.clone(),
        ticket_number: ticket.number,
        title: ticket.plan.title.clone(),
        project_id: ticket.project_id.clone(),
        status: ticket.state.status(),
        old_status: change.old_status.clone(),
        changed: change.changed.iter().map(|&name| name.to_owned()).collect(),
    });
    outbox::emit(tx, &event, &before, actor).await?;
    let deciders = standings::deciders(tx, &ticket.project_id).await?;
    Ok(marks::touch(tx, before.iter().chain(&after).chain(&deciders)).await?)
}

fn updated(ticket: Ticket) -> UpdatedTicket {
    UpdatedTicket {
        id: ticket.id,
        status: ticket.state.status(),
        assignee_agent_key_id: ticket.assignee,
        approval_status: ticket.state.approval(),
        payout_cents: ticket.state.payout(),
        branch_name: ticket.branch_name,
        deliverables: ticket.deliverables,
        version: Some(ticket.version),
        updated_at: Some(ticket.updated_at),
    }
}
