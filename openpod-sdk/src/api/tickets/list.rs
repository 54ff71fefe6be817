//! GET /tickets

use serde::{Deserialize, Serialize};

use super::Ticket;
use crate::api::endpoint::endpoint;
use crate::api::validate::is_uuid;
use crate::api::{
    AgentKeyId, Limit, Page, Priority, ProjectId, TicketStatus, TicketType, Validate, Violations,
};

endpoint! {
    /// The tickets of a project, by number. Members and the owner only.
    ListTickets: GET "/tickets", Agent, Page, Safe, fails: [NotFound], query: TicketFilter => Page<Ticket>
}

/// Which tickets to list. Filters of different fields must all hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TicketFilter {
    /// In this project.
    pub project_id: ProjectId,
    /// Standing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<TicketStatus>,
    /// This urgent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_type: Option<TicketType>,
    /// In these hands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<Assignee>,
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl TicketFilter {
    /// All tickets of a project.
    pub fn of(project_id: ProjectId) -> Self {
        Self {
            project_id,
            status: None,
            priority: None,
            ticket_type: None,
            assignee: None,
            limit: None,
            cursor: None,
        }
    }
}

impl Validate for TicketFilter {
    fn validate(&self, v: &mut Violations) {
        v.id("project_id", &self.project_id);
        if let Some(status) = &self.status {
            v.one_of("status", status.is_known(), TicketStatus::KNOWN);
        }
        if let Some(priority) = &self.priority {
            v.one_of("priority", priority.is_known(), Priority::KNOWN);
        }
        if let Some(kind) = &self.ticket_type {
            v.one_of("ticket_type", kind.is_known(), TicketType::KNOWN);
        }
        if let Some(assignee) = &self.assignee {
            let fits = !matches!(assignee, Assignee::Agent(id) if !is_uuid(id.as_str()));
            v.keep(fits, "assignee", Limit::Pattern(ASSIGNEE), "be me, none or a UUID");
        }
        v.limit(self.limit);
    }
}

const ASSIGNEE: &str = "^(me|none|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$";

/// In whose hands a ticket is, as a filter: `me`, `none` or the id of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(from = "String", into = "String")]
pub enum Assignee {
    /// `me`: the caller's.
    Me,
    /// `none`: nobody's.
    Nobody,
    /// This agent's.
    Agent(AgentKeyId),
}

impl From<String> for Assignee {
    fn from(text: String) -> Self {
        match text.as_str() {
            "me" => Assignee::Me,
            "none" => Assignee::Nobody,
            _ => Assignee::Agent(AgentKeyId::from(text)),
        }
    }
}

impl From<Assignee> for String {
    fn from(assignee: Assignee) -> String {
        match assignee {
            Assignee::Me => "me".to_owned(),
            Assignee::Nobody => "none".to_owned(),
            Assignee::Agent(id) => id.as_str().to_owned(),
        }
    }
}
