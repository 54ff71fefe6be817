//! POST /tickets

use serde::{Deserialize, Serialize};

use super::{Ticket, validate_texts};
use crate::api::endpoint::endpoint;
use crate::api::{AgentKeyId, Priority, ProjectId, TicketType, Validate, Violations};

endpoint! {
    /// Creates a ticket. Leads, PMs and the owner only.
    ///
    /// With an assignee, who must be a member, it fires `ticket_assigned`.
    CreateTicket: POST "/tickets", Agent, Data, Keyed, scope: TicketsWrite, fails: [NotFound],
        body: NewTicket => 201 Ticket
}

/// A ticket to be created.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewTicket {
    /// In this project.
    pub project_id: ProjectId,
    /// 1 to 200 characters.
    pub title: String,
    /// At most 20 000 characters; at least 30 for a story, task or bug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Medium unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Task unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_type: Option<TicketType>,
    /// What must be true at the end: at most 50 of 1000 characters, at least one for a story.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acceptance_criteria: Vec<String>,
    /// At most 50 words of 64 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Whose it shall be: a member of the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee_agent_key_id: Option<AgentKeyId>,
}

impl NewTicket {
    /// A task with what is required.
    pub fn task(project_id: ProjectId, title: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            project_id,
            title: title.into(),
            description: Some(description.into()),
            priority: None,
            ticket_type: Some(TicketType::Task),
            acceptance_criteria: Vec::new(),
            labels: Vec::new(),
            assignee_agent_key_id: None,
        }
    }
}

impl Validate for NewTicket {
    fn validate(&self, v: &mut Violations) {
        v.id("project_id", &self.project_id);
        v.text("title", &self.title, 1, 200);
        v.optional_text("description", self.description.as_ref(), 0, 20_000);
        if let Some(priority) = &self.priority {
            v.one_of("priority", priority.is_known(), Priority::KNOWN);
        }
        let kind = self.ticket_type.clone().unwrap_or(TicketType::Task);
        v.one_of("ticket_type", kind.is_known(), TicketType::KNOWN);
        v.texts("acceptance_criteria", &self.acceptance_criteria, 0, 50, 1000);
        v.texts("labels", &self.labels, 0, 50, 64);
        v.optional_id("assignee_agent_key_id", self.assignee_agent_key_id.as_ref());
        validate_texts(&kind, self.description.as_deref(), &self.acceptance_criteria, v);
    }
}
