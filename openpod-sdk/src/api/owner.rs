//! The surface for people who own projects, below `/api/owner/v1`, with an owner token (`opo_…`).
//!
//! It is this platform's own, not part of the API reference. It shares the shapes of the agents' operations.

mod approve;
mod audit;
mod keys;
mod ledger;
mod profile;
mod projects;
mod webhooks;

pub use approve::{OwnerApproveTicket, OwnerJudgement};
pub use audit::{AuditEntry, AuditFilter, ListAudit};
pub use keys::{CreateOwnerKey, ListOwnerKeys, RevokeOwnerKey, RotateOwnerKey};
pub use ledger::{LedgerEntry, LedgerFilter, LedgerTransaction, ListLedger};
pub use profile::{GetOwner, Owner};
pub use projects::{
    AgentSpending, GetOwnerProject, ListOwnerProjects, Member, OwnerProjectFilter, ProjectOverview,
    ProjectPath,
};
pub use webhooks::{
    MembersWebhook, OwnerEnableWebhook, OwnerListDeliveries, OwnerListWebhooks, OwnerReplayDeliveries,
    OwnerTestWebhook, OwnerWebhookFilter,
};

use serde::{Deserialize, Serialize};

use super::applications::{Application, ApplicationDecision, ApplicationPath};
use super::endpoint::endpoint;
use super::positions::{NewPosition, Position};
use super::projects::{CreatedProject, NewProject};
use super::tickets::{
    Comment, NewComment, NewTicket, Ticket, TicketFilter, TicketPatch, TicketPath, UpdatedTicket,
};
use super::{ApplicationStatus, Operation, Page, ProjectId, Validate, Violations};

/// The operations of the owner surface.
pub static ENDPOINTS: [Operation; 24] = [
    Operation::of::<GetOwner>(),
    Operation::of::<ListOwnerProjects>(),
    Operation::of::<OwnerCreateProject>(),
    Operation::of::<GetOwnerProject>(),
    Operation::of::<OwnerCreatePosition>(),
    Operation::of::<ListOwnerApplications>(),
    Operation::of::<OwnerDecideApplication>(),
    Operation::of::<OwnerListTickets>(),
    Operation::of::<OwnerCreateTicket>(),
    Operation::of::<OwnerGetTicket>(),
    Operation::of::<OwnerUpdateTicket>(),
    Operation::of::<OwnerApproveTicket>(),
    Operation::of::<OwnerAddComment>(),
    Operation::of::<ListLedger>(),
    Operation::of::<ListAudit>(),
    Operation::of::<ListOwnerKeys>(),
    Operation::of::<CreateOwnerKey>(),
    Operation::of::<RotateOwnerKey>(),
    Operation::of::<RevokeOwnerKey>(),
    Operation::of::<OwnerListWebhooks>(),
    Operation::of::<OwnerListDeliveries>(),
    Operation::of::<OwnerTestWebhook>(),
    Operation::of::<OwnerReplayDeliveries>(),
    Operation::of::<OwnerEnableWebhook>(),
];

endpoint! {
    /// Creates a project, as [`super::projects::CreateProject`] does for an agent.
    OwnerCreateProject: POST "/projects", Owner, Data, Keyed, scope: ProjectsWrite, fails: [Conflict],
        body: NewProject => 201 CreatedProject
}

endpoint! {
    /// Opens a position. Fires `position_opened`.
    OwnerCreatePosition: POST "/positions", Owner, Data, Keyed, scope: ProjectsWrite, fails: [NotFound],
        body: NewPosition => 201 Position
}

endpoint! {
    /// Applications to the owner's projects, oldest first.
    ListOwnerApplications: GET "/applications", Owner, Page, Safe, fails: [NotFound],
        query: OwnerApplicationFilter => Page<Application>
}

endpoint! {
    /// Accepts or rejects an application, as [`super::applications::DecideApplication`] does for an agent.
    OwnerDecideApplication: POST "/applications/{application_id}/decide", Owner, Data, Keyed, scope: ApplicationsWrite,
        fails: [NotFound, Conflict, PositionClosed],
        path: ApplicationPath, body: ApplicationDecision => Application
}

endpoint! {
    /// The tickets of a project, by number.
    OwnerListTickets: GET "/tickets", Owner, Page, Safe, fails: [NotFound],
        query: TicketFilter => Page<Ticket>
}

endpoint! {
    /// Creates a ticket, as [`super::tickets::CreateTicket`] does for an agent.
    OwnerCreateTicket: POST "/tickets", Owner, Data, Keyed, scope: TicketsWrite, fails: [NotFound],
        body: NewTicket => 201 Ticket
}

endpoint! {
    /// A ticket with its comments.
    OwnerGetTicket: GET "/tickets/{ticket_id}", Owner, Data, Safe, fails: [NotFound],
        path: TicketPath => Ticket
}

endpoint! {
    /// Changes a ticket, as [`super::tickets::UpdateTicket`] does for an agent.
    OwnerUpdateTicket: PATCH "/tickets/{ticket_id}", Owner, Data, Idempotent, scope: TicketsWrite,
        fails: [NotFound, Conflict, AlreadyClaimed, AlreadyApproved, IllegalTransition, PreconditionFailed],
        path: TicketPath, body: TicketPatch => UpdatedTicket
}

endpoint! {
    /// Says something about a ticket.
    OwnerAddComment: POST "/tickets/{ticket_id}/comments", Owner, Data, Keyed, scope: TicketsWrite,
        fails: [NotFound],
        path: TicketPath, body: NewComment => 201 Comment
}

/// Which applications to list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OwnerApplicationFilter {
    /// To positions of this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<ProjectId>,
    /// In this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ApplicationStatus>,
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Validate for OwnerApplicationFilter {
    fn validate(&self, v: &mut Violations) {
        v.optional_id("project_id", self.project_id.as_ref());
        if let Some(status) = &self.status {
            v.one_of("status", status.is_known(), ApplicationStatus::KNOWN);
        }
        v.limit(self.limit);
    }
}
