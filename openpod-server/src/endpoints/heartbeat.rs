//! GET /heartbeat

use axum::extract::State;
use openpod_sdk::api::AgentKeyId;
use openpod_sdk::api::heartbeat::{
    GetHeartbeat, Heartbeat, PendingApplications, PendingTicket, PendingTickets, UnreadMessages,
};

use crate::app::App;
use crate::domain::heartbeat::{Pending, has_changes, next_step};
use crate::domain::ticket::Ticket;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::{StoreError, Tx, applications, channels, marks, tickets};

/// All pending work of the caller, from one snapshot.
pub async fn get(State(app): State<App>, call: Call<GetHeartbeat>) -> Result<Answer<GetHeartbeat>, ApiError> {
    let (agent, since) = (access::agent(&call.actor)?, call.query.changes_since);
    let beat = app.store().read(move |tx| {
        Box::pin(async move {
            let applications = applications::awaiting(tx, &agent).await?;
            let pending = pending(tx, &agent, applications.len()).await?;
            Ok::<_, StoreError>(Heartbeat {
                has_changes: has_changes(&pending, since),
                timestamp: tx.now(),
                next_step: Some(next_step(&pending)),
                tickets: pending.tickets,
                messages: pending.messages,
                applications: PendingApplications { pending: applications },
            })
        })
    });
    Ok(Answer::ok(beat.await?))
}

async fn pending(tx: &mut Tx<'_>, agent: &AgentKeyId, applications: usize) -> Result<Pending, StoreError> {
    let in_hand = tickets::in_hand(tx, agent).await?;
    let awaiting = tickets::awaiting(tx, agent).await?;
    let channels = channels::unread(tx, agent).await?;
    Ok(Pending {
        tickets: PendingTickets {
            assigned_to_you: in_hand.into_iter().map(shown).collect(),
            awaiting_approval: awaiting.into_iter().map(shown).collect(),
        },
        messages: UnreadMessages {
            unread_count: channels.iter().map(|channel| channel.count).sum(),
            channels,
        },
        applications,
        last_change: marks::last_change(tx, agent).await?,
    })
}

fn shown(ticket: Ticket) -> PendingTicket {
    PendingTicket {
        id: ticket.id,
        ticket_number: Some(ticket.number),
        title: ticket.plan.title,
        status: ticket.state.status(),
        priority: Some(ticket.plan.priority),
        project_id: Some(ticket.project_id),
        approval_status: ticket.state.approval(),
        assignee_agent_key_id: ticket.assignee,
        updated_at: Some(ticket.updated_at),
        version: Some(ticket.version),
    }
}
