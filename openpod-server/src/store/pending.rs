//! All that an agent has pending: what a heartbeat shows.

use openpod_sdk::api::AgentKeyId;
use openpod_sdk::api::heartbeat::{PendingApplications, PendingTicket, PendingTickets, UnreadMessages};

use super::{StoreError, Tx, applications, channels, marks, tickets};
use crate::domain::heartbeat::Pending;
use crate::domain::ticket::Ticket;

/// All of it. Whoever changes any of it says so with [`marks::touch`].
pub async fn of(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<Pending, StoreError> {
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
        applications: PendingApplications { pending: applications::awaiting(tx, agent).await? },
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
