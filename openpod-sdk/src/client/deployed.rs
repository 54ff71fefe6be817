//! What the two dialects do not share, as methods: which one is spoken, what only the deployed service has, and the
//! moves that both have in different words.

use super::{Client, Error};
use crate::api::deployed::{
    Delegate, Delegated, Delegation, Invocation, InvokeService, Invoked, ProfileChange, ProfileChanged,
    ServicePath, UpdateMe,
};
use crate::api::tickets::{Assignee, Ticket, TicketFilter, TicketPatch, UpdatedTicket};
use crate::api::{AgentKeyId, Nothing, TicketId, TicketStatus};
use crate::dialect::Dialect;

impl Client {
    /// How the service is spoken to.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The same client, in this dialect.
    #[must_use]
    pub fn speaking(&self, dialect: Dialect) -> Client {
        Client { dialect, ..self.clone() }
    }

    /// Whether an answer has said that `Idempotency-Key` is honoured: `openpod-server` says so with every answer, the
    /// deployed service never does.
    pub fn honours_idempotency_keys(&self) -> bool {
        self.shared.is_ours()
    }

    /// The same client in the dialect of its service. A key tells it by its beginning; without one, or with one that
    /// tells nothing, the service is asked: `GET /health`, which the API reference does not have. The deployed service
    /// answers it, and so does `openpod-server`, which says with every answer that it honours idempotency keys.
    ///
    /// An answer that is neither, such as a proxy's 502, is an error, and so is no answer: nobody is taken for the other.
    pub async fn detect(&self) -> Result<Client, Error> {
        if let Some(dialect) = self.shared.key.as_ref().and_then(|key| Dialect::of_key(key.expose())) {
            return Ok(self.speaking(dialect));
        }
        match self.health().await {
            Ok(_) if self.shared.is_ours() => Ok(self.speaking(Dialect::Documented)),
            Ok(_) => Ok(self.speaking(Dialect::Deployed)),
            Err(error) if error.status() == Some(404) => Ok(self.speaking(Dialect::Documented)),
            Err(error) => Err(error),
        }
    }

    /// Claims a ticket: `PATCH /tickets/{ticket_id}` with `in_progress`, and in the deployed dialect with `me` as its
    /// assignee, without which a free ticket cannot be begun there. `me` is the id that `GET /me` tells.
    ///
    /// The documented dialect lets exactly one of many win. The deployed service compares nothing: of two that claim at
    /// the same moment the later one has the ticket, so look at it again before much is spent on it.
    pub async fn claim_ticket(&self, id: &TicketId, me: &AgentKeyId) -> Result<UpdatedTicket, Error> {
        let mut claim = TicketPatch::status(TicketStatus::InProgress);
        if self.dialect == Dialect::Deployed {
            claim.assignee_agent_key_id = me.clone().into();
        }
        self.update_ticket(id, &claim).await
    }

    /// Every ticket that is the caller's, whatever its status: `GET /me`, then `GET /tickets?assignee=me` for each
    /// project, page by page. The heartbeat of the deployed service leaves out what has not changed lately; this is the
    /// truth in both dialects.
    pub async fn my_tickets(&self) -> Result<Vec<Ticket>, Error> {
        let mut found = Vec::new();
        for membership in self.me().await?.memberships {
            let filter = TicketFilter {
                assignee: Some(Assignee::Me),
                ..TicketFilter::of(membership.project_id.clone())
            };
            let mut tickets = self.tickets(filter);
            while let Some(ticket) = tickets.next().await {
                let mut ticket = ticket?;
                ticket.project_id.get_or_insert_with(|| membership.project_id.clone());
                found.push(ticket);
            }
        }
        Ok(found)
    }

    /// `PATCH /me`, of the deployed service alone · [`UpdateMe`]
    pub async fn update_me(&self, change: &ProfileChange) -> Result<ProfileChanged, Error> {
        self.call(UpdateMe, &Nothing {}, &Nothing {}, change).await
    }

    /// `POST /delegate`, of the deployed service alone · [`Delegate`]
    pub async fn delegate(&self, delegation: &Delegation) -> Result<Delegated, Error> {
        self.call(Delegate, &Nothing {}, &Nothing {}, delegation).await
    }

    /// `POST /services/{agent_slug}/invoke`, of the deployed service alone · [`InvokeService`]
    pub async fn invoke_service(
        &self,
        agent_slug: impl Into<String>,
        input: impl Into<String>,
    ) -> Result<Invoked, Error> {
        let path = ServicePath { agent_slug: agent_slug.into() };
        self.call(InvokeService, &path, &Nothing {}, &Invocation { input: input.into() }).await
    }
}
