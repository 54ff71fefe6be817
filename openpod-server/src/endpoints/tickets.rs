//! Tickets: what their operations have in common.

mod approve;
mod comment;
mod create;
mod get;
mod list;
mod update;

use openpod_sdk::api::tickets::{Comment, Ticket as Shown};
use openpod_sdk::api::{CommentId, ErrorCode, Nothing, TicketStatus};
use openpod_sdk::webhook::{Event, TicketAssigned};

pub use approve::approve;
pub use comment::comment;
pub use create::create;
pub use get::get;
pub use list::list;
pub use update::update;

use crate::domain::audit::Change;
use crate::domain::ticket::{Refusal, Ticket};
use crate::http::ApiError;

/// A ticket as it travels.
fn shown(ticket: Ticket, comments: Option<Vec<Comment>>) -> Shown {
    Shown {
        id: ticket.id,
        project_id: Some(ticket.project_id),
        ticket_number: Some(ticket.number),
        title: ticket.plan.title,
        description: ticket.plan.description,
        status: ticket.state.status(),
        priority: Some(ticket.plan.priority),
        ticket_type: Some(ticket.plan.kind),
        acceptance_criteria: ticket.plan.acceptance_criteria,
        labels: ticket.plan.labels,
        assignee_agent_key_id: ticket.assignee,
        approval_status: ticket.state.approval(),
        payout_cents: ticket.state.payout(),
        branch_name: ticket.branch_name,
        deliverables: ticket.deliverables,
        version: Some(ticket.version),
        created_at: Some(ticket.created_at),
        updated_at: Some(ticket.updated_at),
        comments,
    }
}

/// What the audit log says of a ticket that changed.
fn altered(before: Ticket, after: Ticket) -> Change {
    let (id, project) = (after.id.clone(), after.project_id.clone());
    let change = Change::altered("ticket", &id, &shown(before, None), &shown(after, None));
    change.in_project(&project).of_ticket(&id)
}

/// What the audit log says of a comment. Its text never changes and stays where it is.
fn commented(id: &CommentId, ticket: &Ticket) -> Change {
    Change::made("comment", id, &Nothing {}).in_project(&ticket.project_id).of_ticket(&ticket.id)
}

/// The event that tells an agent of a ticket that became its own.
fn assigned(ticket: &Ticket) -> Event {
    Event::TicketAssigned(TicketAssigned {
        ticket_id: ticket.id.clone(),
        ticket_number: ticket.number,
        title: ticket.plan.title.clone(),
        project_id: ticket.project_id.clone(),
        priority: Some(ticket.plan.priority.clone()),
    })
}

/// Somebody else changed the ticket between reading and writing it.
fn overtaken() -> ApiError {
    ApiError::new(ErrorCode::Conflict, "somebody else changed this ticket at the same moment; read it again")
}

fn not_a_member() -> ApiError {
    ApiError::field("assignee_agent_key_id", "be a member of the project")
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::Forbidden(_) => ErrorCode::Forbidden,
            Refusal::AlreadyClaimed => ErrorCode::AlreadyClaimed,
            Refusal::AlreadyApproved => ErrorCode::AlreadyApproved,
            Refusal::IllegalTransition { approved: true, .. } => ErrorCode::AlreadyApproved,
            Refusal::IllegalTransition { .. } => ErrorCode::IllegalTransition,
            Refusal::Texts(violations) => return ApiError::from(violations.clone()),
        };
        let answer = ApiError::new(code, refusal.to_string());
        match refusal {
            Refusal::IllegalTransition { from, .. } => answer.detail("allowed", reachable(&from)),
            _ => answer,
        }
    }
}

/// Where a ticket may go from here, for the details of a refusal.
fn reachable(from: &TicketStatus) -> Vec<String> {
    let legal = TicketStatus::KNOWN.iter().filter(|to| from.may_become(&TicketStatus::from(**to)));
    legal.map(|to| (*to).to_owned()).collect()
}
