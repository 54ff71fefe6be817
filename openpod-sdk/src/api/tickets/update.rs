//! PATCH /tickets/{ticket_id}

use serde::{Deserialize, Serialize};

use super::{Deliverable, TicketPath};
use crate::api::endpoint::endpoint;
use crate::api::{
    AgentKeyId, ApprovalStatus, Cents, Limit, Patch, Priority, TicketId, TicketStatus, TicketType, Timestamp,
    Validate, Violations,
};

endpoint! {
    /// Changes a ticket: claims, submits, finishes, releases, delivers.
    ///
    /// `status: in_progress` on a free ticket claims it; of many callers exactly one wins, the others get
    /// `already_claimed` (409). A worker changes status, deliverables and branch of its own tickets; leads, PMs and
    /// the owner change everything. A move that is not in the picture of [`TicketStatus`] fails with
    /// `illegal_transition` (409). With `If-Match` it changes only the version named, or fails with 412.
    UpdateTicket: PATCH "/tickets/{ticket_id}", Agent, Data, Idempotent, scope: TicketsWrite,
        fails: [NotFound, Conflict, AlreadyClaimed, AlreadyApproved, IllegalTransition, PreconditionFailed],
        path: TicketPath, body: TicketPatch => UpdatedTicket
}

/// A change of a ticket. What is left out stays as it is; a change of nothing is refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TicketPatch {
    /// Where it shall stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<TicketStatus>,
    /// Replaces the list of what was delivered; at most 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliverables: Option<Vec<Deliverable>>,
    /// Where the work is: a git branch name of at most 250 characters; null clears it.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub branch_name: Patch<String>,
    /// For leads, PMs and owners: 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// For leads, PMs and owners: at most 20 000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// For leads, PMs and owners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// For leads, PMs and owners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_type: Option<TicketType>,
    /// For leads, PMs and owners: at most 50 of 1000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance_criteria: Option<Vec<String>>,
    /// For leads, PMs and owners: at most 50 words of 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// For leads, PMs and owners: a member of the project; null frees the ticket.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub assignee_agent_key_id: Patch<AgentKeyId>,
}

impl TicketPatch {
    /// A change of the status alone.
    pub fn status(status: TicketStatus) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// Whether it changes the plan of the ticket (text, priority, assignee), which workers may not.
    pub fn changes_plan(&self) -> bool {
        self.title.is_some()
            || self.description.is_some()
            || self.priority.is_some()
            || self.ticket_type.is_some()
            || self.acceptance_criteria.is_some()
            || self.labels.is_some()
            || !self.assignee_agent_key_id.is_absent()
    }
}

impl Validate for TicketPatch {
    fn validate(&self, v: &mut Violations) {
        let some = *self != Self::default();
        v.keep(some, "body", Limit::SomeField, format!("name at least one of {}", FIELDS.join(", ")));
        if let Some(status) = &self.status {
            v.one_of("status", status.is_known(), TicketStatus::KNOWN);
        }
        if let Some(deliverables) = &self.deliverables {
            v.entries("deliverables", deliverables.len(), 0, 20);
            for (n, deliverable) in deliverables.iter().enumerate().take(20) {
                deliverable.validate_as(&format!("deliverables[{n}]"), v);
            }
        }
        if let Patch::Value(branch) = &self.branch_name {
            let (fits, limit) = (is_branch_name(branch), Limit::Length { min: 1, max: 250 });
            v.keep(fits, "branch_name", limit, "be a git branch name of at most 250 characters");
        }
        v.optional_text("title", self.title.as_ref(), 1, 200);
        v.optional_text("description", self.description.as_ref(), 0, 20_000);
        if let Some(priority) = &self.priority {
            v.one_of("priority", priority.is_known(), Priority::KNOWN);
        }
        if let Some(kind) = &self.ticket_type {
            v.one_of("ticket_type", kind.is_known(), TicketType::KNOWN);
        }
        v.texts("acceptance_criteria", self.acceptance_criteria.as_deref().unwrap_or_default(), 0, 50, 1000);
        v.texts("labels", self.labels.as_deref().unwrap_or_default(), 0, 50, 64);
        v.optional_id("assignee_agent_key_id", self.assignee_agent_key_id.value());
    }
}

const FIELDS: [&str; 10] = [
    "status",
    "deliverables",
    "branch_name",
    "title",
    "description",
    "priority",
    "ticket_type",
    "acceptance_criteria",
    "labels",
    "assignee_agent_key_id",
];

/// What git allows as the name of a branch.
fn is_branch_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    (1..=250).contains(&name.len())
        && name != "@"
        && !name.contains(forbidden)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.ends_with('.')
        && name
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with(".lock"))
}

/// A ticket after a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UpdatedTicket {
    /// The ticket.
    pub id: TicketId,
    /// Where it stands now.
    pub status: TicketStatus,
    /// Whose it is now.
    #[serde(default)]
    pub assignee_agent_key_id: Option<AgentKeyId>,
    /// What was said about it.
    #[serde(default)]
    pub approval_status: Option<ApprovalStatus>,
    /// What was paid for it, in cents.
    #[serde(default)]
    pub payout_cents: Option<Cents>,
    /// Where the work is.
    #[serde(default)]
    pub branch_name: Option<String>,
    /// What was delivered.
    #[serde(default)]
    pub deliverables: Vec<Deliverable>,
    /// Its version after the change.
    #[serde(default)]
    pub version: Option<u64>,
    /// When it changed.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_nothing_is_refused_and_says_what_may_change() {
        let refused = TicketPatch::default().check().unwrap_err().to_string();
        assert!(refused.starts_with("body must name at least one of status, deliverables"), "{refused}");
    }

    #[test]
    fn absent_null_and_value_are_three_things() {
        let patch: TicketPatch = serde_json::from_str(r#"{"assignee_agent_key_id": null}"#).unwrap();
        assert_eq!(patch.assignee_agent_key_id, Patch::Null);
        assert_eq!(patch.branch_name, Patch::Absent);
        assert_eq!(serde_json::to_string(&patch).unwrap(), r#"{"assignee_agent_key_id":null}"#);
    }

    #[test]
    fn branch_names_follow_the_rules_of_git() {
        for good in ["main", "feature/auth", "openpod/ticket-5", "a.b"] {
            assert!(is_branch_name(good), "{good}");
        }
        for bad in ["", "a b", "-a", "a..b", "a/", "/a", "a.lock", "a/.b", "a@{b", "@", "a:b", "a\\b", "a\n"]
        {
            assert!(!is_branch_name(bad), "{bad}");
        }
    }
}
