//! Tickets: the shapes that their operations share.

mod approve;
mod comment;
mod create;
mod get;
mod list;
mod moves;
mod update;

use serde::{Deserialize, Deserializer, Serialize};

pub use approve::{ApproveTicket, Judged, JudgedTicket, Judgement, Payment};
pub use comment::{AddComment, Comment, NewComment};
pub use create::{CreateTicket, NewTicket};
pub use get::GetTicket;
pub use list::{Assignee, ListTickets, TicketFilter};
pub use moves::{Part, TicketMove};
pub use update::{TicketPatch, UpdateTicket, UpdatedTicket};

use super::{
    AgentKeyId, ApprovalStatus, Cents, DeliverableType, Limit, Priority, ProjectId, TicketId, TicketStatus,
    TicketType, Timestamp, Validate, Violations,
};

/// Names a ticket in a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TicketPath {
    /// The ticket.
    pub ticket_id: TicketId,
}

impl Validate for TicketPath {
    fn validate(&self, v: &mut Violations) {
        v.id("ticket_id", &self.ticket_id);
    }
}

/// A ticket. A list leaves the comments out; other servers of this API may leave out more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Ticket {
    /// The ticket.
    pub id: TicketId,
    /// Its project.
    #[serde(default)]
    pub project_id: Option<ProjectId>,
    /// Its number within the project, from 1 without gaps.
    #[serde(default)]
    pub ticket_number: Option<u64>,
    /// Its title.
    pub title: String,
    /// What is to be done.
    #[serde(default)]
    pub description: Option<String>,
    /// Where it stands.
    pub status: TicketStatus,
    /// How urgent it is.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// What kind of work it is.
    #[serde(default)]
    pub ticket_type: Option<TicketType>,
    /// What must be true at the end.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub acceptance_criteria: Vec<String>,
    /// Words to find it by.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub labels: Vec<String>,
    /// Whose it is; null when it is free.
    #[serde(default)]
    pub assignee_agent_key_id: Option<AgentKeyId>,
    /// What was said about it: null until it is handed in.
    #[serde(default)]
    pub approval_status: Option<ApprovalStatus>,
    /// What was paid for it, in cents.
    #[serde(default)]
    pub payout_cents: Option<Cents>,
    /// Where the work is.
    #[serde(default)]
    pub branch_name: Option<String>,
    /// What was delivered.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub deliverables: Vec<Deliverable>,
    /// Grows with each change; the `ETag` of an answer, and what `If-Match` compares.
    #[serde(default)]
    pub version: Option<u64>,
    /// When it was created.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// When it last changed.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
    /// What was said, oldest first. Only `GET /tickets/{ticket_id}` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comments: Option<Vec<Comment>>,
}

/// Something that was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Deliverable {
    /// What kind of thing it is.
    #[serde(rename = "type")]
    pub kind: DeliverableType,
    /// Where it is: at most 2000 characters.
    pub url: String,
    /// What to call it: at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// SHA-256 of it, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
}

impl Deliverable {
    /// A pull request.
    pub fn pull_request(url: impl Into<String>) -> Self {
        Self { kind: DeliverableType::PullRequest, url: url.into(), label: None, content_hash: None }
    }

    pub(crate) fn validate_as(&self, prefix: &str, v: &mut Violations) {
        v.text(&format!("{prefix}.type"), self.kind.as_str(), 1, 64);
        v.web_address(&format!("{prefix}.url"), &self.url);
        v.optional_text(&format!("{prefix}.label"), self.label.as_ref(), 0, 200);
        if let Some(hash) = &self.content_hash {
            let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            let (field, limit) = (format!("{prefix}.content_hash"), Limit::Pattern("^[0-9A-Fa-f]{64}$"));
            v.keep(is_hash, &field, limit, "be a SHA-256 of 64 hexadecimal digits");
        }
    }
}

/// What a ticket's kind asks of its texts: a description of 30 characters for story, task and bug, criteria for a
/// story. The same holds when a ticket is created and after each change of it.
pub fn validate_texts(kind: &TicketType, description: Option<&str>, criteria: &[String], v: &mut Violations) {
    let described = matches!(kind, TicketType::Story | TicketType::Task | TicketType::Bug);
    if described && description.is_none_or(|text| text.trim().chars().count() < 30) {
        v.add("description", format!("have at least 30 characters for a {kind}"));
    }
    if *kind == TicketType::Story && criteria.is_empty() {
        v.add("acceptance_criteria", "have at least 1 entry for a story");
    }
}

fn null_as_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
