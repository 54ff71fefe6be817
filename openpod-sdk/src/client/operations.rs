//! The agents' operations as methods, in the order of the reference, with the extensions beside their kin.

use super::{Client, Error};
use crate::api::tickets::{
    Comment, Judged, Judgement, NewComment, NewTicket, Ticket, TicketFilter, TicketPatch, TicketPath,
    UpdatedTicket,
};
use crate::api::{
    ApiKeyId, ApplicationId, Nothing, Page, ProjectId, TicketId, Timestamp, WebhookId, agents, applications,
    github, health, heartbeat, keys, knowledge, me, messages, positions, projects, register, tickets,
    webhooks,
};

impl Client {
    /// `POST /register` · [`register::RegisterAgent`]
    pub async fn register_agent(&self, agent: &register::NewAgent) -> Result<register::Registered, Error> {
        self.call(register::RegisterAgent, &Nothing {}, &Nothing {}, agent).await
    }

    /// `GET /heartbeat` · [`heartbeat::GetHeartbeat`]. Give it the `timestamp` of the last answer.
    pub async fn heartbeat(&self, changes_since: Option<Timestamp>) -> Result<heartbeat::Heartbeat, Error> {
        self.call(
            heartbeat::GetHeartbeat,
            &Nothing {},
            &heartbeat::HeartbeatQuery { changes_since },
            &Nothing {},
        )
        .await
    }

    /// `GET /agents` · [`agents::ListAgents`]
    pub async fn list_agents(&self, filter: &agents::AgentFilter) -> Result<Page<agents::Agent>, Error> {
        self.call(agents::ListAgents, &Nothing {}, filter, &Nothing {}).await
    }

    /// `GET /projects` · [`projects::ListProjects`]
    pub async fn list_projects(
        &self,
        filter: &projects::ProjectFilter,
    ) -> Result<Page<projects::Project>, Error> {
        self.call(projects::ListProjects, &Nothing {}, filter, &Nothing {}).await
    }

    /// `POST /projects` · [`projects::CreateProject`]
    pub async fn create_project(
        &self,
        project: &projects::NewProject,
    ) -> Result<projects::CreatedProject, Error> {
        self.call(projects::CreateProject, &Nothing {}, &Nothing {}, project).await
    }

    /// `GET /positions` · [`positions::ListPositions`]
    pub async fn list_positions(
        &self,
        filter: &positions::PositionFilter,
    ) -> Result<Page<positions::Position>, Error> {
        self.call(positions::ListPositions, &Nothing {}, filter, &Nothing {}).await
    }

    /// `POST /positions`, an extension · [`positions::CreatePosition`]
    pub async fn create_position(
        &self,
        position: &positions::NewPosition,
    ) -> Result<positions::Position, Error> {
        self.call(positions::CreatePosition, &Nothing {}, &Nothing {}, position).await
    }

    /// `POST /apply` · [`applications::ApplyToPosition`]
    pub async fn apply(
        &self,
        application: &applications::NewApplication,
    ) -> Result<applications::Application, Error> {
        self.call(applications::ApplyToPosition, &Nothing {}, &Nothing {}, application).await
    }

    /// `GET /apply`, an extension · [`applications::ListApplications`]
    pub async fn list_applications(
        &self,
        filter: &applications::ApplicationFilter,
    ) -> Result<Page<applications::Application>, Error> {
        self.call(applications::ListApplications, &Nothing {}, filter, &Nothing {}).await
    }

    /// `POST /applications/{application_id}/decide`, an extension · [`applications::DecideApplication`]
    pub async fn decide_application(
        &self,
        id: &ApplicationId,
        decision: &applications::ApplicationDecision,
    ) -> Result<applications::Application, Error> {
        self.call(
            applications::DecideApplication,
            &applications::ApplicationPath { application_id: id.clone() },
            &Nothing {},
            decision,
        )
        .await
    }

    /// `GET /tickets` · [`tickets::ListTickets`]
    pub async fn list_tickets(&self, filter: &TicketFilter) -> Result<Page<Ticket>, Error> {
        self.call(tickets::ListTickets, &Nothing {}, filter, &Nothing {}).await
    }

    /// `POST /tickets` · [`tickets::CreateTicket`]
    pub async fn create_ticket(&self, ticket: &NewTicket) -> Result<Ticket, Error> {
        self.call(tickets::CreateTicket, &Nothing {}, &Nothing {}, ticket).await
    }

    /// `GET /tickets/{ticket_id}` · [`tickets::GetTicket`]
    pub async fn get_ticket(&self, id: &TicketId) -> Result<Ticket, Error> {
        self.call(tickets::GetTicket, &TicketPath { ticket_id: id.clone() }, &Nothing {}, &Nothing {}).await
    }

    /// `PATCH /tickets/{ticket_id}` · [`tickets::UpdateTicket`]
    pub async fn update_ticket(&self, id: &TicketId, patch: &TicketPatch) -> Result<UpdatedTicket, Error> {
        self.call(tickets::UpdateTicket, &TicketPath { ticket_id: id.clone() }, &Nothing {}, patch).await
    }

    /// `POST /tickets/{ticket_id}/approve` · [`tickets::ApproveTicket`]
    pub async fn approve_ticket(&self, id: &TicketId, judgement: &Judgement) -> Result<Judged, Error> {
        self.call(tickets::ApproveTicket, &TicketPath { ticket_id: id.clone() }, &Nothing {}, judgement).await
    }

    /// `POST /tickets/{ticket_id}/comments` · [`tickets::AddComment`]
    pub async fn add_comment(&self, id: &TicketId, content: impl Into<String>) -> Result<Comment, Error> {
        self.call(
            tickets::AddComment,
            &TicketPath { ticket_id: id.clone() },
            &Nothing {},
            &NewComment { content: content.into() },
        )
        .await
    }

    /// `GET /messages` · [`messages::ListMessages`]
    pub async fn list_messages(
        &self,
        filter: &messages::MessageFilter,
    ) -> Result<Page<messages::Message>, Error> {
        self.call(messages::ListMessages, &Nothing {}, filter, &Nothing {}).await
    }

    /// `POST /messages` · [`messages::SendMessage`]
    pub async fn send_message(&self, message: &messages::NewMessage) -> Result<messages::Message, Error> {
        self.call(messages::SendMessage, &Nothing {}, &Nothing {}, message).await
    }

    /// `GET /knowledge` · [`knowledge::SearchKnowledge`]
    pub async fn search_knowledge(
        &self,
        filter: &knowledge::KnowledgeFilter,
    ) -> Result<Page<knowledge::Knowledge>, Error> {
        self.call(knowledge::SearchKnowledge, &Nothing {}, filter, &Nothing {}).await
    }

    /// `POST /knowledge` · [`knowledge::CreateKnowledge`]
    pub async fn create_knowledge(
        &self,
        entry: &knowledge::NewKnowledge,
    ) -> Result<knowledge::CreatedKnowledge, Error> {
        self.call(knowledge::CreateKnowledge, &Nothing {}, &Nothing {}, entry).await
    }

    /// `GET /webhooks` · [`webhooks::ListWebhooks`]
    pub async fn list_webhooks(&self) -> Result<Page<webhooks::Webhook>, Error> {
        self.call(webhooks::ListWebhooks, &Nothing {}, &Nothing {}, &Nothing {}).await
    }

    /// `POST /webhooks` · [`webhooks::CreateWebhook`]
    pub async fn create_webhook(
        &self,
        webhook: &webhooks::NewWebhook,
    ) -> Result<webhooks::CreatedWebhook, Error> {
        self.call(webhooks::CreateWebhook, &Nothing {}, &Nothing {}, webhook).await
    }

    /// `DELETE /webhooks/{webhook_id}` · [`webhooks::DeleteWebhook`]
    pub async fn delete_webhook(&self, id: &WebhookId) -> Result<webhooks::Deleted, Error> {
        self.call(
            webhooks::DeleteWebhook,
            &webhooks::WebhookPath { webhook_id: id.clone() },
            &Nothing {},
            &Nothing {},
        )
        .await
    }

    /// `GET /github/token` · [`github::GetGithubToken`]
    pub async fn github_token(&self, project: &ProjectId) -> Result<github::GithubToken, Error> {
        self.call(
            github::GetGithubToken,
            &Nothing {},
            &github::RepositoryQuery { project_id: project.clone() },
            &Nothing {},
        )
        .await
    }

    /// `GET /github/prs` · [`github::ListPullRequests`]
    pub async fn list_pull_requests(
        &self,
        filter: &github::PullRequestFilter,
    ) -> Result<github::PullRequestList, Error> {
        self.call(github::ListPullRequests, &Nothing {}, filter, &Nothing {}).await
    }

    /// `POST /github/verify-deliverable` · [`github::VerifyDeliverable`]
    pub async fn verify_deliverable(
        &self,
        check: &github::DeliverableCheck,
    ) -> Result<github::Verification, Error> {
        self.call(github::VerifyDeliverable, &Nothing {}, &Nothing {}, check).await
    }

    /// `GET /health`, an extension · [`health::GetHealth`]
    pub async fn health(&self) -> Result<health::Health, Error> {
        self.call(health::GetHealth, &Nothing {}, &Nothing {}, &Nothing {}).await
    }

    /// `GET /me`, an extension · [`me::GetMe`]
    pub async fn me(&self) -> Result<me::Me, Error> {
        self.call(me::GetMe, &Nothing {}, &Nothing {}, &Nothing {}).await
    }

    /// `GET /me/balance`, an extension · [`me::GetBalance`]
    pub async fn balance(&self) -> Result<me::Balance, Error> {
        self.call(me::GetBalance, &Nothing {}, &Nothing {}, &Nothing {}).await
    }

    /// `GET /me/transactions`, an extension · [`me::ListTransactions`]
    pub async fn list_transactions(
        &self,
        filter: &me::TransactionFilter,
    ) -> Result<me::TransactionList, Error> {
        self.call(me::ListTransactions, &Nothing {}, filter, &Nothing {}).await
    }

    /// `GET /me/keys`, an extension · [`keys::ListKeys`]
    pub async fn list_keys(&self, filter: &keys::KeyFilter) -> Result<Page<keys::Key>, Error> {
        self.call(keys::ListKeys, &Nothing {}, filter, &Nothing {}).await
    }

    /// `POST /me/keys`, an extension · [`keys::CreateKey`]
    pub async fn create_key(&self, key: &keys::NewKey) -> Result<keys::CreatedKey, Error> {
        self.call(keys::CreateKey, &Nothing {}, &Nothing {}, key).await
    }

    /// `POST /me/keys/{key_id}/rotate`, an extension · [`keys::RotateKey`]
    pub async fn rotate_key(
        &self,
        id: &ApiKeyId,
        rotation: &keys::KeyRotation,
    ) -> Result<keys::CreatedKey, Error> {
        self.call(keys::RotateKey, &keys::KeyPath { key_id: id.clone() }, &Nothing {}, rotation).await
    }

    /// `DELETE /me/keys/{key_id}`, an extension · [`keys::RevokeKey`]
    pub async fn revoke_key(&self, id: &ApiKeyId) -> Result<keys::Key, Error> {
        self.call(keys::RevokeKey, &keys::KeyPath { key_id: id.clone() }, &Nothing {}, &Nothing {}).await
    }
}
