//! Every list as a stream: the same operations as the methods that give one page, followed to the end.

use super::pages::{Items, Pages};
use super::{Client, OwnerClient};
use crate::api::webhooks::{
    DeliveryFilter, ListDeliveries, ListWebhooks, LoggedDelivery, Webhook, WebhookPath,
};
use crate::api::{
    Endpoint, Nothing, PageOf, PageQuery, WebhookId, agents, applications, keys, knowledge, me, messages,
    owner, positions, projects, tickets,
};

impl Client {
    /// The pages of any list of the contract, beginning where `query` says and asked for as they are wanted. Unless the
    /// query says how large they shall be they are as large as may be: 100 items.
    pub fn pages<E>(
        &self,
        operation: E,
        path: E::Path,
        query: E::Query,
    ) -> Pages<<E::Response as PageOf>::Item>
    where
        E: Endpoint<Body = Nothing>,
        E::Query: PageQuery,
        E::Response: PageOf<Item: 'static>,
    {
        Pages::of(self, operation, path, query)
    }

    /// What any list of the contract is made of, across its pages. The methods with names are shorter.
    pub fn items<E>(
        &self,
        operation: E,
        path: E::Path,
        query: E::Query,
    ) -> Items<<E::Response as PageOf>::Item>
    where
        E: Endpoint<Body = Nothing>,
        E::Query: PageQuery,
        E::Response: PageOf<Item: 'static>,
    {
        self.pages(operation, path, query).into()
    }

    /// All of `GET /agents` · [`agents::ListAgents`]
    pub fn agents(&self, filter: agents::AgentFilter) -> Items<agents::Agent> {
        self.items(agents::ListAgents, Nothing {}, filter)
    }

    /// All of `GET /projects` · [`projects::ListProjects`]
    pub fn projects(&self, filter: projects::ProjectFilter) -> Items<projects::Project> {
        self.items(projects::ListProjects, Nothing {}, filter)
    }

    /// All of `GET /positions` · [`positions::ListPositions`]
    pub fn positions(&self, filter: positions::PositionFilter) -> Items<positions::Position> {
        self.items(positions::ListPositions, Nothing {}, filter)
    }

    /// All of `GET /apply`, an extension · [`applications::ListApplications`]
    pub fn applications(&self, filter: applications::ApplicationFilter) -> Items<applications::Application> {
        self.items(applications::ListApplications, Nothing {}, filter)
    }

    /// All of `GET /tickets` · [`tickets::ListTickets`]
    pub fn tickets(&self, filter: tickets::TicketFilter) -> Items<tickets::Ticket> {
        self.items(tickets::ListTickets, Nothing {}, filter)
    }

    /// All of `GET /messages`, the newest page first and oldest first within each · [`messages::ListMessages`]
    pub fn messages(&self, filter: messages::MessageFilter) -> Items<messages::Message> {
        self.items(messages::ListMessages, Nothing {}, filter)
    }

    /// All of `GET /knowledge` · [`knowledge::SearchKnowledge`]
    pub fn knowledge(&self, filter: knowledge::KnowledgeFilter) -> Items<knowledge::Knowledge> {
        self.items(knowledge::SearchKnowledge, Nothing {}, filter)
    }

    /// All of `GET /webhooks` · [`ListWebhooks`]
    pub fn webhooks(&self) -> Items<Webhook> {
        self.items(ListWebhooks, Nothing {}, Nothing {})
    }

    /// All of `GET /webhooks/{webhook_id}/deliveries`, an extension · [`ListDeliveries`]
    pub fn deliveries(&self, webhook: &WebhookId, filter: DeliveryFilter) -> Items<LoggedDelivery> {
        self.items(ListDeliveries, WebhookPath { webhook_id: webhook.clone() }, filter)
    }

    /// All of `GET /me/transactions`, an extension · [`me::ListTransactions`]
    pub fn transactions(&self, filter: me::TransactionFilter) -> Items<me::Transaction> {
        self.items(me::ListTransactions, Nothing {}, filter)
    }

    /// All of `GET /me/keys`, an extension · [`keys::ListKeys`]
    pub fn keys(&self, filter: keys::KeyFilter) -> Items<keys::Key> {
        self.items(keys::ListKeys, Nothing {}, filter)
    }
}

impl OwnerClient {
    /// All of `GET /projects` · [`owner::ListOwnerProjects`]
    pub fn projects(&self, filter: owner::OwnerProjectFilter) -> Items<projects::Project> {
        self.0.items(owner::ListOwnerProjects, Nothing {}, filter)
    }

    /// All of `GET /applications` · [`owner::ListOwnerApplications`]
    pub fn applications(&self, filter: owner::OwnerApplicationFilter) -> Items<applications::Application> {
        self.0.items(owner::ListOwnerApplications, Nothing {}, filter)
    }

    /// All of `GET /tickets` · [`owner::OwnerListTickets`]
    pub fn tickets(&self, filter: tickets::TicketFilter) -> Items<tickets::Ticket> {
        self.0.items(owner::OwnerListTickets, Nothing {}, filter)
    }

    /// All of `GET /transactions` · [`owner::ListLedger`]
    pub fn transactions(&self, filter: owner::LedgerFilter) -> Items<owner::LedgerTransaction> {
        self.0.items(owner::ListLedger, Nothing {}, filter)
    }

    /// All of `GET /audit` · [`owner::ListAudit`]
    pub fn audit(&self, filter: owner::AuditFilter) -> Items<owner::AuditEntry> {
        self.0.items(owner::ListAudit, Nothing {}, filter)
    }

    /// All of `GET /keys` · [`owner::ListOwnerKeys`]
    pub fn keys(&self, filter: keys::KeyFilter) -> Items<keys::Key> {
        self.0.items(owner::ListOwnerKeys, Nothing {}, filter)
    }

    /// All of `GET /webhooks` · [`owner::OwnerListWebhooks`]
    pub fn webhooks(&self, filter: owner::OwnerWebhookFilter) -> Items<owner::MembersWebhook> {
        self.0.items(owner::OwnerListWebhooks, Nothing {}, filter)
    }

    /// All of `GET /webhooks/{webhook_id}/deliveries` · [`owner::OwnerListDeliveries`]
    pub fn deliveries(&self, webhook: &WebhookId, filter: DeliveryFilter) -> Items<LoggedDelivery> {
        self.0.items(owner::OwnerListDeliveries, WebhookPath { webhook_id: webhook.clone() }, filter)
    }
}
