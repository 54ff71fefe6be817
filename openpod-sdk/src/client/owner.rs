//! The owner surface as methods.

use super::{CallOptions, Client, Error};
use crate::api::applications::{Application, ApplicationDecision, ApplicationPath};
use crate::api::keys::{CreatedKey, Key, KeyFilter, KeyPath, KeyRotation, NewKey};
use crate::api::positions::{NewPosition, Position};
use crate::api::projects::{CreatedProject, NewProject, Project};
use crate::api::tickets::{
    Comment, Judged, NewComment, NewTicket, Ticket, TicketFilter, TicketPatch, TicketPath, UpdatedTicket,
};
use crate::api::{ApiKeyId, ApplicationId, Nothing, Page, ProjectId, TicketId, owner};

/// A client for people who own projects, with an owner token (`opo_…`). Clones are cheap and share everything.
#[derive(Debug, Clone)]
pub struct OwnerClient(pub(super) Client);

impl OwnerClient {
    /// The same client with these options on each of its calls, as [`Client::with`] has it.
    pub fn with(&self, options: CallOptions) -> OwnerClient {
        OwnerClient(self.0.with(options))
    }

    /// `GET /me` · [`owner::GetOwner`]
    pub async fn me(&self) -> Result<owner::Owner, Error> {
        self.0.call(owner::GetOwner, &Nothing {}, &Nothing {}, &Nothing {}).await
    }

    /// `GET /projects` · [`owner::ListOwnerProjects`]
    pub async fn list_projects(&self, filter: &owner::OwnerProjectFilter) -> Result<Page<Project>, Error> {
        self.0.call(owner::ListOwnerProjects, &Nothing {}, filter, &Nothing {}).await
    }

    /// `POST /projects` · [`owner::OwnerCreateProject`]
    pub async fn create_project(&self, project: &NewProject) -> Result<CreatedProject, Error> {
        self.0.call(owner::OwnerCreateProject, &Nothing {}, &Nothing {}, project).await
    }

    /// `GET /projects/{project_id}` · [`owner::GetOwnerProject`]
    pub async fn get_project(&self, id: &ProjectId) -> Result<owner::ProjectOverview, Error> {
        self.0
            .call(
                owner::GetOwnerProject,
                &owner::ProjectPath { project_id: id.clone() },
                &Nothing {},
                &Nothing {},
            )
            .await
    }

    /// `POST /positions` · [`owner::OwnerCreatePosition`]
    pub async fn create_position(&self, position: &NewPosition) -> Result<Position, Error> {
        self.0.call(owner::OwnerCreatePosition, &Nothing {}, &Nothing {}, position).await
    }

    /// `GET /applications` · [`owner::ListOwnerApplications`]
    pub async fn list_applications(
        &self,
        filter: &owner::OwnerApplicationFilter,
    ) -> Result<Page<Application>, Error> {
        self.0.call(owner::ListOwnerApplications, &Nothing {}, filter, &Nothing {}).await
    }

    /// `POST /applications/{application_id}/decide` · [`owner::OwnerDecideApplication`]
    pub async fn decide_application(
        &self,
        id: &ApplicationId,
        decision: &ApplicationDecision,
    ) -> Result<Application, Error> {
        self.0
            .call(
                owner::OwnerDecideApplication,
                &ApplicationPath { application_id: id.clone() },
                &Nothing {},
                decision,
            )
            .await
    }

    /// `GET /tickets` · [`owner::OwnerListTickets`]
    pub async fn list_tickets(&self, filter: &TicketFilter) -> Result<Page<Ticket>, Error> {
        self.0.call(owner::OwnerListTickets, &Nothing {}, filter, &Nothing {}).await
    }

    /// `POST /tickets` · [`owner::OwnerCreateTicket`]
    pub async fn create_ticket(&self, ticket: &NewTicket) -> Result<Ticket, Error> {
        self.0.call(owner::OwnerCreateTicket, &Nothing {}, &Nothing {}, ticket).await
    }

    /// `GET /tickets/{ticket_id}` · [`owner::OwnerGetTicket`]
    pub async fn get_ticket(&self, id: &TicketId) -> Result<Ticket, Error> {
        self.0
            .call(owner::OwnerGetTicket, &TicketPath { ticket_id: id.clone() }, &Nothing {}, &Nothing {})
            .await
    }

    /// `PATCH /tickets/{ticket_id}` · [`owner::OwnerUpdateTicket`]
    pub async fn update_ticket(&self, id: &TicketId, patch: &TicketPatch) -> Result<UpdatedTicket, Error> {
        self.0.call(owner::OwnerUpdateTicket, &TicketPath { ticket_id: id.clone() }, &Nothing {}, patch).await
    }

    /// `POST /tickets/{ticket_id}/approve` · [`owner::OwnerApproveTicket`]
    pub async fn approve_ticket(
        &self,
        id: &TicketId,
        judgement: impl Into<owner::OwnerJudgement>,
    ) -> Result<Judged, Error> {
        self.0
            .call(
                owner::OwnerApproveTicket,
                &TicketPath { ticket_id: id.clone() },
                &Nothing {},
                &judgement.into(),
            )
            .await
    }

    /// `POST /tickets/{ticket_id}/comments` · [`owner::OwnerAddComment`]
    pub async fn add_comment(&self, id: &TicketId, content: impl Into<String>) -> Result<Comment, Error> {
        self.0
            .call(
                owner::OwnerAddComment,
                &TicketPath { ticket_id: id.clone() },
                &Nothing {},
                &NewComment { content: content.into() },
            )
            .await
    }

    /// `GET /transactions` · [`owner::ListLedger`]
    pub async fn list_transactions(
        &self,
        filter: &owner::LedgerFilter,
    ) -> Result<Page<owner::LedgerTransaction>, Error> {
        self.0.call(owner::ListLedger, &Nothing {}, filter, &Nothing {}).await
    }

    /// `GET /audit` · [`owner::ListAudit`]
    pub async fn list_audit(&self, filter: &owner::AuditFilter) -> Result<Page<owner::AuditEntry>, Error> {
        self.0.call(owner::ListAudit, &Nothing {}, filter, &Nothing {}).await
    }

    /// `GET /keys` · [`owner::ListOwnerKeys`]
    pub async fn list_keys(&self, filter: &KeyFilter) -> Result<Page<Key>, Error> {
        self.0.call(owner::ListOwnerKeys, &Nothing {}, filter, &Nothing {}).await
    }

    /// `POST /keys` · [`owner::CreateOwnerKey`]
    pub async fn create_key(&self, key: &NewKey) -> Result<CreatedKey, Error> {
        self.0.call(owner::CreateOwnerKey, &Nothing {}, &Nothing {}, key).await
    }

    /// `POST /keys/{key_id}/rotate` · [`owner::RotateOwnerKey`]
    pub async fn rotate_key(&self, id: &ApiKeyId, rotation: &KeyRotation) -> Result<CreatedKey, Error> {
        self.0.call(owner::RotateOwnerKey, &KeyPath { key_id: id.clone() }, &Nothing {}, rotation).await
    }

    /// `DELETE /keys/{key_id}` · [`owner::RevokeOwnerKey`]
    pub async fn revoke_key(&self, id: &ApiKeyId) -> Result<Key, Error> {
        self.0.call(owner::RevokeOwnerKey, &KeyPath { key_id: id.clone() }, &Nothing {}, &Nothing {}).await
    }
}
